// The workbench: cases, one case in full with what-if, and the model at large. One module for every host.

import { effect } from "@preact/signals";
import { html } from "htm/preact";
import { render as draw } from "preact";
import { connect } from "../parts/connection";
import type { AfmView, RenderProps } from "../parts/model";
import { mount } from "../parts/root";
import { attachTips } from "../parts/tooltip";
import around from "../styles/around.css";
import base from "../styles/base.css";
import panels from "../styles/panels.css";
import tokens from "../styles/tokens.css";
import style from "../styles/workbench.css";
import { App } from "./workbench/app";
import { Desk } from "./workbench/desk";
import { keepFocus } from "./workbench/focus";
import { listenKeys } from "./workbench/keys";

/** What browser tests wait on: counters on the view's own elements, never on the window. */
export interface Counters {
  /** The first case is on screen. */
  ready: boolean;
  /** Frames painted after a change of the state or an answer. */
  painted: number;
  /** Rows that have arrived. */
  loaded: number;
  /** Finished (exact or last) explanations. */
  finished: number;
  /** "page", "python", "none" or "waiting": who answers. */
  source: string;
  /** Key of the state whose answer is shown. */
  shown: string;
  /** Key of the state that is wanted. */
  wanted: string;
}

function render({ model, el }: RenderProps): () => void {
  const link = connect(model);
  const mounted = mount(el, [tokens, base, panels, style, around], link.meta);
  const height = (link.meta as { height?: unknown }).height;
  if (typeof height === "number") mounted.root.style.height = `${height}px`;
  const desk = new Desk(link, mounted);
  const tips = attachTips(mounted.root);
  desk.tips = tips;
  const counters: Counters = { ready: false, painted: 0, loaded: 0, finished: 0, source: "waiting", shown: "", wanted: "" };
  for (const node of [mounted.root, el]) (node as HTMLElement & { __wg?: Counters }).__wg = counters;
  const stage = document.createElement("div");
  stage.className = "stage";
  mounted.root.prepend(stage);
  draw(html`<${App} desk=${desk} />`, stage);
  const focus = keepFocus(desk);
  const stopCounting = effect(() => {
    counters.loaded = desk.rows.loaded.value;
    counters.finished = desk.answers.finished.value;
    counters.source = desk.answers.source.value;
    counters.shown = desk.answers.answer.value?.key ?? "";
    counters.wanted = desk.answers.key.value;
    void desk.store.state.value;
    void desk.answers.curves.value;
    requestAnimationFrame(() => {
      focus.check();
      counters.painted += 1;
      counters.ready ||= counters.loaded > 0 || desk.rows.total === 0;
    });
  });
  const stopKeys = listenKeys(desk);
  void desk.answers.start();
  void desk.rows.stream();
  return () => {
    stopKeys();
    focus.dispose();
    stopCounting();
    desk.pairs.dispose();
    desk.panels.dispose();
    desk.surrogate.dispose();
    desk.answers.dispose();
    desk.rows.dispose();
    tips.dispose();
    draw(null, stage);
    mounted.dispose();
    link.close();
  };
}

export default { render } satisfies AfmView;
