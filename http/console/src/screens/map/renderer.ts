// Draws the scene into an SVG and turns pointer and keyboard into events. It works on the DOM itself:
// a thousand edges that follow a pointer are too many for a component tree.
//
// Everything that comes from traffic is set as text or attribute, never as markup.
import { drag } from 'd3-drag';
import { select, type Selection } from 'd3-selection';
import { zoom, zoomIdentity, type ZoomTransform } from 'd3-zoom';

import { edgeShape, fitted, loopShape, labelsWithRoom, type Box, type Point } from './geometry';
import type { Scene, SceneEdge, SceneNode } from './scene';

export type Hovered = { node: SceneNode } | { edge: SceneEdge };

export interface MapEvents {
  onHover: (hovered: Hovered | null, x: number, y: number) => void; // in page coordinates
  onOpen: (node: SceneNode) => void;
  onMove: (id: string, place: Point) => void; // a node was dragged
}

type Layer<Datum> = Selection<SVGGElement, Datum, SVGGElement, unknown>;

const ringGap = 3;
const labelHeight = 26;
const letterWidth = 6.3;
const namedFirst = 16;
const crowd = 300; // edges; more are drawn fainter
const fitMargin = 55;
const legendHeight = 56; // covers the lower edge
const mostFitScale = 1.5;

// With the ring that hosts and the focused node have.
function outerRadius({ radius, node, focused }: SceneNode): number {
  return node.kind === 'host' || focused ? radius + ringGap + 1 : radius;
}

export class MapRenderer {
  private readonly svg: Selection<SVGSVGElement, unknown, null, undefined>;
  private readonly world: Selection<SVGGElement, unknown, null, undefined>;
  private nodes: Layer<SceneNode>;
  private edges: Layer<SceneEdge>;
  private scene: Scene = { nodes: [], edges: [], scale: null };
  private places: ReadonlyMap<string, Point> = new Map();
  private transform: ZoomTransform = zoomIdentity;
  private current: string | null = null; // the node that the tab key reaches
  private readonly zooming = zoom<SVGSVGElement, unknown>().scaleExtent([0.1, 5]);
  private hovered: string | null = null; // id of a node or edge
  private frame = 0;

  constructor(
    private readonly element: SVGSVGElement,
    private readonly events: MapEvents,
  ) {
    this.svg = select(element);
    this.svg.selectChildren().remove();
    this.world = this.svg.append('g');
    this.edges = this.world.append('g').attr('class', 'edges').selectAll<SVGGElement, SceneEdge>('g');
    this.nodes = this.world.append('g').attr('class', 'nodes').selectAll<SVGGElement, SceneNode>('g');
    this.zooming.on('zoom', (event: { transform: ZoomTransform }) => this.onZoom(event.transform));
    this.svg.call(this.zooming).on('dblclick.zoom', null);
  }

  destroy(): void {
    cancelAnimationFrame(this.frame);
    this.svg.on('.zoom', null);
    this.world.remove();
  }

  draw(scene: Scene, places: ReadonlyMap<string, Point>): void {
    this.scene = scene;
    this.places = places;
    if (!scene.nodes.some((node) => node.id === this.current)) this.current = scene.nodes[0]?.id ?? null;
    this.svg.classed('crowded', scene.edges.length > crowd);
    this.joinEdges();
    this.joinNodes();
    this.place();
    this.arrangeLabels();
  }

  fit(): void {
    const { clientWidth, clientHeight } = this.element;
    if (clientWidth === 0 || clientHeight === 0) return;
    const points = this.scene.nodes.filter((node) => node.shown).map((node) => this.placeOf(node));
    const { scale, x, y } = fitted(points, fitMargin, clientWidth, clientHeight - legendHeight, mostFitScale);
    this.svg.call(this.zooming.transform, zoomIdentity.translate(x, y).scale(scale));
  }

  zoomBy(factor: number): void {
    this.svg.call(this.zooming.scaleBy, factor);
  }

  private placeOf(node: SceneNode): Point {
    return this.places.get(node.id) ?? { x: 0, y: 0 };
  }

  private joinEdges(): void {
    this.edges = this.edges
      .data(this.scene.edges, (edge) => edge.id)
      .join((enter) => {
        const group = enter.append('g').attr('data-testid', 'map-edge');
        group.append('path').attr('class', 'line');
        group.append('path').attr('class', 'arrow');
        group.on('pointerenter pointermove', (event: PointerEvent, edge) => this.hover({ edge }, event));
        return group.on('pointerleave', () => this.leave());
      })
      .attr('class', (edge) => `edge level-${edge.level ?? 'none'}`)
      .attr('data-source', (edge) => edge.edge.source)
      .attr('data-target', (edge) => edge.edge.target)
      .classed('away', (edge) => !edge.shown);
    this.edges.select<SVGPathElement>('.line').attr('stroke-width', (edge) => edge.width);
  }

  private joinNodes(): void {
    this.nodes = this.nodes
      .data(this.scene.nodes, (node) => node.id)
      .join((enter) => this.enterNodes(enter.append('g')))
      .sort((a, b) => a.radius - b.radius) // the largest last: their names lie above lesser nodes
      .attr('class', ({ node, level }) => `node kind-${node.kind} level-${level ?? 'none'}`)
      .classed('external', ({ node }) => node.external)
      .classed('away', (node) => !node.shown)
      .classed('focused', (node) => node.focused)
      .attr('tabindex', (node) => (node.id === this.current ? 0 : -1))
      .attr(
        'aria-label',
        ({ node, name, value }) => `${node.kind} ${name}${value && `: ${value}`}. Show upstream and downstream`,
      );
    this.nodes.select('.ring').attr('r', (node) => node.radius + ringGap);
    this.nodes.select('.disc').attr('r', (node) => node.radius);
    this.nodes
      .select('.square')
      .attr('x', (node) => -node.radius * 0.9)
      .attr('y', (node) => -node.radius * 0.9)
      .attr('width', (node) => node.radius * 1.8)
      .attr('height', (node) => node.radius * 1.8)
      .attr('rx', (node) => node.radius * 0.35);
    this.nodes.select('.name').text((node) => node.label);
    this.nodes.select('.value').text((node) => node.value);
    this.nodes.select('.cloud').text(({ node }) => (node.cloud ? `☁ ${node.cloud}` : ''));
  }

  private enterNodes(group: Selection<SVGGElement, SceneNode, SVGGElement, unknown>) {
    group
      .attr('data-testid', 'map-node')
      .attr('role', 'button')
      .attr('data-node-id', (node) => node.id);
    group.append('rect').attr('class', 'hit');
    group.append('circle').attr('class', 'ring');
    group.append('circle').attr('class', 'disc');
    group.append('rect').attr('class', 'square');
    const label = group.append('g').attr('class', 'label');
    label.append('text').attr('class', 'name').attr('y', 11);
    label.append('text').attr('class', 'value').attr('y', 23);
    label.append('text').attr('class', 'cloud').attr('y', 35);
    group
      .on('pointerenter pointermove', (event: PointerEvent, node) => this.hover({ node }, event))
      .on('pointerleave blur', () => this.leave())
      .on('click', (_, node) => this.events.onOpen(node))
      .on('focus', (_, node) => this.focused(node))
      .on('keydown', (event: KeyboardEvent, node) => this.onKey(event, node));
    return group.call(
      drag<SVGGElement, SceneNode>()
        .subject((_, node) => this.placeOf(node))
        .clickDistance(4)
        .on('drag', (event: Point, node) => {
          this.events.onMove(node.id, { x: event.x, y: event.y });
          this.place();
          this.arrangeLabels();
        }),
    );
  }

  private place(): void {
    this.nodes.attr('transform', (node) => {
      const { x, y } = this.placeOf(node);
      return `translate(${x.toFixed(1)},${y.toFixed(1)})`;
    });
    const shapes = new Map(this.scene.edges.map((edge) => [edge.id, this.shapeOf(edge)]));
    this.edges.select('.line').attr('d', (edge) => shapes.get(edge.id)!.line);
    this.edges.select('.arrow').attr('d', (edge) => shapes.get(edge.id)!.arrow);
  }

  private shapeOf({ source, target, width }: SceneEdge) {
    const from = this.placeOf(source);
    if (source === target) return loopShape(from, source.radius, width);
    return edgeShape(from, source.radius, this.placeOf(target), target.radius, width);
  }

  private onZoom(transform: ZoomTransform): void {
    this.transform = transform;
    this.world.attr('transform', transform.toString());
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.arrangeLabels());
  }

  // Labels keep their size on the screen, and only those that do not cover each other are shown: those
  // of the largest nodes first.
  private arrangeLabels(): void {
    const { k } = this.transform;
    const ordered = this.scene.nodes.filter((node) => node.shown).sort((a, b) => b.radius - a.radius);
    const labels = ordered.map((node): Box => {
      const { x, y } = this.placeOf(node);
      const half = (Math.max([...node.label].length, node.value.length) * letterWidth) / 2 / k;
      const top = y + outerRadius(node) + 2 / k;
      return { left: x - half, right: x + half, top, bottom: top + labelHeight / k };
    });
    const discs = ordered.map((node): Box => {
      const { x, y } = this.placeOf(node);
      return { left: x - node.radius, right: x + node.radius, top: y - node.radius, bottom: y + node.radius };
    });
    const shown = labelsWithRoom(labels, discs, namedFirst);
    const ids = new Set(ordered.filter((_, i) => shown.has(i)).map((node) => node.id));
    this.nodes
      .classed('labelled', (node) => ids.has(node.id))
      .select('.label')
      .attr('transform', (node) => `translate(0,${outerRadius(node) + 2 / k}) scale(${1 / k})`);
    // A node and its name are one target for the pointer, without a gap between them.
    this.nodes
      .select('.hit')
      .attr('x', (node) => -outerRadius(node))
      .attr('y', (node) => -outerRadius(node))
      .attr('width', (node) => 2 * outerRadius(node))
      .attr('height', (node) => 2 * outerRadius(node) + (ids.has(node.id) ? labelHeight / k : 0));
  }

  private hover(hovered: Hovered, event: { clientX: number; clientY: number }): void {
    this.events.onHover(hovered, event.clientX, event.clientY);
    const id = 'node' in hovered ? hovered.node.id : hovered.edge.id;
    if (this.hovered === id) return;
    this.hovered = id;
    const near = new Set<string>();
    const isNear = (edge: SceneEdge) =>
      'edge' in hovered ? edge.id === hovered.edge.id : edge.source === hovered.node || edge.target === hovered.node;
    if ('node' in hovered) near.add(hovered.node.id);
    for (const edge of this.scene.edges) if (isNear(edge)) near.add(edge.source.id).add(edge.target.id);
    this.svg.classed('hovering', true);
    this.nodes.classed('near', (node) => near.has(node.id));
    this.edges.classed('near', isNear);
  }

  private leave(): void {
    this.hovered = null;
    this.svg.classed('hovering', false);
    this.events.onHover(null, 0, 0);
  }

  private focused(node: SceneNode): void {
    this.current = node.id;
    this.nodes.attr('tabindex', (other) => (other.id === node.id ? 0 : -1));
    const box = this.nodes
      .filter((other) => other.id === node.id)
      .node()
      ?.getBoundingClientRect();
    if (box) this.hover({ node }, { clientX: box.right, clientY: box.top });
  }

  private onKey(event: KeyboardEvent, node: SceneNode): void {
    const directions: Record<string, Point> = {
      ArrowLeft: { x: -1, y: 0 },
      ArrowRight: { x: 1, y: 0 },
      ArrowUp: { x: 0, y: -1 },
      ArrowDown: { x: 0, y: 1 },
    };
    const direction = directions[event.key];
    if (event.key === 'Enter' || event.key === ' ') this.events.onOpen(node);
    else if (direction) this.focusNext(node, direction);
    else return;
    event.preventDefault();
  }

  // The nearest node that lies more in this direction than aside of it.
  private focusNext(from: SceneNode, direction: Point): void {
    const here = this.placeOf(from);
    let best: { id: string; distance: number } | null = null;
    for (const node of this.scene.nodes) {
      if (node === from || !node.shown) continue;
      const there = this.placeOf(node);
      const [dx, dy] = [there.x - here.x, there.y - here.y];
      const along = dx * direction.x + dy * direction.y;
      const aside = Math.abs(dx * direction.y) + Math.abs(dy * direction.x);
      const distance = along + 2 * aside;
      if (along > 0 && aside <= along && (!best || distance < best.distance)) best = { id: node.id, distance };
    }
    const id = best?.id;
    if (id)
      this.nodes
        .filter((node) => node.id === id)
        .node()
        ?.focus();
  }
}
