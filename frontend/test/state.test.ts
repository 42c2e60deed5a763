import assert from "node:assert/strict";
import test from "node:test";
import type { Connection } from "../src/parts/connection";
import { Store, openStore, readShare, writeShare } from "../src/parts/state";

const start = { case: 0, edits: {} as { [k: string]: number | null }, query: "", brush: null as number[] | null };

test("undo and redo are unlimited and give back the same documents", () => {
  const store = new Store({ ...start });
  for (let i = 1; i <= 500; i++) store.set({ case: i });
  for (let i = 499; i >= 0; i--) {
    store.undo();
    assert.equal(store.state.value.case, i);
  }
  assert.equal(store.canUndo.value, false);
  store.undo();
  for (let i = 0; i < 500; i++) store.redo();
  assert.equal(store.state.value.case, 500);
  assert.equal(store.canRedo.value, false);
});

test("a new change forgets what could be redone; no change is no step", () => {
  const store = new Store({ ...start });
  store.set({ case: 1 });
  store.undo();
  store.set({ case: 2 });
  assert.equal(store.canRedo.value, false);
  store.set({ case: 2, edits: {} });
  store.undo();
  assert.equal(store.state.value.case, 0);
});

test("a drag is one step, and two drags with a pause are two", () => {
  let time = 0;
  const store = new Store({ ...start }, () => time);
  for (let i = 0; i < 20; i++) {
    time += 50;
    store.set({ edits: { 3: i } }, { step: "edit 3" });
  }
  time += 5000;
  store.set({ edits: { 3: 99 } }, { step: "edit 3" });
  store.undo();
  assert.deepEqual(store.state.value.edits, { 3: 19 });
  store.undo();
  assert.deepEqual(store.state.value.edits, {});
});

test("what is not history cannot be undone", () => {
  const store = new Store({ ...start });
  store.set({ query: "x" }, { history: false });
  assert.equal(store.canUndo.value, false);
});

test("the share link carries every kind of value, and only what differs", () => {
  const state = { ...start, case: 32560, query: 'é <b> "&#', brush: [0, 0.25, 1, 0.5], edits: { 4: null, 5: -1.5 }, selection: [...Array(20000).keys()] };
  const link = writeShare(state, start);
  assert.match(link, /^#wg=[\w-]+$/);
  assert.deepEqual({ ...start, ...readShare(link) }, state);
  assert.deepEqual(readShare(writeShare(start, start)), {});
});

test("a link that was cut, or is no object, is no link", () => {
  const link = writeShare({ ...start, case: 7 });
  for (const bad of ["", "#", "#other", link.slice(0, -3), "#wg=", "#wg=W10", "#wg=%%%"]) assert.equal(readShare(bad), null, bad);
});

function fake(host = "jupyter") {
  let listener: (state: object) => void = () => {};
  const sent: object[] = [];
  const connection = {
    host,
    getState: () => ({ case: 5 }),
    setState: (changes: object) => void sent.push(changes),
    onState: (callback: typeof listener) => ((listener = callback), () => {}),
  } as unknown as Connection;
  return { connection, sent, python: (state: object) => listener(state) };
}

test("what the page changes is told to Python, what Python changes is not told back", () => {
  const { connection, sent, python } = fake();
  const store = openStore(connection, start);
  assert.equal(store.state.value.case, 5);
  sent.length = 0;
  store.set({ case: 6 });
  python({ case: 9 });
  assert.equal(store.state.value.case, 9);
  assert.deepEqual(sent, [{ case: 6 }]);
  store.undo();
  assert.equal(store.state.value.case, 6);
  assert.deepEqual(sent, [{ case: 6 }, { case: 6 }]);
});
