// The records of a question, page by page. The first page is asked for again with every refresh; the
// cursor of a page holds its range, so later pages neither repeat nor skip what came meanwhile.
import { useEffect, useRef, useState } from 'preact/hooks';

import { ApiError, apiUrl, get, type Params } from '../../api/client';
import { setSignedOut } from '../../api/session';
import type { FlowRecord, FlowsAnswer } from '../../api/types';
import { useQuery, type Query } from '../../api/use_query';

interface More {
  of: FlowsAnswer | null; // the first page that these pages follow
  records: FlowRecord[];
  cursor: string | null;
  loading: boolean;
  error: ApiError | null;
}

export interface Pages {
  first: Query<FlowsAnswer>;
  records: FlowRecord[];
  pages: number;
  more: { available: boolean; loading: boolean; error: ApiError | null; load: () => void };
}

const nothing: More = { of: null, records: [], cursor: null, loading: false, error: null };

export function usePages(params: Params, shape: string, tick: number): Pages {
  const first = useQuery<FlowsAnswer>(apiUrl('flows', params), shape, tick);
  const [state, setState] = useState<More>(nothing);
  const controller = useRef<AbortController | null>(null);
  const answer = first.data;
  const more: More = state.of === answer ? state : { ...nothing, of: answer, cursor: answer?.next_cursor ?? null };

  useEffect(() => () => controller.current?.abort(), [answer]);

  const loadMore = async () => {
    if (!answer || !more.cursor || more.loading) return;
    const { signal } = (controller.current = new AbortController());
    setState({ ...more, loading: true, error: null });
    try {
      const page = await get<FlowsAnswer>(apiUrl('flows', { ...params, cursor: more.cursor }), signal);
      setState({
        ...more,
        records: [...more.records, ...page.data],
        cursor: page.next_cursor,
        loading: false,
        error: null,
      });
    } catch (error) {
      if (signal.aborted) return;
      const failure = error instanceof ApiError ? error : new ApiError(0, 'failed', 'The request failed.');
      if (failure.status === 401) setSignedOut(true);
      setState({ ...more, loading: false, error: failure });
    }
  };

  return {
    first,
    records: answer ? [...answer.data, ...more.records] : [],
    pages: answer ? 1 + (more.records.length > 0 ? 1 : 0) : 0,
    more: { available: more.cursor !== null, loading: more.loading, error: more.error, load: loadMore },
  };
}
