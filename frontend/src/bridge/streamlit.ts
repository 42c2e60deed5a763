// The Streamlit bridge: an st.components.v2 component, JSON both ways, the script rerun at each event. One ES module holds
// the view and this (build.mjs says how they are joined).
//
// Python -> page, `data`, at each run:
//   {session, meta, state, first?, outbox: [{n, message, buffers: [base64]}], heard, open}; more is left alone
//   session  id of the view's Session; a new one draws anew
//   first    base64 of the container; needed until `has` came (below), then left out
//   outbox   what Session.send gave, numbered from 1, kept until acknowledged
//   heard    the number of the last batch that Python took (0 at first)
//   open     whether calls are running: the page then asks again soon, since Streamlit cannot push
// Page -> Python, trigger value "batch", one at a time, the next one only after `heard` says so:
//   {session, n, has: bool, ack: number, messages: [{message, buffers: [base64]}]}
//   messages are the Session's "call", "cancel" and "change"; ack is the largest outbox number that was taken

import { bytesOf } from "../parts/container";
import { type AfmView, LocalModel } from "../parts/model";
import type { Document } from "../parts/types";

declare const __whyglass_view: { default: AfmView };

interface Data {
  session: string;
  meta: unknown;
  state: Document;
  first?: string | null;
  outbox: { n: number; message: { kind: string; state?: Document }; buffers: string[] }[];
  heard: number;
  open: boolean;
}

interface Component {
  data: Data;
  parentElement: HTMLElement | ShadowRoot;
  setTriggerValue(name: string, value: unknown): void;
}

type Sent = { message: unknown; buffers: string[] };

const PATIENCE = 10_000;
const POLLS = [60, 120, 250, 500, 1000];

class StreamlitModel extends LocalModel {
  private waiting: Sent[] = [];
  private batch = 0;
  private heard = 0;
  private ack = 0;
  private sentAt = 0;
  private polls = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private last: unknown = null;
  private trigger: Component["setTriggerValue"] = () => {};
  readonly holder = document.createElement("div");
  undo: (() => void) | undefined;

  constructor(readonly session: string) {
    super();
  }

  send(message: unknown, _callbacks?: unknown, buffers: (ArrayBuffer | ArrayBufferView)[] = []): void {
    this.waiting.push({ message, buffers: buffers.map((buffer) => encode(bytesOf(buffer))) });
    this.polls = 0;
    queueMicrotask(() => this.flush());
  }

  protected push(changed: { [key: string]: unknown }): void {
    // Of states that wait together only the newest is sent.
    this.waiting = this.waiting.filter((entry) => (entry.message as { kind?: string }).kind !== "change");
    if ("state" in changed) this.send({ kind: "change", state: changed["state"] });
  }

  /** Takes what a run of the script brought. */
  take({ data, setTriggerValue }: Component): void {
    this.trigger = setTriggerValue;
    if (data.first && !this.get("first")) this.receive("first", decode(data.first));
    this.heard = Math.max(this.heard, data.heard);
    for (const { n, message, buffers } of data.outbox) {
      if (n <= this.ack) continue;
      this.ack = n;
      if (message.kind === "change") this.receive("state", message.state ?? {});
      else this.deliver(message, buffers.map(decode));
      this.polls = 0;
    }
    clearTimeout(this.timer);
    this.flush();
    if (data.open || data.outbox.length) this.timer = setTimeout(() => this.flush(true), POLLS[Math.min(this.polls++, POLLS.length - 1)]);
  }

  private flush(poll = false): void {
    const late = performance.now() - this.sentAt > PATIENCE;
    if (this.batch > this.heard && !late) return;
    if (this.batch > this.heard) {
      this.sentAt = performance.now();
      this.trigger("batch", this.last);
      return;
    }
    if (!this.waiting.length && !poll) return;
    this.last = { session: this.session, n: ++this.batch, has: this.get("first") !== undefined, ack: this.ack, messages: this.waiting };
    this.waiting = [];
    this.sentAt = performance.now();
    this.trigger("batch", this.last);
  }
}

const models = new WeakMap<HTMLElement | ShadowRoot, StreamlitModel>();

/** Streamlit calls this at each run of the script. */
export default function component(given: Component): (() => void) | void {
  const { data, parentElement } = given;
  if (!data?.session) return;
  const known = models.get(parentElement);
  if (known?.session === data.session) return known.take(given);
  known?.undo?.();
  known?.holder.remove();
  const model = new StreamlitModel(data.session);
  models.set(parentElement, model);
  parentElement.append(model.holder);
  model.receive("meta", data.meta);
  model.receive("state", data.state);
  model.take(given);
  void Promise.resolve(__whyglass_view.default.render({ model, el: model.holder })).then((undo) => {
    model.undo = undo ?? undefined;
  });
}

function encode(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

function decode(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}
