import assert from "node:assert/strict";
import test from "node:test";
import { openModel } from "../src/parts/page-model";
import { pairsOf } from "../src/parts/pairs";
import { Explainer } from "../src/parts/shapley";
import { type Shape, growForest, packForest, random, randomRow } from "./support";

const small: Shape = { trees: 12, depth: 4, columns: [0, 5, 0, 3, 0, 9] };

function made(seed: number, shape: Shape, rows: number) {
  const next = random(seed);
  const model = openModel(packForest(growForest(next, shape), shape.columns, "sigmoid", -0.5), 2);
  const background = Array.from({ length: rows }, () => randomRow(next, shape.columns));
  const row = randomRow(next, shape.columns);
  return { model, background, row, explainer: new Explainer(model, Float64Array.from(background.flatMap((r) => Array.from(r)))) };
}

const count = (members: number): number => (members ? 1 + count(members & (members - 1)) : 0);
const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1));

/** The index by its definition: second differences over every coalition of the others. */
function byDefinition(answer: (row: Float64Array) => number, row: Float64Array, background: Float64Array[]): Float64Array {
  const d = row.length;
  const worth = Array.from({ length: 1 << d }, (_, members) => {
    const said = background.map((z) => answer(z.map((v, j) => ((members >> j) & 1 ? (row[j] as number) : v))));
    return said.reduce((a, b) => a + b, 0) / said.length;
  });
  const out = new Float64Array(d * d);
  for (let i = 0; i < d; i++) {
    for (let j = i + 1; j < d; j++) {
      for (let s = 0; s < worth.length; s++) {
        if ((s >> i) & 1 || (s >> j) & 1) continue;
        const share = (factorial(count(s)) * factorial(d - count(s) - 2)) / factorial(d - 1);
        const at = (members: number): number => worth[members] as number;
        out[i * d + j]! += share * (at(s | (1 << i) | (1 << j)) - at(s | (1 << i)) - at(s | (1 << j)) + at(s));
      }
    }
  }
  return out;
}

const gap = (a: ArrayLike<number>, b: ArrayLike<number>): number => Math.max(...Array.from(a, (v, k) => Math.abs(v - (b[k] as number))));

for (const space of ["probability", "margin"] as const) {
  for (const output of [0, 1]) {
    test(`pairs are those of the definition: ${space}, output ${output}`, async () => {
      const { model, background, row, explainer } = made(3, small, 9);
      const found = await pairsOf(explainer, row, { output, space });
      assert.ok(found);
      assert.ok(Math.max(...found.map(Math.abs)) > 1e-3);
      assert.ok(gap(found, byDefinition((r) => model.predictOne(r, output, space), row, background)) < 1e-12);
    });
  }
}

test("a background row left out is noticed", async () => {
  const { model, background, row, explainer } = made(3, small, 9);
  const found = await pairsOf(explainer, row, { output: 1, space: "probability" });
  assert.ok(found && gap(found, byDefinition((r) => model.predictOne(r, 1), row, background.slice(1))) > 1e-5);
});

test("too many coalitions are not begun", async () => {
  const { row, explainer } = made(6, { trees: 60, depth: 6, columns: new Array<number>(30).fill(0) }, 20);
  assert.equal(await pairsOf(explainer, row, { output: 1, space: "margin" }), null);
});

test("a wish withdrawn stops the work", async () => {
  const { row, explainer } = made(3, { ...small, trees: 400 }, 300);
  const stop = new AbortController();
  const late = pairsOf(explainer, row, { output: 1, space: "margin", signal: stop.signal, budget: 1 });
  stop.abort();
  await assert.rejects(late, { name: "AbortError" });
});
