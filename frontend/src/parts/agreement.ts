/** How far two sets of values of the same facts agree: the twin of core/agreement.py. Pure. */

import { ranks } from "./stats";

const Z95 = 1.959964;
const SLIGHT = 0.05;

export interface Agreement {
  /** How many of the strongest were compared: fewer than asked where fewer values are not zero. */
  readonly k: number;
  /** How many of them are among the strongest in both. */
  readonly shared: number;
  /** How many of the shared point the same way. */
  readonly same: number;
  /** Columns that point in opposite ways beyond their errors. */
  readonly opposite: readonly number[];
  /** Spearman's correlation of all sizes, NaN where one side's are equal. */
  readonly ranks: number;
}

type Values = ArrayLike<number>;

/** Columns of the `k` largest sizes that are not zero, largest first; ties keep their order. */
export function strongest(values: Values, k: number): number[] {
  return Array.from({ length: values.length }, (_, j) => j)
    .sort((a, b) => Math.abs(values[b]) - Math.abs(values[a]) || a - b)
    .slice(0, k)
    .filter((j) => values[j] !== 0);
}

/** Whether a value's 95% interval leaves out zero, and it is at least this share of the largest; errors may be null (exact) or NaN (unknown). */
export function sure(values: Values, errors: Values | null, share = 0): boolean[] {
  const least = share * Math.max(...Array.from(values, Math.abs), 0);
  return Array.from(values, (v, j) => v !== 0 && Math.abs(v) >= least && (errors === null || Math.abs(v) > Z95 * errors[j]));
}

function spearman(one: Values, two: Values): number {
  const centred = (values: Values): number[] => {
    const own = ranks(Array.from(values, Math.abs));
    const mean = own.reduce((a, b) => a + b, 0) / (own.length || 1);
    return Array.from(own, (r) => r - mean);
  };
  const a = centred(one);
  const b = centred(two);
  const dot = (x: number[], y: number[]): number => x.reduce((sum, v, j) => sum + v * y[j], 0);
  const spread = Math.sqrt(dot(a, a) * dot(b, b));
  return spread > 1e-12 ? dot(a, b) / spread : NaN;
}

export function agree(one: Values, two: Values, errors: readonly [Values | null, Values | null], k = 5): Agreement {
  const first = strongest(one, k);
  const second = strongest(two, k);
  const shared = first.filter((j) => second.includes(j));
  const [a, b] = [sure(one, errors[0], SLIGHT), sure(two, errors[1], SLIGHT)];
  return {
    k: Math.min(first.length, second.length),
    shared: shared.length,
    same: shared.filter((j) => Math.sign(one[j]) === Math.sign(two[j])).length,
    opposite: Array.from(a.keys()).filter((j) => a[j] && b[j] && one[j] * two[j] < 0),
    ranks: spearman(one, two),
  };
}
