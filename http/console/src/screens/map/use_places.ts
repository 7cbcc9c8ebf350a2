// Where the nodes are: laid out once for a graph, kept over refreshes, moved by the user's hand.
import { useEffect, useRef, useState } from 'preact/hooks';

import type { Point } from './geometry';
import { layout } from './layout';
import type { Scene } from './scene';

export interface Places {
  of: string; // the shape of the question these places belong to
  points: Map<string, Point>;
}

// Null until the first layout of this shape is done.
export function usePlaces(scene: Scene | null, shape: string): Places | null {
  const [places, setPlaces] = useState<Places | null>(null);
  const latest = useRef<Places | null>(null);
  latest.current = places;
  const graph =
    scene && JSON.stringify([scene.nodes.map((node) => node.id).sort(), scene.edges.map((edge) => edge.id).sort()]);

  useEffect(() => {
    if (!scene) return;
    const controller = new AbortController();
    const edges = scene.edges.map(({ edge }) => ({ source: edge.source, target: edge.target }));
    layout(scene.nodes, edges, keptPlaces(latest.current, shape, scene), controller.signal).then((points) => {
      if (points && !controller.signal.aborted) setPlaces({ of: shape, points });
    });
    return () => controller.abort();
  }, [graph, shape]);

  return places?.of === shape ? places : null;
}

// When most nodes are new, the old places would only be in the way.
function keptPlaces(places: Places | null, shape: string, scene: Scene): Map<string, Point> {
  const kept = new Map<string, Point>();
  if (places?.of !== shape) return kept;
  for (const { id } of scene.nodes) {
    const point = places.points.get(id);
    if (point) kept.set(id, point);
  }
  return kept.size * 2 >= scene.nodes.length ? kept : new Map();
}
