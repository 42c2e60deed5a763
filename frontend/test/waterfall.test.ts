import assert from "node:assert/strict";
import test from "node:test";
import { bySize, foldRows, layOut, niceStep, type Step, ticksBetween } from "../src/views/workbench/layout";

const step = (value: number, error = 0, ghost: number | null = null): Step => ({ columns: [0], value, error, ghost });
const options = { limits: [0, 1] as const, least: 0.3, labelRoom: 0.15, hideWhisker: 0.0035 };
const near = (a: number, b: number): void => assert.ok(Math.abs(a - b) < 1e-9, `${a} is not ${b}`);

test("bars stand end to end from the average to the prediction", () => {
  const values = [0.2, 0.15, -0.05, 0.1];
  const layout = layOut(0.24, 0.64, values.map((v) => step(v)), options);
  const back = (x: number): number => layout.lo + x * (layout.hi - layout.lo);
  let at = 0.24;
  layout.bars.forEach((bar, k) => {
    near(back(bar.up ? bar.span.left : bar.span.left + bar.span.width), at);
    at += values[k];
    near(back(bar.end), at);
  });
  near(at, 0.64);
  near(back(layout.base), 0.24);
});

test("a bar that starts anywhere else would be seen", () => {
  const layout = layOut(0.24, 0.5, [step(0.2), step(0.06)], options);
  const shifted = layOut(0.24, 0.5, [step(0.21), step(0.05)], options);
  assert.notEqual(layout.bars[1].span.left, shifted.bars[1].span.left);
});

test("the domain stays within probabilities and is never narrower than asked", () => {
  for (const [base, value] of [[0.01, 0.005], [0.98, 0.015], [0.5, 0.01], [0.02, 0.97]]) {
    const layout = layOut(base, base + value, [step(value)], options);
    assert.ok(layout.lo >= 0 && layout.hi <= 1, `${layout.lo} ${layout.hi}`);
    assert.ok(layout.hi - layout.lo >= 0.3 - 1e-9);
    for (const t of layout.ticks) assert.ok(t >= layout.lo - 1e-9 && t <= layout.hi + 1e-9);
  }
});

test("labels stand beyond the mark on the side that has room", () => {
  const layout = layOut(0.24, 0.99, [step(0.7), step(0.05)], options);
  assert.equal(layout.bars[0].label.side, "right");
  const quiet = layOut(0.24, 0.3, [step(0.06)], options);
  assert.equal(quiet.bars[0].label.side, "left");
  assert.ok(quiet.bars[0].label.at >= quiet.bars[0].span.left + quiet.bars[0].span.width);
});

test("small errors have no whisker, large ones one of 95%", () => {
  const [small, large] = layOut(0.5, 0.7, [step(0.1, 0.001), step(0.1, 0.02)], options).bars;
  assert.equal(small.whisker, null);
  assert.ok(large.whisker);
  const layout = layOut(0.5, 0.7, [step(0.1, 0.001), step(0.1, 0.02)], options);
  near(large.whisker.width * (layout.hi - layout.lo), 2 * 1.959964 * 0.02);
});

test("a ghost is drawn only where it differs", () => {
  const [same, other] = layOut(0.5, 0.7, [step(0.1, 0, 0.1), step(0.1, 0, 0.02)], options).bars;
  assert.equal(same.ghost, null);
  assert.ok(other.ghost && other.ghost.width < other.span.width);
});

test("beyond twelve facts ten are shown and the rest fold into one", () => {
  const order = Array.from({ length: 25 }, (_, j) => j);
  assert.deepEqual(foldRows(order.slice(0, 12), 12, 10, false), { rows: order.slice(0, 12), rest: [] });
  const folded = foldRows(order, 12, 10, false);
  assert.equal(folded.rows.length, 10);
  assert.equal(folded.rest.length, 15);
  assert.equal(foldRows(order, 12, 10, true).rest.length, 0);
});

test("the order is by size, ties by column", () => {
  assert.deepEqual(bySize([0.1, -0.3, 0.1, NaN, 0.2]), [1, 4, 0, 2, 3]);
});

test("ticks are round numbers inside the range", () => {
  assert.equal(niceStep(1, 5), 0.2);
  assert.equal(niceStep(0, 5), 1);
  assert.deepEqual(ticksBetween(0.13, 0.71, 5), [0.2, 0.4, 0.6]);
  assert.deepEqual(ticksBetween(-30, 30, 3), [-20, 0, 20]);
});
