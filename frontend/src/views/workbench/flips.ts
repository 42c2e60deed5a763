// The smallest changes that flip what the model says, and what may change at all: a lock for each fact, and for facts with an
// order the way in which they may go.

import { html } from "htm/preact";
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { percent, upper } from "../../parts/format";
import { Icon } from "../../parts/icons";
import type { Column, Lock } from "../../parts/types";
import { type Desk, useDesk } from "./desk";
import type { Asked, Flip, FlipsFound } from "./panels";
import { Read } from "./reading";
import type { Words } from "./words";

const MOST_LOCKS = 16;
/** A gap of this share of the distance says nothing. */
const VAGUE = 0.9;
export const ended = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);

export function Flips(): VNode | null {
  const desk = useDesk();
  const { panels, words } = desk;
  if (!panels.offers("counterfactuals")) return null;
  const shown = panels.flips.shown.value;
  const stale = shown !== null && shown.key !== panels.flips.wanted.value;
  const title = words.regression ? "Smallest changes that cross the average" : "Smallest changes that flip it";
  return html`<section class=${stale ? "sect flips stale" : "sect flips"} data-flips=${stateOf(panels.flips)}>
    <header><h2>${title}</h2><${Read} part="flips" /><span class="aux">${shown && !stale ? to(desk, shown.value) : ""}</span></header>
    ${shown && html`<${Found} found=${shown.value} stale=${stale} />`}
    <${Progress} asked=${panels.flips} words="Looking for the smallest changes" first=${!shown} />
    <${Locks} />
  </section>` as VNode;
}

/** "here", "waiting" or "failed": what tests wait on. */
export function stateOf<T>(asked: Asked<T>): string {
  if (asked.failure.value) return "failed";
  return asked.shown.value?.key === asked.wanted.value && !asked.busy.value ? "here" : "waiting";
}

/** What the flips lead to. */
function to(desk: Desk, { found }: FlipsFound): string {
  const { words, meta, rows, answers } = desk;
  if (words.regression) {
    const p = answers.prediction.value?.value ?? rows.p.value[answers.caseRow.value];
    return `to ${p > meta.base ? "at most" : "at least"} ${words.level(meta.base)}`;
  }
  const said = found[0]?.said ?? -1;
  return said < 0 ? "" : `to ${words.outputName(said)}`;
}

/** What stands in the place of an answer that is not there: that it is coming, why it is not, and how to get it. */
export function Progress<T>({ asked, words, first }: { asked: Asked<T>; words: string; first: boolean }): VNode | null {
  const failure = asked.failure.value;
  if (failure) return html`<p class="cap" role="status">${ended(failure)} <button class="link xs" onClick=${() => asked.retry()}>Ask again</button></p>` as VNode;
  if (!asked.busy.value) {
    const wanting = asked.canAsk.value && asked.shown.value?.key !== asked.wanted.value;
    return wanting ? (html`<p class="seeking"><button class="btn" data-ask onClick=${() => asked.retry()}>Ask the model</button></p>` as VNode) : null;
  }
  return html`<p class=${first ? "seeking first" : "seeking"} role="status">
    <span class="busy"><i></i>${words} <button class="link xs" onClick=${() => asked.halt()}>Stop</button></span>
  </p>` as VNode;
}

const changesOf = (flip: Flip): [number, number][] => flip.changes.map(([j, v]) => [j, v ?? NaN]);

function Found({ found, stale }: { found: FlipsFound; stale: boolean }): VNode {
  const desk = useDesk();
  const none = found.settled ? "No change was found." : "No change was found so far.";
  const some = found.found.length > 0;
  const note = stale ? "" : found.note && found.settled ? ended(some ? `With other facts: ${found.note}` : upper(found.note)) : some ? "" : none;
  const proven = some && !stale && found.found.every((flip) => flip.proven);
  const each = found.found.length > 1 ? " Each changes other facts than those above it." : "";
  return html`<div>
    ${found.found.map((flip, k) => html`<${Line} key=${k} flip=${flip} first=${k === 0} stale=${stale} />`)}
    ${note && html`<p class=${some ? "cap" : "sm"} data-flips-note>${note}</p>`}
    ${proven && html`<p class="cap" data-flips-proven data-tip=${`Among which rows\n${upper(found.against)}.`}>Proven nearest: with these locks, and among values seen in training, no smaller change flips it.${each}</p>`}
    ${!desk.answers.canEdit.value && html`<p class="cap">The model is away, so they cannot be tried.</p>`}
  </div>` as VNode;
}

/** What is not known about a flip, or nothing. */
export function trust({ proven, gap, distance }: Flip): string {
  if (proven) return "";
  if (gap === null || !(gap < VAGUE * distance)) return "The nearest found; smaller ones are not ruled out.";
  return `The nearest found; one smaller by up to ${percent(gap / distance)} is not ruled out.`;
}

function Line({ flip, first, stale }: { flip: Flip; first: boolean; stale: boolean }): VNode {
  const desk = useDesk();
  const { words, answers } = desk;
  const row = answers.current.value;
  const p = flip.p ?? NaN;
  const now = answers.prediction.value?.value ?? NaN;
  const changes = changesOf(flip);
  const text = changes.map(([j, v]) => `${words.title(j)} ${words.value(j, v)}`).join(", ");
  const [share, of] = flip.plausible;
  const doubt = stale ? "" : trust(flip);
  const tip = share === null || !of ? null : `How alike training ${words.many} are\n${percent(share)} ${of}.`;
  return html`<div class="flip">
    <div data-tip=${tip}>
      ${changes.map(([j, v]) => html`<span class="ch">${words.title(j)} <span class="muted">${row && !stale ? words.value(j, row[j]) : ""} →</span> <b>${words.value(j, v)}</b></span>`)}
      ${doubt && html`<span class="cap">${doubt}</span>`}
    </div>
    <b class=${p >= now ? "up" : "down"} data-flip-p=${String(p)}>${words.level(p)}</b>
    <button class="btn" data-try disabled=${stale || !answers.canEdit.value} aria-label=${`Try: ${text}`} data-tip=${first ? "Try the smallest\nF" : null} onClick=${() => desk.apply(changes)}>Try</button>
  </div>` as VNode;
}

/** For the key F. */
export function applySmallest(desk: Desk): void {
  const { panels } = desk;
  if (!panels.offers("counterfactuals")) return;
  const shown = panels.flips.shown.peek();
  const best = shown?.key === panels.flips.wanted.peek() ? shown.value.found[0] : undefined;
  if (desk.store.state.peek().tab !== "case" || !desk.answers.canEdit.peek()) return;
  if (best) desk.apply(changesOf(best));
  else desk.say(panels.flips.busy.peek() ? "The smallest change is still being looked for." : "No change that flips it was found.");
}

// ---- locks ----------------------------------------------------------------------------------------------------------

type Locked = { [column: string]: Lock };

/** How a fact may change where nothing was said of it. */
export const usual = (column: Column): Lock => (column.role === "protected" ? "held" : "free");
export const lockOf = (column: Column, j: number, locks: Locked | undefined): Lock => locks?.[String(j)] ?? usual(column);

/** The locks with one of them changed: only what is not as usual is written down. */
export function withLock(locks: Locked | undefined, column: Column, j: number, lock: Lock): Locked {
  const next = { ...locks };
  if (lock === usual(column)) delete next[String(j)];
  else next[String(j)] = lock;
  return next;
}

function Locks(): VNode {
  const desk = useDesk();
  const { meta, answers, store } = desk;
  const [all, setAll] = useState(false);
  const every = meta.columns.map((_, j) => j);
  const telling = new Set(answers.layoutRows.value.rows);
  const shown = all || every.length <= MOST_LOCKS ? every : every.filter((j) => telling.has(j) || lockOf(meta.columns[j], j, store.state.value.locks) !== "free");
  const rest = every.length - shown.length;
  return html`<div class="locks" role="group" aria-label="What may change">
    ${shown.map((j) => html`<${LockChip} key=${j} column=${j} words=${desk.words} locks=${store.state.value.locks} set=${(locks: Locked) => store.set({ locks })} />`)}
    ${rest > 0 && html`<button class="link xs" onClick=${() => setAll(true)}>${rest.toLocaleString("en-US")} more facts</button>`}
    <label class="xs likely"
      ><input type="checkbox" data-likely checked=${store.state.value.likely} onChange=${(e: Event) => store.set({ likely: (e.currentTarget as HTMLInputElement).checked })} /> Only
      where training ${desk.words.many} are</label
    >
  </div>` as VNode;
}

const NEXT: { [lock in Lock]: Lock } = { held: "free", free: "rises", rises: "falls", falls: "free" };
const ARROW: { [lock in Lock]: string } = { held: "", free: "↕", rises: "↑", falls: "↓" };
const WAY: { [lock in Lock]: string } = { held: "is held", free: "may rise or fall", rises: "may only rise", falls: "may only fall" };

interface ChipProps {
  column: number;
  words: Words;
  locks: Locked | undefined;
  set: (locks: Locked) => void;
  /** Where locks stand but nobody could answer a change of them. */
  off?: boolean;
}

/** A lock for a fact, and for one with an order the way in which it may go. */
export function LockChip({ column, words, locks, set, off = false }: ChipProps): VNode {
  const about = words.column(column);
  const lock = lockOf(about, column, locks);
  const held = lock === "held";
  const ordered = about.kind !== "categorical" || about.ordered;
  const title = words.title(column);
  const may = ordered ? WAY[lock] : held ? "is held" : "may change";
  const put = (to: Lock) => () => set(withLock(locks, about, column, to));
  return html`<span class=${held ? "lock held" : lock === "free" ? "lock" : "lock way"}
    ><button
      data-lock=${column}
      data-feature=${about.name}
      data-state=${lock}
      disabled=${off}
      aria-pressed=${held ? "true" : "false"}
      aria-label=${`Hold ${title}`}
      data-tip=${off ? `${title} ${may}` : `${title} ${may}\n${held ? "Press to let it change." : "Press to hold it."}`}
      onClick=${put(held ? "free" : "held")}
    >
      <${Icon} name=${held ? "lock" : "unlock"} />${title}</button
    >${!held && ordered && html`<button data-way=${column} disabled=${off} aria-label=${`${title} ${may}; press: ${WAY[NEXT[lock]]}`} data-tip=${`${title} ${may}\nPress: ${WAY[NEXT[lock]]}.`} onClick=${put(NEXT[lock])}>${ARROW[lock]}</button>`}</span
  >` as VNode;
}
