// What the model would say if one fact were changed: on average over many cases, with its interval, and for the case that is
// open. Where a point moves most cases to where no one like them is known, lines are dashed and the ground is shaded.

import { html } from "htm/preact";
import type { VNode } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { axisOf, curveColumn, place } from "../../parts/curve";
import { count } from "../../parts/format";
import { at } from "./control";
import { useDesk } from "./desk";
import { Progress } from "./flips";
import { ticksBetween } from "./layout";
import type { EffectFound } from "./panels";
import { Read } from "./reading";
import { useWidth } from "./width";
import type { Words } from "./words";

const FAR = 0.5;
const HEIGHT = 230;
const TOP = 18;
const BOTTOM = 34;
const MOST_CATEGORIES = 16;
const ROW = 24;

const dense = (values: readonly (number | null)[] | null, n: number): Float64Array => Float64Array.from({ length: n }, (_, i) => values?.[i] ?? NaN);

/** An effect as it is drawn: the average with half its interval, and one row's own curve. */
export interface Read0 {
  readonly points: readonly number[];
  readonly mean: Float64Array;
  readonly half: Float64Array;
  readonly own: Float64Array;
  readonly far: readonly boolean[];
}

export function readEffect(found: Pick<EffectFound, "points" | "mean" | "errors" | "away" | "own">): Read0 {
  const n = found.points.length;
  const away = dense(found.away, n);
  return {
    points: found.points,
    mean: dense(found.mean, n),
    half: dense(found.errors, n).map((e) => (Number.isNaN(e) ? 0 : 1.96 * e)),
    own: dense(found.own, n),
    far: Array.from(away, (share) => share > FAR),
  };
}

/** Runs of points that are, or are not, far away: neighbours share the point between them, which is far when either is. */
export function runs(far: readonly boolean[]): { from: number; to: number; far: boolean }[] {
  const out: { from: number; to: number; far: boolean }[] = [];
  for (let k = 1; k < far.length; k += 1) {
    const dashed = far[k - 1] || far[k];
    const last = out[out.length - 1];
    if (last?.far === dashed) last.to = k;
    else out.push({ from: k - 1, to: k, far: dashed });
  }
  return out;
}

export function Effect({ column }: { column: number }): VNode | null {
  const desk = useDesk();
  const { panels, words, answers, meta } = desk;
  const { case: id, edits } = desk.store.state.value;
  const row = answers.current.value;
  const live = panels.live.value;
  useEffect(() => panels.wantEffect(column), [column, id, edits, row !== null, live]);
  const shown = panels.effect.shown.value;
  const mine = shown?.value.column === column ? shown.value : null;
  if (!panels.offers("effects")) return null;
  const stale = mine !== null && shown?.key !== panels.effect.wanted.value;
  return html`<section class=${stale ? "gpart effect stale" : "gpart effect"} data-effect=${mine && !stale ? meta.columns[column].name : ""}>
    <h2>If only ${words.name(column)} were different <${Read} part="effect" /></h2>
    ${mine && html`<${Drawn} found=${mine} />`}
    <${Progress} asked=${panels.effect} words=${`Moving ${words.name(column)} in many ${words.many}`} first=${!mine} />
  </section>` as VNode;
}

/** The lowest and the highest of a line, in words; only where many like those moved are known. */
export function span(words: Words, column: number, read: Read0, line: Float64Array, level = (v: number): string => words.level(v)): string {
  const known = Array.from(read.points.keys()).filter((k) => Number.isFinite(line[k]) && !read.far[k]);
  if (!known.length) return "";
  const low = known.reduce((a, b) => (line[b] < line[a] ? b : a));
  const high = known.reduce((a, b) => (line[b] > line[a] ? b : a));
  if (level(line[low]) === level(line[high])) return `${level(line[low])} whatever its value`;
  const where = (k: number): string => words.small(column, read.points[k]);
  return `from ${level(line[low])} (${where(low)}) to ${level(line[high])} (${where(high)})`;
}

function Drawn({ found }: { found: EffectFound }): VNode {
  const desk = useDesk();
  const { words, meta, answers } = desk;
  const { column } = found;
  const [ref, width] = useWidth(400);
  const read = useMemo(() => readEffect(found), [found]);
  const categorical = meta.columns[column].kind === "categorical";
  const id = desk.store.state.value.case;
  const average = span(words, column, read, read.mean);
  const own = span(words, column, read, read.own);
  const said = average && `On average over ${words.people(found.rows)} the model would say ${average}${own && `; of case #${id} ${own}`}.`;
  const some = read.far.some(Boolean);
  const now = answers.current.value?.[column] ?? NaN;
  const drawn = { read, column, words, width, label: said, now, limits: limits(words, [read]), mine: `case #${id}` };
  return html`<div ref=${ref}>
    ${said && html`<p class="cap" data-effect-said>${said}</p>`}
    ${categorical ? html`<${Strips} ...${drawn} note=${true} />` : html`<${Lines} ...${drawn} height=${HEIGHT} all=${`average of ${count(found.rows)}`} />`}
    ${some && html`<p class="cap" data-effect-far>${categorical ? "Hollow" : "Dashed and shaded"}: ${farWords(words)}</p>`}
  </div>` as VNode;
}

/** What it means where most rows are moved away from all others. */
export const farWords = (words: Words): string => `more than half of these ${words.many} would be moved to where no one like them is known, so little stands behind it.`;

/** Room for everything that is drawn, and no chance below 0% or above 100%. */
export function limits(words: Words, reads: readonly Read0[], free = false): [number, number] {
  let lo = Infinity;
  let hi = -Infinity;
  const take = (v: number): void => {
    if (v < lo) lo = v;
    if (v > hi) hi = v;
  };
  for (const read of reads) {
    for (let k = 0; k < read.mean.length; k += 1) {
      take(read.mean[k] - read.half[k]);
      take(read.mean[k] + read.half[k]);
      take(read.own[k]);
    }
  }
  const pad = Math.max((hi - lo) * 0.08, Math.abs(hi) * 1e-6, 1e-9);
  return words.regression || free ? [lo - pad, hi + pad] : [Math.max(0, lo - pad), Math.min(1, hi + pad)];
}

export interface DrawnProps {
  read: Read0;
  column: number;
  words: Words;
  width: number;
  label: string;
  /** The value of the row that is open. */
  now: number;
  limits: readonly [number, number];
  /** What that row is called. */
  mine: string;
  /** How a height is written on the axis. */
  tick?: (v: number) => string;
}

/** Intervals end where the plot does: no chance is below 0% or above 100%. */
const within = (v: number, lo: number, hi: number): number => Math.min(hi, Math.max(lo, v));

interface LinesProps extends DrawnProps {
  height: number;
  /** What the average is called; nothing is written beside the lines where it is empty. */
  all: string;
  /** Individual curves behind the average. */
  others?: readonly ArrayLike<number>[];
}

export function Lines({ read, column, words, width, label, now, limits: [lo, hi], mine, height, all, others = [], tick }: LinesProps): VNode {
  const axis = useMemo(() => axisOf({ ...curveColumn(words.column(column)), grid: read.points, minimum: null, maximum: null }, []), [read]);
  const write = tick ?? ((v: number): string => words.tick(v, "probability"));
  const ticks = ticksBetween(lo, hi, height > 180 ? 6 : 4);
  const left = 16 + Math.max(0, ...ticks.map((t) => write(t).length)) * 6.4;
  const x = (v: number): number => left + place(axis, v) * (width - left - 12);
  const y = (v: number): number => TOP + ((hi - within(v, lo, hi)) / (hi - lo || 1)) * (height - TOP - BOTTOM);
  const xs = axis.stops.map(x);
  const path = (line: ArrayLike<number>, from: number, to: number): string => {
    const parts: string[] = [];
    for (let k = from; k <= to; k += 1) if (Number.isFinite(line[k])) parts.push(`${xs[k].toFixed(1)} ${y(line[k]).toFixed(1)}`);
    return parts.length > 1 ? `M${parts.join("L")}` : "";
  };
  const edge = read.mean.map((v, k) => v + read.half[k]);
  const under = read.mean.map((v, k) => v - read.half[k]);
  const n = xs.length;
  const band = n > 1 ? `${path(edge, 0, n - 1)}L${Array.from({ length: n }, (_, k) => `${xs[n - 1 - k].toFixed(1)} ${y(under[n - 1 - k]).toFixed(1)}`).join("L")}Z` : "";
  const pieces = runs(read.far);
  const has = read.own.some(Number.isFinite);
  const here = at({ axis, values: has ? read.own : read.mean, missing: NaN }, now);
  const ends = axis.byRank ? [0, 0.25, 0.5, 0.75, 1].map((q) => axis.stops[Math.round(q * (n - 1))]) : ticksBetween(axis.lo, axis.hi, width > 300 ? 5 : 3);
  // Names stand where the two lines are furthest apart, each on its free side.
  const inner = Array.from({ length: n }, (_, k) => k).filter((k) => xs[k] > left + 60 && xs[k] < width - 72 && Number.isFinite(read.mean[k]));
  const gap = (k: number): number => Math.abs((read.own[k] || 0) - read.mean[k]);
  const spot = inner.length ? inner.reduce((a, b) => (gap(b) > gap(a) ? b : a)) : n - 1;
  const mineAbove = !(read.own[spot] < read.mean[spot]);
  const beside = (line: Float64Array, above: boolean): number => {
    const near = Array.from(xs.keys()).filter((k) => Math.abs(xs[k] - xs[spot]) < 52 && Number.isFinite(line[k])).map((k) => y(line[k]));
    return Math.max(10, Math.min(height - BOTTOM - 4, above ? Math.min(...near) - 7 : Math.max(...near) + 16));
  };
  const margin = inner.length ? "middle" : "end";
  return html`<svg width=${width} height=${height} role="img" aria-label=${label}>
    ${pieces.filter((p) => p.far).map((p) => html`<rect x=${xs[p.from]} y=${TOP} width=${xs[p.to] - xs[p.from]} height=${height - TOP - BOTTOM} class="far" />`)}
    ${ticks.map((t) => html`<path d=${`M${left} ${y(t)}H${width - 12}`} class="line" /><text x=${left - 8} y=${y(t) + 4} text-anchor="end">${write(t)}</text>`)}
    ${others.length > 0 && html`<path d=${others.map((line) => path(line, 0, n - 1)).join("")} class="other" />`}
    ${band && html`<path d=${band} class="se" />`}
    ${pieces.map((p) => html`<path d=${path(read.mean, p.from, p.to)} class=${p.far ? "mean gone" : "mean"} /><path d=${path(read.own, p.from, p.to)} class=${p.far ? "own gone" : "own"} />`)}
    ${Number.isFinite(here) && html`<circle cx=${x(now)} cy=${y(here)} r="4" class=${has ? "owndot" : "owndot hollow"} />`}
    ${all && html`<text x=${xs[spot]} y=${beside(mineAbove ? under : edge, !mineAbove)} text-anchor=${margin} class="strong">${all}</text>`}
    ${all && has && Number.isFinite(read.own[spot]) && html`<text x=${xs[spot]} y=${beside(read.own, mineAbove)} text-anchor=${margin} class="mine">${mine}</text>`}
    ${[...new Set(ends)].map((v) => html`<text x=${x(v)} y=${height - 12} text-anchor="middle">${words.value(column, v)}</text>`)}
  </svg>
  ${axis.byRank && html`<p class="cap">Values seen, evenly spaced.</p>`}` as unknown as VNode;
}

interface StripsProps extends DrawnProps {
  /** Whether a line beneath says what the marks are. */
  note: boolean;
  most?: number;
}

export function Strips({ read, column, words, width, label, now, limits: [lo, hi], mine, note, most = MOST_CATEGORIES, tick }: StripsProps): VNode {
  const about = words.column(column);
  const { ordered } = about;
  const write = tick ?? ((v: number): string => words.tick(v, "probability"));
  const order = Array.from(read.points.keys()).filter((k) => Number.isFinite(read.mean[k]));
  if (!ordered) order.sort((a, b) => read.mean[b] - read.mean[a]);
  const shown = order.slice(0, most);
  const ticks = ticksBetween(lo, hi, width > 300 ? 4 : 3);
  const name = (k: number): string => words.value(column, read.points[k]);
  const left = Math.min(width * 0.45, 12 + Math.max(0, ...shown.map((k) => name(k).length)) * 6.6);
  const x = (v: number): number => left + ((within(v, lo, hi) - lo) / (hi - lo || 1)) * (width - left - 20);
  const height = shown.length * ROW + 26;
  const more = order.length > shown.length ? ` The ${shown.length} ${ordered ? "first" : "highest"} of ${count(order.length)} values${about.categories.length > order.length ? ` asked about; there are ${count(about.categories.length)}` : ""}.` : "";
  return html`<svg width=${width} height=${height} role="img" aria-label=${label}>
    ${ticks.map((t) => html`<path d=${`M${x(t)} 0V${height - 24}`} class="line" /><text x=${x(t)} y=${height - 8} text-anchor="middle">${write(t)}</text>`)}
    ${shown.map((k, i) => {
      const y = i * ROW + ROW / 2;
      const same = read.points[k] === now;
      return html`<text x=${left - 10} y=${y + 4} text-anchor="end" class=${same ? "mine" : "strong"}>${name(k)}</text>
        <path d=${`M${x(read.mean[k] - read.half[k])} ${y}H${x(read.mean[k] + read.half[k])}`} class="mean wide" />
        <circle cx=${x(read.mean[k])} cy=${y} r="3.4" class=${read.far[k] ? "point hollow" : "point ring"} />
        ${Number.isFinite(read.own[k]) && html`<circle cx=${x(read.own[k])} cy=${y} r="4" class=${same ? "owndot" : "owndot hollow"} />`}`;
    })}
  </svg>
  ${(note || more) && html`<p class="cap">${note ? `Dots: the average with its 95% interval; plum: ${mine}, filled where it is now.` : ""}${more}</p>`}` as unknown as VNode;
}
