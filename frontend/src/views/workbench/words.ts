// How this view says things: values, levels, pushes, people. All text from data stays text.

import type { Column, Meta, Space } from "../../parts/types";
import { count, fixed, lower, MINUS, number, percent, points, signed, withUnit, write } from "../../parts/format";
import { phrase } from "./sentence";

// Columns whose values are names of their own.
const NAMES = /country|nation|state|city|region|name|brand|language|month|day|species/i;
const BARE = /^(-?[\d.]+|true|false)$/i;
const YEAR = /\byear\b/i;
const MONEY = /^[$€£¥]|[$€£¥]$/;

/** What of a view's meta says how things are called. */
export type Named = Pick<Meta, "columns" | "scale" | "unit" | "noun" | "outputs" | "primary" | "decision" | "space">;

export class Words {
  readonly regression: boolean;
  /** Predictions and pushes of a regression are written to this grain; 0 until the predictions are known. */
  private grain = 0;

  constructor(readonly meta: Named) {
    this.regression = meta.scale === "value";
  }

  /** Chooses the grain from the range of predictions: a thousandth of its power of ten. */
  measure(predictions: ArrayLike<number>): void {
    let lo = Infinity;
    let hi = -Infinity;
    for (let i = 0; i < predictions.length; i += 1) {
      if (predictions[i] < lo) lo = predictions[i];
      if (predictions[i] > hi) hi = predictions[i];
    }
    if (hi > lo) this.grain = 10 ** (Math.floor(Math.log10(hi - lo)) - 3);
  }

  private amount(v: number): string {
    const rounded = this.grain ? Math.round(v / this.grain) * this.grain : v;
    const text = withUnit(this.meta.unit, Number(Math.abs(rounded).toPrecision(12)));
    return rounded < 0 ? MINUS + text : text;
  }

  /** An amount without its sign, with as many decimals as its neighbours. */
  private size(v: number): string {
    const size = this.grain ? Math.round(Math.abs(v) / this.grain) * this.grain : Math.abs(v);
    const decimals = this.grain ? Math.max(0, -Math.round(Math.log10(this.grain))) : 0;
    return (this.meta.unit || "{}").replace("{}", () => (size > 0 && decimals ? fixed(size, decimals) : number(size)));
  }

  column(j: number): Column {
    return this.meta.columns[j];
  }

  title(j: number): string {
    return this.meta.columns[j].title || this.meta.columns[j].name;
  }

  /** The title inside a sentence: a small first letter, abbreviations kept. */
  name(j: number): string {
    const title = this.title(j);
    return /^[A-Z][^A-Z]*$/.test(title) ? title.charAt(0).toLowerCase() + title.slice(1) : title;
  }

  value(j: number, v: number): string {
    const column = this.column(j);
    const year = column.kind === "numeric" && !column.unit && v >= 1000 && v < 3000 && Number.isInteger(v) && YEAR.test(this.title(j));
    return year ? String(v) : write(column, v);
  }

  phrase(j: number, v: number): string {
    return phrase(this.title(j), this.small(j, v), v, MONEY.test(this.column(j).unit));
  }

  /** A value inside a sentence: a common word loses its capital, a name or an abbreviation keeps it. */
  small(j: number, v: number): string {
    const column = this.column(j);
    const written = this.value(j, v);
    const common = column.kind === "categorical" && column.role !== "protected" && !NAMES.test(this.title(j)) && /^[A-Z][^A-Z]+$/.test(written);
    return common ? lower(written) : written;
  }

  /** A prediction: "70%", "$12,400". */
  level(v: number): string {
    if (Number.isNaN(v)) return "unknown";
    return this.regression ? this.amount(v) : percent(v);
  }

  /** A number on the scale of the waterfall's axis. */
  tick(v: number, space: Space): string {
    if (space === "margin") return number(Number(v.toPrecision(6)));
    return this.regression ? this.amount(v) : `${Math.round(v * 100)}%`;
  }

  /** A contribution with its sign: "+11.2" points, "+$1,200", "+0.82". */
  push(v: number, space: Space): string {
    if (space === "margin") return Math.abs(v) < 0.005 ? "\u00b10.00" : (v < 0 ? MINUS : "+") + Math.abs(v).toFixed(2);
    if (!this.regression) return points(v);
    const size = this.size(v);
    return size === this.size(0) ? `\u00b1${size}` : (v < 0 ? MINUS : "+") + size;
  }

  /** The same in whole units, for the sentence. */
  pushWhole(v: number, space: Space): string {
    return space === "margin" || this.regression ? this.push(v, space) : points(v, 0);
  }

  /** A push on an axis: no more digits than it needs. */
  pushTick(v: number): string {
    return this.regression ? (v < 0 ? MINUS : "+") + this.amount(Math.abs(v)) : points(v, 0);
  }

  /** Half of an interval, without sign. */
  spread(v: number, space: Space): string {
    if (space === "margin") return v.toFixed(2);
    return this.regression ? this.size(v) : (v * 100).toFixed(1);
  }

  /** A coarse push: "≈ +11". */
  rough(v: number, space: Space): string {
    return `\u2248 ${space === "margin" ? signed(Number(v.toPrecision(1))) : this.pushWhole(v, space)}`;
  }

  /** What the values add up to. */
  get what(): string {
    return this.logLoss ? "the log loss" : this.meta.space === "margin" ? "the margin" : "the prediction";
  }

  /** Whether the values say what makes the model more or less wrong. */
  get logLoss(): boolean {
    return this.meta.space === "log_loss";
  }

  /** The unit behind a number that is written without one. */
  unitWords(space: Space): string {
    return space === "margin" ? "margin units" : this.unitName(space);
  }

  unitName(space: Space): string {
    if (space === "margin") return "margin";
    return this.regression ? "" : "points";
  }

  /** "1 person", "24 people", "3 cases". */
  people(n: number): string {
    return `${count(n)} ${n === 1 ? this.one : this.many}`;
  }

  get one(): string {
    return this.meta.noun === "people" ? "person" : this.meta.noun.replace(/s$/, "");
  }

  get many(): string {
    return this.meta.noun;
  }

  /** What an output is called in a sentence; a class that is a bare number or truth value is named as a class. */
  outputName(k: number): string {
    const name = this.meta.outputs[k] ?? "";
    return !this.regression && BARE.test(name) ? `class ${name}` : name;
  }

  /** The line between low and high in words: the decision line, one half of several classes, the average of a regression. */
  get line(): string {
    return this.regression && this.meta.decision === null ? "average" : percent(this.meta.decision ?? 0.5);
  }

  private short(j: number, v: number, first: boolean): string {
    const column = this.column(j);
    const bare = (column.kind === "numeric" && !column.unit) || Number.isNaN(v) || (column.kind !== "numeric" && v < 0);
    const text = first && !bare ? this.value(j, v) : this.small(j, v);
    const whole = column.kind === "numeric" ? text.replaceAll(" ", "\u00a0") : text;
    return bare ? `${first ? this.title(j) : this.name(j)}\u00a0${whole}` : whole;
  }

  /** The two lines that say who a case is. */
  describe(value: (j: number) => number, detail: readonly number[]): [string, string] {
    const primary = this.meta.primary.length ? this.meta.primary : [0];
    const join = (js: readonly number[]): string => js.map((j, k) => this.short(j, value(j), k === 0)).join(", ");
    return [join(primary), join(detail)];
  }

  /** Columns of the second line: three facts that are neither on the first nor protected. */
  detailColumns(): number[] {
    const first = new Set(this.meta.primary.length ? this.meta.primary : [0]);
    const rest = this.meta.columns.map((_, j) => j).filter((j) => !first.has(j));
    const open = rest.filter((j) => this.column(j).role !== "protected");
    return (open.length >= 3 ? open : rest).slice(0, 3);
  }
}

const RUN = 16;
const ASCII = Array.from({ length: 95 }, (_, k) => String.fromCharCode(32 + k));

/** Width of text from the widths of its characters, each laid out once as the view draws it: a canvas knows no tabular figures. */
export class Ruler {
  private widths = new Map<string, number>();

  constructor(
    private root: HTMLElement,
    private font: string,
  ) {
    this.measure(ASCII);
  }

  private measure(chars: readonly string[]): void {
    const box = document.createElement("div");
    Object.assign(box.style, { position: "absolute", visibility: "hidden", whiteSpace: "pre", font: this.font, fontVariantNumeric: "inherit", fontFeatureSettings: "inherit" });
    box.append(...chars.map((char) => Object.assign(document.createElement("span"), { textContent: char.repeat(RUN) })));
    this.root.append(box);
    chars.forEach((char, k) => this.widths.set(char, (box.children[k]?.getBoundingClientRect().width ?? 0) / RUN));
    box.remove();
  }

  width(text: string): number {
    let sum = 0;
    for (const char of text) {
      if (!this.widths.has(char)) this.measure([char]);
      sum += this.widths.get(char) ?? 7;
    }
    return sum;
  }

  /** How many lines text takes when it wraps at blanks. */
  lines(text: string, room: number): number {
    if (this.width(text) <= room) return 1;
    let lines = 1;
    let at = 0;
    for (const word of text.split(/(?<=[ -])/)) {
      const w = this.width(word);
      if (at > 0 && at + w > room) {
        lines += 1;
        at = 0;
      }
      const whole = Math.max(0, Math.ceil(w / room) - 1);
      lines += whole;
      at += w - whole * room;
    }
    return lines;
  }
}
