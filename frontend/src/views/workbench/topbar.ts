// The bar above everything: what is looked at, and the tools that act on the whole state.

import { html } from "htm/preact";
import type { VNode } from "preact";
import { Icon, Mark } from "../../parts/icons";
import { useDesk } from "./desk";
import { canSave, saveFile } from "./save";

const THEMED = new Set(["web", "html"]);

export function TopBar(): VNode {
  const desk = useDesk();
  const { meta, store } = desk;
  const frozen = meta.frozen ? ` · report of ${meta.frozen.date}, ${meta.frozen.note}, works offline` : "";
  const button = (name: string, label: string, tip: string, press: () => void, off = false): unknown => html`<button
    class="ib"
    data-tool=${name}
    aria-label=${label}
    data-tip=${tip}
    disabled=${off}
    onClick=${press}
  >
    <${Icon} name=${name} />
  </button>`;
  const theme = (): void => desk.mounted.setTheme(desk.theme.peek() === "dark" ? "light" : "dark");
  return html`<header class="top">
    <span class="brand"><${Mark} /><span>whyglass</span></span>
    <div class="ctx"><b>${meta.title}</b>${meta.subtitle && ` · ${meta.subtitle}`}${frozen}</div>
    <div class="tools" role="toolbar" aria-label="State">
      ${button("undo", "Undo (Ctrl+Z)", "Undo\nCtrl+Z", () => store.undo(), !store.canUndo.value)}
      ${button("redo", "Redo (Ctrl+Shift+Z)", "Redo\nCtrl+Shift+Z", () => store.redo(), !store.canRedo.value)}
      ${desk.canShare && button("share", "Copy a link to this exact state", "Copy a link to this state\nCase, edits and filters are in it.", () => void desk.share())}
      ${canSave(desk) && button("save", "Save as one file (S)", "Save as one file\nS\nA report that works offline.", () => void saveFile(desk))}
      ${button("code", "Copy this state as Python (C)", "Copy as Python\nC", () => (desk.dialog.value = "python"))}
      ${THEMED.has(desk.link.host) && button("theme", "Switch light and dark", "Light or dark", theme)}
      ${button("help", "Keyboard map (?)", "Keyboard map\n?", () => (desk.dialog.value = "keys"))}
    </div>
  </header>` as VNode;
}
