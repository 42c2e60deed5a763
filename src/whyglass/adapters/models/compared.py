"""Trees are offered only where they answer as the model that they were read from does: compared on rows when it is wrapped.

For every adapter whose format gives trees. A model may answer otherwise than its trees: a method of its own on a subclass or
an instance, an option that cuts a prediction short, or a form that its reader misunderstands.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.adapters.models import boosting, callable, routing  # noqa: A004  (the adapter of that name)
from whyglass.core import registry
from whyglass.core.forest import Forest
from whyglass.core.model import Model

Floats = NDArray[np.float64]
ROWS = 50  # asked about at once, at most
MOST = 100  # rows that wrap may ask about in all
PAIRS = 50_000  # of rows and trees: what a comparison may walk
DISAGREE = "its trees, as whyglass reads them, disagree with the model's own answers"
UNSEEN = "it answers through a method of its own, and wrap was given no rows on which to compare its trees with that: wrap(model, X)"
REMARKS = {
    DISAGREE: " (its trees answer otherwise, so it is only asked for predictions)",
    UNSEEN: " (its trees could not be compared with its own method, so it is only asked for predictions)",
}


def checked(model: Model, *, overridden: bool = False) -> Model:
    """The model, without "trees" where these answer otherwise than its "predict".

    At most 50 of its rows are asked about; where the model fails on them, at most 50 without a missing value. How that ended
    stands in ``provenance["trees_checked"]``, what it took in ``["wrap_calls"]`` and ``["wrap_rows"]``.

    Args:
        model: With the rows that ``wrap`` was given, if any. Without rows nothing is compared, and its trees stay.
        overridden: Whether it answers through a method that is not its library's; without rows, its trees then go.
    """
    if "trees" not in model.can:
        return model
    if model.data is None or not len(model.data):
        return _without(model, UNSEEN) if overridden else _said(model, "not compared with the model: wrap was given no rows")
    forest, failed = model.trees(), "they hold infinities"
    matrix = model.data.matrix[~np.isinf(model.data.matrix).any(axis=1)]
    complete = ~np.isnan(matrix).any(axis=1)
    for rows in (matrix,) if complete.all() else (matrix, matrix[complete]):
        rows = _spread(rows, forest, (MOST - int(model.provenance.get("wrap_rows", 0))) // 2)  # noqa: PLW2901
        if not len(rows):
            continue
        model = _counted(model, len(rows))
        try:
            answer = ask(model, rows)
        except Exception as error:  # noqa: BLE001  (the user's model may raise anything; that it did is told)
            failed = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            continue
        if agrees(forest, rows, answer):
            return _said(model, f"they answer as the model does on {len(rows)} of its rows")
        return _without(model, DISAGREE)
    return _without(model, UNSEEN) if overridden else _said(model, f"not compared with the model: it does not take its rows ({failed})")


def ask(model: Model, rows: Floats) -> Floats:
    """The model's own answers to encoded rows, float64 (rows, outputs), not counted as an explanation's."""
    frame = registry.load("frames", "writer")(rows, model.schema, model.frame)
    return np.asarray(model.ability("predict")(frame), dtype=np.float64).reshape(len(rows), -1)


def agrees(forest: Forest, rows: Floats, answer: Floats) -> bool:
    """Whether the forest's predictions are the answers, up to what sums in float32 lose.

    Every addition may be off by half a unit in the last place of the largest sum; such errors grow with the root of their
    number. Shares and what a link gives may be off by 1e-6 beside that, an exponential in proportion to its size.
    """
    mine = routing.predict(forest, rows)[:, -answer.shape[1] :]
    if mine.shape != answer.shape:
        return False
    ends = np.append(forest.roots[1:], len(forest.feature))
    largest = sum(float(np.abs(forest.value[a:b]).max(initial=0.0)) for a, b in zip(forest.roots, ends, strict=True))
    largest += float(np.abs(forest.base).max(initial=0.0))
    lost = np.finfo(np.float32).eps * (4.0 + 2.0 * np.sqrt(forest.n_trees)) * largest
    allowed: Any = lost if forest.link == "identity" and forest.space == "value" else lost + 1e-6
    if forest.link == "exp":
        allowed = allowed * np.abs(mine)
    return bool((np.abs(mine - answer) <= allowed).all())


def own_method(estimator: Any, *names: str) -> Callable[..., Any] | None:
    """The first of these methods that the estimator has, if a subclass or the instance has put its own in its library's place.

    Args:
        estimator: Of any library that the registry knows.
        names: Methods in the order in which the library's adapter would ask.

    Returns:
        The bound method, or None where the library's own answers.
    """
    known = tuple(prefix for row in registry.rows("models") for prefix in row.takes if prefix)
    for name in names:
        if hasattr(estimator, name):
            origin = next((c for c in type(estimator).__mro__ if name in vars(c)), None)
            own = name in getattr(estimator, "__dict__", {}) or (origin is not None and not f"{origin.__module__}.".startswith(known))
            method: Callable[..., Any] = getattr(estimator, name)
            return method if own else None
    return None


def ask_own(method: Callable[[Any], Any], frame: Any, classes: int) -> Floats:
    """What a method of the estimator's own answers, float64 (rows, outputs); of two classes, both.

    Args:
        method: What ``own_method`` gave.
        frame: Rows as its library takes them.
        classes: How many classes there are, 0 for numbers.

    Raises:
        ModelError: If it raises, or answers something else than one row of numbers a row.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X (does not have valid|has) feature names")
        answer = callable.Asker(method, callable.named(method), "")(frame)
    return boosting.both_classes(answer[:, 0]) if classes == 2 and answer.shape[1] == 1 else answer


def _spread(rows: Floats, forest: Forest, left: int) -> Floats:
    """Some of the rows, from the first to the last of them."""
    most = max(0, min(ROWS, left, len(rows), max(8, PAIRS // max(forest.n_trees, 1))))
    return rows[np.unique(np.linspace(0, max(len(rows) - 1, 0), most).astype(np.intp))]


def _counted(model: Model, rows: int) -> Model:
    spent = {"wrap_calls": model.provenance.get("wrap_calls", 0) + 1, "wrap_rows": model.provenance.get("wrap_rows", 0) + rows}
    return replace(model, provenance={**model.provenance, **spent})


def _said(model: Model, text: str) -> Model:
    return replace(model, provenance={**model.provenance, "trees_checked": text})


def _without(model: Model, reason: str) -> Model:
    """The model as one that is only asked for predictions."""
    refused = {**model.provenance.get("refused", {}), "trees": reason}
    abilities = {name: ability for name, ability in model.abilities.items() if name != "trees"}
    return replace(model, kind=model.kind + REMARKS[reason], abilities=abilities, provenance={**model.provenance, "refused": refused})
