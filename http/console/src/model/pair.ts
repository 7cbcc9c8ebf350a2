// From a row of the summary or a place in the map on to the flow records behind it.
import type { End } from '../api/types';
import { onScreen, type UrlState } from '../state/url';
import { directions, isOneOf, transports } from './catalog';
import { term, withTerm } from './search';

interface Pair {
  client?: End;
  server?: End;
  direction?: string;
  transport?: string;
}

// The state that shows the flows between these ends, within what is asked already.
export function flowsOfPair(state: UrlState, pair: Pair): UrlState {
  let q = state.q;
  if (pair.client) q = withTerm(q, term('client', pair.client.name));
  if (pair.server) q = withTerm(q, term('server', pair.server.name));
  const { direction = '', transport = '' } = pair;
  return {
    ...onScreen(state, 'flows'),
    q,
    direction: isOneOf(directions, direction) ? direction : state.direction,
    transport: isOneOf(transports, transport) ? transport : state.transport,
  };
}
