// One request as component state. While a new answer is under way the old one stays, so that nothing
// flickers; it goes only when `shape` changes, because then it would answer another question.
import { useEffect, useReducer, useRef } from 'preact/hooks';

import { ApiError, get } from './client';
import { setSignedOut } from './session';

export interface Query<T> {
  data: T | null;
  error: ApiError | null;
  loading: boolean;
  retry: () => void;
}

interface Held<T> {
  shape: string;
  data: T | null;
  error: ApiError | null;
  loading: boolean;
}

function asApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError(0, 'failed', 'The request failed.');
}

// url null: nothing is asked. A change of `tick` asks again.
export function useQuery<T>(url: string | null, shape: string, tick: number): Query<T> {
  const held = useRef<Held<T>>({ shape, data: null, error: null, loading: url !== null });
  const [attempt, repeat] = useReducer((n: number) => n + 1, 0);
  const [, render] = useReducer((n: number) => n + 1, 0);
  if (held.current.shape !== shape) held.current = { shape, data: null, error: null, loading: url !== null };

  useEffect(() => {
    if (url === null) return;
    const controller = new AbortController();
    const settle = (change: Partial<Held<T>>) => {
      if (controller.signal.aborted || held.current.shape !== shape) return;
      held.current = { ...held.current, ...change };
      render(undefined);
    };
    settle({ loading: true });
    get<T>(url, controller.signal).then(
      (data) => settle({ data, error: null, loading: false }),
      (error: unknown) => {
        const failure = asApiError(error);
        if (failure.status === 401) setSignedOut(true);
        settle({ error: failure, loading: false });
      },
    );
    return () => controller.abort();
  }, [url, tick, attempt]);

  const { data, error, loading } = held.current;
  return { data, error, loading, retry: () => repeat(undefined) };
}
