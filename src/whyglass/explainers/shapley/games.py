"""A model as a game over columns: what it says, on average over the background, when only some columns are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask
from whyglass.core.errors import ModelError, UnsupportedError
from whyglass.core.model import Model
from whyglass.core.rescue import rescue
from whyglass.explainers.links import linked_space, through
from whyglass.explainers.maskers.tabular import Columns
from whyglass.explainers.shapley.answers import OUT_OF_TIME, output_names
from whyglass.explainers.shapley.linear import contributions
from whyglass.kernels import forest as sums

Array = NDArray[np.float64]
Bits = NDArray[np.bool_]
Predict = Callable[[Array], Array]

_CELLS = 4_000_000  # numbers in one call of the model: large enough to be worth a call, small enough for any memory
_CELLS_TIMED = 400_000  # the same under a time budget, which cannot interrupt a call


class RowError(Exception):
    """One row cannot be explained; the message is its status."""


@dataclass(frozen=True, eq=False)
class Game:
    """What is asked about coalitions.

    Attributes:
        predict: Encoded rows -> float64 (rows, outputs).
        names: One per output.
        space: What the outputs are.
        compiled: Whether our own evaluation of the trees or coefficients answers instead of the user's model; it may be
            called from several threads.
    """

    predict: Predict
    names: tuple[str, ...]
    space: str
    compiled: bool


def game_of(ask: Ask) -> Game:
    """The model's prediction, or its sum when that space is asked for; trees and linear models answer in compiled form.

    Raises:
        UnsupportedError: If the model cannot answer in the space asked for.
    """
    model = ask.model
    plain = "probability" if model.task == "classification" else "value"
    inner = _sums(model)
    if inner is not None:
        total, link, space, count = inner
        linked = linked_space(link, space, model.task)
        if ask.space in (None, linked) and linked == plain and _fits(model, count, link):
            return Game(lambda X: through(total(X), link, len(model.outputs)), model.outputs, linked, compiled=True)
        if ask.space == space:
            return Game(total, output_names(model, count), space, compiled=True)
    if ask.space not in (None, plain):
        msg = f"{model.name} answers in {plain} space and cannot be asked in {ask.space!r}."
        raise UnsupportedError(msg)
    return Game(model.predict_matrix, model.outputs, plain, compiled=False)


def _sums(model: Model) -> tuple[Predict, str, str, int] | None:
    if "trees" in model.can:
        forest = model.trees()
        return (lambda X: sums.predict(forest, X)), forest.link, forest.space, forest.n_outputs
    if "linear" in model.can:
        linear = model.linear()
        return (lambda X: linear.intercept + contributions(linear, X).sum(axis=1)), linear.link, linear.space, linear.n_outputs
    return None


def _fits(model: Model, count: int, link: str) -> bool:
    """Whether the linked sums are the model's own outputs, one for one."""
    return len(model.outputs) == (2 if link == "sigmoid" and count == 1 else count)


def ask_model(game: Game, rows: Array) -> Array:
    """Predictions of rows.

    Raises:
        RowError: If the model raises, or answers something else than a finite number for each row and output.
    """
    try:
        said = game.predict(rows)
    except Exception as error:  # the user's model may raise anything, and one row must not fail the batch
        raise RowError(_words(error)) from error
    odd = said[~np.isfinite(said)]
    if len(odd):
        raise RowError(_answered(odd[0]))
    return said


def _words(error: Exception) -> str:
    """What the model did; an adapter's error holds what the model itself raised as its cause."""
    cause = error.__cause__ if isinstance(error, ModelError) else error
    return str(error) if cause is None else f"the model raised {type(cause).__name__}: {cause}"


def _answered(value: float) -> str:
    return "the model answered NaN" if np.isnan(value) else "the model answered infinity"


def predictions(game: Game, rows: Array) -> tuple[Array, dict[int, str]]:
    """Predictions of the explained rows in one call, in halves where that fails, so that only the bad ones are lost."""
    said, errors = rescue(game.predict, rows, len(game.names))
    failed = {row: _words(error) for row, error in errors.items()}
    for row, output in np.argwhere(~np.isfinite(said)):
        failed.setdefault(int(row), _answered(said[row, output]))
    return said, failed


def average_answer(game: Game, masker: Columns) -> Array:
    """What the model says when no column is known: float64 (outputs,).

    Raises:
        ModelError: If it cannot answer about the background.
    """
    try:
        return np.asarray(ask_model(game, masker.background).mean(axis=0))
    except RowError as error:
        msg = f"The background rows cannot be used: {str(error).rstrip('.')}. Pass background= rows that the model can answer."
        raise ModelError(msg) from error


def coalition_answers(ask: Ask, game: Game, masker: Columns, case: Array, coalitions: Bits) -> Array:
    """What the model says about one case for every coalition, in calls as large as memory allows.

    Returns:
        float64 (coalitions, outputs), averaged over the background.

    Raises:
        RowError: If the model fails on it, or the time budget runs out.
    """
    timed = ask.budget.deadline is not None
    size = max(1, (_CELLS_TIMED if timed else _CELLS) // max(1, masker.repeats * masker.players))
    out = np.empty((len(coalitions), len(game.names)))
    for start in range(0, len(coalitions), size):
        if timed and start and not ask.budget.left():
            raise RowError(OUT_OF_TIME)
        part = coalitions[start : start + size]
        said = ask_model(game, masker.fill(case, part))
        out[start : start + size] = said.reshape(len(part), masker.repeats, -1).mean(axis=1)
    return out
