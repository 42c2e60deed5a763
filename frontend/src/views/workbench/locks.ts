// Moving between locks by keys.

/** The next lock or arrow, the one before. */
export function besideLock(target: Element, forward: boolean): boolean {
  const all = [...(target.closest(".locks, .changes")?.querySelectorAll<HTMLElement>("[data-lock], [data-way]") ?? [])];
  all[all.indexOf(target as HTMLElement) + (forward ? 1 : -1)]?.focus();
  return true;
}
