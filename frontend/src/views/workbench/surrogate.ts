// What mattered around a case: the coefficients of LIME's straight line beside the bars of the same facts, how well that line
// follows the model, and how far the two agree.

import { effect, untracked } from "@preact/signals";
import { html } from "htm/preact";
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { type Agreement, agree, strongest, sure } from "../../parts/agreement";
import { readTable, type Table } from "../../parts/arrow";
import { count, percent, upper } from "../../parts/format";
import type { Answers } from "./answers";
import { type BarRow, Bars, bin, drawn, ranked, Strongest, TIES, toneOf, worth } from "./bars";
import { useDesk } from "./desk";
import { Progress, stateOf } from "./flips";
import { Asked } from "./panels";
import { Read } from "./reading";
import type { Rows } from "./rows";
import type { Words } from "./words";

export interface Around {
  readonly values: readonly number[];
  /** Standard errors, null where there are none; NaN is unknown. */
  readonly errors: readonly number[] | null;
  /** Whether a fact's place by size is not certain; null where nothing says. */
  readonly tied: readonly boolean[] | null;
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
    tied: table.has("t0") ? all("t", 1).map(Boolean) : null,
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
  const { words, meta, answers } = desk;
  const [all, setAll] = useState(false);
  const { space } = desk.store.state.value;
  const values = known(found.values).map((v) => v || 0);
  const spread = found.errors && known(found.errors);
  const certain = sure(values, spread);
  const agreement = bars && agree(bars, values, [errors, spread], STRONGEST);
  const first = strongest(values, values.length);
  const telling = new Set([...first.slice(0, STRONGEST), ...(bars ? strongest(bars, STRONGEST) : []), ...(agreement?.opposite ?? [])]);
  const order = [...first, ...Array.from(values.keys()).filter((j) => !first.includes(j))];
  const shown = all ? order : order.filter((j) => telling.has(j));
  const row = answers.current.value;
  const unit = words.unitWords(space);
  const named = unit && ` ${unit}`;
  const line = (j: number): BarRow => {
    const value = values[j];
    const half = Z95 * (spread?.[j] || 0);
    const ring = bars?.[j] ?? NaN;
    const [written, other] = [words.push(value, space), Number.isNaN(ring) ? "" : words.push(ring, space)];
    const about = half ? `± ${words.spread(half, space)}` : "";
    const tip = `${words.title(j)}\nKept: ${written} ${about}${named}.${other && `\nIts share in the bars: ${other}${named}.`}`;
    return { feature: meta.columns[j].name, title: words.title(j), note: ranked(bin(words, meta.surrogate?.edges, j, row?.[j] ?? NaN), !!found.tied?.[j]), value, half, tone: toneOf(certain[j], value, written), written, spread: about, ring, other, tip, against: agreement?.opposite.includes(j) ?? false };
  };
  const rest = order.length - shown.length;
  return html`<div>
    <${Said} found=${found} values=${values} certain=${certain} first=${first} spread=${spread} />
    <${Bars} rows=${shown.map(line)} heads=${["kept", bars ? "share" : ""]} />
    ${rest > 0 && html`<button class="link xs" data-around-more onClick=${() => setAll(true)}>${count(rest)} more</button>`}
    ${agreement && html`<${Agreed} agreement=${agreement} all=${values.length} />`}
    <p class="cap">${method(words, found)}${shown.some((j) => found.tied?.[j]) ? TIES : ""}</p>
  </div>` as VNode;
}

/** The answer first: what keeping which fact goes with, and how far that can be believed. */
function Said({ found, values, certain, first, spread }: { found: Around; values: number[]; certain: boolean[]; first: number[]; spread: number[] | null }): VNode {
  const desk = useDesk();
  const row = desk.answers.current.value;
  if (!row) return html`<p></p>` as VNode;
  const level = found.r2 === null ? null : Math.max(0, found.r2);
  return html`<div>
    <p class="sm" data-around-said><${Strongest} words=${desk.words} edges=${desk.meta.surrogate?.edges} space=${desk.store.state.value.space} row=${row} values=${values} certain=${certain} first=${first} spread=${spread} /></p>
    ${level !== null && html`<p class="sm" data-around-r2=${String(found.r2)}>Adding up such effects explains <b>${percent(level)}</b> of what the model does around here: ${worth(level)}.</p>`}
  </div>` as VNode;
}

const COUNTS = ["none", "one", "two", "three", "four", "five"];

/** Whether the two stories agree, with a number. */
function Agreed({ agreement, all }: { agreement: Agreement; all: number }): VNode {
  const desk = useDesk();
  const { words } = desk;
  const { k, shared, same, opposite, ranks } = agreement;
  const way = shared === 0 ? "" : same === shared ? (shared === 1 ? ", and it points the same way" : ", and all of them point the same way") : `, and ${COUNTS[same]} of those ${same === 1 ? "points" : "point"} the same way`;
  const every = `${same === k ? "All" : upper(COUNTS[same])} of the ${COUNTS[k]} facts ${same === 1 ? "points" : "point"} the same way in both.`;
  const strong = k === all ? every : k > 1 ? `Of the ${COUNTS[k]} strongest facts here, ${shared === k ? "all" : COUNTS[shared]} ${shared === 1 ? "is" : "are"} also among the ${COUNTS[k]} longest bars${way}.` : "";
  const order = all > 2 && html` By size, the two orders of all ${count(all)} facts agree at <b>${(Math.round(ranks * 100) / 100 || 0).toFixed(2).replace("-", "\u2212")}</b>, where 1 is the same order and 0 no likeness.`;
  const names = opposite.map((j) => words.name(j));
  return html`<div>
    <p class="sm agree" data-agree=${`${k} ${shared} ${same} ${opposite.length}`} data-ranks=${String(ranks)}>${strong}${!Number.isNaN(ranks) && order}</p>
    ${names.length > 0 && html`<p class="cap" data-against-said><b>Opposite ways: ${names.join(", ")}.</b> Both can hold: "kept" compares with ${words.many} drawn around this one for whom the fact differs, and takes all of a number's range under its name together; "share" divides the distance from the average among all facts.</p>`}
  </div>` as VNode;
}

/** Where the numbers come from. */
function method(words: Words, found: Around): string {
  return `${found.given ? "From the LIME result that was given. " : ""}${drawn(words, found.draws, found.errors !== null)}`;
}
