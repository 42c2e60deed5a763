// Can the percentages be believed? The score given against the share that really had the outcome.

import { html } from "htm/preact";
import type { VNode } from "preact";
import { count, percent, range, wilson } from "../../parts/format";
import { useDesk } from "./desk";
import { Read } from "./reading";
import { useWidth } from "./width";

const HEIGHT = 210;
const LEFT = 40;
const RIGHT = 14;
const FEW = 10;

export function Calibration(): VNode | null {
  const desk = useDesk();
  const { meta, words } = desk;
  const [ref, width] = useWidth(360);
  const table = meta.calibration;
  if (!table || desk.store.state.value.output !== meta.output) return null;
  const x = (v: number): number => LEFT + v * (width - LEFT - RIGHT);
  const y = (v: number): number => 6 + (1 - v) * (HEIGHT - 36);
  const marks = Array.from({ length: 10 }, (_, k) => 5 + 10 * k)
    .map((q) => ({ q, n: table[q]?.[0] ?? 0, k: table[q]?.[1] ?? 0 }))
    .filter((m) => m.n >= FEW);
  const outcome = meta.outcome || `are ${desk.words.outputName(meta.output) || "so"}`;
  const worst = marks.reduce((most, m) => Math.max(most, Math.abs(m.k / m.n - m.q / 100)), 0);
  const said = marks.length ? `The largest gap between score and share is ${Math.round(worst * 100)} points.` : "Too few to say.";
  return html`<section class="gpart" ref=${ref}>
    <h2>Can the percentages be believed? <${Read} part="calibration" /></h2>
    <p class="cap">Score given, and share who really ${outcome}; 95% interval. On the dashed line: fully.</p>
    <svg width=${width} height=${HEIGHT} role="img" aria-label=${`Calibration of ${words.many}' scores. ${said}`}>
      <path d=${`M${x(0)} ${y(0)}L${x(1)} ${y(1)}`} class="dash" />
      ${[0, 0.5, 1].map(
        (t) => html`<text x=${x(t)} y=${HEIGHT - 10} text-anchor="middle">${percent(t)}</text
          ><text x=${LEFT - 8} y=${y(t) + 4} text-anchor="end">${percent(t)}</text><path d=${`M${LEFT} ${y(t)}H${width - RIGHT}`} class="line" />`,
      )}
      ${marks.map((m) => {
        const [low, high] = wilson(m.k, m.n);
        const tip = `Scored ${m.q - 5}\u2013${m.q + 5}%: ${percent(m.k / m.n)} ${outcome}\n${range(low, high, (v) => percent(v))}, ${count(m.n)} ${words.many}`;
        return html`<g data-tip=${tip}
          ><path d=${`M${x(m.q / 100)} ${y(low)}V${y(high)}`} class="interval" /><circle cx=${x(m.q / 100)} cy=${y(m.k / m.n)} r="3" class="point" /></g
        >`;
      })}
    </svg>
  </section>` as VNode;
}
