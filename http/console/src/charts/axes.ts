// Axes shared by the charts: colours of the theme, times of day, values with their units.
import type uPlot from 'uplot';

import { formatMeasure } from '../format/number';
import type { Unit } from '../model/measures';

// Canvas knows no CSS variables: the colour is read off an element that has it.
export function resolveColor(host: Element, variable: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(${variable})`;
  host.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}

const font = (host: Element) => `11px ${getComputedStyle(host).fontFamily}`;

const time = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const seconds = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

// Midnight says its day, all else its time.
function timeLabels(splits: number[], increment: number): string[] {
  return splits.map((ms) => {
    const at = new Date(ms);
    if (at.getHours() + at.getMinutes() + at.getSeconds() === 0) return day.format(ms);
    return increment < 60_000 ? seconds.format(ms) : time.format(ms);
  });
}

export function timeAxis(host: Element): uPlot.Axis {
  return {
    stroke: resolveColor(host, '--faint'),
    font: font(host),
    size: 22,
    gap: 4,
    space: 64,
    grid: { show: false },
    ticks: { stroke: resolveColor(host, '--line'), size: 4, width: 1 },
    values: (_, splits, __, ___, increment) => timeLabels(splits, increment),
  };
}

// Steps of an axis: powers of two read well in KiB, and half a connection is nothing.
function increments(unit: Unit): number[] | undefined {
  if (unit === 'B') return Array.from({ length: 60 }, (_, i) => 2 ** i);
  if (unit === 'count') return Array.from({ length: 12 }, (_, i) => [1, 2, 5].map((n) => n * 10 ** i)).flat();
  return undefined;
}

export function valueAxis(host: Element, unit: Unit): uPlot.Axis {
  const incrs = increments(unit);
  return {
    stroke: resolveColor(host, '--faint'),
    font: font(host),
    size: 58,
    gap: 6,
    space: 30,
    grid: { stroke: resolveColor(host, '--line'), width: 1 },
    ticks: { show: false },
    values: (_, splits) => splits.map((value) => formatMeasure(value, unit)),
    ...(incrs ? { incrs } : {}),
  };
}

// From 0, with room above the highest value.
export function fromZero(_: uPlot, __: number, max: number | null): [number, number] {
  return [0, max && max > 0 ? max * 1.08 : 1];
}
