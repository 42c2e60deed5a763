// The list of cases: any number of rows, about forty of them in the page.

import { html } from "htm/preact";
import type { VNode } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { count } from "../../parts/format";
import { watchSize } from "../../parts/frame";
import { inSight, offsets, reveal, stretch } from "../../parts/window";
import { type Desk, useDesk } from "./desk";
import { Ruler } from "./words";

const PAD = 14;
const LINE = 18;
const DETAIL = 16;
/** Width of the word that marks a training row. */
const SPLIT_MARK = 38;

export function CaseList(): VNode {
  const desk = useDesk();
  const box = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState<[number, number]>([300, 400]);
  const [top, setTop] = useState(0);
  const rows = desk.rows.shown.value;
  const { case: selected, filter, query, sort, selection } = desk.store.state.value;
  const asked = `${filter} ${query} ${sort} ${selection?.length ?? ""}`;
  const detail = useMemo(() => desk.words.detailColumns(), [desk]);
  const ruler = useMemo(() => new Rulers(desk.root), [desk]);
  const starts = useMemo(() => heights(desk, rows, detail, size[0] - 47, ruler), [rows, size[0], desk.rows.loaded.value]);
  const { height, scale } = stretch(starts[rows.length] ?? 0);
  const at = rows.indexOf(desk.answers.caseRow.value);

  useEffect(() => (box.current ? watchSize(box.current, (w, h) => setSize([w, h])) : undefined), []);
  const settled = useRef(false);
  useLayoutEffect(() => {
    const el = box.current;
    if (!el || at < 0 || size[1] === 0) return;
    const view = el.scrollTop * scale;
    const middle = starts[at] - el.clientHeight / 2 + 24;
    const to = settled.current ? reveal(starts, at, view, el.clientHeight) : Math.max(0, middle);
    settled.current = true;
    if (Math.abs(to - view) > 0.5) el.scrollTop = to / scale;
    // Not when more rows arrive: a reader who scrolled away stays there.
  }, [selected, at < 0, asked, size[0], size[1]]);

  const [from, until] = inSight(starts, top * scale, size[1]);
  const shift = top * scale - top;
  const options = [];
  for (let k = from; k < until; k += 1) {
    options.push(html`<${Option} key=${rows[k]} row=${rows[k]} y=${starts[k] - shift} height=${starts[k + 1] - starts[k]} index=${k} count=${rows.length} detail=${detail} />`);
  }
  return html`<div
    class="list"
    ref=${box}
    role="listbox"
    aria-label=${`Cases, ${count(rows.length)} shown`}
    aria-activedescendant=${at >= from && at < until ? `case-${selected}` : undefined}
    tabindex="0"
    onScroll=${() => setTop(box.current?.scrollTop ?? 0)}
  >
    ${rows.length ? html`<div class="list-all" role="presentation" style=${{ height: `${height}px` }}>${options}</div>` : html`<${Nothing} />`}
  </div>` as VNode;
}

class Rulers {
  readonly title: Ruler;
  readonly detail: Ruler;
  readonly level: Ruler;

  constructor(root: HTMLElement) {
    const family = getComputedStyle(root).fontFamily || "sans-serif";
    this.title = new Ruler(root, `400 13.5px ${family}`);
    this.detail = new Ruler(root, `400 11.5px ${family}`);
    this.level = new Ruler(root, `650 15px ${family}`);
  }
}

function heights(desk: Desk, rows: Int32Array, detail: number[], room: number, ruler: Rulers): Float64Array {
  const known = new Map<string, number>();
  const { judged } = desk.rows;
  const lines = (which: "title" | "detail", text: string, left: number): number => {
    const key = `${which}${left}${text}`;
    let n = known.get(key);
    if (n === undefined) {
      n = ruler[which].lines(text, Math.max(60, left));
      known.set(key, n);
    }
    return n;
  };
  return offsets(rows.length, (k) => {
    const [first, second] = desk.rows.describe(rows[k], detail);
    const left = room - Math.ceil(ruler.level.width(desk.words.level(judged.value.p[rows[k]])));
    const mark = desk.rows.heldOut(rows[k]) ? 0 : SPLIT_MARK;
    return PAD + LINE * lines("title", first, left) + (second || mark ? DETAIL * lines("detail", second, left - mark) : 0);
  });
}

interface OptionProps {
  row: number;
  y: number;
  height: number;
  index: number;
  count: number;
  detail: number[];
}

function Option({ row, y, height, index, count: all, detail }: OptionProps): VNode {
  const desk = useDesk();
  const id = desk.rows.id(row);
  const judged = desk.rows.judged.value;
  const p = judged.p[row];
  const [first, second] = desk.rows.describe(row, detail);
  const selected = desk.store.state.value.case === id;
  const wrong = judged.wrong[row] === 1;
  const split = desk.rows.heldOut(row) ? "" : desk.meta.splits[0];
  const tone = p >= judged.line ? "up" : "down";
  return html`<div
    class="case"
    role="option"
    id=${`case-${id}`}
    data-case=${id}
    aria-selected=${selected ? "true" : "false"}
    aria-setsize=${all}
    aria-posinset=${index + 1}
    style=${{ transform: `translateY(${y}px)`, height: `${height}px` }}
    onClick=${() => desk.open(id)}
  >
    <span class="t">${first}</span>
    <span class="d">${second}${split && html`<i class="split">${split}</i>`}</span>
    <span class=${`p ${tone}`}>${desk.words.level(p)}${wrong && html`<i>${judged.regression ? "far off" : "wrong"}</i>`}</span>
  </div>` as VNode;
}

/** Why nothing is shown, reason by reason, and the way out. */
function Nothing(): VNode {
  const desk = useDesk();
  const { filter, query, selection, brush } = desk.store.state.value;
  if (!desk.rows.total) {
    return html`<div class="msg"><b>There are no cases here.</b><p>The table that was given has no rows. Show another one.</p></div>` as VNode;
  }
  const reasons: string[] = [];
  const chip = desk.rows.chips.value.find((c) => c.name === filter);
  if (filter !== "all") reasons.push(`filter \u201c${chip?.label ?? filter}\u201d`);
  if (query.trim()) reasons.push(`search \u201c${query.trim()}\u201d`);
  if (selection) reasons.push(brush ? "brush on the map" : `selection of ${desk.words.people(selection.length)}`);
  const text = reasons.join(", ");
  const waiting = desk.rows.loaded.value < desk.rows.total;
  const clear = reasons.length === 1 ? "Clear it" : reasons.length === 2 ? "Clear both" : "Clear all three";
  return html`<div class="msg" role="status">
    <b>No case fits ${reasons.length > 1 ? "all of this" : "this"}.</b>
    <p>${text.charAt(0).toUpperCase() + text.slice(1)}.${waiting ? " Not all cases have arrived yet." : ""}</p>
    <button class="btn" onClick=${() => desk.clearAll()}>${clear}</button>
  </div>` as VNode;
}
