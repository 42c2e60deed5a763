/** Conditions of a rule: which rows meet them, and how they read. Pure. The twin of core/rules.py. */

import type { Condition } from "./panels";

export function meets(condition: Condition, categorical: boolean, value: number): boolean {
  const { low, high, codes, missing } = condition;
  if (Number.isNaN(value)) return missing;
  if (categorical) return codes.includes(value);
  if (low === null && high === null) return false;
  if (low !== null && !(condition.low_closed ? value >= low : value > low)) return false;
  return high === null || (condition.high_closed ? value <= high : value < high);
}

const either = (list: readonly string[]): string => (list.length < 2 ? (list[0] ?? "") : `${list.slice(0, -1).join(", ")} or ${list[list.length - 1]}`);

/** "hours per week is above 20 h", "education is bachelor's or master's". */
export function said(condition: Condition, categorical: boolean, name: string, write: (value: number) => string): string {
  const { low, high, low_closed, high_closed, codes, missing } = condition;
  const above = low === null ? "" : `${low_closed ? "at least" : "above"} ${write(low)}`;
  const below = high === null ? "" : `${high_closed ? "at most" : "below"} ${write(high)}`;
  const body = categorical ? either(codes.map(write)) : low !== null && low === high ? write(low) : [above, below].filter(Boolean).join(" and ");
  if (!body) return `${name} is missing`;
  return `${name} is ${body}${missing ? ", or missing" : ""}`;
}
