// What stands where data would: an error with a way out, an emptiness that says what to do, or the
// outline of what is being loaded.
import type { ComponentChildren } from 'preact';

import type { ApiError } from '../api/client';
import { visibleText } from '../format/text';
import { Icon } from './icon';

// An error of the search is said under the search box; here is only why there is nothing.
export function Problem({ error, retry }: { error: ApiError; retry: () => void }) {
  if (error.field !== 'q') return <ErrorNotice error={error} retry={retry} />;
  return <EmptyNotice title="The search has an error">Nothing is shown until it is put right or cleared.</EmptyNotice>;
}

export function ErrorNotice({ error, retry }: { error: ApiError; retry: () => void }) {
  return (
    <div class="notice error" role="alert">
      <Icon name="alert" />
      <p>{visibleText(error.message)}</p>
      <button type="button" class="button" onClick={retry}>
        Try again
      </button>
    </div>
  );
}

export function EmptyNotice({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="notice empty" role="status">
      <p class="notice-title">{title}</p>
      <p>{children}</p>
    </div>
  );
}

export function Skeleton({ lines }: { lines: number }) {
  return (
    <div class="skeleton" aria-hidden="true">
      {Array.from({ length: lines }, (_, i) => (
        <div key={i} class="skeleton-line" />
      ))}
    </div>
  );
}
