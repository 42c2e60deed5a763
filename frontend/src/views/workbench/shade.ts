// The fact that shades another one's dependence view: the one that was chosen, else the one that acts together with it most,
// by exact interactions where they are known, else judged by how it parts the dots.

import { html } from "htm/preact";
import type { VNode } from "preact";
import { interaction, meanOf } from "../../parts/stats";
import { type Desk, useDesk } from "./desk";
import { meanWords } from "./heatmap";
import type { World } from "./world";

export interface Partner {
  readonly column: number;
  readonly by: "choice" | "interactions" | "dots";
}

/** Share of the variance at alike values that a partner must explain to be one. */
const WORTH = 0.12;
const MOST_SEARCHED = 40;

export function partnerOf(desk: Desk, world: World, column: number, chosen: number): Partner | null {
  if (chosen >= 0 && chosen < desk.meta.columns.length && chosen !== column) return { column: chosen, by: "choice" };
  const exact = desk.pairs.partnerOf(column);
  if (exact !== undefined) return exact === null ? null : { column: exact, by: "interactions" };
  return byDots(desk, world, column);
}

/** The fact that changes the effect of `column` most, null when none does by much. */
function byDots(desk: Desk, world: World, column: number): Partner | null {
  const x = world.values(column);
  const push = world.pushes(column);
  let best: { column: number; strength: number } | null = null;
  for (const { column: other } of world.facts.slice(0, MOST_SEARCHED)) {
    if (other === column) continue;
    const about = desk.meta.columns[other];
    const strength = interaction(x, push, world.values(other), about.kind === "categorical" && !about.ordered);
    if (strength > (best?.strength ?? WORTH)) best = { column: other, strength };
  }
  return best && { column: best.column, by: "dots" };
}

/** Shades of a partner's values: low to high, or its categories in order of the mean push of `column`. */
export function shades(world: World, column: number, partner: number): Int8Array {
  const own = world.shades(partner);
  if (own.some((t) => t >= 0)) return own;
  const order = groupOrder(world, column, partner);
  const shade = new Map(order.map((code, k) => [code, order.length > 1 ? Math.round((3 * k) / (order.length - 1)) : 3]));
  return Int8Array.from(world.values(partner), (v) => shade.get(v) ?? -1);
}

function groupOrder(world: World, column: number, partner: number): number[] {
  const groups = new Map<number, number[]>();
  world.values(partner).forEach((v, i) => {
    if (!Number.isNaN(v)) groups.set(v, [...(groups.get(v) ?? []), world.pushes(column)[i]]);
  });
  const means = [...groups].map(([code, values]) => [code, meanOf(values).mean] as const);
  return means.sort((a, b) => a[1] - b[1]).map(([code]) => code);
}

export function ShadeWords({ world, column, partner }: { world: World; column: number; partner: Partner }): VNode {
  const desk = useDesk();
  const { words } = desk;
  const ordered = world.shades(partner.column).some((t) => t >= 0);
  const order = ordered ? [] : groupOrder(world, column, partner.column);
  const [first, last] = ordered ? ["low", "high"] : [order[0], order[order.length - 1]].map((code) => words.value(partner.column, code ?? NaN));
  const ramp = html`${ordered ? first : `from ${first}`} <i class="ramp"></i> ${ordered ? last : `to ${last}`}`;
  return html`Dot shade: ${words.name(partner.column)}, ${ramp}. ${why(desk, column, partner)}` as VNode;
}

function why(desk: Desk, column: number, partner: Partner): VNode | string {
  const large = desk.pairs.large.value;
  const mean = large?.mean(column, partner.column) ?? NaN;
  const size = large && !Number.isNaN(mean) ? `${meanWords(desk, large, mean)} ${desk.words.unitWords(large.space)}`.trim() : "";
  if (partner.by === "dots") return "Of all facts it changes this effect most, judged by the dots.";
  const exact = size && `by exact interactions the two add ${size} on average beyond what each does alone`;
  if (partner.by === "interactions") return `Of all facts it changes this effect most: ${exact}.`;
  return html`You chose it${exact && html`; ${exact}`}. <button class="link xs" onClick=${() => desk.store.set({ partner: -1 })}>Shade by the strongest</button>` as VNode;
}
