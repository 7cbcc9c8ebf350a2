// One trend chart of one or a few measures of the same unit. All charts of a screen share the cursor;
// where it is, the legend says the values there, elsewhere those of the whole range.
import { useMemo, useState } from 'preact/hooks';
import uPlot from 'uplot';

import type { Measures, SeriesPoints } from '../api/types';
import { formatMeasure } from '../format/number';
import { findMeasure, type ChartSpec, type Measure } from '../model/measures';
import { useTheme } from '../state/theme';
import { resolveColor, timeAxis, valueAxis } from './axes';
import { usePlot } from './use_plot';

const height = 128;
const cursorGroup = 'trends';

// Lines differ in dash as well as in colour.
const dashes: readonly (number[] | undefined)[] = [undefined, [5, 3], [1.5, 2.5]];
const colors = ['--series-1', '--series-2', '--series-3'] as const;

interface Props {
  spec: ChartSpec;
  series: Record<string, { points: SeriesPoints }>;
  totals: Measures | null; // of the whole range
  from: number;
  to: number;
  onZoom: (from: number, to: number) => void;
  onCursor: (ms: number | null) => void;
}

// Series may lack steps without data; uPlot wants one column of times for all.
export function aligned(series: readonly SeriesPoints[]): uPlot.AlignedData {
  const times = [...new Set(series.flatMap((points) => points.map(([ms]) => ms)))].sort((a, b) => a - b);
  const columns = series.map((points) => {
    const values = new Map(points);
    return times.map((ms) => values.get(ms) ?? null);
  });
  return [times, ...columns];
}

// Samples without neighbours: no line goes through them, so they are drawn as points.
export function isolated(values: ArrayLike<number | null | undefined>): number[] {
  return Array.from(values, (_, i) => i).filter(
    (i) => values[i] != null && values[i - 1] == null && values[i + 1] == null,
  );
}

function seriesOptions(host: HTMLElement, lines: readonly Measure[], filled: boolean): uPlot.Series[] {
  return lines.map((line, i) => {
    const stroke = resolveColor(host, colors[i] ?? colors[0]);
    const dash = dashes[i];
    return {
      label: line.label,
      stroke,
      width: 1.5,
      spanGaps: false,
      points: {
        size: 4,
        fill: stroke,
        stroke,
        filter: (plot, index, all) => (all ? null : isolated(plot.data[index] ?? [])),
      },
      ...(dash ? { dash } : {}),
      ...(filled && i === 0 ? { fill: stroke.replace(/^rgb\((.*)\)$/, 'rgba($1, 0.12)') } : {}),
    };
  });
}

// Where a chart will be, as large as it will be.
export function TrendPlace({ spec }: { spec: ChartSpec }) {
  return (
    <figure class={`chart span-${spec.span}`} aria-busy="true">
      <figcaption>
        <span class="chart-title">{spec.title}</span>
      </figcaption>
      <div class="plot" style={{ height: `${height}px` }} />
    </figure>
  );
}

function LegendItem({ line, index, value, testid }: { line: Measure; index: number; value: string; testid?: string }) {
  return (
    <span class={`legend-item series-${index + 1}`} title={line.label} data-testid={testid}>
      <svg width="16" height="8" aria-hidden="true">
        <line x1="0" y1="4" x2="16" y2="4" stroke-dasharray={dashes[index]?.join(' ')} />
      </svg>
      {line.short}
      <b>{value}</b>
    </span>
  );
}

export function TrendChart({ spec, series, totals, from, to, onZoom, onCursor }: Props) {
  const theme = useTheme();
  const [at, setAt] = useState<number | null>(null);
  const lines = useMemo(() => spec.metrics.map(findMeasure).filter((line) => line !== undefined), [spec]);
  const data = useMemo(() => aligned(lines.map((line) => series[line.name]?.points ?? [])), [lines, series]);
  const unit = lines[0]?.unit ?? 'count';

  const host = usePlot({
    height,
    data,
    from,
    to,
    remake: `${theme} ${spec.metrics.join()}`,
    onSelect: onZoom,
    options: (element) => ({
      cursor: {
        y: false,
        points: { size: 6 },
        drag: { x: true, y: false, setScale: false },
        sync: { key: cursorGroup, filters: { pub: (type) => type === 'mousemove' || type === 'mouseleave' } },
      },
      axes: [timeAxis(element), valueAxis(element, unit)],
      series: [{}, ...seriesOptions(element, lines, spec.filled ?? false)],
      hooks: {
        setCursor: [
          (plot) => {
            const index = plot.cursor.idx ?? null;
            setAt(index);
            onCursor(index === null ? null : (plot.data[0][index] ?? null));
          },
        ],
      },
    }),
  });

  const valueOf = (line: Measure, i: number) =>
    at === null ? totals?.[line.name] : (data[i + 1] as (number | null)[] | undefined)?.[at];
  const known = data.slice(1).reduce((n, column) => n + [...column].filter((value) => value !== null).length, 0);
  return (
    <figure class={`chart span-${spec.span}`} data-testid={`chart-${spec.metrics[0]}`} data-values={known}>
      <figcaption>
        <span class="chart-title">{spec.title}</span>
        <span class="legend">
          {lines.map((line, i) => (
            <LegendItem
              key={line.name}
              line={line}
              index={i}
              value={formatMeasure(valueOf(line, i), unit)}
              {...(i > 0 ? { testid: `chart-${line.name}` } : {})}
            />
          ))}
        </span>
      </figcaption>
      <div class="plot" ref={host} style={{ height: `${height}px` }} />
      {known === 0 && <p class="chart-empty">No samples in this range</p>}
    </figure>
  );
}
