// Places the nodes. The same graph always gets the same places: nodes start on a spiral in the order of
// their ids, the forces hold no chance, and the simulation runs to its end before anything is drawn.
// Clients start and drift to the left and servers to the right, so the map reads in the direction of
// the requests; it is pressed flat, as screens are wider than high. What does not hang together is laid
// out apart and then packed, so that strangers do not mix.
//
// After a refresh nodes stay where they were; only new ones are placed, between them.
import {
  forceCollide,
  forceLink,
  forceManyBody,
  forceSimulation,
  forceX,
  forceY,
  type Simulation,
  type SimulationLinkDatum,
  type SimulationNodeDatum,
} from 'd3-force';

import type { Point } from './geometry';
import { pack } from './pack';

export interface LayoutNode {
  id: string;
  radius: number;
}

export interface LayoutEdge {
  source: string;
  target: string;
}

interface Body extends SimulationNodeDatum {
  id: string;
  room: number; // radius of the circle that is its own
  side: number; // -1 only a client, 1 only a server
}

type Links = SimulationLinkDatum<Body>[];

const goldenAngle = Math.PI * (3 - Math.sqrt(5));
const labelRoom = 26;
const loopRoom = 18;
const margin = 30; // between what does not hang together
const ticks = 300;
const ticksForNew = 90;
const sliceMs = 10;

function sides(edges: readonly LayoutEdge[]): Map<string, [served: number, asked: number]> {
  const degrees = new Map<string, [number, number]>();
  const of = (id: string) => {
    const known = degrees.get(id) ?? ([0, 0] as [number, number]);
    degrees.set(id, known);
    return known;
  };
  for (const { source, target } of edges) {
    if (source === target) continue;
    of(source)[1]++;
    of(target)[0]++;
  }
  return degrees;
}

function bodies(nodes: readonly LayoutNode[], edges: readonly LayoutEdge[], kept: ReadonlyMap<string, Point>): Body[] {
  const degrees = sides(edges);
  const loops = new Set(edges.filter(({ source, target }) => source === target).map(({ source }) => source));
  return [...nodes]
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map(({ id, radius }, i) => {
      const [served, asked] = degrees.get(id) ?? [0, 0];
      const side = served + asked > 0 ? (served - asked) / (served + asked) : 0;
      const room = radius + labelRoom + (loops.has(id) ? loopRoom : 0);
      const place = kept.get(id);
      if (place) return { id, room, side, x: place.x, y: place.y, fx: place.x, fy: place.y };
      const distance = 14 * Math.sqrt(i + 0.5);
      const x = distance * Math.cos(i * goldenAngle) + side * spreadOf(nodes.length);
      return { id, room, side, x, y: distance * Math.sin(i * goldenAngle) };
    });
}

// How far from the middle pure clients and pure servers belong.
function spreadOf(count: number): number {
  return 85 * Math.sqrt(count);
}

// New nodes begin beside a neighbour that has its place already.
function startBesideNeighbours(all: Body[], edges: readonly LayoutEdge[]): void {
  const byId = new Map(all.map((body) => [body.id, body]));
  for (const { source, target } of edges) {
    const [a, b] = [byId.get(source), byId.get(target)];
    if (!a || !b) continue;
    if (a.fx == null && b.fx != null) Object.assign(a, { x: b.fx - 90, y: (b.fy ?? 0) + 30 });
    if (b.fx == null && a.fx != null) Object.assign(b, { x: a.fx + 90, y: (a.fy ?? 0) + 30 });
  }
}

function simulationOf(all: Body[], edges: readonly LayoutEdge[]): Simulation<Body, undefined> {
  const spread = spreadOf(all.length);
  const degrees = sides(edges);
  const degree = (body: Body) => (degrees.get(body.id) ?? [0, 0]).reduce((a, b) => a + b, 0);
  const links: Links = edges
    .filter(({ source, target }) => source !== target)
    .map((edge) => ({ ...edge }))
    .sort((a, b) => (a.source + a.target < b.source + b.target ? -1 : 1));
  return forceSimulation(all)
    .stop()
    .alphaDecay(1 - 0.001 ** (1 / ticks))
    .force(
      'link',
      forceLink<Body, Links[number]>(links)
        .id((body) => body.id)
        // Room for the many around a hub.
        .distance(
          ({ source, target }) => 100 + 15 * Math.sqrt(Math.max(degree(source as Body), degree(target as Body))),
        ),
    )
    .force('charge', forceManyBody<Body>().strength(-420).distanceMax(900))
    .force(
      'collide',
      forceCollide<Body>((body) => body.room),
    )
    .force('x', forceX<Body>((body) => body.side * spread).strength(0.07))
    .force('y', forceY<Body>(0).strength(0.14));
}

// What hangs together, the largest first.
function components(nodes: readonly LayoutNode[], edges: readonly LayoutEdge[]): LayoutNode[][] {
  const parent = new Map(nodes.map(({ id }) => [id, id]));
  const root = (id: string): string => {
    let at = id;
    while (parent.get(at) !== at) at = parent.get(at)!;
    return at;
  };
  for (const { source, target } of edges) {
    const [a, b] = [root(source), root(target)];
    if (a !== b) parent.set(a < b ? b : a, a < b ? a : b);
  }
  const groups = new Map<string, LayoutNode[]>();
  for (const node of nodes) {
    const key = root(node.id);
    groups.set(key, [...(groups.get(key) ?? []), node]);
  }
  return [...groups].sort(([a, x], [b, y]) => y.length - x.length || (a < b ? -1 : 1)).map(([, group]) => group);
}

const pause = () => new Promise((resolve) => setTimeout(resolve));

// Works in slices, so that the page stays alive. False when aborted.
async function run(simulation: Simulation<Body, undefined>, times: number, signal?: AbortSignal): Promise<boolean> {
  let sliceEnd = performance.now() + sliceMs;
  for (let i = 0; i < times; i++) {
    simulation.tick();
    if (performance.now() < sliceEnd) continue;
    await pause();
    if (signal?.aborted) return false;
    sliceEnd = performance.now() + sliceMs;
  }
  return !signal?.aborted;
}

function placesOf(all: readonly Body[], dx = 0, dy = 0): [string, Point][] {
  return all.map((body) => [body.id, { x: (body.x ?? 0) + dx, y: (body.y ?? 0) + dy }]);
}

async function layoutAnew(
  nodes: readonly LayoutNode[],
  edges: readonly LayoutEdge[],
  signal?: AbortSignal,
): Promise<Map<string, Point> | null> {
  const groups: Body[][] = [];
  for (const group of components(nodes, edges)) {
    const ids = new Set(group.map(({ id }) => id));
    const own = edges.filter(({ source }) => ids.has(source));
    const all = bodies(group, own, new Map());
    if (!(await run(simulationOf(all, own), ticks, signal))) return null;
    groups.push(all);
  }
  const boxes = groups.map((all) => {
    const left = Math.min(...all.map((body) => (body.x ?? 0) - body.room));
    const right = Math.max(...all.map((body) => (body.x ?? 0) + body.room));
    const top = Math.min(...all.map((body) => (body.y ?? 0) - body.room));
    const bottom = Math.max(...all.map((body) => (body.y ?? 0) + body.room));
    return { left, top, width: right - left + margin, height: bottom - top + margin };
  });
  const corners = pack(boxes);
  return new Map(
    groups.flatMap((all, i) => placesOf(all, corners[i]!.x - boxes[i]!.left, corners[i]!.y - boxes[i]!.top)),
  );
}

// Nodes in `kept` keep their places. Null when aborted.
export async function layout(
  nodes: readonly LayoutNode[],
  edges: readonly LayoutEdge[],
  kept: ReadonlyMap<string, Point>,
  signal?: AbortSignal,
): Promise<Map<string, Point> | null> {
  if (kept.size === 0) return layoutAnew(nodes, edges, signal);
  const all = bodies(nodes, edges, kept);
  if (all.some((body) => body.fx == null)) {
    startBesideNeighbours(all, edges);
    if (!(await run(simulationOf(all, edges), ticksForNew, signal))) return null;
  }
  return new Map(placesOf(all));
}
