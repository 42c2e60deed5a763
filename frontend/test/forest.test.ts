import assert from "node:assert/strict";
import test from "node:test";
import { CaseTable, Table } from "../src/parts/arrow";
import { openModel } from "../src/parts/page-model";
import { type Shape, growForest, packForest, plainMargin, random, randomRow, sigmoid } from "./support";

const shape: Shape = { trees: 40, depth: 5, columns: [0, 12, 0, 3, 0, 40] };

function made(seed: number) {
  const next = random(seed);
  const trees = growForest(next, shape);
  const rows = Array.from({ length: 400 }, () => randomRow(next, shape.columns));
  return { trees, rows, model: openModel(packForest(trees, shape.columns, "sigmoid", 0.1), 2) };
}

test("routes every row as the plain trees do", () => {
  const { trees, rows, model } = made(1);
  for (const row of rows) {
    const margin = plainMargin(trees, row) + 0.1;
    assert.ok(Math.abs(model.predictOne(row, 1, "margin") - margin) < 1e-12);
    assert.ok(Math.abs(model.predictOne(row, 1) - sigmoid(margin)) < 1e-12);
    assert.ok(Math.abs(model.predictOne(row, 0) + model.predictOne(row, 1) - 1) < 1e-12);
  }
});

test("a value on a cut point goes left, the next one goes right", () => {
  const leafy = { column: 0, threshold: 0.1, missing: false, left: { value: 1 }, right: { value: 2 } };
  const model = openModel(packForest([leafy], [0], "identity"), 1);
  assert.equal(model.predictOne([0.1], 0), 1);
  assert.equal(model.predictOne([0.1 + Number.EPSILON / 8], 0), 2);
  assert.equal(model.predictOne([NaN], 0), 2);
  assert.equal(model.predictOne([-Infinity], 0), 1);
  assert.equal(model.predictOne([Infinity], 0), 2);
});

test("a turned missing direction is noticed", () => {
  const { trees, rows, model } = made(2);
  const turn = (tree: (typeof trees)[number]): (typeof trees)[number] =>
    "value" in tree ? tree : { ...tree, missing: !tree.missing, left: turn(tree.left), right: turn(tree.right) };
  const turned = trees.map(turn);
  const worst = Math.max(...rows.map((row) => Math.abs(plainMargin(turned, row) + 0.1 - model.predictOne(row, 1, "margin"))));
  assert.ok(worst > 0.1);
});

test("many rows at once are the same as one by one, in every column type", async () => {
  const { rows, model } = made(3);
  const cases = new CaseTable(rows.length, shape.columns.map(Boolean));
  const columns = new Map<string, ArrayLike<number>>();
  shape.columns.forEach((codes, j) => {
    const values = rows.map((row) => (codes && Number.isNaN(row[j]) ? -2 : (row[j] as number)));
    columns.set(`f${j}`, codes ? (j === 1 ? Int8Array.from(values) : Int16Array.from(values)) : Float64Array.from(values));
  });
  cases.put(0, new Table(rows.length, columns));
  const all = await model.predictRows(cases, 1);
  rows.forEach((row, i) => assert.ok(Math.abs(model.predictOne(row, 1) - (all[i] as number)) < 1e-6));
});

test("a curve is the prediction at every point of the grid", () => {
  const { rows, model } = made(4);
  shape.columns.forEach((codes, j) => {
    const grid = codes ? [0, 1, 2, -1, NaN, codes, 1] : [-3, -0.2, 0, 0, 0.4, NaN, 2];
    for (const row of rows.slice(0, 20)) {
      const curve = model.curve(row, j, grid, 1);
      grid.forEach((x, g) => assert.ok(Math.abs(model.predictOne(row.map((v, k) => (k === j ? x : v)), 1) - (curve[g] as number)) < 1e-12));
    }
  });
});

test("at least two million trees a second are walked", () => {
  const { rows, model } = made(5);
  for (const row of rows) model.predictOne(row, 1);
  const start = performance.now();
  let walked = 0;
  while (performance.now() - start < 300) {
    for (const row of rows) model.predictOne(row, 1);
    walked += rows.length * shape.trees;
  }
  const speed = walked / ((performance.now() - start) / 1000);
  assert.ok(speed > 2e6, `${speed} a second`);
});

test("a damaged model is refused", () => {
  const { trees } = made(6);
  const whole = packForest(trees, shape.columns, "sigmoid");
  assert.throws(() => openModel(whole.subarray(0, whole.length - 100), 2), RangeError);
});
