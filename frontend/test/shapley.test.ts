import assert from "node:assert/strict";
import test from "node:test";
import { openModel } from "../src/parts/page-model";
import { type Explained, Explainer } from "../src/parts/shapley";
import { type Shape, bruteForce, growForest, packForest, random, randomRow } from "./support";

function made(seed: number, shape: Shape, rows: number, link = "sigmoid") {
  const next = random(seed);
  const model = openModel(packForest(growForest(next, shape), shape.columns, link, -0.5), link === "sigmoid" ? 2 : 1);
  const background = Array.from({ length: rows }, () => randomRow(next, shape.columns));
  const cases = Array.from({ length: 20 }, () => randomRow(next, shape.columns));
  const flat = Float64Array.from(background.flatMap((row) => Array.from(row)));
  return { model, background, cases, explainer: new Explainer(model, flat) };
}

const small: Shape = { trees: 12, depth: 4, columns: [0, 5, 0, 3, 0, 0, 9] };
const census: Shape = { trees: 100, depth: 5, columns: [0, 16, 14, 8, 0, 0, 0, 7, 6, 2, 5], scale: 0.15 };
const wide: Shape = { trees: 60, depth: 6, columns: new Array<number>(40).fill(0), scale: 0.3 };
const sum = (values: ArrayLike<number>): number => Array.prototype.reduce.call(values, (a, b) => (a as number) + (b as number), 0) as number;
const gap = (a: ArrayLike<number>, b: ArrayLike<number>): number => Math.max(...Array.from(a, (v, j) => Math.abs(v - (b[j] as number))));

for (const space of ["probability", "margin"] as const) {
  for (const output of [0, 1]) {
    test(`all background rows give brute force: ${space}, output ${output}`, () => {
      const { model, background, cases, explainer } = made(1, small, 12);
      for (const row of cases.slice(0, 3)) {
        const got = explainer.now(row, output, space);
        assert.ok(got.exact && got.errors === null);
        assert.ok(gap(got.values, bruteForce((r) => model.predictOne(r, output, space), row, background)) < 1e-12);
        assert.ok(Math.abs(got.base + sum(got.values) - got.prediction) < 1e-12);
      }
    });
  }
}

test("a background row left out is noticed", () => {
  const { model, background, cases, explainer } = made(1, small, 12);
  const row = cases[0] as Float64Array;
  assert.ok(gap(explainer.now(row, 1).values, bruteForce((r) => model.predictOne(r, 1), row, background.slice(1))) > 1e-4);
});

test("counts explained through exp", () => {
  const { model, background, cases, explainer } = made(2, small, 6, "exp");
  const row = cases[0] as Float64Array;
  assert.ok(gap(explainer.now(row, 0).values, bruteForce((r) => model.predictOne(r, 0), row, background)) < 1e-10);
});

/** The share of values that lie outside their 95% interval when a part of the background was used. */
function outside(rows: number, claimed = 1): number {
  let all = 0;
  let out = 0;
  for (let seed = 1; seed <= 24; seed++) {
    const { cases, explainer } = made(seed * 977, { trees: 40, depth: 5, columns: [0, 16, 0, 8, 0, 0], scale: 0.15 }, 120);
    for (const row of cases.slice(0, 4)) {
      const coarse = explainer.now(row, 1, "probability", rows);
      const exact = explainer.now(row, 1);
      assert.ok(!coarse.exact && coarse.errors && exact.exact);
      assert.ok(Math.abs(coarse.base + sum(coarse.values) - coarse.prediction) < 1e-9);
      coarse.values.forEach((v, j) => {
        const error = claimed * (coarse.errors?.[j] ?? 0);
        if (error < 1e-6) return;
        all++;
        if (Math.abs(v - (exact.values[j] as number)) > 1.96 * error) out++;
      });
    }
  }
  return out / all;
}

test("a part of the background adds up, and its errors are honest", () => {
  for (const rows of [16, 48]) {
    const share = outside(rows);
    assert.ok(share > 0.01 && share < 0.11, `${share} lie outside their 95% interval`);
  }
});

test("errors half as large would be noticed", () => {
  assert.ok(outside(48, 0.5) > 0.2);
});

test("a dummy column gets nothing", () => {
  const columns = [...small.columns, 0];
  const next = random(5);
  const trees = growForest(next, small);
  const model = openModel(packForest(trees, columns, "sigmoid"), 2);
  const rows = Array.from({ length: 10 }, () => randomRow(next, columns));
  const explainer = new Explainer(model, Float64Array.from(rows.flatMap((row) => Array.from(row))));
  assert.equal(explainer.now(randomRow(next, columns), 1).values[7], 0);
});

test("forty columns: the margin stays exact, the probability is sampled with errors", () => {
  const { model, cases, explainer } = made(6, wide, 50);
  const row = cases[0] as Float64Array;
  const margin = explainer.now(row, 1, "margin");
  assert.ok(margin.exact);
  assert.ok(Math.abs(margin.base + sum(margin.values) - model.predictOne(row, 1, "margin")) < 1e-9);
  const sampled = explainer.now(row, 1);
  assert.ok(!sampled.exact && sampled.errors);
  assert.ok(Math.abs(sampled.base + sum(sampled.values) - sampled.prediction) < 1e-9);
  assert.ok(Math.max(...(sampled.errors ?? [])) < 0.05);
});

test("sampling agrees with enumeration within its errors", () => {
  const { model, cases, explainer } = made(7, census, 60);
  const row = cases[1] as Float64Array;
  const exact = explainer.now(row, 1);
  const inside = explainer as unknown as { sample: (...given: unknown[]) => Iterator<unknown, Explained> };
  const asked = { base: explainer.average(1), prediction: model.predictOne(row, 1), output: 1, rows: 3000 };
  const steps = inside.sample(model.raw.game(row, explainer.background), row, asked, () => {});
  let step = steps.next();
  while (!step.done) step = steps.next();
  const sampled = step.value;
  sampled.values.forEach((v, j) => {
    assert.ok(Math.abs(v - (exact.values[j] as number)) <= 4.5 * (sampled.errors?.[j] ?? 0) + 1e-9);
  });
});

test("11 columns, 100 trees, 200 background rows: coarse in 30 ms, exact in 600 ms", () => {
  const { cases, explainer } = made(8, census, 200);
  explainer.average(1);
  for (const row of cases.slice(0, 10)) explainer.now(row, 1);
  const [first, second] = cases.slice(10, 12) as [Float64Array, Float64Array];
  let start = performance.now();
  explainer.now(first, 1, "probability", 16);
  const coarse = performance.now() - start;
  start = performance.now();
  explainer.now(second, 1);
  const exact = performance.now() - start;
  assert.ok(coarse < 30 && exact < 600, `coarse ${coarse} ms, exact ${exact} ms`);
});

test("streams, stops when told, and remembers", async () => {
  const { cases, explainer } = made(9, { ...census, trees: 2000 }, 200);
  const row = cases[0] as Float64Array;
  const parts: Explained[] = [];
  const answer = await explainer.explain(row, { output: 1, budget: 2, onProgress: (part) => parts.push(part) });
  assert.ok(answer.exact && parts.length > 0 && parts.every((part) => !part.exact));
  assert.equal(explainer.recall(row, 1), answer);
  const stop = new AbortController();
  const late = explainer.explain(cases[1] as Float64Array, { output: 1, budget: 2, signal: stop.signal, onProgress: () => stop.abort() });
  await assert.rejects(late, { name: "AbortError" });
  assert.equal(explainer.recall(cases[1] as Float64Array, 1), undefined);
});
