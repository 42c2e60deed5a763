// The rule behind what the model says: its conditions in words, how often it holds, how many it covers.

import { html } from "htm/preact";
import type { VNode } from "preact";
import { percent, range, upper } from "../../parts/format";
import { said, meets } from "./conditions";
import { type Desk, useDesk } from "./desk";
import { Progress, stateOf } from "./flips";
import type { Condition, RuleFound } from "./panels";
import { Read } from "./reading";
import type { Words } from "./words";

const categorical = (desk: Desk, j: number): boolean => desk.meta.columns[j].kind === "categorical";

/** Lists and marks the cases that meet every condition. */
function showOnMap(desk: Desk, rule: RuleFound): void {
  const { rows } = desk;
  const ids: number[] = [];
  for (let i = 0; i < rows.loaded.peek(); i += 1) {
    if (rule.predicates.every((p) => meets(p, categorical(desk, p.at), rows.table.value(i, p.at)))) ids.push(rows.id(i));
  }
  desk.store.set({ brush: null, selection: ids });
}

export function RuleCard(): VNode | null {
  const desk = useDesk();
  const { panels, words } = desk;
  if (!panels.offers("rules")) return null;
  const shown = panels.rule.shown.value;
  const stale = shown !== null && shown.key !== panels.rule.wanted.value;
  const rule = shown?.value;
  const some = rule !== undefined && rule.predicates.length > 0;
  return html`<section class=${stale ? "sect rule stale" : "sect rule"} data-rule=${stateOf(panels.rule)}>
    <header>
      <h2>A rule that covers this case</h2><${Read} part="rule" />
      ${some && html`<span class="aux"><button class="link xs" data-rule-map onClick=${() => showOnMap(desk, rule)}>Show on map</button></span>`}
    </header>
    ${rule && html`<${Card} rule=${rule} words=${words} />`}
    <${Progress} asked=${panels.rule} words=${`Looking for a rule that holds for ${words.many} like this`} first=${!shown} />
  </section>` as VNode;
}

/** What a rule says of: the output's name in a sentence. */
export function outputOf(words: Words, name: string): string {
  const at = words.meta.outputs.indexOf(name);
  return at < 0 ? name : words.outputName(at);
}

/** A condition in words. */
export const conditionOf = (words: Words, p: Condition): string =>
  said(p, words.column(p.at), words.name(p.at), (v) => words.small(p.at, v));

export function Card({ rule, words }: { rule: RuleFound; words: Words }): VNode {
  const output = outputOf(words, rule.output);
  if (!rule.predicates.length) {
    const why = rule.reason || `Whatever the facts, the model says ${output}`;
    return html`<p class="sm" data-rule-none>${upper(why)}${/[.!?]$/.test(why) ? "" : "."}</p>` as VNode;
  }
  const leans = rule.predicates.filter((p) => words.column(p.at).role === "protected");
  return html`<div>
    <dl class="conditions">
      ${rule.predicates.map(
        (p, k) => html`<div data-feature=${words.column(p.at).name}><dt>${k ? "and" : "if"}</dt><dd>${conditionOf(words, p)}${leans.includes(p) && html` <span class="tag">sensitive</span>`}</dd></div>`,
      )}
      <div><dt>then</dt><dd><b>${output}</b></dd></div>
    </dl>
    <${Bar} label="Precision" value=${rule.precision} low=${rule.low} high=${rule.high} tip=${rule.of && `Precision\n${upper(rule.of)}.`} />
    <${Bar} label="Covers" value=${rule.coverage} low=${null} high=${null} tip=${`Covers\nThe share of the training ${words.many} that meet the conditions.`} />
    ${!rule.met && html`<p class="cap" data-rule-unmet>Not as sure as asked for${rule.reason ? `: ${rule.reason}` : ""}.</p>`}
    ${leans.length > 0 && html`<p class="cap">No rule was found that leaves out ${leans.map((p) => words.name(p.at)).join(", ")}.</p>`}
  </div>` as VNode;
}

interface BarProps {
  label: string;
  value: number | null;
  low: number | null;
  high: number | null;
  tip: string;
}

/** A share with its interval: soft range, ink point. */
function Bar({ label, value, low, high, tip }: BarProps): VNode | null {
  if (value === null) return null;
  const interval = low !== null && high !== null ? range(low, high, percent) : "";
  return html`<div class="share" data-tip=${tip || null}>
    <span>${label}</span>
    <div class="iv" role="img" aria-label=${`${label} ${percent(value)}${interval && `, ${interval}`}`}>
      <i class="tr"></i>
      ${interval && html`<i class="rg" style=${{ left: `${100 * (low as number)}%`, width: `${100 * ((high as number) - (low as number))}%` }}></i>`}
      <i class="pt" style=${{ left: `${100 * value}%` }}></i>
    </div>
    <span><b>${percent(value)}</b> <span class="muted">${interval}</span></span>
  </div>` as VNode;
}
