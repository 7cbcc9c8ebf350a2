// A flow record unfolded: every field under its own name, each a way to narrow the question.
import type { FlowRecord } from '../../api/types';
import { Icon } from '../../components/icon';
import { visibleText } from '../../format/text';
import { flowFields, type FieldInfo, type RecordKind } from '../../model/fields';
import { term, withTerm } from '../../model/search';
import type { Navigate } from '../../state/location';
import { FieldValue } from './cells';

interface Props {
  kind: RecordKind;
  q: string;
  record: FlowRecord;
  navigate: Navigate;
}

function Narrow({ q, wanted, navigate }: { q: string; wanted: string; navigate: Navigate }) {
  const visible = visibleText(wanted);
  const choices = [
    { icon: 'plus', label: `Only ${visible}`, q: withTerm(q, wanted) },
    { icon: 'minus', label: `Without ${visible}`, q: withTerm(q, `-${wanted}`) },
  ] as const;
  return (
    <span class="narrow">
      {choices.map((choice) => (
        <button
          key={choice.icon}
          type="button"
          class="icon-button"
          title={choice.label}
          aria-label={choice.label}
          onClick={() => navigate({ q: choice.q })}
        >
          <Icon name={choice.icon} />
        </button>
      ))}
    </span>
  );
}

export function RecordDetails({ kind, q, record, navigate }: Props) {
  const known = new Map(flowFields[kind].map((field) => [field.name, field]));
  const fields = Object.keys(record)
    .filter((name) => name !== 'time')
    .map((name): FieldInfo => known.get(name) ?? { name, label: name, unit: null });
  return (
    <dl class="record" data-testid="flow-details">
      {fields.map((field) => {
        const value = record[field.name];
        const isText = field.unit === null && value !== null && value !== undefined;
        return (
          <div key={field.name}>
            <dt title={field.label}>{visibleText(field.name)}</dt>
            <dd>
              <FieldValue field={field} record={record} />
              {isText && <Narrow q={q} wanted={term(field.name, String(value))} navigate={navigate} />}
            </dd>
          </div>
        );
      })}
    </dl>
  );
}
