import assert from "node:assert/strict";
import test from "node:test";
import { type Column0, countAll, type Judged, largestErrors, maskOf, pick, words } from "../src/views/workbench/filter";

const p = [0.1, 0.45, 0.55, 0.9, NaN];
const y = [0, 1, 1, 0, 1];
const judged: Judged = { count: 5, p, y, regression: false, line: 0.5, wrong: Uint8Array.of(0, 1, 0, 1, 0), near: 0.1 };
const job = ["Sales", "Tech support", "Sales", "Clerical", "Sales"];
const age = [52, 25, 5200, 52, NaN];
const columns: Column0[] = [
  { numeric: false, value: (row) => job.indexOf(job[row]), write: (code) => job[code] },
  { numeric: true, value: (row) => age[row], write: (v) => (Number.isNaN(v) ? "missing" : `${v.toLocaleString("en-US")} years`) },
];
const wanted = { filter: "all", query: "", sort: "order", mask: null } as const;
const ids = (more: object): number[] => [...pick(judged, columns, { ...wanted, ...more })];

test("filters, and their counts", () => {
  assert.deepEqual(ids({}), [0, 1, 2, 3, 4]);
  assert.deepEqual(ids({ filter: "wrong" }), [1, 3]);
  assert.deepEqual(ids({ filter: "near" }), [1, 2]);
  assert.deepEqual(ids({ filter: "high" }), [2, 3]);
  assert.deepEqual(countAll(judged), { all: 5, wrong: 2, near: 2, high: 2 });
});

test("every word must fit somewhere: part of a category, the whole of a number", () => {
  assert.deepEqual(words(" Sales,52  "), ["sales", "52"]);
  assert.deepEqual(ids({ query: "sales" }), [0, 2, 4]);
  assert.deepEqual(ids({ query: "sales 52" }), [0]);
  assert.deepEqual(ids({ query: "5,200" }), [], "a comma parts words");
  assert.deepEqual(ids({ query: "5200" }), [2]);
  assert.deepEqual(ids({ query: "missing" }), [4]);
  assert.deepEqual(ids({ query: "nurse" }), []);
});

test("a selection narrows, ids outside of the rows do not matter", () => {
  assert.deepEqual(ids({ mask: maskOf([0, 3, 77, -1], 5) }), [0, 3]);
  assert.deepEqual(ids({ mask: maskOf([0, 3], 5), filter: "wrong" }), [3]);
});

test("sorting puts unknown predictions last", () => {
  assert.deepEqual(ids({ sort: "prediction" }), [3, 2, 1, 0, 4]);
  assert.deepEqual(ids({ sort: "prediction-low" }), [0, 1, 2, 3, 4]);
  assert.deepEqual(ids({ sort: "error" }), [3, 1, 2, 0, 4]);
});

test("the tenth with the largest error", () => {
  const values = Array.from({ length: 100 }, (_, i) => i);
  const found = largestErrors(values, new Float64Array(100), 100);
  assert.equal(found.reduce((a, b) => a + b, 0), 10);
  assert.equal(found[99], 1);
  assert.equal(found[89], 0);
  assert.equal(largestErrors([1, 1], [1, 1], 2).some(Boolean), false);
});
