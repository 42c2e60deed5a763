import assert from "node:assert/strict";
import test from "node:test";
import { packMessage, unpackMessage } from "../src/bridge/message";
import { aligned, buildContainer, parseContainer } from "../src/parts/container";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

test("tables come back as they went in, each 8-aligned", () => {
  const tables = new Map([["a", bytes(1, 2, 3)], ["näme <b>", bytes()], ["c", bytes(...Array(17).keys())]]);
  const block = buildContainer(tables);
  assert.equal((4 + new DataView(block.buffer).getUint32(0, true)) % 8, 0);
  const back = parseContainer(block);
  assert.deepEqual([...back.keys()], [...tables.keys()]);
  for (const [name, table] of back) {
    assert.deepEqual([...table], [...(tables.get(name) as Uint8Array)]);
    assert.equal(table.byteOffset % 8, 0);
  }
});

test("reads what core/container.py writes", () => {
  // whyglass.core.container.pack({"x": b"\x07", "y": b"\x08\x09"})
  const text = '{"x":[0,1],"y":[8,2]}       ';
  const block = bytes(text.length, 0, 0, 0, ...Buffer.from(text), 7, 0, 0, 0, 0, 0, 0, 0, 8, 9, 0, 0, 0, 0, 0, 0);
  const back = parseContainer(block);
  assert.deepEqual([...(back.get("x") as Uint8Array)], [7]);
  assert.deepEqual([...(back.get("y") as Uint8Array)], [8, 9]);
});

test("a host's view that starts anywhere is aligned by a copy, an aligned one is not copied", () => {
  const block = buildContainer(new Map([["a", bytes(1, 2)]]));
  const shifted = new Uint8Array(block.length + 3);
  shifted.set(block, 3);
  const view = new DataView(shifted.buffer, 3);
  assert.equal(parseContainer(view).get("a")?.byteOffset ?? 1, parseContainer(block).get("a")?.byteOffset);
  assert.equal(aligned(block).buffer, block.buffer);
});

test("nothing is an empty container; damage is a RangeError", () => {
  assert.equal(parseContainer(bytes()).size, 0);
  assert.throws(() => parseContainer(bytes(9)), RangeError);
  const block = buildContainer(new Map([["a", bytes(...Array(40).keys())]]));
  assert.throws(() => parseContainer(block.slice(0, 6)), RangeError);
  assert.throws(() => parseContainer(block.slice(0, block.length - 16)), RangeError);
});

test("a message with its buffers", () => {
  const { message, buffers } = unpackMessage<unknown>(packMessage({ kind: "call", id: 3 }, [bytes(5), bytes(), bytes(6, 7)]));
  assert.deepEqual(message, { kind: "call", id: 3 });
  assert.deepEqual(buffers.map((b) => [...b]), [[5], [], [6, 7]]);
});
