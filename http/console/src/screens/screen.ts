// What the shell gives a screen, and what a screen tells the shell.
import { useEffect } from 'preact/hooks';

import type { ApiError, Params } from '../api/client';
import type { Answer } from '../api/types';
import type { Navigate } from '../state/location';
import { effectiveRange, rangeParams, type UrlState } from '../state/url';

// Of the screen's main answer; the shell shows its coverage, resolution and errors of the search.
export interface ScreenStatus {
  answer: Answer | null;
  error: ApiError | null;
  loading: boolean;
}

export const idle: ScreenStatus = { answer: null, error: null, loading: false };

export interface ScreenProps {
  state: UrlState;
  navigate: Navigate;
  tick: number; // changes when everything is to be asked again
  refresh: () => void;
  report: (status: ScreenStatus) => void;
}

export function useReport({ report }: ScreenProps, answer: Answer | null, error: ApiError | null, loading: boolean) {
  useEffect(() => report({ answer, error, loading }), [answer, error, loading]);
}

// The parameters that every data endpoint shares.
export function questionOf(state: UrlState): Params {
  const { view, layer, direction, transport, q } = state;
  return { ...rangeParams(effectiveRange(state)), view, layer, direction, transport, q };
}

// Answers of one shape may stand in for each other while the next is loading.
export function shapeOf({ screen, view, layer }: UrlState): string {
  return `${screen} ${view} ${layer}`;
}
