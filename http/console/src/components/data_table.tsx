// The table of every screen: columns from outside, sorting by the server, totals and "other" as rows
// of their own, and either a link behind each row or details that unfold under it.
import type { ComponentChildren } from 'preact';
import { Fragment } from 'preact';

import { Icon } from './icon';

export interface Column<Row> {
  id: string;
  label: string;
  hint?: string; // the full name
  numeric?: boolean;
  sort?: string; // the name the API sorts by
  cell: (row: Row) => ComponentChildren;
}

interface Props<Row> {
  label: string; // the accessible name
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row, index: number) => string;
  testid: { table: string; row: string };
  sort?: string;
  onSort?: (sort: string) => void;
  href?: (row: Row) => string;
  details?: { isOpen: (row: Row) => boolean; toggle: (row: Row) => void; render: (row: Row) => ComponentChildren };
  foot?: ComponentChildren; // a tfoot
  after?: ComponentChildren; // below the table, in what scrolls
}

function HeadCell<Row>({ column, sort, onSort }: { column: Column<Row> } & Pick<Props<Row>, 'sort' | 'onSort'>) {
  const field = column.sort;
  const state = field && sort === field ? 'ascending' : field && sort === `-${field}` ? 'descending' : undefined;
  // The first click brings the largest number, or the first name, to the top.
  const descends = state ? state === 'ascending' : column.numeric;
  return (
    <th scope="col" class={column.numeric ? 'number' : ''} aria-sort={state} title={column.hint}>
      {field && onSort ? (
        <button type="button" data-testid={`sort-${field}`} onClick={() => onSort(descends ? `-${field}` : field)}>
          {column.label}
          <span class="sort-mark">{state && <Icon name={state === 'ascending' ? 'up' : 'down'} />}</span>
        </button>
      ) : (
        column.label
      )}
    </th>
  );
}

function Row<T>({ row, props }: { row: T; props: Props<T> }) {
  const { columns, href, details, testid } = props;
  const open = details?.isOpen(row) ?? false;
  const activate = (event: MouseEvent) => {
    if ((event.target as Element).closest('a, button') || getSelection()?.toString()) return;
    if (href) location.hash = href(row);
    details?.toggle(row);
  };
  return (
    <>
      <tr data-testid={testid.row} class={open ? 'open' : ''} onClick={activate}>
        {details && (
          <td class="unfold">
            <button
              type="button"
              class="icon-button"
              aria-expanded={open}
              aria-label={open ? 'Hide all fields' : 'Show all fields'}
              onClick={() => details.toggle(row)}
            >
              <Icon name="chevron" />
            </button>
          </td>
        )}
        {columns.map((column, i) => (
          <td key={column.id} class={column.numeric ? 'number' : ''} data-column={column.id}>
            {href && i === 0 ? <a href={href(row)}>{column.cell(row)}</a> : column.cell(row)}
          </td>
        ))}
      </tr>
      {open && (
        <tr class="details">
          <td colSpan={columns.length + 1}>{details?.render(row)}</td>
        </tr>
      )}
    </>
  );
}

export function DataTable<T>(props: Props<T>) {
  const { label, columns, rows, rowKey, testid, sort, onSort, details, foot, after } = props;
  return (
    <div class="table-wrap" tabIndex={0} role="region" aria-label={label}>
      <table class="data" data-testid={testid.table} aria-label={label}>
        <thead>
          <tr>
            {details && <th class="unfold" aria-label="Details" />}
            {columns.map((column) => (
              <HeadCell key={column.id} column={column} sort={sort} onSort={onSort} />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <Fragment key={rowKey(row, i)}>
              <Row row={row} props={props} />
            </Fragment>
          ))}
        </tbody>
        {foot}
      </table>
      {after}
    </div>
  );
}
