// What every component of the workbench is given: the state, the rows, the answers, and the gestures that change them.

import { signal } from "@preact/signals";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Connection } from "../../parts/connection";
import type { Mounted } from "../../parts/root";
import type { Meta, State } from "../../parts/types";
import { hasUrl, openStore, readShare, type Store, writeShare } from "../../parts/state";
import type { Tips } from "../../parts/tooltip";
import { copyText } from "../../parts/dialog";
import { Answers } from "./answers";
import { Pairs } from "./pairs";
import { Panels } from "./panels";
import { Rows } from "./rows";
import { Surrogate } from "./surrogate";
import type { Words } from "./words";

export function defaults(meta: Meta): State {
  return {
    case: 0,
    edits: {},
    filter: "all",
    query: "",
    sort: "order",
    brush: null,
    selection: null,
    pin: null,
    tab: "case",
    fact: -1,
    partner: -1,
    locks: {},
    likely: false,
    space: "probability",
    output: meta.output,
  };
}

export type DialogName = "" | "python" | "keys" | "read";

export class Desk {
  readonly store: Store<State>;
  readonly rows: Rows;
  readonly answers: Answers;
  readonly pairs: Pairs;
  readonly panels: Panels;
  readonly surrogate: Surrogate;
  readonly words: Words;
  readonly dialog = signal<DialogName>("");
  readonly toast = signal("");
  /** Where no model is: the point of a saved curve that is looked at. */
  readonly probe = signal<{ key: string; column: number; value: number } | null>(null);
  readonly theme = signal("light");
  tips: Tips | null = null;
  private toastTimer = 0;

  constructor(
    readonly link: Connection,
    readonly mounted: Mounted,
  ) {
    this.store = openStore(link, defaults(link.meta));
    this.rows = new Rows(link, this.store);
    this.answers = new Answers(this.rows);
    this.pairs = new Pairs(this.rows, this.answers);
    this.panels = new Panels(this.rows, this.answers);
    this.surrogate = new Surrogate(this.rows, this.answers);
    this.words = this.rows.words;
    this.settleCase();
    this.theme.value = mounted.theme();
    mounted.onTheme((theme) => (this.theme.value = theme));
  }

  /** A report carries a sample: when the case that was open is not in it, a telling one is. */
  settleCase(): void {
    const { rows, store } = this;
    if (!this.meta.frozen || !rows.loaded.peek() || rows.rowOf(store.state.peek().case) >= 0 || readShare(location.hash)) return;
    const p = rows.p.peek();
    const row = Math.max(0, Array.prototype.findIndex.call(p, (v: number) => v > 0.6 && v < 0.8));
    store.set({ case: rows.id(row) }, { history: false });
  }

  get meta(): Meta {
    return this.link.meta;
  }

  get root(): HTMLElement {
    return this.mounted.root;
  }

  /** First element inside the view that fits, never outside. */
  find<E extends HTMLElement>(selector: string): E | null {
    return this.root.querySelector<E>(selector);
  }

  say(text: string): void {
    this.toast.value = text;
    clearTimeout(this.toastTimer);
    this.toastTimer = window.setTimeout(() => (this.toast.value = ""), 2600);
  }

  open(id: number): void {
    if (this.store.state.peek().case === id) return this.store.set({ tab: "case" });
    this.store.set({ case: id, edits: {}, tab: "case" });
  }

  move(by: number): void {
    const shown = this.rows.shown.peek();
    if (!shown.length) return;
    const at = shown.indexOf(this.answers.caseRow.peek());
    const next = at < 0 ? 0 : Math.max(0, Math.min(shown.length - 1, at + by));
    this.open(this.rows.id(shown[next]));
  }

  edit(column: number, value: number): void {
    if (!this.answers.canEdit.peek()) {
      this.probe.value = { key: this.answers.key.peek(), column, value };
      return;
    }
    const own = this.answers.original.peek()?.[column];
    const edits = { ...this.store.state.peek().edits };
    if (Object.is(own, value) || own === value) delete edits[String(column)];
    else edits[String(column)] = Number.isNaN(value) ? null : value;
    this.store.set({ edits }, { step: `edit-${column}` });
  }

  /** Several changes of one moment, as one step. */
  apply(changes: readonly (readonly [number, number])[]): void {
    const original = this.answers.original.peek();
    if (!original) return;
    const edits = { ...this.store.state.peek().edits };
    for (const [column, value] of changes) {
      if (Object.is(original[column], value) || original[column] === value) delete edits[String(column)];
      else edits[String(column)] = Number.isNaN(value) ? null : value;
    }
    this.store.set({ edits });
  }

  reset(): void {
    this.store.set({ edits: {} });
  }

  pin(): void {
    const { pin, case: id } = this.store.state.peek();
    if (pin !== null) return this.store.set({ pin: null });
    this.store.set({ pin: id });
    this.say("Pinned. Move to another case: dashed outlines show this one.");
  }

  clearSelection(): void {
    const { brush, selection } = this.store.state.peek();
    if (brush || selection) this.store.set({ brush: null, selection: null });
  }

  clearAll(): void {
    this.store.set({ filter: "all", query: "", brush: null, selection: null });
  }

  get canShare(): boolean {
    return hasUrl(this.link.host);
  }

  async share(): Promise<void> {
    const hash = writeShare(this.store.state.peek(), defaults(this.meta));
    history.replaceState(null, "", hash);
    const done = await copyText(location.href, this.root);
    this.say(done ? "Link copied: case, edits and filters are inside it." : "The link is in the address bar: case, edits and filters are inside it.");
  }

  async copy(text: string, what: string): Promise<void> {
    const done = await copyText(text, this.root);
    this.say(done ? `${what} copied.` : "The page may not write to the clipboard here: select the text and copy it.");
  }
}

const Context = createContext<Desk | null>(null);
export const DeskProvider = Context.Provider;

export function useDesk(): Desk {
  const desk = useContext(Context);
  if (!desk) throw new Error("A part of the workbench was drawn outside of it.");
  return desk;
}
