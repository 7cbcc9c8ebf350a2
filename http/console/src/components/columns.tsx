// Which columns a table shows: chosen by the user, kept in this browser.
import { useState } from 'preact/hooks';

import { isStringArray, load, save } from '../state/storage';
import { Icon } from './icon';
import { Popover } from './popover';

export interface ColumnChoice {
  id: string;
  label: string;
}

// Ids in the order of `all`. What is kept of columns that no longer exist is ignored.
export function useColumns(key: string, all: readonly ColumnChoice[], initial: readonly string[]) {
  const [changed, setChanged] = useState<Record<string, readonly string[] | null>>({});
  const kept = key in changed ? changed[key] : load(`columns.${key}`, isStringArray);
  const known = kept?.filter((id) => all.some((column) => column.id === id));
  const chosen = known && known.length > 0 ? known : initial;
  const set = (ids: readonly string[] | null) => {
    setChanged({ ...changed, [key]: ids });
    save(`columns.${key}`, ids);
  };
  const visible = all.map((column) => column.id).filter((id) => chosen.includes(id));
  return { visible, set };
}

interface Props {
  all: readonly ColumnChoice[];
  visible: readonly string[];
  onChange: (ids: readonly string[] | null) => void; // null: back to the defaults
}

export function ColumnChooser({ all, visible, onChange }: Props) {
  const toggle = (id: string) =>
    onChange(visible.includes(id) ? visible.filter((one) => one !== id) : [...visible, id]);
  return (
    <Popover
      title="Choose columns"
      testid="columns"
      label={
        <>
          <Icon name="columns" />
          Columns
        </>
      }
    >
      {() => (
        <div class="column-chooser">
          <div class="checks">
            {all.map(({ id, label }) => {
              const only = visible.length === 1 && visible[0] === id;
              return (
                <label key={id}>
                  <input type="checkbox" checked={visible.includes(id)} disabled={only} onChange={() => toggle(id)} />
                  {label}
                </label>
              );
            })}
          </div>
          <button type="button" class="link" onClick={() => onChange(null)}>
            Back to the default columns
          </button>
        </div>
      )}
    </Popover>
  );
}
