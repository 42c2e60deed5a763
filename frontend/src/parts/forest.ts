// A tree ensemble in the page: decodes the streams of views/page_model.py and routes rows exactly as core/forest.py does.
// A row becomes one small integer (a bin) per slot, a column tested in one way: how many cut points lie below a number, or
// the place of a category in the slot's sets. A node then compares two integers or looks up one byte.

import type { Link } from "./types";
import { type CaseTable, MISSING, type Numbers } from "./arrow";
import { ForestGame } from "./forest-game";
import type { Game, Packed, RawModel } from "./page-model";

const ROWS_A_BLOCK = 256;
const NODES_A_STEP = 1 << 16;
const NAN_BIN = -1;

interface Slot {
  column: number;
  category: boolean;
  /** Cut points, ascending; none for categories. */
  cuts: Float64Array;
  /** Categories; then come missing and unseen. */
  codes: number;
  /** Where its sets begin in `sets`, one byte a category. */
  start: number;
}

export class ForestModel implements RawModel {
  readonly kind = "forest";
  readonly features: number;
  readonly marginOutputs: number;
  readonly link: Link;
  readonly space: string;
  readonly error: number;
  readonly base: Float64Array;
  readonly slots: Slot[];
  /** Four words a node: slot (or -1 - leaf), low, span (or -1: a category node, low is its set), right child. */
  readonly nodes: Int32Array;
  readonly roots: Int32Array;
  /** Category sets, one byte a place: 1 goes left. */
  readonly sets: Uint8Array;
  /** Leaf values, `width` a leaf. */
  readonly values: Float64Array;
  readonly width: number;
  /** The output a tree adds to; -1 when its leaves hold a value for every output. */
  readonly treeOutput: Int16Array;
  private treesOf: Int32Array[];
  private slotsOf: number[][];
  private bins: Int32Array;

  constructor(packed: Packed) {
    const { head, streams } = packed;
    this.features = head["features"] as number;
    this.base = Float64Array.from(head["base"] as number[]);
    this.marginOutputs = this.base.length;
    this.link = head["link"] as Link;
    this.space = head["space"] as string;
    this.error = head["error"] as number;
    this.width = head["width"] as number;
    this.treeOutput = new Int16Array(planes(streams.get("tree_output"), 1).buffer);
    const { slots, sets } = readSlots(head["slots"] as number[][], streams);
    this.slots = slots;
    this.sets = sets;
    const { nodes, roots, treesOf } = readNodes(packed, slots);
    this.nodes = nodes;
    this.roots = roots;
    this.treesOf = treesOf;
    this.values = readValues(head, streams);
    this.slotsOf = Array.from({ length: this.features }, () => []);
    slots.forEach((slot, at) => this.slotsOf[slot.column]?.push(at));
    this.bins = new Int32Array(slots.length);
  }

  /** The bin of a value in a slot. */
  bin(slot: Slot, x: number): number {
    if (slot.category) {
      if (x !== x) return slot.codes;
      return x < 0 || x >= slot.codes ? slot.codes + 1 : Math.trunc(x);
    }
    return x !== x ? NAN_BIN : lowerBound(slot.cuts, x);
  }

  /** Bins of an encoded row, one per slot. */
  encode(row: ArrayLike<number>, out: Int32Array, at = 0): Int32Array {
    this.slots.forEach((slot, s) => {
      out[at + s] = this.bin(slot, row[slot.column] as number);
    });
    return out;
  }

  /** Whether some tree tests the column. */
  uses(column: number): boolean {
    return (this.slotsOf[column]?.length ?? 0) > 0;
  }

  /** The trees that test the column. */
  trees(column: number): Int32Array {
    return this.treesOf[column] ?? new Int32Array(0);
  }

  /** Where the slots of a column are. */
  slotNumbers(column: number): readonly number[] {
    return this.slotsOf[column] ?? [];
  }

  /** The leaf that bins (from `at`) reach in a tree. */
  leaf(tree: number, bins: Int32Array, at = 0): number {
    const { nodes, sets } = this;
    let n = this.roots[tree] as number;
    for (;;) {
      const slot = nodes[n] as number;
      if (slot < 0) return -1 - slot;
      const bin = bins[at + slot] as number;
      const low = nodes[n + 1] as number;
      const span = nodes[n + 2] as number;
      const left = span < 0 ? sets[low + bin] === 1 : (bin - low) >>> 0 <= span;
      n = left ? n + 4 : (nodes[n + 3] as number);
    }
  }

  /** Adds a leaf's values, `sign` times, to the margins from `at`. */
  add(tree: number, leaf: number, sign: number, out: Float64Array, at = 0): void {
    const { width, values } = this;
    const first = at + Math.max(this.treeOutput[tree] as number, 0);
    for (let k = 0; k < width; k++) out[first + k] = (out[first + k] as number) + sign * (values[leaf * width + k] as number);
  }

  margins(row: ArrayLike<number>, out: Float64Array): Float64Array {
    const bins = this.encode(row, this.bins);
    out.set(this.base);
    for (let tree = 0; tree < this.roots.length; tree++) this.add(tree, this.leaf(tree, bins), 1, out);
    return out;
  }

  curve(row: ArrayLike<number>, column: number, grid: ArrayLike<number>, out: Float64Array): Float64Array {
    const width = this.marginOutputs;
    const bins = this.encode(row, this.bins);
    const own = this.trees(column);
    const tests = new Uint8Array(this.roots.length);
    for (const tree of own) tests[tree] = 1;
    const rest = this.base.slice();
    for (let tree = 0; tree < tests.length; tree++) if (!tests[tree]) this.add(tree, this.leaf(tree, bins), 1, rest);
    const places = this.slotNumbers(column);
    const known = new Map<string, number>();
    for (let g = 0; g < grid.length; g++) {
      const at = g * width;
      const here = places.map((s) => (bins[s] = this.bin(this.slots[s] as Slot, grid[g] as number)));
      const key = here.join();
      const before = known.get(key);
      if (before !== undefined) {
        out.copyWithin(at, before, before + width);
        continue;
      }
      known.set(key, at);
      out.set(rest, at);
      for (const tree of own) this.add(tree, this.leaf(tree, bins), 1, out, at);
    }
    return out;
  }

  *batch(cases: CaseTable, rows: number, out: Float64Array): Iterator<unknown, void> {
    const count = this.slots.length;
    const { marginOutputs } = this;
    const coders = this.slots.map((slot) => this.coder(slot, cases.column(`f${slot.column}`), cases.categorical[slot.column] === true));
    const block = new Int32Array(ROWS_A_BLOCK * count);
    for (let start = 0; start < rows; start += ROWS_A_BLOCK) {
      const size = Math.min(ROWS_A_BLOCK, rows - start);
      coders.forEach((code, s) => {
        for (let i = 0; i < size; i++) block[i * count + s] = code(start + i);
      });
      for (let i = 0; i < size; i++) out.set(this.base, (start + i) * marginOutputs);
      let work = 0;
      for (let tree = 0; tree < this.roots.length; tree++) {
        for (let i = 0; i < size; i++) this.add(tree, this.leaf(tree, block, i * count), 1, out, (start + i) * marginOutputs);
        work += size * 8;
        if (work > NODES_A_STEP) {
          work = 0;
          yield;
        }
      }
      yield;
    }
  }

  game(row: ArrayLike<number>, background: Float64Array): Game {
    return new ForestGame(this, row, background);
  }

  /** Bins of a case-table column by row; small integers through a table. */
  private coder(slot: Slot, column: Numbers, codes: boolean): (row: number) => number {
    const value = (raw: number): number => this.bin(slot, codes && raw === MISSING ? NaN : raw);
    if (column.BYTES_PER_ELEMENT > 2) return (row) => value(column[row] as number);
    const shift = column instanceof Int8Array ? 128 : column instanceof Int16Array ? 32768 : 0;
    const table = new Int32Array(column.BYTES_PER_ELEMENT === 1 ? 256 : 65536);
    for (let at = 0; at < table.length; at++) table[at] = value(at - shift);
    return (row) => table[(column[row] as number) + shift] as number;
  }
}

/** How many of the ascending cuts lie below x. */
function lowerBound(cuts: Float64Array, x: number): number {
  let low = 0;
  let high = cuts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((cuts[middle] as number) < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Bytes of numbers of `size` bytes, put together from their byte planes. */
function planes(bytes: Uint8Array | undefined, size: number): Uint8Array<ArrayBuffer> {
  const given = bytes ?? new Uint8Array(0);
  const count = given.length / size;
  const out = new Uint8Array(given.length);
  for (let plane = 0; plane < size; plane++) {
    for (let i = 0; i < count; i++) out[i * size + plane] = given[plane * count + i] as number;
  }
  return out;
}

function unsigned(bytes: Uint8Array | undefined, size: number): Uint8Array | Uint16Array | Uint32Array {
  const { buffer } = planes(bytes, size);
  return size === 1 ? new Uint8Array(buffer) : size === 2 ? new Uint16Array(buffer) : new Uint32Array(buffer);
}

function readSlots(table: number[][], streams: Map<string, Uint8Array>): { slots: Slot[]; sets: Uint8Array } {
  const cuts = new Float64Array(planes(streams.get("cuts"), 8).buffer);
  const packed = streams.get("sets") ?? new Uint8Array(0);
  const sets = new Uint8Array(table.reduce((sum, [, category, size, count]) => sum + (category ? (size! + 2) * count! : 0), 0));
  let cut = 0;
  let from = 0;
  let to = 0;
  const slots = table.map(([column = 0, category = 0, size = 0, count = 0]): Slot => {
    if (!category) {
      cut += size;
      return { column, category: false, cuts: cuts.subarray(cut - size, cut), codes: 0, start: 0 };
    }
    const start = to;
    for (let set = 0; set < count; set++) {
      for (let place = 0; place < size + 2; place++) sets[to++] = ((packed[from + (place >> 3)] as number) >> (place & 7)) & 1;
      from += Math.ceil((size + 2) / 8);
    }
    return { column, category: true, cuts: new Float64Array(0), codes: size, start };
  });
  return { slots, sets };
}

function readNodes({ head, streams }: Packed, slots: Slot[]) {
  const codes = unsigned(streams.get("nodes"), head["node_bytes"] as number);
  const ranks = unsigned(streams.get("ranks"), head["rank_bytes"] as number);
  const missing = streams.get("missing") ?? new Uint8Array(0);
  const nodes = new Int32Array(codes.length * 4);
  const roots = new Int32Array(head["trees"] as number);
  const tested = Array.from({ length: head["features"] as number }, (): number[] => []);
  const open: number[] = []; // inner nodes whose right child has not come yet
  let leaf = 0;
  let inner = 0;
  let numeric = 0;
  let tree = 0;
  let waiting = 0; // nodes of this tree still to come
  for (let at = 0; at < codes.length; at++) {
    const n = at * 4;
    if (waiting === 0) {
      roots[tree++] = n;
      waiting = 1;
    }
    waiting--;
    const code = codes[at] as number;
    if (code === 0) {
      nodes[n] = -1 - leaf++;
      const parent = open.pop();
      if (parent !== undefined) nodes[parent + 3] = n + 4;
      continue;
    }
    waiting += 2;
    open.push(n);
    const slot = slots[code - 1] as Slot;
    const rank = ranks[inner++] as number;
    nodes[n] = code - 1;
    if (slot.category) {
      nodes[n + 1] = slot.start + rank * (slot.codes + 2);
      nodes[n + 2] = -1;
    } else {
      const left = ((missing[numeric >> 3] as number) >> (numeric & 7)) & 1;
      numeric++;
      nodes[n + 1] = -left; // NaN is bin -1: inside the span only where missing goes left
      nodes[n + 2] = rank + left;
    }
    const known = tested[slot.column] as number[];
    if (known[known.length - 1] !== tree - 1) known.push(tree - 1);
  }
  if (tree !== roots.length || waiting !== 0) throw new RangeError("The trees of the model are cut off.");
  return { nodes, roots, treesOf: tested.map((trees) => Int32Array.from(trees)) };
}

function readValues(head: Packed["head"], streams: Map<string, Uint8Array>): Float64Array {
  const bytes = streams.get("values");
  const how = head["values"] as string;
  let given: ArrayLike<number>;
  if (how === "float32") given = new Float32Array(planes(bytes, 4).buffer);
  else given = new Float64Array(planes(bytes, 8).buffer);
  if (how === "distinct") {
    const table = given;
    given = Float64Array.from(unsigned(streams.get("index"), head["index_bytes"] as number), (at) => table[at] as number);
  }
  const total = head["total"] as number | null;
  if (total === null) return Float64Array.from(given);
  // All outputs of a leaf add up to `total`, so the first one was left out.
  const width = head["width"] as number;
  const leaves = given.length / (width - 1);
  const out = new Float64Array(leaves * width);
  for (let leaf = 0; leaf < leaves; leaf++) {
    let rest = total;
    for (let k = 1; k < width; k++) {
      const value = given[leaf * (width - 1) + k - 1] as number;
      out[leaf * width + k] = value;
      rest -= value;
    }
    out[leaf * width] = rest;
  }
  return out;
}
