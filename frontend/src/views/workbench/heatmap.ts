// Which facts act together, over many cases: a triangle of pairs, the weightiest facts first. Each name stands at the end of
// its row and on top of its column. Pressing a pair shows the first fact in full, shaded by the second.

import { html } from "htm/preact";
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { count } from "../../parts/format";
import { Waiting } from "./centre";
import { type Desk, useDesk } from "./desk";
import type { PairsAtLarge } from "./pairs";
import { Read } from "./reading";
import { breakable } from "./swarm";
import { useWidth } from "./width";
import type { World } from "./world";

const NAME_ROOM = 138;
const GAP = 1.5;
const SMALLEST = 24;
const LARGEST = 36;
/** Cells from this shade on carry their number: on it text has contrast enough in light and dark. */
const WRITTEN = 0.62;
const shade = (share: number): number => Math.max(0, share) ** 0.85;

export function HeatMap({ world }: { world: World }): VNode | null {
  const desk = useDesk();
  const { pairs, words } = desk;
  const sampled = desk.rows.sample.value !== null;
  const fromPage = desk.meta.interactions?.source === "page";
  useEffect(() => {
    if (!fromPage || (sampled && desk.answers.page)) void pairs.ask();
  }, [sampled, fromPage, desk.answers.source.value]);
  const large = pairs.large.value;
  if (!pairs.offered || (large && !(large.most > 0)) || (large && large.columns.length < 2)) return null;
  return html`<section class="gpart" data-pairs>
    <h2>Which facts act together <${Read} part="pairs" /></h2>
    ${large ? html`<${Triangle} large=${large} world=${world} />` : pairs.state.value === "none" ? html`<${Failed} />` : html`<${Waiting} words=${`Working out which facts act together in ${words.many}.`} />`}
  </section>` as VNode;
}

function Failed(): VNode {
  const desk = useDesk();
  const { pairs } = desk;
  return html`<p class="cap" role="status">
    The pairs did not come. ${pairs.failure.value} ${desk.link.live && html`<button class="link xs" onClick=${() => void pairs.ask()}>Ask again</button>`}
  </p>` as VNode;
}

/** Size of a mean, without its sign. */
export const meanWords = (desk: Desk, large: PairsAtLarge, v: number): string => desk.words.push(v, large.space).replace(/^[+\u00b1]/, "");
const unitOf = (desk: Desk, large: PairsAtLarge): string => desk.words.unitWords(large.space);

/** In the order in which the swarms stand. */
function byWeight(columns: readonly number[], world: World): number[] {
  const place = new Map(world.facts.map((f, k) => [f.column, k]));
  return [...columns].sort((a, b) => (place.get(a) ?? 0) - (place.get(b) ?? 0));
}

function Triangle({ large, world }: { large: PairsAtLarge; world: World }): VNode {
  const desk = useDesk();
  const { words, meta, store } = desk;
  const [ref, width] = useWidth(400);
  const { fact, partner } = store.state.value;
  const { most } = large;
  const columns = byWeight(large.columns, world);
  const [at, setAt] = useState<readonly [number, number]>([1, 0]);
  const cell = Math.max(SMALLEST, Math.min(LARGEST, Math.floor((width - NAME_ROOM) / Math.max(1, columns.length - 1) - GAP)));
  const chosen = (a: number, b: number): boolean => partner >= 0 && ((a === fact && b === partner) || (a === partner && b === fact));
  const [ra, ca] = [Math.min(at[0], columns.length - 1), Math.min(at[1], at[0] - 1)];
  const unit = unitOf(desk, large);
  const open = (r: number, c: number): void => {
    setAt([r, c]);
    desk.tips?.hide();
    store.set({ fact: columns[c], partner: columns[r] });
    requestAnimationFrame(() => desk.find("[data-dependence]")?.scrollIntoView({ block: "nearest" }));
  };
  const how = large.rows < large.total ? `, from ${count(large.rows)} of ${count(large.total)} so far` : `, over ${words.people(large.rows)}`;
  return html`<p class="cap">
      Mean size of what two facts add together beyond what each adds alone${unit && `, in ${unit}`}${how}: <i class="ramp"></i> nothing to ${meanWords(desk, large, most)}. Press a
      pair to see it.
    </p>
    <div ref=${ref}>
      <table class="heat" style=${{ "--cell": `${cell}px`, width: `${columns.length * (cell + GAP) + GAP}px` }}>
        <caption class="vh">What pairs of facts add together, mean size${unit && ` in ${unit}`}, the weightiest facts first</caption>
        <thead class="vh">
          <tr>${columns.map((c) => html`<th scope="col">${words.title(c)}</th>`)}</tr>
        </thead>
        <tbody>
          ${columns.map(
            (row, r) => html`<tr key=${row}>
              ${columns.slice(0, r).map((column, c) => {
                const value = large.mean(row, column);
                const dark = shade(value / most);
                const written = meanWords(desk, large, value);
                const said = `${words.title(column)} and ${words.name(row)}: ${`${written} ${unit}`.trim()}`;
                return html`<td>
                  <button
                    data-pair=${`${r} ${c}`}
                    data-features=${`${meta.columns[column].name}|${meta.columns[row].name}`}
                    tabindex=${r === ra && c === ca ? "0" : "-1"}
                    aria-pressed=${chosen(row, column) ? "true" : "false"}
                    aria-label=${`${said}. Show ${words.name(column)} in full, shaded by ${words.name(row)}.`}
                    data-tip=${`${words.title(column)} and ${words.name(row)}\n${`${written} ${unit}`.trim()} on average, beyond what each adds alone`}
                    onFocus=${() => setAt([r, c])}
                    onClick=${() => open(r, c)}
                  >
                    <i style=${{ opacity: dark.toFixed(3) }}></i>${dark >= WRITTEN && written.length <= 4 && html`<span aria-hidden="true">${written}</span>`}
                  </button>
                </td>`;
              })}
              <th scope="row" class=${row === fact || row === partner ? "on" : ""}><span style=${{ maxWidth: `${width - r * (cell + GAP) - 8}px` }}>${breakable(words.title(row))}</span></th>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>` as VNode;
}

/** Arrows move between pairs; the triangle has no cell beyond its diagonal. */
export function movePair(desk: Desk, target: Element, key: string): boolean {
  const [r, c] = (target.getAttribute("data-pair") ?? "0 0").split(" ").map(Number);
  const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[key];
  if (!by) return false;
  desk.find(`[data-pair="${r + by[0]} ${c + by[1]}"]`)?.focus();
  return true;
}
