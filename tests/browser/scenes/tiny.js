// The smallest view that uses everything a host must carry: first tables, state both ways, calls with progress, bytes
// both ways, cancelling. Plain text in the page says what happened; `el.__wg` counts it.
var __whyglass_view = (() => {
  const make = (tag, parent, attributes = {}, text = "") => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.textContent = text;
    parent.append(node);
    return node;
  };
  const render = ({ model, el }) => {
    const meta = model.get("meta");
    const root = make("div", el, { "data-view": meta.view, "data-host": meta.host });
    const seen = (el.__wg = { results: 0, progress: 0, errors: 0, states: 0 });
    const say = (name, text) => {
      const line = root.querySelector(`[data-line="${name}"]`) ?? make("p", root, { "data-line": name });
      line.textContent = `${name}: ${text}`;
    };
    const first = model.get("first");
    const bytes = new Uint8Array(first.buffer, first.byteOffset, first.byteLength);
    say("first", `${bytes.length} bytes, sum ${bytes.reduce((a, b) => (a + b) % 65521, 0)}`);
    make("h2", root, {}, meta.title);
    let next = Math.floor(Math.random() * 1e9);
    const waiting = new Map();
    const call = (action, args) => {
      const id = next++;
      waiting.set(id, action);
      model.send({ kind: "call", id, action, args });
    };
    model.on("msg:custom", (message, buffers) => {
      const action = waiting.get(message.id);
      if (!action) return;
      seen[{ result: "results", progress: "progress", error: "errors" }[message.kind]] += 1;
      if (message.kind === "error") return say("error", message.value.kind);
      const sizes = (buffers ?? []).map((b) => b.byteLength).join("+");
      say(action, `${message.kind} ${JSON.stringify(message.value)} ${sizes}`);
    });
    const show = () => {
      const state = model.get("state") ?? {};
      seen.states += 1;
      say("state", `case ${state.case ?? "none"}, selection ${(state.selection ?? []).join(" ") || "none"}, x ${state.x ?? 0}`);
    };
    const change = (changes) => {
      model.set("state", { ...model.get("state"), ...changes });
      model.save_changes();
      show();
    };
    model.on("change:state", show);
    const list = make("div", root, { role: "list" });
    for (let i = 0; i < meta.n_rows; i++) {
      make("button", list, { "data-case": String(i), role: "listitem" }, `case ${i}`).onclick = () => {
        change({ case: i });
        call("explain", { id: i });
      };
    }
    make("button", root, { id: "brush" }, "brush").onclick = () => change({ selection: [1, 3] });
    const slider = make("input", root, { type: "range", min: "0", max: "100", value: "0", "aria-label": "x" });
    slider.oninput = () => {
      change({ x: Number(slider.value) });
      call("predict", { x: Number(slider.value) });
    };
    // Notebooks act on arrows in the capture phase of the document; the window comes before it.
    const keep = (event) => event.composedPath().includes(root) && event.stopPropagation();
    window.addEventListener("keydown", keep, true);
    show();
    return () => window.removeEventListener("keydown", keep, true);
  };
  return { default: { render } };
})();
export default __whyglass_view.default;
