import assert from "node:assert/strict";
import test from "node:test";
import { CallError, type Connection } from "../src/parts/connection";
import { Asked } from "../src/views/workbench/panels";

const later = (ms = 15): Promise<void> => new Promise((done) => setTimeout(done, ms));

function link(answer: (args: { [key: string]: unknown }, signal?: AbortSignal) => Promise<unknown>): { calls: unknown[]; asked: Asked<unknown> } {
  const calls: unknown[] = [];
  const call = (_action: string, args: { [key: string]: unknown }, options: { signal?: AbortSignal }): Promise<unknown> => {
    calls.push(args["n"]);
    return answer(args, options.signal).then((value) => ({ value, buffers: [] }));
  };
  return { calls, asked: new Asked(({ call }) as unknown as Connection, "flips", 1) };
}

test("only the newest is asked, and what is known is not asked again", async () => {
  const { calls, asked } = link((args) => Promise.resolve(args["n"]));
  asked.want("a", { n: 1 });
  asked.want("b", { n: 2 });
  await later();
  assert.deepEqual([calls, asked.shown.value, asked.busy.value], [[2], { key: "b", value: 2 }, false]);
  asked.want("a", { n: 1 });
  await later();
  asked.want("b", { n: 2 });
  await later();
  assert.deepEqual([calls, asked.shown.value?.value], [[2, 1], 2]);
});

test("a refusal is said once and asked again only when told to", async () => {
  const { calls, asked } = link(() => Promise.reject(new CallError("no number", "python")));
  asked.want("a", { n: 1 });
  await later();
  asked.want("a", { n: 1 });
  await later();
  assert.deepEqual([calls, asked.failure.value], [[1], "no number"]);
  asked.retry();
  assert.equal(asked.failure.value, "");
  await later();
  assert.deepEqual(calls, [1, 1]);
});

test("what was stopped stays so, and what waits to be pressed is not asked by itself", async () => {
  const { calls, asked } = link((args) => Promise.resolve(args["n"]));
  asked.want("a", { n: 1 });
  asked.halt();
  asked.want("a", { n: 1 });
  asked.want("b", { n: 2 }, true);
  await later();
  assert.deepEqual([calls, asked.canAsk.value], [[], true]);
  asked.want("b", { n: 2 }, true);
  asked.retry();
  await later();
  assert.deepEqual([calls, asked.shown.value?.value], [[2], 2]);
});

test("a part that is left asks again when it is looked at again", async () => {
  const { calls, asked } = link((args) => Promise.resolve(args["n"]));
  asked.want("a", { n: 1 });
  asked.stop();
  asked.want("a", { n: 1 });
  await later();
  assert.deepEqual([calls, asked.shown.value?.value], [[1], 1]);
});

test("what is coming makes the old answer old at once, and is asked when it can be", async () => {
  const { calls, asked } = link((args) => Promise.resolve(args["n"]));
  asked.want("a", { n: 1 });
  await later();
  asked.expect("b", true);
  assert.deepEqual([asked.wanted.value, asked.shown.value, asked.busy.value], ["b", { key: "a", value: 1 }, true]);
  asked.expect("b", true);
  await later();
  assert.deepEqual([calls, asked.busy.value], [[1], true]);
  asked.want("b", { n: 2 });
  await later();
  assert.deepEqual([calls, asked.shown.value, asked.busy.value], [[1, 2], { key: "b", value: 2 }, false]);
  asked.expect("a", true);
  assert.deepEqual([calls, asked.shown.value, asked.busy.value], [[1, 2], { key: "a", value: 1 }, false]);
  asked.expect("c", false);
  assert.deepEqual([asked.wanted.value, asked.busy.value], ["c", false]);
});
