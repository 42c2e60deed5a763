// The two floating layers: the code of this state, and the map of keys. And the toast.

import { html } from "htm/preact";
import type { VNode } from "preact";
import { Dialog } from "../../parts/dialog";
import { useDesk, type Desk } from "./desk";
import { pythonFor } from "./python";

const KEYS: readonly (readonly [string, string])[] = [
  ["J / K", "next, previous case"],
  ["/", "search cases"],
  ["1 2 3", "one case, all cases, map"],
  ["E", "edit: focus the first what-if control"],
  ["\u2190 \u2192", "change the focused control by one step; move on the map and between pairs"],
  ["R", "reset the what-if"],
  ["F", "try the smallest change that flips it, where the model can be asked"],
  ["L", "locks: hold a fact or let it go one way; \u2190 \u2192 from one to the next, Space presses"],
  ["P", "pin this case to compare"],
  ["C", "copy as Python"],
  ["S", "save as one file"],
  ["Ctrl Z", "undo, with Shift redo"],
  ["Esc", "clear the brush, close"],
  ["?", "this map"],
];

export function Dialogs(): VNode | null {
  const desk = useDesk();
  const close = (): void => {
    desk.dialog.value = "";
  };
  const open = desk.dialog.value;
  if (open === "keys") return html`<${KeyMap} onClose=${close} />` as VNode;
  if (open === "python") return html`<${PythonCode} onClose=${close} />` as VNode;
  return null;
}

function KeyMap({ onClose }: { onClose: () => void }): VNode {
  return html`<${Dialog} label="Keyboard map" onClose=${onClose}>
    <h2>Keyboard</h2>
    <table>
      <tbody>
        ${KEYS.map(([key, does]) => html`<tr><td class="key"><kbd>${key}</kbd></td><td>${does}</td></tr>`)}
      </tbody>
    </table>
    <div class="ends"><button class="btn" onClick=${onClose}>Close</button></div>
  <//>` as VNode;
}

export function codeOf(desk: Desk): string {
  const { answers, meta, words } = desk;
  return pythonFor({
    meta,
    state: desk.store.state.peek(),
    row: answers.original.peek(),
    raw: (j, v) => {
      if (Number.isNaN(v)) return null;
      const column = meta.columns[j];
      return column.kind === "categorical" ? (column.values?.[v] ?? column.categories[v] ?? null) : v;
    },
    level: (v) => words.level(v),
    prediction: answers.prediction.peek()?.value ?? NaN,
  });
}

function PythonCode({ onClose }: { onClose: () => void }): VNode {
  const desk = useDesk();
  const code = codeOf(desk);
  return html`<${Dialog} label="Copy as Python" onClose=${onClose}>
    <h2>This state as Python</h2>
    <pre tabindex="0" aria-label="Python code">${code}</pre>
    <div class="ends">
      <button class="btn" onClick=${onClose}>Close</button>
      <button class="btn pri" data-copy onClick=${() => { onClose(); void desk.copy(code, "Python"); }}>Copy</button>
    </div>
  <//>` as VNode;
}

export function Toast(): VNode {
  const desk = useDesk();
  const text = desk.toast.value;
  return html`<div class=${text ? "toast on" : "toast"} role="status" aria-live="polite">${text}</div>` as VNode;
}
