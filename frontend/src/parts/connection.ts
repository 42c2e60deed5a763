// A page's one door to its host. A view calls `connect(model)` and uses nothing of the host directly, so the same module
// runs in Jupyter, marimo, Streamlit, a served page and a file.
//
//   export default { render({ model, el }) {
//     const link = connect(model);                       // parses `first`, listens
//     const { root, dispose } = mount(el, [tokens, base, own], link.meta); // root.ts: shadow root, styles, theme
//     const answer = await link.call("explain", { row }, { onProgress: (part) => draw(part.value) });
//     return () => { dispose(); link.close(); };
//   } };

import { type Bytes, aligned, bytesOf, parseContainer } from "./container";
import type { AfmModel, Listener } from "./model";
import type { BaseMeta, Document, Incoming, Json, Meta } from "./types";

/** What an action gives back: JSON and, beside it, 8-aligned bytes. */
export interface Answer<T = Json> {
  value: T;
  buffers: Uint8Array[];
}

export interface CallOptions<T = Json> {
  /** Partial answers, in order. */
  onProgress?: (part: Answer<T>) => void;
  /** Aborting tells Python to stop. The promise rejects with an AbortError, as it does when a newer call of the lane replaced it. */
  signal?: AbortSignal;
}

/** Why a call gave no answer. */
export class CallError extends Error {
  constructor(
    message: string,
    /** "python": the action raised; "offline": nobody answers calls here; "closed": the host went away. */
    readonly reason: "python" | "offline" | "closed",
    /** Of reason "python": "refused" (the call was wrong) or "failed" (the action raised). */
    readonly kind = "",
  ) {
    super(message);
    this.name = "CallError";
  }
}

export interface Connection<M extends BaseMeta = Meta> {
  readonly meta: M;
  /** The tables of the first paint by name, each an Arrow IPC stream, 8-aligned; parts/arrow.ts reads them. */
  readonly tables: Map<string, Uint8Array>;
  /** Whether Python answers calls now. False in a file, in a saved notebook, and while a server is away. */
  readonly live: boolean;
  /** "jupyter", "marimo", "streamlit", "web" or "html". */
  readonly host: string;
  /** The whole state document as Python last had it, or as this page last sent it. */
  getState(): Document;
  /** Merges changes into the state and tells Python: at once, and then at most every 50 ms while changes go on. */
  setState(changes: Document): void;
  /** Calls back when Python or another page changed the state (never for this page's own changes). */
  onState(callback: (state: Document) => void): () => void;
  /** Calls back when `live` changes. */
  onLive(callback: (live: boolean) => void): () => void;
  /**
   * Asks Python. Rejects with CallError, or AbortError when aborted. Where nobody is live, `table` is still answered
   * from `tables`, and anything else rejects at once with reason "offline".
   */
  call<T = Json>(action: string, args?: { [key: string]: unknown }, options?: CallOptions<T>): Promise<Answer<T>>;
  /** Stops listening; waiting calls are rejected. */
  close(): void;
}

/** Milliseconds between two tellings of the state: a drag is heard as it goes, not at every pixel. */
const PAUSE = 50;

interface Waiting {
  resolve: (answer: Answer<never>) => void;
  reject: (error: Error) => void;
  progress?: ((part: Answer<never>) => void) | undefined;
  done: () => void;
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Opens the connection of a view over its host's model. Throws RangeError when the first tables are damaged. */
export function connect<M extends BaseMeta = Meta>(model: AfmModel): Connection<M> {
  return new ModelConnection<M>(model);
}

class ModelConnection<M extends BaseMeta> implements Connection<M> {
  readonly meta: M;
  readonly tables: Map<string, Uint8Array>;
  private state: Document;
  private stateListeners = new Set<(state: Document) => void>();
  private liveListeners = new Set<(live: boolean) => void>();
  private waiting = new Map<number, Waiting>();
  // Two pages may share one model and hear each other's answers, so ids start at a random place.
  private next = Math.floor(Math.random() * 2 ** 40) * 1024;
  private unsent: Document | null = null;
  private sentAt = -Infinity;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private subscriptions: [string, Listener][] = [];

  constructor(private model: AfmModel) {
    this.meta = model.get("meta") as M;
    const first = model.get("first") as Bytes | null | undefined;
    this.tables = first ? parseContainer(first) : new Map();
    this.state = { ...((model.get("state") as Document | null) ?? {}) };
    this.subscribe("msg:custom", (message: Incoming, buffers?: Bytes[]) => this.receive(message, buffers ?? []));
    this.subscribe("change:state", () => this.pulled());
    this.subscribe("change:live", () => this.liveChanged());
  }

  get live(): boolean {
    const own = this.model.get("live");
    return typeof own === "boolean" ? own : this.meta.live;
  }

  get host(): string {
    return this.meta.host;
  }

  getState(): Document {
    return this.state;
  }

  setState(changes: Document): void {
    if (Object.keys(changes).every((key) => same(changes[key], this.state[key]))) return;
    this.state = { ...this.state, ...changes };
    const waits = this.unsent !== null;
    this.unsent = { ...this.unsent, ...changes };
    if (waits) return;
    const since = performance.now() - this.sentAt;
    if (since >= PAUSE) queueMicrotask(() => this.tell());
    else this.timer = setTimeout(() => this.tell(), PAUSE - since);
  }

  private tell(): void {
    clearTimeout(this.timer);
    if (!this.unsent) return;
    this.unsent = null;
    this.sentAt = performance.now();
    this.model.set("state", this.state);
    this.model.save_changes();
  }

  onState(callback: (state: Document) => void): () => void {
    this.stateListeners.add(callback);
    return () => this.stateListeners.delete(callback);
  }

  onLive(callback: (live: boolean) => void): () => void {
    this.liveListeners.add(callback);
    return () => this.liveListeners.delete(callback);
  }

  call<T = Json>(action: string, args: { [key: string]: unknown } = {}, options: CallOptions<T> = {}): Promise<Answer<T>> {
    const { onProgress, signal } = options;
    if (signal?.aborted) return Promise.reject(aborted());
    if (!this.live) return this.offline<T>(action, args);
    const id = this.next++;
    return new Promise<Answer<T>>((resolve, reject) => {
      const onAbort = (): void => {
        this.settle(id)?.reject(aborted());
        this.model.send({ kind: "cancel", id });
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      const done = (): void => signal?.removeEventListener("abort", onAbort);
      this.waiting.set(id, { resolve, reject, progress: onProgress, done } as Waiting);
      this.model.send({ kind: "call", id, action, args });
    });
  }

  close(): void {
    this.tell();
    for (const [event, listener] of this.subscriptions) this.model.off(event, listener);
    this.rejectAll(new CallError("The view was closed.", "closed"));
    this.stateListeners.clear();
    this.liveListeners.clear();
  }

  private subscribe<A extends unknown[]>(event: string, listener: (...args: A) => void): void {
    this.model.on(event, listener as unknown as Listener);
    this.subscriptions.push([event, listener as unknown as Listener]);
  }

  private offline<T>(action: string, args: { [key: string]: unknown }): Promise<Answer<T>> {
    const table = action === "table" ? this.tables.get(String(args["name"])) : undefined;
    if (table) return Promise.resolve({ value: null as T, buffers: [table] });
    return Promise.reject(new CallError("This page has no Python behind it.", "offline"));
  }

  private pulled(): void {
    this.changed((this.model.get("state") as Document | null) ?? {});
  }

  private changed(given: Document): void {
    if (given === this.state) return;
    const state = { ...given, ...this.unsent }; // what Python has not heard yet stands
    if (same(state, this.state)) return;
    this.state = state;
    for (const callback of [...this.stateListeners]) callback(state);
  }

  private liveChanged(): void {
    if (!this.live) this.rejectAll(new CallError("The connection to Python was lost.", "closed"));
    for (const callback of [...this.liveListeners]) callback(this.live);
  }

  private receive(message: Incoming, buffers: Bytes[]): void {
    if (message?.kind === "change") return this.changed(message.state);
    const waiting = this.waiting.get(message?.id);
    if (!waiting) return;
    const answer = { value: message.value as never, buffers: buffers.map((buffer) => aligned(bytesOf(buffer))) };
    if (message.kind === "progress") waiting.progress?.(answer);
    else if (message.kind === "result") this.settle(message.id)?.resolve(answer);
    else if (message.kind === "error") this.settle(message.id)?.reject(pythonError(message.value));
  }

  private settle(id: number): Waiting | undefined {
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    waiting?.done();
    return waiting;
  }

  private rejectAll(error: Error): void {
    for (const id of [...this.waiting.keys()]) this.settle(id)?.reject(error);
  }
}

function aborted(): DOMException {
  return new DOMException("No longer wanted.", "AbortError");
}

// What core/session.py says of a failed call: {kind: "superseded" | "cancelled" | "refused" | "failed", message}.
function pythonError(value: Json): Error {
  if (value && typeof value === "object" && !Array.isArray(value)) {
    const kind = String(value["kind"] ?? "failed");
    if (kind === "superseded" || kind === "cancelled") return aborted();
    return new CallError(String(value["message"] ?? "The call failed."), "python", kind);
  }
  return new CallError(String(value ?? "The call failed."), "python");
}
