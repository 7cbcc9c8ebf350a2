// The map: who talks to whom, coloured by one measure.
import type { RefObject } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';

import { apiUrl } from '../../api/client';
import type { MapAnswer } from '../../api/types';
import { useQuery, type Query } from '../../api/use_query';
import { ExportLinks } from '../../components/export_links';
import { Icon } from '../../components/icon';
import { EmptyNotice, Problem } from '../../components/notice';
import { formatCount, formatMeasure } from '../../format/number';
import { fills, findMeasure } from '../../model/measures';
import { questionOf, shapeOf, useReport, type ScreenProps } from '../screen';
import { FocusPanel } from './focus_panel';
import { Legend } from './legend';
import { MapRenderer } from './renderer';
import { makeScene, traffic, type Scene } from './scene';
import { MeasureList, Tooltip, type Tip } from './tooltip';
import { usePlaces } from './use_places';

const edgeLimit = 1000;

function Controls({ screen: { state, navigate }, fill }: { screen: ScreenProps; fill: string }) {
  return (
    <>
      {state.focus && (
        <button type="button" class="button" data-testid="map-back" onClick={() => navigate({ focus: '' })}>
          <Icon name="back" />
          Back to the whole map
        </button>
      )}
      <label class="inline">
        Fill
        <select
          value={fill}
          data-testid="map-fill"
          onChange={(event) => navigate({ fill: event.currentTarget.value, bounds: null }, { replace: true })}
        >
          {fills[state.layer].map((name) => (
            <option key={name} value={name}>
              {findMeasure(name)?.label}
            </option>
          ))}
        </select>
      </label>
      <div class="search find">
        <Icon name="search" />
        <input
          type="search"
          aria-label="Find nodes by name"
          placeholder="Find nodes"
          data-testid="map-find"
          value={state.find}
          onInput={(event) => navigate({ find: event.currentTarget.value }, { replace: true })}
        />
      </div>
    </>
  );
}

function ZoomButtons({ renderer }: { renderer: () => MapRenderer | null }) {
  return (
    <div class="zoom-buttons" role="group" aria-label="Zoom">
      <button
        type="button"
        class="icon-button"
        title="Closer"
        aria-label="Closer"
        onClick={() => renderer()?.zoomBy(1.4)}
      >
        <Icon name="plus" />
      </button>
      <button
        type="button"
        class="icon-button"
        title="Farther"
        aria-label="Farther"
        onClick={() => renderer()?.zoomBy(1 / 1.4)}
      >
        <Icon name="minus" />
      </button>
      <button
        type="button"
        class="icon-button"
        title="Show all"
        aria-label="Show all"
        onClick={() => renderer()?.fit()}
      >
        <Icon name="fit" />
      </button>
    </div>
  );
}

// What the limit left out, so that what is drawn and this add up to the totals.
function Other({ answer, state }: { answer: MapAnswer; state: ScreenProps['state'] }) {
  const { edges, measures } = answer.data.other;
  if (edges === 0 || !measures) return null;
  const amount = traffic({ source: '', target: '', measures }, state.layer);
  return (
    <details class="map-other" data-testid="map-other">
      <summary>
        Other: {formatCount(edges)} edges not drawn, {formatMeasure(amount, state.layer === 'l7' ? 'count' : 'B')}
        {state.layer === 'l7' && ' requests'}
      </summary>
      <MeasureList layer={state.layer} measures={measures} mark="" />
    </details>
  );
}

function countsOf(scene: Scene): string {
  const nodes = scene.nodes.filter((node) => node.shown).length;
  const edges = scene.edges.filter((edge) => edge.shown).length;
  return `${formatCount(nodes)} ${nodes === 1 ? 'node' : 'nodes'}, ${formatCount(edges)} ${edges === 1 ? 'edge' : 'edges'}`;
}

interface Drawing {
  svg: RefObject<SVGSVGElement | null>;
  renderer: RefObject<MapRenderer | null>;
  ready: boolean;
}

function useDrawing(
  screen: ScreenProps,
  setTip: (tip: Tip | null) => void,
  scene: Scene | null,
  shape: string,
): Drawing {
  const svg = useRef<SVGSVGElement>(null);
  const renderer = useRef<MapRenderer | null>(null);
  const places = usePlaces(scene, shape);
  const fittedFor = useRef('');
  const latest = useRef({ navigate: screen.navigate, places });
  latest.current = { navigate: screen.navigate, places };

  useEffect(() => {
    if (!svg.current) return;
    const made = new MapRenderer(svg.current, {
      onHover: (hovered, x, y) => setTip(hovered && { hovered, x, y }),
      onOpen: (node) => latest.current.navigate({ focus: node.id }),
      onMove: (id, point) => latest.current.places?.points.set(id, point),
    });
    renderer.current = made;
    return () => made.destroy();
  }, []);

  useEffect(() => {
    if (!scene || !places) return;
    renderer.current?.draw(scene, places.points);
    if (fittedFor.current === shape) return;
    fittedFor.current = shape;
    renderer.current?.fit();
  }, [scene, places, shape]);

  return { svg, renderer, ready: places !== null };
}

interface CanvasProps {
  screen: ScreenProps;
  query: Query<MapAnswer>;
  fill: string;
  scene: Scene | null;
  drawing: Drawing;
}

function Canvas({ screen: { state, navigate }, query, fill, scene, drawing }: CanvasProps) {
  const { data, error, loading, retry } = query;
  const { svg, renderer, ready } = drawing;
  const empty = data?.data.nodes.length === 0;
  const sense = findMeasure(fill)?.sense ?? 'cost';
  return (
    <div class={`map-canvas sense-${sense}`} data-testid="map" data-ready={ready && !loading}>
      <svg
        ref={svg}
        class="map"
        role="group"
        aria-label="Network map. Arrow keys move between nodes, Enter opens one."
      />
      {error && <Problem error={error} retry={retry} />}
      {!error && empty && (
        <EmptyNotice title="Nobody talked in this range">
          Choose a longer time range, or take filters and the search away.
        </EmptyNotice>
      )}
      {!error && !ready && !empty && <p class="map-wait">Drawing the map…</p>}
      {scene && scene.nodes.length > 0 && (
        <Legend
          fill={fill}
          scene={scene}
          bounds={state.bounds}
          onBounds={(bounds) => navigate({ bounds }, { replace: true })}
        />
      )}
      {data && <Other answer={data} state={state} />}
      <ZoomButtons renderer={() => renderer.current} />
    </div>
  );
}

export function MapScreen(props: ScreenProps) {
  const { state, tick } = props;
  const { layer, bounds, find, focus } = state;
  const wanted = fills[layer].includes(state.fill) ? state.fill : fills[layer][0]!;
  const params = { ...questionOf(state), fill: wanted, focus };
  const shape = `${shapeOf(state)} ${focus}`;
  const query = useQuery<MapAnswer>(apiUrl('map', { ...params, limit: edgeLimit }), shape, tick);
  const [tip, setTip] = useState<Tip | null>(null);
  const { data, error, loading } = query;
  useReport(props, data, error, loading);

  // While the next answer is under way the map keeps the measure that it has the bounds of.
  const graph = data?.data ?? null;
  const fill = graph?.fill.metric ?? wanted;
  const scene = useMemo(
    () => graph && makeScene(graph, { layer, fill, bounds: fill === wanted ? bounds : null, find, focus }),
    [graph, wanted, bounds?.[0], bounds?.[1], find],
  );
  const drawing = useDrawing(props, setTip, scene, shape);
  const focused = scene?.nodes.find((node) => node.focused);
  useEffect(() => setTip(null), [shape, data]);

  return (
    <>
      <div class="map-main">
        <div class="section-head">
          <Controls screen={props} fill={wanted} />
          <h2 class="map-counts">
            <small>{scene && drawing.ready ? countsOf(scene) : ' '}</small>
          </h2>
          <ExportLinks path="map" params={params} name="map" />
        </div>
        <Canvas screen={props} query={query} fill={fill} scene={scene} drawing={drawing} />
      </div>
      {focused && scene && <FocusPanel state={state} fill={fill} scene={scene} node={focused} />}
      {tip && <Tooltip tip={tip} layer={layer} fill={fill} />}
    </>
  );
}
