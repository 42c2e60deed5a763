// All cases: the model at large.

import { html } from "htm/preact";
import type { VNode } from "preact";

export function AllCases(): VNode {
  return html`<section class="glob" aria-label="All cases"></section>` as VNode;
}
