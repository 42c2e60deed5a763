// How a number is written (DESIGN-LANGUAGE section 4), the twin of write_number in core/schema.py.

import type { Column } from "./types";

export const MINUS = "\u2212";
const DASH = "\u2013";
const RAISED = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079";

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const signOf = (value: number, text: string): string => (value < 0 ? MINUS + text : text);

/** A count: 24,420. */
export function count(value: number): string {
  return signOf(Math.round(value), whole.format(Math.abs(Math.round(value))));
}

/** At most three significant digits, thousands separated, a real minus sign. */
export function number(value: number): string {
  if (Number.isNaN(value)) return "missing";
  const size = Math.abs(value);
  if (size === Infinity) return signOf(value, "\u221e");
  if (size === 0) return "0";
  let text: string;
  if (size >= 1000 || Number.isInteger(size)) text = whole.format(size);
  else if (size >= 1e-4) {
    const rounded = Number(size.toPrecision(3));
    text = rounded >= 1000 ? whole.format(rounded) : String(rounded);
  } else {
    const [digits, power] = size.toExponential(1).split("e-");
    text = `${digits}\u00d710\u207b${[...(power ?? "")].map((d) => RAISED[Number(d)]).join("")}`;
  }
  return signOf(value, text);
}

/** A percentage, whole, `<1%` and `>99%` at the ends; `digits` forces decimals. */
export function percent(p: number, digits?: number): string {
  const q = p * 100;
  if (digits !== undefined) return signOf(q, Math.abs(q).toFixed(digits)) + "%";
  if (q > 99.5 && q < 100) return ">99%";
  if (q < 0.5 && q > 0) return "<1%";
  return signOf(Math.round(q), String(Math.abs(Math.round(q)))) + "%";
}

/** A contribution in percentage points with one decimal: +11.2, −3.0; ±0.0 when it rounds to nothing. */
export function points(v: number, digits = 1): string {
  const scale = 10 ** digits;
  const q = Math.round(v * 100 * scale) / scale;
  return (q < 0 ? MINUS : q > 0 ? "+" : "\u00b1") + Math.abs(q).toFixed(digits);
}

/** A signed number with at most three significant digits: a contribution in the margin's or the target's own unit. */
export function signed(v: number): string {
  return v > 0 ? "+" + number(v) : v < 0 ? number(v) : "\u00b10";
}

/** A range with an en dash: 66–76%; with a word where an end is open: 98% to >99%. */
export function range(low: number, high: number, write: (v: number) => string = number): string {
  const [a, b] = [write(low), write(high)];
  if (a === b) return a;
  if (/^[<>]/.test(a) || /^[<>]/.test(b)) return `${a} to ${b}`;
  return a.endsWith("%") && b.endsWith("%") ? `${a.slice(0, -1)}${DASH}${b}` : `${a}${DASH}${b}`;
}

/** A number to `decimals` places, as far as three significant digits go: columns of numbers line up. */
export function fixed(value: number, decimals: number): string {
  const size = Math.abs(Number(value.toPrecision(3)));
  const most = size > 0 ? Math.max(0, 2 - Math.floor(Math.log10(size))) : decimals;
  const places = Math.max(0, Math.min(decimals, most));
  return size >= 1000 || !places || size < 1e-4 ? number(size) : size.toFixed(places);
}

/** A value with its half width: 0.929 ± 0.008. */
export function measured([value, half]: readonly [number, number], digits = 3): string {
  return `${signOf(value, Math.abs(value).toFixed(digits))} \u00b1 ${half.toFixed(digits)}`;
}

/** A number in a unit's pattern: "{} h", "${}". */
export function withUnit(unit: string, value: number): string {
  return (unit || "{}").replace("{}", () => number(value));
}

/** An encoded value as a person reads it: category names and units, never a code. */
export function write(column: Column, value: number | null): string {
  if (value === null || Number.isNaN(value)) return "missing";
  if (column.kind === "categorical") return column.categories[value] ?? "never seen before";
  return withUnit(column.unit, value);
}

/** First letter small, unless the word is an abbreviation or a name such as "HS-grad". */
export function lower(text: string): string {
  return /^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;
}

/** First letter large. */
export function upper(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Wilson's 95% interval of k in n. */
export function wilson(k: number, n: number, z = 1.96): [number, number] {
  if (!n) return [0, 1];
  const p = k / n;
  const d = 1 + (z * z) / n;
  const centre = (p + (z * z) / (2 * n)) / d;
  const half = (z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n))) / d;
  return [Math.max(0, centre - half), Math.min(1, centre + half)];
}
