import assert from "node:assert/strict";
import test from "node:test";
import type { Column } from "../src/parts/types";
import * as format from "../src/parts/format";

const all = (write: (v: number) => string, cases: [number, string][]): void => {
  for (const [value, text] of cases) assert.equal(write(value), text, String(value));
};

test("numbers have three significant digits, separators and a real minus", () => {
  all(format.number, [
    [0, "0"], [-0, "0"], [24420, "24,420"], [7688, "7,688"], [123.4, "123"], [12.34, "12.3"], [1.234, "1.23"], [-1.5, "−1.5"],
    [0.01234, "0.0123"], [0.001, "0.001"], [0.00012, "0.00012"], [-0.000024, "\u22122.4\u00d710\u207b\u2075"], [999.7, "1,000"], [1234.6, "1,235"], [100, "100"], [0.1 + 0.2, "0.3"],
    [NaN, "missing"], [Infinity, "∞"], [-Infinity, "−∞"],
  ]);
});

test("percents are whole, and say so at the ends", () => {
  all(format.percent, [[0, "0%"], [0.001, "<1%"], [0.005, "1%"], [0.5, "50%"], [0.991, "99%"], [0.9951, ">99%"], [1, "100%"]]);
  assert.equal(format.percent(0.8712, 1), "87.1%");
});

test("points have one decimal and a sign", () => {
  all((v) => format.points(v), [[0.112, "+11.2"], [-0.0304, "−3.0"], [0, "±0.0"], [0.0004, "±0.0"], [-0.0004, "±0.0"], [1, "+100.0"]]);
  assert.equal(format.points(-0.1149, 0), "−11");
});

test("ranges, intervals, counts and signs", () => {
  assert.equal(format.range(0.66, 0.76, format.percent), "66–76%");
  assert.equal(format.range(0.001, 0.04, format.percent), "<1% to 4%");
  assert.equal(format.range(0.985, 0.999, format.percent), "99% to >99%");
  assert.equal(format.range(0.999, 0.9991, format.percent), ">99%");
  assert.equal(format.range(3, 12.5), "3–12.5");
  assert.equal(format.measured([0.929, 0.008]), "0.929 ± 0.008");
  assert.equal(format.count(-24420), "−24,420");
  assert.equal(format.signed(0.25), "+0.25");
  assert.equal(format.signed(-2), "−2");
  const [low, high] = format.wilson(71, 100);
  assert.ok(Math.abs(low - 0.6146) < 1e-3 && Math.abs(high - 0.7899) < 1e-3);
  assert.deepEqual(format.wilson(0, 0), [0, 1]);
});

test("values are written with their unit or category, never as a code", () => {
  const column: Column = {
    name: "x", title: "x", kind: "categorical", role: "feature", categories: ["<script>", "B"], ordered: false, integer: true,
    grid: [], unit: "", minimum: null, maximum: null,
  };
  assert.equal(format.write(column, 0), "<script>");
  assert.equal(format.write(column, -1), "never seen before");
  assert.equal(format.write(column, null), "missing");
  assert.equal(format.write({ ...column, kind: "numeric", unit: "${}" }, 7688), "$7,688");
  assert.equal(format.write({ ...column, kind: "numeric", unit: "{} h" }, NaN), "missing");
});

test("first letters", () => {
  assert.equal(format.lower("Married"), "married");
  assert.equal(format.lower("HS-grad"), "HS-grad");
  assert.equal(format.upper("age"), "Age");
});
