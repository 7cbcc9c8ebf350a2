// Every measure of the node or edge under the pointer.
import { useLayoutEffect, useRef } from 'preact/hooks';

import { measureOf, type Measures } from '../../api/types';
import { formatMeasure } from '../../format/number';
import type { Layer } from '../../model/catalog';
import { measuresOf } from '../../model/measures';
import type { Hovered } from './renderer';

export interface Tip {
  hovered: Hovered;
  x: number;
  y: number;
}

const distance = 14;

export function MeasureList({ layer, measures, mark }: { layer: Layer; measures: Measures; mark: string }) {
  return (
    <table class="measures">
      <tbody>
        {measuresOf(layer).map((measure) => (
          <tr key={measure.name} class={measure.name === mark ? 'marked' : ''}>
            <th scope="row">{measure.short}</th>
            <td class="number">{formatMeasure(measureOf(measures, measure.name), measure.unit)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function Tooltip({ tip, layer, fill }: { tip: Tip; layer: Layer; fill: string }) {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const { offsetWidth: width, offsetHeight: height } = element;
    const left = tip.x + distance + width > innerWidth ? tip.x - distance - width : tip.x + distance;
    const top = Math.min(tip.y + distance, innerHeight - height - 8);
    element.style.left = `${Math.max(8, left)}px`;
    element.style.top = `${Math.max(8, top)}px`;
  });
  const { hovered } = tip;
  return (
    <div class="tooltip" ref={box} role="tooltip">
      {'node' in hovered ? (
        <p class="tooltip-title">
          {hovered.node.name}
          <small>{hovered.node.node.external ? `external ${hovered.node.node.kind}` : hovered.node.node.kind}</small>
        </p>
      ) : (
        <p class="tooltip-title">
          {hovered.edge.source.name} → {hovered.edge.target.name}
        </p>
      )}
      <MeasureList
        layer={layer}
        measures={'node' in hovered ? hovered.node.node.measures : hovered.edge.edge.measures}
        mark={fill}
      />
    </div>
  );
}
