// What a fact is, and the plainest way to change it: a native select for categories, a field for numbers.

import { html } from "htm/preact";
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { useDesk } from "./desk";

export function ValueControl({ column, value }: { column: number; value: number }): VNode {
  const desk = useDesk();
  const { words } = desk;
  if (!desk.answers.canEdit.value) return html`<span class="vv">${words.value(column, value)}</span>` as VNode;
  return (
    desk.meta.columns[column].kind === "categorical"
      ? html`<${CategoryControl} column=${column} value=${value} />`
      : html`<${NumberControl} column=${column} value=${value} />`
  ) as VNode;
}

const MISSING = "missing";

/** Whether the model has an answer when the value is missing. */
function missingAllowed(desk: ReturnType<typeof useDesk>, column: number, value: number): boolean {
  if (Number.isNaN(value)) return true;
  const curve = desk.answers.curves.value?.value.get(column);
  return curve ? Number.isFinite(curve.missing) : false;
}

function CategoryControl({ column, value }: { column: number; value: number }): VNode {
  const desk = useDesk();
  const { words, meta } = desk;
  const { categories } = meta.columns[column];
  const now = Number.isNaN(value) ? MISSING : String(value);
  const odd = value < 0 || value >= categories.length;
  const change = (e: Event): void => {
    const given = (e.currentTarget as HTMLSelectElement).value;
    desk.edit(column, given === MISSING ? NaN : Number(given));
  };
  return html`<span class="vv"
    ><select aria-label=${words.title(column)} data-value=${now} value=${now} onChange=${change}>
      ${odd && html`<option value=${String(value)} selected=${true}>${words.value(column, value)}</option>`}
      ${categories.map((name, code) => html`<option value=${String(code)} selected=${code === value}>${name}</option>`)}
      ${missingAllowed(desk, column, value) && html`<option value=${MISSING} selected=${Number.isNaN(value)}>missing</option>`}
    </select></span
  >` as VNode;
}

function NumberControl({ column, value }: { column: number; value: number }): VNode {
  const desk = useDesk();
  const { words } = desk;
  const [draft, setDraft] = useState<string | null>(null);
  const written = words.value(column, value);
  const commit = (): void => {
    if (draft === null) return;
    const text = draft.trim().replace(/\u2212/g, "-").replace(/,/g, "");
    setDraft(null);
    if (text === "" || text.toLowerCase() === MISSING) {
      if (text && missingAllowed(desk, column, value)) desk.edit(column, NaN);
      return;
    }
    const number = Number(text.replace(/^[^0-9.+-]+|[^0-9.]+$/g, ""));
    if (Number.isFinite(number)) desk.edit(column, number);
    else desk.say(`\u201c${draft}\u201d is not a number. Type a number or \u201cmissing\u201d.`);
  };
  const start = (e: Event): void => {
    setDraft(Number.isNaN(value) ? "" : String(value));
    const input = e.currentTarget as HTMLInputElement;
    requestAnimationFrame(() => input.select());
  };
  return html`<span class="vv"
    ><input
      class="num"
      type="text"
      inputmode="decimal"
      size=${Math.max(2, (draft ?? written).length)}
      aria-label=${`${words.title(column)}: type a number${missingAllowed(desk, column, value) ? " or \u201cmissing\u201d" : ""}`}
      value=${draft ?? written}
      onFocus=${start}
      onInput=${(e: Event) => setDraft((e.currentTarget as HTMLInputElement).value)}
      onChange=${commit}
      onBlur=${commit}
  /></span>` as VNode;
}
