import assert from 'node:assert/strict';
import { test } from 'node:test';

import { flowsOfPair } from '../src/model/pair';
import { hasTerm, pieces, quoted, term, withTerm, withoutTerm } from '../src/model/search';
import { defaults } from '../src/state/url';

test('values are quoted unless they are plain words', () => {
  assert.equal(quoted('nginx'), 'nginx');
  assert.equal(quoted('10.0.0.5'), '10.0.0.5');
  assert.equal(quoted('/api/v1'), '/api/v1');
  for (const value of ['::1', '*', 'a b', '', '-x', '(', 'a"b', 'a\\b', '<script>', '>5']) {
    assert.match(quoted(value), /^".*"$/s, value);
  }
  assert.equal(quoted('a"b\\c'), '"a\\"b\\\\c"');
  assert.equal(term('client_port', '*'), 'client_port:"*"');
  assert.equal(term('dst_domain', ''), 'dst_domain:""');
});

test('bytes that are not known match anything', () => {
  assert.equal(quoted('a\ufffdb'), 'a*b');
  assert.equal(quoted('x (1) \ufffd*\\"'), 'x\\ \\(1\\)\\ *\\*\\\\*');
});

test('pieces respect quotes and parentheses', () => {
  assert.deepEqual(pieces('a  b:"c d" (e OR "f )") -g'), ['a', 'b:"c d"', '(e OR "f )")', '-g']);
  assert.deepEqual(pieces('x:"a \\" b" y'), ['x:"a \\" b"', 'y']);
  assert.deepEqual(pieces('x:a\\ b\\(c y'), ['x:a\\ b\\(c', 'y']);
  assert.deepEqual(pieces('   '), []);
});

test('a term can be added and taken out again', () => {
  const one = withTerm('', 'pid:7');
  assert.equal(one, 'pid:7');
  const two = withTerm(one, 'path:"/a b"');
  assert.equal(two, 'pid:7 path:"/a b"');
  assert.equal(withTerm(two, 'pid:7'), two);
  assert.ok(hasTerm(two, 'path:"/a b"'));
  assert.equal(withoutTerm(two, 'pid:7'), 'path:"/a b"');
  assert.equal(withoutTerm('a AND pid:7 AND b', 'pid:7'), 'a b');
});

test('adding to a disjunction keeps its meaning', () => {
  assert.equal(withTerm('a OR b', 'c'), '(a OR b) c');
  assert.ok(!hasTerm('a OR b', 'a'));
  assert.ok(!hasTerm('NOT a', 'a'));
});

test('a pair leads to its flows and to nothing else', () => {
  const state = flowsOfPair(
    { ...defaults, screen: 'summary', view: 'process', q: 'a OR b', sort: '-rtt' },
    {
      client: { id: 'process:x y', kind: 'process', name: 'x y' },
      server: { id: 'ip:::1', kind: 'ip', name: '::1' },
      direction: 'outgoing',
      transport: 'tcp',
    },
  );
  assert.equal(state.screen, 'flows');
  assert.equal(state.q, '(a OR b) client:"x y" server:"::1"');
  assert.equal(state.direction, 'outgoing');
  assert.equal(state.transport, 'tcp');
  assert.equal(state.sort, '');
});

test('an unknown direction does not filter', () => {
  assert.equal(flowsOfPair(defaults, { direction: 'unknown', transport: 'udp' }).direction, '');
});
