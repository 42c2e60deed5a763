import assert from "node:assert/strict";
import test from "node:test";
import { interaction, meanOf, quantile, ranks, swarm } from "../src/parts/stats";

test("mean and interval, without what is missing", () => {
  const { n, mean, half } = meanOf([1, 2, NaN, 3]);
  assert.equal(n, 3);
  assert.equal(mean, 2);
  assert.ok(Math.abs(half - (1.959964 * 1) / Math.sqrt(3)) < 1e-12);
  assert.equal(meanOf([4]).half, Infinity);
});

test("quantiles and ranks", () => {
  assert.equal(quantile([1, 2, 3, 4], 0.5), 2.5);
  assert.deepEqual([...ranks([5, 1, 5, NaN])], [2 / 3, 1 / 6, 2 / 3, NaN]);
  assert.deepEqual([...ranks([5, 1, 5], true)], [1 / 3, 0, 1 / 3]);
});

test("a partner that changes the effect is found, one that does not is not", () => {
  const n = 600;
  const x = Array.from({ length: n }, (_, i) => (i * 7919) % 97);
  const other = Array.from({ length: n }, (_, i) => (i * 31) % 2);
  const noise = Array.from({ length: n }, (_, i) => (i * 104_729) % 5);
  const push = x.map((v, i) => v * (other[i] ? 0.01 : -0.01));
  assert.ok(interaction(x, push, other, true) > 0.6);
  assert.ok(interaction(x, push, noise, true) < 0.1);
});

test("a swarm keeps its dots inside and apart", () => {
  const away = swarm(new Float64Array(200).fill(0.5), 300, 25, 1.9);
  assert.ok(Math.max(...away) <= 25 && Math.min(...away) >= -25);
  assert.equal(new Set(away).size, 200);
});
