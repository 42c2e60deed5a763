// Curves that were computed before the view was frozen: a coarse grid a column, one byte a point, each but the first as the
// difference to the one before, modulo 256.

import { type Numbers, readTable } from "../../parts/arrow";
import type { Curve } from "./answers";
import type { Rows } from "./rows";

interface About {
  low: number;
  step: number;
  grids: number[][];
}

export class SavedCurves {
  private constructor(
    private about: About,
    private columns: Numbers[][],
  ) {}

  /** The saved curves, null when none came. */
  static async load(rows: Rows): Promise<SavedCurves | null> {
    const about = (rows.meta as { curves?: About }).curves;
    const bytes = about ? await rows.fetch("curves") : null;
    if (!about || !bytes) return null;
    const table = readTable(bytes);
    const columns = about.grids.map((grid, j) => summed(grid.map((_, i) => table.numbers(`c${j}_${i}`))));
    return new SavedCurves(about, columns);
  }

  /** Curves of a row by column; the rows are those of the case table. */
  of(rows: Rows, at: number): Map<number, Curve> {
    const out = new Map<number, Curve>();
    if (at < 0) return out;
    const { low, step, grids } = this.about;
    grids.forEach((stops, j) => {
      if (!stops.length) return;
      const { kind, ordered } = rows.meta.columns[j];
      const middle = (stops[Math.floor(stops.length / 2)] - stops[0]) / (stops[stops.length - 1] - stops[0] || 1);
      const steps = kind === "categorical" && !ordered;
      const axis = { stops, steps, byRank: kind === "categorical" || middle < 0.12 || middle > 0.88, lo: stops[0], hi: stops[stops.length - 1] };
      out.set(j, { axis, values: Float64Array.from(this.columns[j], (c) => low + step * c[at]), missing: NaN });
    });
    return out;
  }
}

function summed(differences: Numbers[]): Numbers[] {
  const out: Numbers[] = [];
  for (const column of differences) {
    const before = out[out.length - 1];
    out.push(before ? Uint8Array.from(column, (d, row) => before[row] + d) : column);
  }
  return out;
}
