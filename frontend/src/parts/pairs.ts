// What two columns add together beyond what each adds alone: the Shapley interaction index of pairs, in the page, of a
// prediction or of its margin, exactly and against the same background as the values of parts/shapley.ts.
//
// The game against one background row is put into its Moebius form a(T): what the columns of T add only all together. The
// index of a pair is the sum of a(T) / (|T| - 1) over every T that holds both. Values of a pair are whole (both halves).

import { inSlices } from "./calls";
import { affordable, type Explainer } from "./shapley";
import type { Space } from "./types";

export interface PairsAsked {
  output: number;
  space: Space;
  signal?: AbortSignal;
  /** Milliseconds at a stretch. */
  budget?: number;
}

/** Coalitions that may be weighed for the pairs of one row. */
const MOST = 8e6;

/** Index of every pair of columns at [a * features + b], a < b; null where that would take too long. */
export async function pairsOf(explainer: Explainer, row: ArrayLike<number>, asked: PairsAsked): Promise<Float64Array | null> {
  const { budget = 6, signal } = asked;
  return inSlices(steps(explainer, Float64Array.from(row), asked), { budget, ...(signal ? { signal } : {}) });
}

export function* steps(explainer: Explainer, row: Float64Array, { output, space }: PairsAsked): Generator<unknown, Float64Array | null> {
  const { model, background } = explainer;
  const { features, marginOutputs } = model.raw;
  const rows = background.length / features;
  const game = model.raw.game(row, background);
  if (!affordable(game, Int32Array.from({ length: rows }, (_, z) => z), marginOutputs, MOST)) return null;
  const out = new Float64Array(features * features);
  const margins = new Float64Array(marginOutputs);
  let tables: Float64Array[] = [];
  let scratch = new Float64Array(0);
  for (let z = 0; z < rows; z++) {
    const columns = game.against(z);
    const size = 1 << columns.length;
    if (scratch.length < size) {
      scratch = new Float64Array(size);
      tables = Array.from(margins, () => new Float64Array(size));
    }
    game.margins(tables);
    const answers = tables[0] as Float64Array;
    for (let at = 0; at < size; at++) {
      for (let k = 0; k < tables.length; k++) margins[k] = (tables[k] as Float64Array)[at] as number;
      answers[at] = model.through(margins, 0, output, space);
    }
    weighPairs(answers, columns, scratch, out, features);
    yield;
  }
  for (let at = 0; at < out.length; at++) out[at] = (out[at] as number) / Math.max(1, rows);
  return out;
}

/** Adds the index of every pair of a game given as a table over all coalitions; the table is used up. */
function weighPairs(answers: Float64Array, columns: Int32Array, scratch: Float64Array, out: Float64Array, features: number): void {
  const d = columns.length;
  const size = 1 << d;
  for (let half = 1; half < size; half *= 2) {
    for (let start = 0; start < size; start += 2 * half) {
      for (let at = start; at < start + half; at++) answers[at + half] = (answers[at + half] as number) - (answers[at] as number);
    }
  }
  for (let at = 0; at < size; at++) {
    let members = 0;
    for (let left = at; left; left &= left - 1) members++;
    answers[at] = members > 1 ? (answers[at] as number) / (members - 1) : 0;
  }
  // The last column is taken off, again and again: what holds it is summed for every other one, then both halves fold.
  for (let last = d - 1; last > 0; last--) {
    const half = 1 << last;
    for (let at = 0; at < half; at++) scratch[at] = answers[at + half] as number;
    for (let other = last - 1; other >= 0; other--) {
      const quarter = 1 << other;
      let sum = 0;
      for (let at = 0; at < quarter; at++) {
        sum += scratch[at + quarter] as number;
        scratch[at] = (scratch[at] as number) + (scratch[at + quarter] as number);
      }
      const [a, b] = [columns[last] as number, columns[other] as number];
      const place = Math.min(a, b) * features + Math.max(a, b);
      out[place] = (out[place] as number) + sum;
    }
    for (let at = 0; at < half; at++) answers[at] = (answers[at] as number) + (answers[at + half] as number);
  }
}
