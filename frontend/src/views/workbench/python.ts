// The code that rebuilds what is on screen. Everything that comes from data is written as a Python literal.

import type { Column, Lock, Meta, State } from "../../parts/types";

/** A Python literal: text with escapes, numbers without a trailing .0, None for missing. */
export function literal(value: string | number | boolean | null): string {
  if (typeof value === "boolean") return value ? "True" : "False";
  if (value === null || (typeof value === "number" && Number.isNaN(value))) return "None";
  if (typeof value === "number") return String(value);
  return JSON.stringify(value).replace(/[\u007f-\u{10ffff}]/gu, (c) => {
    const code = c.codePointAt(0) as number;
    return code > 0xffff ? `\\U${code.toString(16).padStart(8, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

export interface Written {
  readonly meta: Meta;
  readonly state: State;
  /** Encoded values of the case before edits. */
  readonly row: Float64Array | null;
  /** How a column's value is written back into the caller's frame: the category itself, or the number. */
  readonly raw: (column: number, value: number) => string | number | boolean | null;
  readonly level: (value: number) => string;
  readonly prediction: number;
}

/** The edits in the words of the caller's own kind of frame. */
function edits(written: Written): string[] {
  const { columns, python: code } = written.meta;
  const changed = Object.entries(written.state.edits).map(([key, value]) => {
    const j = Number(key);
    return { at: j, name: literal(columns[j].name), value: literal(written.raw(j, value ?? NaN)) };
  });
  if (!changed.length) return [];
  const pairs = changed.map(({ name, value }) => `${name}: ${value}`).join(", ");
  switch (code.frame) {
    case "polars":
      return [`row = row.with_columns(${changed.map(({ name, value }) => `pl.lit(${value}).alias(${name})`).join(", ")})      # the what-if`];
    case "numpy":
      return ["row = row.copy()", ...changed.map(({ at, value, name }) => `row[0, ${at}] = ${value === "None" ? 'float("nan")' : value}      # the what-if: ${name}`)];
    case "arrow":
      return [`row = row.to_pandas().assign(**{${pairs}})      # the what-if`];
    default:
      return [`row = row.assign(**{${pairs}})      # the what-if`];
  }
}

/** Python that reproduces the selection and the explanation on screen. */
export function pythonFor(written: Written): string {
  const { meta, state } = written;
  const space = state.space === "margin" ? ', space="margin"' : meta.scale === "probability" ? ', space="probability"' : "";
  const target = meta.outputs.length ? `, target=${literal(meta.outputs[state.output] ?? "")}` : "";
  const asked = meta.space === "log_loss" ? `, space="log_loss", y=y_test[${state.case}:${state.case + 1}]` : `${target}${space}`;
  const lines = [
    ...(meta.python.imports.length ? meta.python.imports : ["import whyglass as wg"]),
    "",
    `view = wg.show(${meta.python.call}, model=${meta.python.model})`,
    `view.state = ${stateLiteral(state, meta)}`,
  ];
  if (state.selection) lines.push(`people = view.selected_frame()      # ${state.selection.length} rows`);
  lines.push(
    "",
    `view.selection = [${state.case}]`,
    "row = view.selected_frame()",
    ...edits(written),
    `why = wg.explain(${meta.python.model}, row${meta.python.groups ?? ""}${asked})      # ${meta.space === "log_loss" ? "log loss" : "prediction"} ${written.level(written.prediction)}`,
    "why.to_frame()",
    ...panelCalls(written),
  );
  return lines.join("\n");
}

/** What the panels beside the case ask, with the locks that are set. */
function panelCalls({ meta, state, prediction }: Written): string[] {
  if (state.tab !== "case" || meta.frozen || !meta.parts) return [];
  const { model } = meta.python;
  const line = String(meta.base);
  const across = meta.scale === "value" ? `(${prediction > meta.base ? `None, ${line}` : `${line}, None`})` : "";
  const wanted = { k: 3, plausible: Boolean(state.likely), target: across };
  return [
    ...(meta.parts.counterfactuals ? [`flips = ${counterfactualCall(meta.columns, model, state.locks ?? {}, wanted)}`] : []),
    ...(meta.parts.rules ? [`rule = wg.explain(${model}, row, method="anchors")[0]`] : []),
  ];
}

/** Locks by the names of their columns, as Python may write them. */
export function locksByName(columns: readonly Column[], locks: { [column: string]: Lock } | undefined): { [name: string]: Lock } {
  return Object.fromEntries(Object.entries(locks ?? {}).map(([j, lock]) => [columns[Number(j)]?.name ?? j, lock]));
}

interface Wanted {
  k: number;
  plausible: boolean;
  /** What is wanted, as Python; empty where any other class is. */
  target?: string;
}

/** The search for changes under these locks, as Python: protected facts are held unless a lock says otherwise. */
export function counterfactualCall(columns: readonly Column[], model: string, locks: { [column: string]: Lock }, { k, plausible, target = "" }: Wanted): string {
  const lock = (column: Column, j: number): Lock => locks[String(j)] ?? (column.role === "protected" ? "held" : "free");
  const ordered = (column: Column): boolean => column.kind !== "categorical" || column.ordered;
  const names = (wanted: Lock): string[] => columns.filter((c, j) => lock(c, j) === wanted && (wanted === "held" || ordered(c))).map((c) => c.name);
  const held = names("held");
  const usual = columns.filter((c) => c.role === "protected").map((c) => c.name);
  const said = [
    ...(target ? [`target=${target}`] : []),
    ...(k === 1 ? [] : [`k=${k}`]),
    ...(plausible ? [] : ["plausible=False"]),
    ...(held.join("\n") === usual.join("\n") ? [] : [`immutable=${python(held)}`]),
    ...(["rises", "falls"] as const).flatMap((way) => (names(way).length ? [`${way === "rises" ? "increase_only" : "decrease_only"}=${python(names(way))}`] : [])),
  ];
  return `wg.explain(${[model, "row", 'method="counterfactual"', ...said].join(", ")})`;
}

function stateLiteral(state: State, meta: Meta): string {
  const keep: [string, unknown][] = [
    ["case", state.case],
    ["edits", state.edits],
    ["tab", state.tab],
    ["filter", state.filter],
    ["query", state.query],
    ["sort", state.sort],
    ["brush", state.brush],
    ["selection", state.selection],
    ["pin", state.pin],
    ["locks", locksByName(meta.columns, state.locks)],
    ["likely", state.likely],
    ["space", state.space],
    ...(state.tab === "all" ? ([["fact", state.fact], ["partner", state.partner]] as [string, unknown][]) : []),
  ];
  const dull: { [key: string]: unknown } = { edits: "{}", tab: '"case"', filter: '"all"', query: '""', sort: '"order"', brush: "null", selection: "null", pin: "null", locks: "{}", likely: "false", space: '"probability"', fact: "-1", partner: "-1" };
  const told = keep.filter(([key, value]) => value !== undefined && JSON.stringify(value) !== dull[key]);
  return `{${told.map(([key, value]) => `${literal(key)}: ${python(value)}`).join(", ")}}`;
}

/** A JSON value as a Python literal. */
export function python(value: unknown): string {
  if (value === null || typeof value === "number" || typeof value === "string") return literal(value);
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  return `{${Object.entries(value as object)
    .map(([key, item]) => `${literal(key)}: ${python(item)}`)
    .join(", ")}}`;
}
