// What mattered around a case: the coefficients of LIME's straight line beside the bars of the same facts, how well that line
// follows the model, and how far the two agree.

import { effect, untracked } from "@preact/signals";
import { html } from "htm/preact";
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { type Agreement, agree, strongest, sure } from "../../parts/agreement";
import { readTable, type Table } from "../../parts/arrow";
import { count, percent } from "../../parts/format";
import type { Answers } from "./answers";
import { type Desk, useDesk } from "./desk";
import { Progress, stateOf } from "./flips";
import { Asked } from "./panels";
import { Read } from "./reading";
import type { Rows } from "./rows";
import { breakable } from "./swarm";

export interface Around {
  readonly values: readonly number[];
  /** Standard errors, null where there are none; NaN is unknown. */
  readonly errors: readonly number[] | null;
  /** Held-out R squared; null when nothing varies, or nothing says. */
  readonly r2: number | null;
  /** Cases drawn; 0 when exact, -1 when nothing says. */
  readonly draws: number;
  readonly given: boolean;
}

const STRONGEST = 5;
const Z95 = 1.96;
const UNKNOWN = 255;

/** What a report carries of the result that was given to it. */
function fromTable(table: Table, at: number, columns: number): Around {
  const all = (letter: string, step: number): number[] =>
    Array.from({ length: columns }, (_, j) => {
      const steps = table.numbers(`${letter}${j}`)[at];
      return letter === "e" && steps === UNKNOWN ? NaN : steps * step;
    });
  const r2 = table.numbers("r")[at];
  return {
    values: all("w", table.numbers("step")[at]),
    errors: table.has("error_step") ? all("e", table.numbers("error_step")[at]) : null,
    r2: Number.isFinite(r2) ? r2 : null,
    draws: table.numbers("draws")[at],
    given: true,
  };
}

/** Asks for what is wanted now, and for nothing else; in a report looks it up. */
export class Surrogate {
  readonly asked: Asked<Around>;
  private table: Table | null = null;
  private stop: () => void;

  constructor(
    private rows: Rows,
    private answers: Answers,
  ) {
    this.asked = new Asked(rows.link, "surrogate");
    const bytes = rows.meta.frozen ? rows.link.tables.get("surrogate") : undefined;
    if (bytes) this.table = readTable(bytes);
    this.stop = effect(() => {
      const { tab, output } = rows.store.state.value;
      const row = answers.current.value;
      const key = answers.key.value;
      const ready = tab === "case" && row !== null && answers.finished.value > 0 && !answers.busy.value;
      untracked(() => (ready && this.offered && row ? this.follow(key, row, output) : this.asked.stop()));
    });
  }

  get offered(): boolean {
    const { surrogate, frozen, live } = this.rows.meta;
    return Boolean(surrogate) && (frozen ? this.table !== null : live);
  }

  dispose(): void {
    this.stop();
    this.asked.stop();
  }

  private follow(key: string, row: Float64Array, output: number): void {
    const { meta, store } = this.rows;
    if (this.table) return this.lookUp(key, output);
    const args = { row: Array.from(row, (v) => (Number.isFinite(v) ? v : null)), output, space: store.state.peek().space };
    this.asked.want(key, args, meta.asks === "when pressed" && meta.surrogate?.source !== "given");
  }

  /** A report knows the cases that were explained, as they were, for one output and on one scale. */
  private lookUp(key: string, output: number): void {
    const { meta, store, words } = this.rows;
    const { case: id, space } = store.state.peek();
    const own = !this.answers.edited.peek().length && output === meta.output && space === (meta.space === "margin" ? "margin" : "probability");
    const at = own ? Array.prototype.indexOf.call((this.table as Table).numbers("id"), id) : -1;
    this.asked.wanted.value = key;
    this.asked.failure.value = at < 0 ? (own ? `The result in this report does not speak of this ${words.one}.` : "This report carries what was given, of each case as it was.") : "";
    if (at >= 0) this.asked.shown.value = { key, value: fromTable(this.table as Table, at, meta.columns.length) };
  }
}

export function AroundHere(): VNode | null {
  const desk = useDesk();
  const { surrogate, answers, words, meta } = desk;
  if (!surrogate.offered) return null;
  const { asked } = surrogate;
  const shown = asked.shown.value;
  const stale = shown !== null && shown.key !== asked.wanted.value;
  const bars = answers.answer.value;
  const beside = !stale && shown && bars?.key === shown.key ? bars.value : null;
  return html`<section class=${stale ? "sect around stale" : "sect around"} data-around=${stateOf(asked)}>
    <header><h2>What mattered around here</h2><${Read} part="around" /><span class="aux">LIME</span></header>
    ${shown && html`<${Found} found=${shown.value} bars=${beside?.values ?? null} errors=${beside?.errors ?? null} />`}
    ${meta.frozen && asked.failure.value ? html`<p class="cap" role="status">${asked.failure.value}</p>` : html`<${Progress} asked=${asked} words=${`Drawing ${words.many} like this one`} first=${!shown} />`}
  </section>` as VNode;
}

interface FoundProps {
  found: Around;
  bars: Float64Array | null;
  errors: Float64Array | null;
}

const known = (values: readonly (number | null)[]): number[] => values.map((v) => v ?? NaN);

function Found({ found, bars, errors }: FoundProps): VNode {
  const desk = useDesk();
  const [all, setAll] = useState(false);
  const values = known(found.values).map((v) => v || 0);
  const spread = found.errors && known(found.errors);
  const certain = sure(values, spread);
  const agreement = bars && agree(bars, values, [errors, spread], STRONGEST);
  const first = strongest(values, values.length);
  const telling = new Set([...first.slice(0, STRONGEST), ...(bars ? strongest(bars, STRONGEST) : []), ...(agreement?.opposite ?? [])]);
  const order = [...first, ...Array.from(values.keys()).filter((j) => !first.includes(j))];
  const shown = all ? order : order.filter((j) => telling.has(j));
  const half = (j: number): number => (spread ? Z95 * (Number.isFinite(spread[j]) ? spread[j] : 0) : 0);
  const most = Math.max(...shown.flatMap((j) => [Math.abs(values[j]) + half(j), Math.abs(bars?.[j] ?? 0)]), 1e-12);
  const rest = order.length - shown.length;
  return html`<div>
    <${Said} found=${found} values=${values} certain=${certain} first=${first} spread=${spread} />
    <table class="kept">
      <thead><tr><th scope="col">Fact</th><td></td><th scope="col" class="r"><i class="bar"></i> kept</th><th scope="col" class="r"><i class="ring"></i> share</th></tr></thead>
      <tbody>
        ${shown.map((j) => html`<${Line} key=${j} column=${j} value=${values[j]} half=${half(j)} certain=${certain[j]} bar=${bars?.[j] ?? NaN} most=${most} against=${agreement?.opposite.includes(j) ?? false} />`)}
      </tbody>
    </table>
    ${rest > 0 && html`<button class="link xs" data-around-more onClick=${() => setAll(true)}>${count(rest)} more</button>`}
    ${agreement && html`<${Agreed} agreement=${agreement} all=${values.length} />`}
    <p class="cap">${method(desk, found)}</p>
  </div>` as VNode;
}

/** The answer first: what keeping which fact goes with, and how far that can be believed. */
function Said({ found, values, certain, first, spread }: { found: Around; values: number[]; certain: boolean[]; first: number[]; spread: number[] | null }): VNode {
  const desk = useDesk();
  const { words, answers } = desk;
  const { space } = desk.store.state.value;
  const row = answers.current.value;
  const [top, next] = first;
  if (top === undefined || !certain[top] || !row) return html`<p class="sm" data-around-said>Around here no fact stands out: keeping any one of them goes with no change that can be told from none.</p>` as VNode;
  const unit = words.unitWords(space);
  const close = next !== undefined && Math.abs(values[top]) - Math.abs(values[next]) < Z95 * Math.hypot(spread?.[top] || 0, spread?.[next] || 0);
  const level = found.r2 === null ? null : Math.max(0, found.r2);
  const worth = level === null ? "" : level < 0.5 ? "read it as a rough sketch" : level < 0.8 ? "read it as a sketch" : "it follows the model closely";
  return html`<div>
    <p class="sm" data-around-said>
      Among ${words.many} drawn around this one, keeping <b>${kept(desk, top, row[top])}</b> goes with <b class=${values[top] > 0 ? "up" : "down"}>${words.push(values[top], space)}${unit && ` ${unit}`}</b>${close ? `, and no more for certain than ${kept(desk, next, row[next])} does.` : ", more than any other fact."}
    </p>
    ${level !== null && html`<p class="sm" data-around-r2=${String(found.r2)}>Adding up such effects explains <b>${percent(level)}</b> of what the model does around here: ${worth}.</p>`}
  </div>` as VNode;
}

interface LineProps {
  column: number;
  value: number;
  half: number;
  certain: boolean;
  bar: number;
  most: number;
  against: boolean;
}

function Line({ column, value, half, certain, bar, most, against }: LineProps): VNode {
  const desk = useDesk();
  const { words, answers } = desk;
  const { space } = desk.store.state.value;
  const at = (v: number): number => 50 + (48 * v) / most;
  const span = (a: number, b: number): object => ({ left: `${Math.min(at(a), at(b))}%`, width: `${Math.abs(at(a) - at(b))}%` });
  const tone = certain ? (value > 0 ? "u" : "d") : "n";
  const unit = words.unitWords(space);
  const interval = half ? ` ± ${words.spread(half, space)}` : "";
  const share = Number.isNaN(bar) ? "" : `\nIts share in the bars: ${words.push(bar, space)}${unit && ` ${unit}`}.`;
  return html`<tr data-feature=${desk.meta.columns[column].name} data-kept=${String(value)}>
    <th scope="row">${breakable(words.title(column))}${against && html` <span class="tag" data-against>opposite</span>`}<span class="muted">${bin(desk, column, answers.current.value?.[column] ?? NaN)}</span></th>
    <td aria-hidden="true"><div class="pl" data-tip=${`${words.title(column)}\nKeeping it: ${words.push(value, space)}${interval}${unit && ` ${unit}`}.${share}`}>
      <i class=${`b ${tone}`} style=${span(0, value)}></i>
      ${half > most * 0.015 && html`<i class="w" style=${span(value - half, value + half)}></i>`}
      ${!Number.isNaN(bar) && html`<i class="ring" style=${{ left: `${at(bar)}%` }}></i>`}
    </div></td>
    <td class=${`r ${tone === "u" ? "up" : tone === "d" ? "down" : "muted"}`}>${words.push(value, space)}</td>
    <td class="r">${Number.isNaN(bar) ? "" : words.push(bar, space)}</td>
  </tr>` as VNode;
}

/** A fact that stays as it is, inside a sentence. */
function kept(desk: Desk, column: number, value: number): string {
  const range = desk.meta.surrogate?.edges[column]?.length && !Number.isNaN(value);
  return range ? `${desk.words.name(column)} (${bin(desk, column, value)})` : desk.words.phrase(column, value);
}

/** What keeping a number means: staying in its quarter of the training values. */
function bin(desk: Desk, column: number, value: number): string {
  const { words, meta } = desk;
  const edges = meta.surrogate?.edges[column];
  if (!edges?.length || Number.isNaN(value)) return words.value(column, value);
  const write = (v: number): string => words.value(column, v);
  const at = edges.findIndex((e) => value <= e);
  if (at === 0) return edges[0] === meta.columns[column].minimum ? write(edges[0]) : `up to ${write(edges[0])}`;
  const below = edges[(at < 0 ? edges.length : at) - 1];
  const whole = meta.columns[column].integer && Number.isInteger(below);
  if (at < 0) return whole ? `${write(below + 1)} or more` : `over ${write(below)}`;
  const low = whole ? below + 1 : below;
  return low === edges[at] ? write(low) : `${write(low)} to ${write(edges[at])}`;
}

const COUNTS = ["none", "one", "two", "three", "four", "five"];

/** Whether the two stories agree, with a number. */
function Agreed({ agreement, all }: { agreement: Agreement; all: number }): VNode {
  const desk = useDesk();
  const { words } = desk;
  const { k, shared, same, opposite, ranks } = agreement;
  const way = shared === 0 ? "" : same === shared ? (shared === 1 ? ", and it points the same way" : ", and all of them point the same way") : `, and ${COUNTS[same]} of those ${same === 1 ? "points" : "point"} the same way`;
  const strong = k > 1 ? `Of the ${COUNTS[k]} strongest facts here, ${shared === k ? "all" : COUNTS[shared]} ${shared === 1 ? "is" : "are"} also among the ${COUNTS[k]} longest bars${way}.` : "";
  const order = all > 2 && html` By size, the two orders of all ${count(all)} facts agree at <b>${ranks.toFixed(2).replace("-", "\u2212")}</b>, where 1 is the same order and 0 none.`;
  const names = opposite.map((j) => words.name(j));
  return html`<div>
    <p class="sm agree" data-agree=${`${k} ${shared} ${same} ${opposite.length}`} data-ranks=${String(ranks)}>${strong}${!Number.isNaN(ranks) && order}</p>
    ${names.length > 0 && html`<p class="cap" data-against-said><b>Opposite ways: ${names.join(", ")}.</b> Both can hold: "kept" compares with ${words.many} drawn around this one for whom the fact differs, and takes all of a number's range under its name together; "share" divides the distance from the average among all facts.</p>`}
  </div>` as VNode;
}

/** Where the numbers come from. */
function method(desk: Desk, found: Around): string {
  const { words } = desk;
  const source = found.given ? "From the LIME result that was given. " : "";
  if (found.draws === 0) return `${source}Worked out from the trees themselves, without drawing anyone: no sampling error.`;
  const drawn = found.draws > 0 ? `${count(found.draws)} ${words.many} drawn fact by fact; the more facts they share with this one, the more they count. ` : "";
  return `${source}${drawn}${found.errors ? "Whiskers hold 95%." : ""}`;
}
