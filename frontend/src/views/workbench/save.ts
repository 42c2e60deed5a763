// The view as one file: Python writes the report, this page hands it to the browser's downloads.

import type { Connection } from "../../parts/connection";

/** What of a view is needed: its connection, and a way to say how it went. */
interface Savable {
  readonly link: Pick<Connection, "live" | "call"> & { readonly meta: { readonly exports?: boolean } };
  say(text: string): void;
}

/** Whether somebody is there who writes it. */
export function canSave(desk: Savable): boolean {
  return desk.link.live && desk.link.meta.exports === true;
}

export async function saveFile(desk: Savable): Promise<void> {
  if (!canSave(desk)) return;
  desk.say("Writing the report\u2026");
  try {
    const { value, buffers } = await desk.link.call<{ name: string }>("export");
    const address = URL.createObjectURL(new Blob([buffers[0] as Uint8Array<ArrayBuffer>], { type: "text/html" }));
    const link = document.createElement("a");
    link.href = address;
    link.download = value.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
    desk.say(`Saved as ${value.name}: one file, works offline.`);
  } catch (error) {
    if (error instanceof Error && error.name !== "AbortError") desk.say(error.message);
  }
}
