// Results on their own: rules, counterfactuals, curves. One module for the three, and for every host.

import { effect } from "@preact/signals";
import { html } from "htm/preact";
import { render as draw, type VNode } from "preact";
import { connect } from "../parts/connection";
import type { AfmView, RenderProps } from "../parts/model";
import { mount } from "../parts/root";
import { attachTips } from "../parts/tooltip";
import around from "../styles/around.css";
import base from "../styles/base.css";
import panels from "../styles/panels.css";
import ranking from "../styles/ranking.css";
import style from "../styles/results.css";
import tokens from "../styles/tokens.css";
import { ChangesDesk, ChangesPage } from "./results/changes";
import { ChartsDesk, ChartsPage } from "./results/charts";
import { listenKeys } from "./results/keys";
import { RankingDesk, RankingPage } from "./results/ranking";
import { type ResultMeta, Room } from "./results/room";
import { RuleDesk, RulePage } from "./results/rule";

interface Page {
  /** Draws again whatever of the state it reads. */
  show: () => VNode;
  keys: { [key: string]: () => void };
  dispose: () => void;
}

const PAGES: { [view: string]: (room: Room) => Page } = {
  rules: (room) => {
    const desk = new RuleDesk(room);
    return { show: () => html`<${RulePage} desk=${desk} />` as VNode, keys: {}, dispose: () => desk.dispose() };
  },
  counterfactuals: (room) => {
    const desk = new ChangesDesk(room);
    const keys = { f: () => desk.tryFirst(), r: () => room.store.set({ edits: {} }), l: () => room.find("[data-lock]")?.focus() };
    return { show: () => html`<${ChangesPage} desk=${desk} />` as VNode, keys, dispose: () => desk.dispose() };
  },
  curves: (room) => {
    const desk = new ChartsDesk(room);
    return { show: () => html`<${ChartsPage} desk=${desk} />` as VNode, keys: { Escape: () => room.store.set({ chart: -1 }) }, dispose: () => desk.dispose() };
  },
};

PAGES["ranking"] = (room) => {
  const desk = new RankingDesk(room);
  return { show: () => html`<${RankingPage} desk=${desk} />` as VNode, keys: {}, dispose: () => undefined };
};

function render({ model, el }: RenderProps): () => void {
  const link = connect<ResultMeta>(model);
  const mounted = mount(el, [tokens, base, panels, style, around, ranking], link.meta);
  const room = new Room(link, mounted);
  const tips = attachTips(mounted.root);
  const counters = { ready: false };
  for (const node of [mounted.root, el]) (node as HTMLElement & { __wg?: typeof counters }).__wg = counters;
  const stage = document.createElement("div");
  mounted.root.prepend(stage);
  const page = (PAGES[link.meta.view] as (room: Room) => Page)(room);
  draw(page.show(), stage);
  const stopCounting = effect(() => {
    void room.store.state.value;
    requestAnimationFrame(() => (counters.ready = true));
  });
  const stopKeys = listenKeys(room, page.keys);
  return () => {
    stopKeys();
    stopCounting();
    page.dispose();
    room.dispose();
    tips.dispose();
    draw(null, stage);
    mounted.dispose();
    link.close();
  };
}

export default { render } satisfies AfmView;
