import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  defaults,
  effectiveRange,
  formatUrl,
  onScreen,
  parseUrl,
  rangeParams,
  rangeSeconds,
  type UrlState,
} from '../src/state/url';

test('an empty fragment is the default state, and its link is short', () => {
  for (const hash of ['', '#', '#/', '#/summary', '#/nowhere?x=1']) assert.deepEqual(parseUrl(hash), defaults);
  assert.equal(formatUrl(defaults), '#/summary');
});

test('a full state survives the URL', () => {
  const state: UrlState = {
    screen: 'map',
    view: 'process',
    layer: 'l7',
    range: { from: 1_714_556_700_000, to: 1_714_557_600_000 },
    q: 'path:"/a b&c=#?" -client:"::1" <script>',
    direction: 'incoming',
    transport: 'tcp',
    sort: '-latency_p95',
    fill: 'error_rate',
    bounds: [0.01, 1e7],
    focus: 'process:evil\u202etxt "x" & #',
    find: 'név',
    slow: '1',
  };
  assert.deepEqual(parseUrl(formatUrl(state)), state);
});

test('a built-in range survives the URL', () => {
  const state = { ...defaults, range: { last: '4h' } };
  assert.equal(formatUrl(state), '#/summary?range=4h');
  assert.deepEqual(parseUrl('#/summary?range=4h'), state);
});

test('what is malformed falls back to the default', () => {
  const broken = [
    '#/summary?view=pod&layer=l9&direction=sideways&transport=sctp',
    '#/summary?range=7m&from=5&to=3',
    '#/summary?from=NaN&to=Infinity',
    '#/summary?from=1&to=1e300',
    '#/summary?from=-5&to=3',
    '#/summary?sort=javascript:x&fill=%3Cb%3E',
    '#/summary?bounds=5~1&bounds=x',
    '#/summary?slow=yes',
    '#/summary?%E0%A4%A',
    '#//evil.example/summary',
  ];
  for (const hash of broken) assert.deepEqual(parseUrl(hash), defaults, hash);
});

test('the map of hosts opens on two days, all else on 15 minutes', () => {
  const range = (hash: string) => effectiveRange(parseUrl(hash));
  assert.deepEqual(range('#/map'), { last: '48h' });
  assert.deepEqual(range('#/map?view=process'), { last: '15m' });
  assert.deepEqual(range('#/summary'), { last: '15m' });
  assert.deepEqual(range('#/map?range=1h'), { last: '1h' });
});

test('built-in ranges stay relative in requests', () => {
  assert.deepEqual(rangeParams({ last: '24h' }), { from: '-24h', to: 'now' });
  assert.deepEqual(rangeParams({ from: 5, to: 9 }), { from: '5', to: '9' });
  assert.equal(rangeSeconds({ last: '48h' }), 172_800);
  assert.equal(rangeSeconds({ from: 1000, to: 61_000 }), 60);
});

test('another screen keeps the question and drops the view of its answer', () => {
  const state = parseUrl(
    '#/map?view=ip&layer=l7&range=1h&q=a&direction=incoming&fill=rps&bounds=1~2&focus=ip:1&find=x',
  );
  assert.equal(formatUrl(onScreen(state, 'flows')), '#/flows?view=ip&layer=l7&range=1h&q=a&direction=incoming');
});
