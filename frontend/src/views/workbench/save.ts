// The view as one file: Python writes the report, this page hands it to the browser's downloads.

import type { Desk } from "./desk";

/** Whether somebody is there who writes it. */
export function canSave(desk: Desk): boolean {
  return desk.link.live && desk.meta.exports === true;
}

export async function saveFile(desk: Desk): Promise<void> {
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
