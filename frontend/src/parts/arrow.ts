// Arrow IPC streams as typed columns, and the case table that grows as chunks arrive.

import { tableFromIPC } from "@uwdata/flechette";
import { type Bytes, aligned } from "./container";

export type Numbers =
  | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | Float32Array | Float64Array;

type NumbersType = { new (length: number): Numbers; readonly name: string };

/** The code of a missing category in a case table; an encoded row has NaN in its place. */
export const MISSING = -2;
/** The code of a category never seen; the same in an encoded row. */
export const UNSEEN = -1;

/** One Arrow table: columns by name. */
export class Table {
  constructor(
    readonly rows: number,
    private columns: Map<string, ArrayLike<unknown>>,
  ) {}

  get names(): string[] {
    return [...this.columns.keys()];
  }

  has(name: string): boolean {
    return this.columns.has(name);
  }

  /** A numeric column. A null is NaN. Throws RangeError when there is no such column. */
  numbers(name: string): Numbers {
    const column = this.raw(name);
    if (ArrayBuffer.isView(column) && !(column instanceof BigInt64Array) && !(column instanceof BigUint64Array)) {
      return column as unknown as Numbers;
    }
    return Float64Array.from(column as ArrayLike<number | bigint | null>, (v) => (v === null ? NaN : Number(v)));
  }

  /** A text column; a null is "". */
  strings(name: string): string[] {
    return Array.from(this.raw(name), (v) => (v == null ? "" : String(v)));
  }

  private raw(name: string): ArrayLike<unknown> {
    const column = this.columns.get(name);
    if (!column) throw new RangeError(`The table has no column "${name}", only ${this.names.join(", ")}.`);
    return column;
  }
}

/** Reads an Arrow IPC stream. */
export function readTable(data: Bytes): Table {
  const table = tableFromIPC(aligned(data) as Uint8Array<ArrayBuffer>, { useBigInt: false });
  const columns = new Map<string, ArrayLike<unknown>>();
  table.names.forEach((name, at) => {
    columns.set(String(name), table.getChildAt(at).toArray() as ArrayLike<unknown>);
  });
  return new Table(table.numRows, columns);
}

const RANK = [Int8Array, Uint8Array, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array] as const;

/** The narrowest type that holds every value of both. */
function wider(a: Numbers, b: Numbers): NumbersType {
  const [first, second] = [a, b].map((array) => RANK.findIndex((type) => array instanceof type)) as [number, number];
  if (first === second) return RANK[first] as unknown as NumbersType;
  const floating = Math.max(first, second) >= 6;
  if (floating && Math.min(first, second) >= 4) return Float64Array;
  if (floating) return RANK[Math.max(first, second)] as unknown as NumbersType;
  const signed = [first, second].some((rank) => rank % 2 === 0);
  const bits = Math.max(...[first, second].map((rank) => 8 * 2 ** (rank >> 1) + (signed && rank % 2 ? 1 : 0)));
  if (bits > 32) return Float64Array;
  const size = bits > 16 ? 4 : bits > 8 ? 2 : 0;
  return RANK[size + (signed ? 0 : 1)] as unknown as NumbersType;
}

/** All cases that have arrived: columns `f0..fK-1` and the rest, in row order, in the types they came in. */
export class CaseTable {
  /** How many rows have arrived. */
  loaded = 0;
  private columns = new Map<string, Numbers>();

  constructor(
    /** How many rows there will be. */
    readonly rows: number,
    /** Which columns hold category codes. */
    readonly categorical: boolean[],
  ) {}

  /** Puts a chunk at rows start... ; chunks may come in any order. */
  put(start: number, table: Table): void {
    for (const name of table.names) {
      const part = table.numbers(name);
      let whole = this.columns.get(name);
      if (!whole) {
        whole = new (part.constructor as NumbersType)(this.rows);
        this.columns.set(name, whole);
      } else if (whole.constructor !== part.constructor) {
        const type = wider(whole, part);
        if (type !== (whole.constructor as unknown)) {
          const copy = new type(this.rows);
          copy.set(whole);
          this.columns.set(name, (whole = copy));
        }
      }
      whole.set(part, start);
    }
    this.loaded = Math.max(this.loaded, start + table.rows);
  }

  has(name: string): boolean {
    return this.columns.has(name);
  }

  /** A whole column, all `rows` long; rows that have not arrived are 0. */
  column(name: string): Numbers {
    const column = this.columns.get(name);
    if (!column) throw new RangeError(`The cases have no column "${name}".`);
    return column;
  }

  /** The feature columns in order. */
  features(): Numbers[] {
    return this.categorical.map((_, j) => this.column(`f${j}`));
  }

  /** The encoded value of column j at a row: NaN is missing, -1 a category never seen. */
  value(row: number, j: number): number {
    const raw = this.columns.get(`f${j}`)?.[row] ?? NaN;
    return this.categorical[j] && raw === MISSING ? NaN : raw;
  }

  /** The encoded row. */
  row(row: number): Float64Array {
    return Float64Array.from(this.categorical, (_, j) => this.value(row, j));
  }
}

/** An encoded float64 matrix, row-major, of the columns f0.. of a table (the background, say). */
export function encodedMatrix(table: Table, categorical: boolean[]): Float64Array {
  const width = categorical.length;
  const out = new Float64Array(table.rows * width);
  categorical.forEach((isCategory, j) => {
    const column = table.numbers(`f${j}`);
    for (let i = 0; i < table.rows; i++) {
      const raw = column[i] as number;
      out[i * width + j] = isCategory && raw === MISSING ? NaN : raw;
    }
  });
  return out;
}
