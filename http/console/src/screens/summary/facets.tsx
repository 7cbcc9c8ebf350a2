// The quick filters: what values the fields have in this range, and how often. A click puts the value
// into the question, another takes it out.
import { useState } from 'preact/hooks';

import { apiUrl } from '../../api/client';
import type { FacetValue, FacetsAnswer } from '../../api/types';
import { useQuery } from '../../api/use_query';
import { Icon } from '../../components/icon';
import { ErrorNotice, Skeleton } from '../../components/notice';
import { Text } from '../../components/text';
import { formatCompact, formatCount } from '../../format/number';
import { visibleText } from '../../format/text';
import { directions, transports, type Direction, type Transport } from '../../model/catalog';
import { facetFields, fieldLabel } from '../../model/fields';
import { hasTerm, term, withTerm, withoutTerm } from '../../model/search';
import { questionOf, shapeOf, type ScreenProps } from '../screen';

const few = 6;

interface ComboProps {
  counts: Record<string, FacetValue[]>;
  props: ScreenProps;
}

const rows: readonly { id: Direction | ''; title: string }[] = [
  { id: '', title: 'Both' },
  ...directions.map((id) => ({ id, title: id === 'incoming' ? 'Incoming' : 'Outgoing' })),
];
const columns: readonly { id: Transport | ''; title: string }[] = [
  { id: '', title: 'Any' },
  ...transports.map((id) => ({ id, title: id.toUpperCase() })),
];

function countOf(values: FacetValue[] | undefined, value: string): string {
  if (!values) return '';
  const wanted = value === '' ? values : values.filter((one) => one.value === value);
  return formatCompact(wanted.reduce((sum, one) => sum + one.count, 0));
}

// Direction x transport as one small grid: each cell is a combination.
function Combinations({ counts, props: { state, navigate } }: ComboProps) {
  return (
    <table class="combinations" aria-label="Direction and transport">
      <thead>
        <tr>
          <td />
          {columns.map(({ id, title }) => (
            <th key={id} scope="col">
              {title}
              <small>{countOf(counts['transport'], id)}</small>
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.id}>
            <th scope="row">
              {row.title}
              <small>{countOf(counts['direction'], row.id)}</small>
            </th>
            {columns.map((column) => {
              const chosen = state.direction === row.id && state.transport === column.id;
              return (
                <td key={column.id}>
                  <button
                    type="button"
                    aria-pressed={chosen}
                    aria-label={`${row.title}, ${column.title}`}
                    title={`${row.title}, ${column.title}`}
                    data-testid={`combo-${row.id || 'both'}-${column.id || 'any'}`}
                    onClick={() => navigate({ direction: row.id, transport: column.id })}
                  >
                    {chosen && <Icon name="check" />}
                  </button>
                </td>
              );
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

// Values that are better said than shown.
function nameOf(field: string, text: string): string | null {
  if (text === '') return 'without a value';
  return field === 'status_code' && text === '0' ? 'no response' : null;
}

function FacetRow({
  field,
  value,
  share,
  props,
}: {
  field: string;
  value: FacetValue;
  share: number;
  props: ScreenProps;
}) {
  const { state, navigate } = props;
  const text = String(value.value ?? '');
  const name = nameOf(field, text);
  const wanted = term(field, text);
  const chosen = hasTerm(state.q, wanted);
  return (
    <li>
      <button
        type="button"
        class="facet-value"
        aria-pressed={chosen}
        title={name ?? visibleText(text)}
        onClick={() => navigate({ q: chosen ? withoutTerm(state.q, wanted) : withTerm(state.q, wanted) })}
      >
        <span class="facet-share" style={{ width: `${share * 100}%` }} />
        {chosen && <Icon name="check" />}
        <span class="facet-name">{name === null ? <Text value={text} /> : <em>{name}</em>}</span>
        <span class="facet-count">{formatCount(value.count)}</span>
      </button>
    </li>
  );
}

function Facet({
  field,
  values,
  distinct,
  props,
}: {
  field: string;
  values: FacetValue[];
  distinct: number;
  props: ScreenProps;
}) {
  const [all, setAll] = useState(false);
  const most = values[0]?.count ?? 1;
  const shown = all ? values : values.slice(0, few);
  return (
    <details class="facet" open data-testid={`facet-${field}`}>
      <summary>
        <Icon name="chevron" />
        {fieldLabel(props.state.layer, field)}
        <small>{formatCompact(distinct)}</small>
      </summary>
      {values.length === 0 && <p class="hint">No values</p>}
      <ul>
        {shown.map((value) => (
          <FacetRow key={String(value.value)} field={field} value={value} share={value.count / most} props={props} />
        ))}
      </ul>
      {values.length > few && (
        <button type="button" class="link" onClick={() => setAll(!all)}>
          {all ? `Show the first ${few}` : `Show the first ${values.length}`}
        </button>
      )}
    </details>
  );
}

export function Facets(props: ScreenProps) {
  const { state, tick } = props;
  const fields = facetFields[state.layer];
  const url = apiUrl('facets', { ...questionOf(state), fields: ['direction', 'transport', ...fields].join(',') });
  const { data, error, retry } = useQuery<FacetsAnswer>(url, shapeOf(state), tick);
  if (error && error.field !== 'q') return <ErrorNotice error={error} retry={retry} />;
  if (error) return <p class="hint">No values while the search has an error</p>;
  return (
    <>
      <Combinations counts={data?.data ?? {}} props={props} />
      {!data && <Skeleton lines={12} />}
      {data &&
        fields.map((field) => (
          <Facet
            key={field}
            field={field}
            values={data.data[field] ?? []}
            distinct={data.distinct[field] ?? 0}
            props={props}
          />
        ))}
    </>
  );
}
