// The table of changes: a fact a row with its lock, what it is now, and what it would be in each change that flips the answer.

import { computed, effect, untracked } from "@preact/signals";
import { html } from "htm/preact";
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { number, percent, upper } from "../../parts/format";
import { ended, LockChip, lockOf, Progress, stateOf, trust } from "../workbench/flips";
import { Asked, type Flip, type FlipsFound } from "../workbench/panels";
import { Crumb, Frame, NeedsPython } from "./frame";
import { plain, read, type Room } from "./room";

type Entry = FlipsFound & { readonly status: string };
const MOST_FACTS = 14;

export class ChangesDesk {
  readonly saved: readonly Entry[];
  readonly asked: Asked<FlipsFound>;
  private predicted: Asked<{ p: number[][] }>;
  private stop: () => void;

  constructor(readonly room: Room) {
    this.saved = read<Entry[]>(room.link, "flips");
    this.asked = new Asked(room.link, "flips", 60);
    this.predicted = new Asked(room.link, "predict", 0);
    const { meta, store } = room;
    this.stop = effect(() => {
      const { locks, likely, k, edits } = store.state.value;
      const row = plain(room.row.value);
      const about = `${room.id.value}|${JSON.stringify(edits)}`;
      const asks = room.asks;
      untracked(() => {
        if (this.untouched.peek()) this.asked.stop();
        else this.asked.want(`${about}|${JSON.stringify(locks)}|${likely}|${k}`, asks ? { row, locks, likely, k } : null, meta.asks === "when pressed");
        if (Object.keys(edits).length) this.predicted.want(about, asks ? { rows: [row] } : null);
      });
    });
  }

  /** Whether what is wanted is the result that was given. */
  readonly untouched = computed(() => {
    const { locks, likely, k, edits } = this.room.store.state.value;
    const first = this.room.meta.asked;
    const same = (a: { [key: string]: unknown }, b: { [key: string]: unknown }): boolean =>
      Object.keys(a).length === Object.keys(b).length && Object.keys(a).every((key) => a[key] === b[key]);
    return !Object.keys(edits).length && first !== undefined && likely === first.likely && k === first.k && same(locks, first.locks);
  });

  dispose(): void {
    this.stop();
    this.asked.stop();
    this.predicted.stop();
  }

  shown(): { found: FlipsFound | null; stale: boolean } {
    const { room, asked } = this;
    if (this.untouched.value) return { found: this.saved[room.at.value] ?? null, stale: false };
    const answer = asked.shown.value;
    if (answer?.key === asked.wanted.value) return { found: answer.value, stale: false };
    return { found: answer?.key.startsWith(`${room.id.value}|`) ? answer.value : (this.saved[room.at.value] ?? null), stale: true };
  }

  /** What the model says of the row as it is tried; NaN while that is not known. */
  now(): number {
    const { room } = this;
    const { edits, output } = room.store.state.value;
    if (!Object.keys(edits).length) return room.rows.p[room.at.value] ?? NaN;
    const answer = this.predicted.shown.value;
    return answer?.key === this.predicted.wanted.value ? (answer.value.p[0]?.[output] ?? NaN) : NaN;
  }

  /** For the key F. */
  tryFirst(): void {
    const { found, stale } = this.shown();
    const best = found?.found[0];
    if (!this.room.asks) return this.room.say("Trying a change needs the model in Python.");
    if (best && !stale) this.room.apply(best.changes);
    else this.room.say("No change that flips it was found.");
  }
}

const listed = (parts: readonly string[]): string => (parts.length < 2 ? (parts[0] ?? "") : `${parts.slice(0, -1).join(", ")} and ${parts[parts.length - 1]}`);

/** The nearest change as one sentence that can be repeated. */
export function sentence(room: Room, found: FlipsFound, now: number): string {
  const { words, meta } = room;
  const row = room.row.value;
  const said = (p: number): string => (meta.outcome ? `${words.level(p)} likely to ${meta.outcome}` : words.regression ? words.level(p) : `${words.level(p)} for ${words.outputName(meta.output)}`);
  const first = Number.isFinite(now) ? `The model says ${said(now)}` : "";
  const best = found.found[0];
  if (!best && !found.settled) return `${first ? `${first}, and no` : "No"} change was found so far that leads to ${target(room)}.`;
  if (!best) {
    const why = found.note ? `: ${found.note}` : "";
    return `${first ? `${first}, and no` : "No"} change was found that leads to ${target(room)}${why}.`;
  }
  const changes = listed(best.changes.map(([j, v]) => `${words.name(j)} were ${words.small(j, v ?? NaN)} instead of ${words.small(j, row[j])}`));
  return `${first ? `${first}; it` : "The model"} would say ${best.p === null ? "otherwise" : first ? words.level(best.p) : said(best.p)} if ${changes}.`;
}

function target(room: Room): string {
  const { meta, words } = room;
  const at = meta.outputs.indexOf(meta.target ?? "");
  return at < 0 ? (meta.target ?? "another answer") : words.outputName(at);
}

export function ChangesPage({ desk }: { desk: ChangesDesk }): VNode {
  const { room, asked } = desk;
  const { found, stale } = desk.shown();
  const now = desk.now();
  const failed = found ? (found as Entry).status : "";
  const broken = failed && failed !== "ok";
  const edited = Object.keys(room.store.state.value.edits).length;
  const state = desk.untouched.value ? "here" : stateOf(asked);
  const mark = (k: number): string => (desk.saved[k]?.found.length ? "" : "none found");
  return html`<${Frame} room=${room} mark=${mark} keys=${[["F", "try the smallest change"], ["R", "take back what is tried"], ["L", "locks; \u2190 \u2192 from one to the next, Space presses"]]}>
    <${Crumb} room=${room}>
      ${edited > 0 && html`<b class="you" data-edits=${edited}>What-if: ${edited} change${edited > 1 ? "s" : ""}</b><button class="btn" data-reset onClick=${() => room.store.set({ edits: {} })}>Reset <kbd>R</kbd></button>`}
    <//>
    ${broken
      ? html`<p class="lead" data-sentence>This case could not be asked about: ${failed}.</p>`
      : found && html`${stale && html`<div class="lead" data-old><${Progress} asked=${asked} words="Looking for the smallest changes" first=${false} /><p class="muted sm">In grey: what was found before, under other locks or for other values.</p></div>`}<div class=${stale ? "stale old" : ""}>
          ${!stale && html`<p class="lead" data-sentence>${sentence(room, found, now)}</p>`}
          <${Changes} desk=${desk} found=${found} now=${now} stale=${stale} />
        </div>`}
    <div class="flips" data-flips=${state}>
      ${state !== "here" && !stale && html`<${Progress} asked=${asked} words="Looking for the smallest changes" first=${false} />`}
      <${Options} desk=${desk} />
      <${NeedsPython} room=${room} what="Changing a lock, or trying a change," />
    </div>
  <//>` as VNode;
}

function Changes({ desk, found, now, stale }: { desk: ChangesDesk; found: FlipsFound; now: number; stale: boolean }): VNode {
  const { room } = desk;
  const { words, meta, store } = room;
  const [all, setAll] = useState(false);
  const row = room.row.value;
  const own = room.own.value;
  const { locks, edits } = store.state.value;
  const flips = found.found;
  const touched = new Set(flips.flatMap((flip) => flip.changes.map(([j]) => j)));
  const every = meta.columns.map((_, j) => j);
  const telling = every.filter((j) => touched.has(j) || String(j) in edits || lockOf(meta.columns[j], j, locks) !== "free");
  const shown = all || every.length <= MOST_FACTS ? every : every.filter((j) => telling.includes(j) || j < Math.max(0, MOST_FACTS - telling.length));
  const rest = every.length - shown.length;
  const value = (flip: Flip, j: number): number | null | undefined => flip.changes.find(([at]) => at === j)?.[1];
  const has = (flip: Flip, j: number): boolean => flip.changes.some(([at]) => at === j);
  const text = (flip: Flip): string => flip.changes.map(([j, v]) => `${words.title(j)} ${words.value(j, v ?? NaN)}`).join(", ");
  return html`<div class="scroll"><table class="changes">
    <thead>
      <tr>
        <th scope="col">Fact</th>
        <th scope="col">Now${Number.isFinite(now) && html` <b class="num" data-prediction=${now}>${words.level(now)}</b>`}</th>
        ${flips.map((flip, k) => html`<th scope="col" key=${k}>
          <span>Change ${k + 1} <b class=${flip.p !== null && flip.p >= now ? "up" : Number.isNaN(now) ? "" : "down"} data-flip-p=${flip.p}>${flip.p === null ? "" : words.level(flip.p)}</b></span>
          ${meta.can_ask && html`<button class="btn" data-try disabled=${!room.asks || stale} aria-label=${`Try: ${text(flip)}`} data-tip=${k ? null : "Try the smallest\nF"} onClick=${() => room.apply(flip.changes)}>Try</button>`}
        </th>`)}
      </tr>
    </thead>
    <tbody>
      ${shown.map((j) => html`<tr key=${j} class=${touched.has(j) ? "on" : ""} data-feature=${meta.columns[j].name}>
        <th scope="row"><${LockChip} column=${j} words=${words} locks=${locks} off=${!room.asks} set=${(to: typeof locks) => store.set({ locks: to })} /></th>
        <td class=${String(j) in edits ? "you" : ""}>${words.value(j, row[j])}${String(j) in edits && html` <span class="muted">was ${words.value(j, own[j])}</span>`}</td>
        ${flips.map((flip) => (has(flip, j) ? html`<td><span class="muted" aria-hidden="true">→ </span><b>${words.value(j, value(flip, j) ?? NaN)}</b></td>` : html`<td class="same"><span class="vh">as it is</span></td>`))}
      </tr>`)}
      ${flips.length > 0 && !stale && html`<tr class="sum"><th scope="row" data-tip=${`How far\n${upper(ended(found.against))}`}>How far</th><td></td>${flips.map((flip) => html`<td>${number(Number(flip.distance.toPrecision(2)))} <span class="muted" data-proven=${flip.proven ? "yes" : "no"}>${flip.proven ? "proven nearest" : "nearest found"}</span></td>`)}</tr>
        <tr class="sum"><th scope="row">Like training ${words.many}</th><td></td>${flips.map(({ plausible: [share, of] }) => html`<td data-tip=${share === null || !of ? null : `How alike training ${words.many} are\n${percent(share)} ${of}.`}>${share === null ? "unknown" : percent(share)}</td>`)}</tr>`}
    </tbody>
  </table></div>
  ${rest > 0 && html`<button class="link xs" data-more onClick=${() => setAll(true)}>${rest.toLocaleString("en-US")} more facts</button>`}
  ${!stale && html`<${Notes} desk=${desk} found=${found} />`}` as unknown as VNode;
}

function Notes({ desk, found }: { desk: ChangesDesk; found: FlipsFound }): VNode {
  const { room } = desk;
  const { words, meta } = room;
  const doubts = [...new Set(found.found.map(trust).filter(Boolean))];
  const proven = found.found.length > 0 && found.found.every((flip) => flip.proven);
  const { likely } = room.store.state.value;
  return html`<div class="notes">
    ${proven && html`<p class="cap" data-flips-proven>Proven nearest: with these locks${likely ? `, among regions where training ${words.many} are,` : ""} no smaller change leads there.${found.found.length > 1 ? " Each changes another set of facts." : ""}</p>`}
    ${doubts.map((text) => html`<p class="cap">${text}</p>`)}
    ${found.note && found.settled && found.found.length > 0 && html`<p class="cap" data-flips-note>${ended(upper(found.note))}</p>`}
    ${meta.constraints && meta.constraints.length > 0 && html`<p class="cap">Also asked for: ${meta.constraints.join("; ")}.</p>`}
    <p class="cap">Smallest changes that flip the answer, never advice: they describe the model. A closed lock holds a fact; an arrow lets it go one way only.</p>
  </div>` as VNode;
}

function Options({ desk }: { desk: ChangesDesk }): VNode {
  const { room } = desk;
  const { store, words, meta } = room;
  const { likely, k } = store.state.value;
  const most = [...new Set([1, 2, 3, k, meta.asked?.k ?? 1])].sort((a, b) => a - b);
  return html`<div class="choice">
    <span class="sm" id="most-of">Show up to</span>
    <span class="seg" role="group" aria-labelledby="most-of">${most.map((n) => html`<button data-k=${n} aria-pressed=${n === k ? "true" : "false"} disabled=${!room.asks && n !== k} onClick=${() => store.set({ k: n })}>${n}</button>`)}</span>
    <label class="xs likely"><input type="checkbox" data-likely checked=${likely} disabled=${!room.asks} onChange=${(e: Event) => store.set({ likely: (e.currentTarget as HTMLInputElement).checked })} /> Only where training ${words.many} are</label>
  </div>` as VNode;
}
