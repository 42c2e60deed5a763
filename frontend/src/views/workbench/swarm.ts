// One fact over many cases: a swarm of its pushes, shaded by its value, and how much it weighs.

import { html } from "htm/preact";
import type { VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { watchSize } from "../../parts/frame";
import { swarm } from "../../parts/stats";
import { type Desk, useDesk } from "./desk";
import { ticksBetween } from "./layout";
import type { FactAtLarge, World } from "./world";

const DOT = 1.9;

interface Props {
  fact: FactAtLarge;
  world: World;
  most: number;
  pressed: boolean;
}

export function SwarmRow({ fact, world, most, pressed }: Props): VNode {
  const desk = useDesk();
  const { words, meta } = desk;
  const { column, size } = fact;
  const half = Number.isFinite(size.half) ? size.half : 0;
  const choose = (): void => desk.store.set({ fact: column, partner: -1 });
  const written = words.push(size.mean, "probability").replace("+", "");
  const label = `${words.title(column)}: mean size of its push ${written}, 95% interval ± ${words.spread(half, "probability")}`;
  const share = (v: number): string => `${(66 * Math.max(0, v)) / most}%`;
  return html`<div class=${pressed ? "grow on" : "grow"} data-feature=${meta.columns[column].name} onClick=${choose}>
    <button class="gn" data-fact=${column} aria-pressed=${pressed ? "true" : "false"} aria-label=${`${label}. Show it in full.`} onClick=${choose}>${breakable(words.title(column))}</button>
    <${Swarm} world=${world} column=${column} />
    <span class="gimp" role="img" aria-label=${label}>
      <i style=${{ width: share(size.mean) }}></i><u style=${{ left: share(size.mean - half), width: share(2 * half) }}></u>
      <span style=${{ left: `calc(${share(size.mean + half)} + 7px)` }}>${written}</span>
    </span>
  </div>` as VNode;
}

/** A name that may be broken where its words meet: after "_", "/" or ".". */
export function breakable(name: string): VNode[] {
  return name.split(/(?<=[_/.])/).map((part, k) => html`${k > 0 && html`<wbr />`}${part}` as VNode);
}

interface Dots {
  /** Of the canvas: it is asked for nothing while a host hides it to change its theme. */
  readonly width: number;
  readonly height: number;
  readonly x: Float32Array;
  readonly y: Float32Array;
}

function Swarm({ world, column }: { world: World; column: number }): VNode {
  const desk = useDesk();
  const ref = useRef<HTMLCanvasElement>(null);
  const [[width, height], setSize] = useState([0, 0]);
  const theme = desk.theme.value;
  useEffect(() => (ref.current ? watchSize(ref.current, (w, h) => setSize([Math.round(w), Math.round(h)])) : undefined), []);
  const dots = useMemo(() => place(world, column, width, height), [world, column, width, height]);
  useEffect(() => {
    if (ref.current && width) paint(desk, ref.current, dots, world, column);
  }, [dots, theme]);
  const near = (e: MouseEvent): number => {
    let best = -1;
    let least = 36;
    for (let i = 0; i < dots.x.length; i += 1) {
      const q = (dots.x[i] - e.offsetX) ** 2 + (dots.y[i] - e.offsetY) ** 2;
      if (q < least) [best, least] = [i, q];
    }
    return best;
  };
  const press = (e: MouseEvent): void => {
    const i = near(e);
    if (i < 0) return;
    e.stopPropagation();
    desk.open(world.ids[i]);
  };
  const hover = (e: MouseEvent): void => {
    const i = near(e);
    if (i < 0) return desk.tips?.hide();
    e.stopPropagation();
    desk.tips?.show(dotTip(desk, world, column, i), e.clientX, e.clientY);
  };
  return html`<canvas
    ref=${ref}
    role="img"
    aria-label=${`Pushes of ${desk.words.name(column)} for ${world.ids.length} ${desk.words.many}`}
    onClick=${press}
    onMouseMove=${hover}
    onMouseLeave=${() => desk.tips?.hide()}
  ></canvas>` as VNode;
}

export function dotTip(desk: Desk, world: World, column: number, i: number): string {
  const { words, rows } = desk;
  const row = rows.rowOf(world.ids[i]);
  const [first, second] = rows.describe(row, words.detailColumns());
  const unit = words.unitName("probability");
  return `${words.title(column)}: ${words.value(column, world.values(column)[i])}\n${words.push(world.pushes(column)[i], "probability")} ${unit} for #${world.ids[i]}\n${first}, ${second}`;
}

function place(world: World, column: number, width: number, height: number): Dots {
  const span = world.hi - world.lo || 1;
  const shares = Float64Array.from(world.pushes(column), (v) => Math.max(0, Math.min(1, (v - world.lo) / span)));
  const away = width ? swarm(shares, width, height / 2 - 2, DOT) : new Float32Array(shares.length);
  return { width, height, x: Float32Array.from(shares, (s) => DOT + s * (width - 2 * DOT)), y: Float32Array.from(away, (a) => height / 2 + a) };
}

function paint(desk: Desk, canvas: HTMLCanvasElement, dots: Dots, world: World, column: number): void {
  const d = Math.min(2, devicePixelRatio || 1);
  const { width, height } = dots;
  canvas.width = Math.round(width * d);
  canvas.height = Math.round(height * d);
  const g = canvas.getContext("2d");
  if (!g) return;
  const css = getComputedStyle(desk.root);
  const colour = (name: string): string => css.getPropertyValue(name);
  g.scale(d, d);
  g.fillStyle = colour("--wg-line-2");
  g.fillRect(DOT + ((0 - world.lo) / (world.hi - world.lo)) * (width - 2 * DOT), 0, 1, height);
  const ramp = [0, 1, 2, 3].map((k) => colour(`--wg-v${k}`));
  const grey = colour("--wg-ink-3");
  const shades = world.shades(column);
  for (let i = 0; i < dots.x.length; i += 1) {
    const shade = shades[i];
    g.fillStyle = shade < 0 ? grey : ramp[shade];
    g.globalAlpha = shade < 0 ? 0.5 : 0.85;
    g.beginPath();
    g.arc(dots.x[i], dots.y[i], DOT, 0, 7);
    g.fill();
  }
}

export function SwarmAxis({ world }: { world: World }): VNode {
  const desk = useDesk();
  const { words } = desk;
  const longest = Math.max(pushTick(words, world.lo).length, pushTick(words, world.hi).length);
  const ticks = ticksBetween(world.lo, world.hi, Math.max(2, Math.min(6, Math.floor(260 / (longest * 6.5 + 14)))));
  return html`<div class="grow axis" aria-hidden="true">
    <span></span>
    <div class="cap">
      ${ticks.map((t) => html`<span style=${{ left: `${(100 * (t - world.lo)) / (world.hi - world.lo)}%` }}>${pushTick(words, t)}</span>`)}
    </div>
    <span></span>
  </div>` as VNode;
}

/** "+15", "−$2,000", "0". */
export function pushTick(words: Desk["words"], t: number): string {
  return t === 0 ? "0" : words.pushTick(t);
}
