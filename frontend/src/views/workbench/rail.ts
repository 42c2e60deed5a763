// The rail: scope, search, filters, map and list.

import { html } from "htm/preact";
import type { VNode } from "preact";
import { count } from "../../parts/format";
import { CaseList } from "./caselist";
import { type Desk, useDesk } from "./desk";
import { CaseMap } from "./mapview";

export function Rail(): VNode {
  return html`<aside class="rail" aria-label="Cases">
    <div class="hd"><${Tabs} /><${Search} /><${Chips} /></div>
    <${CaseMap} />
    <div class="rail-list"><${Sorting} /><${CaseList} /></div>
  </aside>` as VNode;
}

function Tabs(): VNode {
  const desk = useDesk();
  const { tab } = desk.store.state.value;
  const one = (name: "case" | "all", label: string): unknown => html`<button
    role="tab"
    data-tab=${name}
    aria-selected=${tab === name ? "true" : "false"}
    tabindex=${tab === name ? 0 : -1}
    onClick=${() => desk.store.set({ tab: name })}
  >
    ${label}
  </button>`;
  return html`<div class="seg" role="tablist" aria-label="Scope">${one("case", "One case")}${one("all", "All cases")}</div>` as VNode;
}

function Search(): VNode {
  const desk = useDesk();
  const { query } = desk.store.state.value;
  const example = exampleOf(desk);
  return html`<input
    class="inp"
    type="search"
    data-search
    placeholder=${`Find: ${example}`}
    aria-label="Search cases by any value or by number"
    value=${query}
    onInput=${(e: Event) => desk.store.set({ query: (e.currentTarget as HTMLInputElement).value }, { step: "query" })}
  />` as VNode;
}

/** A word and a number that would find something. */
function exampleOf({ rows, meta }: Desk): string {
  const j = [...meta.primary].reverse().find((at) => meta.columns[at].kind === "categorical") ?? -1;
  const seen = rows.loaded.value && j >= 0 ? rows.words.value(j, rows.table.value(Math.min(3, rows.total - 1), j)).split(/[\s,]/)[0].toLowerCase() : "";
  return [seen, `#${rows.loaded.value ? rows.id(Math.min(120, rows.loaded.value - 1)) : 0}`].filter(Boolean).join(", ");
}

function Chips(): VNode {
  const desk = useDesk();
  const { filter } = desk.store.state.value;
  const chips = desk.rows.chips.value.map(
    (c) => html`<button
      class="chip"
      key=${c.name}
      data-filter=${c.name}
      aria-pressed=${filter === c.name ? "true" : "false"}
      onClick=${() => desk.store.set({ filter: c.name })}
    >
      ${c.label} <span class="num">${count(c.count)}</span>
    </button>`,
  );
  return html`<div class="chips" role="group" aria-label="Filter">${chips}</div>` as VNode;
}

const SORTS: readonly [string, string][] = [
  ["order", "as given"],
  ["prediction", "highest first"],
  ["prediction-low", "lowest first"],
  ["error", "largest error first"],
];

function Sorting(): VNode {
  const desk = useDesk();
  const { rows } = desk;
  const { sort } = desk.store.state.value;
  const loaded = rows.loaded.value;
  const shown = rows.shown.value.length;
  const words = loaded < rows.total ? `${count(loaded)} of ${count(rows.total)} here` : `${desk.words.people(shown)}`;
  const share = loaded / Math.max(1, rows.total);
  return html`<div class="listhead">
    <span role="status">${rows.failure.value ? `Stopped at ${count(loaded)}: ${rows.failure.value}` : words}</span>
    <label
      ><span class="vh">Order of the list</span
      ><select value=${sort} onChange=${(e: Event) => desk.store.set({ sort: (e.currentTarget as HTMLSelectElement).value })}>
        ${SORTS.map(([key, label]) => html`<option value=${key} selected=${key === sort}>${label}</option>`)}
      </select></label
    >
    ${loaded < rows.total && html`<i class="progress" style=${{ transform: `scaleX(${share})` }}></i>`}
  </div>` as VNode;
}
