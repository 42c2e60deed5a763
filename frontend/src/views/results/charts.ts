// A grid of small charts on one scale, the one that moves most first: averages with their intervals, individual curves,
// accumulated effects, and pairs as heat maps. The chosen row is marked in each.

import { computed, effect, untracked } from "@preact/signals";
import { html } from "htm/preact";
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { count, number, percent, upper } from "../../parts/format";
import { type DrawnProps, farWords, limits, Lines, type Read0, readEffect, span, Strips } from "../workbench/effect";
import { Asked } from "../workbench/panels";
import { useWidth } from "../workbench/width";
import type { Words } from "../workbench/words";
import { Crumb, Frame } from "./frame";
import { Heat, type Surface } from "./heat";
import { type Chart, plain, type Room } from "./room";

const SMALL = 176;
const LARGE = 320;
const FEW_CATEGORIES = 8;
const FEW_STEPS = 16;

type Own = { [column: string]: [number[], (number | null)[]] };

/** One chart with its numbers for one output. */
export interface Drawing {
  readonly at: number;
  readonly chart: Chart;
  /** Absent for a pair. */
  readonly read: Read0 | null;
  readonly others: readonly Float32Array[];
  readonly surface: Surface | null;
  /** How far apart the lowest and the highest are. */
  readonly moves: number;
}

export class ChartsDesk {
  readonly own: Asked<Own>;
  private stop: () => void;

  constructor(readonly room: Room) {
    this.own = new Asked(room.link, "own", 60);
    this.stop = effect(() => {
      const { output } = room.store.state.value;
      const args = room.asks ? { row: plain(room.own.value), output: this.place.value } : null;
      const key = `${room.id.value}|${output}`;
      untracked(() => this.own.want(key, args, room.meta.asks === "when pressed"));
    });
  }

  dispose(): void {
    this.stop();
    this.own.stop();
  }

  /** Position of the output shown among all. */
  readonly place = computed(() => {
    const { output } = this.room.store.state.value;
    const shown = this.room.meta.shown_outputs ?? [];
    return shown.includes(output) ? output : (shown[0] ?? 0);
  });

  private numbers(name: string): Float32Array {
    const bytes = this.room.link.tables.get(name);
    return bytes ? new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2) : new Float32Array();
  }

  /** Every chart for the output shown, without the chosen row. */
  readonly drawings = computed((): Drawing[] => {
    const { meta } = this.room;
    const shown = meta.shown_outputs ?? [];
    const k = Math.max(0, shown.indexOf(this.place.value));
    const every = shown.length || 1;
    const pick = (all: Float32Array, from: number, n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => all[(from + i) * every + k] ?? NaN);
    return (meta.charts ?? []).map((chart, at) => {
      const n = chart.points.reduce((size, points) => size * points.length, 1);
      const values = pick(this.numbers(`v${at}`), 0, n);
      const known = values.filter(Number.isFinite);
      const moves = known.length ? Math.max(...known) - Math.min(...known) : 0;
      if (chart.columns.length > 1) return { at, chart, read: null, others: [], moves, surface: { values, errors: null, points: chart.points } };
      const raw = this.numbers(`e${at}`);
      const errors = raw.length ? Array.from(pick(raw, 0, n)) : null;
      const read = readEffect({ points: chart.points[0] ?? [], mean: Array.from(values), errors, away: chart.away, own: null });
      const lines = this.numbers(`l${at}`);
      return { at, chart, read, surface: null, moves, others: Array.from({ length: lines.length ? (meta.lines ?? []).length : 0 }, (_, i) => pick(lines, i * n, n)) };
    });
  });

  /** The chosen row's own curve on a chart's grid; all NaN where it is not known. */
  line(drawing: Drawing): Float64Array {
    const points = drawing.chart.points[0] ?? [];
    const none = new Float64Array(points.length).fill(NaN);
    const { room } = this;
    if (room.meta.kind === "ice") {
      const at = (room.meta.lines ?? []).indexOf(room.id.value);
      const line = at < 0 ? undefined : drawing.others[at];
      return line ? Float64Array.from(line) : none;
    }
    const answer = this.own.shown.value;
    const found = answer?.key === this.own.wanted.value ? answer.value[String(drawing.chart.columns[0])] : undefined;
    return found && found[0].length === points.length && found[0].every((v, i) => v === points[i]) ? Float64Array.from(found[1], (v) => v ?? NaN) : none;
  }
}

interface Terms {
  readonly level: (v: number) => string;
  readonly tick: (v: number) => string;
}

/** How heights are written: levels, or for accumulated effects pushes. */
function termsOf(room: Room): Terms {
  const { words, meta } = room;
  if (meta.kind !== "ale") return { level: (v) => words.level(v), tick: (v) => words.tick(v, "probability") };
  const unit = words.regression ? "" : " points";
  return { level: (v) => `${words.push(v, "probability")}${unit}`, tick: (v) => words.pushTick(v) };
}

export function sentence(desk: ChartsDesk): string {
  const { room } = desk;
  const { words, meta } = room;
  const { level } = termsOf(room);
  const order = sorted(desk.drawings.value).filter((d) => d.read);
  const first = order[0];
  if (!first?.read || !Number.isFinite(first.moves)) return "There is nothing to draw: no row could be asked about.";
  const what = meta.outcome && meta.output === desk.place.value ? `the chance to ${meta.outcome}` : words.regression ? "the prediction" : `the chance of ${words.outputName(desk.place.value)}`;
  const many = words.people(meta.used ?? meta.n_rows);
  const said = (d: Drawing): string => `${words.name(d.chart.columns[0] as number)}, ${ends(words, d, level)}`;
  const second = order[1];
  const then = second?.read && second.moves > first.moves * 0.1 ? `; then ${meta.kind === "ale" ? "along" : "with"} ${said(second)}` : "";
  const over = meta.kind === "ale" ? `Among ${many} as they are, ${what} moves most along` : `On average over ${many}, ${what} moves most with`;
  return `${over} ${said(first)}${then}.`;
}

/** "from 13% at $3,411 to 77% at $7,298". */
function ends(words: Words, { chart, read }: Drawing, level: (v: number) => string): string {
  const [j] = chart.columns as [number];
  const line = (read as Read0).mean;
  const known = Array.from(line.keys()).filter((k) => Number.isFinite(line[k]));
  const near = known.filter((k) => !(read as Read0).far[k]);
  const among = near.length > 1 ? near : known;
  const low = among.reduce((a, b) => (line[b] < line[a] ? b : a));
  const high = among.reduce((a, b) => (line[b] > line[a] ? b : a));
  const where = (k: number): string => `${level(line[k])} ${words.column(j).kind === "categorical" ? "for" : "at"} ${words.small(j, (read as Read0).points[k])}`;
  return `from ${where(low)} to ${where(high)}`;
}

/** Columns that move most first, then pairs. */
const sorted = (drawings: readonly Drawing[]): Drawing[] => [...drawings].sort((a, b) => Number(!a.read) - Number(!b.read) || b.moves - a.moves);

export function ChartsPage({ desk }: { desk: ChartsDesk }): VNode {
  const { room } = desk;
  const { words, meta, store } = room;
  const drawings = sorted(desk.drawings.value);
  const reads = drawings.flatMap((d) => (d.read ? [{ ...d.read, own: desk.line(d) }] : []));
  const all = meta.kind === "ice" ? [...reads, ...drawings.flatMap((d) => d.others.map((line) => ({ points: [], mean: Float64Array.from(line), half: new Float64Array(line.length), own: new Float64Array(), far: [] })))] : reads;
  const range = limits(words, all, meta.kind === "ale");
  const shown = meta.shown_outputs ?? [];
  const far = drawings.some((d) => d.read?.far.some(Boolean));
  const own = drawings.some((d) => d.read && desk.line(d).some(Number.isFinite));
  return html`<${Frame} room=${room} mark=${(k: number) => (meta.kind === "ice" && !(meta.lines ?? []).includes(room.rows.ids[k] as number) ? "not drawn" : "")} keys=${[["Esc", "all charts again"]]}>
    <p class="lead" data-sentence>${sentence(desk)}</p>
    <${Crumb} room=${room}>
      <span class="muted sm">${own ? "plum: its own curve, the dot where it is now" : "plum: where it is now"}</span>
      ${shown.length > 2 && html`<label class="choose"><span class="vh">Output that is shown</span>
        <select data-output value=${String(desk.place.value)} onChange=${(e: Event) => store.set({ output: Number((e.currentTarget as HTMLSelectElement).value) })}>
          ${shown.map((k) => html`<option value=${String(k)} selected=${k === desk.place.value}>${words.outputName(k)}</option>`)}
        </select></label>`}
    <//>
    <div class="charts" data-curves=${meta.kind}>
      ${drawings.map((d) => html`<${Figure} key=${d.at} desk=${desk} drawing=${d} range=${range} />`)}
    </div>
    <div class="notes">
      <p class="cap">${kindWords(room)}</p>
      ${far && html`<p class="cap" data-effect-far>Dashed, shaded and hollow: ${farWords(words)}</p>`}
    </div>
  <//>` as VNode;
}

function kindWords(room: Room): string {
  const { meta, words } = room;
  const n = meta.lines?.length ?? 0;
  const rows = words.people(meta.used ?? meta.n_rows);
  const band = `the grey band, or the whisker, is the 95% interval of the average over ${words.many} like these`;
  if (meta.kind === "ice") return `Each thin line is one of ${words.people(n)}${n < (meta.used ?? n) ? ` drawn at random from ${count(meta.used ?? n)}` : ""}; the strong line is the average over all ${rows}, ${band}. ${scaleWords(room)}`;
  if (meta.kind === "ale") return `Steps between neighbouring values, judged only among ${words.many} who are near them, added up and centred at nil; ${band}. ${scaleWords(room)}`;
  return `The line, or the dot: what the model would say on average if only this fact were changed for all ${rows}; ${band}. ${scaleWords(room)} It speaks of the model, not of cause and effect.`;
}

/** Which charts can be compared by eye. */
function scaleWords({ meta }: Room): string {
  const pairs = (meta.charts ?? []).filter((chart) => chart.columns.length > 1).length;
  const axes = "Every axis of answers runs over the same range.";
  return `${pairs < (meta.charts ?? []).length ? axes : ""}${pairs ? " The colours of a pair run over its own." : ""}`.trim();
}

function Figure({ desk, drawing, range }: { desk: ChartsDesk; drawing: Drawing; range: readonly [number, number] }): VNode {
  const { room } = desk;
  const { words, meta, store } = room;
  const { chart, read, surface } = drawing;
  const large = store.state.value.chart === drawing.at;
  const [ref, width] = useWidth(300);
  const [a, b] = chart.columns as [number, number];
  const { level, tick } = termsOf(room);
  const title = surface ? `${words.title(a)} and ${words.name(b)}` : words.title(a);
  const press = (): void => store.set({ chart: large ? -1 : drawing.at });
  const line = desk.line(drawing);
  const whole = useMemo(() => (read ? { ...read, own: line } : null), [read, line.join()]);
  const label = whole ? `${title}: ${span(words, a, whole, whole.mean, level)}` : title;
  const now = room.own.value[a] ?? NaN;
  const strength = chart.strength?.[Math.max(0, (meta.shown_outputs ?? []).indexOf(desk.place.value))];
  const drawn = { read: whole, column: a, words, width, label, now, limits: range, mine: `case #${room.id.value}`, tick } as DrawnProps;
  return html`<figure class=${large ? "chart large" : "chart"} ref=${ref} data-feature=${meta.columns[a].name} data-chart=${drawing.at} data-pair-with=${surface ? meta.columns[b].name : null}>
    <figcaption>
      <button data-enlarge aria-expanded=${large ? "true" : "false"} aria-label=${`${title}: ${large ? "all charts again" : "enlarge"}`} onClick=${press}><b>${title}</b></button>
      <span class="cap">${surface ? pairWords(strength, meta.kind === "ale") : whole ? upper(span(words, a, whole, whole.mean, level)) : ""}</span>
    </figcaption>
    ${surface
      ? html`<${Heat} surface=${surface} columns=${[a, b]} words=${words} width=${width} height=${large ? 380 : 220} centred=${meta.kind === "ale"} level=${level} now=${[now, room.own.value[b] ?? NaN]} />`
      : meta.columns[a].kind === "categorical"
        ? html`<${Strips} ...${drawn} note=${false} most=${large ? 99 : meta.columns[a].ordered ? FEW_STEPS : FEW_CATEGORIES} />`
        : html`<${Lines} ...${drawn} height=${large ? LARGE : SMALL} all=${large ? `average of ${count(meta.used ?? meta.n_rows)}` : ""} others=${drawing.others} />`}
  </figure>` as VNode;
}

const pairWords = (strength: number | null | undefined, ale: boolean): string =>
  strength === null || strength === undefined ? (ale ? "What the two do together beyond each alone" : "") : `${percent(strength * strength)} of how they move it together is interaction (H ${number(strength)})`;
