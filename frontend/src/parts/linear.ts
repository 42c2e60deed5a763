// A linear or generalised linear model in the page: the twin of Linear in core/forest.py.

import type { Link } from "./types";
import type { CaseTable } from "./arrow";
import type { Game, Packed, RawModel } from "./page-model";

const ROWS_A_STEP = 4096;

const floats = (bytes: Uint8Array | undefined): Float64Array =>
  bytes ? new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8) : new Float64Array(0);

export class LinearModel implements RawModel {
  readonly kind = "linear";
  readonly features: number;
  readonly marginOutputs: number;
  readonly link: Link;
  readonly space: string;
  readonly error = 0;
  private intercept: number[];
  private coefficients: Float64Array;
  private missing: Float64Array;
  private tables = new Map<number, { count: number; values: Float64Array }>();

  constructor({ head, streams }: Packed) {
    this.features = head["features"] as number;
    this.intercept = head["intercept"] as number[];
    this.marginOutputs = this.intercept.length;
    this.link = head["link"] as Link;
    this.space = head["space"] as string;
    this.coefficients = floats(streams.get("coefficients"));
    this.missing = floats(streams.get("missing"));
    const values = floats(streams.get("tables"));
    let at = 0;
    for (const [column, count] of head["tables"] as [number, number][]) {
      const size = this.marginOutputs * (count + 2);
      this.tables.set(column, { count, values: values.subarray(at, at + size) });
      at += size;
    }
  }

  /** What column j with value x adds to the margin of an output. */
  part(j: number, x: number, output: number): number {
    const table = this.tables.get(j);
    if (table) {
      const { count, values } = table;
      const code = Number.isNaN(x) ? count : x < 0 || x >= count ? count + 1 : Math.trunc(x);
      return values[output * (count + 2) + code] as number;
    }
    const weight = this.coefficients[output * this.features + j] as number;
    return weight * (Number.isNaN(x) ? (this.missing[j] as number) : x);
  }

  margins(row: ArrayLike<number>, out: Float64Array): Float64Array {
    for (let k = 0; k < this.marginOutputs; k++) {
      let sum = this.intercept[k] as number;
      for (let j = 0; j < this.features; j++) sum += this.part(j, row[j] as number, k);
      out[k] = sum;
    }
    return out;
  }

  curve(row: ArrayLike<number>, column: number, grid: ArrayLike<number>, out: Float64Array): Float64Array {
    const width = this.marginOutputs;
    const base = this.margins(row, new Float64Array(width));
    for (let g = 0; g < grid.length; g++) {
      for (let k = 0; k < width; k++) {
        const own = this.part(column, row[column] as number, k);
        out[g * width + k] = (base[k] as number) - own + this.part(column, grid[g] as number, k);
      }
    }
    return out;
  }

  *batch(cases: CaseTable, rows: number, out: Float64Array): Iterator<unknown, void> {
    const one = new Float64Array(this.marginOutputs);
    for (let i = 0; i < rows; i++) {
      out.set(this.margins(cases.row(i), one), i * this.marginOutputs);
      if (i % ROWS_A_STEP === ROWS_A_STEP - 1) yield;
    }
  }

  game(row: ArrayLike<number>, background: Float64Array): Game {
    return new LinearGame(this, row, background);
  }

  intercepts(): readonly number[] {
    return this.intercept;
  }
}

class LinearGame implements Game {
  private offset = 0;
  private players = new Int32Array(0);
  private own: boolean[] = [];

  constructor(
    private model: LinearModel,
    private row: ArrayLike<number>,
    private background: Float64Array,
  ) {}

  against(z: number): Int32Array {
    const { features } = this.model;
    this.offset = z * features;
    const differing: number[] = [];
    for (let j = 0; j < features; j++) if (!Object.is(this.row[j], this.background[this.offset + j])) differing.push(j);
    return (this.players = Int32Array.from(differing));
  }

  private parts(j: number, output: number): [number, number] {
    return [this.model.part(j, this.row[j] as number, output), this.model.part(j, this.background[this.offset + j] as number, output)];
  }

  margins(tables: Float64Array[]): void {
    tables.forEach((table, k) => {
      let sum = this.model.intercepts()[k] as number;
      for (let j = 0; j < this.model.features; j++) sum += this.parts(j, k)[1];
      table[0] = sum;
      this.players.forEach((j, bit) => {
        const [x, z] = this.parts(j, k);
        const half = 1 << bit;
        for (let at = 0; at < half; at++) table[at + half] = (table[at] as number) + x - z;
      });
    });
  }

  additive(output: number, out: Float64Array): void {
    for (const j of this.players) {
      const [x, z] = this.parts(j, output);
      out[j] = (out[j] as number) + x - z;
    }
  }

  start(from: boolean, out: Float64Array): void {
    this.own = Array.from({ length: this.model.features }, () => from);
    this.sum(out);
  }

  move(column: number, out: Float64Array): void {
    this.own[column] = !this.own[column];
    this.sum(out);
  }

  private sum(out: Float64Array): void {
    for (let k = 0; k < out.length; k++) {
      let sum = this.model.intercepts()[k] as number;
      for (let j = 0; j < this.model.features; j++) sum += this.parts(j, k)[this.own[j] ? 0 : 1];
      out[k] = sum;
    }
  }
}
