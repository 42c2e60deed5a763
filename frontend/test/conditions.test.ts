import assert from "node:assert/strict";
import test from "node:test";
import { meets, said } from "../src/views/workbench/conditions";
import { runs } from "../src/views/workbench/effect";
import type { Condition } from "../src/views/workbench/panels";

const given = (more: Partial<Condition>): Condition => ({ at: 0, low: null, high: null, low_closed: false, high_closed: true, codes: [], missing: false, ...more });
const hours = (v: number): string => `${v} h`;

test("ends are open or closed as they are said to be", () => {
  const between = given({ low: 20, high: 40 });
  assert.deepEqual([20, 20.5, 40, 40.5, NaN].map((v) => meets(between, false, v)), [false, true, true, false, false]);
  assert.equal(meets(given({ low: 20, low_closed: true }), false, 20), true);
  assert.equal(meets(given({ high: 40, high_closed: false }), false, 40), false);
  assert.equal(meets(given({ low: 20, missing: true }), false, NaN), true);
});

test("a condition without ends is about missing values alone", () => {
  assert.equal(meets(given({ missing: true }), false, 3), false);
  assert.equal(said(given({ missing: true }), false, "hours", hours), "hours is missing");
});

test("categories are met by code", () => {
  assert.deepEqual([0, 1, 2, NaN].map((v) => meets(given({ codes: [0, 2] }), true, v)), [true, false, true, false]);
});

test("conditions read as sentences", () => {
  assert.equal(said(given({ low: 20 }), false, "hours", hours), "hours is above 20 h");
  assert.equal(said(given({ low: 20, low_closed: true, high: 40, high_closed: false }), false, "hours", hours), "hours is at least 20 h and below 40 h");
  assert.equal(said(given({ low: 20, high: 20, low_closed: true }), false, "hours", hours), "hours is 20 h");
  assert.equal(said(given({ codes: [0, 1, 2], missing: true }), true, "job", (v) => ["clerk", "chief", "cook"][v] as string), "job is clerk, chief or cook, or missing");
});

test("a line is dashed next to every far point", () => {
  assert.deepEqual(runs([false, false, true, false, false]), [
    { from: 0, to: 1, far: false },
    { from: 1, to: 3, far: true },
    { from: 3, to: 4, far: false },
  ]);
  assert.deepEqual(runs([true]), []);
});
