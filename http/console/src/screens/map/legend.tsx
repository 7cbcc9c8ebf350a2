// The colour intervals: what they mean, how many nodes are in each, and custom bounds.
import { useState } from 'preact/hooks';

import { Popover } from '../../components/popover';
import { formatMeasure } from '../../format/number';
import { intervalCount } from '../../model/intervals';
import { findMeasure, type Unit } from '../../model/measures';
import type { Scene } from './scene';

interface Props {
  fill: string;
  scene: Scene;
  bounds: [number, number] | null;
  onBounds: (bounds: [number, number] | null) => void;
}

// Bounds are typed in a unit that people think in.
const typed: Record<Unit, { factor: number; name: string }> = {
  B: { factor: 1024 ** 2, name: 'MiB' },
  us: { factor: 1e3, name: 'ms' },
  ns: { factor: 1e6, name: 'ms' },
  '1/s': { factor: 1, name: 'per second' },
  share: { factor: 0.01, name: '%' },
  count: { factor: 1, name: '' },
};

function CustomIntervals({ fill, scene, bounds, onBounds, close }: Props & { close: () => void }) {
  const { factor, name } = typed[findMeasure(fill)?.unit ?? 'count'];
  const shown = (value: number) => String(Number((value / factor).toPrecision(6)));
  const [min, setMin] = useState(shown(bounds?.[0] ?? scene.scale?.min ?? 0));
  const [max, setMax] = useState(shown(bounds?.[1] ?? scene.scale?.max ?? 0));
  const valid = min.trim() !== '' && max.trim() !== '' && Number(min) < Number(max);
  const apply = (event: Event) => {
    event.preventDefault();
    if (!valid) return;
    onBounds([Number(min) * factor, Number(max) * factor]);
    close();
  };
  const field = (label: string, value: string, set: (text: string) => void) => (
    <label>
      {label} {name && <small>({name})</small>}
      <input type="number" step="any" value={value} onInput={(event) => set(event.currentTarget.value)} />
    </label>
  );
  return (
    <form class="custom-intervals" onSubmit={apply}>
      {field('Lowest', min, setMin)}
      {field('Highest', max, setMax)}
      <p class="hint">{valid ? 'What lies outside is grey.' : 'The lowest must be below the highest.'}</p>
      <div class="buttons">
        <button type="submit" class="button primary" disabled={!valid}>
          Apply
        </button>
        <button
          type="button"
          class="button"
          onClick={() => {
            onBounds(null);
            close();
          }}
        >
          Automatic
        </button>
      </div>
    </form>
  );
}

export function Legend(props: Props) {
  const { fill, scene, bounds } = props;
  const unit = findMeasure(fill)?.unit ?? 'count';
  const edges = scene.scale?.edges;
  const inLevel = (level: number | null) => scene.nodes.filter((node) => node.shown && node.level === level).length;
  return (
    <div class="legend-box" data-testid="map-legend">
      {edges ? (
        <ol class="intervals" aria-label="Colour intervals">
          {Array.from({ length: intervalCount }, (_, i) => {
            const from = formatMeasure(edges[i], unit);
            const to = formatMeasure(edges[i + 1], unit);
            return (
              <li key={i} title={`${from} to ${to}: ${inLevel(i)} nodes`}>
                <span class={`swatch level-${i}`}>{inLevel(i) || ''}</span>
                <span class="bound">{from}</span>
              </li>
            );
          })}
          <li class="last">
            <span class="bound">{formatMeasure(edges[intervalCount], unit)}</span>
          </li>
        </ol>
      ) : (
        <span class="hint">No samples of this measure</span>
      )}
      <span class="interval-none" title={`${inLevel(null)} nodes`}>
        <span class="swatch level-none">{inLevel(null) || ''}</span>
        <span class="bound">{bounds ? 'outside' : 'no value'}</span>
      </span>
      <Popover
        title="Custom intervals"
        align="left"
        class={`button ${bounds ? 'chosen' : ''}`}
        label="Intervals"
        testid="intervals"
      >
        {(close) => <CustomIntervals {...props} close={close} />}
      </Popover>
    </div>
  );
}
