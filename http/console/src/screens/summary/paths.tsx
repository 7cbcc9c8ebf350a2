// The network paths: a row for each pair of client and server, the sum of all, and what the limit
// left out, so that the numbers add up.
import type { ApiError, Params } from '../../api/client';
import { measureOf, type PairRow, type SummaryAnswer } from '../../api/types';
import { ColumnChooser, useColumns } from '../../components/columns';
import { DataTable, type Column } from '../../components/data_table';
import { EndName } from '../../components/end';
import { ExportLinks } from '../../components/export_links';
import { EmptyNotice, Problem, Skeleton } from '../../components/notice';
import { Text } from '../../components/text';
import { formatCount, formatMeasure } from '../../format/number';
import type { Layer } from '../../model/catalog';
import { findMeasure, measuresOf } from '../../model/measures';
import { flowsOfPair } from '../../model/pair';
import { formatUrl } from '../../state/url';
import type { ScreenProps } from '../screen';

export const defaultSort: Record<Layer, string> = { l4: '-bytes_written', l7: '-count' };

const initialMeasures: Record<Layer, string[]> = {
  l4: [
    'bytes_written',
    'bytes_read',
    'rtt',
    'rtt_var',
    'retransmits',
    'tcp_established',
    'tcp_closed',
    'connect_failed',
  ],
  l7: ['count', 'rps', 'error_rate', 'latency', 'latency_p95', 'latency_p99', 'status_3xx', 'status_4xx', 'status_5xx'],
};

const identity: readonly Column<PairRow>[] = [
  { id: 'client', label: 'Client', sort: 'client', cell: (row) => <EndName end={row.client} /> },
  { id: 'server', label: 'Server', sort: 'server', cell: (row) => <EndName end={row.server} /> },
  { id: 'direction', label: 'Direction', sort: 'direction', cell: (row) => <Text value={row.direction} /> },
  {
    id: 'transport',
    label: 'Transport',
    sort: 'transport',
    cell: (row) => <Text value={row.transport?.toUpperCase()} />,
  },
];

function measureColumn(name: string): Column<PairRow> {
  const measure = findMeasure(name)!;
  return {
    id: name,
    label: measure.short,
    hint: measure.label,
    numeric: true,
    sort: name,
    cell: (row) => formatMeasure(measureOf(row, name), measure.unit),
  };
}

function columnsOf(layer: Layer): Column<PairRow>[] {
  return [...identity, ...measuresOf(layer).map((measure) => measureColumn(measure.name))];
}

function FootRow({
  title,
  columns,
  measures,
  testid,
}: {
  title: string;
  columns: Column<PairRow>[];
  measures: object;
  testid: string;
}) {
  const labels = columns.filter((column) => !column.numeric).length;
  return (
    <tr data-testid={testid}>
      {labels > 0 && (
        <th scope="row" colSpan={labels}>
          {title}
        </th>
      )}
      {columns
        .filter((column) => column.numeric)
        .map((column) => (
          <td key={column.id} class="number">
            {formatMeasure(measureOf(measures, column.id), findMeasure(column.id)!.unit)}
          </td>
        ))}
    </tr>
  );
}

interface Props {
  screen: ScreenProps;
  answer: SummaryAnswer | null;
  error: ApiError | null;
  retry: () => void;
  params: Params;
}

export function Paths({ screen: { state, navigate }, answer, error, retry, params }: Props) {
  const all = columnsOf(state.layer);
  const initial = [...identity.map((column) => column.id), ...initialMeasures[state.layer]];
  const { visible, set } = useColumns(`summary.${state.layer}`, all, initial);
  const columns = all.filter((column) => visible.includes(column.id));
  const rows = answer?.data ?? [];
  return (
    <section class="paths" aria-label="Network paths">
      <div class="section-head">
        <h2>
          Network paths
          {answer && <small>{answer.groups === 1 ? '1 pair' : `${formatCount(answer.groups)} pairs`}</small>}
        </h2>
        <ColumnChooser all={all} visible={visible} onChange={set} />
        <ExportLinks path="summary" params={params} name="network-paths" />
      </div>
      {error && <Problem error={error} retry={retry} />}
      {!error && !answer && <Skeleton lines={10} />}
      {!error && answer && rows.length === 0 && (
        <EmptyNotice title="No traffic in this range">
          Choose a longer time range, or take filters and the search away. New traffic appears within seconds.
        </EmptyNotice>
      )}
      {!error && rows.length > 0 && (
        <DataTable
          label="Network paths"
          columns={columns}
          rows={rows}
          rowKey={(row) => JSON.stringify([row.client, row.server, row.direction, row.transport])}
          testid={{ table: 'summary-table', row: 'summary-row' }}
          sort={state.sort || defaultSort[state.layer]}
          onSort={(sort) => navigate({ sort }, { replace: true })}
          href={(row) => formatUrl(flowsOfPair(state, row))}
          foot={
            <tfoot>
              {answer && answer.other.groups > 0 && (
                <FootRow
                  title={`Other: ${formatCount(answer.other.groups)} pairs beyond the first ${rows.length}`}
                  columns={columns}
                  measures={answer.other}
                  testid="summary-other"
                />
              )}
              {answer && <FootRow title="Total" columns={columns} measures={answer.totals} testid="summary-totals" />}
            </tfoot>
          }
        />
      )}
    </section>
  );
}
