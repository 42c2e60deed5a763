// The frame around one result: bar, rows to choose from, the answer; and the two layers above it.

import { html } from "htm/preact";
import type { ComponentChildren, VNode } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { Dialog } from "../../parts/dialog";
import { count } from "../../parts/format";
import { Icon, Mark } from "../../parts/icons";
import { hasUrl, writeShare } from "../../parts/state";
import { pythonOf } from "./python";
import type { Room } from "./room";
import { saveFile } from "../workbench/save";

const THEMED = new Set(["web", "html"]);

interface FrameProps {
  room: Room;
  /** What stands beside a row in the list: a word where something is amiss or notable. */
  mark: (at: number) => string;
  keys: readonly (readonly [string, string])[];
  children?: ComponentChildren;
}

export function Frame({ room, mark, keys, children }: FrameProps): VNode {
  const home = (e: MouseEvent): void => {
    const target = e.target as Element;
    if (!target.closest("button, input, select, textarea, a, [tabindex], dialog")) room.find("[data-keys]")?.focus({ preventScroll: true });
  };
  const several = room.rows.ids.length > 1;
  return html`<div class="result" onClick=${home}>
    <input class="vh" data-keys readonly aria-label=${`Keys of the view ${room.meta.title}; press ? for the list`} />
    <${TopBar} room=${room} />
    <main class=${several ? "pair" : "alone"}>
      ${several && html`<${List} room=${room} mark=${mark} />`}
      <section class="answer-of" aria-label="Answer">${room.rows.ids.length ? children : html`<p class="lead">There are no rows here, so there is nothing to show.</p>`}</section>
    </main>
    <div class=${room.toast.value ? "toast on" : "toast"} role="status" aria-live="polite">${room.toast.value}</div>
    ${room.dialog.value === "keys" && html`<${KeyMap} room=${room} keys=${keys} />`}
    ${room.dialog.value === "python" && html`<${Code} room=${room} />`}
  </div>` as VNode;
}

function TopBar({ room }: { room: Room }): VNode {
  const { meta, store, link } = room;
  const frozen = meta.frozen ? ` · report of ${meta.frozen.date}, works offline` : "";
  const button = (name: string, label: string, tip: string, press: () => void, off = false): unknown =>
    html`<button class="ib" data-tool=${name} aria-label=${label} data-tip=${tip} disabled=${off} onClick=${press}><${Icon} name=${name} /></button>`;
  const share = async (): Promise<void> => {
    history.replaceState(null, "", writeShare(store.state.peek()));
    await room.copy(location.href, "Link");
  };
  const theme = (): void => room.mounted.setTheme(room.theme.peek() === "dark" ? "light" : "dark");
  return html`<header class="top">
    <span class="brand"><${Mark} /><span>whyglass</span></span>
    <div class="ctx"><b>${meta.title}</b>${meta.subtitle && ` · ${meta.subtitle}`}${frozen}</div>
    <div class="tools" role="toolbar" aria-label="State">
      ${button("undo", "Undo (Ctrl+Z)", "Undo\nCtrl+Z", () => store.undo(), !store.canUndo.value)}
      ${button("redo", "Redo (Ctrl+Shift+Z)", "Redo\nCtrl+Shift+Z", () => store.redo(), !store.canRedo.value)}
      ${hasUrl(link.host) && button("share", "Copy a link to this exact state", "Copy a link to this state", () => void share())}
      ${room.live.value && meta.exports && button("save", "Save as one file (S)", "Save as one file\nS\nA report that works offline.", () => void saveFile(room))}
      ${button("code", "Copy this state as Python (C)", "Copy as Python\nC", () => (room.dialog.value = "python"))}
      ${THEMED.has(link.host) && button("theme", "Switch light and dark", "Light or dark", theme)}
      ${button("help", "Keyboard map (?)", "Keyboard map\n?", () => (room.dialog.value = "keys"))}
    </div>
  </header>` as VNode;
}

function List({ room, mark }: { room: Room; mark: (at: number) => string }): VNode {
  const { rows, words } = room;
  const box = useRef<HTMLDivElement>(null);
  const at = room.at.value;
  const detail = words.detailColumns();
  useLayoutEffect(() => {
    const list = box.current;
    const chosen = list?.querySelector<HTMLElement>("[aria-selected=true]");
    if (!list || !chosen) return;
    const [top, bottom] = [chosen.offsetTop, chosen.offsetTop + chosen.offsetHeight];
    if (top < list.scrollTop) list.scrollTop = top;
    else if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
  }, [at]);
  return html`<div class="list" ref=${box} role="listbox" tabindex="0" aria-label=${`Explained ${words.many}, ${count(rows.ids.length)}`} aria-activedescendant=${`row-${rows.ids[at]}`}>
    ${rows.ids.map((id, k) => {
      const own = rows.values[k] ?? [];
      const [first, second] = words.describe((j) => own[j] ?? NaN, detail);
      const p = rows.p[k];
      const word = mark(k);
      const tone = p === null || p === undefined || words.meta.decision === null ? "" : p >= words.meta.decision ? " up" : " down";
      return html`<div class="case" role="option" key=${id} id=${`row-${id}`} data-case=${id} aria-selected=${k === at ? "true" : "false"} onClick=${() => room.open(id)}>
        <span class="t">${first}</span><span class="d">${second}</span>
        <span class=${`p${tone}`}>${typeof p === "number" ? words.level(p) : `#${id}`}${word && html`<i>${word}</i>`}</span>
      </div>`;
    })}
  </div>` as VNode;
}

/** "Person #12", with the way to the next one. */
export function Crumb({ room, children }: { room: Room; children?: ComponentChildren }): VNode {
  const several = room.rows.ids.length > 1;
  return html`<div class="crumb">
    ${several && html`<button class="ib" data-prev aria-label="Previous case (K)" data-tip="Previous case\nK" onClick=${() => room.move(-1)}><${Icon} name="prev" /></button>
      <button class="ib" data-next aria-label="Next case (J)" data-tip="Next case\nJ" onClick=${() => room.move(1)}><${Icon} name="next" /></button>`}
    <span>Case <b>#${room.id.value}</b></span>${children}
  </div>` as VNode;
}

/** What needs Python, where none is. */
export function NeedsPython({ room, what }: { room: Room; what: string }): VNode | null {
  if (room.asks) return null;
  const why = room.meta.can_ask ? "Python is away" : room.meta.frozen ? "this is a saved report" : "the model is not here";
  return html`<p class="cap" data-needs-python>${what} needs the model in Python; ${why}, so what is shown stands as it was worked out.</p>` as VNode;
}

function KeyMap({ room, keys }: { room: Room; keys: readonly (readonly [string, string])[] }): VNode {
  const close = (): void => void (room.dialog.value = "");
  const every = [["J / K", "next, previous case"], ["\u2191 \u2193", "the same, in the list"], ...keys, ["C", "copy as Python"], ["S", "save as one file"], ["Ctrl Z", "undo, with Shift redo"], ["?", "this map"]];
  return html`<${Dialog} label="Keyboard map" onClose=${close}>
    <h2>Keyboard</h2>
    <table><tbody>${every.map(([key, does]) => html`<tr><td class="key"><kbd>${key}</kbd></td><td>${does}</td></tr>`)}</tbody></table>
    <div class="ends"><button class="btn" onClick=${close}>Close</button></div>
  <//>` as VNode;
}

function Code({ room }: { room: Room }): VNode {
  const close = (): void => void (room.dialog.value = "");
  const code = pythonOf(room);
  return html`<${Dialog} label="Copy as Python" onClose=${close}>
    <h2>This state as Python</h2>
    <pre tabindex="0" aria-label="Python code">${code}</pre>
    <div class="ends">
      <button class="btn" onClick=${close}>Close</button>
      <button class="btn pri" data-copy onClick=${() => { close(); void room.copy(code, "Python"); }}>Copy</button>
    </div>
  <//>` as VNode;
}
