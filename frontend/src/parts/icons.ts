/** Line icons, 17 px, in the colour of the text around them. */
import { html } from "htm/preact";
import type { VNode } from "preact";

const PATHS: { [name: string]: readonly string[] } = {
  undo: ["M6 5 2.5 8.5 6 12M3 8.5h7a3.5 3.5 0 0 1 0 7H8"],
  redo: ["m11 5 3.5 3.5L11 12m3-3.5H7a3.5 3.5 0 0 0 0 7h2"],
  share: ["M8.5 2v9M5 5l3.5-3.5L12 5M3 9.5V14a1 1 0 0 0 1 1h9a1 1 0 0 0 1-1V9.5"],
  code: ["m6 4.5-4 4 4 4m5-8 4 4-4 4"],
  save: ["M8.5 2v8.5M5 7.5l3.5 3.5L12 7.5M3 12v2a1 1 0 0 0 1 1h9a1 1 0 0 0 1-1v-2"],
  help: ["M2.5 8.5a6 6 0 1 0 12 0a6 6 0 1 0-12 0", "M6.8 6.8a1.8 1.8 0 1 1 2.4 1.8c-.5.2-.7.5-.7 1.1m0 2v.1"],
  pin: ["M6 2.5h5M7 2.5v4L4.5 9.5h8L10 6.5v-4M8.5 9.5V15"],
  prev: ["M10.5 4 6 8.5l4.5 4.5"],
  next: ["M6.5 4 11 8.5 6.5 13"],
  warn: ["M8.5 2.5 15 14H2zM8.5 7v3m0 2v.1"],
  lock: ["M4 8h9v6.5H4zM6 8V5.5a2.5 2.5 0 0 1 5 0V8"],
  unlock: ["M4 8h9v6.5H4zM6 8V5.5a2.5 2.5 0 0 1 4.9-.7"],
  close: ["m4.5 4.5 8 8m0-8-8 8"],
};

export function Icon({ name }: { name: string }): VNode {
  const paths = PATHS[name];
  const body = paths
    ? paths.map((d) => html`<path d=${d} />`)
    : html`<circle cx="8.5" cy="8.5" r="5.5" /><path d="M8.5 3a5.5 5.5 0 0 1 0 11z" fill="currentColor" />`;
  return html`<svg
    width="17"
    height="17"
    viewBox="0 0 17 17"
    fill="none"
    stroke="currentColor"
    stroke-width="1.5"
    stroke-linecap="round"
    stroke-linejoin="round"
    aria-hidden="true"
  >
    ${body}
  </svg>` as VNode;
}

/** The mark: a lens over a line that rises. */
export function Mark(): VNode {
  return html`<svg width="22" height="22" viewBox="0 0 22 22" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" aria-hidden="true">
    <circle cx="9" cy="9" r="6.5" />
    <path d="m14 14 5.5 5.5" />
    <path d="M6 10.5 8 8l2 1.8L12 7" stroke-width="1.6" stroke="var(--wg-up)" />
  </svg>` as VNode;
}
