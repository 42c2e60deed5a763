// What a page can ask of a model that travelled with it (views/page_model.py), whatever kind it is.

import type { Link, Space } from "./types";
import type { CaseTable } from "./arrow";
import { type Bytes, parseContainer } from "./container";
import { ForestModel } from "./forest";
import { LinearModel } from "./linear";
import { type SliceOptions, inSlices } from "./calls";

/** The game of one row against background rows, for parts/shapley.ts. */
export interface Game {
  /** Puts background row z on the other side. Gives the columns in which it differs from the row, as the model sees them. */
  against(z: number): Int32Array;
  /** Margins of all coalitions of those columns (bit k: column k of them is the row's own), one table an output. */
  margins(tables: Float64Array[]): void;
  /** Adds to `out` (features) the exact Shapley values of the margin of one output. */
  additive(output: number, out: Float64Array): void;
  /** Starts a walk from the background row (or, `from` true, from the row) and gives the margins there. */
  start(from: boolean, out: Float64Array): void;
  /** Moves one of the columns to the other side and gives the margins there. */
  move(column: number, out: Float64Array): void;
}

/** A model in the page. Margins are the sums before the link, one per margin output; a binary classifier may have one. */
export interface RawModel {
  readonly kind: "forest" | "linear";
  readonly features: number;
  readonly marginOutputs: number;
  readonly link: Link;
  readonly space: string;
  /** The most by which a prediction here may differ from Python's, before float64 rounding. */
  readonly error: number;
  margins(row: ArrayLike<number>, out: Float64Array): Float64Array;
  /** Margins along the grid of one column, all else as in the row: out[g * marginOutputs + k]. */
  curve(row: ArrayLike<number>, column: number, grid: ArrayLike<number>, out: Float64Array): Float64Array;
  /** Margins of the first rows of a case table, in interruptible steps: out[i * marginOutputs + k]. */
  batch(cases: CaseTable, rows: number, out: Float64Array): Iterator<unknown, void>;
  game(row: ArrayLike<number>, background: Float64Array): Game;
}

const sigmoid = (m: number): number => 1 / (1 + Math.exp(-m));

/** A model in the page, speaking in the outputs that the view names. */
export class PageModel {
  private one: Float64Array;

  constructor(
    readonly raw: RawModel,
    /** How many outputs the view names; a binary classifier with one margin has two. */
    readonly outputs: number,
  ) {
    this.one = new Float64Array(raw.marginOutputs);
  }

  /** Whether the margin is of another scale than the prediction. */
  get hasMargin(): boolean {
    return this.raw.link !== "identity";
  }

  /** One margin stands for two outputs: the second one's, and its negative is the first one's. */
  get paired(): boolean {
    return this.raw.marginOutputs === 1 && this.outputs === 2;
  }

  /** Predictions of an encoded row, one per output. */
  predict(row: ArrayLike<number>): Float64Array {
    const margins = this.raw.margins(row, this.one);
    return Float64Array.from({ length: this.outputs }, (_, k) => this.through(margins, 0, k, "probability"));
  }

  /** One output of an encoded row. */
  predictOne(row: ArrayLike<number>, output: number, space: Space = "probability"): number {
    return this.through(this.raw.margins(row, this.one), 0, output, space);
  }

  /** One output along the grid of a column, all else as in the row. */
  curve(row: ArrayLike<number>, column: number, grid: ArrayLike<number>, output: number, space: Space = "probability"): Float64Array {
    const width = this.raw.marginOutputs;
    const margins = this.raw.curve(row, column, grid, new Float64Array(grid.length * width));
    return Float64Array.from({ length: grid.length }, (_, g) => this.through(margins, g * width, output, space));
  }

  /** One output of all rows of a case table that have arrived, in slices of a few ms. */
  async predictRows(cases: CaseTable, output: number, options: SliceOptions = {}): Promise<Float32Array> {
    const rows = cases.loaded;
    const width = this.raw.marginOutputs;
    const margins = new Float64Array(rows * width);
    await inSlices(this.raw.batch(cases, rows, margins), options);
    return Float32Array.from({ length: rows }, (_, i) => this.through(margins, i * width, output, "probability"));
  }

  /** One output from the margins that start at `at`. */
  through(margins: Float64Array, at: number, output: number, space: Space): number {
    const { link, marginOutputs } = this.raw;
    if (this.paired) {
      const m = margins[at] as number;
      const signed = output === 1 ? m : -m;
      if (link === "sigmoid") return space === "margin" ? signed : sigmoid(signed);
      return output === 1 || space === "margin" ? signed : 1 - m;
    }
    const m = margins[at + output] as number;
    if (space === "margin" || link === "identity") return m;
    if (link === "sigmoid") return sigmoid(m);
    if (link === "exp") return Math.exp(m);
    let top = -Infinity;
    for (let k = 0; k < marginOutputs; k++) top = Math.max(top, margins[at + k] as number);
    let total = 0;
    for (let k = 0; k < marginOutputs; k++) total += Math.exp((margins[at + k] as number) - top);
    return Math.exp(m - top) / total;
  }
}

/** The head and streams of a packed model. */
export interface Packed {
  head: { [key: string]: unknown };
  streams: Map<string, Uint8Array>;
}

/** Opens the `model` table. Throws RangeError when it is damaged or of another version. */
export function openModel(data: Bytes, outputs: number): PageModel {
  const streams = parseContainer(data);
  const head = JSON.parse(new TextDecoder().decode(streams.get("head"))) as Packed["head"];
  if (head["version"] !== 1) throw new RangeError(`The model has form ${String(head["version"])}; this page reads form 1.`);
  const packed = { head, streams };
  return new PageModel(head["kind"] === "linear" ? new LinearModel(packed) : new ForestModel(packed), outputs);
}
