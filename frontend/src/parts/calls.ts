// Work that may be overtaken: lanes where only the newest counts, debounce, and long computations in short slices.

/** Whether an error only says that the answer is no longer wanted. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error || error instanceof DOMException ? error.name === "AbortError" : false;
}

/** Of the tasks of a lane only the newest one counts; starting one aborts the one before. */
export class Lane {
  private current: AbortController | null = null;

  /** Whether a task is running. */
  get busy(): boolean {
    return this.current !== null;
  }

  /** Runs a task; gives undefined when a newer one overtook it or `stop` was called. Other errors are thrown. */
  async run<T>(task: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    this.stop();
    const mine = new AbortController();
    this.current = mine;
    try {
      const answer = await task(mine.signal);
      return mine.signal.aborted ? undefined : answer;
    } catch (error) {
      if (mine.signal.aborted || isAbort(error)) return undefined;
      throw error;
    } finally {
      if (this.current === mine) this.current = null;
    }
  }

  stop(): void {
    this.current?.abort();
    this.current = null;
  }
}

/** Calls `task` once, `ms` after the last request; `.cancel()` forgets a waiting one, `.flush()` runs it now. */
export function debounce<A extends unknown[]>(ms: number, task: (...args: A) => void) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let latest: A | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    const args = latest;
    latest = undefined;
    if (args) task(...args);
  };
  const ask = (...args: A): void => {
    latest = args;
    clearTimeout(timer);
    timer = setTimeout(flush, ms);
  };
  const cancel = (): void => {
    clearTimeout(timer);
    latest = undefined;
  };
  return Object.assign(ask, { cancel, flush });
}

/** Lets the page breathe: resolves after pending input and painting had their turn. */
export function breathe(): Promise<void> {
  const scheduler = (globalThis as { scheduler?: { yield?: () => Promise<void> } }).scheduler;
  if (scheduler?.yield) return scheduler.yield();
  return new Promise((resolve) => {
    // A message, not a timer: nested timers are held back by 4 ms.
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}

export interface SliceOptions {
  /** Milliseconds at a stretch. */
  budget?: number;
  signal?: AbortSignal | undefined;
}

/**
 * Runs a computation written as a generator, which yields wherever it may be interrupted, in slices of at most `budget`
 * ms (8 unless told) plus one step. Rejects with the signal's reason (an AbortError) when aborted.
 */
export async function inSlices<T>(work: Iterator<unknown, T>, { budget = 8, signal }: SliceOptions = {}): Promise<T> {
  for (;;) {
    signal?.throwIfAborted();
    const end = performance.now() + budget;
    do {
      const step = work.next();
      if (step.done) return step.value;
    } while (performance.now() < end);
    await breathe();
  }
}
