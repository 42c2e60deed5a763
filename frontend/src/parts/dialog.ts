/** A native dialog that opens while it is drawn and calls back when it closes, by button, Esc or a press outside. */
import { html } from "htm/preact";
import type { ComponentChildren, VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";

export function Dialog(props: { label: string; onClose: () => void; children?: ComponentChildren }): VNode {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = ref.current;
    if (dialog && !dialog.open) dialog.showModal();
    return () => dialog?.close();
  }, []);
  const press = (event: MouseEvent): void => {
    if (event.target === ref.current) props.onClose();
  };
  return html`<dialog ref=${ref} aria-label=${props.label} onClose=${props.onClose} onClick=${press}>
    <div class="dialog-body">${props.children}</div>
  </dialog>` as VNode;
}

/** Puts text on the clipboard; gives whether it worked (a sandboxed page may refuse). */
export async function copyText(text: string, near: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "vh";
    near.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
