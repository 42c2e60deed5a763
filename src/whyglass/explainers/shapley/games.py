"""A model as a game over columns: what it says, on average over the background, when only some columns are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask
from whyglass.core.errors import InputError, ModelError, UnsupportedError
from whyglass.core.model import Model
from whyglass.core.outcomes import class_positions
from whyglass.core.rescue import rescue
from whyglass.explainers.links import linked_space, through
from whyglass.explainers.maskers.tabular import Columns
from whyglass.explainers.shapley.answers import output_names
from whyglass.explainers.shapley.linear import contributions
from whyglass.kernels import forest as sums

Array = NDArray[np.float64]
Bits = NDArray[np.bool_]
Predict = Callable[[Array], Array]

NO_OUTCOME = "no outcome that the model can answer is recorded for this row, so nothing says how wrong it is"
_SURE = float(np.finfo(np.float64).eps)  # a probability of zero counts as this one, so that no loss is infinite


@dataclass(frozen=True, eq=False)
class Game:
    """What is asked about coalitions.

    Attributes:
        predict: Encoded rows -> float64 (rows, outputs).
        names: One per output.
        space: What the outputs are.
        compiled: Whether our own evaluation of the trees or coefficients answers instead of the user's model; it may be
            called from several threads.
        width: Outputs of ``predict``.
        labels: int (explained rows,), position of each row's recorded class, -1 where there is none; None unless the game is
            the loss.
    """

    predict: Predict
    names: tuple[str, ...]
    space: str
    compiled: bool
    width: int
    labels: NDArray[np.intp] | None = None

    def average(self, said: Array, rows: NDArray[np.intp]) -> Array:
        """What predictions mean for the rows explained, averaged over the background.

        Args:
            said: float64 (rows, evaluations, background rows, the model's outputs).
            rows: Positions of the rows explained.

        Returns:
            float64 (rows, evaluations, outputs).
        """
        if self.labels is None:
            return np.asarray(said.mean(axis=2))
        own = np.take_along_axis(said, self.labels[rows][:, None, None, None], axis=3)
        return np.asarray(-np.log(np.maximum(own, _SURE)).mean(axis=2))

    def nothing(self, said: Array, rows: int) -> Array:
        """The answer about each explained row when no column is known: float64 (rows, outputs).

        Args:
            said: float64 (background rows, the model's outputs).
            rows: How many rows are explained.
        """
        if self.labels is None:
            return np.tile(said.mean(axis=0), (rows, 1))
        losses = -np.log(np.maximum(said, _SURE)).mean(axis=0)
        return np.where(self.labels >= 0, losses[self.labels], np.nan)[:, None]


def game_of(ask: Ask) -> Game:
    """The model's prediction, or its sum when that space is asked for; trees and linear models answer in compiled form.

    Raises:
        InputError: If the loss is asked for and no row has a recorded outcome.
        UnsupportedError: If the model cannot answer in the space asked for.
    """
    model = ask.model
    if ask.space == "log_loss":
        return _loss(ask)
    plain = "probability" if model.task == "classification" else "value"
    inner = _sums(model)
    if inner is not None:
        total, link, space, count = inner
        linked = linked_space(link, space, model.task)
        if ask.space in (None, linked) and linked == plain and _fits(model, count, link):
            return Game(
                lambda X: through(total(X), link, len(model.outputs)), model.outputs, linked, compiled=True, width=len(model.outputs)
            )
        if ask.space == space:
            return Game(total, output_names(model, count), space, compiled=True, width=count)
    if ask.space not in (None, plain):
        msg = f"{model.name} answers in {plain} space and cannot be asked in {ask.space!r}."
        raise UnsupportedError(msg)
    return Game(model.predict_matrix, model.outputs, plain, compiled=False, width=len(model.outputs))


def recorded_classes(ask: Ask) -> NDArray[np.intp]:
    """Position of each explained row's recorded class among the outputs, -1 where there is none: what a loss is taken of.

    Raises:
        InputError: If no row has a recorded outcome.
        UnsupportedError: If the model is a regression.
    """
    model = ask.model
    if model.task != "classification":
        msg = f"space='log_loss' asks how wrong a classifier is; {model.name} is a regression, whose squared error is not offered."
        raise UnsupportedError(msg)
    if ask.data.y is None:
        msg = (
            "space='log_loss' needs the outcomes recorded of the explained rows. Pass y=; beside data= it is of data: wrap the model first."
        )
        raise InputError(msg)
    return np.nan_to_num(class_positions(ask.data, model.outputs), nan=-1.0).astype(np.intp)


def _loss(ask: Ask) -> Game:
    """The log-loss of each row's recorded class, in place of the prediction."""
    labels = recorded_classes(ask)
    plain = game_of(replace(ask, space="probability"))
    return replace(plain, names=("log loss",), space="log_loss", labels=labels)


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


def bad_answer(said: Array) -> str:
    """Why an answer cannot be used; empty when every number is finite."""
    if np.isfinite(said).all():
        return ""
    return "the model answered NaN" if np.isnan(said[~np.isfinite(said)][0]) else "the model answered infinity"


def words(error: Exception) -> str:
    """What the model did; an adapter's error holds what the model itself raised as its cause."""
    cause = error.__cause__ if isinstance(error, ModelError) else error
    return str(error) if cause is None else f"the model raised {type(cause).__name__}: {cause}"


def predictions(game: Game, X: Array, rows: NDArray[np.intp]) -> tuple[Array, dict[int, str]]:
    """What is said of the explained rows themselves, in one call, in halves where that fails, so that only the bad ones are lost.

    Args:
        game: The game.
        X: float64 (rows, columns), encoded.
        rows: Their positions among all rows explained.

    Returns:
        float64 (rows, outputs), and why a row has none.
    """
    said, errors = rescue(game.predict, X, game.width)
    failed = {row: words(error) for row, error in errors.items()}
    for row in np.flatnonzero(~np.isfinite(said).all(axis=1)).tolist():
        failed.setdefault(row, bad_answer(said[row]))
    return game.average(said[:, None, None, :], rows)[:, 0], failed


def average_answer(game: Game, masker: Columns, rows: int) -> Array:
    """What is said of each explained row when no column is known: float64 (rows, outputs).

    Raises:
        ModelError: If the model cannot answer about the background.
    """
    try:
        said = game.predict(masker.background)
        reason, cause = bad_answer(said), None
    except Exception as error:  # noqa: BLE001  (a user's model may raise anything; what it raised is the cause of what is raised here)
        reason, cause = words(error).rstrip("."), error
    if reason:
        msg = f"The background rows cannot be used: {reason}. Pass background= rows that the model can answer."
        raise ModelError(msg) from cause
    return game.nothing(said, rows)
