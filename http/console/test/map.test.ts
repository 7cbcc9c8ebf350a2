import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { MapEdge, MapGraph, MapNode, Measures } from '../src/api/types';
import { edgeShape, fitted, labelsWithRoom, loopShape, type Box } from '../src/screens/map/geometry';
import { layout } from '../src/screens/map/layout';
import { pack } from '../src/screens/map/pack';
import { inbound, makeScene, shortLabel } from '../src/screens/map/scene';

const noBytes = { client_sent: 0, server_sent: 0 };

function node(name: string, measures: Measures, received: Measures = noBytes, asked: Measures = noBytes): MapNode {
  return { id: `ip:${name}`, kind: 'ip', name, external: false, cloud: null, measures, in: received, out: asked };
}

function edge(source: string, target: string, measures: Measures): MapEdge {
  return { source: `ip:${source}`, target: `ip:${target}`, measures };
}

const graph: MapGraph = {
  nodes: [
    node('a', { rtt: 10 }, noBytes, { client_sent: 5, server_sent: 400 }),
    node('b', { rtt: 60 }, { client_sent: 100, server_sent: 7 }),
    node('c', { rtt: null }),
    node('d', { rtt: 30 }),
  ],
  edges: [
    edge('a', 'b', { rtt: 60, client_sent: 100, server_sent: 300 }),
    edge('b', 'a', { rtt: 10, client_sent: 1, server_sent: 3 }),
    edge('c', 'c', { rtt: null, client_sent: 0, server_sent: 0 }),
    edge('a', 'nobody', { rtt: 1 }),
  ],
  other: { edges: 0 },
  fill: { metric: 'rtt', min: 10, max: 60 },
};
const options = { layer: 'l4', fill: 'rtt', bounds: null, find: '', focus: '' } as const;

test('inbound traffic is what comes in on either side', () => {
  assert.equal(inbound(graph.nodes[0]!, 'l4'), 400);
  assert.equal(inbound(graph.nodes[1]!, 'l4'), 100);
  assert.equal(inbound(node('x', {}, { count: 7 }, { count: 3 }), 'l7'), 7);
});

test('sizes follow inbound traffic, widths the traffic both ways, colours the fill', () => {
  const { nodes, edges } = makeScene(graph, options);
  assert.deepEqual(
    nodes.map((one) => one.level),
    [0, 4, null, 2],
  );
  assert.ok(nodes[0]!.radius > nodes[1]!.radius && nodes[1]!.radius > nodes[2]!.radius);
  assert.ok(edges[0]!.width > edges[1]!.width);
  assert.deepEqual(
    edges.map((one) => one.level),
    [4, 0, null],
  );
  assert.deepEqual(
    nodes.map((one) => one.value),
    ['10 µs', '60 µs', '', '30 µs'],
  );
});

test('custom bounds leave what is outside grey', () => {
  const { nodes } = makeScene(graph, { ...options, bounds: [20, 40] });
  assert.deepEqual(
    nodes.map((one) => one.level),
    [null, null, null, 2],
  );
});

test('a search keeps the neighbours of what it finds', () => {
  const { nodes, edges } = makeScene(graph, { ...options, find: 'b' });
  assert.deepEqual(
    nodes.filter((one) => one.shown).map((one) => one.name),
    ['a', 'b'],
  );
  assert.deepEqual(
    edges.filter((one) => one.shown).map((one) => one.id),
    ['["ip:a","ip:b"]', '["ip:b","ip:a"]'],
  );
});

test('names from outside are made visible and long ones shortened in the middle', () => {
  const { nodes } = makeScene({ ...graph, nodes: [node('x\u202ey', {})], edges: [] }, options);
  assert.equal(nodes[0]!.label, 'x⟨202E⟩y');
  assert.equal(shortLabel('abcdefghijklmnopqrstuvwxyz0123456789'), 'abcdefghijkl…yz0123456789');
  assert.equal(shortLabel('short'), 'short');
});

test('the two directions between a pair bend to different sides', () => {
  const control = (line: string) => Number(/Q[-\d.]+,([-\d.]+)/.exec(line)![1]);
  const there = edgeShape({ x: 0, y: 0 }, 10, { x: 200, y: 0 }, 10, 2);
  const back = edgeShape({ x: 200, y: 0 }, 10, { x: 0, y: 0 }, 10, 2);
  assert.ok(control(there.line) < 0 && control(back.line) > 0);
});

test('edges of nodes on the same spot, and loops, have finite paths', () => {
  for (const shape of [edgeShape({ x: 5, y: 5 }, 3, { x: 5, y: 5 }, 3, 1), loopShape({ x: 0, y: 0 }, 10, 4)]) {
    assert.doesNotMatch(shape.line + shape.arrow, /NaN|Infinity/);
  }
});

test('labels do not cover each other; the first may cover lesser nodes', () => {
  const box = (left: number, top: number): Box => ({ left, top, right: left + 40, bottom: top + 10 });
  const away = { left: -99, top: -99, right: -98, bottom: -98 };
  assert.deepEqual([...labelsWithRoom([box(0, 0), box(20, 5), box(100, 0)], [away, away, away], 0)], [0, 2]);
  const covering = [away, { left: 5, top: 5, right: 8, bottom: 8 }];
  assert.deepEqual([...labelsWithRoom([box(0, 0), box(200, 0)], covering, 0)], [1]);
  assert.deepEqual([...labelsWithRoom([box(0, 0), box(200, 0)], covering, 1)], [0, 1]);
});

test('the fitted view holds every point', () => {
  const points = [
    { x: -300, y: 50 },
    { x: 900, y: -200 },
  ];
  const { scale, x, y } = fitted(points, 20, 800, 600, 1.5);
  for (const point of points) {
    const [screenX, screenY] = [point.x * scale + x, point.y * scale + y];
    assert.ok(screenX >= 0 && screenX <= 800 && screenY >= 0 && screenY <= 600);
  }
  assert.ok(fitted([{ x: 0, y: 0 }], 20, 800, 600, 1.5).scale <= 1.5);
});

const names = Array.from({ length: 40 }, (_, i) => ({ id: `n${i}`, radius: 8 + (i % 5) }));
const links = names.slice(1).map((one, i) => ({ source: one.id, target: names[Math.floor(i / 3)]!.id }));

test('the same graph has the same places, in whatever order it comes', async () => {
  const first = await layout(names, links, new Map());
  const second = await layout([...names].reverse(), [...links].reverse(), new Map());
  assert.deepEqual(new Map([...first!].sort()), new Map([...second!].sort()));
});

test('no two nodes cover each other', async () => {
  const places = [...(await layout(names, links, new Map()))!.values()];
  for (const [i, a] of places.entries()) {
    for (const b of places.slice(i + 1)) assert.ok(Math.hypot(a.x - b.x, a.y - b.y) > 20);
  }
});

test('packed boxes do not overlap and make a shape like a screen', () => {
  const sizes = Array.from({ length: 30 }, (_, i) => ({ width: 100 + ((i * 37) % 90), height: 300 - i * 8 }));
  const boxes = pack(sizes).map(({ x, y }, i) => ({ x, y, ...sizes[i]! }));
  for (const [i, a] of boxes.entries()) {
    for (const b of boxes.slice(i + 1)) {
      const apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
      assert.ok(apart);
    }
  }
  const width = Math.max(...boxes.map((box) => box.x + box.width));
  const height = Math.max(...boxes.map((box) => box.y + box.height));
  assert.ok(width / height > 1 && width / height < 3, `${width} x ${height}`);
  assert.deepEqual(pack([]), []);
});

test('what does not hang together does not mix', async () => {
  const pairs = ['a', 'b', 'c'].flatMap((name) => [`${name}1`, `${name}2`]);
  const nodes = pairs.map((id) => ({ id, radius: 8 }));
  const edges = ['a', 'b', 'c'].map((name) => ({ source: `${name}1`, target: `${name}2` }));
  const places = (await layout(nodes, edges, new Map()))!;
  for (const name of ['a', 'b', 'c']) assert.ok(places.get(`${name}1`)!.x < places.get(`${name}2`)!.x);
  const tops = ['a', 'b', 'c'].map((name) => places.get(`${name}1`)!.y);
  const lefts = ['a', 'b', 'c'].map((name) => places.get(`${name}1`)!.x);
  assert.equal(new Set(tops.map((top, i) => `${Math.round(top)} ${Math.round(lefts[i]!)}`)).size, 3);
});

test('known nodes stay where they are', async () => {
  const before = (await layout(names, links, new Map()))!;
  const after = (await layout(
    [...names, { id: 'new', radius: 9 }],
    [...links, { source: 'new', target: 'n0' }],
    before,
  ))!;
  for (const { id } of names) assert.deepEqual(after.get(id), before.get(id));
  assert.ok(Number.isFinite(after.get('new')!.x));
});

test('an aborted layout gives nothing', async () => {
  const controller = new AbortController();
  const many = Array.from({ length: 2000 }, (_, i) => ({ id: `m${i}`, radius: 8 }));
  const result = layout(many, [], new Map(), controller.signal);
  controller.abort();
  assert.equal(await result, null);
});
