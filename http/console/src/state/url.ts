// What the console shows is written in the URL's fragment, so that links, reload and the back button
// work: #/summary?view=process&range=1h&q=server_port%3A443
//
// Everything is optional and anything unknown or malformed falls back to its default: a link is
// outside input. Defaults are left out, so links stay short.
import {
  defaultRange,
  directions,
  isOneOf,
  layers,
  ranges,
  screens,
  transports,
  views,
  type Direction,
  type Layer,
  type ScreenId,
  type Transport,
  type View,
} from '../model/catalog';

export type Range = { last: string } | { from: number; to: number }; // id of catalog.ranges, or unix ms

export interface UrlState {
  screen: ScreenId;
  view: View;
  layer: Layer;
  range: Range | null; // null: the screen's default
  q: string;
  direction: Direction | '';
  transport: Transport | '';
  sort: string; // a measure, `-` before it for descending
  fill: string; // the map's
  bounds: [number, number] | null; // custom colour intervals, in the unit of the fill
  focus: string; // id of the map's node whose upstream and downstream are shown
  find: string; // fuzzy search of the map
  slow: '' | '1'; // of layer l7's flows: the slowest requests
}

export const defaults: UrlState = {
  screen: 'summary',
  view: 'host',
  layer: 'l4',
  range: null,
  q: '',
  direction: '',
  transport: '',
  sort: '',
  fill: '',
  bounds: null,
  focus: '',
  find: '',
  slow: '',
};

const longest = 4096; // of one value
const latest = 8.64e15; // the largest time a Date can hold

function oneOf<T extends string>(values: readonly T[], text: string | null, fallback: T): T {
  return text !== null && isOneOf(values, text) ? text : fallback;
}

function optional<T extends string>(values: readonly T[], text: string | null): T | '' {
  return text !== null && isOneOf(values, text) ? text : '';
}

function parseRange(query: URLSearchParams): Range | null {
  const last = query.get('range');
  if (last !== null && ranges.some((range) => range.id === last)) return { last };
  const from = Number(query.get('from') ?? NaN);
  const to = Number(query.get('to') ?? NaN);
  const valid = Number.isInteger(from) && Number.isInteger(to) && 0 <= from && from < to && to <= latest;
  return valid ? { from, to } : null;
}

function parseBounds(text: string | null): [number, number] | null {
  const match = /^([\d.e+-]+)~([\d.e+-]+)$/.exec(text ?? '');
  if (!match) return null;
  const min = Number(match[1]);
  const max = Number(match[2]);
  return Number.isFinite(min) && Number.isFinite(max) && min < max ? [min, max] : null;
}

export function parseUrl(hash: string): UrlState {
  const [, path = '', search = ''] = /^#?\/?([^?]*)\??(.*)$/s.exec(hash) ?? [];
  const query = new URLSearchParams(search);
  const text = (key: string) => (query.get(key) ?? '').slice(0, longest);
  return {
    screen: oneOf(
      screens.map((one) => one.id),
      path,
      defaults.screen,
    ),
    view: oneOf(
      views.map((one) => one.id),
      query.get('view'),
      defaults.view,
    ),
    layer: oneOf(
      layers.map((one) => one.id),
      query.get('layer'),
      defaults.layer,
    ),
    range: parseRange(query),
    q: text('q'),
    direction: optional(directions, query.get('direction')),
    transport: optional(transports, query.get('transport')),
    sort: /^-?[a-z0-9_]+$/.test(text('sort')) ? text('sort') : '',
    fill: /^[a-z0-9_]+$/.test(text('fill')) ? text('fill') : '',
    bounds: parseBounds(query.get('bounds')),
    focus: text('focus'),
    find: text('find'),
    slow: query.get('slow') === '1' ? '1' : '',
  };
}

export function formatUrl(state: UrlState): string {
  const query = new URLSearchParams();
  const put = (key: keyof UrlState) => {
    const value = state[key];
    if (typeof value === 'string' && value !== '' && value !== defaults[key]) query.set(key, value);
  };
  put('view');
  put('layer');
  if (state.range && 'last' in state.range) query.set('range', state.range.last);
  if (state.range && 'from' in state.range) {
    query.set('from', String(state.range.from));
    query.set('to', String(state.range.to));
  }
  for (const key of ['q', 'direction', 'transport', 'sort', 'fill'] as const) put(key);
  if (state.bounds) query.set('bounds', state.bounds.join('~'));
  put('focus');
  put('find');
  put('slow');
  const search = query.toString();
  return `#/${state.screen}${search ? `?${search}` : ''}`;
}

export function effectiveRange(state: UrlState): Range {
  return state.range ?? { last: defaultRange(state.screen, state.view) };
}

export function rangeSeconds(range: Range): number {
  if ('from' in range) return (range.to - range.from) / 1000;
  return ranges.find((one) => one.id === range.last)?.seconds ?? 900;
}

// As the API takes it. Built-in ranges stay relative, so that the clock that counts is the server's.
export function rangeParams(range: Range): { from: string; to: string } {
  return 'from' in range ? { from: String(range.from), to: String(range.to) } : { from: `-${range.last}`, to: 'now' };
}

// What stays when another screen opens: what is looked at, not how that screen shows it.
export function onScreen(state: UrlState, screen: ScreenId): UrlState {
  return { ...state, screen, sort: '', fill: '', bounds: null, focus: '', find: '', slow: '' };
}
