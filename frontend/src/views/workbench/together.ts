// Pairs that act together in the case that is open, in plain words, beneath its bars.

import { html } from "htm/preact";
import type { VNode } from "preact";
import { type Desk, useDesk } from "./desk";
import { Read } from "./reading";

const MOST = 3;

/** Smaller than this is not worth a line. */
function least(desk: Desk, space: string): number {
  if (!desk.words.regression && space === "probability") return 0.005;
  const values = desk.answers.answer.value?.value.values ?? [];
  const same = desk.store.state.value.space === space;
  return same ? Math.max(...Array.from(values, Math.abs), 0) * 0.02 : 0.01;
}

export function Together(): VNode | null {
  const desk = useDesk();
  const { pairs, words, answers, store } = desk;
  const now = pairs.ofCase.value;
  if (!now) return null;
  const stale = now.key !== answers.key.value;
  const telling = now.pairs.filter((p) => Math.abs(p.value) >= least(desk, now.space)).slice(0, MOST);
  const unit = words.unitWords(now.space);
  if (!telling.length) return null;
  return html`<section class=${stale ? "together stale" : "together"} data-together aria-label="Pairs that act together">
    <h2>Pairs that act together <${Read} part="together" /></h2>
    <ul>
      ${telling.map((p) => {
        const size = words.push(p.value, now.space);
        const show = (): void => store.set({ tab: "all", fact: p.a, partner: p.b });
        const names = `${words.title(p.a)} and ${words.name(p.b)}`;
        return html`<li>
          <button class="link plain" data-together-pair=${`${p.a} ${p.b}`} data-tip=${`${names}\nShow them over all ${words.many}`} onClick=${show}>${names}</button> together:${" "}
          <b class=${p.value > 0 ? "up" : "down"}>${size}${unit && ` ${unit}`}</b> beyond what each does alone
        </li>`;
      })}
    </ul>
  </section>` as VNode;
}
