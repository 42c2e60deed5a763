import assert from "node:assert/strict";
import test from "node:test";
import { axisOf, type CurveColumn, neighbour, paths, place, valueAt } from "../src/parts/curve";

const numeric = (more: Partial<CurveColumn> = {}): CurveColumn => ({
  categorical: false, ordered: false, integer: true, count: 0, grid: [17, 30, 50, 70, 90], minimum: 17, maximum: 90, ...more,
});
const money = numeric({ grid: [0, 100, 200, 300, 400, 500, 600, 99_999], minimum: 0, maximum: 99_999 });
const job: CurveColumn = { categorical: true, ordered: false, integer: false, count: 6, grid: [], minimum: null, maximum: null };

test("a place and its value are inverse, on every kind of axis", () => {
  for (const column of [numeric(), money, job, numeric({ integer: false, grid: [0.5, 1.5, 2.5], minimum: 0.5, maximum: 2.5 })]) {
    const axis = axisOf(column, []);
    for (const stop of axis.stops) assert.equal(valueAt(axis, column, place(axis, stop)), stop);
    assert.ok(axis.stops.every((v) => place(axis, v) >= 0 && place(axis, v) <= 1));
  }
});

test("long tails are spread by rank", () => {
  const axis = axisOf(money, []);
  assert.equal(axis.byRank, true);
  assert.ok(place(axis, 500) > 0.6);
  assert.equal(axisOf(numeric(), []).byRank, false);
});

test("the case's own value is always a stop, and so are the ends of the range", () => {
  assert.ok(axisOf(numeric(), [43]).stops.includes(43));
  assert.deepEqual(axisOf(numeric({ grid: [30, 50] }), []).stops, [17, 30, 50, 90]);
});

test("arrow keys step by one on short whole-number ranges, by stops elsewhere, and stop at the ends", () => {
  const age = axisOf(numeric(), []);
  assert.equal(neighbour(age, numeric(), 43, 1), 44);
  assert.equal(neighbour(age, numeric(), 90, 1), 90);
  const axis = axisOf(money, []);
  assert.equal(neighbour(axis, money, 600, 1), 99_999);
  assert.equal(neighbour(axis, money, 150, -1), 100);
  assert.equal(neighbour(axis, money, NaN, 1), 0);
});

test("categories are steps, numbers a line", () => {
  assert.equal(paths(axisOf(job, []), [0, 0.2, 0.4, 0.6, 0.8, 1], 0.5).line.match(/M/g)?.length, 6);
  assert.equal(paths(axisOf(numeric(), []), [0, 0.2, 0.4, 0.6, 1], 0.5).line.match(/M/g)?.length, 1);
});

test("a column without values seen still has an axis", () => {
  const axis = axisOf(numeric({ grid: [], minimum: null, maximum: null }), []);
  assert.deepEqual(axis.stops, []);
  assert.deepEqual(paths(axis, [], 0.5), { line: "", area: "" });
});
