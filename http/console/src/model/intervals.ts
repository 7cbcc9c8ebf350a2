// The five colour intervals of the map: equal parts between two bounds. A value outside of custom
// bounds, or no value, is in none of them and drawn grey.

export const intervalCount = 5;

export interface Intervals {
  min: number;
  max: number;
  edges: number[]; // intervalCount + 1 bounds, ascending
}

export function intervals(min: number, max: number): Intervals {
  const width = (max - min) / intervalCount;
  const edges = Array.from({ length: intervalCount + 1 }, (_, i) => (i === intervalCount ? max : min + i * width));
  return { min, max, edges };
}

// 0 to intervalCount - 1, or null. The last interval includes its upper bound.
export function intervalOf(scale: Intervals, value: number | null | undefined): number | null {
  if (value == null || !Number.isFinite(value) || value < scale.min || value > scale.max) return null;
  if (scale.max === scale.min) return 0;
  return Math.min(intervalCount - 1, Math.floor(((value - scale.min) / (scale.max - scale.min)) * intervalCount));
}
