"""The verbs: find the row in the table, hand over, and say how the answer was made."""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np

from whyglass.choice import Question, choose, one_output, output_name, wanted_outputs
from whyglass.core import registry
from whyglass.core.ask import Ask, Budget
from whyglass.core.attribution import SPACES, Attribution
from whyglass.core.background import chosen_background
from whyglass.core.counterfactuals import Counterfactuals
from whyglass.core.curves import Curves
from whyglass.core.errors import InputError, ModelError, nearest
from whyglass.core.executor import Executor
from whyglass.core.explanation import Explanation
from whyglass.core.model import Model
from whyglass.core.row import Row
from whyglass.core.rules import Rules
from whyglass.core.schema import Dataset
from whyglass.core.version import VERSION
from whyglass.core.view import View
from whyglass.core.wanted import Wanted

LABELS = ("title", "subtitle", "outcome", "opposite", "positive", "noun", "unit", "average", "primary")


def wrap(
    model: Any,
    X: Any = None,
    y: Any = None,
    *,
    task: str | None = None,
    outputs: Sequence[str] | None = None,
    feature_names: Sequence[str] | None = None,
    categorical: Sequence[str | int] | None = None,
    protected: Sequence[str] | None = None,
    columns: Mapping[str, str | Mapping[str, Any]] | None = None,
    labels: Mapping[str, str] | None = None,
) -> Model:
    """Make any model askable.

    Args:
        model: A fitted scikit-learn estimator or Pipeline, an XGBoost, LightGBM or CatBoost model (native or scikit-learn face),
            an ONNX model, the path of a saved one, or any callable
            ``f(X) -> (rows,) or (rows, outputs)`` that takes the kind of frame given as ``X``.
        X: Training rows in any frame (numpy, pandas, polars, pyarrow): they give the schema and the background.
        y: What was recorded for these rows.
        task: "classification" or "regression"; found out when None.
        outputs: Names of the outputs; the model's own classes when None.
        feature_names: Column names, when the frame has none.
        categorical: Columns to read as categories although they hold numbers.
        protected: Columns that must not decide; they are marked wherever they appear.
        columns: How to write columns, e.g. ``{"Hours per week": "{} h"}``, a unit, or ``{"Hours per week": {"unit": "{} h",
            "label": "working time"}}``.
        labels: Words for the view: "title", "subtitle", "outcome", "opposite", "noun", "unit", "average"; "positive", the
            class that "outcome" speaks of; and "primary", the names of the columns that stand first in a case's line.

    Returns:
        The wrapped model: ``.predict(X)``, ``.can``, ``.schema``, ``.outputs``.

    Raises:
        InputError: If the table cannot be read, a name is unknown, or the model is wrapped already.
        ModelError: If the model is not fitted, answers with the wrong shape, or is of no known kind.
    """
    if isinstance(model, Model):
        if X is not None or y is not None:
            msg = f"This {model.name} is wrapped already. Wrap the estimator itself to give it other rows."
            raise InputError(msg)
        return model
    _check_words(task, outputs, labels)
    if X is None and y is not None:
        msg = "y was given without X: the outcomes of which rows? Pass wrap(model, X, y)."
        raise InputError(msg)
    data = None
    if X is not None:
        read = registry.load("frames", "reader")
        data = read(X, y=y, categorical=categorical, protected=protected, feature_names=feature_names)
        if columns:
            data = replace(data, schema=data.schema.update(columns))
    names = None if feature_names is None else tuple(feature_names)
    wanted = Wanted(data, task, None if outputs is None else tuple(map(str, outputs)), names)
    wrapped: Model = registry.resolve(_adapter(model))(model, wanted)
    if labels:
        wrapped.provenance["labels"] = dict(labels)
    if wrapped.can & {"trees", "linear"}:
        threading.Thread(target=registry.load("kernels", "warm"), daemon=True).start()
    return wrapped


def _check_words(task: str | None, outputs: Sequence[str] | None, labels: Mapping[str, str] | None) -> None:
    if task not in (None, "classification", "regression"):
        msg = f"task={task!r} is not known. {nearest(str(task), ('classification', 'regression'))}"
        raise InputError(msg)
    if outputs is not None and (isinstance(outputs, str) or len(set(map(str, outputs))) != len(outputs)):
        msg = f"outputs={outputs!r} is not a list of different names."
        raise InputError(msg)
    unknown = [name for name in labels or () if name not in LABELS]
    if unknown:
        msg = f"labels has {unknown[0]!r}. {nearest(unknown[0], LABELS)}"
        raise InputError(msg)


def _adapter(model: Any) -> Row:
    names = [f"{c.__module__}.{c.__qualname__}" for c in type(model).__mro__]
    for row in registry.rows("models"):
        if any(prefix and name.startswith(prefix) for name in names for prefix in row.takes):
            return row
    if callable(model):
        return registry.find("models", "callable")
    kinds = ", ".join(f"{row.name}: {row.summary}" for row in registry.rows("models"))
    msg = f"A {type(model).__module__}.{type(model).__qualname__} is not a model whyglass knows. Known: {kinds}"
    raise ModelError(msg)


@overload
def explain(model: Any, X: Any, *, method: Literal["anchors"], **options: Any) -> Rules: ...
@overload
def explain(model: Any, X: Any, *, method: Literal["counterfactual"], **options: Any) -> Counterfactuals: ...
@overload
def explain(model: Any, X: Any, *, method: Literal["pdp", "ice", "ale"], **options: Any) -> Curves: ...
@overload
def explain(model: Any, X: Any, *, method: str = "auto", **options: Any) -> Attribution: ...
def explain(
    model: Any,
    X: Any,
    *,
    method: str = "auto",
    target: Any = None,
    data: Any = None,
    y: Any = None,
    background: Any = None,
    space: str | None = None,
    budget: int | str | None = None,
    seed: int = 0,
    executor: Executor | None = None,
    **params: Any,
) -> Any:
    """Ask why the model said this of each row.

    Args:
        model: What ``wrap`` gave, or a bare estimator (then pass ``data=`` its training rows; the rows of ``X`` stand in for
            them otherwise, and the answer says so).
        X: Rows to explain, in any frame.
        method: "auto" or "shap" (exact for trees, linear models and few columns, else sampled with errors), or a row
            of ``whyglass.methods()``.
        target: One output: its name, or the class as it stands in the data; all outputs when None. For a counterfactual
            the output wanted, or a range of values.
        data: Training rows, for a bare estimator.
        y: Recorded outcomes: of ``data`` where that is given, else of ``X``.
        background: Rows that stand for "unknown". None: path-dependent for trees; else 200 seeded rows of wrap's X.
            "medoids:50": the middle rows of 50 equally large parts of them, nearer to all rows than as many drawn ones.
        space: "probability", "margin", "value", or "log_loss" (what makes the model wrong on rows with a recorded outcome ``y``);
            the method's exact space when None.
        budget: Evaluations per row (default 2,048) or wall time such as "200ms". A hard cap.
        seed: Same call, same seed, same answer, on one thread or many.
        executor: Threads, progress and cancel.
        **params: The method's own parameters; ``whyglass.methods()`` lists them with their defaults. Those of "shap":
            ``interactions=True`` adds what pairs of columns do together (trees and linear models in the space that they add up
            in; else up to 14 columns or groups); ``groups={"address": ["street", "zip"]}`` lets columns, by name or position, act as one;
            ``tolerance=0.01`` lets sampling stop where every standard error of a row is as small; ``first=50`` uses only so many
            of the background rows of a tree ensemble, drawn in seeded order, and gives standard errors.

    Returns:
        An Attribution, or what the method gives (Rules, Counterfactuals, Curves), with ``status`` saying why where a row could not be
        explained.

    Raises:
        InputError: If the rows do not fit the schema or a name is unknown.
        UnsupportedError: If the model cannot give what the method needs.
    """
    wrapped, unknown = ready(model, X, y, data=data, background=background)
    recorded = y if data is None else None
    options = {"target": target, "background": unknown, "space": space, "budget": budget, "seed": seed, "executor": executor}
    return _answer(wrapped, wrapped.encode(X, recorded), method=method, params=params, **options)


def ready(
    model: Any, X: Any, y: Any = None, *, data: Any = None, background: Any = None, rows_are: str = "explained rows"
) -> tuple[Model, Dataset | None]:
    """The wrapped model, and the encoded rows that stand for "unknown"; ``rows_are`` says what ``X`` is where it stands in for ``data``.

    Raises:
        InputError: If a wrapped model is given rows again, or the background has none.
    """
    if isinstance(model, Model) and data is not None:
        msg = "data= is for a bare estimator; this model was wrapped with its rows. Rows that stand for 'unknown' go into background=."
        raise InputError(msg)
    wrapped = wrap(model) if isinstance(model, Model) else wrap(model, X if data is None else data, y)
    if not isinstance(model, Model) and data is None:
        wrapped.provenance["rows_are"] = rows_are
    unknown = None if background is None else _unknown(wrapped, background)
    if unknown is not None and len(unknown) == 0:
        msg = "background has no rows; at least one must stand for 'unknown'."
        raise InputError(msg)
    return wrapped, unknown


def _unknown(model: Model, background: Any) -> Dataset:
    """The rows that stand for "unknown": those given, or those that a choice such as "medoids:50" names."""
    if isinstance(background, str):
        return chosen_background(model, background)
    try:
        return model.encode(background)
    except InputError as error:
        msg = f"background= cannot be read: {error}"
        raise InputError(msg) from error


def _answer(
    model: Model,
    rows: Dataset,
    *,
    method: str = "auto",
    params: Mapping[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Explain encoded rows; ``options`` are those of ``explain``, with ``background`` encoded too."""
    start = time.perf_counter()
    given = dict(params or {})
    target, unknown, space = output_name(model, options.get("target")), options.get("background"), options.get("space")
    seed, budget = _seed(options.get("seed", 0)), Budget.read(options.get("budget"))
    executor = Executor.read(options.get("executor"))
    if space not in (None, *SPACES):
        msg = f"space={space!r} is not known. {nearest(str(space), SPACES)}"
        raise InputError(msg)
    row = choose(model, Question(method, unknown is not None, space, budget, given))
    before = model.counter.snapshot()
    outputs = wanted_outputs(model, None if "target" in row.parameters else target)
    answer: Explanation = registry.resolve(row)(Ask(model, rows, unknown, space, outputs, budget, seed, executor, given, target))
    after = model.counter.snapshot()
    if target is not None and isinstance(answer, Attribution):
        answer = one_output(answer, target, model)
    said = {"target": target, "space": getattr(answer, "space", space), "budget": options.get("budget")}
    return replace(
        answer.with_provenance(
            method=row.name,
            params={**answer.provenance.params, **said, "background_rows": None if unknown is None else len(unknown), **given},
            seed=seed,
            model_calls=after[0] - before[0],
            model_rows=after[1] - before[1],
            seconds=time.perf_counter() - start,
            versions=_versions(model),
            model_hash=model.model_hash,
            data_hash=rows.content_hash(),
        ),
        model=model,
    )


def _seed(given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < 0:
        msg = f"seed={given!r} is not a whole number from 0 up."
        raise InputError(msg)
    return int(given)


def _versions(model: Model) -> dict[str, str]:
    found = {"python": platform.python_version(), "numpy": np.__version__, "whyglass": VERSION}
    library, _, version = str(model.provenance.get("library", "")).partition(" ")
    if library:
        found[library] = version
    return found


def show(
    *things: Any,
    model: Any = None,
    data: Any = None,
    y: Any = None,
    split: Any = None,
    theme: str = "auto",
    embed_model: bool = True,
) -> View:
    """Look at results, or at a model, in the live view.

    Args:
        *things: Results, also a ``shap.Explanation``, or a model to be shown on its own data. Contributions and a LIME result of the
            same rows are shown beside each other.
        model: The wrapped model; taken from the results when None.
        data: The rows to show; by default wrap's X (as train) plus the explained rows (as held out).
        y: Recorded outcomes of ``data``.
        split: Per row of ``data`` "train" or "held out"; or numbers, 0 for train.
        theme: "auto" (the host's), "light" or "dark".
        embed_model: Whether a saved workbench carries the model, so that it stays alive; other views are saved without it.

    Returns:
        A View: it displays itself in a notebook; ``.save("why.html")``, ``.serve()``, ``.to_streamlit()``.

    Raises:
        InputError: If nothing was given, or the parts do not belong together.
    """
    known = next((t for t in (model, *things) if isinstance(t, Model)), None)
    things = tuple(_taken_in(t, known) for t in things)
    models = [t for t in things if isinstance(t, Model)]
    results = [t for t in things if isinstance(t, Explanation)]
    strange = [t for t in things if not isinstance(t, Model | Explanation)]
    results, beside = registry.load("views", "beside")(results, with_model=bool(models) or model is not None)
    undrawn = next((t for t in results if not t.view_name), None)
    if undrawn is not None:
        msg = f"{undrawn.undrawn} Read it with print or .to_frame()."
        raise InputError(msg)
    if strange:
        msg = f"show was given a {type(strange[0]).__name__}; it takes what wrap, explain or load gave."
        raise InputError(msg)
    if theme not in ("auto", "light", "dark"):
        msg = f"theme={theme!r} is not known. {nearest(theme, ('auto', 'light', 'dark'))}"
        raise InputError(msg)
    chosen = next(iter(models), None)
    if model is not None:
        chosen = model if isinstance(model, Model) else wrap(model, data, None if data is None else y)
    if chosen is None:
        chosen = next((r.model for r in results if r.model is not None), None)
    if chosen is None and not results:
        msg = "show was given nothing to show: pass what explain gave, or a wrapped model."
        raise InputError(msg)
    if len(results) > 1 or len(models) > 1:
        msg = f"show was given {len(results)} results and {len(models)} models; it looks at one result, one model, or one of each."
        raise InputError(msg)
    if split is not None and data is None:
        msg = "split marks the rows of data=, which was not given."
        raise InputError(msg)
    result: Any = next(iter(results), None)
    if result is not None and data is None and y is not None:
        result = replace(result, dataset=_with_outcomes(result.dataset, y))
    ask = None if chosen is None else partial(_answer, chosen)
    build = registry.load("views", "workbench" if result is None else result.view_name)
    options = {"theme": theme, "embed_model": embed_model, **({} if beside is None else {"beside": beside})}
    view: View = build(result, model=chosen, ask=ask, data=_shown_rows(chosen, data, y), split=split, **options)
    return view


def _taken_in(thing: Any, model: Model | None) -> Any:
    """What shap's explainers give as ours, anything else as it is."""
    if type(thing).__module__.partition(".")[0] != "shap":
        return thing
    return registry.load("imports", "shap")(thing, model=model)


def _with_outcomes(rows: Dataset, y: Any) -> Dataset:
    recorded = np.asarray(y)
    if recorded.shape != (len(rows),):
        msg = f"y has shape {recorded.shape}, wanted one outcome for each of the {len(rows)} explained rows."
        raise InputError(msg)
    return replace(rows, y=recorded)


def _shown_rows(model: Model | None, data: Any, y: Any) -> Dataset | None:
    if data is None:
        return None
    if model is None:
        msg = "data= needs a model that says what it predicts for these rows; this result was saved without one. Pass model=."
        raise InputError(msg)
    return model.encode(data, y)


def load(path: str | Path) -> Any:
    """Read a result that ``.save`` wrote as .arrow or .json.

    Raises:
        InputError: If there is no such file, its extension is not known, or it is damaged.
    """
    source = Path(path)
    known = [row.name for row in registry.rows("loaders")]
    if source.suffix[1:] not in known:
        msg = f"Cannot read {source.name!r}. {nearest(source.suffix[1:], known)}"
        raise InputError(msg)
    if not source.is_file():
        msg = f"There is no file {str(source)!r}."
        raise InputError(msg)
    return registry.load("loaders", source.suffix[1:])(source)


def methods() -> tuple[Row, ...]:
    """The table of methods: name, what it needs, what it costs, the paper."""
    return registry.rows("methods")
