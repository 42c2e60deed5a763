// The static bridge: a page opened from disk, nobody behind it. One classic script holds the view and this (build.mjs says
// how they are joined); before it the page has
//   <div id="wg-root"></div>
//   <script type="application/octet-stream" id="wg-payload">base64</script>
// The payload is gzip of core/container.py's pack_message({kind: "open", meta, state}, [container of the first tables]).
// Nothing is fetched.

import { type AfmView, LocalModel } from "../parts/model";
import { unpackMessage } from "./message";
import type { Document } from "../parts/types";

declare const __whyglass_view: { default: AfmView };

/** State stays in the page; calls are answered by nobody (Connection.call says so at once). */
class FrozenModel extends LocalModel {
  send(): void {}
  protected push(): void {}
}

async function payload(): Promise<Uint8Array> {
  const text = atob((document.getElementById("wg-payload")?.textContent ?? "").trim());
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function open(view: AfmView): Promise<void> {
  const el = document.getElementById("wg-root");
  if (!el) throw new Error('The page has no element with id "wg-root".');
  try {
    const { message, buffers } = unpackMessage<{ meta: unknown; state?: Document }>(await payload());
    const model = new FrozenModel();
    model.receive("live", false);
    model.receive("meta", message.meta);
    model.receive("state", message.state ?? {});
    model.receive("first", buffers[0] ?? new Uint8Array());
    await view.render({ model, el });
  } catch (error) {
    el.append("This report is damaged or was cut off. Ask for it again. ", String(error));
    throw error;
  }
}

void open(__whyglass_view.default);
