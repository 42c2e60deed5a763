// One rule: a sentence, IF and THEN, how often it holds and how many it covers; other precisions where Python is.

import { effect, untracked } from "@preact/signals";
import { html } from "htm/preact";
import type { VNode } from "preact";
import { percent, range, upper } from "../../parts/format";
import { meets } from "../workbench/conditions";
import { Progress, stateOf } from "../workbench/flips";
import { Asked, type RuleFound } from "../workbench/panels";
import { Card, conditionOf, outputOf } from "../workbench/rulecard";
import type { Words } from "../workbench/words";
import { Crumb, Frame, NeedsPython } from "./frame";
import { plain, read, type Room, type RuleEntry } from "./room";

const OFFERED = [0.9, 0.95, 0.99];

export class RuleDesk {
  readonly saved: readonly RuleEntry[];
  readonly asked: Asked<RuleFound>;
  private stop: () => void;

  constructor(readonly room: Room) {
    this.saved = read<RuleEntry[]>(room.link, "rules");
    this.asked = new Asked(room.link, "rule", 60);
    this.stop = effect(() => {
      const { precision } = room.store.state.value;
      const key = `${room.id.value}|${precision}`;
      const args = room.asks ? { row: plain(room.own.value), precision } : null;
      untracked(() => (precision === room.meta.precision ? this.asked.stop() : this.asked.want(key, args, room.meta.asks === "when pressed")));
    });
  }

  dispose(): void {
    this.stop();
    this.asked.stop();
  }

  /** The rule shown, and whether it is the one that is wanted. */
  shown(): { rule: RuleFound | null; stale: boolean } {
    const { room, asked } = this;
    if (room.store.state.value.precision === room.meta.precision) return { rule: this.saved[room.at.value] ?? null, stale: false };
    const answer = asked.shown.value;
    if (answer?.key === asked.wanted.value) return { rule: answer.value, stale: false };
    return { rule: answer && answer.key.startsWith(`${room.id.value}|`) ? answer.value : (this.saved[room.at.value] ?? null), stale: true };
  }
}

const listed = (parts: readonly string[]): string => (parts.length < 2 ? (parts[0] ?? "") : `${parts.slice(0, -1).join(", ")} and ${parts[parts.length - 1]}`);

/** The rule as one sentence that can be repeated. */
export function sentence(words: Words, rule: RuleFound): string {
  const output = outputOf(words, rule.output);
  if (!rule.predicates.length) return rule.reason ? `${upper(rule.reason)}.` : `Whatever the facts, the model says ${output}.`;
  const conditions = listed(rule.predicates.map((p) => conditionOf(words, p)));
  const often = rule.precision === null ? "" : ` for ${percent(rule.precision)} of ${words.many}${rule.low !== null && rule.high !== null ? ` (${range(rule.low, rule.high, percent)})` : ""}`;
  const covers = rule.coverage === null ? "" : `; ${percent(rule.coverage)} of the training ${words.many} are like that`;
  return `When ${conditions}, the model says ${output}${often}${covers}.`;
}

function Precision({ desk }: { desk: RuleDesk }): VNode {
  const { room } = desk;
  const first = room.meta.precision as number;
  const { precision } = room.store.state.value;
  const choices = [...new Set([...OFFERED, first, precision])].sort((a, b) => a - b);
  return html`<div class="choice">
    <span class="sm" id="precision-of">Should hold for at least</span>
    <span class="seg" role="group" aria-labelledby="precision-of">
      ${choices.map((share) => html`<button data-precision=${share} aria-pressed=${share === precision ? "true" : "false"} disabled=${!room.asks && share !== precision} onClick=${() => room.store.set({ precision: share })}>${percent(share, Number.isInteger(Math.round(share * 1e6) / 1e4) ? 0 : 1)}</button>`)}
    </span>
  </div>` as VNode;
}

export function RulePage({ desk }: { desk: RuleDesk }): VNode {
  const { room, asked } = desk;
  const { words, rows, meta } = room;
  const { rule, stale } = desk.shown();
  const failed = rule ? (rule as RuleEntry).status : "";
  const broken = failed && failed !== "ok";
  const categorical = (j: number): boolean => meta.columns[j].kind === "categorical";
  const inside = (k: number): boolean => rule !== null && rule.predicates.length > 0 && rule.predicates.every((p) => meets(p, categorical(p.at), rows.values[k]?.[p.at] ?? NaN));
  const covered = rows.ids.map((_, k) => inside(k));
  const n = covered.filter(Boolean).length;
  const waiting = room.store.state.value.precision === meta.precision ? "here" : stateOf(asked);
  const mark = (k: number): string => {
    if (covered[k]) return "covered";
    const entry = desk.saved[k];
    return entry && !entry.met ? "no rule" : "";
  };
  return html`<${Frame} room=${room} mark=${mark} keys=${[]}>
    <${Crumb} room=${room} />
    ${broken
      ? html`<p class="lead" data-sentence>This case could not be asked about: ${failed}.</p>`
      : rule && html`<div class=${stale ? "stale" : ""}>
          <p class="lead" data-sentence>${sentence(words, rule)}</p>
          <div class="card-of"><${Card} rule=${rule} words=${words} /></div>
          ${n > 0 && rows.ids.length > 1 && html`<p class="cap" data-covered>${n === 1 ? "Only this one" : `${n.toLocaleString("en-US")}`} of the ${words.people(rows.ids.length)} listed here ${n === 1 ? "meets" : "meet"} every condition.</p>`}
        </div>`}
    <div class="rule" data-rule=${waiting}>
      <${Precision} desk=${desk} />
      ${waiting !== "here" && html`<${Progress} asked=${asked} words=${`Looking for a rule that holds for ${words.many} like this`} first=${false} />`}
      <${NeedsPython} room=${room} what="Asking for another precision" />
    </div>
  <//>` as VNode;
}
