// The whole workbench: bar, rail, case or all cases, layers.

import { html } from "htm/preact";
import type { VNode } from "preact";
import { AllCases } from "./all";
import { Centre } from "./centre";
import { type Desk, DeskProvider, useDesk } from "./desk";
import { Dialogs, Toast } from "./dialogs";
import { Rail } from "./rail";
import { Side } from "./side";
import { TopBar } from "./topbar";

export function App({ desk }: { desk: Desk }): VNode {
  return html`<${DeskProvider} value=${desk}><${Frame} /><//>` as VNode;
}

function Frame(): VNode {
  const desk = useDesk();
  const { tab } = desk.store.state.value;
  const home = (e: MouseEvent): void => {
    // A press on nothing in particular still makes the view the one that hears the keys.
    const target = e.target as Element;
    if (!target.closest("button, input, select, textarea, a, [tabindex], dialog")) desk.find("[data-keys]")?.focus({ preventScroll: true });
  };
  return html`<div class="frame" onClick=${home}>
    <input class="vh" data-keys readonly aria-label=${`Keys of the view ${desk.meta.title}; press ? for the list`} />
    <${TopBar} />
    <main class=${tab === "all" ? "desk all" : "desk"}>
      <${Rail} />
      ${tab === "all" ? html`<${AllCases} />` : html`<${Centre} /><${Side} />`}
    </main>
    <${Toast} /><${Dialogs} />
  </div>` as VNode;
}
