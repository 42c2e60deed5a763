import assert from "node:assert/strict";
import test from "node:test";
import { agree, strongest, sure } from "../src/parts/agreement";
import { random } from "./support";

test("the strongest are the largest that are not zero, ties in their order", () => {
  assert.deepEqual(strongest([0, -3, 2, 3, 0], 9), [1, 3, 2]);
  assert.deepEqual(strongest([0, -3, 2, 3, 0], 1), [1]);
});

test("a direction counts where its interval leaves out zero and it is not slight", () => {
  assert.deepEqual(sure([1, 0.5, 0.01, -1, 0], [0.6, 0.1, 0, NaN, 0]), [false, true, true, false, false]);
  assert.deepEqual(sure([1, 0.049, -0.051], null, 0.05), [true, false, true]);
});

test("counts are those of a plain count", () => {
  const next = random(5);
  for (let run = 0; run < 200; run += 1) {
    const d = 2 + Math.floor(next() * 9);
    const draw = (): number[] => Array.from({ length: d }, () => Math.round((next() - 0.5) * 8) / 2);
    const [one, two, se] = [draw(), draw(), Array.from({ length: d }, () => next() * 0.5)];
    const k = 1 + Math.floor(next() * 6);
    const top = (values: number[]): Set<number> =>
      new Set([...values.entries()].filter(([j, v]) => v !== 0 && [...values.entries()].filter(([i, u]) => Math.abs(u) > Math.abs(v) || (Math.abs(u) === Math.abs(v) && i < j)).length < k).map(([j]) => j));
    const [a, b] = [top(one), top(two)];
    const both = [...a].filter((j) => b.has(j));
    const found = agree(one, two, [null, se], k);
    assert.deepEqual([found.k, found.shared, found.same], [Math.min(a.size, b.size), both.length, both.filter((j) => one[j] > 0 === two[j] > 0).length]);
    assert.deepEqual(found.opposite, Array.from(one.keys()).filter((j) => one[j] * two[j] < 0 && Math.abs(two[j]) > 1.959964 * se[j] && [one, two].every((v) => Math.abs(v[j]) >= 0.05 * Math.max(...v.map(Math.abs)))));
  }
});

test("orders by size agree wholly, not at all, or not in a way that can be said", () => {
  const none: [null, null] = [null, null];
  assert.equal(agree([1, -2, 3], [2, 4, -6], none).ranks, 1);
  assert.equal(agree([1, -2, 3], [6, 4, 2], none).ranks, -1);
  assert.ok(Number.isNaN(agree([1, -1, 1], [1, 2, 3], none).ranks));
  // Spearman with ties: sizes 1 2 2 4 have ranks 1 2.5 2.5 4, and 1 3 2 4 their own; cov/spread = 4.5 / sqrt(4.5 * 5)
  assert.ok(Math.abs(agree([1, 2, 2, 4], [1, 3, 2, 4], none).ranks - 4.5 / Math.sqrt(4.5 * 5)) < 1e-12);
});
