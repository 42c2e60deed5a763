// The centre of a case: which one, the number, the sentence, the scale, the facts, the edits.

import { html } from "htm/preact";
import type { VNode } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { upper } from "../../parts/format";
import { Icon } from "../../parts/icons";
import { at } from "./control";
import { useDesk } from "./desk";
import { Facts } from "./facts";
import { neverTogether } from "./odd";
import { PredictionScale } from "./scale";
import { asText, type Piece, sentence } from "./sentence";
import { Together } from "./together";

export function Centre(): VNode {
  const desk = useDesk();
  const { answers, rows } = desk;
  const { case: id } = desk.store.state.value;
  if (!rows.total) return html`<section class="mid" aria-label="Selected case"><${NoCases} /></section>` as VNode;
  if (answers.caseRow.value < 0) {
    const coming = rows.loaded.value < rows.total && !rows.failure.value;
    return html`<section class="mid" aria-label="Selected case">
      ${coming ? html`<${Waiting} words=${`Case #${id} is on its way.`} />` : html`<${NotHere} id=${id} />`}
    </section>` as VNode;
  }
  return html`<section class="mid" aria-label="Selected case">
    <${Crumb} /><${Hero} /><${PredictionScale} /><${ProblemBox} /><${Facts} /><${Edits} /><${Together} />
  </section>` as VNode;
}

function NoCases(): VNode {
  return html`<div class="msg"><b>There is nothing to explain yet.</b><p>The table has no rows. Pass data with at least one row.</p></div>` as VNode;
}

function NotHere({ id }: { id: number }): VNode {
  const desk = useDesk();
  const frozen = desk.meta.frozen ? `This report carries ${desk.meta.frozen.note}.` : "It is not among the rows shown.";
  return html`<div class="msg" role="status">
    <b>Case #${id} is not here.</b>
    <p>${frozen}</p>
    <button class="btn" onClick=${() => desk.move(0)}>Open the first case shown</button>
  </div>` as VNode;
}

/** The shape of an answer, only for what takes longer than 300 ms. */
export function Waiting({ words, stop }: { words: string; stop?: () => void }): VNode | null {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 300);
    return () => clearTimeout(timer);
  }, []);
  if (!late) return null;
  return html`<div class="waiting" role="status" aria-busy="true">
    <i class="skel" style=${{ width: "78%" }}></i><i class="skel" style=${{ width: "54%" }}></i><i class="skel" style=${{ width: "66%" }}></i>
    <p class="sm muted">${words} ${stop && html`<button class="link" onClick=${stop}>Stop</button>`}</p>
  </div>` as VNode;
}

function Crumb(): VNode {
  const desk = useDesk();
  const { words, rows, answers } = desk;
  const { case: id, pin } = desk.store.state.value;
  const row = answers.caseRow.value;
  const y = rows.y(row);
  const heldOut = rows.heldOut(row);
  const wrong = rows.judged.value.wrong[row] === 1;
  const about = heldOut ? `held-out ${words.one}, never trained on` : `training ${words.one}`;
  const recorded = Number.isNaN(y) ? "" : outcomeName(desk, y);
  const label = pin !== null && pin !== id ? `Compared with #${pin} \u2715` : pin === id ? "Pinned" : "Pin to compare";
  return html`<div class="crumb">
    <button class="ib" data-prev aria-label="Previous case (K)" data-tip="Previous case\nK" onClick=${() => desk.move(-1)}><${Icon} name="prev" /></button>
    <button class="ib" data-next aria-label="Next case (J)" data-tip="Next case\nJ" onClick=${() => desk.move(1)}><${Icon} name="next" /></button>
    <span
      >Case <b>#${id}</b> · ${about}${recorded && html` · recorded: <b class="soft">${recorded}</b>`}
      ${wrong && html` <span class="tag">${words.regression ? "far off" : "model wrong"}</span>`}</span
    >
    <span class="sp">
      <${OutputChoice} />
      <button class="btn" data-pin aria-pressed=${pin === id ? "true" : "false"} title="Pin to compare  P" onClick=${() => desk.pin()}>${label}</button>
    </span>
  </div>` as VNode;
}

/** A recorded outcome in words. */
export function outcomeName(desk: ReturnType<typeof useDesk>, y: number): string {
  const { words } = desk;
  if (words.regression) return words.level(y);
  return words.outputName(y) || String(y);
}

/** Which of several outputs is explained; only where the page can answer for all of them. */
function OutputChoice(): VNode | null {
  const desk = useDesk();
  const { outputs } = desk.meta;
  if (outputs.length < 3 || desk.answers.source.value !== "page") return null;
  const { output } = desk.store.state.value;
  return html`<label class="choose"
    ><span class="vh">Output that is explained</span>
    <select value=${String(output)} onChange=${(e: Event) => desk.store.set({ output: Number((e.currentTarget as HTMLSelectElement).value) })}>
      ${outputs.map((name, k) => html`<option value=${String(k)} selected=${k === output}>${name}</option>`)}
    </select></label
  >` as VNode;
}

function Hero(): VNode {
  const desk = useDesk();
  const { answers, words, meta } = desk;
  const state = desk.store.state.value;
  const prediction = answers.prediction.value;
  const p = prediction?.value ?? NaN;
  const answer = answers.answer.value;
  const row = answers.current.value;
  const fresh = answer && answer.key === answers.key.value;
  const late = prediction?.key !== answers.key.value;
  const base = answer?.value.base ?? meta.base ?? NaN;
  const margin = state.space === "margin";
  const shownBase = margin ? (meta.base ?? NaN) : base;
  const pieces = sentence({
    edited: answers.edited.value.length > 0,
    opening: words.what === "the prediction" ? "" : `${upper(words.what)} of this ${words.one} is `,
    regression: words.regression,
    prediction: p,
    base: shownBase,
    outcome: state.output === meta.output ? meta.outcome : "",
    output: meta.outputs.length > 1 || !words.regression ? words.outputName(state.output) : "",
    pushes: fresh && row ? Array.from(answer.value.values, (value, j) => ({ phrase: words.phrase(j, row[j]), value })) : null,
    level: (v) => words.level(v),
    push: (v) => words.pushWhole(v, state.space),
    least: leastPush(desk),
  });
  const big = words.level(p);
  const percent = !words.regression && big.endsWith("%");
  return html`<div class=${late ? "hero stale" : "hero"}>
    <div class=${words.regression ? "big value" : "big"} data-prediction=${String(p)} aria-hidden="true">
      ${percent ? big.slice(0, -1) : big}${percent && html`<sup>%</sup>`}
    </div>
    <p data-sentence>${pieces.map((piece) => html`<${Said} piece=${piece} />`)}</p>
    <${LiveText} text=${asText(pieces.slice(0, 3))} />
  </div>` as VNode;
}

/** What a screen reader hears: the newest prediction, once the reader has stopped moving. */
function LiveText({ text }: { text: string }): VNode {
  const [said, setSaid] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setSaid(text), 350);
    return () => clearTimeout(timer);
  }, [text]);
  return html`<span class="vh" aria-live="polite">${said}</span>` as VNode;
}

function leastPush(desk: ReturnType<typeof useDesk>): number {
  const { answers, words } = desk;
  if (!words.regression && desk.store.state.value.space === "probability") return 0.01;
  const values = answers.answer.value?.value.values ?? [];
  return Math.max(...Array.from(values, Math.abs), 0) * 0.02;
}

function Said({ piece }: { piece: Piece }): VNode | string {
  if (piece.tone === "plain") return piece.text;
  const className = piece.tone === "strong" ? "" : piece.tone;
  return html`<b class=${className}>${piece.text}</b>` as VNode;
}

function ProblemBox(): VNode | null {
  const desk = useDesk();
  const problem = desk.answers.problem.value;
  const [open, setOpen] = useState(false);
  if (!problem) return null;
  return html`<div class="msg problem" role="alert">
    <b>${problem.what}</b>
    <p>${problem.safe}</p>
    <button class="btn pri" onClick=${problem.again}>Ask again</button>
    ${problem.detail && html`<button class="btn" aria-expanded=${open ? "true" : "false"} onClick=${() => setOpen(!open)}>Details</button>`}
    ${open && html`<pre tabindex="0">${problem.detail}</pre>`}
  </div>` as VNode;
}

function Edits(): VNode {
  const desk = useDesk();
  const { answers, words } = desk;
  const edited = answers.edited.value;
  const busy = answers.busy.value;
  const mark = busy && html`<span class="busy" role="status"><i></i>${busy} <button class="link xs" data-stop onClick=${() => answers.stop()}>Stop</button></span>`;
  if (!edited.length) {
    return html`<div class="edits">${mark || html`<${Hint} />`}</div>` as VNode;
  }
  const before = desk.rows.p.value[answers.caseRow.value];
  const now = answers.prediction.value;
  const after = now?.key === answers.key.value ? words.level(now.value) : "\u2026";
  return html`<div class="edits">
    <b class="you" data-edits=${edited.length}>What-if: ${edited.length} change${edited.length > 1 ? "s" : ""}, ${words.level(before)} → ${after}</b>
    ${mark}<${Odd} />
    <span class="sp">
      <button class="btn" data-reset onClick=${() => desk.reset()}>Reset <kbd>R</kbd></button>
      <button class="btn" data-python onClick=${() => (desk.dialog.value = "python")}>Copy as Python</button>
    </span>
  </div>` as VNode;
}

/** A warning when no row at hand has an edited category together with one of the others. */
function Odd(): VNode | null {
  const desk = useDesk();
  const { answers, rows, words, meta } = desk;
  const row = answers.current.value;
  const edited = answers.edited.value;
  const pair = useMemo(() => (row ? neverTogether(rows, meta, row, edited) : null), [row, rows.loaded.value]);
  if (!pair || !row) return null;
  const [a, b] = pair.map((j) => words.phrase(j, row[j]));
  return html`<span class="tag odd" data-odd>None of the ${words.people(rows.loaded.value)} here has both ${a} and ${b}: treat with care</span>` as VNode;
}

function Hint(): VNode {
  const desk = useDesk();
  const { source } = desk.answers;
  const up = desk.words.regression ? "larger" : "higher";
  if (source.value === "none") return html`<${Frozen} />` as VNode;
  const where = source.value === "python" ? "Python answers each change." : "Everything on this page follows at once.";
  return html`<span class="cap"
    >Drag a dot along its curve, or focus it and use the arrow keys. ${where} Orange area: the prediction would be ${up}; blue: lower.</span
  >` as VNode;
}

/** What a page without a model can and cannot do, and the point of a saved curve that is looked at. */
function Frozen(): VNode {
  const desk = useDesk();
  const { words, meta, answers } = desk;
  const probe = desk.probe.value;
  const curve = probe && probe.key === answers.key.value ? answers.curves.value?.value.get(probe.column) : null;
  const away = !meta.frozen && !desk.link.live;
  const why = away ? "Python is away, so changes wait until it is back." : meta.page_model.reason || "The model is not here.";
  const can = answers.curves.value?.value.size
    ? "The curves were computed beforehand: one change at a time can be read from them. Bars for other values need the model."
    : "Everything that was saved can be looked at; new what-ifs need the model.";
  return html`${curve && probe && html`<b class="you" data-probe>${words.title(probe.column)} ${words.value(probe.column, probe.value)}: the model would say ${words.level(at(curve, probe.value))}</b>`}
    <span class="cap">${why} ${can}</span>` as VNode;
}
