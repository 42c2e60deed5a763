// The rows of the view: the case table as it arrives, what the model says of each, which of them are shown.

import { batch, computed, type ReadonlySignal, signal } from "@preact/signals";
import type { Connection } from "../../parts/connection";
import type { Meta, State } from "../../parts/types";
import { CaseTable, readTable } from "../../parts/arrow";
import { breathe, isAbort } from "../../parts/calls";
import type { Store } from "../../parts/state";
import { type Column0, countAll, type FilterName, type Judged, largestErrors, maskOf, pick, type SortName } from "./filter";
import { Words } from "./words";

export interface MapPoints {
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
}

const said = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Contributions of sampled cases, for the All-cases tab and as a first answer. */
export interface Sample {
  readonly ids: ArrayLike<number>;
  readonly exact: boolean;
  value(i: number, column: number): number;
  /** Position of a case in the sample, -1 when it is not in it. */
  at(id: number): number;
}

export interface Chip {
  readonly name: FilterName;
  readonly label: string;
  readonly count: number;
}

export class Rows {
  readonly words: Words;
  readonly table: CaseTable;
  readonly total: number;
  readonly loaded = signal(0);
  readonly map = signal<MapPoints | null>(null);
  readonly sample = signal<Sample | null>(null);
  /** Why there is no sample, when it was asked for and refused. */
  readonly sampleFailure = signal("");
  readonly sampleState = signal<"waiting" | "here" | "none">("waiting");
  readonly failure = signal("");
  /** Predictions of another output than the one that came with the rows. */
  readonly otherP = signal<{ output: number; values: Float32Array } | null>(null);
  /** The likeliest class of each row, where there are more than two and the page can tell. */
  readonly guess = signal<ArrayLike<number> | null>(null);
  private positions: Map<number, number> | null = null;
  private stopped = new AbortController();

  constructor(
    readonly link: Connection,
    readonly store: Store<State>,
  ) {
    const meta = link.meta;
    this.words = new Words(meta);
    const last = meta.chunks[meta.chunks.length - 1];
    this.total = last ? last[1] : meta.n_rows;
    this.table = new CaseTable(this.total, meta.columns.map((c) => c.kind === "categorical"));
    const first = link.tables.get("cases");
    if (first && this.total) this.put(0, first);
  }

  get meta(): Meta {
    return this.link.meta;
  }

  /** The rest of the rows, then the map and the sample; each part shows as it comes. */
  async stream(): Promise<void> {
    const signal = this.stopped.signal;
    for (const [start, stop] of this.meta.chunks.slice(1)) {
      const bytes = await this.fetch(`cases:${start}:${stop}`, signal);
      if (!bytes) break;
      this.put(start, bytes);
      await breathe();
    }
    await this.fetchMap(signal);
    await this.askSample();
  }

  /** Ask for the sample; again, when it did not come. */
  async askSample(): Promise<void> {
    this.sampleState.value = "waiting";
    this.sampleFailure.value = "";
    try {
      await this.fetchSample(this.stopped.signal);
    } catch (error) {
      this.sampleState.value = "none";
      this.sampleFailure.value = said(error);
    }
  }

  dispose(): void {
    this.stopped.abort();
  }

  private put(start: number, bytes: Uint8Array): void {
    this.table.put(start, readTable(bytes));
    this.positions = null;
    if (start === 0) this.words.measure(this.table.column("p").subarray(0, this.table.loaded));
    this.loaded.value = this.table.loaded;
  }

  /** A table by name: one that came with the page, or asked for; null when there is none. */
  async fetch(name: string, signal: AbortSignal = this.stopped.signal): Promise<Uint8Array | null> {
    const own = this.link.tables.get(name);
    if (own) return own;
    try {
      const { buffers } = await this.link.call("table", { name }, { signal });
      return buffers[0] ?? null;
    } catch (error) {
      if (!isAbort(error) && name.startsWith("cases")) this.failure.value = said(error);
      if (!isAbort(error) && name === "sample" && this.meta.live) this.sampleFailure.value = said(error);
      return null;
    }
  }

  private async fetchMap(signal: AbortSignal): Promise<void> {
    const bytes = await this.fetch("map", signal);
    if (!bytes) return;
    try {
      const table = readTable(bytes);
      if (table.rows >= this.total) this.map.value = { x: table.numbers("x"), y: table.numbers("y") };
    } catch {
      this.map.value = null; // a damaged map leaves the predictions along x, as before it came
    }
  }

  private async fetchSample(signal: AbortSignal): Promise<void> {
    const bytes = await this.fetch("sample", signal);
    const table = bytes ? readTable(bytes) : null;
    if (!table || !table.rows) {
      this.sampleState.value = "none";
      return;
    }
    const ids = table.numbers("id");
    const parts = this.meta.columns.map((_, j) => table.numbers(`s${j}`));
    const step = table.has("step") ? table.numbers("step")[0] : (this.meta.sample?.scale ?? 1);
    const places = new Map<number, number>();
    for (let i = 0; i < ids.length; i += 1) places.set(ids[i], i);
    batch(() => {
      this.sample.value = {
        ids,
        exact: table.has("exact") ? table.numbers("exact")[0] === 1 : true,
        value: (i, j) => parts[j][i] * step,
        at: (id) => places.get(id) ?? -1,
      };
      this.sampleState.value = "here";
    });
  }

  /** What a row is called: its position in the data shown. */
  id(row: number): number {
    return this.table.has("id") ? this.table.column("id")[row] : row;
  }

  /** The row of an id, -1 while it has not arrived. */
  rowOf(id: number): number {
    if (id >= 0 && id < this.table.loaded && this.id(id) === id) return id;
    if (!this.positions) {
      this.positions = new Map();
      for (let i = 0; i < this.table.loaded; i += 1) this.positions.set(this.id(i), i);
    }
    return this.positions.get(id) ?? -1;
  }

  // One field each, so that an edit does not recompute what depends on the filter.
  readonly output = computed(() => this.store.state.value.output);
  readonly selection = computed(() => this.store.state.value.selection);

  /** Predictions of the output that is shown. */
  readonly p: ReadonlySignal<ArrayLike<number>> = computed(() => {
    const loaded = this.loaded.value;
    const output = this.output.value;
    if (!loaded) return new Float32Array(0);
    const own = this.table.column("p");
    if (output === this.meta.output) return own;
    const other = this.otherP.value;
    if (other?.output === output) return other.values;
    if (this.meta.outputs.length === 2 && !this.words.regression) return Float32Array.from(own, (v) => 1 - v);
    return new Float32Array(this.total).fill(NaN);
  });

  /** Smallest and largest prediction. */
  readonly range: ReadonlySignal<readonly [number, number]> = computed(() => {
    const p = this.p.value;
    const n = this.loaded.value;
    let lo = Infinity;
    let hi = -Infinity;
    for (let i = 0; i < n; i += 1) {
      if (p[i] < lo) lo = p[i];
      if (p[i] > hi) hi = p[i];
    }
    return [lo, hi];
  });

  y(row: number): number {
    return this.table.has("y") ? this.table.column("y")[row] : NaN;
  }

  heldOut(row: number): boolean {
    return this.table.has("split") && this.table.column("split")[row] === 1;
  }

  readonly judged: ReadonlySignal<Judged> = computed(() => {
    const count = this.loaded.value;
    const p = this.p.value;
    const { decision, base, outputs } = this.meta;
    const output = this.output.value;
    const regression = this.words.regression;
    const y = count && this.table.has("y") ? this.table.column("y") : new Float32Array(this.total).fill(NaN);
    const line = decision ?? (regression ? (base ?? 0) : 0.5);
    let wrong = new Uint8Array(count);
    if (regression) wrong = new Uint8Array(largestErrors(p, y, count));
    else {
      const guess = this.guess.value;
      for (let i = 0; i < count; i += 1) {
        if (Number.isNaN(y[i]) || Number.isNaN(p[i])) continue;
        const off = guess && outputs.length > 2 ? guess[i] !== y[i] : p[i] >= line !== (y[i] === output);
        if (off) wrong[i] = 1;
      }
    }
    return { count, p, y, regression, line, wrong, near: 0.1 };
  });

  readonly chips: ReadonlySignal<Chip[]> = computed(() => {
    const judged = this.judged.value;
    const counts = countAll(judged);
    const line = judged.regression ? "average" : `${Math.round(judged.line * 100)}%`;
    const chips: Chip[] = [{ name: "all", label: "All", count: counts.all }];
    const known = judged.count > 0 && Array.prototype.some.call(judged.y, (v: number) => !Number.isNaN(v));
    if (known) chips.push({ name: "wrong", label: judged.regression ? "Largest errors" : "Model wrong", count: counts.wrong });
    if (!judged.regression) chips.push({ name: "near", label: `Near ${line}`, count: counts.near });
    chips.push({ name: "high", label: `Above ${line}`, count: counts.high });
    return chips;
  });

  private columnsForSearch(): Column0[] {
    return this.meta.columns.map((column, j) => ({
      numeric: column.kind === "numeric",
      value: (row) => this.table.value(row, j),
      write: (v) => this.words.value(j, v),
    }));
  }

  private readonly mask: ReadonlySignal<Uint8Array | null> = computed(() => {
    const selection = this.selection.value;
    const count = this.loaded.value;
    return selection ? maskOf(selection.map((id) => this.rowOf(id)), count) : null;
  });

  private readonly wanted = computed(() => {
    const { filter, query, sort } = this.store.state.value;
    return JSON.stringify([filter, query, sort]);
  });

  /** Rows that the list shows, in its order. */
  readonly shown: ReadonlySignal<Int32Array> = computed(() => {
    const [filter, query, sort] = JSON.parse(this.wanted.value) as [FilterName, string, SortName];
    const id = query.trim().startsWith("#") ? Number(query.trim().slice(1)) : NaN;
    const judged = this.judged.value;
    if (Number.isInteger(id) && query.trim().length > 1) {
      const row = this.rowOf(id);
      return row >= 0 ? Int32Array.of(row) : new Int32Array(0);
    }
    return pick(judged, this.columnsForSearch(), { filter, query, sort, mask: this.mask.value });
  });

  describe(row: number, detail: readonly number[]): [string, string] {
    return this.words.describe((j) => this.table.value(row, j), detail);
  }
}
