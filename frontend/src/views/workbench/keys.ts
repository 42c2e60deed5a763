// The keys of the workbench. Some hosts act on arrows and letters in the capture phase of the document (Notebook 7 does),
// so the view listens one step earlier, on the window, and only to keys that are pressed inside its own root. Where the page
// holds nothing but the view, keys pressed with no focus at all are the view's too.

import type { Desk } from "./desk";
import { applySmallest } from "./flips";
import { movePair } from "./heatmap";
import { besideLock } from "./locks";
import { walk } from "./mapview";
import { stepControl } from "./control";
import { saveFile } from "./save";

const ARROWS: { [key: string]: readonly [number, number] } = {
  ArrowRight: [1, 0],
  ArrowLeft: [-1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};
const NAVIGATION = new Set([...Object.keys(ARROWS), "Home", "End", "PageUp", "PageDown", "Enter", " ", "Escape", "Delete", "Backspace"]);

const typing = (target: Element): boolean =>
  target.matches("input:not([type=range]):not([data-keys]), textarea, select, [contenteditable=true]");

const OWN_PAGE = new Set(["web", "html"]);

export function listenKeys(desk: Desk): () => void {
  const ownPage = OWN_PAGE.has(desk.link.host);
  const onKey = (event: KeyboardEvent): void => {
    const path = event.composedPath();
    if (!path.includes(desk.root) && !(ownPage && path[0] === document.body)) return;
    const target = path[0];
    if (!(target instanceof Element)) return;
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    const undo = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
    // A host must never act on what is typed or pressed here.
    if (undo || (plain && (event.key.length === 1 || NAVIGATION.has(event.key)))) event.stopPropagation();
    if (desk.dialog.peek()) {
      if (event.key === "Escape") desk.dialog.value = "";
      return;
    }
    const used = typing(target) ? typed(desk, event, target) : pressed(desk, event, target, plain, undo);
    if (used) event.preventDefault();
  };
  const swallow = (event: KeyboardEvent): void => {
    if (event.composedPath().includes(desk.root) && !event.ctrlKey && !event.metaKey) event.stopPropagation();
  };
  window.addEventListener("keydown", onKey, true);
  window.addEventListener("keypress", swallow, true);
  return () => {
    window.removeEventListener("keydown", onKey, true);
    window.removeEventListener("keypress", swallow, true);
  };
}

function typed(desk: Desk, event: KeyboardEvent, target: Element): boolean {
  if (event.key === "Enter" && target instanceof HTMLInputElement) {
    target.dispatchEvent(new Event("change", { bubbles: true }));
    if (target.matches("[data-search]")) desk.find(".list")?.focus();
    return true;
  }
  if (event.key !== "Escape") return false;
  (target as HTMLElement).blur();
  desk.find("[data-keys]")?.focus({ preventScroll: true });
  return true;
}

function pressed(desk: Desk, event: KeyboardEvent, target: Element, plain: boolean, undo: boolean): boolean {
  if (undo) {
    if (event.shiftKey) desk.store.redo();
    else desk.store.undo();
    return true;
  }
  if (!plain) return false;
  return onPart(desk, event.key, target) || onView(desk, event.key);
}

/** Keys that mean something where the focus is. */
function onPart(desk: Desk, key: string, target: Element): boolean {
  const control = target.getAttribute("data-control");
  if (control !== null && NAVIGATION.has(key)) return stepControl(desk, Number(control), key);
  const arrow = ARROWS[key];
  if (target.hasAttribute("data-map") && arrow) {
    walk(desk, ...(arrow as [number, number]));
    return true;
  }
  if (target.matches(".list")) return inList(desk, key);
  if (target.matches("[role=tab]") && (key === "ArrowRight" || key === "ArrowLeft")) return otherTab(desk);
  if (target.hasAttribute("data-pair")) return movePair(desk, target, key);
  if (target.matches("[data-lock], [data-way]") && (key === "ArrowRight" || key === "ArrowLeft")) return besideLock(target, key === "ArrowRight");
  if (target.matches("[data-fact]") && (key === "ArrowDown" || key === "ArrowUp")) return otherFact(target, key === "ArrowDown");
  return false;
}

function inList(desk: Desk, key: string): boolean {
  const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8, Home: -1e9, End: 1e9 }[key];
  if (by === undefined) return false;
  desk.move(by);
  return true;
}

function otherTab(desk: Desk): boolean {
  const tab = desk.store.state.peek().tab === "case" ? "all" : "case";
  desk.store.set({ tab });
  requestAnimationFrame(() => desk.find(`[data-tab=${tab}]`)?.focus());
  return true;
}

function otherFact(target: Element, down: boolean): boolean {
  const next = down ? target.nextElementSibling : target.previousElementSibling;
  if (!(next instanceof HTMLElement) || !next.matches("[data-fact]")) return false;
  next.focus();
  next.click();
  return true;
}

/** Keys that mean the same everywhere in the view. */
function onView(desk: Desk, key: string): boolean {
  const actions: { [key: string]: () => void } = {
    j: () => desk.move(1),
    k: () => desk.move(-1),
    "/": () => desk.find("[data-search]")?.focus(),
    "1": () => desk.store.set({ tab: "case" }),
    "2": () => desk.store.set({ tab: "all" }),
    "3": () => desk.find("[data-map]")?.focus(),
    e: () => focusFirst(desk),
    r: () => desk.reset(),
    f: () => applySmallest(desk),
    l: () => desk.find("[data-lock]")?.focus(),
    p: () => desk.pin(),
    c: () => (desk.dialog.value = "python"),
    s: () => void saveFile(desk),
    "?": () => (desk.dialog.value = "keys"),
    Escape: () => desk.clearSelection(),
  };
  const action = actions[key.length === 1 ? key.toLowerCase() : key];
  if (!action) return false;
  action();
  return true;
}

function focusFirst(desk: Desk): void {
  desk.store.set({ tab: "case" });
  requestAnimationFrame(() => desk.find("[data-control]")?.focus());
}
