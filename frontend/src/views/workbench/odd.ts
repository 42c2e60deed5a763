// What-ifs that nobody was ever seen in: an edited category beside another that no row has together with it.

import type { Meta } from "../../parts/types";
import type { Rows } from "./rows";

const ENOUGH = 500;
/** Rows that would have both if the two had nothing to do with each other; below it, rarity explains the absence. */
const EXPECTED = 3;

/** The first such pair of columns, or null. */
export function neverTogether(rows: Rows, meta: Meta, row: Float64Array, edited: readonly number[]): [number, number] | null {
  const n = rows.loaded.peek();
  const categories = meta.columns.map((c, j) => (c.kind === "categorical" ? j : -1)).filter((j) => j >= 0);
  const changed = edited.filter((j) => categories.includes(j) && row[j] >= 0);
  if (n < ENOUGH || !changed.length) return null;
  for (const a of changed) {
    const codes = rows.table.column(`f${a}`);
    const holders: number[] = [];
    for (let i = 0; i < n; i += 1) if (codes[i] === row[a]) holders.push(i);
    for (const b of categories) {
      if (b === a || !(row[b] >= 0)) continue;
      const other = rows.table.column(`f${b}`);
      if (holders.some((i) => other[i] === row[b])) continue;
      let all = 0;
      for (let i = 0; i < n; i += 1) if (other[i] === row[b]) all += 1;
      if ((holders.length * all) / n >= EXPECTED) return [a, b];
    }
  }
  return null;
}
