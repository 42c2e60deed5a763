// What the panels beside a case ask of Python while they are looked at: the smallest changes that flip it, the rule behind
// it, a fact's effect at large. Old answers stay, marked stale, until the new ones are here.

import { effect, type Signal, signal, untracked } from "@preact/signals";
import { isAbort, Lane } from "../../parts/calls";
import { CallError, type Connection } from "../../parts/connection";
import type { Lock } from "../../parts/types";
import type { Answers } from "./answers";
import type { Rows } from "./rows";

export interface Flip {
  /** Column and its new encoded value; null is missing. */
  readonly changes: readonly (readonly [number, number | null])[];
  /** What the model says of it, for the output shown; null when it is no number. */
  readonly p: number | null;
  /** The likeliest class, -1 for a regression. */
  readonly said: number;
  readonly distance: number;
  readonly proven: boolean;
  /** How much nearer an unknown one could be; null when nothing is known. */
  readonly gap: number | null;
  readonly plausible: readonly [number | null, string];
}

export interface FlipsFound {
  readonly found: readonly Flip[];
  /** Why there are fewer than could be shown, or empty. */
  readonly note: string;
  readonly against: string;
  /** Whether the search is over. */
  readonly settled: boolean;
}

export interface Condition {
  readonly at: number;
  readonly low: number | null;
  readonly high: number | null;
  readonly low_closed: boolean;
  readonly high_closed: boolean;
  readonly codes: readonly number[];
  readonly missing: boolean;
}

export interface RuleFound {
  readonly predicates: readonly Condition[];
  readonly output: string;
  readonly precision: number | null;
  readonly low: number | null;
  readonly high: number | null;
  readonly coverage: number | null;
  readonly kind: string;
  readonly met: boolean;
  readonly reason: string;
  readonly of: string;
}

export interface EffectFound {
  readonly column: number;
  readonly points: readonly number[];
  readonly mean: readonly (number | null)[];
  /** Standard errors; null when there are none. */
  readonly errors: readonly (number | null)[] | null;
  /** Share of the rows that each point moves to where there is no row like them. */
  readonly away: readonly (number | null)[] | null;
  readonly own: readonly (number | null)[] | null;
  readonly rows: number;
}

const PAUSE = 180;
const KEPT = 100;

/** One action of Python, asked for what is wanted now and nothing else. */
export class Asked<T> {
  readonly shown = signal<{ key: string; value: T } | null>(null);
  readonly wanted = signal("");
  readonly busy = signal(false);
  /** Why there is no answer to what is wanted. */
  readonly failure = signal("");
  /** Whether what is wanted could be asked for. */
  readonly canAsk = signal(false);
  private known = new Map<string, T>();
  private lane = new Lane();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private begin: (() => void) | null = null;
  /** What is wanted is not asked for by itself: it was refused, halted, or waits to be pressed. */
  private over = false;

  constructor(
    private link: Pick<Connection, "call">,
    private action: string,
    private pause: number = PAUSE,
  ) {}

  /** Asks, unless this very thing is known, being asked or refused; `args` null: it cannot be asked now. `pressed`: not before `retry`. */
  want(key: string, args: { [key: string]: unknown } | null, pressed = false): void {
    const same = key === this.wanted.peek();
    if (same && (((this.busy.peek() || this.over) && this.begin) || this.shown.peek()?.key === key)) return;
    this.stop();
    this.wanted.value = key;
    this.failure.value = "";
    this.over = false;
    const known = this.known.get(key);
    if (known !== undefined) this.shown.value = { key, value: known };
    this.canAsk.value = known === undefined && args !== null;
    this.begin = null;
    if (known !== undefined || !args) return;
    this.begin = () => {
      this.failure.value = "";
      this.busy.value = true;
      this.timer = setTimeout(() => void this.ask(key, args), this.pause);
    };
    if (pressed) this.over = true;
    else this.begin();
  }

  /** What will be asked for once it can be: until then what is shown is old. */
  expect(key: string, coming: boolean): void {
    if (key === this.wanted.peek()) this.stop();
    else this.want(key, null);
    if (!coming || this.over || this.failure.peek() || this.shown.peek()?.key === key) return;
    this.begin = null;
    this.busy.value = true;
  }

  /** Asks, or asks again after a failure or a halt. */
  retry(): void {
    if (!this.busy.peek()) this.begin?.();
  }

  /** Gives up for good on what is being asked, until it is asked for again. */
  halt(): void {
    this.stop();
    this.over = true;
  }

  /** Leaves off; what is shown stays. */
  stop(): void {
    clearTimeout(this.timer);
    this.lane.stop();
    this.busy.value = false;
  }

  private async ask(key: string, args: { [key: string]: unknown }): Promise<void> {
    const show = (value: unknown): void => {
      if (key === this.wanted.peek()) this.shown.value = { key, value: value as T };
    };
    try {
      const answer = await this.lane.run((signal) => this.link.call(this.action, args, { signal, onProgress: (part) => show(part.value) }));
      if (!answer || key !== this.wanted.peek()) return;
      if (this.known.size > KEPT) this.known.delete(this.known.keys().next().value as string);
      this.known.set(key, answer.value as T);
      show(answer.value);
      this.busy.value = false;
    } catch (error) {
      if (isAbort(error) || key !== this.wanted.peek()) return;
      this.busy.value = false;
      this.over = !(error instanceof CallError && error.reason !== "python");
      const gone = error instanceof CallError && error.reason !== "python";
      this.failure.value = gone ? "Python is away; this waits until it is back." : error instanceof Error ? error.message : String(error);
    }
  }
}

const plain = (row: Float64Array): (number | null)[] => Array.from(row, (v) => (Number.isFinite(v) ? v : null));

export class Panels {
  readonly flips: Asked<FlipsFound>;
  readonly rule: Asked<RuleFound>;
  readonly effect: Asked<EffectFound>;
  readonly live: Signal<boolean>;
  private stops: (() => void)[];

  constructor(
    private rows: Rows,
    private answers: Answers,
  ) {
    const { link, store } = rows;
    this.flips = new Asked(link, "flips");
    this.rule = new Asked(link, "rule");
    this.effect = new Asked(link, "effect");
    this.live = signal(link.live);
    this.stops = [
      link.onLive((live) => (this.live.value = live)),
      effect(() => {
        const { case: id, edits, locks, likely, tab, output } = store.state.value;
        const live = this.live.value;
        const ready = answers.finished.value > 0 && !answers.busy.value && live && answers.current.value !== null;
        const open = tab === "case" && output === rows.meta.output;
        untracked(() => (open ? this.follow(ready, live, `${id}|${JSON.stringify(edits)}`, locks, likely) : this.pause()));
      }),
    ];
  }

  dispose(): void {
    for (const stop of this.stops) stop();
    for (const asked of [this.flips, this.rule, this.effect]) asked.stop();
  }

  /** Which panels can be filled: only where Python is, and never in a report. */
  offers(part: "rules" | "counterfactuals" | "effects"): boolean {
    const { parts, frozen, live } = this.rows.meta;
    return Boolean(parts?.[part]) && !frozen && live && this.rows.store.state.value.output === this.rows.meta.output;
  }

  private get pressed(): boolean {
    return this.rows.meta.asks === "when pressed";
  }

  private follow(ready: boolean, live: boolean, key: string, locks: { [column: string]: Lock }, likely: boolean): void {
    const row = this.answers.current.peek();
    const full = `${key}|${JSON.stringify(locks)}|${likely}`;
    if (!ready || !row) {
      const coming = live && !this.pressed;
      this.flips.expect(full, coming);
      return this.rule.expect(key, coming);
    }
    const args = { row: plain(row) };
    if (this.offers("counterfactuals")) this.flips.want(full, { ...args, locks, likely, line: this.rows.meta.base }, this.pressed);
    if (this.offers("rules")) this.rule.want(key, args, this.pressed);
  }

  private pause(): void {
    this.flips.stop();
    this.rule.stop();
  }

  /** The effect of a fact, for the case that is open. */
  wantEffect(column: number): void {
    const { case: id, edits } = this.rows.store.state.peek();
    const row = this.answers.current.peek();
    if (row && this.offers("effects")) this.effect.want(`${column}|${id}|${JSON.stringify(edits)}`, this.live.peek() ? { row: plain(row), column } : null, this.pressed);
  }
}
