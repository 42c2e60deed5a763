import assert from "node:assert/strict";
import test from "node:test";
import { meets, said, type Spoken } from "../src/views/workbench/conditions";
import { runs } from "../src/views/workbench/effect";
import type { Condition } from "../src/views/workbench/panels";

const given = (more: Partial<Condition>): Condition => ({ at: 0, low: null, high: null, low_closed: false, high_closed: true, codes: [], missing: false, ...more });
const numeric: Spoken = { kind: "numeric", ordered: false, categories: [] };
const jobs = (ordered: boolean): Spoken => ({ kind: "categorical", ordered, categories: ["clerk", "chief", "cook", "none"] });
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
  assert.equal(said(given({ missing: true }), numeric, "hours", hours), "hours is missing");
});

test("categories are met by code", () => {
  assert.deepEqual([0, 1, 2, NaN].map((v) => meets(given({ codes: [0, 2] }), true, v)), [true, false, true, false]);
});

test("conditions read as sentences", () => {
  assert.equal(said(given({ low: 20 }), numeric, "hours", hours), "hours is above 20 h");
  assert.equal(said(given({ low: 20, low_closed: true, high: 40, high_closed: false }), numeric, "hours", hours), "hours is at least 20 h and below 40 h");
  assert.equal(said(given({ low: 20, high: 20, low_closed: true }), numeric, "hours", hours), "hours is 20 h");
  assert.equal(said(given({ codes: [0, 1, 2], missing: true }), jobs(false), "job", (v) => jobs(false).categories[v] as string), "job is clerk, chief or cook, or missing");
});

test("a run of ordered categories is said by its ends", () => {
  const job = (codes: number[], ordered = true): string => said(given({ codes }), jobs(ordered), "job", (v) => jobs(true).categories[v] as string);
  assert.equal(job([0, 1]), "job is at most chief");
  assert.equal(job([2, 3]), "job is at least cook");
  assert.equal(job([1, 2]), "job is from chief to cook");
  assert.equal(job([0, 2]), "job is clerk or cook");
  assert.equal(job([1]), "job is chief");
  assert.equal(job([0, 1], false), "job is clerk or chief");
});

test("a line is dashed next to every far point", () => {
  assert.deepEqual(runs([false, false, true, false, false]), [
    { from: 0, to: 1, far: false },
    { from: 1, to: 3, far: true },
    { from: 3, to: 4, far: false },
  ]);
  assert.deepEqual(runs([true]), []);
});
