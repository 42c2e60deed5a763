// Facts with a bar each about one zero line: value, interval, and where there is one the ring of another story about the same fact.

import { html } from "htm/preact";
import type { VNode } from "preact";
import { count } from "../../parts/format";
import type { Space } from "../../parts/types";
import { breakable } from "./swarm";
import type { Words } from "./words";

export interface BarRow {
  /** The column's own name, for whoever looks for its mark. */
  readonly feature: string;
  readonly title: string;
  /** What is known of it, beneath its name. */
  readonly note: string;
  readonly value: number;
  /** Half of the 95% interval; 0 draws no whisker. */
  readonly half: number;
  /** "u" up, "d" down, "n" cannot be told from nothing, "k" a size without direction. */
  readonly tone: "u" | "d" | "n" | "k";
  readonly written: string;
  /** The interval for those who do not see the whisker; empty where it is written or there is none. */
  readonly spread: string;
  /** The other story's value and how it is written; NaN where there is none. */
  readonly ring: number;
  readonly other: string;
  readonly tip: string;
  readonly against: boolean;
}

const COLOUR = { u: "up", d: "down", n: "muted", k: "" };

/** How a push is drawn: without direction where it cannot be told from nothing, or is written as nothing. */
export const toneOf = (certain: boolean, value: number, written: string): BarRow["tone"] => (!certain || written.startsWith("\u00b1") ? "n" : value > 0 ? "u" : "d");

/** Heads of the two columns of numbers; the second is left out when empty. */
export function Bars({ rows, heads }: { rows: readonly BarRow[]; heads: readonly [string, string] }): VNode {
  const reach = rows.flatMap((r) => [r.value - r.half, r.value + r.half, Number.isNaN(r.ring) ? 0 : r.ring]);
  const most = Math.max(...reach.map(Math.abs), 1e-12);
  const oneSided = Math.min(...reach) > -0.15 * most;
  const at = (v: number): number => (oneSided ? 10 + (88 * v) / most : 50 + (48 * v) / most);
  const span = (a: number, b: number): object => ({ left: `${Math.min(at(a), at(b))}%`, width: `${Math.abs(at(a) - at(b))}%` });
  const width = 10 + 7 * Math.max(6, ...rows.flatMap((r) => [r.written.length, r.other.length]));
  return html`<table class="kept" style=${{ "--n": `${width}px` }}>
    <thead><tr><th scope="col">Fact</th><td></td><th scope="col" class="r"><i class="bar"></i> ${heads[0]}</th>${heads[1] && html`<th scope="col" class="r">${rows.some((r) => !Number.isNaN(r.ring)) && html`<i class="ring"></i> `}${heads[1]}</th>`}</tr></thead>
    <tbody>
      ${rows.map((r) => html`<tr key=${r.feature} data-feature=${r.feature} data-kept=${String(r.value)}>
        <th scope="row">${breakable(r.title)}${r.against && html` <span class="tag" data-against>opposite</span>`}<span class="muted">${r.note}</span></th>
        <td aria-hidden="true"><div class="pl" style=${{ backgroundPosition: `${at(0)}% 0` }} data-tip=${r.tip}>
          <i class=${`b ${r.tone}`} style=${span(0, r.value)}></i>
          ${r.half > most * 0.015 && html`<i class="w" style=${span(r.value - r.half, r.value + r.half)}></i>`}
          ${!Number.isNaN(r.ring) && html`<i class="ring" style=${{ left: `${at(r.ring)}%` }}></i>`}
        </div></td>
        <td class=${`r ${COLOUR[r.tone]}`}>${r.written}${r.spread && html`<span class="vh"> ${r.spread}</span>`}</td>
        ${heads[1] && html`<td class="r">${r.other}</td>`}
      </tr>`)}
    </tbody>
  </table>` as VNode;
}

/** Where the bins of each column of numbers end; null for categories. */
export type Edges = readonly (readonly number[] | null)[] | undefined;

/** What keeping a fact means: a category stays itself, a number in its quarter of the training values. */
export function bin(words: Words, edges: Edges, column: number, value: number): string {
  const ends = edges?.[column];
  const write = (v: number): string => words.value(column, v);
  if (!ends?.length || Number.isNaN(value)) return write(value);
  const at = ends.findIndex((e) => value <= e);
  if (at === 0) return ends[0] === words.column(column).minimum ? write(ends[0]) : `up to ${write(ends[0] as number)}`;
  const below = ends[(at < 0 ? ends.length : at) - 1] as number;
  const whole = words.column(column).integer && Number.isInteger(below);
  if (at < 0) return whole ? `${write(below + 1)} or more` : `over ${write(below)}`;
  const low = whole ? below + 1 : below;
  return low === ends[at] ? write(low) : `${write(low)} to ${write(ends[at] as number)}`;
}

/** A fact that stays as it is, inside a sentence. */
export function kept(words: Words, edges: Edges, column: number, value: number): string {
  const range = edges?.[column]?.length && !Number.isNaN(value);
  return range ? `${words.name(column)} (${bin(words, edges, column, value)})` : words.phrase(column, value);
}

/** What the share of the model that a straight line explains is worth, in words. */
export function worth(r2: number): string {
  return r2 < 0.5 ? "read it as a rough sketch" : r2 < 0.8 ? "read it as a sketch" : "it follows the model closely";
}

interface StrongestProps {
  words: Words;
  edges: Edges;
  space: Space;
  row: ArrayLike<number>;
  values: readonly number[];
  certain: readonly boolean[];
  /** Columns by size. */
  first: readonly number[];
  spread: readonly number[] | null;
}

/** The answer first: what keeping the strongest fact goes with. */
export function Strongest({ words, edges, space, row, values, certain, first, spread }: StrongestProps): VNode {
  const [top, next] = first as [number?, number?];
  if (top === undefined || !certain[top]) return html`Around here no fact stands out: keeping any one of them goes with no change that can be told from none.` as unknown as VNode;
  const value = values[top] as number;
  const unit = words.unitWords(space);
  const gap = next === undefined ? Infinity : Math.abs(value) - Math.abs(values[next] as number);
  const close = next !== undefined && gap < 1.96 * Math.hypot(spread?.[top] || 0, spread?.[next] || 0);
  return html`Among ${words.many} drawn around this one, keeping <b>${kept(words, edges, top, row[top] as number)}</b> goes with${" "}
    <b class=${value > 0 ? "up" : "down"}>${words.push(value, space)}${unit && ` ${unit}`}</b>${close ? `, and no more for certain than ${kept(words, edges, next, row[next] as number)} does.` : ", more than any other fact."}` as unknown as VNode;
}

/** What stands beneath a fact's name where its place by size is not certain. */
export const ranked = (note: string, tied: boolean): string => (tied ? `${note} · tied` : note);
export const TIES = " Tied: by size it is not told apart from a fact next to it.";

/** How the cases were drawn. */
export function drawn(words: Words, draws: number, whiskers: boolean): string {
  if (draws === 0) return "Worked out from the trees themselves, without drawing: no sampling error.";
  const how = draws > 0 ? `${count(draws)} ${words.many} drawn fact by fact; the more facts they share with this one, the more they count. ` : "";
  return how + (whiskers ? "Whiskers hold 95%." : "");
}
