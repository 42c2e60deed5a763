// The keys of a result's view; heard on the window, before hosts that act on letters and arrows themselves.

import { besideLock } from "../workbench/locks";
import { saveFile } from "../workbench/save";
import type { Room } from "./room";

const typing = (target: Element): boolean => target.matches("input:not([type=range]):not([type=checkbox]):not([data-keys]), textarea, select");
const STEPS: { [key: string]: number } = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8, Home: -1e9, End: 1e9 };

/** `own` are the keys of this view alone. */
export function listenKeys(room: Room, own: { [key: string]: () => void }): () => void {
  const { root } = room.mounted;
  const ownPage = room.link.host === "web" || room.link.host === "html";
  const every: { [key: string]: () => void } = {
    j: () => room.move(1),
    k: () => room.move(-1),
    c: () => (room.dialog.value = "python"),
    s: () => void saveFile(room),
    "?": () => (room.dialog.value = "keys"),
    ...own,
  };
  const onKey = (event: KeyboardEvent): void => {
    const path = event.composedPath();
    if (!path.includes(root) && !(ownPage && path[0] === document.body)) return;
    const target = path[0];
    if (!(target instanceof Element)) return;
    const command = event.ctrlKey || event.metaKey;
    const undo = command && event.key.toLowerCase() === "z";
    if (undo || (!command && !event.altKey && event.key !== "Tab")) event.stopPropagation();
    if (room.dialog.peek()) {
      if (event.key === "Escape") room.dialog.value = "";
      return;
    }
    if (undo) {
      if (event.shiftKey) room.store.redo();
      else room.store.undo();
      return event.preventDefault();
    }
    if (command || event.altKey || typing(target)) return;
    const locks = target.matches("[data-lock], [data-way]");
    if (locks && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
      besideLock(target, event.key === "ArrowRight");
      return event.preventDefault();
    }
    const step = target.matches(".list") ? STEPS[event.key] : undefined;
    const act = step !== undefined ? () => room.move(step) : every[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    act();
    event.preventDefault();
  };
  const swallow = (event: KeyboardEvent): void => {
    if (event.composedPath().includes(root) && !event.ctrlKey && !event.metaKey) event.stopPropagation();
  };
  window.addEventListener("keydown", onKey, true);
  window.addEventListener("keypress", swallow, true);
  return () => {
    window.removeEventListener("keydown", onKey, true);
    window.removeEventListener("keypress", swallow, true);
  };
}
