// From the API's graph to what is drawn: sizes, widths, colour intervals, names. Pure, so that it can
// be tested without a browser.
import { measureOf, type MapEdge, type MapGraph, type MapNode, type Measures } from '../../api/types';
import { formatMeasure } from '../../format/number';
import { visibleText } from '../../format/text';
import type { Layer } from '../../model/catalog';
import { fuzzyFind } from '../../model/fuzzy';
import { intervalOf, intervals, type Intervals } from '../../model/intervals';
import { findMeasure, type Unit } from '../../model/measures';

export interface SceneNode {
  id: string;
  node: MapNode;
  name: string; // safe to show
  label: string; // short
  value: string; // of the fill metric, empty without samples
  level: number | null; // colour interval
  radius: number;
  shown: boolean; // not filtered out by the search
  focused: boolean;
}

export interface SceneEdge {
  id: string;
  edge: MapEdge;
  source: SceneNode;
  target: SceneNode;
  level: number | null;
  width: number;
  shown: boolean;
}

export interface Scene {
  nodes: SceneNode[];
  edges: SceneEdge[];
  scale: Intervals | null; // null: the fill metric has no samples
}

export interface SceneOptions {
  layer: Layer;
  fill: string;
  bounds: [number, number] | null; // custom
  find: string;
  focus: string; // id of the node in the middle of attention, or empty
}

const smallest = 7;
const largest = 24;
const thinnest = 1;
const thickest = 6.5;
const longestLabel = 26;

function sum(measures: Measures, ...names: string[]): number {
  return names.reduce((total, name) => total + (measureOf(measures, name) ?? 0), 0);
}

// L4: bytes that came in, whichever end it is. L7: requests served.
export function inbound(node: MapNode, layer: Layer): number {
  return layer === 'l7' ? sum(node.in, 'count') : sum(node.in, 'client_sent') + sum(node.out, 'server_sent');
}

export function traffic(edge: MapEdge, layer: Layer): number {
  return layer === 'l7' ? sum(edge.measures, 'count') : sum(edge.measures, 'client_sent', 'server_sent');
}

// Areas and widths by the square root: traffic spans orders of magnitude.
function sized(value: number, most: number, from: number, to: number): number {
  return most > 0 ? from + (to - from) * Math.sqrt(value / most) : from;
}

export function shortLabel(name: string): string {
  const letters = [...name];
  if (letters.length <= longestLabel) return name;
  const half = Math.floor((longestLabel - 1) / 2);
  return `${letters.slice(0, half).join('')}…${letters.slice(-half).join('')}`;
}

function valueText(value: number | null, unit: Unit): string {
  return value === null ? '' : formatMeasure(value, unit);
}

export function scaleOf(graph: MapGraph, bounds: [number, number] | null): Intervals | null {
  if (bounds) return intervals(...bounds);
  const { min, max } = graph.fill;
  return min === null || max === null ? null : intervals(min, max);
}

// Names that match, and whoever they talk to.
export function foundNodes(graph: MapGraph, find: string): ReadonlySet<string> | null {
  const matches = fuzzyFind(
    find,
    graph.nodes.map((node) => node.name),
  );
  if (!matches) return null;
  const hits = new Set(graph.nodes.filter((_, i) => matches[i]).map((node) => node.id));
  const found = new Set(hits);
  for (const { source, target } of graph.edges) {
    if (hits.has(source)) found.add(target);
    if (hits.has(target)) found.add(source);
  }
  return found;
}

export function makeScene(graph: MapGraph, options: SceneOptions): Scene {
  const { layer, fill } = options;
  const unit = findMeasure(fill)?.unit ?? 'count';
  const scale = scaleOf(graph, options.bounds);
  const found = foundNodes(graph, options.find);
  const levelOf = (measures: Measures) => scale && intervalOf(scale, measureOf(measures, fill));
  const mostInbound = Math.max(0, ...graph.nodes.map((node) => inbound(node, layer)));
  const mostTraffic = Math.max(0, ...graph.edges.map((edge) => traffic(edge, layer)));

  const nodes = graph.nodes.map((node): SceneNode => {
    const name = visibleText(node.name) || '(no name)';
    return {
      id: node.id,
      node,
      name,
      label: shortLabel(name),
      value: valueText(measureOf(node.measures, fill), unit),
      level: levelOf(node.measures),
      radius: sized(inbound(node, layer), mostInbound, smallest, largest),
      shown: found === null || found.has(node.id),
      focused: node.id === options.focus,
    };
  });
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const edges = graph.edges.flatMap((edge): SceneEdge[] => {
    const source = byId.get(edge.source);
    const target = byId.get(edge.target);
    if (!source || !target) return [];
    return [
      {
        id: JSON.stringify([edge.source, edge.target]),
        edge,
        source,
        target,
        level: levelOf(edge.measures),
        width: sized(traffic(edge, layer), mostTraffic, thinnest, thickest),
        shown: source.shown && target.shown,
      },
    ];
  });
  return { nodes, edges, scale };
}
