// "How do I read this?": two plain sentences for each part, where it stands.

import { html } from "htm/preact";
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { type Desk, useDesk } from "./desk";

export type PartName = "map" | "scale" | "bars" | "curves" | "swarm" | "dependence" | "calibration" | "alike" | "pairs" | "together" | "flips" | "rule" | "effect" | "around";

function sentences(part: PartName, desk: Desk): string {
  const { words } = desk;
  const many = words.many;
  const chance = !words.regression;
  const texts: { [part in PartName]: string } = {
    map: `Each dot is one of the ${many}; two dots lie close together when the model's reasons for them are alike. Drag over a group to list only those.`,
    scale: chance
      ? `The needle is the prediction, on a line from 0 to 100%. The soft band says how many held-out ${many} with about this score really had the outcome, so a band around the needle means that the percentage can be believed.`
      : `The needle is the prediction, on a line from the smallest to the largest one made for these ${many}. The tick shows the average, and what was recorded where it is known.`,
    bars: `Start at the average on top and follow the bars down: each fact moves ${words.what} to the right (orange) or to the left (blue), and the last one ends at ${words.what === "the prediction" ? words.what : "that of this case"}. A bar speaks of the model's arithmetic for this case, not of cause and effect.`,
    curves: `Each curve shows what the model would say if only this fact were different, with the dot where it is now. The dotted line is ${desk.meta.decision === null ? "the average" : "the decision line"}; drag the dot to try another value.`,
    swarm: `Each dot is one of the ${many}: to the right of the line the fact raised ${words.what}, to the left it lowered it. Dark dots have high values, light dots low ones, grey where values have no order.`,
    dependence: `Across is the value of the fact, ${chance ? "upwards the points" : "upwards the amount"} that it added for each of the ${many}. Marks with whiskers are the mean with its 95% interval; two clouds of different shade hint that another fact changes its effect.`,
    calibration: `Across is the score that was given, upwards how often the outcome really happened among held-out ${many} with that score. Marks on the dashed line mean that the percentages can be taken at their word.`,
    pairs: `Each square is a pair of facts: the darker, the more the effect of one depends on the other. It says how far the two together are from the sum of what each does alone, on average over ${many}, whichever way.`,
    together: `The bars share out what facts do together evenly among them. A pair with a plus moves ${words.what} up by more than its two facts would one by one, a pair with a minus by less.`,
    flips: `Each line is a case close to this one of which the model would say otherwise, the closest first; a step is counted in the fact's own spread, another category as one. They describe the model and are no advice: held facts, with a closed lock, never change.`,
    rule: `Of cases that meet every condition the model says the same as here, as often as the precision says; the soft band is its interval. "Covers" is the share of training ${many} that meet them.`,
    effect: `The line with the band is the average of what the model would say of many ${many} if only this fact were changed, with its 95% interval; the plum line is the same for the case that is open. Dashed parts move ${many} to where no one like them is known.`,
    around: `Each bar says what the model would say more (orange) or less (blue) among ${many} drawn around this one when the fact stays as it is, as against when it differs; whiskers hold 95%. The ring is the same fact's bar in the middle: its share of the distance from the average.`,
    alike: `These lie closest to this case on the map, so the model reasons alike about them. Press one to open it.`,
  };
  return texts[part];
}

/** A small question mark that opens its two sentences beneath it. */
export function Read({ part }: { part: PartName }): VNode {
  const desk = useDesk();
  const [open, setOpen] = useState(false);
  return html`<span class="read"
    ><button class="q" data-read=${part} aria-expanded=${open ? "true" : "false"} aria-label="How do I read this?" data-tip=${open ? null : "How do I read this?"} onClick=${() => setOpen(!open)}>?</button>
    ${open && html`<span class="cap answer" role="note">${sentences(part, desk)}</span>`}</span
  >` as VNode;
}
