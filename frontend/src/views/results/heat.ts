// A pair of columns as a heat map: orange where the model says more than on average, blue where it says less.

import { html } from "htm/preact";
import type { VNode } from "preact";
import type { Words } from "../workbench/words";

export interface Surface {
  readonly values: Float32Array;
  readonly errors: Float32Array | null;
  readonly points: readonly (readonly number[])[];
}

const MOST = 24;
const TOP = 6;

/** At most so many of the positions 0 to n - 1, evenly, the ends among them. */
export function some(n: number, most = MOST): number[] {
  if (n <= most) return Array.from({ length: n }, (_, i) => i);
  return [...new Set(Array.from({ length: most }, (_, i) => Math.round((i * (n - 1)) / (most - 1))))];
}

interface HeatProps {
  surface: Surface;
  columns: readonly [number, number];
  words: Words;
  width: number;
  height: number;
  /** Whether nil is the middle; else the average is. */
  centred: boolean;
  level: (v: number) => string;
  now: readonly [number, number];
}

export function Heat({ surface, columns, words, width, height: least, centred, level, now }: HeatProps): VNode {
  const { values, points } = surface;
  const categorical = columns.map((j) => words.column(j).kind === "categorical") as [boolean, boolean];
  // Names have room on the left side only, so of two columns the one with names, or with more of them, stands there.
  const turned = categorical[0] === categorical[1] ? categorical[0] && (points[0]?.length ?? 0) > (points[1]?.length ?? 0) : categorical[0];
  const [across, up] = turned ? ([1, 0] as const) : ([0, 1] as const);
  const xs = some(points[across]?.length ?? 0);
  const ys = some(points[up]?.length ?? 0);
  const size1 = points[1]?.length ?? 0;
  const value = (x: number, y: number): number => values[(turned ? y : x) * size1 + (turned ? x : y)] ?? NaN;
  const known = xs.flatMap((x) => ys.map((y) => value(x, y))).filter(Number.isFinite);
  const middle = centred ? 0 : known.reduce((a, b) => a + b, 0) / (known.length || 1);
  const most = Math.max(...known.map((v) => Math.abs(v - middle)), 1e-12);
  const nameOf = (axis: 0 | 1, k: number): string => words.value(columns[axis], points[axis]?.[k] ?? NaN);
  const marks = (axis: 0 | 1, at: readonly number[], count: number): number[] => (categorical[axis] ? at.map((_, i) => i) : some(at.length, count));
  const upMarks = marks(up, ys, 5);
  const left = Math.min(width * 0.42, 14 + Math.max(0, ...upMarks.map((i) => nameOf(up, ys[i] as number).length)) * 6.4);
  const slanted = categorical[across];
  const longest = Math.max(1, ...xs.map((k) => nameOf(across, k).length));
  const acrossMarks = marks(across, xs, Math.max(2, Math.min(4, Math.floor((width - left) / (longest * 6.4 + 18)))));
  const bottom = slanted ? 34 + longest * 3.7 : 36;
  // Every name needs a line of its own.
  const height = bottom + TOP + Math.max(least - 36, categorical[up] ? ys.length * 13.5 : 0);
  const w = (width - left - 8) / (xs.length || 1);
  const h = (height - TOP - bottom) / (ys.length || 1);
  const nearest = (axis: 0 | 1, at: readonly number[], v: number): number => {
    const gaps = at.map((k) => Math.abs((points[axis]?.[k] ?? NaN) - v));
    const best = gaps.reduce((low, gap, i) => (gap < (gaps[low] ?? Infinity) ? i : low), 0);
    return Number.isNaN(v) || (categorical[axis] && gaps[best] !== 0) ? -1 : best;
  };
  const x0 = nearest(across, xs, now[across]);
  const y0 = nearest(up, ys, now[up]);
  const top = (i: number): number => TOP + (ys.length - 1 - i) * h;
  const label = `${words.title(columns[0])} and ${words.name(columns[1])}: from ${level(Math.min(...known))} to ${level(Math.max(...known))}`;
  return html`<svg width=${width} height=${height} role="img" aria-label=${label} class="pairmap">
    ${xs.flatMap((x, i) => ys.map((y, k) => {
      const v = value(x, y);
      const tip = `${level(v)}\n${words.title(columns[across])} ${nameOf(across, x)}\n${words.title(columns[up])} ${nameOf(up, y)}`;
      return html`<rect x=${(left + i * w).toFixed(1)} y=${top(k).toFixed(1)} width=${(w + 0.4).toFixed(1)} height=${(h + 0.4).toFixed(1)} class=${Number.isNaN(v) ? "none" : v >= middle ? "more" : "less"} style=${{ opacity: Number.isNaN(v) ? 1 : (Math.abs(v - middle) / most).toFixed(2) }} data-tip=${tip} />`;
    }))}
    <rect x=${left} y=${TOP} width=${xs.length * w} height=${ys.length * h} class="box" />
    ${x0 >= 0 && y0 >= 0 && html`<rect x=${left + x0 * w - 1} y=${top(y0) - 1} width=${w + 2} height=${h + 2} class="here" />`}
    ${upMarks.map((i) => html`<text x=${left - 7} y=${top(i) + h / 2 + 4} text-anchor="end">${nameOf(up, ys[i] as number)}</text>`)}
    ${acrossMarks.map((i) => {
      const x = left + i * w + w / 2;
      const y = TOP + ys.length * h + 14;
      return slanted ? html`<text x=${x} y=${y} text-anchor="end" transform=${`rotate(-35 ${x} ${y})`}>${nameOf(across, xs[i] as number)}</text>` : html`<text x=${x} y=${y} text-anchor=${i === 0 ? "start" : i === xs.length - 1 ? "end" : "middle"}>${nameOf(across, xs[i] as number)}</text>`;
    })}
    <text x=${left + (xs.length * w) / 2} y=${height - 4} text-anchor="middle" class="strong">${words.title(columns[across])}</text>
  </svg>
  <p class="cap">Upwards: ${words.name(columns[up])}. Orange: above ${centred ? "nil" : `the average of ${level(middle)}`}, at most ${level(Math.max(...known))}; blue: below, at least ${level(Math.min(...known))}.${categorical.every(Boolean) ? "" : " One cell is one value asked about, whatever lies between."}</p>` as unknown as VNode;
}
