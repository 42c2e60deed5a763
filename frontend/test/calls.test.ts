import assert from "node:assert/strict";
import test from "node:test";
import { Lane, breathe, debounce, inSlices } from "../src/parts/calls";

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test("of a lane only the newest task counts", async () => {
  const lane = new Lane();
  const aborted: number[] = [];
  const run = (n: number) =>
    lane.run(async (signal) => {
      signal.addEventListener("abort", () => aborted.push(n));
      await wait(5);
      return n;
    });
  assert.deepEqual(await Promise.all([run(1), run(2), run(3)]), [undefined, undefined, 3]);
  assert.deepEqual(aborted, [1, 2]);
  assert.equal(lane.busy, false);
});

test("an error of the newest task is thrown, of an overtaken one it is not", async () => {
  const lane = new Lane();
  const fail = async (): Promise<never> => {
    await wait(2);
    throw new TypeError("bad");
  };
  const [first, second] = await Promise.allSettled([lane.run(fail), lane.run(fail)]);
  assert.equal(first.status, "fulfilled");
  assert.equal(second.status, "rejected");
});

test("debounce keeps the last request", async () => {
  const seen: number[] = [];
  const ask = debounce(5, (n: number) => seen.push(n));
  ask(1);
  ask(2);
  await wait(20);
  ask(3);
  ask.cancel();
  ask(4);
  ask.flush();
  await wait(20);
  assert.deepEqual(seen, [2, 4]);
});

test("a long computation leaves room every few ms", async () => {
  function* work(): Generator<void, string> {
    for (let i = 0; i < 60; i++) {
      const end = performance.now() + 1;
      while (performance.now() < end);
      yield;
    }
    return "done";
  }
  let turns = 0;
  let over = false;
  const other = (async () => {
    while (!over) {
      await breathe();
      turns++;
    }
  })();
  assert.equal(await inSlices(work(), { budget: 5 }), "done");
  over = true;
  await other;
  assert.ok(turns >= 5, `${turns} turns`);
});
