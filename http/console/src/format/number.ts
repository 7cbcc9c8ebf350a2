// Numbers as people read them. What has no value is a dash, never 0.
import type { Unit } from '../model/measures';

export const none = '–';

export type Value = number | null | undefined;

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

// Three significant digits, without zeros that say nothing: 1.2, 12.5, 125.
function threeDigits(value: number): string {
  const size = Math.abs(value);
  const text = value.toFixed(size < 9.995 ? 2 : size < 99.95 ? 1 : 0);
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

// The largest unit in which the value is at least 1 once it is rounded for display.
function scaled(value: number, steps: readonly (readonly [factor: number, unit: string])[]): string {
  let [factor, unit] = steps[0]!;
  for (const [nextFactor, nextUnit] of steps) {
    if (Math.abs(value) >= nextFactor * 0.9995) [factor, unit] = [nextFactor, nextUnit];
  }
  return `${threeDigits(value / factor)} ${unit}`;
}

const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'].map((unit, i) => [1024 ** i, unit] as const);

export function formatBytes(value: Value): string {
  if (value == null || !Number.isFinite(value)) return none;
  return scaled(value, byteUnits);
}

const durationUnits = [
  [1, 'ns'],
  [1e3, 'µs'],
  [1e6, 'ms'],
  [1e9, 's'],
  [60e9, 'min'],
] as const;

export function formatNanoseconds(value: Value): string {
  if (value == null || !Number.isFinite(value)) return none;
  return value === 0 ? '0 ns' : scaled(value, durationUnits);
}

export function formatMicroseconds(value: Value): string {
  if (value == null || !Number.isFinite(value)) return none;
  return value === 0 ? '0 µs' : formatNanoseconds(value * 1e3);
}

export function formatCount(value: Value): string {
  if (value == null || !Number.isFinite(value)) return none;
  if (Math.abs(value) < 1e7) return Number.isInteger(value) ? grouped.format(value) : threeDigits(value);
  return scaled(value, [
    [1e6, 'M'],
    [1e9, 'G'],
    [1e12, 'T'],
  ]);
}

// For narrow places: at most six characters or so.
export function formatCompact(value: Value): string {
  if (value == null || !Number.isFinite(value)) return none;
  if (Math.abs(value) < 1e4) return grouped.format(value);
  return scaled(value, [
    [1e3, 'k'],
    [1e6, 'M'],
    [1e9, 'G'],
    [1e12, 'T'],
  ]);
}

export function formatRate(value: Value): string {
  if (value == null || !Number.isFinite(value)) return none;
  if (value > 0 && value < 0.01) return '<0.01/s';
  return `${value < 1000 ? threeDigits(value) : grouped.format(value)}/s`;
}

export function formatShare(value: Value): string {
  if (value == null || !Number.isFinite(value)) return none;
  if (value > 0 && value < 0.0001) return '<0.01 %';
  return `${threeDigits(value * 100)} %`;
}

export function formatMeasure(value: Value, unit: Unit): string {
  switch (unit) {
    case 'B':
      return formatBytes(value);
    case 'us':
      return formatMicroseconds(value);
    case 'ns':
      return formatNanoseconds(value);
    case '1/s':
      return formatRate(value);
    case 'share':
      return formatShare(value);
    case 'count':
      return formatCount(value);
  }
}
