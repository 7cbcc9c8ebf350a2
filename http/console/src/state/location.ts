// The URL's state as component state. What changes the question goes on the history, so that the back
// button undoes it; what only changes how the answer looks replaces the entry.
import { useEffect, useState } from 'preact/hooks';

import { formatUrl, parseUrl, type UrlState } from './url';

export type Navigate = (change: Partial<UrlState>, options?: { replace?: boolean }) => void;

export function useUrlState(): [UrlState, Navigate] {
  const [state, setState] = useState(() => parseUrl(location.hash));

  useEffect(() => {
    const read = () => setState(parseUrl(location.hash));
    addEventListener('popstate', read); // also fired by a changed fragment
    return () => removeEventListener('popstate', read);
  }, []);

  const navigate: Navigate = (change, options) => {
    const next = { ...parseUrl(location.hash), ...change };
    const hash = formatUrl(next);
    if (hash !== location.hash) {
      if (options?.replace) history.replaceState(null, '', hash);
      else history.pushState(null, '', hash);
    }
    setState(next);
  };
  return [state, navigate];
}
