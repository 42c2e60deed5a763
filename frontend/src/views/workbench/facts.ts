// One row a fact: what it is, what it added, what if it were different. The curve is the control.

import { html } from "htm/preact";
import type { VNode } from "preact";
import { useRef } from "preact/hooks";
import { Curve } from "./control";
import { useDesk, type Desk } from "./desk";
import { type Bar, layOut, type Layout, type Step } from "./layout";
import { Read } from "./reading";
import { breakable } from "./swarm";
import { ValueControl } from "./value";

const LABEL = { u: "up", d: "down", n: "muted" } as const;
const pc = (v: number): string => `${(100 * v).toFixed(3)}%`;

interface Plan {
  readonly layout: Layout | null;
  readonly steps: readonly Step[];
  readonly stale: boolean;
  readonly coarse: boolean;
}

/** The bars of this moment; null while there is no answer at all. */
function plan(desk: Desk): Plan {
  const { answers, words } = desk;
  const shown = answers.answer.value;
  const { rows, rest } = answers.layoutRows.value;
  if (!shown) return { layout: null, steps: [], stale: false, coarse: false };
  const state = desk.store.state.value;
  const edited = answers.edited.value.length > 0;
  const own = answers.ghost.value;
  const ghost = edited ? (own?.key === answers.originalKey.value ? own.value : null) : state.pin !== null && state.pin !== state.case ? (answers.pinned.value?.value ?? null) : null;
  const { values, errors, base, prediction, exact } = shown.value;
  const sum = (list: ArrayLike<number>, columns: readonly number[]): number => columns.reduce((a, j) => a + list[j], 0);
  const error = (columns: readonly number[]): number => (errors ? Math.sqrt(columns.reduce((a, j) => a + errors[j] ** 2, 0)) : 0);
  const step = (columns: readonly number[]): Step => ({
    columns,
    value: sum(values, columns),
    error: error(columns),
    ghost: ghost ? sum(ghost.values, columns) : null,
  });
  const steps = [...rows.map((j) => step([j])), ...(rest.length ? [step(rest)] : [])];
  const chance = !words.regression && state.space === "probability";
  const spread = Math.max(...Array.from(values, Math.abs), Math.abs(prediction - base), 1e-12);
  const layout = layOut(base, prediction, steps, {
    limits: chance ? [0, 1] : null,
    least: chance ? 0.3 : spread,
    labelRoom: 0.16,
    hideWhisker: chance ? 0.0035 : spread * 0.01,
  });
  return { layout, steps, stale: answers.stale.value, coarse: !exact && errors !== null && worst(errors, spread, chance) };
}

/** Coarse: whole points at best. */
function worst(errors: Float64Array, spread: number, chance: boolean): boolean {
  return Math.max(...errors) * 1.96 > (chance ? 0.02 : spread * 0.08);
}

export function Facts(): VNode {
  const desk = useDesk();
  const { answers, words } = desk;
  const { rows, rest } = answers.layoutRows.value;
  const { space } = desk.store.state.value;
  const now = plan(desk);
  const base = answers.answer.value?.value.base;
  const from = base === undefined ? "" : `, from the average ${words.tick(base, space)}`;
  const unit = words.unitName(space);
  const added = words.logLoss ? "What it added to the log loss (to the right: more wrong)" : "What it added";
  const head = `${added}${unit ? `, in ${unit === "margin" ? "margin units" : unit}` : ""}${from}`;
  const canMore = desk.meta.columns.length > 12;
  return html`<div class=${now.stale ? "rows stale" : "rows"} data-stale=${now.stale ? "true" : "false"} data-exact=${answers.answer.value?.value.exact ? "true" : "false"}>
    <div class="rh"><span>What is known</span><span>${head} <${Read} part="bars" /></span><span>What if it were different <${Read} part="curves" /></span></div>
    ${rows.map((j, k) => html`<${Fact} key=${j} column=${j} bar=${now.layout?.bars[k] ?? null} step=${now.steps[k] ?? null} layout=${now.layout} coarse=${now.coarse} last=${k === rows.length - 1 && !rest.length} />`)}
    ${rest.length > 0 && html`<${Rest} columns=${rest} bar=${now.layout?.bars[rows.length] ?? null} step=${now.steps[rows.length] ?? null} layout=${now.layout} />`}
    <div class="rf">
      <span><${SpaceSwitch} />${canMore && answers.expanded.value && html` <button class="link xs" onClick=${() => (answers.expanded.value = false)}>Show fewer</button>`}</span>
      <div class="wf" aria-hidden="true">
        ${axisTicks(now.layout, (t) => words.tick(t, space)).map((t) => html`<span style=${{ left: pc((t - (now.layout as Layout).lo) / ((now.layout as Layout).hi - (now.layout as Layout).lo)) }}>${words.tick(t, space)}</span>`)}
      </div>
      <span></span>
    </div>
  </div>` as VNode;
}

/** Ticks that have room: long numbers keep every second one. */
function axisTicks(layout: Layout | null, write: (t: number) => string): readonly number[] {
  const ticks = layout?.ticks ?? [];
  return ticks.some((t) => write(t).length > 7) && ticks.length > 3 ? ticks.filter((_, k) => k % 2 === 0) : ticks;
}

/** Points or the model's own margin; only where the two differ. */
function SpaceSwitch(): VNode | null {
  const desk = useDesk();
  const { space } = desk.store.state.value;
  const { link } = desk.meta;
  if (link === "identity" || desk.answers.source.value === "none") return null;
  const toMargin = space === "probability";
  const tip = toMargin
    ? "The model adds up on another scale, the margin (log-odds).\nThere its contributions are exact without any sampling; they are not percentages."
    : "Back to percentage points: what each fact adds to the chance itself.";
  return html`<button class="link xs space" data-space=${space} data-tip=${tip} onClick=${() => desk.store.set({ space: toMargin ? "margin" : "probability" })}>
    ${toMargin ? "In margin units" : desk.words.regression ? "In its own unit" : "In points"}
  </button>` as VNode;
}

interface FactProps {
  column: number;
  bar: Bar | null;
  step: Step | null;
  layout: Layout | null;
  coarse: boolean;
  last: boolean;
}

function Fact({ column, bar, step, layout, coarse, last }: FactProps): VNode {
  const desk = useDesk();
  const { answers, words, meta } = desk;
  const value = answers.current.value?.[column] ?? NaN;
  const original = answers.original.value?.[column] ?? NaN;
  const edited = String(column) in desk.store.state.value.edits;
  const sensitive = meta.columns[column].role === "protected";
  return html`<div class=${edited ? "row ed" : "row"} data-feature=${meta.columns[column].name} data-column=${column}>
    <div class="nm">
      <div class="fn">
        <span>${breakable(words.title(column))}</span>
        ${sensitive && html`<span class="tag" tabindex="0" data-tip="Sensitive\nA protected attribute. The model sees it; a decision that leans on it needs a human.">sensitive</span>`}
        ${edited && html`<em>was ${words.value(column, original)}</em>`}
      </div>
      <${ValueControl} column=${column} value=${value} />
    </div>
    <${Wf} column=${column} bar=${bar} step=${step} layout=${layout} coarse=${coarse} last=${last} title=${`${words.title(column)}: ${words.value(column, value)}`} />
    <${Curve} column=${column} value=${value} original=${original} edited=${edited} />
  </div>` as VNode;
}

interface WfProps {
  column: number;
  bar: Bar | null;
  step: Step | null;
  layout: Layout | null;
  coarse: boolean;
  last: boolean;
  title: string;
}

function Wf({ bar, step, layout, coarse, last, title }: WfProps): VNode {
  const desk = useDesk();
  const { words } = desk;
  const { space } = desk.store.state.value;
  const slot = useRef<HTMLDivElement>(null);
  if (!bar || !step || !layout) return html`<div class="wf" ref=${slot}><i class="skel late"></i></div>` as VNode;
  const error = step.error * 1.96;
  const exact = error === 0;
  const said = `${words.push(step.value, space)} ${words.unitName(space)}`.trim();
  const written = coarse ? words.rough(step.value, space) : words.push(step.value, space);
  const how = desk.answers.answer.value?.value.how ?? "";
  const interval = exact ? "" : ` ± ${words.spread(error, space)}`;
  const around = desk.meta.background.rows;
  const tip = `${title}\n${said}${interval}\n${how}${around ? ` Compared with ${words.people(around)} in the background.` : ""}`;
  const nothing = written.includes("\u00b1");
  const tone = nothing || !bar.sure ? "n" : bar.up ? "u" : "d";
  const label = bar.label.side === "left" ? { left: `calc(${pc(bar.label.at)} + 7px)` } : { right: `calc(${pc(bar.label.at)} + 7px)` };
  const span = (s: { left: number; width: number }): object => ({ left: pc(s.left), width: pc(s.width) });
  return html`<div class="wf" role="img" aria-label=${`${title}: ${said}${interval}`} ref=${slot}>
    <i class="b0" style=${{ left: pc(layout.base) }}></i>
    ${bar.ghost && html`<i class="g" style=${span(bar.ghost)}></i>`}
    <i class=${`b ${tone}`} data-value=${String(step.value)} style=${span(bar.span)}></i>
    ${bar.whisker && html`<i class="w" style=${span(bar.whisker)}></i>`}
    ${!last && html`<i class="c" style=${{ left: pc(bar.end) }}></i>`}
    <span class=${`l ${LABEL[tone]}`} style=${label} data-tip=${tip}>${written}</span>
  </div>` as VNode;
}

function Rest({ columns, bar, step, layout }: { columns: number[]; bar: Bar | null; step: Step | null; layout: Layout | null }): VNode {
  const desk = useDesk();
  const { words, answers } = desk;
  const { space } = desk.store.state.value;
  const error = (step?.error ?? 0) * 1.96;
  const together = step ? `together ${words.push(step.value, space)}${error ? `\u00a0±\u00a0${words.spread(error, space)}` : ""}` : "";
  return html`<div class="row rest">
    <div class="nm"><button class="link" data-more onClick=${() => (answers.expanded.value = true)}>${columns.length.toLocaleString("en-US")} more, ${together}</button></div>
    <${Wf} column=${-1} bar=${bar} step=${step} layout=${layout} coarse=${false} last=${true} title=${`${columns.length} more facts together`} />
    <span class="cap">Press to see each of them.</span>
  </div>` as VNode;
}
