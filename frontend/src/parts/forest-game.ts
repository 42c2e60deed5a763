// Two rows against each other in a forest. Where both go the same way at a node, every mixture of them does; elsewhere the
// walk splits and remembers the columns that must be the row's own (S) and those that must be the background's (T). A leaf
// adds its value to all coalitions that hold S and nothing of T: in the Moebius basis (-1)^|U| at S + U for every U in T.

import type { ForestModel } from "./forest";
import type { Game } from "./page-model";

/** Most columns in which a row may differ from a background row for `margins`: 2^this coalitions. */
export const MOST_COLUMNS = 18;

const OWN = 1;
const OTHER = 2;

const weights = new Map<number, number>();
/** inside! outside! / (inside + outside + 1)! */
function weight(inside: number, outside: number): number {
  const key = inside * 4096 + outside;
  let known = weights.get(key);
  if (known === undefined) {
    known = 1 / (inside + outside + 1);
    for (let i = 1; i <= outside; i++) known *= i / (inside + i);
    weights.set(key, known);
  }
  return known;
}

export class ForestGame implements Game {
  private slots: number;
  private own: Int32Array;
  private other: Int32Array;
  private mixed: Int32Array;
  private away: Int32Array;
  private players = new Int32Array(0);
  /** Per slot: 1 + place among the players; 0 where both rows have the same bin. */
  private player: Int32Array;
  private leaves: Int32Array;
  private sums: Float64Array;
  private side = new Uint8Array(0);
  /** Of each player, whose value the walk has settled on: 0 nobody's yet, OWN or OTHER. */
  private marks = new Uint8Array(0);
  private must: number[] = [];
  private never: number[] = [];

  constructor(
    private model: ForestModel,
    row: ArrayLike<number>,
    background: Float64Array,
  ) {
    this.slots = model.slots.length;
    this.own = model.encode(row, new Int32Array(this.slots));
    const rows = background.length / model.features;
    this.away = new Int32Array(rows * this.slots);
    for (let z = 0; z < rows; z++) {
      model.encode(background.subarray(z * model.features, (z + 1) * model.features), this.away, z * this.slots);
    }
    this.other = new Int32Array(this.slots);
    this.mixed = new Int32Array(this.slots);
    this.player = new Int32Array(this.slots);
    this.leaves = new Int32Array(model.roots.length);
    this.sums = new Float64Array(model.marginOutputs);
  }

  against(z: number): Int32Array {
    const { slots } = this.model;
    this.other = this.away.subarray(z * this.slots, (z + 1) * this.slots);
    const place = new Map<number, number>();
    for (let s = 0; s < this.slots; s++) {
      this.player[s] = 0;
      if (this.own[s] === this.other[s]) continue;
      const column = slots[s]!.column;
      if (!place.has(column)) place.set(column, place.size);
      this.player[s] = 1 + (place.get(column) as number);
    }
    this.players = Int32Array.from(place.keys());
    if (this.marks.length < this.players.length) this.marks = new Uint8Array(this.players.length);
    return this.players;
  }

  margins(tables: Float64Array[]): void {
    const size = 1 << this.players.length;
    const { model } = this;
    tables.forEach((table, k) => {
      table.fill(0, 0, size);
      table[0] = model.base[k] as number;
    });
    const { width, values, treeOutput } = model;
    this.walk((tree, leaf, must, never) => {
      const first = Math.max(treeOutput[tree] as number, 0);
      for (let k = 0; k < width; k++) {
        const table = tables[first + k];
        if (table) spread(table, must, never, values[leaf * width + k] as number);
      }
    });
    for (const table of tables) sumSubsets(table, size);
  }

  additive(output: number, out: Float64Array): void {
    const { roots, treeOutput, width } = this.model;
    this.marks.fill(0);
    for (let tree = 0; tree < roots.length; tree++) {
      const at = output - Math.max(treeOutput[tree] as number, 0);
      if (at >= 0 && at < width) this.descend(roots[tree] as number, at, out);
    }
  }

  /** The closed form: walks down, giving what each leaf adds to the columns that decide whether it is reached. */
  private descend(from: number, at: number, out: Float64Array): void {
    const { nodes, sets, values, width } = this.model;
    const { own, other, player, players, marks, must, never } = this;
    const before = must.length;
    let n = from;
    for (let slot = nodes[n] as number; slot >= 0; slot = nodes[n] as number) {
      const low = nodes[n + 1] as number;
      const span = nodes[n + 2] as number;
      const bin = own[slot] as number;
      let left = span < 0 ? sets[low + bin] === 1 : (bin - low) >>> 0 <= span;
      const place = (player[slot] as number) - 1;
      if (place >= 0 && marks[place] !== OWN) {
        const back = other[slot] as number;
        const away = span < 0 ? sets[low + back] === 1 : (back - low) >>> 0 <= span;
        if (marks[place] === OTHER) left = away;
        else if (left !== away) {
          marks[place] = OTHER;
          never.push(place);
          this.descend(away ? n + 4 : (nodes[n + 3] as number), at, out);
          never.pop();
          marks[place] = OWN;
          must.push(place);
        }
      }
      n = left ? n + 4 : (nodes[n + 3] as number);
    }
    const value = values[(-1 - (nodes[n] as number)) * width + at] as number;
    if (must.length) {
      const gain = value * weight(must.length - 1, never.length);
      for (const place of must) out[players[place] as number]! += gain;
    }
    if (never.length) {
      const loss = value * weight(must.length, never.length - 1);
      for (const place of never) out[players[place] as number]! -= loss;
    }
    while (must.length > before) marks[must.pop() as number] = 0;
  }

  start(from: boolean, out: Float64Array): void {
    const { model } = this;
    this.mixed.set(from ? this.own : this.other);
    this.side = new Uint8Array(model.features).fill(from ? 1 : 0);
    this.sums.set(model.base);
    for (let tree = 0; tree < this.leaves.length; tree++) {
      this.leaves[tree] = model.leaf(tree, this.mixed);
      model.add(tree, this.leaves[tree] as number, 1, this.sums);
    }
    out.set(this.sums);
  }

  move(column: number, out: Float64Array): void {
    const { model } = this;
    this.side[column] = 1 - (this.side[column] as number);
    const from = this.side[column] ? this.own : this.other;
    for (const s of model.slotNumbers(column)) this.mixed[s] = from[s] as number;
    for (const tree of model.trees(column)) {
      const before = this.leaves[tree] as number;
      const now = model.leaf(tree, this.mixed);
      if (now === before) continue;
      model.add(tree, before, -1, this.sums);
      model.add(tree, now, 1, this.sums);
      this.leaves[tree] = now;
    }
    out.set(this.sums);
  }

  /** Calls back with every leaf that some mixture of the two rows reaches. */
  private walk(found: (tree: number, leaf: number, must: number, never: number) => void): void {
    const { nodes, sets, roots } = this.model;
    const { own, other, player } = this;
    const stack = new Int32Array(3 * (this.players.length + 2));
    for (let tree = 0; tree < roots.length; tree++) {
      let height = 0;
      let n = roots[tree] as number;
      let must = 0;
      let never = 0;
      for (;;) {
        const slot = nodes[n] as number;
        if (slot < 0) {
          found(tree, -1 - slot, must, never);
          if (height === 0) break;
          height -= 3;
          n = stack[height] as number;
          must = stack[height + 1] as number;
          never = stack[height + 2] as number;
          continue;
        }
        const low = nodes[n + 1] as number;
        const span = nodes[n + 2] as number;
        const bin = own[slot] as number;
        let left = span < 0 ? sets[low + bin] === 1 : (bin - low) >>> 0 <= span;
        const place = player[slot] as number;
        if (place > 0) {
          const bit = 1 << (place - 1);
          if ((must & bit) === 0) {
            const back = other[slot] as number;
            const away = span < 0 ? sets[low + back] === 1 : (back - low) >>> 0 <= span;
            if ((never & bit) !== 0) left = away;
            else if (left !== away) {
              stack[height] = away ? n + 4 : (nodes[n + 3] as number);
              stack[height + 1] = must;
              stack[height + 2] = never | bit;
              height += 3;
              must |= bit;
            }
          }
        }
        n = left ? n + 4 : (nodes[n + 3] as number);
      }
    }
  }
}

/** Adds (-1)^|U| value at must + U for every U in never. */
function spread(table: Float64Array, must: number, never: number, value: number): void {
  if (never === 0) {
    table[must] = (table[must] as number) + value;
    return;
  }
  for (let subset = never; ; subset = (subset - 1) & never) {
    let odd = subset ^ (subset >> 16);
    odd ^= odd >> 8;
    odd ^= odd >> 4;
    odd ^= odd >> 2;
    odd ^= odd >> 1;
    const at = must | subset;
    table[at] = (table[at] as number) + (odd & 1 ? -value : value);
    if (subset === 0) return;
  }
}

/** In place: every entry becomes the sum over the subsets of its index. */
function sumSubsets(table: Float64Array, size: number): void {
  for (let half = 1; half < size; half *= 2) {
    for (let start = 0; start < size; start += 2 * half) {
      for (let at = start; at < start + half; at++) table[at + half] = (table[at + half] as number) + (table[at] as number);
    }
  }
}
