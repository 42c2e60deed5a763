// The AFM model interface (anywidget.dev/en/afm): all that a view knows of its host. anywidget gives one; the socket,
// Streamlit and static bridges are others.

export type Listener = (...args: never[]) => void;

/** What a host hands to `render`. Keys: "meta", "state" (JSON), "first" (bytes), and optionally "live" (boolean). */
export interface AfmModel {
  get(key: string): unknown;
  set(key: string, value: unknown): void;
  save_changes(): void;
  /** Events: "change:<key>", and "msg:custom" with (message, buffers). */
  on(event: string, callback: Listener): void;
  off(event?: string | null, callback?: Listener | null): void;
  send(content: unknown, callbacks?: unknown, buffers?: (ArrayBuffer | ArrayBufferView)[]): void;
}

export interface RenderProps {
  model: AfmModel;
  el: HTMLElement;
}

/** An AFM view module's default export; `render` may return what undoes it. */
export interface AfmView {
  render(props: RenderProps): void | (() => void) | Promise<void | (() => void)>;
}

/** Keys, changes and listeners; a bridge says how `save_changes` and `send` travel. */
export abstract class LocalModel implements AfmModel {
  protected values = new Map<string, unknown>();
  protected dirty = new Set<string>();
  private listeners = new Map<string, Set<Listener>>();

  get(key: string): unknown {
    return this.values.get(key);
  }

  set(key: string, value: unknown): void {
    this.values.set(key, value);
    this.dirty.add(key);
    this.emit(`change:${key}`);
  }

  save_changes(): void {
    const changed: { [key: string]: unknown } = {};
    for (const key of this.dirty) changed[key] = this.values.get(key);
    this.dirty.clear();
    if (Object.keys(changed).length) this.push(changed);
  }

  on(event: string, callback: Listener): void {
    const known = this.listeners.get(event) ?? new Set();
    known.add(callback);
    this.listeners.set(event, known);
  }

  off(event?: string | null, callback?: Listener | null): void {
    if (!event) this.listeners.clear();
    else if (!callback) this.listeners.delete(event);
    else this.listeners.get(event)?.delete(callback);
  }

  abstract send(content: unknown, callbacks?: unknown, buffers?: (ArrayBuffer | ArrayBufferView)[]): void;

  /** Carries changed keys to Python. */
  protected abstract push(changed: { [key: string]: unknown }): void;

  /** A key changed on the Python side. */
  receive(key: string, value: unknown): void {
    this.values.set(key, value);
    this.emit(`change:${key}`);
  }

  /** A custom message came from Python. */
  deliver(message: unknown, buffers: Uint8Array[]): void {
    this.emit("msg:custom", message, buffers);
  }

  protected emit(event: string, ...args: unknown[]): void {
    for (const callback of [...(this.listeners.get(event) ?? [])]) (callback as (...all: unknown[]) => void)(...args);
  }
}
