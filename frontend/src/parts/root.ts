// Where a view draws: a shadow root of its own, so that the host's styles and the view's never meet, with the styles as
// constructed sheets (no style element, so a strict Content-Security-Policy needs no exception).

import type { BaseMeta } from "./types";
import { type Theme, watchTheme } from "./theme";

export interface Mounted {
  /** Draw here: `<div class="wg" data-view=... data-theme=...>`. Search from here, never from `document`. */
  root: HTMLElement;
  shadow: ShadowRoot;
  /** The theme shown now. */
  theme(): Theme;
  /** Switches the theme by hand; null follows the host again. */
  setTheme(theme: Theme | null): void;
  /** Calls back after the theme changed (canvases redraw with the new colours). */
  onTheme(callback: (theme: Theme) => void): () => void;
  dispose(): void;
}

/** Makes the root element of a view inside `el`. `css` are whole style sheets, tokens first. */
export function mount(el: HTMLElement, css: string[], meta: BaseMeta): Mounted {
  const holder = document.createElement("div");
  holder.className = "whyglass";
  holder.style.cssText = "display:block;width:100%;height:100%";
  const shadow = holder.attachShadow({ mode: "open" });
  shadow.adoptedStyleSheets = css.map((text) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    return sheet;
  });
  const root = document.createElement("div");
  root.className = "wg";
  root.dataset["view"] = meta.view;
  root.dataset["host"] = meta.host;
  shadow.append(root);
  el.append(holder);

  let own: Theme | null = meta.theme === "light" || meta.theme === "dark" ? meta.theme : null;
  let host: Theme = "light";
  const listeners = new Set<(theme: Theme) => void>();
  const theme = (): Theme => own ?? host;
  const apply = (): void => {
    const from = own === null || own === host ? "host" : "own";
    if (root.dataset["theme"] === theme() && root.dataset["themeFrom"] === from) return;
    root.dataset["theme"] = theme();
    root.dataset["themeFrom"] = from;
    for (const callback of [...listeners]) callback(theme());
  };
  const stop = watchTheme(el, (now) => {
    host = now;
    apply();
  });
  return {
    root,
    shadow,
    theme,
    setTheme(next) {
      own = next;
      apply();
    },
    onTheme(callback) {
      listeners.add(callback);
      return () => listeners.delete(callback);
    },
    dispose() {
      stop();
      listeners.clear();
      holder.remove();
    },
  };
}
