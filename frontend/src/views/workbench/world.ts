// The sampled cases as columns, for the All-cases tab: values, pushes, importance, partners.

import { computed, type ReadonlySignal } from "@preact/signals";
import { type Mean, meanOf, quantile, ranks } from "../../parts/stats";
import { bySize, niceStep } from "./layout";
import type { Rows, Sample } from "./rows";

export interface FactAtLarge {
  readonly column: number;
  /** Mean size of its push, with interval. */
  readonly size: Mean;
}

export interface World {
  readonly ids: readonly number[];
  readonly exact: boolean;
  readonly facts: readonly FactAtLarge[];
  /** Range of pushes that all swarms share, and its step. */
  readonly lo: number;
  readonly hi: number;
  readonly step: number;
  pushes(column: number): Float64Array;
  values(column: number): Float64Array;
  /** Shade 0..3 of each value, -1 where values have no order. */
  shades(column: number): Int8Array;
}

export function worldOf(rows: Rows, sample: Sample): World {
  const n = sample.ids.length;
  const keep = Array.from({ length: n }, (_, i) => i).filter((i) => rows.rowOf(sample.ids[i]) >= 0);
  const positions = keep.map((i) => rows.rowOf(sample.ids[i]));
  const pushes = rows.meta.columns.map((_, j) => Float64Array.from(keep, (i) => sample.value(i, j)));
  const sizes = pushes.map((own) => meanOf(own.map(Math.abs)));
  const facts = bySize(sizes.map((m) => m.mean || 0)).map((column) => ({ column, size: sizes[column] }));
  const spread = Float64Array.from(facts.slice(0, 12).flatMap((f) => [...pushes[f.column]])).sort();
  const [lo0, hi0] = [Math.min(0, quantile(spread, 0.0005)), Math.max(0, quantile(spread, 0.9995))];
  const step = niceStep(hi0 - lo0 || 1, 5);
  const values = new Map<number, Float64Array>();
  const valuesOf = (j: number): Float64Array => {
    let own = values.get(j);
    if (!own) {
      own = Float64Array.from(positions, (row) => rows.table.value(row, j));
      values.set(j, own);
    }
    return own;
  };
  return {
    ids: keep.map((i) => sample.ids[i]),
    exact: sample.exact,
    facts,
    lo: lo0 - step * 0.2,
    hi: hi0 + step * 0.2,
    step,
    pushes: (j) => pushes[j],
    values: valuesOf,
    shades: (j) => {
      const column = rows.meta.columns[j];
      if (column.kind === "categorical" && !column.ordered) return new Int8Array(keep.length).fill(-1);
      return Int8Array.from(ranks(valuesOf(j), true), (r) => (Number.isNaN(r) ? -1 : Math.min(3, Math.floor(r * 4))));
    },
  };
}

/** The world of a view, computed when it is first looked at. */
export function worldSignal(rows: Rows): ReadonlySignal<World | null> {
  return computed(() => {
    const sample = rows.sample.value;
    const loaded = rows.loaded.value;
    return sample && loaded ? worldOf(rows, sample) : null;
  });
}
