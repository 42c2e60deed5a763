"""Exact interventional Shapley values of a tree ensemble, in its margin or through its link."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask
from whyglass.core.attribution import Attribution
from whyglass.core.errors import InputError, UnsupportedError
from whyglass.core.forest import Forest
from whyglass.explainers.links import linked_space
from whyglass.explainers.shapley.answers import OUT_OF_TIME, Found, answer, output_names, unknown_rows, usable
from whyglass.kernels import enumerate_forest

Array = NDArray[np.float64]
_PILOT = 16  # background rows timed before a time budget is shared out


def explain(ask: Ask) -> Attribution:
    """Explain rows against background rows, by every coalition of the columns that the trees test.

    ``params["first"]`` uses only so many background rows, drawn in seeded order, and gives standard errors for the answer
    over all of them; a time budget chooses that number. The model is never called. Cost a row: background rows x (leaves
    met + columns x 2^columns).

    Raises:
        InputError: If ``first`` is not a positive number.
        UnsupportedError: If the trees test more than 14 columns, or cannot give the space asked for.
    """
    forest = ask.model.trees()
    link, space = _link(ask, forest)
    tested = enumerate_forest.players(forest)
    if len(tested) > enumerate_forest.MOST_COLUMNS:
        msg = f"The trees test {len(tested)} columns; all their coalitions are enumerated up to {enumerate_forest.MOST_COLUMNS}."
        raise UnsupportedError(msg)
    background, unknown = unknown_rows(ask)
    order = np.random.default_rng(ask.seed).permutation(len(background))
    background = background[order]
    rows = usable(ask)
    first = _first(ask, len(background))
    if ask.budget.deadline is not None and len(rows):
        first = min(first, _affordable(ask, (forest, link), ask.data.matrix[rows], background))
    found = _all_rows(ask, (forest, link), rows, background, first)
    if link == "sigmoid" and forest.n_outputs == 1 and len(ask.model.outputs) == 2:
        found = _both_classes(found)
    names = output_names(ask.model, found.values.shape[2])
    used = f" ({first:,} of them used)" if first < len(background) else ""
    return answer(
        ask,
        "shap.tree.interventional",
        replace(found, names=names, space=space, unknown=unknown + used, params={"first": first}),
    )


def _link(ask: Ask, forest: Forest) -> tuple[str, str]:
    """The link to go through and the space it leads to."""
    linked = linked_space(forest.link, forest.space, ask.model.task)
    if ask.space in (None, forest.space):
        return "identity", forest.space
    if ask.space == linked:
        return forest.link, linked
    msg = f"{ask.model.name} can be explained in {forest.space} or {linked} space, not {ask.space!r}."
    raise UnsupportedError(msg)


def _first(ask: Ask, whole: int) -> int:
    given: Any = ask.params.get("first")
    if given is None:
        return whole
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < 1:
        msg = f"first={given!r} is not a positive number of background rows."
        raise InputError(msg)
    return min(int(given), whole)


def _affordable(ask: Ask, game: tuple[Forest, str], X: Array, background: Array) -> int:
    """How many background rows each explained row can have within the time left."""
    start = time.monotonic()
    enumerate_forest.values(game[0], X[0], background, game[1], first=_PILOT)
    one = (time.monotonic() - start) / min(_PILOT, len(background))
    left = max((ask.budget.deadline or start) - time.monotonic(), 0.0)
    share = 0.8 * left * min(ask.executor.workers, len(X)) / (len(X) * max(one, 1e-9))
    return max(2, min(len(background), int(share)))


def _all_rows(ask: Ask, game: tuple[Forest, str], rows: NDArray[np.intp], background: Array, first: int) -> Found:
    forest, link = game
    shape = (len(ask.data), len(ask.data.schema), forest.n_outputs)
    values, errors = np.full(shape, np.nan), np.full(shape, np.nan)
    base, predictions = np.full((shape[0], shape[2]), np.nan), np.full((shape[0], shape[2]), np.nan)
    status: dict[int, str] = {}

    def block(part: slice) -> None:
        for row in rows[part]:
            if not ask.budget.left():
                status[int(row)] = OUT_OF_TIME
                continue
            one = enumerate_forest.values(forest, ask.data.matrix[row], background, link, first)
            values[row], errors[row], base[row], predictions[row] = one.values, one.std_errors, one.base, one.prediction

    size = max(1, min(16, len(rows) // (4 * ask.executor.workers)))
    ask.executor.map(block, ask.executor.blocks(len(rows), size))
    exact = first >= len(background)
    return Found(values, base, predictions, (), "", "", None if exact else errors, status)


def _both_classes(found: Found) -> Found:
    errors = found.std_errors
    return replace(
        found,
        values=np.concatenate([-found.values, found.values], axis=2),
        base=np.concatenate([1.0 - found.base, found.base], axis=1),
        predictions=np.concatenate([1.0 - found.predictions, found.predictions], axis=1),
        std_errors=None if errors is None else np.concatenate([errors, errors], axis=2),
    )
