// How many records there are over time. Dragging over bars, or clicking one, narrows the range.
import { useMemo, useState } from 'preact/hooks';
import uPlot from 'uplot';

import { formatCount } from '../format/number';
import { formatDayAndClock, formatSpan } from '../format/time';
import { useTheme } from '../state/theme';
import { resolveColor, timeAxis, valueAxis } from './axes';
import { usePlot } from './use_plot';

const height = 92;

// Where the histogram will be, as large as it will be.
export function HistogramPlace() {
  return (
    <figure class="histogram" aria-busy="true">
      <figcaption />
      <div class="plot" style={{ height: `${height}px` }} />
    </figure>
  );
}

interface Props {
  bars: readonly { time: number; count: number }[];
  step: number; // ms
  from: number;
  to: number;
  onSelect: (from: number, to: number) => void;
}

export function Histogram({ bars, step, from, to, onSelect }: Props) {
  const theme = useTheme();
  const [at, setAt] = useState<number | null>(null);
  // A bar stands over the middle of its step.
  const data = useMemo<uPlot.AlignedData>(
    () => [bars.map((bar) => bar.time + step / 2), bars.map((bar) => bar.count)],
    [bars, step],
  );
  const host = usePlot({
    height,
    data,
    from,
    to,
    remake: theme,
    onSelect,
    onPick: (index) => {
      const bar = bars[index];
      if (bar) onSelect(bar.time, bar.time + step);
    },
    options: (element) => ({
      cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: false } },
      axes: [timeAxis(element), valueAxis(element, 'count')],
      series: [
        {},
        {
          label: 'records',
          fill: resolveColor(element, '--bar'),
          stroke: resolveColor(element, '--bar'),
          width: 0,
          paths: uPlot.paths.bars!({ size: [0.82, 40], radius: 0.12 }),
          points: { show: false },
        },
      ],
      hooks: { setCursor: [(plot) => setAt(plot.cursor.idx ?? null)] },
    }),
  });
  const total = bars.reduce((sum, bar) => sum + bar.count, 0);
  const pointed = at === null ? undefined : bars[at];
  return (
    <figure
      class="histogram"
      data-testid="histogram"
      data-records={total}
      aria-label={`${formatCount(total)} records over time`}
    >
      <figcaption>
        <b>{formatCount(pointed ? pointed.count : total)}</b> records{' '}
        {pointed
          ? `at ${formatDayAndClock(pointed.time)}, ${formatSpan(step / 1000)}`
          : 'in the range; drag over the bars or click one to look closer'}
      </figcaption>
      <div class="plot" ref={host} style={{ height: `${height}px` }} />
    </figure>
  );
}
