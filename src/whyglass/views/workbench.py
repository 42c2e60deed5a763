"""The workbench: cases, one case in full with what-if, and the model at large."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from whyglass.core import registry
from whyglass.core.attribution import Attribution
from whyglass.core.background import default_background
from whyglass.core.errors import InputError, UnsupportedError
from whyglass.core.model import Model
from whyglass.core.rescue import rescue
from whyglass.core.schema import Dataset
from whyglass.core.version import VERSION
from whyglass.core.view import View
from whyglass.views import interactions, own_terms, page_model, panels
from whyglass.views.answers import Answers, stream
from whyglass.views.frozen import freeze
from whyglass.views.heatmap import below, svg
from whyglass.views.measures import measure
from whyglass.views.naming import DECISION, primary, title_of, words_of
from whyglass.views.rows import SPLITS, Shown, gather, pack_cases
from whyglass.views.subject import Asker, Subject
from whyglass.views.surrogates import Around

FIRST_ROWS = 2_000
CHUNK_ROWS = 10_000
FIRST_BYTES = 150_000
FIRST_CASES = 96_000  # bytes of the first rows' columns, before Arrow's own headers
CHUNK_BYTES = 4_000_000


def build(
    result: Attribution | None,
    *,
    model: Model | None = None,
    ask: Asker | None = None,
    data: Dataset | None = None,
    split: Any = None,
    **options: Any,
) -> View:
    """Lay out the workbench for a result, a model, or both.

    Args:
        result: What ``explain`` gave, or None to look at the model alone.
        model: The wrapped model; None when only a saved result is there (then nothing new can be asked).
        ask: Explains encoded rows.
        data: The rows to show; see ``rows.gather`` for the default.
        split: Per row of ``data`` "train" or "held out".
        **options: "theme", "embed_model" for saved reports, and "beside": the LIME result of the same rows to show beside it.

    Returns:
        The View; hosts carry it.

    Raises:
        InputError: If the rows do not belong together, or ``data`` is given for a result that is shown without its model.
    """
    given, wrapped = result, model
    if result is not None and own_terms.alone(result):
        if data is not None:
            msg = "A result over groups of columns, or of the log loss, is shown on its own rows. Leave data= out."
            raise InputError(msg)
        result, model, ask = own_terms.as_players(result), None, None
    output = _shown_output(result, model)
    beside = options.get("beside")
    shown = gather(result if result is not None else beside, model, data, split, output)
    background = _unknown(model, shown)
    page = _page_form(model)
    space = ("probability" if model.task == "classification" else "value") if model is not None else (result.space if result else "value")
    subject = Subject(shown, model, ask, background, output, space, result, page)
    around = Around(subject, beside)
    answers = Answers(subject, around)
    meta = _meta(subject, options.get("theme", "auto")) | {"surrogate": around.offered()}
    meta["python"]["call"] += around.call()
    if given is not None and result is not None and own_terms.alone(given):
        labels = wrapped.provenance.get("labels", {}) if wrapped else {}
        meta |= {k: labels[k] for k in ("title", "noun") if k in labels} | {"subtitle": own_terms.note(result, given)}
        meta["page_model"]["reason"] = own_terms.reason(given)
    view = View(
        name="workbench",
        meta=meta,
        first=_first_tables(answers, meta),
        actions=answers.actions(),
        frame_rows=shown.pick if given is result or given is None else replace(shown, parts=(given.dataset,)).pick,
        theme=options.get("theme", "auto"),
    )
    view.read = panels.state_reader(shown.schema.columns)
    view.state = _first_state(subject, meta["chunks"][0][1])
    if beside is not None and beside.space == "margin":
        view.update({"space": "margin"})
    view.fallback = _fallback(subject, int(view.state["case"]))
    view.freeze = partial(_frozen, answers, view, embed_model=options.get("embed_model", True))
    return view


def _frozen(answers: Answers, view: View, **options: Any) -> tuple[dict[str, Any], dict[str, bytes]]:
    state = view.state
    keep = tuple(int(i) for i in (state.get("case"), state.get("pin")) if i is not None and i < view.meta["n_rows"])
    return freeze(answers, view.meta, **{"keep": keep, **options})


def _unknown(model: Model | None, shown: Shown) -> Dataset | None:
    """The rows that stand for "unknown": of wrap's X, or of those shown where the model came without any."""
    if model is None or not len(shown):
        return None
    own = model.data is not None and len(model.data) > 0
    return default_background(model if own else replace(model, data=max(shown.parts, key=len)))


def _shown_output(result: Attribution | None, model: Model | None) -> int:
    """The output asked for; else the class that the labels speak of, the positive one of two, or the first."""
    names = model.outputs if model is not None else result.output_names if result is not None else ()
    if result is not None and len(result.output_names) == 1 and result.output_names[0] in names:
        return names.index(result.output_names[0])
    positive = model.provenance.get("labels", {}).get("positive") if model is not None else None
    if positive in names:
        return names.index(positive)
    classes = model.task == "classification" if model is not None else result is not None and result.space == "probability"
    return 1 if classes and len(names) == 2 else 0


def _page_form(model: Model | None) -> tuple[bytes, dict[str, Any]] | None:
    if model is None:
        return None
    for capability in ("trees", "linear"):
        if capability in model.can:
            return page_model.pack(getattr(model, capability)())
    return None


def _meta(subject: Subject, theme: str) -> dict[str, Any]:
    model, shown = subject.model, subject.shown
    words = words_of(model)
    classes = subject.space == "probability"
    figures = measure(shown.predictions, shown.y, shown.split, subject.output, classes) if model is not None else {}
    calibration = figures.pop("calibration", None)
    outputs = list(model.outputs if model else subject.result.output_names if subject.result else ())
    return {
        "view": "workbench",
        "version": VERSION,
        "title": words["title"] or (title_of(model) if model else "Saved explanation"),
        "subtitle": words["subtitle"] or (model.kind if model else _saved_line(subject.result)),
        "kind": model.kind if model else "",
        "live": True,
        "host": "",
        "theme": theme,
        "created": dt.datetime.now(tz=dt.UTC).isoformat(timespec="seconds"),
        "n_rows": len(shown),
        "task": model.task if model else ("classification" if classes else "regression"),
        "outputs": outputs,
        "output": subject.output,
        "outcome": words["outcome"],
        "opposite": words["opposite"],
        "noun": words["noun"],
        "scale": "probability" if classes else "value",
        "space": subject.space,
        "unit": words["unit"],
        "decision": DECISION if classes and len(outputs) <= 2 else None,
        "base": _base(subject),
        "link": subject.page[1].get("link", "identity") if subject.page else "identity",
        "columns": [c.to_json() for c in shown.schema.columns],
        "primary": primary(shown.schema, words),
        "splits": list(SPLITS),
        "page_model": _page_meta(subject),
        "background": {"table": "background", "rows": len(subject.background) if subject.background else 0},
        "interactions": interactions.offered(subject),
        "metrics": figures,
        "calibration": calibration,
        "python": _python(subject),
        "parts": panels.offered(subject),
        "asks": "at once" if panels.quick(subject) else "when pressed",
        "frozen": None,
        "quantisation": None,
        "map_kind": "explained alike" if model is not None and model.can & {"trees", "linear"} else "alike",
        "chunks": _chunks(subject),
    }


def _saved_line(result: Attribution | None) -> str:
    return "" if result is None else f"{len(result):,} rows, {result.provenance.method}, {result.space} space"


def _base(subject: Subject) -> float | None:
    if subject.model is not None and subject.background is not None:
        said = rescue(subject.model.predict_matrix, subject.background.matrix, len(subject.model.outputs))[0][:, subject.output]
        return float(said[np.isfinite(said)].mean()) if np.isfinite(said).any() else None
    if subject.result is not None and len(subject.result):
        return float(subject.result.base_values[0, min(subject.output, subject.result.base_values.shape[1] - 1)])
    return None


def _page_meta(subject: Subject) -> dict[str, Any]:
    if subject.page is not None and subject.model is not None:
        kind = "forest" if "trees" in subject.model.can else "linear"
        return {"kind": kind, "table": "model", "reason": "", "meta": subject.page[1]}
    reason = "Only a saved result is shown." if subject.model is None else f"{subject.model.name} answers from Python."
    return {"kind": "none", "table": "", "reason": reason, "meta": None}


def _python(subject: Subject) -> dict[str, Any]:
    given = subject.result.provenance if subject.result is not None else None
    method = f', method="{given.method}"' if given is not None and not given.method.startswith("shap") else ""
    asked = given.params if given is not None else {}
    groups = f", groups={asked['groups']!r}" if asked.get("groups") else ""
    more = groups + (", interactions=True" if asked.get("interactions") else "")
    more += ', space="log_loss", y=y_test' if asked.get("space") == "log_loss" else ""
    frame = subject.shown.parts[0].frame
    imports = ["import whyglass as wg", *(["import polars as pl"] if frame == "polars" else [])]
    return {"model": "model", "imports": imports, "call": f"wg.explain(model, X_test{method}{more})", "frame": frame, "groups": groups}


def _chunks(subject: Subject) -> list[list[int]]:
    """Ranges of rows that travel together: the first within what a first paint needs, the others larger."""
    rows = len(subject.shown)
    some = pack_cases(subject.shown, np.arange(min(FIRST_ROWS, rows)), subject.output)
    width = sum(column.itemsize for column in some.values())
    first = min(rows, FIRST_ROWS, max(1, FIRST_CASES // width))
    step = min(CHUNK_ROWS, max(1, CHUNK_BYTES // width))
    return [[0, first], *([s, min(s + step, rows)] for s in range(first, rows, step))]


def _first_tables(answers: Answers, meta: dict[str, Any]) -> dict[str, bytes]:
    """What the first paint needs, kept below 150 kB; the rest is asked for."""
    stop = meta["chunks"][0][1]
    subject = answers.subject
    first = {"cases": stream(pack_cases(subject.shown, np.arange(stop), subject.output))}
    more = {"background": subject.background is not None, "model": subject.page is not None}
    for name in (n for n, there in more.items() if there):
        table = answers.table_bytes(name)
        if sum(map(len, first.values())) + len(table) <= FIRST_BYTES:
            first[name] = table
    return first


def _first_state(subject: Subject, rows: int) -> dict[str, Any]:
    """The state of a page just opened, on one of its first ``rows``."""
    shown = subject.shown
    case = 0
    if subject.space == "probability" and len(shown):
        p = shown.predictions[:rows, subject.output]
        fresh = shown.split[:rows] == 1
        open_to = np.flatnonzero(fresh) if fresh.any() else np.arange(len(p))
        telling = open_to[(p[open_to] > 0.6) & (p[open_to] < 0.8)] if fresh.any() else open_to[:0]
        case = int(telling[0]) if len(telling) else int(open_to[np.argmin(np.abs(np.nan_to_num(p[open_to], nan=9.0) - 0.65))])
    return {
        "case": case,
        "edits": {},
        "filter": "all",
        "query": "",
        "sort": "order",
        "brush": None,
        "selection": None,
        "pin": None,
        "tab": "case",
        "fact": -1,
        "partner": -1,
        "locks": {},
        "likely": False,
        "space": "probability" if subject.space != "margin" else "margin",
        "output": subject.output,
    }


def _fallback(subject: Subject, case: int) -> Callable[[], str]:
    """The picture of the case that opens first, in display space where that costs milliseconds."""

    def draw() -> str:
        result = subject.result
        if subject.quick and len(subject.shown):
            result = subject.explain(subject.shown.matrix[[case]])
        elif result is None and subject.ask is not None:
            result = subject.ask(subject.rows(subject.shown.matrix[:1]))
        if result is None:
            msg = "There is nothing to draw."
            raise UnsupportedError(msg)
        text: str = registry.load("views", "static-svg")(result)
        given = subject.result
        return text if given is None or given.interactions is None or not interactions.offered(subject) else below(text, svg(given))

    return draw
