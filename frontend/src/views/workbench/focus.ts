// Focus that is not lost when the focused element is moved (rows reorder) or goes away (a tab is left): it returns to the
// same element, else to the view's own key target, so that the next key is still heard.

import type { Desk } from "./desk";

export interface FocusKeeper {
  /** To be called after something was drawn. */
  check(): void;
  dispose(): void;
}

export function keepFocus(desk: Desk): FocusKeeper {
  const { shadow } = desk.mounted;
  let last: HTMLElement | null = null;
  const inside = (event: Event): void => {
    if (event.target instanceof HTMLElement) last = event.target;
  };
  const outside = (event: Event): void => {
    if (!event.composedPath().includes(desk.root)) last = null;
  };
  desk.root.addEventListener("focusin", inside);
  window.addEventListener("focusin", outside, true);
  window.addEventListener("pointerdown", outside, true);
  return {
    check() {
      if (!last || shadow.activeElement || desk.dialog.peek()) return;
      const active = document.activeElement;
      if (active && active !== document.body && active !== shadow.host) return;
      const to = last.isConnected && !last.matches(":disabled") ? last : desk.find("[data-keys]");
      to?.focus({ preventScroll: true });
    },
    dispose() {
      desk.root.removeEventListener("focusin", inside);
      window.removeEventListener("focusin", outside, true);
      window.removeEventListener("pointerdown", outside, true);
    },
  };
}
