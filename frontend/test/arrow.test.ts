import assert from "node:assert/strict";
import test from "node:test";
import { float32, int16, int8, tableFromArrays, tableToIPC, utf8 } from "@uwdata/flechette";
import { CaseTable, Table, encodedMatrix, readTable } from "../src/parts/arrow";

const stream = (given: object, types: object): Uint8Array =>
  tableToIPC(tableFromArrays(given as never, { types: types as never }), { format: "stream" }) as Uint8Array;

const columns = (given: [string, ArrayLike<number>][]): Map<string, ArrayLike<unknown>> => new Map(given);

test("a stream becomes typed columns, wherever its bytes start", () => {
  const given = stream({ a: [1, -2, 3], b: [0.5, NaN, 2], c: ["x", "<script>", "é"] }, { a: int8(), b: float32(), c: utf8() });
  const shifted = new Uint8Array(given.length + 1);
  shifted.set(given, 1);
  for (const bytes of [given, shifted.subarray(1)]) {
    const table = readTable(bytes);
    assert.equal(table.rows, 3);
    assert.ok(table.numbers("a") instanceof Int8Array);
    assert.deepEqual([...table.numbers("b")], [0.5, NaN, 2]);
    assert.deepEqual(table.strings("c"), ["x", "<script>", "é"]);
    assert.throws(() => table.numbers("zz"), RangeError);
  }
});

test("nulls are NaN, and a table without rows is one", () => {
  assert.deepEqual([...readTable(stream({ a: [1, null, 3] }, { a: int16() })).numbers("a")], [1, NaN, 3]);
  assert.equal(readTable(stream({ a: [] }, { a: int16() })).rows, 0);
});

test("cases come in any order and in types of any width", () => {
  const cases = new CaseTable(6, [true, false]);
  cases.put(3, new Table(3, columns([["f0", Int16Array.of(300, -1, -2)], ["f1", Float32Array.of(1.5, NaN, 3)]])));
  cases.put(0, new Table(3, columns([["f0", Int8Array.of(1, -2, 3)], ["f1", Int32Array.of(2 ** 30 + 1, 5, 6)]])));
  assert.equal(cases.loaded, 6);
  assert.ok(cases.column("f0") instanceof Int16Array);
  assert.ok(cases.column("f1") instanceof Float64Array);
  assert.deepEqual([...cases.row(0)], [1, 2 ** 30 + 1]);
  assert.deepEqual([...cases.row(1)], [NaN, 5]);
  assert.deepEqual([...cases.row(4)], [-1, NaN]);
  assert.deepEqual([...cases.row(5)], [NaN, 3]);
});

test("widening keeps every value of every pair of types", () => {
  const types = [Int8Array, Uint8Array, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array];
  const most = [-128, 255, -32768, 65535, -(2 ** 31), 2 ** 32 - 1, Math.fround(0.1), 0.1];
  types.forEach((first, i) => {
    types.forEach((second, k) => {
      const cases = new CaseTable(2, [false]);
      cases.put(0, new Table(1, columns([["f0", first.of(most[i] as number)]])));
      cases.put(1, new Table(1, columns([["f0", second.of(most[k] as number)]])));
      assert.deepEqual([...cases.column("f0")], [most[i], most[k]], `${first.name} with ${second.name}`);
    });
  });
});

test("an encoded matrix says missing as NaN", () => {
  const table = new Table(2, columns([["f0", Int8Array.of(-2, -1)], ["f1", Float32Array.of(-2, NaN)]]));
  assert.deepEqual([...encodedMatrix(table, [true, false])], [NaN, -2, -1, NaN]);
});
