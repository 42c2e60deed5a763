/** Where every bar of the waterfall stands: pure arithmetic, in fractions of the width. */

export interface Step {
  /** Columns that this bar speaks for; more than one in the "14 more" row. */
  readonly columns: readonly number[];
  readonly value: number;
  /** Standard error, 0 when exact. */
  readonly error: number;
  /** The same step of the original or pinned case. */
  readonly ghost: number | null;
}

export interface Span {
  readonly left: number;
  readonly width: number;
}

export interface Bar {
  readonly up: boolean;
  /** Whether its 95% interval leaves out zero. */
  readonly sure: boolean;
  readonly span: Span;
  readonly end: number;
  readonly whisker: Span | null;
  readonly ghost: Span | null;
  /** Distance of the label from that side, as a fraction. */
  readonly label: { readonly side: "left" | "right"; readonly at: number };
}

export interface Layout {
  readonly lo: number;
  readonly hi: number;
  readonly base: number;
  readonly ticks: readonly number[];
  readonly bars: readonly Bar[];
}

export interface LayoutOptions {
  /** Limits that no tick may cross: [0, 1] for probabilities. */
  readonly limits: readonly [number, number] | null;
  /** Smallest span shown, so that a quiet case does not look dramatic. */
  readonly least: number;
  /** Share of the width that a label needs. */
  readonly labelRoom: number;
  /** Whiskers shorter than this (half width) are not drawn. */
  readonly hideWhisker: number;
}

const Z95 = 1.959964;

/** A step of 1, 2 or 5 times a power of ten, such that about `count` of them fill `span`. */
export function niceStep(span: number, count: number): number {
  if (!(span > 0) || !Number.isFinite(span)) return 1;
  const raw = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const ratio = raw / power;
  return (ratio > 5 ? 10 : ratio > 2 ? 5 : ratio > 1 ? 2 : 1) * power;
}

export function ticksBetween(lo: number, hi: number, count: number): number[] {
  const step = niceStep(hi - lo, count);
  const out: number[] = [];
  for (let k = Math.ceil(lo / step - 1e-9); k * step <= hi + step * 1e-9; k += 1) out.push(Number((k * step).toPrecision(12)));
  return out;
}

function extent(base: number, prediction: number, steps: readonly Step[]): [number, number] {
  let at = base;
  let lo = Math.min(base, prediction);
  let hi = Math.max(base, prediction);
  for (const step of steps) {
    const reach = Z95 * step.error;
    const ends = [at, at + step.value - reach, at + step.value + reach];
    if (step.ghost !== null) ends.push(at + step.ghost);
    lo = Math.min(lo, ...ends);
    hi = Math.max(hi, ...ends);
    at += step.value;
  }
  return [lo, hi];
}

function domain(lo0: number, hi0: number, options: LayoutOptions): [number, number] {
  const pad = Math.max((hi0 - lo0) * 0.08, options.least * 0.1);
  const grain = niceStep(Math.max(hi0 - lo0, options.least), 8);
  let lo = Math.floor((lo0 - pad) / grain) * grain;
  let hi = Math.ceil((hi0 + pad) / grain) * grain;
  if (options.limits) {
    lo = Math.max(options.limits[0], lo);
    hi = Math.min(options.limits[1], hi);
  }
  if (hi - lo < options.least) {
    const grow = options.least - (hi - lo);
    hi += grow / 2;
    lo -= grow / 2;
    if (options.limits) {
      if (lo < options.limits[0]) [lo, hi] = [options.limits[0], options.limits[0] + options.least];
      if (hi > options.limits[1]) [lo, hi] = [options.limits[1] - options.least, options.limits[1]];
    }
  }
  return [lo, hi];
}

/** Lays the steps end to end from `base`; the last end is the prediction (to sampling error). */
export function layOut(base: number, prediction: number, steps: readonly Step[], options: LayoutOptions): Layout {
  const [lo, hi] = domain(...extent(base, prediction, steps), options);
  const x = (v: number): number => Math.max(0, Math.min(1, (v - lo) / (hi - lo)));
  const span = (a: number, b: number): Span => ({ left: x(Math.min(a, b)), width: Math.abs(x(b) - x(a)) });
  let at = base;
  const bars = steps.map((step): Bar => {
    const end = at + step.value;
    const reach = Z95 * step.error;
    const main = span(at, end);
    const whisker = reach > options.hideWhisker ? span(end - reach, end + reach) : null;
    const visible = step.ghost !== null && Math.abs(step.ghost - step.value) > (hi - lo) * 0.008;
    const ghost = visible ? span(at, at + (step.ghost as number)) : null;
    const parts = [main, whisker, ghost].filter((s): s is Span => s !== null);
    const right = Math.max(...parts.map((s) => s.left + s.width));
    const left = Math.min(...parts.map((s) => s.left));
    const fitsRight = 1 - right >= options.labelRoom;
    const label = fitsRight || 1 - right >= left ? ({ side: "left", at: right } as const) : ({ side: "right", at: 1 - left } as const);
    at = end;
    return { up: step.value >= 0, sure: step.error === 0 || Math.abs(step.value) > reach, span: main, end: x(end), whisker, ghost, label };
  });
  return { lo, hi, base: x(base), ticks: ticksBetween(lo, hi, 5), bars };
}

/** The order of the rows and which of them fold into one: up to `most` rows stay, beyond that the ten largest do. */
export function foldRows(order: readonly number[], most: number, keep: number, expanded: boolean): { rows: number[]; rest: number[] } {
  if (expanded || order.length <= most) return { rows: [...order], rest: [] };
  return { rows: order.slice(0, keep), rest: order.slice(keep) };
}

/** Columns by size of contribution, largest first; ties keep the schema's order. */
export function bySize(values: ArrayLike<number>): number[] {
  return Array.from({ length: values.length }, (_, j) => j).sort((a, b) => Math.abs(values[b] ?? 0) - Math.abs(values[a] ?? 0) || a - b);
}
