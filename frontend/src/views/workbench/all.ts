// All cases: the model at large. Figures, every fact as a swarm with its weight, one fact in full, and whether the
// percentages can be believed.

import { html } from "htm/preact";
import type { VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import { count, measured, percent } from "../../parts/format";
import { Calibration } from "./calibration";
import { Waiting } from "./centre";
import { Dependence } from "./dependence";
import { type Desk, useDesk } from "./desk";
import { Effect } from "./effect";
import { HeatMap } from "./heatmap";
import { Read } from "./reading";
import { measuredOn } from "./side";
import { SwarmAxis, SwarmRow } from "./swarm";
import { type FactAtLarge, type World, worldSignal } from "./world";

const MOST_FACTS = 12;
const KEPT_FACTS = 10;

export function AllCases(): VNode {
  const desk = useDesk();
  const world = useMemo(() => worldSignal(desk.rows), [desk]).value;
  return html`<section class="glob" aria-label="All cases">
    ${world && html`<${Lead} world=${world} />`}
    <${Figures} />
    ${world ? html`<${Grid} world=${world} />` : html`<${NotYet} />`}
  </section>` as VNode;
}

/** The answer first: what the model leans on, in one sentence. */
function Lead({ world }: { world: World }): VNode | null {
  const { words } = useDesk();
  const size = (f: FactAtLarge): string => words.push(f.size.mean, "probability").replace(/^[+\u00b1]/, "");
  const [first, ...next] = world.facts.filter((f) => !words.push(f.size.mean, "probability").startsWith("\u00b1")).slice(0, 3);
  if (!first) return html`<p class="lead">No fact moves ${words.what} of these ${words.many}.</p>` as VNode;
  const unit = words.unitName("probability");
  const others = next.map((f, k) => html`${k ? " and " : ""}<b>${words.name(f.column)}</b> (${size(f)})`);
  return html`<p class="lead">
    The model leans most on <b>${words.name(first.column)}</b>, which moves ${words.what} by ${size(first)}${unit && ` ${unit}`} on
    average${others.length ? html`, then on ${others}` : ""}.
  </p>` as VNode;
}

function NotYet(): VNode {
  const desk = useDesk();
  const { rows, words } = desk;
  if (rows.sampleFailure.value) {
    return html`<div class="msg" role="status">
      <b>The contributions of many ${words.many} did not come.</b>
      <p>${ended(rows.sampleFailure.value)} Single ${words.many} can still be opened.</p>
      ${desk.meta.live && html`<button class="btn" onClick=${() => void rows.askSample()}>Ask again</button>`}
    </div>` as VNode;
  }
  if (rows.sampleState.value === "none") {
    return html`<div class="msg"><b>There are no contributions to sum up.</b><p>The model at large is drawn from explained cases, and none came with this view.</p></div>` as VNode;
  }
  return html`<${Waiting} words=${`Explaining a sample of ${desk.words.many}.`} />` as VNode;
}

function Figures(): VNode {
  const desk = useDesk();
  const { metrics, outcome, decision } = desk.meta;
  const { words } = desk;
  const on = measuredOn(desk);
  const figures: [string, string, string][] = [];
  const pair = (m: readonly [number, number], digits: number): [string, string] => {
    const [value, half] = measured(m, digits).split(" \u00b1 ");
    return [value, half];
  };
  if (metrics.auc) figures.push([...pair(metrics.auc, 3), `AUC ${on}`]);
  if (metrics.accuracy) {
    const at = decision === null ? "decided right" : `decided right at ${percent(decision)}`;
    figures.push([percent(metrics.accuracy[0], 1), (metrics.accuracy[1] * 100).toFixed(1), at]);
  }
  if (metrics.r2) figures.push([...pair(metrics.r2, 3), `of the variance explained, ${on}`]);
  const error = metrics["error"];
  if (Array.isArray(error)) figures.push([words.level(error[0]), "", "off on average"]);
  if (metrics.n_train) {
    const share = metrics.rate !== null && metrics.rate !== undefined && outcome ? `, ${percent(metrics.rate)} ${outcome}` : "";
    figures.push([count(metrics.n_train), "", `training ${words.many}${share}`]);
  }
  if (!figures.length) figures.push([count(desk.rows.total), "", words.many]);
  return html`<div class="gtop">
    ${figures.map(([value, half, text]) => html`<div><b>${value}${half && html` <span class="muted sm">± ${half}</span>`}</b><span class="sm muted">${text}</span></div>`)}
  </div>` as VNode;
}

const ended = (text: string): string => (/[.!?]$/.test(text.trim()) ? text : `${text}.`);

/** The fact looked at: the one chosen, else the weightiest. */
export function chosenFact(desk: Desk, world: World): number {
  const { fact } = desk.store.state.value;
  return fact >= 0 && fact < desk.meta.columns.length ? fact : (world.facts[0]?.column ?? 0);
}

function Grid({ world }: { world: World }): VNode {
  const desk = useDesk();
  const { words } = desk;
  const [all, setAll] = useState(false);
  const shown = all || world.facts.length <= MOST_FACTS ? world.facts : world.facts.slice(0, KEPT_FACTS);
  const fact = chosenFact(desk, world);
  const most = Math.max(...world.facts.slice(0, KEPT_FACTS).map((f) => f.size.mean + (Number.isFinite(f.size.half) ? f.size.half : 0)), 1e-12);
  const unit = words.regression ? "" : ", points";
  const how = world.exact ? "" : " These contributions are estimates.";
  return html`<div class="ggrid">
    <section>
      <header class="ghead">
        <h2>All facts <${Read} part="swarm" /></h2>
        <span class="cap"
          >${count(world.ids.length)} ${words.many}: <span class="down">← lowers</span>, <span class="up">raises →</span> ${words.what}. Dot shade: <i class="ramp"></i> low
          to high value.${how}</span
        >
        <span class="cap">Mean size of its push${unit}, 95% interval</span>
      </header>
      <div role="group" aria-label="Facts by weight">
        ${shown.map((f) => html`<${SwarmRow} key=${f.column} fact=${f} world=${world} most=${most} pressed=${f.column === fact} />`)}
      </div>
      <${SwarmAxis} world=${world} />
      ${world.facts.length > shown.length && html`<button class="link" onClick=${() => setAll(true)}>${count(world.facts.length - shown.length)} more facts</button>`}
    </section>
    <div class="gside"><${Dependence} world=${world} column=${fact} /><${Effect} column=${fact} /><${HeatMap} world=${world} /><${Calibration} /></div>
  </div>` as VNode;
}
