// Why the model says what it says of one case, and what it would say otherwise: from the model in the page where there is
// one, else from Python, else from what was saved. Old answers stay, marked stale, until the new ones are here.

import { computed, effect, type ReadonlySignal, signal, untracked } from "@preact/signals";
import { CallError } from "../../parts/connection";
import { inSlices, Lane } from "../../parts/calls";
import { type Axis, axisOf, type CurveColumn, curveColumn } from "../../parts/curve";
import { bySize, foldRows } from "./layout";
import { loadPage, type Page } from "./pagemodel";
import type { Explained } from "../../parts/shapley";
import type { Rows } from "./rows";
import { SavedCurves } from "./savedcurves";

export interface Answer {
  readonly values: Float64Array;
  /** Standard errors; null when exact. */
  readonly errors: Float64Array | null;
  readonly base: number;
  readonly prediction: number;
  readonly exact: boolean;
  /** How it was found, in words for the tooltip. */
  readonly how: string;
}

export interface Curve {
  readonly axis: Axis;
  readonly values: Float64Array;
  /** Prediction when the value is missing, NaN where the model refuses that. */
  readonly missing: number;
}

export interface Problem {
  readonly what: string;
  readonly safe: string;
  readonly detail: string;
  readonly again: () => void;
}

export type Source = "waiting" | "page" | "python" | "none";

const CURVES_MS = 12;
const PATIENCE_MS = 30_000;
const MOST_CLASSES = 20;
const MOST_ROWS = 12;
const KEPT_ROWS = 10;

interface Shown<T> {
  readonly key: string;
  readonly value: T;
}

export class Answers {
  readonly source = signal<Source>("waiting");
  readonly prediction = signal<Shown<number> | null>(null);
  readonly answer = signal<Shown<Answer> | null>(null);
  readonly ghost = signal<Shown<Answer> | null>(null);
  readonly pinned = signal<Shown<Answer> | null>(null);
  readonly curves = signal<Shown<Map<number, Curve>> | null>(null);
  readonly busy = signal("");
  readonly problem = signal<Problem | null>(null);
  readonly expanded = signal(false);
  /** Counts finished answers; tests wait for it. */
  readonly finished = signal(0);
  page: Page | null = null;
  private savedCurves: SavedCurves | null = null;
  private saved = new Map<string, Answer>();
  private lane = new Lane();
  private side = new Lane();
  private curveLane = new Lane();
  private others = new Lane();
  private stops: (() => void)[] = [];
  private orderNow: number[] = [];
  /** A prediction is on its way from Python. */
  private asking = false;

  constructor(readonly rows: Rows) {}

  private get state() {
    return this.rows.store.state;
  }

  // ---- what is asked ------------------------------------------------------------------------------------------------

  readonly original: ReadonlySignal<Float64Array | null> = computed(() => {
    const row = this.caseRow.value;
    return row < 0 ? null : this.rows.table.row(row);
  });

  readonly caseRow: ReadonlySignal<number> = computed(() => {
    const id = this.state.value.case;
    return this.rows.loaded.value ? this.rows.rowOf(id) : -1;
  });

  readonly current: ReadonlySignal<Float64Array | null> = computed(() => {
    const own = this.original.value;
    if (!own) return null;
    const row = own.slice();
    for (const [j, v] of Object.entries(this.state.value.edits)) row[Number(j)] = v ?? NaN;
    return row;
  });

  readonly edited: ReadonlySignal<number[]> = computed(() => Object.keys(this.state.value.edits).map(Number));

  private keyFor(id: number, edits: object): string {
    const { output, space } = this.state.value;
    return `${id}|${JSON.stringify(edits)}|${output}|${space}`;
  }

  readonly key: ReadonlySignal<string> = computed(() => this.keyFor(this.state.value.case, this.state.value.edits));
  readonly originalKey: ReadonlySignal<string> = computed(() => this.keyFor(this.state.value.case, {}));
  private readonly pinKey = computed(() => (this.state.value.pin === null ? "" : this.keyFor(this.state.value.pin, {})));
  readonly stale: ReadonlySignal<boolean> = computed(() => this.answer.value !== null && this.answer.value.key !== this.key.value);

  /** Rows of the waterfall: the order stays while there are edits. */
  readonly order: ReadonlySignal<number[]> = computed(() => {
    const first = this.ghost.value;
    const same = first?.key === this.originalKey.value;
    if (same && first) this.orderNow = bySize(first.value.values);
    else if (!this.orderNow.length) this.orderNow = this.rows.meta.columns.map((_, j) => j);
    return this.orderNow;
  });

  readonly layoutRows = computed(() => foldRows(this.order.value, MOST_ROWS, KEPT_ROWS, this.expanded.value));

  // ---- life ---------------------------------------------------------------------------------------------------------

  async start(): Promise<void> {
    // Each follows exactly what stands in its first line; what it does is no reason to do it again.
    const follow = <T>(what: () => T, act: (seen: T) => void): void => {
      this.stops.push(
        effect(() => {
          const seen = what();
          untracked(() => act(seen));
        }),
      );
    };
    follow(() => [this.key.value, this.current.value !== null, this.rows.sample.value] as const, ([key, here]) => this.followCase(key, here));
    follow(() => [this.key.value, this.layoutRows.value.rows, this.source.value] as const, (seen) => this.followCurves(...seen));
    follow(() => [this.pinKey.value, this.source.value] as const, (seen) => this.followPin(...seen));
    this.stops.push(this.rows.link.onLive(() => this.settleSource()));
    follow(() => [this.rows.output.value, this.rows.loaded.value, this.source.value] as const, ([output]) => void this.predictOthers(output));
    let problem: unknown = null;
    try {
      this.page = await loadPage(this.rows);
      if (!this.page) this.savedCurves = await SavedCurves.load(this.rows);
    } catch (error) {
      problem = error;
    }
    this.settleSource();
    if (problem) this.fail("The model could not be read into this page.", problem);
  }

  dispose(): void {
    for (const stop of this.stops) stop();
    this.lane.stop();
    this.side.stop();
    this.curveLane.stop();
    this.others.stop();
  }

  /** Predictions of all rows for an output that did not come with them, and the likeliest class of several. */
  private async predictOthers(output: number): Promise<void> {
    const { rows, page } = this;
    const { outputs } = rows.meta;
    const n = rows.loaded.peek();
    if (!page || outputs.length < 3 || n < rows.total) return;
    const predict = (k: number, signal: AbortSignal): Promise<Float32Array> => page.model.predictRows(rows.table, k, { signal });
    await this.others.run(async (signal) => {
      if (output !== rows.meta.output) rows.otherP.value = { output, values: await predict(output, signal) };
      if (rows.guess.peek() || outputs.length > MOST_CLASSES) return;
      const best = new Float32Array(n).fill(-Infinity);
      const guess = new Uint16Array(n);
      for (let k = 0; k < outputs.length; k += 1) {
        (await predict(k, signal)).forEach((p, i) => {
          if (p > best[i]) [best[i], guess[i]] = [p, k];
        });
      }
      rows.guess.value = guess;
    });
  }

  private settleSource(): void {
    const before = this.source.peek();
    const canAsk = this.rows.link.live && this.rows.meta.background.rows > 0;
    this.source.value = this.page ? "page" : canAsk ? "python" : "none";
    if (before !== this.source.peek()) this.again();
  }

  /** Whether edits get an answer at all. */
  readonly canEdit: ReadonlySignal<boolean> = computed(() => this.source.value === "page" || this.source.value === "python");

  again(): void {
    this.problem.value = null;
    this.followCase(this.key.peek(), this.current.peek() !== null);
  }

  // ---- one case -----------------------------------------------------------------------------------------------------

  private lastSample: unknown = null;

  private followCase(key: string, here: boolean): void {
    const row = this.current.peek();
    // A sample that comes late matters only where nothing better is there.
    const sample = this.rows.sample.peek();
    const late = sample !== this.lastSample;
    this.lastSample = sample;
    if (late && this.answer.peek()?.key === key) return;
    const source = this.source.peek();
    if (!here || !row) return;
    const edited = this.edited.peek().length > 0;
    if (!edited || this.page) this.prediction.value = { key, value: this.predictNow(row, edited) };
    const known = this.saved.get(key) ?? (edited ? undefined : this.fromSample());
    if (known) this.show(key, known, !edited);
    if (source === "waiting") return;
    if (known && (this.saved.has(key) || source === "none")) {
      this.lane.stop();
      this.finish();
      if (edited) this.ensureOriginal();
      return;
    }
    if (this.page) this.explainHere(key, row, edited);
    else if (source === "python") void this.explainThere(edited);
    else this.finish();
  }

  private predictNow(row: Float64Array, edited: boolean): number {
    const output = this.state.peek().output;
    if (this.page && (edited || output !== this.rows.meta.output)) return this.page.model.predictOne(row, output);
    return this.rows.p.peek()[this.caseRow.peek()];
  }

  private show(key: string, value: Answer, original: boolean): void {
    this.answer.value = { key, value };
    if (original) this.ghost.value = { key, value };
  }

  private finish(): void {
    this.busy.value = "";
    this.finished.value = this.finished.peek() + 1;
  }

  private keep(key: string, answer: Answer): void {
    if (this.saved.size > 400) this.saved.delete(this.saved.keys().next().value as string);
    this.saved.set(key, answer);
  }

  /** What came with the page for this case, when it speaks of the output and scale shown. */
  private fromSample(): Answer | undefined {
    const { output, space, case: id } = this.state.peek();
    const sample = this.rows.sample.peek();
    const { meta } = this.rows;
    const at = sample?.at(id) ?? -1;
    // A result without its model has one scale, its own.
    if (!sample || at < 0 || output !== meta.output || space !== (meta.space === "margin" ? "margin" : "probability")) return undefined;
    const values = Float64Array.from(meta.columns, (_, j) => sample.value(at, j));
    const prediction = this.rows.p.peek()[this.caseRow.peek()];
    const base = prediction - values.reduce((a, b) => a + b, 0);
    return { values, errors: null, base, prediction, exact: sample.exact, how: sample.exact ? "Exact." : "Estimated." };
  }

  private explainHere(key: string, row: Float64Array, edited: boolean): void {
    const show = (part: Explained): void => this.show(key, fromPage(part), !edited);
    // The first slice runs at once, so the coarse answer is on screen in the frame of the edit.
    void this.lane
      .run((signal) => this.explainInPage(row, signal, show))
      .then((answer) => {
        if (!answer) return;
        this.keep(key, answer);
        this.show(key, answer, !edited);
        this.finish();
        if (edited) this.ensureOriginal();
      })
      .catch((error: unknown) => this.fail("The explanation could not be finished.", error));
  }

  private async explainInPage(row: Float64Array, signal: AbortSignal, onProgress?: (part: Explained) => void): Promise<Answer> {
    const { output, space } = this.state.peek();
    return fromPage(await (this.page as Page).explainer.explain(row, { output, space, signal, onProgress }));
  }

  /** Gives up on what Python was asked; what is shown stays. */
  stop(): void {
    this.lane.stop();
    this.curveLane.stop();
    this.busy.value = "";
  }

  private async explainThere(edited: boolean): Promise<void> {
    if (!this.rows.link.live) return this.finish();
    this.busy.value = edited ? "Asking the model about your changes" : "Asking the model";
    this.problem.value = null;
    this.lane.stop();
    if (edited && this.asking) return; // the newest change is asked for as soon as the prediction on its way is here
    const timer = setTimeout(() => this.fail("The model did not answer in 30 seconds.", null), PATIENCE_MS);
    try {
      if (edited) await this.predictThere();
      await this.lane.run((signal) => this.explainNewest(signal));
    } catch (error) {
      this.fail("The model gave no answer.", error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Predictions at the speed of the model: one call at a time, always of the newest change. */
  private async predictThere(): Promise<void> {
    this.asking = true;
    try {
      for (let key = ""; key !== this.key.peek(); ) {
        key = this.key.peek();
        const row = this.current.peek();
        if (!row || !this.edited.peek().length) return;
        const { value } = await this.rows.link.call<{ p: number[][] }>("predict", { rows: [plain(row)] });
        this.prediction.value = { key, value: value.p[0][this.state.peek().output] ?? NaN };
      }
    } finally {
      this.asking = false;
    }
  }

  private async explainNewest(signal: AbortSignal): Promise<void> {
    const key = this.key.peek();
    const row = this.current.peek();
    if (!row) return;
    const edited = this.edited.peek().length > 0;
    const before = this.originalKey.peek();
    if (edited && this.ghost.peek()?.key !== before) {
      const own = await this.askPython(this.original.peek() ?? row, signal, before);
      this.ghost.value = { key: before, value: own };
    }
    const known = this.saved.get(key);
    const answer = known ?? (await this.askPython(row, signal, key, (part) => this.show(key, part, !edited)));
    this.show(key, answer, !edited);
    this.problem.value = null;
    this.finish();
    if (this.curves.peek()?.key !== key) void this.curvesThere(key, row);
  }

  private async askPython(row: Float64Array, signal: AbortSignal, key: string, progress?: (a: Answer) => void): Promise<Answer> {
    const space = this.state.peek().space === "margin" ? "margin" : null;
    const answer = await this.rows.link.call<Said>(
      "explain",
      { row: plain(row), space },
      { signal, onProgress: progress && ((part) => progress(read(part.value))) },
    );
    const out = read(answer.value);
    this.keep(key, out);
    return out;
  }

  /** The unedited case, for the dashed outlines and the order. */
  private ensureOriginal(): void {
    const key = this.originalKey.peek();
    if (this.ghost.peek()?.key === key) return;
    void this.sideAnswer(key, this.original.peek(), (value) => (this.ghost.value = { key, value }));
  }

  private async sideAnswer(key: string, row: Float64Array | null, give: (answer: Answer) => void): Promise<void> {
    const known = this.saved.get(key);
    if (known) return give(known);
    if (!row || !this.page) return;
    const answer = await this.side.run((signal) => this.explainInPage(row, signal));
    if (!answer) return;
    this.keep(key, answer);
    give(answer);
  }

  private followPin(key: string, source: Source): void {
    const pin = this.state.peek().pin;
    if (pin === null || source === "waiting") {
      this.pinned.value = null;
      return;
    }
    const row = this.rows.rowOf(pin);
    if (row >= 0) void this.sideAnswer(key, this.rows.table.row(row), (value) => (this.pinned.value = { key, value }));
  }

  private fail(what: string, error: unknown): void {
    const edits = this.edited.peek().length;
    const kept = edits ? `Your ${edits === 1 ? "edit is" : `${edits} edits are`} kept. ` : "";
    const detail = error instanceof Error ? error.message : error ? String(error) : "";
    const gone = error instanceof CallError && error.reason !== "python";
    this.busy.value = "";
    this.problem.value = {
      what: gone ? "The connection to Python was lost." : what,
      safe: `${kept}${this.answer.peek() ? "The contributions shown are those of the last answer." : "Nothing else is affected."}`,
      detail,
      again: () => this.again(),
    };
  }

  // ---- curves -------------------------------------------------------------------------------------------------------

  private followCurves(key: string, columns: readonly number[], source: Source): void {
    const row = this.current.peek();
    if (!row || source === "waiting") return;
    // Python draws them after the bars, one call at a time.
    if (this.page) this.curvesHere(key, row, columns);
    else if (source === "none" && this.savedCurves) this.curves.value = { key, value: this.savedCurves.of(this.rows, this.caseRow.peek()) };
  }

  private curvesHere(key: string, row: Float64Array, columns: readonly number[]): void {
    const page = this.page as Page;
    const output = this.state.peek().output;
    const original = this.original.peek() ?? row;
    const out = new Map<number, Curve>();
    const left = [...columns];
    const next = (): void => {
      const j = left.shift() as number;
      out.set(j, this.curve(page, row, original[j], j, output));
    };
    const end = performance.now() + CURVES_MS;
    while (left.length && performance.now() < end) next();
    this.curves.value = { key, value: out };
    if (!left.length) return this.curveLane.stop();
    function* rest(): Generator<void, void> {
      while (left.length) {
        next();
        yield;
      }
    }
    void this.curveLane.run(async (signal) => {
      await inSlices(rest(), { budget: 10, signal });
      this.curves.value = { key, value: new Map(out) };
    });
  }

  private curve(page: Page, row: Float64Array, original: number, j: number, output: number): Curve {
    const axis = axisOf(this.curveColumn(j), [original]);
    const values = page.model.curve(row, j, [...axis.stops, NaN], output);
    return { axis, values: values.subarray(0, axis.stops.length), missing: values[axis.stops.length] };
  }

  curveColumn(j: number): CurveColumn {
    return curveColumn(this.rows.meta.columns[j]);
  }

  private async curvesThere(key: string, row: Float64Array): Promise<void> {
    try {
      await this.curveLane.run(async (signal) => {
        const { value } = await this.rows.link.call<{ curves: (number | null)[][] }>("curves", { row: plain(row) }, { signal });
        const out = new Map<number, Curve>();
        value.curves.forEach((given, j) => {
          const column = this.curveColumn(j);
          const axis = axisOf({ ...column, minimum: null, maximum: null }, []);
          if (given.length === axis.stops.length) out.set(j, { axis, values: Float64Array.from(given, (v) => v ?? NaN), missing: NaN });
        });
        this.curves.value = { key, value: out };
      });
    } catch (error) {
      if (!this.problem.peek()) this.fail("The curves could not be computed.", error);
    }
  }
}

interface Said {
  values: (number | null)[];
  errors: (number | null)[] | null;
  base: number;
  prediction: number;
  exact: boolean;
  evaluations?: number;
  method?: string;
}

const plain = (row: Float64Array): (number | null)[] => Array.from(row, (v) => (Number.isFinite(v) ? v : null));

function fromPage(part: Explained): Answer {
  const whole = `all ${part.total.toLocaleString("en-US")} background rows`;
  const how = part.exact ? `Exact, over ${whole}.` : `Estimated from ${part.used.toLocaleString("en-US")} of ${part.total.toLocaleString("en-US")} steps so far.`;
  return { values: part.values, errors: part.errors, base: part.base, prediction: part.prediction, exact: part.exact, how };
}

function read(said: Said): Answer {
  const numbers = (list: (number | null)[]): Float64Array => Float64Array.from(list, (v) => v ?? 0);
  const counted = said.evaluations ? `${said.evaluations.toLocaleString("en-US")} evaluations of the model.` : "";
  return {
    values: numbers(said.values),
    errors: said.errors && !said.exact ? numbers(said.errors) : null,
    base: said.base,
    prediction: said.prediction,
    exact: said.exact,
    how: said.exact ? "Exact." : `Estimated from ${counted || "a sample of orders."}`,
  };
}
