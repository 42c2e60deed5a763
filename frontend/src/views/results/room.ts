// What the views of one result share: the rows to choose from, the state, whether Python is there, the words.

import { computed, type ReadonlySignal, signal } from "@preact/signals";
import type { Connection } from "../../parts/connection";
import { copyText } from "../../parts/dialog";
import type { Mounted } from "../../parts/root";
import { openStore, type Store } from "../../parts/state";
import type { BaseMeta, Column, Lock } from "../../parts/types";
import type { RuleFound } from "../workbench/panels";
import { Words, type Named } from "../workbench/words";

export interface ResultMeta extends BaseMeta, Named {
  n_rows: number;
  output: number;
  outcome: string;
  python: { model: string; call: string; frame: string };
  asks: "at once" | "when pressed";
  /** Whether the model behind the result can be asked. */
  can_ask: boolean;
  frozen: { date: string } | null;
  columns: Column[];
  /** Rules: the precision asked for. */
  precision?: number;
  /** Counterfactuals: what was wanted, how it was asked, and what else holds, in words. */
  target?: string;
  asked?: { locks: { [column: string]: Lock }; likely: boolean; k: number; target?: unknown };
  constraints?: string[];
  /** Curves. */
  kind?: "pdp" | "ice" | "ale";
  charts?: Chart[];
  shown_outputs?: number[];
  lines?: number[];
  used?: number;
  exact?: boolean;
}

/** One chart: a column, or a pair, with its grid. */
export interface Chart {
  readonly columns: readonly number[];
  readonly points: readonly (readonly number[])[];
  readonly away: readonly (number | null)[] | null;
  readonly strength: readonly (number | null)[] | null;
}

export interface ResultState {
  case: number;
  selection: number[] | null;
  precision: number;
  locks: { [column: string]: Lock };
  likely: boolean;
  k: number;
  edits: { [column: string]: number | null };
  output: number;
  chart: number;
  [key: string]: unknown;
}

export type RuleEntry = RuleFound & { readonly status: string };

interface Carried {
  readonly ids: readonly number[];
  readonly values: readonly (readonly (number | null)[])[];
  readonly p: readonly (number | null)[];
}

export type Link = Connection<ResultMeta>;

export const read = <T>(link: Link, name: string): T => JSON.parse(new TextDecoder().decode(link.tables.get(name))) as T;

export class Room {
  readonly store: Store<ResultState>;
  readonly words: Words;
  readonly rows: Carried;
  readonly live: ReadonlySignal<boolean>;
  readonly dialog = signal<"" | "python" | "keys">("");
  readonly toast = signal("");
  readonly theme = signal("light");
  private toastTimer = 0;
  private stop: () => void;

  constructor(
    readonly link: Link,
    readonly mounted: Mounted,
  ) {
    const { meta } = link;
    this.rows = read<Carried>(link, "rows");
    this.store = openStore<ResultState, ResultMeta>(link, {
      case: this.rows.ids[0] ?? 0,
      selection: null,
      precision: meta.precision ?? 0,
      locks: meta.asked?.locks ?? {},
      likely: meta.asked?.likely ?? true,
      k: meta.asked?.k ?? 1,
      edits: {},
      output: meta.output,
      chart: -1,
    });
    this.words = new Words(meta);
    this.words.measure(this.rows.p.filter((v): v is number => v !== null));
    const live = signal(link.live);
    this.live = live;
    this.stop = link.onLive((now) => (live.value = now));
    this.theme.value = mounted.theme();
    mounted.onTheme((theme) => (this.theme.value = theme));
  }

  get meta(): ResultMeta {
    return this.link.meta;
  }

  /** Whether the model can be asked now. */
  get asks(): boolean {
    return this.meta.can_ask && this.live.value;
  }

  /** Position of the chosen row among those carried; the first where it is not. */
  readonly at = computed(() => Math.max(0, this.rows.ids.indexOf(this.store.state.value.case)));
  readonly id = computed(() => this.rows.ids[this.at.value] ?? 0);
  readonly own = computed(() => Float64Array.from(this.rows.values[this.at.value] ?? [], (v) => v ?? NaN));
  /** The chosen row with what is tried. */
  readonly row = computed(() => {
    const row = this.own.value.slice();
    for (const [j, v] of Object.entries(this.store.state.value.edits ?? {})) row[Number(j)] = v ?? NaN;
    return row;
  });

  dispose(): void {
    this.stop();
  }

  open(id: number): void {
    if (this.store.state.peek().case !== id) this.store.set({ case: id, edits: {} });
  }

  move(by: number): void {
    const { ids } = this.rows;
    if (!ids.length) return;
    this.open(ids[Math.max(0, Math.min(ids.length - 1, this.at.peek() + by))] as number);
  }

  /** Tries changes of the row, as one step. */
  apply(changes: readonly (readonly [number, number | null])[]): void {
    const own = this.own.peek();
    const edits = { ...this.store.state.peek().edits };
    for (const [j, v] of changes) {
      if (Object.is(own[j], v ?? NaN)) delete edits[String(j)];
      else edits[String(j)] = v;
    }
    this.store.set({ edits });
  }

  find<E extends HTMLElement>(selector: string): E | null {
    return this.mounted.root.querySelector<E>(selector);
  }

  say(text: string): void {
    this.toast.value = text;
    clearTimeout(this.toastTimer);
    this.toastTimer = window.setTimeout(() => (this.toast.value = ""), 2600);
  }

  async copy(text: string, what: string): Promise<void> {
    const done = await copyText(text, this.mounted.root);
    this.say(done ? `${what} copied.` : "The page may not write to the clipboard here: select the text and copy it.");
  }
}

export const plain = (row: Float64Array): (number | null)[] => Array.from(row, (v) => (Number.isFinite(v) ? v : null));
