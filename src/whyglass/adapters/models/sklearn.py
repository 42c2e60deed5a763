"""scikit-learn: any estimator or pipeline with predict; tree ensembles and linear models are read exactly.

``adapt`` finds out what the estimator answers (``sklearn_answers``), which of the user's columns reaches its last step
(``sklearn_pipeline``, ``sklearn_probe``), and reads that step (``sklearn_trees``, ``sklearn_linear``). What cannot be
read exactly is not offered; the reason stands in ``Model.provenance["refused"]``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sklearn

from whyglass.adapters.models import (
    compared,
    sklearn_answers,
    sklearn_columns,
    sklearn_fold,
    sklearn_foreign,
    sklearn_linear,
    sklearn_trees,
    sklearn_words,
)
from whyglass.adapters.models.sklearn_columns import Given
from whyglass.adapters.models.sklearn_hash import content_hash
from whyglass.adapters.models.sklearn_pipeline import Walk
from whyglass.adapters.models.sklearn_probe import Front, fill, start_types, typical_row
from whyglass.adapters.models.sklearn_wires import Wire
from whyglass.core.errors import UnsupportedError
from whyglass.core.forest import Forest, Linear
from whyglass.core.model import Model
from whyglass.core.row import Row
from whyglass.core.wanted import Wanted


@dataclass(frozen=True, eq=False)
class _Parts:
    """An estimator taken apart: what comes before the last step, the last step, and the adapter of its library if another."""

    front: tuple[Any, ...]
    last: Any
    row: Row | None = None


def adapt(estimator: Any, wanted: Wanted) -> Model:
    """Wrap a fitted scikit-learn estimator or pipeline.

    Args:
        estimator: Fitted, with ``predict``.
        wanted: What the caller said of it.

    Returns:
        A Model with "predict", and with "trees" or "linear" where these are exact.

    Raises:
        ModelError: If it is not fitted, cannot predict, was fitted with other columns, or answers in a way that is
            neither a number nor one of a set of classes.
    """
    sklearn_answers.check(estimator)
    parts = _take_apart(estimator)
    given = sklearn_columns.match(estimator, wanted)
    refused: dict[str, str] = {}
    wires: list[Wire] = []
    try:
        given, wires = _follow(parts, given)
    except UnsupportedError as error:
        refused = {"trees": str(error), "linear": str(error)}
    answer = sklearn_answers.find(estimator, parts.last, given, wanted)
    abilities: dict[str, Callable[..., Any]] = {"predict": answer.predict}
    words = ""
    if not refused:
        try:
            forest, words = _read_trees(parts, wires, given, answer)
            abilities["trees"] = _Held(forest)
        except UnsupportedError as error:
            refused["trees"] = str(error)
        try:
            abilities["linear"] = _Held(sklearn_linear.read(parts.last, wires, given.schema, answer.task))
        except UnsupportedError as error:
            refused["linear"] = str(error)
    model = Model(
        name=type(parts.last).__name__,
        kind=(words or sklearn_words.kind(parts.last, sklearn_words.trees(parts.last))) + answer.remark,
        task=answer.task,
        outputs=answer.outputs,
        schema=given.schema,
        abilities=abilities,
        data=given.data,
        frame=given.frame,
        model_hash=content_hash(estimator),
        provenance={
            "refused": refused,
            "wrap_calls": answer.calls,
            "wrap_rows": answer.calls,
            "library": f"scikit-learn {sklearn.__version__}",
        },
    )
    scored = answer.task == "regression" and hasattr(estimator, "classes_")
    asked = ("decision_function",) if scored else ("predict_proba", "score_samples", "predict")
    return compared.checked(model, overridden=any(compared.own_method(e, *asked) for e in (estimator, parts.last)))


@dataclass(frozen=True, eq=False)
class _Held:
    """An ability that was read once, when the model was wrapped."""

    item: Forest | Linear

    def __call__(self) -> Forest | Linear:
        return self.item


def _take_apart(estimator: Any) -> _Parts:
    front: list[Any] = []
    last = estimator
    while True:
        if hasattr(last, "best_estimator_"):
            last = last.best_estimator_
        elif type(last).__name__ == "Pipeline" and type(last).__module__.startswith("sklearn."):
            front.extend(step for _, step in last.steps[:-1])
            last = last.steps[-1][1]
        elif type(last).__name__ == "FrozenEstimator":
            last = last.estimator
        else:
            break
    encoder = getattr(last, "_preprocessor", None)
    if encoder is not None and hasattr(encoder, "transform"):
        front.append(encoder)
    steps = tuple(s for s in front if s is not None and not isinstance(s, str))
    return _Parts(steps, last, sklearn_foreign.find(last) if steps else None)


def _follow(parts: _Parts, given: Given) -> tuple[Given, list[Wire]]:
    """Which of the user's columns feeds each column of the last step; numbers that meet an encoder become categories."""
    if parts.row is None and type(parts.last).__name__ not in sklearn_trees.READERS and not sklearn_linear.is_linear(parts.last):
        msg = f"{type(parts.last).__name__} is neither a tree ensemble nor a linear model that whyglass reads."
        raise UnsupportedError(msg)
    walk, wires = _walk(parts, given)
    crossed = sorted({w.source for w in wires if w.source in walk.categories and not w.category})
    if crossed:
        name = given.schema.columns[crossed[0]].name
        msg = f"Column {name!r} reaches the model both as a number and as a category."
        raise UnsupportedError(msg)
    given = sklearn_columns.widen(given, walk.categories)
    _, wires = _walk(parts, given)
    front = Front(parts.front, given.schema, given.frame)
    return given, fill(front, wires, given.data)


def _walk(parts: _Parts, given: Given) -> tuple[Walk, list[Wire]]:
    starts = start_types(given.schema)
    wires = [Wire(source, given.schema.columns[source].kind == "categorical", starts[source]) for source in given.order]
    walk = Walk()
    for step in parts.front:
        wires = walk.through(step, wires)
    for wire in wires:
        column = given.schema.columns[wire.source]
        if column.kind not in ("numeric", "categorical"):
            msg = f"Column {column.name!r} reaches the model as {column.kind}, which no tree splits on directly."
            raise UnsupportedError(msg)
    return walk, wires


def _read_trees(parts: _Parts, wires: list[Wire], given: Given, answer: sklearn_answers.Answer) -> tuple[Forest, str]:
    """The forest over the user's columns, and what a person would call it."""
    if parts.row is not None:
        front = Front(parts.front, given.schema, given.frame)
        sparse = hasattr(front.hand_over(typical_row(given.schema, given.data)[None, :]), "toarray")
        grove, words = sklearn_foreign.read(parts.last, parts.row, sparse=sparse)
    else:
        grove = sklearn_trees.read(parts.last)
        words = sklearn_words.kind(parts.last, len(grove.roots))
    if answer.task == "regression" and hasattr(parts.last, "classes_"):
        if grove.space == "probability" or getattr(parts.last, "loss", "") == "exponential":
            msg = f"{type(parts.last).__name__} was wrapped as a regression, but its trees do not add up to its decision score."
            raise UnsupportedError(msg)
        grove = replace(grove, link="identity", space="value")
    if len(grove.feature) and int(grove.feature.max()) >= len(wires):
        msg = f"{type(parts.last).__name__} tests column {int(np.max(grove.feature))}, but {len(wires)} columns reach it."
        raise UnsupportedError(msg)
    return sklearn_fold.fold(grove, wires, start_types(given.schema)), words
