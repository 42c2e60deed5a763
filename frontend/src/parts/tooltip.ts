/**
 * One tooltip for a whole view: any element with data-tip gets it on hover and on keyboard focus. Lines are parted by
 * newlines; the first is bold. Text only.
 */

export interface Tips {
  /** The layer element; append it to the view's root. */
  readonly layer: HTMLElement;
  show(text: string, clientX: number, clientY: number, above?: boolean): void;
  hide(): void;
  dispose(): void;
}

const tipOf = (event: Event): HTMLElement | null => {
  const target = event.target;
  return target instanceof Element ? target.closest<HTMLElement>("[data-tip]") : null;
};

/** Locks stand in rows that are gone down one by one: a tip must not hide the next. */
const isLock = (target: Element): boolean => target.matches("[data-lock], [data-way]");

/** Watches `root` (positioned, so that the layer stays inside the view in any host). */
export function attachTips(root: HTMLElement): Tips {
  const layer = document.createElement("div");
  layer.className = "tip";
  layer.setAttribute("role", "tooltip");
  root.append(layer);

  const show = (text: string, clientX: number, clientY: number, above = false): void => {
    const lines = text.split("\n").map((line, i) => {
      const node = document.createElement(i ? "div" : "b");
      node.textContent = line;
      return node;
    });
    layer.replaceChildren(...lines);
    const box = root.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = layer;
    const below = clientY - box.top + 18;
    layer.style.left = `${Math.max(8, Math.min(box.width - width - 8, clientX - box.left + 14))}px`;
    layer.style.top = `${above || below + height > box.height ? Math.max(4, clientY - box.top - height - 12) : below}px`;
    layer.classList.add("on");
  };
  const hide = (): void => layer.classList.remove("on");

  const over = (event: MouseEvent): void => {
    const target = tipOf(event);
    if (target) show(target.dataset["tip"] ?? "", event.clientX, event.clientY, isLock(target));
    else hide();
  };
  const focus = (event: FocusEvent): void => {
    const target = tipOf(event);
    if (!target?.matches(":focus-visible")) return hide();
    const box = target.getBoundingClientRect();
    show(target.dataset["tip"] ?? "", box.left, isLock(target) ? box.top + 8 : box.bottom - 10, isLock(target));
  };
  root.addEventListener("mouseover", over);
  root.addEventListener("mouseleave", hide);
  root.addEventListener("focusin", focus);
  root.addEventListener("focusout", hide);
  return {
    layer,
    show,
    hide,
    dispose() {
      root.removeEventListener("mouseover", over);
      root.removeEventListener("mouseleave", hide);
      root.removeEventListener("focusin", focus);
      root.removeEventListener("focusout", hide);
      layer.remove();
    },
  };
}
