/** Which cases the list shows, and in which order: pure functions over columns. */

export type FilterName = "all" | "wrong" | "near" | "high";
export type SortName = "order" | "prediction" | "prediction-low" | "error";

export interface Column0 {
  /** How a person reads the value. */
  write(value: number): string;
  value(row: number): number;
  readonly numeric: boolean;
}

export interface Judged {
  readonly count: number;
  readonly p: ArrayLike<number>;
  readonly y: ArrayLike<number>;
  readonly regression: boolean;
  /** Decision line, or the average where there is none. */
  readonly line: number;
  /** 1 where a classifier's answer differs from the recorded outcome; regression: among the tenth with the largest error. */
  readonly wrong: Uint8Array;
  /** How close to the line counts as near. */
  readonly near: number;
}

/** The tenth of the rows with the largest error; rows without an outcome never count. */
export function largestErrors(p: ArrayLike<number>, y: ArrayLike<number>, count: number): Uint8Array {
  const out = new Uint8Array(count);
  const errors: number[] = [];
  for (let i = 0; i < count; i += 1) {
    const e = Math.abs((p[i] as number) - (y[i] as number));
    if (!Number.isNaN(e)) errors.push(e);
  }
  if (errors.length < 2) return out;
  const sorted = Float64Array.from(errors).sort();
  const cut = sorted[Math.floor(sorted.length * 0.9)] as number;
  if (!(cut > 0)) return out;
  for (let i = 0; i < count; i += 1) if (Math.abs((p[i] as number) - (y[i] as number)) >= cut) out[i] = 1;
  return out;
}

export function passes(data: Judged, filter: FilterName, row: number): boolean {
  const p = data.p[row] as number;
  if (filter === "wrong") return data.wrong[row] === 1;
  if (filter === "near") return Math.abs(p - data.line) < data.near;
  if (filter === "high") return p >= data.line;
  return true;
}

export function countAll(data: Judged): Record<FilterName, number> {
  const out = { all: data.count, wrong: 0, near: 0, high: 0 };
  for (let i = 0; i < data.count; i += 1) {
    const p = data.p[i] as number;
    if (data.wrong[i] === 1) out.wrong += 1;
    if (Math.abs(p - data.line) < data.near) out.near += 1;
    if (p >= data.line) out.high += 1;
  }
  return out;
}

/** The words of a search: split at blanks and commas, lower case. */
export function words(query: string): string[] {
  return query.toLowerCase().split(/[\s,]+/).filter(Boolean);
}

/** A test per word; every value is looked at once per distinct value, so 100,000 rows stay within a frame. */
export function wordTest(word: string, columns: readonly Column0[]): (row: number) => boolean {
  if (word.startsWith("#")) {
    const id = word.slice(1);
    return (row) => String(row).startsWith(id) && id !== "";
  }
  const bare = word.replace(/[$€£%]/g, "");
  const seen = columns.map(() => new Map<number, boolean>());
  const hit = (column: Column0, value: number): boolean => {
    const text = column.write(value).toLowerCase();
    if (!column.numeric || Number.isNaN(value)) return text.includes(word);
    return bare !== "" && (text.replace(/,/g, "").replace(/[^0-9.\u2212-].*$/, "").replace(/^[^0-9\u2212-]+/, "") === bare || String(value) === bare);
  };
  return (row) => {
    for (let j = 0; j < columns.length; j += 1) {
      const column = columns[j] as Column0;
      const value = column.value(row);
      const memo = seen[j] as Map<number, boolean>;
      let yes = memo.get(value);
      if (yes === undefined) {
        yes = hit(column, value);
        memo.set(value, yes);
      }
      if (yes) return true;
    }
    return false;
  };
}

export interface Wanted {
  readonly filter: FilterName;
  readonly query: string;
  readonly sort: SortName;
  /** 1 for rows inside the brush or the selection; null when nothing is selected. */
  readonly mask: Uint8Array | null;
}

/** Row ids that pass everything, in the order asked for. */
export function pick(data: Judged, columns: readonly Column0[], wanted: Wanted): Int32Array {
  const tests = words(wanted.query).map((word) => wordTest(word, columns));
  const out = new Int32Array(data.count);
  let n = 0;
  for (let i = 0; i < data.count; i += 1) {
    if (wanted.mask && wanted.mask[i] !== 1) continue;
    if (!passes(data, wanted.filter, i)) continue;
    if (tests.length && !tests.every((test) => test(i))) continue;
    out[n] = i;
    n += 1;
  }
  return sortRows(data, out.slice(0, n), wanted.sort);
}

function sortRows(data: Judged, rows: Int32Array, sort: SortName): Int32Array {
  if (sort === "order") return rows;
  const p = data.p;
  const key = (i: number): number => {
    const v = sort === "error" ? -Math.abs((p[i] as number) - (data.y[i] as number)) : sort === "prediction-low" ? (p[i] as number) : -(p[i] as number);
    return Number.isNaN(v) ? Infinity : v;
  };
  const keys = new Float64Array(data.count);
  for (const i of rows) keys[i] = key(i);
  return rows.sort((a, b) => (keys[a] as number) - (keys[b] as number) || a - b);
}

export function maskOf(ids: Iterable<number>, count: number): Uint8Array {
  const mask = new Uint8Array(count);
  for (const id of ids) if (id >= 0 && id < count) mask[id] = 1;
  return mask;
}
