// How the fields of a flow record are shown, in the table and unfolded.
import type { FlowRecord } from '../../api/types';
import type { Column } from '../../components/data_table';
import { Text } from '../../components/text';
import { formatMeasure } from '../../format/number';
import { formatClock, formatDayAndClock, formatMoment } from '../../format/time';
import { visibleText } from '../../format/text';
import { flowFields, type FieldInfo, type RecordKind } from '../../model/fields';

const code = new Set(['path', 'route', 'method']);

function Status({ value }: { value: number }) {
  if (value === 0) return <span class="status none">no response</span>;
  return <span class={`status status-${Math.floor(value / 100)}xx`}>{value}</span>;
}

export function FieldValue({ field, record }: { field: FieldInfo; record: FlowRecord }) {
  const value = record[field.name];
  if (field.name === 'status_code' && typeof value === 'number') return <Status value={value} />;
  if (field.name === 'transport' && typeof value === 'string') return <Text value={value.toUpperCase()} />;
  if (field.unit && (typeof value === 'number' || value == null)) return <>{formatMeasure(value, field.unit)}</>;
  return <Text value={value} />;
}

function cell(field: FieldInfo) {
  return (record: FlowRecord) => {
    const value = record[field.name];
    const title = typeof value === 'string' ? visibleText(value) : undefined;
    return (
      <span class={`value ${code.has(field.name) ? 'mono' : ''}`} title={title}>
        <FieldValue field={field} record={record} />
      </span>
    );
  };
}

export function timeColumn(kind: RecordKind, spansDays: boolean): Column<FlowRecord> {
  return {
    id: 'time',
    label: 'Time',
    hint: kind === 'slow' ? 'When the request began' : 'The end of the interval',
    cell: (record) => {
      const ms = Number(record['time']);
      return (
        <time dateTime={new Date(ms).toISOString()} title={formatMoment(ms)}>
          {spansDays ? formatDayAndClock(ms) : formatClock(ms)}
        </time>
      );
    },
  };
}

export function flowColumnsOf(kind: RecordKind): Column<FlowRecord>[] {
  return flowFields[kind].map((field) => ({
    id: field.name,
    label: field.label,
    numeric: field.unit !== null,
    cell: cell(field),
  }));
}
