import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ApiError, apiUrl } from '../src/api/client';
import { stepFor } from '../src/charts/step';
import { flowColumns, flowFields } from '../src/model/fields';
import { fuzzyFind } from '../src/model/fuzzy';
import { intervalCount, intervalOf, intervals } from '../src/model/intervals';
import { charts, fills, findMeasure } from '../src/model/measures';

test('five equal intervals cover the range', () => {
  const scale = intervals(10, 60);
  assert.deepEqual(scale.edges, [10, 20, 30, 40, 50, 60]);
  assert.equal(scale.edges.length, intervalCount + 1);
  assert.deepEqual(
    [10, 19.9, 20, 45, 59, 60].map((value) => intervalOf(scale, value)),
    [0, 0, 1, 3, 4, 4],
  );
});

test('what is outside of the bounds, or has no value, is in no interval', () => {
  const scale = intervals(10, 60);
  assert.deepEqual(
    [9.99, 60.01, null, undefined, NaN].map((value) => intervalOf(scale, value)),
    [null, null, null, null, null],
  );
});

test('a single value is in the first interval', () => {
  assert.equal(intervalOf(intervals(5, 5), 5), 0);
});

test('the last edge is the maximum itself', () => {
  const scale = intervals(0.1, 0.7);
  assert.equal(scale.edges[5], 0.7);
  assert.equal(intervalOf(scale, 0.7), 4);
});

test('fuzzy search finds letters in order, and only those', () => {
  assert.deepEqual(fuzzyFind('chk', ['checkout', 'kch', 'CHunK']), [true, false, true]);
  assert.deepEqual(fuzzyFind('nginxx', ['nginx']), [false]);
});

test('names that hold the pattern as it is keep the others out', () => {
  assert.deepEqual(fuzzyFind('API', ['api-gateway', 'a-p-i', 'my-api']), [true, false, true]);
});

test('an empty pattern asks for nothing', () => {
  assert.equal(fuzzyFind('  ', ['anything']), null);
});

test('a fuzzy pattern is no regular expression', () => {
  assert.deepEqual(fuzzyFind('.*', ['nginx']), [false]);
  assert.deepEqual(fuzzyFind('0.0.5', ['10.0.0.5', '10x0y0z5']), [true, false]);
});

test('steps leave about a hundred points', () => {
  const ranges = [60, 900, 3600, 14_400, 86_400, 172_800];
  assert.deepEqual(
    ranges.map((range) => stepFor(range, 10)),
    [10, 10, 60, 300, 900, 1800],
  );
  assert.ok((365 * 86_400) / stepFor(365 * 86_400, 10) <= 100);
});

test('steps hold whole intervals', () => {
  for (const interval of [1, 5, 7, 30, 45, 60]) {
    for (const range of [60, 900, 3600, 172_800]) assert.equal(stepFor(range, interval) % interval, 0);
  }
  assert.equal(stepFor(900, 7), 14);
});

test('charts, fills and columns name what exists', () => {
  for (const layer of ['l4', 'l7'] as const) {
    for (const spec of charts[layer]) {
      const units = new Set(spec.metrics.map((name) => findMeasure(name)?.unit));
      assert.equal(units.size, 1, spec.title);
      assert.ok(!units.has(undefined), spec.title);
      for (const name of spec.metrics) assert.ok(findMeasure(name)?.layers.includes(layer), name);
    }
    for (const name of fills[layer]) assert.ok(findMeasure(name)?.layers.includes(layer), name);
  }
  for (const kind of ['l4', 'l7', 'slow'] as const) {
    for (const name of flowColumns[kind])
      assert.ok(
        flowFields[kind].some((field) => field.name === name),
        name,
      );
    const names = flowFields[kind].map((field) => field.name);
    assert.equal(new Set(names).size, names.length);
  }
});

test('parameters are escaped and empty ones left out', () => {
  assert.equal(
    apiUrl('flows', { q: 'a b&c', limit: 100, direction: '', cursor: undefined }),
    'api/v1/flows?q=a+b%26c&limit=100',
  );
  assert.equal(apiUrl('status'), 'api/v1/status');
});

test('an error of the search knows its place', () => {
  assert.equal(new ApiError(400, 'bad_parameter', 'expected a value at 12', 'q').position, 12);
  assert.equal(new ApiError(400, 'bad_parameter', 'expected a value at 12', 'from').position, null);
  assert.equal(new ApiError(400, 'bad_parameter', 'too long', 'q').position, null);
});
