// Trees as plain objects, the plain way to evaluate them, and the packed form that views/page_model.py would give.

import { buildContainer } from "../src/parts/container";

export type Tree =
  | { value: number }
  | { column: number; threshold: number; missing: boolean; left: Tree; right: Tree }
  | { column: number; set: boolean[]; missing: boolean; unseen: boolean; left: Tree; right: Tree };

export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
}

export const normal = (next: () => number): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());

export interface Shape {
  trees: number;
  depth: number;
  /** Per column: how many categories, 0 for a number. */
  columns: number[];
  scale?: number;
}

export function growForest(next: () => number, { trees, depth, columns, scale = 0.3 }: Shape): Tree[] {
  const grow = (left: number): Tree => {
    if (left === 0 || (left < depth && next() < 0.15)) return { value: Math.fround(normal(next) * scale) };
    const column = Math.floor(next() * columns.length);
    const codes = columns[column] as number;
    const missing = next() < 0.5;
    const children = { left: grow(left - 1), right: grow(left - 1) };
    if (!codes) return { column, threshold: normal(next), missing, ...children };
    return { column, set: Array.from({ length: codes }, () => next() < 0.5), missing, unseen: next() < 0.5, ...children };
  };
  return Array.from({ length: trees }, () => grow(depth));
}

export function randomRow(next: () => number, columns: number[]): Float64Array {
  return Float64Array.from(columns, (codes) => {
    if (next() < 0.1) return NaN;
    return codes ? Math.floor(next() * (codes + 2)) - 1 : normal(next);
  });
}

/** The sum of the leaves that a row reaches, the plain way. */
export function plainMargin(trees: Tree[], row: ArrayLike<number>): number {
  let sum = 0;
  for (let node of trees) {
    while (!("value" in node)) {
      const x = row[node.column] as number;
      let left: boolean;
      if (Number.isNaN(x)) left = node.missing;
      else if ("threshold" in node) left = x <= node.threshold;
      else left = x < 0 || x >= node.set.length ? node.unseen : (node.set[x] as boolean);
      node = left ? node.left : node.right;
    }
    sum += node.value;
  }
  return sum;
}

const shuffle = (bytes: Uint8Array, size: number): Uint8Array => {
  const count = bytes.length / size;
  return Uint8Array.from({ length: bytes.length }, (_, i) => bytes[(i % count) * size + Math.floor(i / count)] as number);
};
const bits = (flags: boolean[]): number[] => {
  const out = new Array<number>(Math.ceil(flags.length / 8)).fill(0);
  flags.forEach((flag, i) => flag && (out[i >> 3]! |= 1 << (i & 7)));
  return out;
};

/** The `model` table of single-output trees. */
export function packForest(trees: Tree[], columns: number[], link: string, base = 0): Uint8Array {
  const flat: Tree[] = [];
  const visit = (node: Tree): void => {
    flat.push(node);
    if ("value" in node) return;
    visit(node.left);
    visit(node.right);
  };
  trees.forEach(visit);
  const used = [...new Set(flat.flatMap((n) => ("value" in n ? [] : [n.column])))].sort((a, b) => a - b);
  const cuts = new Map<number, number[]>();
  const sets = new Map<number, string[]>();
  const nodes: number[] = [];
  const ranks: number[] = [];
  const missing: boolean[] = [];
  for (const column of used) {
    const here = flat.filter((n) => !("value" in n) && n.column === column);
    cuts.set(column, [...new Set(here.flatMap((n) => ("threshold" in n ? [n.threshold] : [])))].sort((a, b) => a - b));
    sets.set(column, [...new Set(here.flatMap((n) => ("set" in n ? [bits([...n.set, n.missing, n.unseen]).join()] : [])))]);
  }
  const values: number[] = [];
  for (const n of flat) {
    nodes.push("value" in n ? 0 : 1 + used.indexOf(n.column));
    if ("value" in n) values.push(n.value);
    else if ("threshold" in n) {
      ranks.push(cuts.get(n.column)!.indexOf(n.threshold));
      missing.push(n.missing);
    } else ranks.push(sets.get(n.column)!.indexOf(bits([...n.set, n.missing, n.unseen]).join()));
  }
  const slots = used.map((c) => (columns[c] ? [c, 1, columns[c], sets.get(c)!.length] : [c, 0, cuts.get(c)!.length, 0]));
  const head = {
    version: 1, kind: "forest", features: columns.length, trees: trees.length, nodes: flat.length, base: [base], link,
    space: "margin", slots, node_bytes: 1, rank_bytes: 2, width: 1, total: null, values: "float32", error: 0,
  };
  const floats = (list: number[]): Uint8Array => new Uint8Array(Float64Array.from(list).buffer);
  return buildContainer(
    new Map<string, Uint8Array>([
      ["head", new TextEncoder().encode(JSON.stringify(head))],
      ["nodes", Uint8Array.from(nodes)],
      ["ranks", shuffle(new Uint8Array(Uint16Array.from(ranks).buffer), 2)],
      ["cuts", shuffle(floats(used.flatMap((c) => cuts.get(c)!)), 8)],
      ["sets", Uint8Array.from(used.flatMap((c) => sets.get(c)!.flatMap((s) => s.split(",").map(Number))))],
      ["missing", Uint8Array.from(bits(missing))],
      ["values", shuffle(new Uint8Array(Float32Array.from(values).buffer), 4)],
      ["tree_output", new Uint8Array(new Int16Array(trees.length).buffer)],
    ]),
  );
}

/** Interventional Shapley values by 2^d enumeration. */
export function bruteForce(answer: (row: Float64Array) => number, row: Float64Array, background: Float64Array[]): number[] {
  const d = row.length;
  const worth = new Float64Array(1 << d);
  for (let members = 0; members < worth.length; members++) {
    for (const z of background) worth[members]! += answer(z.map((v, j) => ((members >> j) & 1 ? (row[j] as number) : v))) / background.length;
  }
  const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1));
  return Array.from(row, (_, j) => {
    let value = 0;
    for (let members = 0; members < worth.length; members++) {
      if ((members >> j) & 1) continue;
      let size = 0;
      for (let left = members; left; left &= left - 1) size++;
      const share = (factorial(size) * factorial(d - size - 1)) / factorial(d);
      value += share * ((worth[members | (1 << j)] as number) - (worth[members] as number));
    }
    return value;
  });
}

export const sigmoid = (m: number): number => 1 / (1 + Math.exp(-m));
