// The prediction on its scale: average, decision line, needle, how often people scored alike had the outcome.

import { html } from "htm/preact";
import type { VNode } from "preact";
import { count, percent, range, upper, wilson } from "../../parts/format";
import { type Desk, useDesk } from "./desk";
import { Read } from "./reading";

const FEW = 10;
const HATCHED = 100;
const at = (share: number): { left: string } => ({ left: `${100 * Math.max(0, Math.min(1, share))}%` });

export function PredictionScale(): VNode | null {
  const desk = useDesk();
  const p = desk.answers.prediction.value?.value ?? NaN;
  if (Number.isNaN(p)) return null;
  const drawn = desk.words.regression ? html`<${ValueScale} p=${p} />` : html`<${ChanceScale} p=${p} />`;
  return html`<div class="scalebox">${drawn}<${Read} part="scale" /></div>` as VNode;
}

function band(desk: Desk, p: number): { n: number; low: number; high: number } | null {
  const { calibration, output } = desk.meta;
  if (!calibration || desk.store.state.value.output !== output) return null;
  const [n, k] = calibration[Math.max(0, Math.min(100, Math.round(p * 100)))] ?? [0, 0];
  if (!n) return null;
  const [low, high] = wilson(k, n);
  return { n, low, high };
}

function ChanceScale({ p }: { p: number }): VNode {
  const desk = useDesk();
  const { meta, answers, words } = desk;
  const base = answers.answer.value?.value.base ?? meta.base ?? NaN;
  const average = desk.store.state.value.space === "margin" ? (meta.base ?? NaN) : base;
  const line = meta.decision;
  const seen = band(desk, p);
  const before = answers.edited.value.length ? desk.rows.p.value[answers.caseRow.value] : null;
  const outcome = meta.outcome ? shortOutcome(meta.outcome) : `are ${words.outputName(meta.output) || "so"}`;
  const few = seen !== null && seen.n < FEW;
  const said = seen && few ? `only ${words.people(seen.n)} scored like this: too few to say` : seen && `of ${count(seen.n)} ${words.many} scored like this, ${range(seen.low, seen.high, (v) => percent(v))} ${outcome}`;
  const clash = line !== null && Math.abs(average - line) < 0.17;
  const label = `Prediction ${percent(p)}. Average ${percent(average)}${line === null ? "" : `, decision line ${percent(line)}`}.${said ? ` Of held-out ${words.many}: ${said}, 95% interval.` : ""}`;
  return html`<div class="scale" role="img" aria-label=${label}>
    <div class="ax"></div>
    ${seen && !few && html`<div class=${seen.n < HATCHED ? "band few" : "band"} style=${{ ...at(seen.low), width: `${(seen.high - seen.low) * 100}%` }}></div>`}
    ${Number.isFinite(average) && html`<i class="tk" style=${at(average)}></i><span class=${clash ? (average < (line ?? 0) ? "a toleft" : "a toright") : "a"} style=${at(clash ? average : edge(average))}>average ${percent(average)}</span>`}
    ${line !== null && html`<i class="tk" style=${at(line)}></i><span class=${clash && average < line ? "a toright" : clash ? "a toleft" : "a"} style=${at(line)}>decision line ${percent(line)}</span>`}
    ${before !== null && html`<i class="was" style=${at(before)} data-tip=${`Before your edits: ${percent(before)}`}></i>`}
    <i class="me" style=${at(p)}></i>
    ${seen &&
    html`<span class="t" style=${within((seen.low + seen.high) / 2, String(said))}>${said}</span>`}
  </div>` as VNode;
}

/** A label centred on a place, as far as its length lets it stay on the scale. */
function within(share: number, text: string): { left: string } {
  const half = `${Math.round(text.length * 2.9)}px`;
  return { left: `clamp(${half}, ${100 * share}%, calc(100% - ${half}))` };
}

/** Labels near the ends would leave the scale. */
const edge = (share: number): number => Math.max(0.05, Math.min(0.95, share));

/** "earn more than $50K" stays; a long fragment is said as "had it". */
function shortOutcome(outcome: string): string {
  return outcome.length <= 28 ? outcome : "had it";
}

function ValueScale({ p }: { p: number }): VNode {
  const desk = useDesk();
  const { meta, answers, words, rows } = desk;
  const { lo, hi } = rangeOf(desk);
  const share = (v: number): number => (v - lo) / (hi - lo || 1);
  const base = answers.answer.value?.value.base ?? meta.base ?? NaN;
  const average = desk.store.state.value.space === "margin" ? (meta.base ?? NaN) : base;
  const row = answers.caseRow.value;
  const y = rows.y(row);
  const edited = answers.edited.value.length > 0;
  const before = edited ? rows.p.value[row] : null;
  const recorded = !Number.isNaN(y) && !edited;
  const label = `${upper(words.what.slice(4))} ${words.level(p)} on a scale from ${words.level(lo)} to ${words.level(hi)}. Average ${words.level(average)}.${recorded ? ` Recorded ${words.level(y)}.` : ""}`;
  return html`<div class="scale" role="img" aria-label=${label}>
    <div class="ax"></div>
    ${Number.isFinite(average) && html`<i class="tk" style=${at(share(average))}></i><span class="a" style=${at(edge(share(average)))}>average ${words.level(average)}</span>`}
    ${recorded && html`<i class="tk rec" style=${at(share(y))}></i><span class="t" style=${at(edge(share(y)))}>recorded ${words.level(y)}</span>`}
    ${before !== null && html`<i class="was" style=${at(share(before))}></i>`}
    <i class="me" style=${at(share(p))}></i>
    <span class="t end" style=${{ left: "0" }}>${recorded && share(y) < 0.18 ? "" : words.level(lo)}</span>
    <span class="t end" style=${{ left: "100%" }}>${recorded && share(y) > 0.82 ? "" : words.level(hi)}</span>
  </div>` as VNode;
}

/** Where nearly all predictions lie, the one shown included. */
export function rangeOf(desk: Desk): { lo: number; hi: number } {
  let [lo, hi] = desk.rows.range.value;
  const now = desk.answers.prediction.value?.value ?? lo;
  lo = Math.min(lo, now);
  hi = Math.max(hi, now);
  return Number.isFinite(lo) && hi > lo ? { lo, hi } : { lo: now - 1, hi: now + 1 };
}
