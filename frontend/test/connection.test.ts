import assert from "node:assert/strict";
import test from "node:test";
import { CallError, connect } from "../src/parts/connection";
import { LocalModel } from "../src/parts/model";
import { buildContainer } from "../src/parts/container";

type Message = { kind: string; id: number; action?: string };

class Fake extends LocalModel {
  sent: Message[] = [];
  pushed: object[] = [];
  send(content: unknown): void {
    this.sent.push(content as Message);
  }
  protected push(changed: object): void {
    this.pushed.push(changed);
  }
}

function opened(live = true) {
  const model = new Fake();
  model.receive("meta", { view: "workbench", host: "web", live });
  model.receive("state", { case: 1 });
  model.receive("first", buildContainer(new Map([["model", Uint8Array.of(1, 2)]])));
  return { model, link: connect(model) };
}

const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

test("a call streams and then answers", async () => {
  const { model, link } = opened();
  const parts: unknown[] = [];
  const answer = link.call("explain", { row: [1, null] }, { onProgress: (part) => parts.push(part.value) });
  const { id } = model.sent[0] as Message;
  assert.deepEqual(model.sent[0], { kind: "call", id, action: "explain", args: { row: [1, null] } });
  model.deliver({ kind: "result", id: id + 1, value: "another page's" }, []);
  model.deliver({ kind: "progress", id, value: 1 }, []);
  const bytes = new Uint8Array(11).subarray(3);
  bytes[0] = 9;
  model.deliver({ kind: "result", id, value: 2 }, [bytes]);
  const { value, buffers } = await answer;
  assert.deepEqual([parts, value], [[1], 2]);
  assert.equal(buffers[0]?.[0], 9);
  assert.equal((buffers[0]?.byteOffset ?? 1) % 8, 0);
});

test("errors of Python, and answers that are no longer wanted", async () => {
  const { model, link } = opened();
  const fail = async (value: unknown): Promise<unknown> => {
    const call = link.call("x").catch((error: unknown) => error);
    model.deliver({ kind: "error", id: model.sent.at(-1)?.id, value }, []);
    return call;
  };
  const failed = await fail({ kind: "failed", message: "ValueError: no" });
  assert.ok(failed instanceof CallError && failed.reason === "python" && failed.message === "ValueError: no");
  assert.equal(((await fail({ kind: "superseded", message: "" })) as Error).name, "AbortError");
});

test("aborting tells Python and rejects", async () => {
  const { model, link } = opened();
  const stop = new AbortController();
  const call = link.call("slow", {}, { signal: stop.signal });
  stop.abort();
  await assert.rejects(call, { name: "AbortError" });
  assert.deepEqual(model.sent.map((m) => m.kind), ["call", "cancel"]);
  await assert.rejects(link.call("slow", {}, { signal: stop.signal }), { name: "AbortError" });
  assert.equal(model.sent.length, 2);
});

test("where nobody is live, tables are still answered and the rest says so at once", async () => {
  const { link } = opened(false);
  assert.deepEqual([...((await link.call("table", { name: "model" })).buffers[0] as Uint8Array)], [1, 2]);
  await assert.rejects(link.call("explain"), { reason: "offline" });
});

test("a lost connection rejects what waits and is told", async () => {
  const { model, link } = opened();
  const seen: boolean[] = [];
  link.onLive((live) => seen.push(live));
  const call = link.call("explain");
  model.receive("live", false);
  await assert.rejects(call, { reason: "closed" });
  model.receive("live", true);
  assert.deepEqual(seen, [false, true]);
});

test("state: a batch travels once, an echo is silent, a change of Python is heard by both ways", async () => {
  const { model, link } = opened();
  const heard: unknown[] = [];
  link.onState((state) => heard.push(state["case"]));
  link.setState({ case: 2 });
  link.setState({ case: 3, tab: "all" });
  await tick();
  assert.deepEqual(model.pushed, [{ state: { case: 3, tab: "all" } }]);
  model.receive("state", { case: 3, tab: "all" });
  assert.deepEqual(heard, []);
  model.receive("state", { case: 4, tab: "all" });
  model.deliver({ kind: "change", state: { case: 5 } }, []);
  assert.deepEqual(heard, [4, 5]);
  link.close();
  model.receive("state", { case: 6 });
  assert.deepEqual(heard, [4, 5]);
});

test("a drag is told at its start, now and then, and at its end", async () => {
  const { model, link } = opened();
  for (let i = 0; i < 12; i++) {
    link.setState({ edits: { 0: i } });
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await new Promise((resolve) => setTimeout(resolve, 80));
  assert.ok(model.pushed.length >= 2 && model.pushed.length <= 6, `${model.pushed.length} times`);
  assert.deepEqual(model.pushed.at(-1), { state: { case: 1, edits: { 0: 11 } } });
});

test("a change of Python does not undo what it has not heard yet; closing tells the rest", () => {
  const { model, link } = opened();
  link.setState({ edits: { 0: 1 } });
  model.receive("state", { case: 7, edits: {} });
  assert.deepEqual(link.getState(), { case: 7, edits: { 0: 1 } });
  link.close();
  assert.deepEqual(model.pushed, [{ state: { case: 7, edits: { 0: 1 } } }]);
});
