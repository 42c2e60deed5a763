// The static bridge: a page opened from disk, nobody behind it. One classic script holds the view and this (build.mjs says
// how they are joined); before it the page has
//   <div id="wg-root"></div>
//   <script type="application/octet-stream" id="wg-payload">packed</script>
// and a loader that unpacks it: core/container.py's pack_message({kind: "open", meta, state}, [container of the first tables]).
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

/** Given by the page's loader (hosts/html.py): the payload, decoded and decompressed. */
declare const __whyglass_payload: () => Promise<ArrayBuffer>;

async function open(view: AfmView): Promise<void> {
  const el = document.getElementById("wg-root");
  if (!el) throw new Error('The page has no element with id "wg-root".');
  try {
    const { message, buffers } = unpackMessage<{ meta: unknown; state?: Document }>(new Uint8Array(await __whyglass_payload()));
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
