// The map of cases: near means explained alike. Points are pixels of one image; rings and the brush lie on a second layer.

import { html } from "htm/preact";
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { useSignalEffect } from "@preact/signals";
import { watchSize } from "../../parts/frame";
import { density, disc, pointRadius, rgb, stamp } from "../../parts/raster";
import { type Desk, useDesk } from "./desk";
import { Read } from "./reading";

const INSET = 9;
const MOST_POINTS = 100_000;

type Box = readonly [number, number, number, number];

interface Points {
  readonly xs: Float32Array;
  readonly ys: Float32Array;
}

/** Places in 0..1, y upwards. Until the map has come, the prediction lies along x. */
export function placesOf(desk: Desk): Points {
  const map = desk.rows.map.value;
  const judged = desk.rows.judged.value;
  const n = judged.count;
  const xs = new Float32Array(n);
  const ys = new Float32Array(n);
  let lo = Infinity;
  let hi = -Infinity;
  if (!map && judged.regression) for (let i = 0; i < n; i += 1) [lo, hi] = [Math.min(lo, judged.p[i]), Math.max(hi, judged.p[i])];
  for (let i = 0; i < n; i += 1) {
    xs[i] = map ? map.x[i] / 65535 : judged.regression ? (judged.p[i] - lo) / (hi - lo || 1) : judged.p[i];
    ys[i] = map ? map.y[i] / 65535 : ((i * 2654435761) % 65536) / 65536;
  }
  return { xs, ys };
}

class Painter {
  width = 0;
  height = 0;
  private image: ImageData | null = null;

  constructor(
    private desk: Desk,
    private base: HTMLCanvasElement,
    private over: HTMLCanvasElement,
  ) {}

  private colour(name: string): string {
    return getComputedStyle(this.desk.root).getPropertyValue(name);
  }

  resize(width: number, height: number): boolean {
    const d = Math.min(2, devicePixelRatio || 1);
    this.width = width;
    this.height = height;
    if (!width || !height) return false;
    for (const canvas of [this.base, this.over]) {
      canvas.width = Math.round(width * d);
      canvas.height = Math.round(height * d);
    }
    return true;
  }

  /** x, y in device pixels. */
  private at(points: Points, i: number): [number, number] {
    const d = this.base.width / this.width;
    return [d * (INSET + points.xs[i] * (this.width - 2 * INSET)), d * (this.height - INSET - points.ys[i] * (this.height - 2 * INSET))];
  }

  paint(points: Points): void {
    const context = this.base.getContext("2d");
    if (!context || !this.width) return;
    const { width, height } = this.base;
    const sunken = rgb(this.colour("--wg-sunken"));
    const bg = rgb(this.colour("--wg-bg"));
    if (this.image?.width !== width || this.image.height !== height) this.image = context.createImageData(width, height);
    const pixels = this.image.data;
    const mix = (a: number, b: number): number => Math.round(a * 0.6 + b * 0.4);
    const fill = (255 << 24) | (mix(sunken.b, bg.b) << 16) | (mix(sunken.g, bg.g) << 8) | mix(sunken.r, bg.r);
    new Uint32Array(pixels.buffer).fill(fill);
    const { judged, shown } = this.desk.rows;
    const n = points.xs.length;
    const on = new Uint8Array(n);
    for (const i of shown.value) on[i] = 1;
    if (n > MOST_POINTS) this.paintDensity(pixels, points, on);
    else this.paintPoints(pixels, points, on, judged.value.p, judged.value.line);
    context.putImageData(this.image, 0, 0);
  }

  private paintPoints(pixels: Uint8ClampedArray, points: Points, on: Uint8Array, p: ArrayLike<number>, line: number): void {
    const { width, height } = this.base;
    const d = width / this.width;
    const radius = pointRadius(points.xs.length, this.width * this.height) * d;
    const big = disc(radius);
    const small = disc(radius * 0.8);
    const up = rgb(this.colour("--wg-up"));
    const down = rgb(this.colour("--wg-down"));
    const ghost = rgb(this.colour("--wg-ghost"));
    const faint = Math.max(0.2, Math.min(0.35, 600 / Math.sqrt(points.xs.length + 1) / 40));
    const spread = this.desk.words.regression ? 0 : 1;
    for (const pass of [0, 1]) {
      for (let i = 0; i < on.length; i += 1) {
        if (on[i] !== pass) continue;
        if (Number.isNaN(p[i])) continue;
        const strength = spread ? Math.min(1, Math.abs(p[i] - line) * 2) : 0.5;
        const ink = pass ? (p[i] >= line ? up : down) : ghost;
        stamp(pixels, width, height, this.at(points, i), pass ? big : small, { ...ink, a: pass ? faint + (0.9 - faint) * strength : 0.13 });
      }
    }
  }

  private paintDensity(pixels: Uint8ClampedArray, points: Points, on: Uint8Array): void {
    const { width, height } = this.base;
    const cell = 3;
    const columns = Math.ceil(width / cell);
    const rows = Math.ceil(height / cell);
    const judged = this.desk.rows.judged.value;
    const flipped = Float32Array.from(points.ys, (y) => 1 - y);
    const { counts, sums } = density(points.xs, flipped, judged.p, (i) => on[i] === 1, columns, rows);
    const top = Math.log1p(counts.reduce((a, b) => Math.max(a, b), 1));
    const up = rgb(this.colour("--wg-up"));
    const down = rgb(this.colour("--wg-down"));
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        const k = Math.floor(y / cell) * columns + Math.floor(x / cell);
        if (!counts[k]) continue;
        const ink = sums[k] / counts[k] >= judged.line ? up : down;
        const a = 0.15 + 0.8 * (Math.log1p(counts[k]) / top);
        const o = (y * width + x) * 4;
        pixels[o] += (ink.r - pixels[o]) * a;
        pixels[o + 1] += (ink.g - pixels[o + 1]) * a;
        pixels[o + 2] += (ink.b - pixels[o + 2]) * a;
      }
    }
  }

  paintOver(points: Points, drag: Box | null): void {
    const g = this.over.getContext("2d");
    if (!g || !this.width) return;
    const d = this.over.width / this.width;
    g.clearRect(0, 0, this.over.width, this.over.height);
    const { pin, brush, case: id } = this.desk.store.state.value;
    const bg = this.colour("--wg-bg");
    const you = this.colour("--wg-you");
    const ring = (row: number, colour: string): void => {
      if (row < 0 || row >= points.xs.length) return;
      const [x, y] = this.at(points, row);
      g.beginPath();
      g.arc(x, y, 6 * d, 0, 7);
      for (const [style, w] of [[bg, 5], [colour, 2.2]] as const) {
        g.strokeStyle = style;
        g.lineWidth = w * d;
        g.stroke();
      }
    };
    if (pin !== null) ring(this.desk.rows.rowOf(pin), this.colour("--wg-ink-3"));
    ring(this.desk.rows.rowOf(id), you);
    const box = drag ?? brush;
    if (!box) return;
    const x = (v: number): number => d * (INSET + v * (this.width - 2 * INSET));
    const y = (v: number): number => d * (this.height - INSET - v * (this.height - 2 * INSET));
    g.fillStyle = you;
    g.globalAlpha = 0.09;
    g.fillRect(x(box[0]), y(box[3]), x(box[2]) - x(box[0]), y(box[1]) - y(box[3]));
    g.globalAlpha = 1;
    g.strokeStyle = you;
    g.lineWidth = 1.2 * d;
    g.strokeRect(x(box[0]), y(box[3]), x(box[2]) - x(box[0]), y(box[1]) - y(box[3]));
  }

  /** Pointer place in 0..1, y upwards. */
  place(event: PointerEvent): [number, number] {
    const box = this.base.getBoundingClientRect();
    const clamp = (v: number): number => Math.max(0, Math.min(1, v));
    return [
      clamp((event.clientX - box.left - INSET) / (box.width - 2 * INSET)),
      clamp(1 - (event.clientY - box.top - INSET) / (box.height - 2 * INSET)),
    ];
  }

  /** The nearest shown row within `reach` pixels, -1 if none. */
  nearest(points: Points, [x, y]: readonly [number, number], reach: number): number {
    let best = -1;
    let least = reach * reach;
    for (const i of this.desk.rows.shown.value) {
      const dx = (points.xs[i] - x) * (this.width - 2 * INSET);
      const dy = (points.ys[i] - y) * (this.height - 2 * INSET);
      const q = dx * dx + dy * dy;
      if (q < least) [best, least] = [i, q];
    }
    return best;
  }
}

/** The shown row that lies next in a direction. */
export function towards(points: Points, shown: Int32Array, from: number, dx: number, dy: number): number {
  let best = -1;
  let least = Infinity;
  for (const i of shown) {
    const x = points.xs[i] - points.xs[from];
    const y = points.ys[i] - points.ys[from];
    const along = x * dx + y * dy;
    const off = Math.abs(x * dy) + Math.abs(y * dx);
    if (along <= 0 || off > along) continue;
    const q = along * along + 2 * off * off;
    if (q < least) [best, least] = [i, q];
  }
  return best;
}

function select(desk: Desk, points: Points, box: Box): void {
  const ids: number[] = [];
  const { selection } = desk.store.state.peek();
  const old = selection ? new Set(selection) : null;
  if (old) desk.store.set({ selection: null }, { history: false });
  for (const i of desk.rows.shown.peek()) {
    if (points.xs[i] >= box[0] && points.xs[i] <= box[2] && points.ys[i] >= box[1] && points.ys[i] <= box[3]) ids.push(desk.rows.id(i));
  }
  desk.store.set({ brush: [...box] as [number, number, number, number], selection: ids });
}

export function CaseMap(): VNode {
  const desk = useDesk();
  const base = useRef<HTMLCanvasElement>(null);
  const over = useRef<HTMLCanvasElement>(null);
  const painter = useRef<Painter | null>(null);
  const points = useRef<Points>({ xs: new Float32Array(0), ys: new Float32Array(0) });
  const drag = useRef<{ from: [number, number]; px: [number, number]; box: Box | null } | null>(null);
  const [size, setSize] = useState("0");

  useEffect(() => {
    const host = base.current?.parentElement;
    if (!host || !base.current || !over.current) return undefined;
    painter.current = new Painter(desk, base.current, over.current);
    return watchSize(host, (w, h) => {
      if (painter.current?.resize(w, h)) setSize(`${w}x${h}`);
    });
  }, []);
  const paintBase = (): void => {
    points.current = placesOf(desk);
    void desk.theme.value;
    painter.current?.paint(points.current);
  };
  const paintOver = (): void => {
    void desk.rows.map.value;
    void desk.theme.value;
    void desk.rows.loaded.value;
    painter.current?.paintOver(points.current, drag.current?.box ?? null);
  };
  useSignalEffect(paintBase);
  useSignalEffect(paintOver);
  useEffect(() => {
    paintBase();
    paintOver();
  }, [size]);

  const down = (e: PointerEvent): void => {
    if (e.button !== 0 || !painter.current) return;
    drag.current = { from: painter.current.place(e), px: [e.clientX, e.clientY], box: null };
    (e.currentTarget as Element).setPointerCapture(e.pointerId);
  };
  const moved = (e: PointerEvent): void => {
    const p = painter.current;
    if (!p) return;
    const now = p.place(e);
    const start = drag.current;
    if (start && (start.box || Math.hypot(e.clientX - start.px[0], e.clientY - start.px[1]) > 5)) {
      const [a, b] = start.from;
      start.box = [Math.min(a, now[0]), Math.min(b, now[1]), Math.max(a, now[0]), Math.max(b, now[1])];
      desk.tips?.hide();
      return paintOver();
    }
    const row = p.nearest(points.current, now, 12);
    if (row >= 0) desk.tips?.show(tipFor(desk, row), e.clientX, e.clientY);
    else desk.tips?.hide();
  };
  const up = (e: PointerEvent): void => {
    const start = drag.current;
    drag.current = null;
    if (!start || !painter.current) return;
    if (start.box) return select(desk, points.current, start.box);
    const row = painter.current.nearest(points.current, painter.current.place(e), 17);
    if (row >= 0) desk.open(desk.rows.id(row));
  };
  const state = desk.store.state.value;
  const near = desk.rows.map.value ? (desk.meta as { map_kind?: string }).map_kind === "alike" ? "Near = alike" : "Near = explained alike" : "Left to right: the prediction";
  const line = desk.words.line;
  return html`<div class="mapbox">
    <div
      class="map"
      tabindex="0"
      role="application"
      data-map
      aria-label=${`Map of cases. ${near}. Drag to brush, arrow keys move to the next case in that direction.`}
      onPointerDown=${down}
      onPointerMove=${moved}
      onPointerUp=${up}
      onPointerLeave=${() => desk.tips?.hide()}
    >
      <canvas ref=${base} aria-hidden="true"></canvas><canvas ref=${over} aria-hidden="true"></canvas>
    </div>
    <${Read} part="map" />
    <div class="mapcap cap">
      <span>${near}</span>
      ${state.selection
        ? html`<button class="link xs" data-clear-brush onClick=${() => desk.clearSelection()}>Clear ${desk.words.people(state.selection.length)}</button>`
        : html`<span class="mapkey"><span class="down">●</span> below <span class="up">●</span> above ${line}</span>`}
    </div>
  </div>` as VNode;
}

/** The words of the hover, and of the screen reader's map moves. */
function tipFor(desk: Desk, row: number): string {
  const judged = desk.rows.judged.peek();
  const [first, second] = desk.rows.describe(row, desk.words.detailColumns());
  const wrong = judged.wrong[row] ? (judged.regression ? " · far off" : " · model wrong") : "";
  return `${desk.words.level(judged.p[row])} · #${desk.rows.id(row)}${wrong}\n${first}\n${second}`;
}

/** Arrow keys on the map. */
export function walk(desk: Desk, dx: number, dy: number): void {
  const from = desk.answers.caseRow.peek();
  if (from < 0) return;
  const row = towards(placesOf(desk), desk.rows.shown.peek(), from, dx, dy);
  if (row >= 0) desk.open(desk.rows.id(row));
}
