// What-ifs that nobody was ever seen in: an edited category beside another that no row has together with it.

import type { Meta } from "../../bridge/types";
import type { Rows } from "./rows";

const ENOUGH = 500;

/** The first such pair of columns, or null. Values that are rare on their own are not blamed on the pair. */
export function neverTogether(rows: Rows, meta: Meta, row: Float64Array, edited: readonly number[]): [number, number] | null {
  const n = rows.loaded.peek();
  if (n < ENOUGH) return null;
  const categories = meta.columns.map((c, j) => (c.kind === "categorical" ? j : -1)).filter((j) => j >= 0);
  for (const a of edited.filter((j) => categories.includes(j))) {
    const holders: number[] = [];
    for (let i = 0; i < n; i += 1) if (rows.table.value(i, a) === row[a]) holders.push(i);
    if (!holders.length) continue;
    for (const b of categories) {
      if (b === a || Number.isNaN(row[b])) continue;
      if (holders.some((i) => rows.table.value(i, b) === row[b])) continue;
      if (expected(rows, n, holders.length, b, row[b]) >= 3) return [a, b];
    }
  }
  return null;
}

/** How many rows would have both if the two had nothing to do with each other. */
function expected(rows: Rows, n: number, holders: number, column: number, value: number): number {
  let others = 0;
  for (let i = 0; i < n; i += 1) if (rows.table.value(i, column) === value) others += 1;
  return (holders * others) / n;
}
