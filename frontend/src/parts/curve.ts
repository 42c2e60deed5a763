/** Geometry of a what-if curve: which values a control stops at, where they lie, and the path. Pure. */

import type { Column } from "./types";

export interface CurveColumn {
  readonly categorical: boolean;
  readonly ordered: boolean;
  readonly integer: boolean;
  readonly count: number;
  readonly grid: readonly number[];
  readonly minimum: number | null;
  readonly maximum: number | null;
}

/** What of a column says where its values lie. */
export function curveColumn(c: Column): CurveColumn {
  return { categorical: c.kind === "categorical", ordered: c.ordered, integer: c.integer, count: c.categories.length, grid: c.grid, minimum: c.minimum, maximum: c.maximum };
}

export interface Axis {
  /** Values that are evaluated and drawn, ascending. */
  readonly stops: readonly number[];
  /** Steps: categories have no line between them. */
  readonly steps: boolean;
  /** Long-tailed columns are spread by rank, so that most of the width is where most values are. */
  readonly byRank: boolean;
  readonly lo: number;
  readonly hi: number;
}

const INSET = 0.04;

function numericStops(column: CurveColumn, also: readonly number[]): number[] {
  let stops = column.grid.filter(Number.isFinite);
  const { minimum: lo, maximum: hi } = column;
  if (stops.length < 2 && lo !== null && hi !== null && hi > lo) {
    stops = Array.from({ length: 33 }, (_, i) => lo + ((hi - lo) * i) / 32);
  }
  const ends = [lo, hi].filter((v): v is number => v !== null);
  return [...new Set([...stops, ...ends, ...also].filter(Number.isFinite))].sort((a, b) => a - b);
}

/** The axis of one column; `also` are values that must be on it (the case's own, an edit's). */
export function axisOf(column: CurveColumn, also: readonly number[]): Axis {
  if (column.categorical) {
    const stops = Array.from({ length: column.count }, (_, i) => i);
    return { stops, steps: !column.ordered, byRank: true, lo: 0, hi: Math.max(0, column.count - 1) };
  }
  const stops = numericStops(column, also);
  const lo = stops[0] ?? 0;
  const hi = stops[stops.length - 1] ?? 1;
  const middle = stops[Math.floor(stops.length / 2)] ?? lo;
  const share = hi > lo ? (middle - lo) / (hi - lo) : 0.5;
  return { stops, steps: false, byRank: stops.length > 4 && (share < 0.12 || share > 0.88), lo, hi };
}

function rankOf(stops: readonly number[], value: number): number {
  let k = 0;
  while (k < stops.length && stops[k] < value) k += 1;
  if (k < stops.length && stops[k] === value) return k;
  if (k === 0) return 0;
  if (k === stops.length) return stops.length - 1;
  return k - 1 + (value - stops[k - 1]) / (stops[k] - stops[k - 1]);
}

/** Place of a value along the control, 0 to 1. */
export function place(axis: Axis, value: number): number {
  if (Number.isNaN(value)) return 0;
  const n = axis.stops.length;
  const raw = axis.byRank ? (n > 1 ? rankOf(axis.stops, value) / (n - 1) : 0.5) : axis.hi > axis.lo ? (value - axis.lo) / (axis.hi - axis.lo) : 0.5;
  return INSET + (1 - 2 * INSET) * Math.max(0, Math.min(1, raw));
}

/** The value nearest to a place; whole-number columns with a short range stop at every number. */
export function valueAt(axis: Axis, column: CurveColumn, at: number): number {
  const raw = Math.max(0, Math.min(1, (at - INSET) / (1 - 2 * INSET)));
  if (!axis.byRank && !column.categorical && column.integer && axis.hi - axis.lo <= 400) {
    return Math.round(axis.lo + raw * (axis.hi - axis.lo));
  }
  let best = axis.stops[0] ?? NaN;
  let gap = Infinity;
  for (const stop of axis.stops) {
    const d = Math.abs(place(axis, stop) - at);
    if (d < gap) [best, gap] = [stop, d];
  }
  return best;
}

/** The next value in a direction, for the arrow keys. */
export function neighbour(axis: Axis, column: CurveColumn, value: number, by: number): number {
  if (Number.isNaN(value)) return axis.stops[by > 0 ? 0 : axis.stops.length - 1] ?? value;
  const single = !axis.byRank && !column.categorical && column.integer && axis.hi - axis.lo <= 200;
  if (single) return Math.max(axis.lo, Math.min(axis.hi, value + by));
  const at = rankOf(axis.stops, value);
  const to = by > 0 ? Math.floor(at) + by : Math.ceil(at) + by;
  return axis.stops[Math.max(0, Math.min(axis.stops.length - 1, to))] ?? value;
}

export interface Paths {
  readonly line: string;
  readonly area: string;
}

const f1 = (v: number): string => v.toFixed(1);

/** Height of a prediction in a box of 100, with room for the dot. */
export const heightAt = (share: number): number => 96 - 92 * Math.max(0, Math.min(1, share));

/** Line and area (against the present prediction) in a box of 100 by 100; `shares` are predictions as 0..1 of the scale. */
export function paths(axis: Axis, shares: ArrayLike<number>, now: number): Paths {
  const xs = axis.stops.map((v) => 100 * place(axis, v));
  const ys = axis.stops.map((_, i) => heightAt(shares[i]));
  const base = f1(heightAt(now));
  if (!xs.length) return { line: "", area: "" };
  if (axis.steps) {
    const half = xs.length > 1 ? Math.max(0.6, (92 / (xs.length - 1)) * 0.32) : 10;
    const ends = xs.map((x, i) => [f1(Math.max(0, x - half)), f1(Math.min(100, x + half)), f1(ys[i])] as const);
    return {
      line: ends.map(([a, b, y]) => `M${a} ${y}H${b}`).join(""),
      area: ends.map(([a, b, y]) => `M${a} ${base}V${y}H${b}V${base}Z`).join(""),
    };
  }
  const line = `M${xs.map((x, i) => `${f1(x)} ${f1(ys[i])}`).join("L")}`;
  return { line, area: `${line}L${f1(xs[xs.length - 1])} ${base}L${f1(xs[0])} ${base}Z` };
}
