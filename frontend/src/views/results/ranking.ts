// Facts by size, each with its interval: LIME's coefficients of the row that is chosen, or what predictions lose at large when a
// fact says nothing.

import { html } from "htm/preact";
import type { VNode } from "preact";
import { strongest, sure } from "../../parts/agreement";
import { aligned } from "../../parts/container";
import { MINUS, number, percent } from "../../parts/format";
import { type BarRow, Bars, bin, drawn, type Edges, ranked, Strongest, TIES, toneOf, worth } from "../workbench/bars";
import { Crumb, Frame } from "./frame";
import type { ResultMeta, Room } from "./room";

const Z95 = 1.96;

export interface RankingMeta extends ResultMeta {
  facts: { name: string; title: string; columns: number[] }[];
  /** Per carried row "ok" or why there is nothing. */
  status: string[];
  edges: Edges;
  draws: number;
  /** The last output alone travels; the other is its mirror. */
  mirrored: boolean;
  /** Permutation importance: the loss, its name, how many rows it was measured on, how often values were handed on. */
  importance: { metric: string; base: number | null; rows: number; permutations: string } | null;
}

export class RankingDesk {
  readonly meta: RankingMeta;
  private values: Float32Array;
  private errors: Float32Array | null;
  private fits: Float32Array;
  private ties: Uint8Array | undefined;

  constructor(readonly room: Room) {
    this.meta = room.meta as RankingMeta;
    const floats = (name: string): Float32Array => {
      const bytes = aligned(room.link.tables.get(name) ?? new Uint8Array(0));
      return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    };
    this.values = floats("values");
    this.errors = room.link.tables.has("errors") ? floats("errors") : null;
    this.fits = floats("r2");
    this.ties = room.link.tables.get("tied");
  }

  /** What is said of the chosen row and output: values, standard errors (NaN unknown), held-out R squared, whose place by size is not certain. */
  shown(): { values: number[]; errors: number[] | null; r2: number; tied: boolean[] } {
    const { meta, room } = this;
    const outputs = meta.mirrored ? 1 : meta.outputs.length;
    const output = Math.min(room.store.state.value.output, meta.outputs.length - 1);
    const at = room.at.value * outputs + (meta.mirrored ? 0 : output);
    const turned = meta.mirrored && output === 0 ? -1 : 1;
    const width = meta.facts.length;
    const part = (all: Float32Array): number[] => Array.from(all.subarray(at * width, (at + 1) * width));
    return {
      values: part(this.values).map((v) => turned * (v || 0) || 0),
      errors: this.errors && part(this.errors),
      r2: this.fits[at] ?? NaN,
      tied: Array.from({ length: width }, (_, j) => this.ties?.[at * width + j] === 1),
    };
  }
}

export function RankingPage({ desk }: { desk: RankingDesk }): VNode {
  const { room, meta } = desk;
  const status = meta.status[room.at.value] ?? "ok";
  const mark = (k: number): string => (meta.status[k] === "ok" ? "" : "failed");
  return html`<${Frame} room=${room} mark=${mark} keys=${[]}>
    ${!meta.importance && html`<${Crumb} room=${room}><${Output} desk=${desk} /><//>`}
    <div class="ranking" data-ranking=${meta.importance ? "importance" : String(room.id.value)}>
      ${status !== "ok" ? html`<p class="lead" data-sentence>This case could not be asked about: ${status}.</p>` : meta.importance ? html`<${AtLarge} desk=${desk} />` : html`<${Around} desk=${desk} />`}
    </div>
  <//>` as VNode;
}

/** Which of several outputs is meant. */
function Output({ desk }: { desk: RankingDesk }): VNode | null {
  const { room, meta } = desk;
  if (meta.outputs.length < 2) return null;
  const { output } = room.store.state.value;
  return html`<label class="choose"><span class="vh">Output that is explained</span>
    <select data-output value=${String(output)} onChange=${(e: Event) => room.store.set({ output: Number((e.currentTarget as HTMLSelectElement).value) })}>
      ${meta.outputs.map((name, k) => html`<option value=${String(k)} selected=${k === output}>${name}</option>`)}
    </select></label>` as VNode;
}

function Around({ desk }: { desk: RankingDesk }): VNode {
  const { room, meta } = desk;
  const { words } = room;
  const { values, errors, r2, tied } = desk.shown();
  const space = meta.space === "margin" ? "margin" : "probability";
  const row = room.own.value;
  const certain = sure(values, errors);
  const first = strongest(values, values.length);
  const order = [...first, ...Array.from(values.keys()).filter((j) => !first.includes(j))];
  const unit = words.unitWords(space);
  const line = (j: number): BarRow => {
    const value = values[j] as number;
    const half = Z95 * (errors?.[j] || 0);
    const spread = half ? `± ${words.spread(half, space)}` : "";
    const written = words.push(value, space);
    const title = meta.facts[j]?.title ?? "";
    return {
      feature: meta.facts[j]?.name ?? "", title, note: ranked(bin(words, meta.edges, j, row[j] ?? NaN), tied[j] ?? false), value, half,
      tone: toneOf(certain[j] ?? false, value, written), written, spread: "", ring: NaN, other: spread, tip: `${title}\nKept: ${written} ${spread}${unit && ` ${unit}`}.`, against: false,
    };
  };
  const { output } = room.store.state.value;
  const p = output === meta.output ? room.rows.p[room.at.value] : null;
  const about = meta.outcome && output === meta.output ? ` likely to ${meta.outcome}` : meta.outputs.length > 1 ? ` for ${words.outputName(output)}` : "";
  const level = Math.max(0, r2);
  return html`<div>
    <p class="lead" data-sentence>${typeof p === "number" && html`The model says <b>${words.level(p)}${about}</b>. `}<${Strongest} words=${words} edges=${meta.edges} space=${space} row=${row} values=${values} certain=${certain} first=${first} spread=${errors} /></p>
    ${Number.isFinite(r2)
      ? html`<div class="share"><span>Explained</span><div class="iv" role="img" aria-label=${`Explained ${percent(level)}`}><i class="tr"></i><i class="rg" style=${{ left: 0, width: `${100 * level}%` }}></i><i class="pt" style=${{ left: `${100 * level}%` }}></i></div><b data-r2=${String(r2)}>${percent(level)}</b></div>
        <p class="cap">Adding up such effects explains that much of what the model does around here, on draws that were not used to find them: ${worth(level)}.</p>`
      : html`<p class="cap">Nothing says how well such effects add up to what the model does around here.</p>`}
    <${Bars} rows=${order.map(line)} heads=${["kept", errors ? "95%" : ""]} />
    <p class="cap">${unit ? `In ${unit}. ` : ""}${drawn(words, meta.draws, errors !== null)}${tied.some(Boolean) ? TIES : ""} The bars say what goes with keeping a fact, not what it causes, and do not add up to the prediction.</p>
  </div>` as VNode;
}

/** A fact inside a sentence; a group is called what it was called. */
function nameOf({ meta, room }: RankingDesk, at: number): string {
  const fact = meta.facts[at];
  const own = fact?.columns.length === 1 && fact.title === room.words.title(fact.columns[0] as number);
  return own ? room.words.name(fact.columns[0] as number) : (fact?.title ?? "");
}

/** A change of the loss beside the loss itself. */
function relative(share: number): string {
  if (share >= 9) return `${number(share + 1)} times as large`;
  const size = percent(Math.abs(share));
  return size === "<1%" ? "less than 1%" : `${share < 0 && size !== "0%" ? MINUS : "+"}${size}`;
}

/** How much worse predictions get, over all rows. */
function AtLarge({ desk }: { desk: RankingDesk }): VNode {
  const { room, meta } = desk;
  const { words } = room;
  const { metric, base, rows, permutations } = meta.importance as NonNullable<RankingMeta["importance"]>;
  const { values, errors } = desk.shown();
  const shares = metric === "share wrong";
  const half = (j: number): number => Z95 * (errors?.[j] || 0);
  // All to the same place: the largest keeps three digits.
  const most = Math.max(...values.map(Math.abs), 1e-300);
  const places = Math.max(0, Math.min(12, 2 - Math.floor(Math.log10(most))));
  const size = (v: number): string => (shares ? Math.abs(v * 100).toFixed(1) : places ? Math.abs(v).toFixed(places) : number(Math.abs(v)));
  const write = (v: number): string => (Number(size(v)) === 0 ? "\u00b1" : v < 0 ? MINUS : "+") + size(v);
  const level = base === null ? "" : shares ? percent(base, 1) : number(base);
  const certain = values.map((v, j) => v > 0 && (errors === null || v > half(j)));
  const order = Array.from(values.keys()).sort((a, b) => (values[b] as number) - (values[a] as number) || a - b);
  const line = (j: number): BarRow => {
    const value = values[j] as number;
    const title = meta.facts[j]?.title ?? "";
    const note = (meta.facts[j]?.columns.length ?? 1) > 1 ? meta.facts[j]?.columns.map((c) => words.title(c)).join(", ") : base ? relative(value / Math.abs(base)) : "";
    const spread = half(j) ? `± ${size(half(j))}` : "";
    return { feature: meta.facts[j]?.name ?? "", title, note: note ?? "", value, half: half(j), tone: certain[j] ? "k" : "n", written: write(value), spread: "", ring: NaN, other: spread, tip: `${title}\n${write(value)} ${spread}`, against: false };
  };
  const top = order[0];
  const others = words.many;
  const unit = shares ? " points" : "";
  return html`<div>
    <p class="lead" data-sentence>
      ${top === undefined || !certain[top]
        ? `No fact stands out: when any one of them is handed from some ${others} to others, the ${metric} of ${level} grows no more than chance would have it.`
        : html`The model leans most on <b>${nameOf(desk, top)}</b>: with its values handed to other ${others}, the ${metric} would go up from ${level} by <b>${size(values[top] as number)}${unit}</b>${half(top) ? ` (± ${size(half(top))})` : ""}.`}
    </p>
    <${Bars} rows=${order.map(line)} heads=${[shares ? "points worse" : "worse by", errors ? "95%" : ""]} />
    <p class="cap">Measured on ${words.people(rows)} with a recorded outcome${permutations === "all" ? ", over all ways of handing values on" : `, values handed on ${permutations} times`}. Pale bars cannot be told from nothing. Facts that move together can stand in for each other: each then looks less important than they are together.</p>
  </div>` as VNode;
}
