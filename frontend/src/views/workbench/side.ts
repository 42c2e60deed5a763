// The side of a case: what can be said beyond the bars. Training cases and the verdict get their places here when
// `meta.parts` says that they exist, as the rule and the flips have.

import { html } from "htm/preact";
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { count, measured, number, percent } from "../../parts/format";
import { type Desk, useDesk } from "./desk";
import { Flips } from "./flips";
import { placesOf } from "./mapview";
import { Read } from "./reading";
import { RuleCard } from "./rulecard";
import { AroundHere } from "./surrogate";

export function Side(): VNode {
  return html`<aside class="side" aria-label="Beyond the bars">
    <${RuleCard} /><${Flips} /><${AroundHere} /><${Balance} /><${Compared} /><${Alike} /><${Trust} />
  </aside>` as VNode;
}

/** For and against, added up. */
function Balance(): VNode | null {
  const desk = useDesk();
  const { answers, words } = desk;
  const { space } = desk.store.state.value;
  const shown = answers.answer.value;
  if (!shown) return null;
  const { values, base } = shown.value;
  const tally = (sign: number): { n: number; sum: number } => {
    const own = Array.from(values).filter((v) => v * sign > 0);
    return { n: own.length, sum: own.reduce((a, b) => a + b, 0) };
  };
  const up = tally(1);
  const down = tally(-1);
  const most = Math.max(up.sum, -down.sum, 1e-12);
  const level = (v: number): string => words.tick(v, space);
  const line = (label: string, t: { n: number; sum: number }, tone: string): unknown => html`<div class="tally">
    <span>${label} <span class="muted">${t.n} fact${t.n === 1 ? "" : "s"}</span></span>
    <i class=${t.n ? (tone === "up" ? "u" : "d") : ""} style=${{ width: `${(100 * Math.abs(t.sum)) / most}%` }}></i>
    <b class=${t.n ? tone : "muted"}>${words.push(t.sum, space)}</b>
  </div>`;
  return html`<section class=${answers.stale.value ? "sect stale" : "sect"}>
    <header><h2>For and against, added up</h2></header>
    <p class="sm sums">
      From the average ${level(base)}, ${up.n} fact${up.n === 1 ? " pushes" : "s push"} up and ${down.n} ${down.n === 1 ? "pushes" : "push"} down, to ${level(shown.value.prediction)}.
    </p>
    ${line("Up", up, "up")}${line("Down", down, "down")}
  </section>` as VNode;
}

/** Against the case before edits, or the pinned one: which facts differ, and what that did. */
function Compared(): VNode | null {
  const desk = useDesk();
  const { answers, words, rows } = desk;
  const { pin, case: id } = desk.store.state.value;
  const now = answers.current.value;
  if (!now) return null;
  const pinned = pin !== null && pin !== id;
  const pinRow = pinned ? rows.rowOf(pin) : -1;
  const other = pinned ? (pinRow >= 0 ? rows.table.row(pinRow) : null) : answers.edited.value.length ? answers.original.value : null;
  if (!other) return null;
  const columns = Array.from(now.keys()).filter((j) => !Object.is(now[j], other[j]) && now[j] !== other[j]);
  const order = answers.order.value.filter((j) => columns.includes(j)).slice(0, 8);
  const p0 = rows.p.value[pinned ? pinRow : answers.caseRow.value];
  const p1 = answers.prediction.value?.value ?? NaN;
  const mine = answers.stale.value ? undefined : answers.answer.value?.value.values;
  const theirs = (pinned ? answers.pinned.value : answers.ghost.value)?.value.values;
  const { space } = desk.store.state.value;
  return html`<section class="sect">
    <header><h2>${pinned ? `Against the pinned case #${pin}` : "Against the case as it was"}</h2><span class="aux">${words.level(p0)} → ${words.level(p1)}</span></header>
    <table class="diff">
      <thead>
        <tr><th scope="col">Fact</th><th scope="col">${pinned ? `#${pin}` : "Was"}</th><th scope="col">${pinned ? `#${id}` : "Now"}</th><th scope="col" class="r">Push by</th></tr>
      </thead>
      <tbody>
        ${order.map((j) => {
          const by = mine && theirs ? mine[j] - theirs[j] : NaN;
          return html`<tr>
            <td>${words.title(j)}</td>
            <td class="muted">${words.value(j, other[j])}</td>
            <td><b>${words.value(j, now[j])}</b></td>
            <td class=${by > 0 ? "r up" : "r down"}>${Number.isNaN(by) ? "" : words.push(by, space)}</td>
          </tr>`;
        })}
      </tbody>
    </table>
    ${columns.length > order.length && html`<p class="cap">${count(columns.length - order.length)} more ${columns.length - order.length === 1 ? "fact differs" : "facts differ"}.</p>`}
    ${!columns.length && html`<p class="cap">Every fact is the same.</p>`}
  </section>` as VNode;
}

const ALIKE = 5;

/** The cases that lie closest on the map. */
function closest(desk: Desk, row: number): number[] {
  const { xs, ys } = placesOf(desk);
  const best: { i: number; d: number }[] = [];
  for (let i = 0; i < xs.length; i += 1) {
    if (i === row) continue;
    const d = (xs[i] - xs[row]) ** 2 + (ys[i] - ys[row]) ** 2;
    if (best.length === ALIKE && d >= best[ALIKE - 1].d) continue;
    best.push({ i, d });
    best.sort((a, b) => a.d - b.d);
    if (best.length > ALIKE) best.pop();
  }
  return best.map((b) => b.i);
}

function Alike(): VNode | null {
  const desk = useDesk();
  const { answers, words, rows } = desk;
  const row = answers.caseRow.value;
  const map = rows.map.value;
  const found = useMemo(() => (map && row >= 0 ? closest(desk, row) : []), [map, row, rows.loaded.value]);
  if (!found.length) return null;
  const judged = rows.judged.value;
  return html`<section class="sect">
    <header><h2>${words.many === "people" ? "People" : "Cases"} explained alike</h2><${Read} part="alike" /><span class="aux">nearest on the map</span></header>
    ${found.map((i) => {
      const [first, second] = rows.describe(i, words.detailColumns());
      return html`<button class="sim" key=${i} data-case=${rows.id(i)} onClick=${() => desk.open(rows.id(i))}>
        <b class=${judged.p[i] >= judged.line ? "up" : "down"}>${words.level(judged.p[i])}</b>
        <span>${first}<span class="muted">, ${second}</span></span>
        <span class="muted xs">#${rows.id(i)}${judged.wrong[i] ? html`<i class="wrong">${judged.regression ? "far off" : "wrong"}</i>` : ""}</span>
      </button>`;
    })}
  </section>` as VNode;
}

/** What the figures rest on. */
function Trust(): VNode {
  const desk = useDesk();
  const { meta, words, answers } = desk;
  const { metrics, background, frozen } = meta;
  const shown = answers.answer.value?.value;
  const facts: [string, string][] = [];
  if (shown) facts.push(["Contributions", contributions(desk)]);
  facts.push(["Compared with", background.rows ? `${words.people(background.rows)} of the training data, the background` : "the background of the saved result"]);
  if (metrics.auc) facts.push(["Tells apart", `AUC ${measured(metrics.auc)}, ${measuredOn(desk)}`]);
  if (metrics.accuracy) facts.push(["Decides right", `${percent(metrics.accuracy[0], 1)} ± ${(metrics.accuracy[1] * 100).toFixed(1)}, ${measuredOn(desk)}`]);
  if (metrics.r2) facts.push(["Variance explained", `R² ${measured(metrics.r2)}, ${measuredOn(desk)}`]);
  if (metrics.n_train) facts.push(["Trained on", words.people(metrics.n_train)]);
  facts.push(["Answered by", answeredBy(desk)]);
  if (frozen) facts.push(["Frozen", `on ${frozen.date}; ${frozen.note}`]);
  for (const [name, note] of Object.entries(meta.quantisation ?? {})) if (typeof note === "string") facts.push([`Rounded ${name}`, note]);
  return html`<section class="sect">
    <header><h2>What this rests on</h2></header>
    <dl class="card">${facts.map(([name, text]) => html`<div><dt>${name}</dt><dd>${text}</dd></div>`)}</dl>
  </section>` as VNode;
}

function contributions(desk: Desk): string {
  const shown = desk.answers.answer.value?.value;
  if (!shown) return "";
  const { space } = desk.store.state.value;
  const scale = space === "margin" ? "of the margin" : desk.words.regression ? `of ${desk.words.what}` : "of the chance, in percentage points";
  return shown.exact ? `exact Shapley values ${scale}` : `estimated Shapley values ${scale}; ${shown.errors ? "whiskers are 95% intervals" : "their errors did not travel with this page"}`;
}

export function measuredOn(desk: Desk): string {
  const { metrics, noun } = desk.meta;
  const where = (metrics as { measured_on?: string }).measured_on === "training" ? "training" : "held-out";
  const n = (metrics as { n_measured?: number }).n_measured ?? metrics.n_test;
  return n ? `on ${count(n)} ${where} ${noun}` : `on ${where} ${noun}`;
}

function answeredBy(desk: Desk): string {
  const source = desk.answers.source.value;
  const error = desk.answers.page?.model.raw.error ?? 0;
  if (source === "page") return `the model itself, in this page${error > 0 ? ` (to ${number(error)})` : ""}`;
  if (source === "python") return "the model in Python, asked for each change";
  return source === "waiting" ? "the model, on its way" : "what was saved; nothing new can be asked";
}
