// Where edges run and which labels have room. Pure.

export interface Point {
  x: number;
  y: number;
}

export interface EdgeShape {
  line: string; // SVG path of the curve
  arrow: string; // SVG path of its head
}

const bend = 0.16; // of the distance; to the left of the direction, so two directions do not cover each other
const gap = 2;

const at = (p: Point) => `${p.x.toFixed(1)},${p.y.toFixed(1)}`;

function towards(from: Point, to: Point, length: number): Point {
  const distance = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  return { x: from.x + ((to.x - from.x) / distance) * length, y: from.y + ((to.y - from.y) / distance) * length };
}

function headLength(width: number): number {
  return 6 + width * 1.4;
}

// A triangle whose tip is `tip` and that comes from `from`.
function arrowHead(tip: Point, from: Point, width: number): string {
  const length = headLength(width);
  const base = towards(tip, from, length);
  const half = 2.5 + width * 0.75;
  const nx = ((tip.y - base.y) / length) * half;
  const ny = ((base.x - tip.x) / length) * half;
  return `M${at(tip)}L${at({ x: base.x + nx, y: base.y + ny })}L${at({ x: base.x - nx, y: base.y - ny })}Z`;
}

export function edgeShape(
  source: Point,
  sourceRadius: number,
  target: Point,
  targetRadius: number,
  width: number,
): EdgeShape {
  const dx = target.x - source.x;
  const dy = target.y - source.y;
  const control = { x: (source.x + target.x) / 2 + dy * bend, y: (source.y + target.y) / 2 - dx * bend };
  const begin = towards(source, control, sourceRadius + gap);
  const tip = towards(target, control, targetRadius + gap);
  const end = towards(tip, control, headLength(width) * 0.8);
  return { line: `M${at(begin)}Q${at(control)} ${at(end)}`, arrow: arrowHead(tip, control, width) };
}

// An edge from a node to itself: a loop above it.
export function loopShape(center: Point, radius: number, width: number): EdgeShape {
  const reach = radius + 20 + width;
  const spread = 0.55;
  const left = { x: center.x - Math.sin(spread) * (radius + gap), y: center.y - Math.cos(spread) * (radius + gap) };
  const tip = { x: 2 * center.x - left.x, y: left.y };
  const leftControl = { x: center.x - reach * 0.75, y: center.y - reach * 1.3 };
  const rightControl = { x: 2 * center.x - leftControl.x, y: leftControl.y };
  const end = towards(tip, rightControl, headLength(width) * 0.8);
  return {
    line: `M${at(left)}C${at(leftControl)} ${at(rightControl)} ${at(end)}`,
    arrow: arrowHead(tip, rightControl, width),
  };
}

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

function overlaps(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

// Which labels, in order of importance, can be shown. None covers another; none covers a node that is
// not its own (`nodes[i]` belongs to `labels[i]`), but for the first few, which may cover lesser nodes:
// a crowd without names says nothing. Indices.
export function labelsWithRoom(labels: readonly Box[], nodes: readonly Box[], first: number): Set<number> {
  const shown = new Set<number>();
  const isFree = (i: number, obstacles: readonly Box[]) => {
    const label = labels[i]!;
    return (
      ![...shown].some((other) => overlaps(label, labels[other]!)) &&
      !obstacles.some((other, j) => j !== i && overlaps(label, other))
    );
  };
  for (let i = 0; i < Math.min(first, labels.length); i++) if (isFree(i, nodes)) shown.add(i);
  for (let i = 0; i < Math.min(first, labels.length); i++)
    if (!shown.has(i) && isFree(i, nodes.slice(0, i))) shown.add(i);
  for (let i = first; i < labels.length; i++) if (isFree(i, nodes)) shown.add(i);
  return shown;
}

// The scale and offset that show all points within width x height.
export function fitted(points: readonly Point[], margin: number, width: number, height: number, mostScale: number) {
  if (points.length === 0) return { scale: 1, x: width / 2, y: height / 2 };
  const left = Math.min(...points.map((p) => p.x)) - margin;
  const right = Math.max(...points.map((p) => p.x)) + margin;
  const top = Math.min(...points.map((p) => p.y)) - margin;
  const bottom = Math.max(...points.map((p) => p.y)) + margin;
  const scale = Math.min(mostScale, width / (right - left), height / (bottom - top));
  return { scale, x: width / 2 - (scale * (left + right)) / 2, y: height / 2 - (scale * (top + bottom)) / 2 };
}
