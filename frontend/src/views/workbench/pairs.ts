// Which facts act together: over many cases, from a table that is asked for when it is first looked at; and in the case
// that is open, from the model in the page where it is, else from Python, else from that table.

import { effect, signal, untracked } from "@preact/signals";
import { readTable } from "../../parts/arrow";
import { isAbort, Lane } from "../../parts/calls";
import { pairsOf } from "../../parts/pairs";
import type { Space } from "../../parts/types";
import type { Answers } from "./answers";
import { bySize } from "./layout";
import type { Rows } from "./rows";

/** Two facts, and what they add together beyond what each adds alone. */
export interface Pair {
  readonly a: number;
  readonly b: number;
  readonly value: number;
}

export interface PairsAtLarge {
  /** The weightiest facts, in this order. */
  readonly columns: readonly number[];
  readonly space: Space;
  readonly rows: number;
  /** Rows that will be in it; more than `rows` while they are still coming. */
  readonly total: number;
  /** The largest mean size. */
  readonly most: number;
  /** Mean size of what two facts add together; NaN where that is not known. */
  mean(a: number, b: number): number;
  /** The pairs of one case, null when it is not among them. */
  of(id: number): readonly Pair[] | null;
}

export interface PairsOfCase {
  readonly key: string;
  readonly space: Space;
  /** Strongest first. */
  readonly pairs: readonly Pair[];
}

const MOST_FACTS = 12;
const PAGE_ROWS = 160;
const KEPT = 8;
const PAUSE = 140;
/** A partner weaker than this share of the strongest pair is none. */
const WORTH = 0.03;

const spaceOf = (name: string): Space => (name === "margin" ? "margin" : "probability");
const strongest = (pairs: Pair[]): Pair[] => pairs.sort((p, q) => Math.abs(q.value) - Math.abs(p.value)).slice(0, KEPT);

export class Pairs {
  readonly large = signal<PairsAtLarge | null>(null);
  readonly state = signal<"idle" | "waiting" | "here" | "none">("idle");
  readonly failure = signal("");
  readonly ofCase = signal<PairsOfCase | null>(null);
  private known = new Map<string, PairsOfCase>();
  private lane = new Lane();
  private work = new AbortController();
  private timer = 0;
  private stop: () => void;

  constructor(
    private rows: Rows,
    private answers: Answers,
  ) {
    this.stop = effect(() => {
      const key = answers.key.value;
      const shown = answers.answer.value?.key === key;
      const done = answers.finished.value > 0 && answers.source.value !== "waiting" && !answers.busy.value;
      const open = rows.store.state.value.tab === "case";
      untracked(() => this.follow(key, shown && done && open));
    });
  }

  dispose(): void {
    this.stop();
    clearTimeout(this.timer);
    this.lane.stop();
    this.work.abort();
  }

  // ---- many cases ---------------------------------------------------------------------------------------------------

  get offered(): boolean {
    return Boolean(this.rows.meta.interactions);
  }

  /** Asks for the table, or works it out; once, and again when it failed. */
  async ask(): Promise<void> {
    const said = this.rows.meta.interactions;
    if (!said || this.state.peek() === "waiting" || this.state.peek() === "here") return;
    this.state.value = "waiting";
    this.failure.value = "";
    try {
      if (said.source === "page") await this.workOut();
      else await this.fetch(spaceOf(said.space));
      this.state.value = this.large.peek() ? "here" : "none";
    } catch (error) {
      if (isAbort(error)) return;
      this.state.value = "none";
      this.failure.value = error instanceof Error ? error.message : String(error);
    }
  }

  private async fetch(space: Space): Promise<void> {
    const own = this.rows.link.tables.get("interactions");
    const bytes = own ?? (await this.rows.link.call("table", { name: "interactions" }, { signal: this.work.signal })).buffers[0];
    if (!bytes) return;
    const table = readTable(bytes);
    if (!table.rows) return;
    const step = table.numbers("step")[0];
    const parts = table.names.filter((name) => /^i\d+_\d+$/.test(name)).map((name) => {
      const [a, b] = name.slice(1).split("_").map(Number);
      return { a, b, steps: table.numbers(name) };
    });
    const ids = table.numbers("id");
    const places = new Map(Array.from(ids, (id, i) => [id, i]));
    const columns = [...new Set(parts.flatMap(({ a, b }) => [a, b]))];
    const sums = new Map(parts.map(({ a, b, steps }) => [key(a, b), Array.from(steps).reduce((sum, v) => sum + Math.abs(v), 0) * step]));
    const of = (id: number): Pair[] | null => {
      const i = places.get(id);
      return i === undefined ? null : strongest(parts.map(({ a, b, steps }) => ({ a, b, value: steps[i] * step })));
    };
    this.large.value = atLarge(columns, space, sums, { rows: table.rows, total: table.rows, of });
  }

  /** Where no Python is: over a part of the sampled cases, with the model in the page; what is known so far is shown. */
  private async workOut(): Promise<void> {
    const { rows, answers } = this;
    const page = answers.page;
    const sample = rows.sample.peek();
    if (!page || !sample) throw new Error("The model or the sampled cases are not here.");
    const { features } = page.model.raw;
    const every = Math.max(1, Math.ceil(sample.ids.length / PAGE_ROWS));
    const chosen = Array.from({ length: Math.ceil(sample.ids.length / every) }, (_, k) => k * every).filter((i) => rows.rowOf(sample.ids[i]) >= 0);
    const weight = rows.meta.columns.map((_, j) => chosen.reduce((sum, i) => sum + Math.abs(sample.value(i, j)), 0));
    const columns = bySize(weight).slice(0, MOST_FACTS);
    const sums = new Map<string, number>();
    let shown = performance.now();
    for (const [n, i] of chosen.entries()) {
      const row = rows.table.row(rows.rowOf(sample.ids[i]));
      const found = await pairsOf(page.explainer, row, { output: rows.meta.output, space: "probability", signal: this.work.signal });
      if (!found) throw new Error("The facts of this model have too many combinations for this page.");
      for (const [k, a] of columns.entries()) {
        for (const b of columns.slice(k + 1)) sums.set(key(a, b), (sums.get(key(a, b)) ?? 0) + Math.abs(found[Math.min(a, b) * features + Math.max(a, b)]));
      }
      if (performance.now() - shown < 400 && n + 1 < chosen.length) continue;
      shown = performance.now();
      this.large.value = atLarge(columns, "probability", new Map(sums), { rows: n + 1, total: chosen.length, of: () => null });
    }
  }

  /** The fact that acts together with this one most; null when none does by much, undefined when that is not known. */
  partnerOf(column: number): number | null | undefined {
    const large = this.large.value;
    if (!large || !large.columns.includes(column)) return undefined;
    const others = large.columns.filter((c) => c !== column);
    const best = others.reduce((a, b) => (large.mean(column, b) > large.mean(column, a) ? b : a), others[0]);
    return best !== undefined && large.mean(column, best) > WORTH * large.most ? best : null;
  }

  // ---- the case that is open ----------------------------------------------------------------------------------------

  private follow(key: string, ready: boolean): void {
    clearTimeout(this.timer);
    const known = this.known.get(key);
    if (known) {
      this.ofCase.value = known;
      return;
    }
    this.lane.stop();
    // After the bars: a drag must not wait for the pairs of a place it has left.
    if (ready) this.timer = window.setTimeout(() => void this.lane.run((signal) => this.find(key, signal)).catch(() => undefined), PAUSE);
  }

  private async find(key: string, signal: AbortSignal): Promise<void> {
    const found = (await this.here(signal)) ?? (await this.there(signal)) ?? (await this.saved());
    if (signal.aborted || key !== this.answers.key.peek()) return;
    this.ofCase.value = found && { key, ...found };
    if (!found) return;
    if (this.known.size > 200) this.known.delete(this.known.keys().next().value as string);
    this.known.set(key, { key, ...found });
  }

  private async here(signal: AbortSignal): Promise<Omit<PairsOfCase, "key"> | null> {
    const { page } = this.answers;
    const row = this.answers.current.peek();
    if (!page || !row) return null;
    const { output, space } = this.rows.store.state.peek();
    const found = await pairsOf(page.explainer, row, { output, space, signal });
    if (!found) return null;
    const d = page.model.raw.features;
    const pairs: Pair[] = [];
    for (let a = 0; a < d; a += 1) for (let b = a + 1; b < d; b += 1) if (found[a * d + b] !== 0) pairs.push({ a, b, value: found[a * d + b] });
    return { space, pairs: strongest(pairs) };
  }

  private async there(signal: AbortSignal): Promise<Omit<PairsOfCase, "key"> | null> {
    const row = this.answers.current.peek();
    const { output } = this.rows.store.state.peek();
    if (!row || !this.offered || !this.rows.link.live || this.answers.source.peek() === "none" || output !== this.rows.meta.output) return null;
    const plain = Array.from(row, (v) => (Number.isFinite(v) ? v : null));
    const { value } = await this.rows.link.call<{ space: string; pairs: [number, number, number][] }>("interactions", { row: plain }, { signal });
    return { space: spaceOf(value.space), pairs: value.pairs.map(([a, b, v]) => ({ a, b, value: v })) };
  }

  private async saved(): Promise<Omit<PairsOfCase, "key"> | null> {
    if (this.rows.meta.interactions?.source !== "given" || this.answers.edited.peek().length) return null;
    const { output, case: id } = this.rows.store.state.peek();
    if (output !== this.rows.meta.output) return null;
    await this.ask();
    const large = this.large.peek();
    const pairs = large?.of(id);
    return large && pairs ? { space: large.space, pairs } : null;
  }
}

const key = (a: number, b: number): string => (a < b ? `${a} ${b}` : `${b} ${a}`);

type Rest = Pick<PairsAtLarge, "rows" | "total" | "of">;

function atLarge(columns: readonly number[], space: Space, sums: ReadonlyMap<string, number>, rest: Rest): PairsAtLarge {
  const mean = (a: number, b: number): number => (sums.get(key(a, b)) ?? NaN) / rest.rows;
  return { columns, space, mean, most: Math.max(...sums.values(), 0) / rest.rows, ...rest };
}
