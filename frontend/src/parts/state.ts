// The state document as a signal, with unlimited undo and redo, the share link, and the tie to Python.

import { type ReadonlySignal, computed, signal } from "@preact/signals";
import type { Connection } from "./connection";
import type { BaseMeta, Document } from "./types";

/** How long changes of the same `step` name count as one, in ms: a drag is one undo. */
const ONE_STEP = 800;

export interface SetOptions {
  /** Changes in a row with the same name are one undo step (an edit being dragged). */
  step?: string;
  /** False: not a step of its own (scroll position, hover). */
  history?: boolean;
}

/** One JSON document. Every change is a new object; the parts that did not change stay the same objects. */
export class Store<S extends Document> {
  private now;
  private past = signal<S[]>([]);
  private future = signal<S[]>([]);
  private lastStep = "";
  private lastTime = -Infinity;
  private listeners = new Set<(state: S, changes: Document) => void>();

  readonly state: ReadonlySignal<S>;
  readonly canUndo = computed(() => this.past.value.length > 0);
  readonly canRedo = computed(() => this.future.value.length > 0);

  constructor(
    initial: S,
    private clock: () => number = () => performance.now(),
  ) {
    this.now = signal(initial);
    this.state = this.now;
  }

  /** Merges changes. */
  set(changes: Partial<S>, options: SetOptions = {}): void {
    const before = this.now.peek();
    const real = difference(before, { ...before, ...changes });
    if (!Object.keys(real).length) return;
    if (options.history !== false) this.remember(before, options.step ?? "");
    this.move({ ...before, ...real } as S, real);
  }

  undo(): void {
    this.travel(this.past, this.future);
  }

  redo(): void {
    this.travel(this.future, this.past);
  }

  /** Takes a document that came from elsewhere (Python, another page) as one undoable step, without telling it back. */
  accept(document: Document): void {
    const before = this.now.peek();
    const real = difference(before, { ...before, ...document });
    if (!Object.keys(real).length) return;
    this.remember(before, "");
    this.now.value = { ...before, ...real } as S;
  }

  /** Calls back with what this page changed (also by undo), never with what `accept` brought. */
  onChange(callback: (state: S, changes: Document) => void): () => void {
    this.listeners.add(callback);
    return () => this.listeners.delete(callback);
  }

  private remember(before: S, step: string): void {
    const time = this.clock();
    const joined = step !== "" && step === this.lastStep && time - this.lastTime < ONE_STEP;
    this.lastStep = step;
    this.lastTime = time;
    if (!joined) this.past.value = [...this.past.peek(), before];
    this.future.value = [];
  }

  private travel(from: typeof this.past, to: typeof this.past): void {
    const steps = from.peek();
    const target = steps[steps.length - 1];
    if (!target) return;
    const before = this.now.peek();
    from.value = steps.slice(0, -1);
    to.value = [...to.peek(), before];
    this.lastStep = "";
    this.move(target, difference(before, target));
  }

  private move(next: S, changes: Document): void {
    this.now.value = next;
    for (const callback of [...this.listeners]) callback(next, changes);
  }
}

/** The keys of `after` whose values differ; a key that is gone is null. */
function difference(before: Document, after: Document): Document {
  const out: Document = {};
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (before[key] !== after[key] && JSON.stringify(before[key]) !== JSON.stringify(after[key])) out[key] = after[key] ?? null;
  }
  return out;
}

/** The store of a view: defaults, then what Python has, then the share link; kept in step with Python from then on. */
export function openStore<S extends Document, M extends BaseMeta>(connection: Connection<M>, defaults: S): Store<S> {
  const shared = hasUrl(connection.host) ? readShare(location.hash) : null;
  const store = new Store<S>({ ...defaults, ...connection.getState(), ...shared } as S);
  connection.setState(store.state.peek());
  store.onChange((_, changes) => connection.setState(changes));
  connection.onState((document) => store.accept(document));
  return store;
}

/** Whether the page's address belongs to the view, so that a link can carry the state. */
export function hasUrl(host: string): boolean {
  return host === "web" || host === "html";
}

const KEY = "wg=";

/** The state as the end of an address: "#wg=...". Only what differs from `defaults` is in it. */
export function writeShare(state: Document, defaults: Document = {}): string {
  const bytes = new TextEncoder().encode(JSON.stringify(difference(defaults, state)));
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return "#" + KEY + btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** Reads what `writeShare` wrote; null when the address holds none or it is damaged. */
export function readShare(hash: string): Document | null {
  const part = hash.replace(/^#/, "").split("&").find((piece) => piece.startsWith(KEY));
  if (!part) return null;
  try {
    const text = atob(part.slice(KEY.length).replaceAll("-", "+").replaceAll("_", "/"));
    const document: unknown = JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (c) => c.charCodeAt(0))));
    return document && typeof document === "object" && !Array.isArray(document) ? (document as Document) : null;
  } catch {
    return null; // a link that was cut in a mail opens the view as it is
  }
}
