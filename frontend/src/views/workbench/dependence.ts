// One fact in full: its value across, its push upwards, one dot a case, mean and interval in black, shaded by the fact that
// changes its effect most.

import { html } from "htm/preact";
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { axisOf, place } from "../../parts/curve";
import { count } from "../../parts/format";
import { meanOf, quantile } from "../../parts/stats";
import { type Desk, useDesk } from "./desk";
import { ticksBetween } from "./layout";
import { Read } from "./reading";
import { partnerOf, shades, ShadeWords } from "./shade";
import { dotTip, pushTick } from "./swarm";
import { useWidth } from "./width";
import type { World } from "./world";

const MOST_DOTS = 2000;
const MOST_CATEGORIES = 16;
const LETTER = 6.6;
const LINE = 14;

interface Dot {
  readonly i: number;
  readonly x: number;
  readonly y: number;
}

interface Mark {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
  readonly x: number;
  readonly y: number;
}

interface Drawing {
  readonly height: number;
  readonly dots: readonly Dot[];
  readonly marks: readonly Mark[];
  /** The line through the means, empty for categories. */
  readonly line: string;
  readonly lines: readonly { d: string; zero: boolean }[];
  readonly texts: readonly { x: number; y: number; text: string; anchor: string; strong: boolean }[];
  readonly left: number;
  /** Categories that are not drawn. */
  readonly dropped?: number;
}

export function Dependence({ world, column }: { world: World; column: number }): VNode {
  const desk = useDesk();
  const { words, meta } = desk;
  const [ref, width] = useWidth(400);
  const chosen = desk.store.state.value.partner;
  const partner = useMemo(() => partnerOf(desk, world, column, chosen), [world, column, chosen, desk.pairs.large.value]);
  const drawing = useMemo(
    () => (meta.columns[column].kind === "categorical" ? strips(desk, world, column, width) : scatter(desk, world, column, width)),
    [world, column, width],
  );
  const shade = useMemo(() => (partner ? shades(world, column, partner.column) : null), [world, column, partner?.column]);
  const colour = (i: number): string => {
    const t = shade ? shade[i] : -1;
    if (shade) return t < 0 ? "var(--wg-ghost)" : `var(--wg-v${t})`;
    return world.pushes(column)[i] >= 0 ? "var(--wg-up)" : "var(--wg-down)";
  };
  const near = (e: MouseEvent): number => {
    const box = (e.currentTarget as Element).getBoundingClientRect();
    let best = -1;
    let least = 64;
    for (const dot of drawing.dots) {
      const q = (dot.x - e.clientX + box.left) ** 2 + (dot.y - e.clientY + box.top) ** 2;
      if (q < least) [best, least] = [dot.i, q];
    }
    return best;
  };
  const hover = (e: MouseEvent): void => {
    const i = near(e);
    if (i < 0) desk.tips?.hide();
    else desk.tips?.show(dotTip(desk, world, column, i), e.clientX, e.clientY);
  };
  const press = (e: MouseEvent): void => {
    const i = near(e);
    if (i >= 0) desk.open(world.ids[i]);
  };
  const name = words.name(column);
  const unit = words.regression ? "Amount added" : "Points added";
  return html`<section class="gpart" ref=${ref} data-dependence=${meta.columns[column].name}>
    <h2>${words.title(column)}: value and push <${Read} part="dependence" /></h2>
    <p class="cap">${unit} to ${words.what}, one dot a ${words.one}; marks with whiskers: mean and 95% interval. Press a dot to open its case.</p>
    <svg
      width=${width}
      height=${drawing.height}
      role="img"
      aria-label=${`Push of ${name} against its value, for ${count(world.ids.length)} ${words.many}`}
      onMouseMove=${hover}
      onMouseLeave=${() => desk.tips?.hide()}
      onClick=${press}
    >
      ${drawing.lines.map((l) => html`<path d=${l.d} class=${l.zero ? "line zero" : "line"} />`)}
      ${drawing.dots.map((dot) => html`<circle cx=${dot.x.toFixed(1)} cy=${dot.y.toFixed(1)} r="1.9" fill=${colour(dot.i)} opacity=${shade ? 0.75 : 0.36} />`)}
      ${drawing.line && html`<path d=${drawing.line} class="mean" />`}
      ${drawing.marks.map((m) => html`<path d=${`M${m.x0} ${m.y0}L${m.x1} ${m.y1}`} class="mean wide" /><circle cx=${m.x} cy=${m.y} r="3.4" class="point ring" />`)}
      ${drawing.texts.map((t) => html`<text x=${t.x} y=${t.y} text-anchor=${t.anchor} class=${t.strong ? "strong" : ""}>${t.text}</text>`)}
    </svg>
    ${drawing.dropped ? html`<p class="cap">The ${MOST_CATEGORIES} most frequent of ${count(MOST_CATEGORIES + drawing.dropped)} values.</p>` : ""}
    ${partner && html`<p class="cap" data-partner=${meta.columns[partner.column].name}><${ShadeWords} world=${world} column=${column} partner=${partner} /></p>`}
    <p class="cap">Association in this model, not cause and effect: changing ${name} in life need not change the outcome.</p>
  </section>` as VNode;
}

function pushRange(push: Float64Array): [number, number] {
  const sorted = Float64Array.from(push).sort();
  const lo = Math.min(0, quantile(sorted, 0.002));
  const hi = Math.max(0, quantile(sorted, 0.998));
  const pad = Math.max((hi - lo) * 0.08, 1e-12);
  return [lo - pad, hi + pad];
}

function some(n: number): number[] {
  const skip = Math.max(1, Math.ceil(n / MOST_DOTS));
  return Array.from({ length: Math.ceil(n / skip) }, (_, k) => k * skip);
}

/** Lines of at most so many letters, broken at blanks. */
function wrapped(text: string, most: number): string[] {
  const lines = [""];
  for (const word of text.split(/(?<= )/)) {
    if (lines[lines.length - 1] && (lines[lines.length - 1] + word.trimEnd()).length > most) lines.push("");
    lines[lines.length - 1] += word;
  }
  return lines.map((line) => line.trimEnd());
}

function strips(desk: Desk, world: World, column: number, width: number): Drawing {
  const { words, meta } = desk;
  const about = meta.columns[column];
  const values = world.values(column);
  const push = world.pushes(column);
  const groups = new Map<number, number[]>();
  values.forEach((v, i) => {
    const key = Number.isNaN(v) ? -2 : v;
    groups.set(key, [...(groups.get(key) ?? []), i]);
  });
  const mean = (list: number[]) => meanOf(list.map((i) => push[i]));
  let order = [...groups.entries()].sort((a, b) => (about.ordered ? b[0] - a[0] : mean(b[1]).mean - mean(a[1]).mean));
  const dropped = order.length - MOST_CATEGORIES;
  if (dropped > 0) {
    const big = new Set([...order].sort((a, b) => b[1].length - a[1].length).slice(0, MOST_CATEGORIES).map(([key]) => key));
    order = order.filter(([key]) => big.has(key));
  }
  const name = (key: number): string => words.value(column, key === -2 ? NaN : key);
  const left = Math.min(width * 0.42, 12 + Math.max(...order.map(([key]) => name(key).length)) * LETTER);
  const names = order.map(([key]) => wrapped(name(key), Math.floor((left - 12) / LETTER)));
  const rowHeight = Math.max(Math.min(34, Math.max(22, 440 / Math.max(1, order.length))), LINE * Math.max(1, ...names.map((n) => n.length)) + 4);
  const height = order.length * rowHeight + 26;
  const [lo, hi] = pushRange(push);
  const x = (v: number): number => left + ((Math.max(lo, Math.min(hi, v)) - lo) / (hi - lo)) * (width - left - 12);
  const dots: Dot[] = [];
  const marks: Mark[] = [];
  const texts: { x: number; y: number; text: string; anchor: string; strong: boolean }[] = [];
  const shown = new Set(some(push.length));
  order.forEach(([, list], k) => {
    const y = k * rowHeight + rowHeight / 2;
    for (const i of list) if (shown.has(i)) dots.push({ i, x: x(push[i]), y: y + (((i * 37) % 21) / 21 - 0.5) * rowHeight * 0.62 });
    names[k].forEach((text, n) => texts.push({ x: left - 10, y: y + 4 + LINE * (n - (names[k].length - 1) / 2), text, anchor: "end", strong: true }));
    const m = mean(list);
    if (m.n > 3) marks.push({ x0: x(m.mean - m.half), x1: x(m.mean + m.half), y0: y, y1: y, x: x(m.mean), y });
  });
  const ticks = ticksBetween(lo, hi, 5);
  for (const t of ticks) texts.push({ x: x(t), y: height - 8, text: pushTick(words, t), anchor: "middle", strong: false });
  return { height, dots, marks, line: "", lines: ticks.map((t) => ({ d: `M${x(t)} 0V${height - 24}`, zero: t === 0 })), texts, left, dropped: Math.max(0, dropped) };
}

const TOP = 8;
const BOTTOM = 34;

function scatter(desk: Desk, world: World, column: number, width: number): Drawing {
  const { words, answers } = desk;
  const values = world.values(column);
  const push = world.pushes(column);
  const kind = answers.curveColumn(column);
  const sorted = Float64Array.from(values.filter((v) => !Number.isNaN(v))).sort();
  const own = { ...kind, grid: kind.grid.filter((v) => v >= sorted[0] && v <= sorted[sorted.length - 1]) };
  const axis = axisOf(own, sorted.length ? [sorted[0], sorted[sorted.length - 1]] : []);
  const height = 330;
  const [lo, hi] = pushRange(push);
  const ticks = ticksBetween(lo, hi, 6);
  const left = 16 + Math.max(...ticks.map((t) => pushTick(words, t).length)) * 6.4;
  const x = (v: number): number => left + place(axis, v) * (width - left - 12);
  const y = (v: number): number => TOP + ((hi - Math.max(lo, Math.min(hi, v))) / (hi - lo)) * (height - TOP - BOTTOM);
  const dots = some(push.length)
    .filter((i) => !Number.isNaN(values[i]))
    .map((i) => ({ i, x: x(values[i]), y: y(push[i]) }));
  const marks: Mark[] = [];
  const bins = 12;
  for (let b = 0; b < bins; b += 1) {
    const inside = Array.from(values.keys()).filter((i) => !Number.isNaN(values[i]) && Math.min(bins - 1, Math.floor(place(axis, values[i]) * bins)) === b);
    if (inside.length < 4) continue;
    const m = meanOf(inside.map((i) => push[i]));
    const at = x(quantile(Float64Array.from(inside, (i) => values[i]).sort(), 0.5));
    marks.push({ x0: at, x1: at, y0: y(m.mean - m.half), y1: y(m.mean + m.half), x: at, y: y(m.mean) });
  }
  const line = marks.length > 1 ? `M${marks.map((m) => `${m.x.toFixed(1)} ${m.y.toFixed(1)}`).join("L")}` : "";
  const texts = ticks.map((t) => ({ x: left - 8, y: y(t) + 4, text: pushTick(words, t), anchor: "end", strong: false }));
  for (const v of valueTicks(axis.stops, axis.byRank, axis.lo, axis.hi)) {
    texts.push({ x: x(v), y: height - 12, text: words.value(column, v), anchor: "middle", strong: false });
  }
  return { height, dots, marks, line, lines: ticks.map((t) => ({ d: `M${left} ${y(t)}H${width - 12}`, zero: t === 0 })), texts, left };
}

function valueTicks(stops: readonly number[], byRank: boolean, lo: number, hi: number): number[] {
  if (!byRank) return ticksBetween(lo, hi, 5);
  return [...new Set([0, 0.25, 0.5, 0.75, 1].map((q) => stops[Math.round(q * (stops.length - 1))]))];
}
