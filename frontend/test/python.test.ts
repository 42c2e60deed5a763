import assert from "node:assert/strict";
import test from "node:test";
import type { Column, Lock, Meta, State } from "../src/parts/types";
import { counterfactualCall, literal, pythonFor } from "../src/views/workbench/python";

test("what comes from data is a literal, whatever is in it", () => {
  assert.equal(literal('a"); import os #\n'), '"a\\"); import os #\\n"');
  assert.equal(literal("\u2028é"), '"\\u2028\\u00e9"');
  assert.equal(literal("\u{1f600}"), '"\\U0001f600"');
  assert.equal(literal(NaN), "None");
  assert.equal(literal(0.5), "0.5");
});

test("the code names the state, the selection, the edits and the explanation", () => {
  const meta = { columns: [{ name: "Age" }, { name: 'x"y' }], outputs: ["no", "yes"], scale: "probability", python: { model: "model", imports: ["import whyglass as wg"], call: "wg.explain(model, X_test)" } } as unknown as Meta;
  const state = { case: 7, edits: { "1": 3 }, filter: "all", query: "", sort: "order", brush: null, selection: [1, 2], pin: null, tab: "case", fact: 0, space: "probability", output: 1 } as unknown as State;
  const code = pythonFor({ meta, state, row: null, raw: (_, v) => v, level: () => "70%", prediction: 0.7 });
  assert.match(code, /^import whyglass as wg\n/);
  assert.match(code, /view\.state = \{"case": 7, "edits": \{"1": 3\}, "selection": \[1, 2\]\}/);
  assert.match(code, /row\.assign\(\*\*\{"x\\"y": 3\}\)/);
  assert.match(code, /target="yes", space="probability"/);
});

test("edits are written for the caller's own kind of frame", () => {
  const code = (frame: string, value: string | number | boolean | null): string => {
    const meta = { columns: [{ name: "Age" }, { name: "Job" }], outputs: ["pay"], scale: "value", python: { model: "model", imports: [], call: "why", frame } } as unknown as Meta;
    const state = { case: 0, edits: { "1": 0 }, filter: "all", query: "", sort: "order", brush: null, selection: null, pin: null, tab: "case", fact: 0, space: "probability", output: 0 } as unknown as State;
    return pythonFor({ meta, state, row: null, raw: () => value, level: () => "1", prediction: 1 });
  };
  assert.match(code("pandas", true), /row\.assign\(\*\*\{"Job": True\}\)/);
  assert.match(code("polars", "nurse"), /row\.with_columns\(pl\.lit\("nurse"\)\.alias\("Job"\)\)/);
  assert.match(code("numpy", 3), /row = row\.copy\(\)\nrow\[0, 1\] = 3 /);
  assert.match(code("numpy", null), /row\[0, 1\] = float\("nan"\)/);
  assert.match(code("arrow", "nurse"), /row\.to_pandas\(\)\.assign/);
});

test("groups and the log loss are asked for as they were", () => {
  const state = { case: 4, edits: {}, filter: "all", query: "", sort: "order", brush: null, selection: null, pin: null, tab: "all", fact: 2, partner: 1, space: "probability", output: 0 } as unknown as State;
  const python = { model: "model", imports: [], call: "why", groups: ", groups={'home': ['a', 'b']}" };
  const code = (space: string): string => {
    const meta = { columns: [], outputs: ["yes"], scale: "probability", space, python } as unknown as Meta;
    return pythonFor({ meta, state, row: null, raw: (_, v) => v, level: () => "70%", prediction: 0.7 });
  };
  assert.match(code("probability"), /view\.state = \{"case": 4, "tab": "all", "fact": 2, "partner": 1\}/);
  assert.match(code("probability"), /wg\.explain\(model, row, groups=\{'home': \['a', 'b'\]\}, target="yes", space="probability"\)/);
  assert.match(code("log_loss"), /wg\.explain\(model, row, groups=.*, space="log_loss", y=y_test\[4:5\]\) {6}# log loss 70%/);
});

const PEOPLE = [
  { name: "Age", kind: "numeric", role: "feature" },
  { name: "Sex", kind: "categorical", role: "protected" },
  { name: 'Sch"ool', kind: "categorical", role: "feature", ordered: true },
] as unknown as Column[];

test("locks become constraints, and what is as usual is not written", () => {
  const call = (locks: { [column: string]: Lock }): string => counterfactualCall(PEOPLE, "model", locks, { k: 3, plausible: false });
  assert.equal(call({}), 'wg.explain(model, row, method="counterfactual", k=3, plausible=False)');
  assert.equal(call({ "0": "held" }), 'wg.explain(model, row, method="counterfactual", k=3, plausible=False, immutable=["Age", "Sex"])');
  assert.equal(call({ "1": "free" }), 'wg.explain(model, row, method="counterfactual", k=3, plausible=False, immutable=[])');
  assert.equal(call({ "0": "rises", "1": "falls", "2": "falls" }), 'wg.explain(model, row, method="counterfactual", k=3, plausible=False, immutable=[], increase_only=["Age"], decrease_only=["Sch\\"ool"])');
  assert.equal(counterfactualCall(PEOPLE, "model", {}, { k: 1, plausible: true, target: '"yes"' }), 'wg.explain(model, row, method="counterfactual", target="yes")');
});

test("what the panels ask is in the code, with the locks that are set, by name", () => {
  const state = { case: 4, edits: {}, filter: "all", query: "", sort: "order", brush: null, selection: null, pin: null, tab: "case", fact: -1, partner: -1, locks: { "0": "held", "2": "rises" }, likely: true, space: "probability", output: 0 } as unknown as State;
  const code = (parts: object, more: object = {}): string => {
    const meta = { columns: PEOPLE, outputs: ["pay"], base: 10.5, python: { model: "model", imports: [], call: "why" }, parts, ...more } as unknown as Meta;
    return pythonFor({ meta, state, row: null, raw: (_, v) => v, level: () => "70%", prediction: 12 });
  };
  const both = code({ counterfactuals: true, rules: true }, { scale: "probability" });
  assert.match(both, /view\.state = \{"case": 4, "locks": \{"Age": "held", "Sch\\"ool": "rises"\}, "likely": True\}/);
  assert.match(both, /\nflips = wg\.explain\(model, row, method="counterfactual", k=3, immutable=\["Age", "Sex"\], increase_only=\["Sch\\"ool"\]\)\nrule = wg\.explain\(model, row, method="anchors"\)\[0\]$/);
  assert.match(code({ counterfactuals: true }, { scale: "value" }), /target=\(None, 10\.5\), k=3/);
  assert.doesNotMatch(code({}), /flips|anchors/);
});
