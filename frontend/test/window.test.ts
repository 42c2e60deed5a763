import assert from "node:assert/strict";
import test from "node:test";
import { inSight, offsets, reveal, rowAt, stretch } from "../src/parts/window";

const starts = offsets(1000, (k) => (k % 3 ? 48 : 66));

test("offsets add up, and every place belongs to its row", () => {
  assert.equal(starts.length, 1001);
  for (const y of [0, 65.9, 66, 500, 20_000, starts[1000] - 0.1]) {
    const k = rowAt(starts, y);
    assert.ok(starts[k] <= y && y < starts[k + 1], `${y}: ${k}`);
  }
});

test("only rows in sight are drawn, a few beyond each edge", () => {
  const [from, to] = inSight(starts, 10_000, 600, 8);
  assert.ok(starts[from + 8] <= 10_000 && starts[to - 9] >= 10_000 + 600 - 66);
  assert.ok(to - from < 32);
  assert.deepEqual(inSight(starts, 0, 100, 0), [0, 2]);
  assert.deepEqual(inSight(offsets(0, () => 50), 0, 100), [0, 0]);
  assert.equal(inSight(starts, starts[1000], 600)[1], 1000);
});

test("revealing scrolls no further than needed", () => {
  assert.equal(reveal(starts, 0, 0, 600), 0);
  assert.equal(reveal(starts, 5, 4000, 600), starts[5]);
  assert.equal(reveal(starts, 500, 0, 600), starts[501] - 600);
  assert.equal(reveal(starts, 100, starts[99], 600), starts[99]);
});

test("a list taller than engines allow is stretched", () => {
  assert.deepEqual(stretch(1_000_000), { height: 1_000_000, scale: 1 });
  assert.deepEqual(stretch(48_000_000), { height: 12_000_000, scale: 4 });
});
