// Light or dark, as the host shows it now.

export type Theme = "light" | "dark";

const WATCHED = ["data-jp-theme-light", "data-theme", "class", "style", "data-vscode-theme-kind"];

/** The host's theme: JupyterLab and Notebook, VS Code, marimo, Streamlit, any page with a dark class, then the system. */
export function hostTheme(el: HTMLElement): Theme {
  const { body, documentElement } = document;
  const jupyter = body.dataset["jpThemeLight"];
  if (jupyter) return jupyter === "false" ? "dark" : "light";
  const code = body.dataset["vscodeThemeKind"];
  if (code) return code.includes("light") ? "light" : "dark";
  const streamlit = getComputedStyle(el).getPropertyValue("--st-background-color").trim();
  if (streamlit) return darkColour(streamlit) ? "dark" : "light";
  for (const node of [documentElement, body]) {
    if (node.dataset["theme"] === "dark" || node.classList.contains("dark")) return "dark";
    if (node.dataset["theme"] === "light" || node.classList.contains("light")) return "light";
  }
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** Calls back now and whenever the host's theme changes; gives what stops it. */
export function watchTheme(el: HTMLElement, callback: (theme: Theme) => void): () => void {
  let last: Theme | null = null;
  const look = (): void => {
    const theme = hostTheme(el);
    if (theme === last) return;
    last = theme;
    callback(theme);
  };
  const observer = new MutationObserver(look);
  for (const node of [document.documentElement, document.body]) {
    observer.observe(node, { attributes: true, attributeFilter: WATCHED });
  }
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", look);
  look();
  return () => {
    observer.disconnect();
    system.removeEventListener("change", look);
  };
}

function darkColour(text: string): boolean {
  const hex = /^#([0-9a-f]{6})/i.exec(text)?.[1];
  const parts = hex ? [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)) : (text.match(/[\d.]+/g) ?? []).map(Number);
  const [r = 255, g = 255, b = 255] = parts;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b < 128;
}
