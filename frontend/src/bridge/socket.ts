// The socket bridge: a served page. The page holds
//   <div id="wg-root" data-module="./workbench.js"></div>
//   <script type="module" src="./socket.js"></script>
// and the socket is "./socket", both beside the page's own address. A packet is pack_message(message, buffers), cut into
// frames: uint32 LE how many frames are still to come, four bytes of nothing, then a slice. The first packet is
// {kind: "open", meta, state} with the container of the first tables; then come the Session's "progress", "result", "error"
// and {kind: "change", state}. From the page go "call", "cancel" and {kind: "change", state}. When the connection is lost
// the page says so (`live` false) and tries again; "open" then comes anew, and of it only the state is taken.

import { unpackMessage, packMessage } from "./message";
import { type AfmView, LocalModel } from "../parts/model";
import type { Document } from "../parts/types";

type Message = { kind: string; meta?: unknown; state?: Document };

const WAITS = [250, 500, 1000, 2000, 4000, 8000];
const PREFIX = 8;
const FRAME = 1 << 20;

class SocketModel extends LocalModel {
  private socket: WebSocket | null = null;
  private parts: Uint8Array[] = [];
  private tries = 0;
  private unsent: Document | null = null;
  private opened: () => void = () => {};

  constructor(private address: string) {
    super();
  }

  /** Resolves when the first "open" is in. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      this.opened = resolve;
      this.dial();
    });
  }

  send(content: unknown, _callbacks?: unknown, buffers: (ArrayBuffer | ArrayBufferView)[] = []): void {
    const { socket } = this;
    if (socket?.readyState !== WebSocket.OPEN) return;
    const packet = packMessage(content, buffers);
    const frames = Math.max(1, Math.ceil(packet.length / FRAME));
    for (let at = 0; at < frames; at++) {
      const slice = packet.subarray(at * FRAME, (at + 1) * FRAME);
      const frame = new Uint8Array(PREFIX + slice.length);
      new DataView(frame.buffer).setUint32(0, frames - 1 - at, true);
      frame.set(slice, PREFIX);
      socket.send(frame);
    }
  }

  protected push(changed: { [key: string]: unknown }): void {
    if (!("state" in changed)) return;
    if (this.get("live") === true) this.send({ kind: "change", state: changed["state"] });
    else this.unsent = changed["state"] as Document;
  }

  private dial(): void {
    const socket = new WebSocket(this.address);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.parts = [];
    socket.onmessage = (event: MessageEvent<ArrayBuffer>) => this.take(event.data);
    socket.onclose = () => this.lost();
  }

  private lost(): void {
    if (this.get("live") === true) this.receive("live", false);
    const wait = WAITS[Math.min(this.tries++, WAITS.length - 1)];
    setTimeout(() => this.dial(), wait);
  }

  private take(data: ArrayBuffer): void {
    const left = new DataView(data).getUint32(0, true);
    this.parts.push(new Uint8Array(data, PREFIX));
    if (left > 0) return;
    // A packet in one frame is used where it lies: the prefix keeps it 8-aligned.
    const packet = this.parts.length === 1 ? (this.parts[0] as Uint8Array) : joined(this.parts);
    this.parts = [];
    const { message, buffers } = unpackMessage<Message>(packet);
    this.hear(message, buffers);
  }

  private hear(message: Message, buffers: Uint8Array[]): void {
    if (message.kind === "change") return this.receive("state", message.state ?? {});
    if (message.kind !== "open") return this.deliver(message, buffers);
    this.tries = 0;
    if (this.get("meta") === undefined) {
      this.receive("meta", message.meta);
      this.receive("first", buffers[0] ?? new Uint8Array());
    }
    this.receive("live", true);
    if (this.unsent) this.send({ kind: "change", state: this.unsent });
    else this.receive("state", message.state ?? {});
    this.unsent = null;
    this.opened();
  }
}

function joined(parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

async function main(): Promise<void> {
  const el = document.getElementById("wg-root");
  const module = el?.dataset["module"];
  if (!el || !module) throw new Error('The page has no element with id "wg-root" and data-module.');
  const address = new URL("./socket", document.baseURI);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  const model = new SocketModel(address.href);
  const view = import(new URL(module, document.baseURI).href) as Promise<{ default: AfmView }>;
  await model.start();
  await (await view).default.render({ model, el });
}

void main();
