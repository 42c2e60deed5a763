// The what-if curve: the prediction over the values a fact could have. Drag the dot, or focus it and use the arrows.

import { html } from "htm/preact";
import type { VNode } from "preact";
import { useMemo, useRef } from "preact/hooks";
import { type CurveColumn, heightAt, neighbour, paths, place, valueAt } from "../../parts/curve";
import type { Curve as CurveData } from "./answers";
import { type Desk, useDesk } from "./desk";
import { rangeOf } from "./scale";

let clips = 0;

interface Props {
  column: number;
  value: number;
  original: number;
  edited: boolean;
}

/** Predictions as 0..1 of the scale's height. */
function toShare(desk: Desk): (v: number) => number {
  if (!desk.words.regression) return (v) => v;
  const { lo, hi } = rangeOf(desk);
  return (v) => (v - lo) / (hi - lo || 1);
}

export function Curve(props: Props): VNode {
  const desk = useDesk();
  const shown = desk.answers.curves.value;
  const curve = shown?.value.get(props.column);
  if (!curve) {
    const waiting = desk.answers.source.value !== "none";
    return html`<div class="cv none">${waiting ? "" : html`<span class="cap">needs the model</span>`}</div>` as VNode;
  }
  return html`<${Drawn} ...${props} curve=${curve} stale=${shown?.key !== desk.answers.key.value} />` as VNode;
}

function Drawn({ column, value, original, edited, curve, stale }: Props & { curve: CurveData; stale: boolean }): VNode {
  const desk = useDesk();
  const { answers, words, meta } = desk;
  const id = useMemo(() => `clip${(clips += 1)}`, []);
  const box = useRef<HTMLDivElement>(null);
  const dragging = useRef(false);
  const share = toShare(desk);
  const p = answers.prediction.value?.value ?? NaN;
  const now = share(p);
  const { axis } = curve;
  const { line, area } = paths(axis, Array.from(curve.values, share), now);
  const canEdit = answers.canEdit.value;
  const kind = stepping(desk, column);
  const decision = meta.decision ?? (meta.base === null ? null : share(meta.base));
  const y = heightAt(now);
  const x = 100 * place(axis, value);
  const before = edited ? heightAt(share(at(curve, original))) : 0;

  const follow = (e: PointerEvent): void => {
    const rect = box.current?.getBoundingClientRect();
    if (!rect) return;
    const to = valueAt(axis, kind, (e.clientX - rect.left) / rect.width);
    if (to !== value || !canEdit) desk.edit(column, to);
  };
  const down = (e: PointerEvent): void => {
    if (e.button !== 0) return;
    e.preventDefault();
    const input = e.currentTarget as HTMLInputElement;
    input.focus({ preventScroll: true });
    input.setPointerCapture(e.pointerId);
    dragging.current = true;
    follow(e);
  };
  const probe = desk.probe.value;
  const seen = !canEdit && probe?.column === column && probe.key === answers.key.value ? probe.value : null;
  const span = Math.max(1, axis.stops.length - 1);
  const rank = nearestRank(axis.stops, seen ?? value);
  const tip = `${words.title(column)}: ${words.value(column, value)}\n${canEdit ? "Drag, or use the arrow keys." : "Computed beforehand: drag along it to read it."}`;
  return html`<div class=${stale ? "cv stale" : "cv"} ref=${box} data-tip=${tip}>
    <svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
      <defs>
        <clipPath id=${`${id}u`}><rect x="0" y="-10" width="100" height=${y + 10} /></clipPath>
        <clipPath id=${`${id}d`}><rect x="0" y=${y} width="100" height=${110 - y} /></clipPath>
      </defs>
      ${decision !== null && html`<path class="cl" d=${`M0 ${heightAt(decision)}H100`} />`}
      <path class="cu" d=${area} clip-path=${`url(#${id}u)`} />
      <path class="cd" d=${area} clip-path=${`url(#${id}d)`} />
      <path class="cp" d=${line} />
    </svg>
    ${edited && html`<i class="was" style=${{ left: `${100 * place(axis, original)}%`, top: `${before}%` }}></i>`}
    ${seen !== null && html`<i class="was" style=${{ left: `${100 * place(axis, seen)}%`, top: `${heightAt(share(at(curve, seen)))}%` }}></i>`}
    <i class=${Number.isNaN(value) ? "dot hollow" : "dot"} style=${{ left: `${x}%`, top: `${y}%` }}></i>
    <input
      type="range"
      data-control=${column}
      min="0"
      max=${span}
      step="1"
      value=${rank}
      aria-label=${`What if ${words.name(column)} were different`}
      aria-valuetext=${seen === null ? `${words.value(column, value)}, prediction ${words.level(p)}` : `${words.value(column, seen)}, prediction ${words.level(at(curve, seen))}`}
      onInput=${(e: Event) => !dragging.current && desk.edit(column, axis.stops[Number((e.currentTarget as HTMLInputElement).value)])}
      onPointerDown=${down}
      onPointerMove=${(e: PointerEvent) => dragging.current && follow(e)}
      onPointerUp=${() => (dragging.current = false)}
      onPointerCancel=${() => (dragging.current = false)}
    />
  </div>` as VNode;
}

/** Saved curves stop only where they were computed. */
function stepping(desk: Desk, column: number): CurveColumn {
  const own = desk.answers.curveColumn(column);
  return desk.answers.canEdit.value ? own : { ...own, integer: false };
}

function nearestRank(stops: readonly number[], value: number): number {
  let best = 0;
  let gap = Infinity;
  stops.forEach((stop, k) => {
    if (Math.abs(stop - value) < gap) [best, gap] = [k, Math.abs(stop - value)];
  });
  return best;
}

/** The curve's prediction at a value, between stops on a straight line. */
export function at(curve: CurveData, value: number): number {
  const { stops, steps } = curve.axis;
  if (Number.isNaN(value)) return curve.missing;
  let k = 0;
  while (k < stops.length - 1 && stops[k + 1] <= value) k += 1;
  if (steps || k === stops.length - 1 || stops[k + 1] === stops[k]) return curve.values[k];
  const t = Math.max(0, Math.min(1, (value - stops[k]) / (stops[k + 1] - stops[k])));
  return curve.values[k] * (1 - t) + curve.values[k + 1] * t;
}

/** The arrow, page, home and end keys on a control. Gives whether the key was one of them. */
export function stepControl(desk: Desk, column: number, key: string): boolean {
  const curve = desk.answers.curves.peek()?.value.get(column);
  const probe = desk.probe.peek();
  const probed = !desk.answers.canEdit.peek() && probe?.column === column && probe.key === desk.answers.key.peek();
  const now = probed ? probe.value : desk.answers.current.peek()?.[column];
  if (!curve || now === undefined) return false;
  const kind = stepping(desk, column);
  const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 5, PageDown: -5 }[key];
  const { stops } = curve.axis;
  if (by !== undefined) desk.edit(column, neighbour(curve.axis, kind, now, by));
  else if (key === "Home") desk.edit(column, stops[0]);
  else if (key === "End") desk.edit(column, stops[stops.length - 1]);
  else return false;
  return true;
}
