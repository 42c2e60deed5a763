// The code that rebuilds what is on screen.

import { counterfactualCall, literal, locksByName, python } from "../workbench/python";
import type { Room } from "./room";

export function pythonOf(room: Room): string {
  const { meta, store } = room;
  const state = store.state.peek();
  const { python: code } = meta;
  const name = meta.view === "rules" ? "rules" : meta.view === "curves" ? "curves" : meta.view === "ranking" ? "found" : "flips";
  const told: [string, unknown][] = [["case", state.case]];
  if (meta.view === "rules") told.push(["precision", state.precision]);
  if (meta.view === "curves" || meta.view === "ranking") told.push(["output", state.output]);
  if (meta.view === "counterfactuals") {
    told.push(["locks", locksByName(meta.columns, state.locks)], ["likely", state.likely], ["k", state.k], ["edits", state.edits]);
  }
  if (state.selection) told.push(["selection", state.selection]);
  const lines = [
    "import whyglass as wg",
    "",
    `${name} = ${code.call}`,
    `view = wg.show(${name})`,
    `view.state = {${told.map(([key, value]) => `${literal(key)}: ${python(value)}`).join(", ")}}`,
  ];
  if (!meta.can_ask) return lines.join("\n");
  const row = `row = X_test[${state.case}:${state.case + 1}]`;
  if (meta.view === "rules" && state.precision !== meta.precision) lines.push("", row, `again = wg.explain(${code.model}, row, method="anchors", precision=${state.precision})`);
  if (meta.view === "counterfactuals") lines.push("", row, `again = ${counterfactualCall(meta.columns, code.model, state.locks, { k: state.k, plausible: state.likely, target: wanted(meta.asked?.target) })}`);
  return lines.join("\n");
}

/** A class, or a range of values as a tuple. */
function wanted(target: unknown): string {
  if (target === undefined || target === null) return "";
  return Array.isArray(target) ? `(${target.map(python).join(", ")})` : python(target);
}
