/** Conditions of a rule: which rows meet them, and how they read. Pure. The twin of core/rules.py. */

import type { Column } from "../../parts/types";
import type { Condition } from "./panels";

/** What the words of a condition need to know of its column. */
export type Spoken = Pick<Column, "kind" | "ordered"> & { readonly categories: readonly string[] };

export function meets(condition: Condition, categorical: boolean, value: number): boolean {
  const { low, high, codes, missing } = condition;
  if (Number.isNaN(value)) return missing;
  if (categorical) return codes.includes(value);
  if (low === null && high === null) return false;
  if (low !== null && !(condition.low_closed ? value >= low : value > low)) return false;
  return high === null || (condition.high_closed ? value <= high : value < high);
}

const either = (list: readonly string[]): string => (list.length < 2 ? (list[0] ?? "") : `${list.slice(0, -1).join(", ")} or ${list[list.length - 1]}`);

/** Categories in words: the end or ends of an unbroken run of ordered ones, else all of them. */
function among(codes: readonly number[], column: Spoken, write: (value: number) => string): string {
  const [first = -1, last = -1] = [codes[0], codes[codes.length - 1]];
  const run = column.ordered && codes.length > 1 && codes.length < column.categories.length && codes.every((code, i) => code === first + i);
  if (!run) return either(codes.map(write));
  if (first === 0) return `at most ${write(last)}`;
  return last === column.categories.length - 1 ? `at least ${write(first)}` : `from ${write(first)} to ${write(last)}`;
}

/** "hours per week is above 20 h", "employer is private or self-employed", "education is at most high school". */
export function said(condition: Condition, column: Spoken, name: string, write: (value: number) => string): string {
  const { low, high, low_closed, high_closed, codes, missing } = condition;
  const above = low === null ? "" : `${low_closed ? "at least" : "above"} ${write(low)}`;
  const below = high === null ? "" : `${high_closed ? "at most" : "below"} ${write(high)}`;
  const number = low !== null && low === high ? write(low) : [above, below].filter(Boolean).join(" and ");
  const body = column.kind === "categorical" ? among(codes, column, write) : number;
  if (!body) return `${name} is missing`;
  return `${name} is ${body}${missing ? ", or missing" : ""}`;
}
