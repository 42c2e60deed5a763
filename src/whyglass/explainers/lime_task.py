"""What LIME was asked, and the result put together: shared by its three ways of sampling."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask
from whyglass.core.attribution import Attribution
from whyglass.core.errors import InputError
from whyglass.explainers.bins import Codes
from whyglass.explainers.lime_fit import Surrogates
from whyglass.explainers.pool import bins_of, training_rows
from whyglass.explainers.shapley.answers import OUT_OF_TIME, Found, answer, usable
from whyglass.explainers.shapley.games import Game, game_of, predictions
from whyglass.kernels.surrogate import PARTS, Draws

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
_BLOCK = 64  # cases explained together
_CELLS = 1_000_000  # numbers of normal equations held at a time


@dataclass(frozen=True, eq=False)
class Task:
    """What LIME was asked, read.

    Attributes:
        ask: The question.
        game: What is asked of the model.
        rows: Positions of the rows that can be explained.
        said: float64 (explained rows, outputs), predictions, NaN where there is none.
        codes: int32 (explained rows, columns), their bins.
        draws: Perturbations a case.
        most: Columns to keep; None for all.
        width: Kernel width.
        status: Rows that failed, and why.
    """

    ask: Ask
    game: Game
    rows: Rows
    said: Array
    codes: Codes
    draws: int
    most: int | None
    width: float
    status: dict[int, str] = field(default_factory=dict)

    @property
    def columns(self) -> int:
        """How many columns a row has."""
        return int(self.codes.shape[1])

    @property
    def weight(self) -> Array:
        """Weight of a draw by how many columns differ from the case: the root of exp(-distance^2 / width^2), as LIME's."""
        return np.asarray(np.exp(-np.arange(self.columns + 1) / (2 * self.width**2)))

    def table(self, codes: Codes, said: Array) -> Draws:
        """Draws as the fit takes them: usable ones shared out to its parts, those without a finite answer left out."""
        usable_draws = np.isfinite(said).all(axis=1)
        part = np.full(len(said), -1, np.int8)
        part[usable_draws] = np.arange(int(usable_draws.sum())) % PARTS
        return Draws(np.ascontiguousarray(codes.T), np.ascontiguousarray(said.T), part, self.weight)

    def few(self, draws: int) -> str:
        """Why so many usable draws say too little; empty when they are enough."""
        least = 2 * (self.columns + 2)
        if draws >= least:
            return ""
        counted = "1 perturbation is" if draws == 1 else f"{draws:,} perturbations are"
        return f"{counted} too few to tell {self.columns} columns apart; at least {least:,} are needed"


def task_of(ask: Ask) -> Task:
    """Read the parameters, and ask about the rows themselves: one call.

    Raises:
        InputError: If a parameter is not understood, or the model was wrapped without rows.
        UnsupportedError: If the model cannot answer in the space asked for.
    """
    training_rows(ask.model)
    game, rows, columns = game_of(ask), usable(ask), len(ask.data.schema)
    draws = _count(ask, "n_samples", 5000)
    if ask.budget.given and draws is not None:
        draws = min(draws, ask.budget.evaluations)
    width = ask.params.get("kernel_width")
    if width is None:
        width = 0.75 * math.sqrt(columns)
    if isinstance(width, bool) or not isinstance(width, int | float | np.number) or not 0 < width < math.inf:
        msg = f"kernel_width={width!r} is not a positive number; it is measured in roots of the number of columns that differ."
        raise InputError(msg)
    most = _count(ask, "n_features", None)
    said, failed = predictions(game, ask.data.matrix[rows], rows)
    whole = np.full((len(ask.data), game.width), np.nan)
    whole[rows] = said
    status = {int(rows[at]): reason for at, reason in failed.items()}
    good = np.array([row for row in rows if int(row) not in status], dtype=np.intp)
    return Task(ask, game, good, whole, bins_of(ask.model).codes(ask.data.matrix), draws or 0, most, float(width), status)


def _count(ask: Ask, name: str, default: int | None) -> int | None:
    given = ask.params.get(name)
    if given is None:
        return default
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < 1:
        msg = f"{name}={given!r} is not a whole number from 1 up."
        raise InputError(msg)
    return int(given)


def blank(task: Task) -> Surrogates:
    """Room for the surrogates of every row, NaN so far."""
    shape = (len(task.ask.data), task.columns, task.game.width)
    ends = (shape[0], shape[2])
    return Surrogates(*(np.full(s, np.nan) for s in (shape, ends, shape, ends, shape)))


def keep(found: Surrogates, rows: Rows, some: Surrogates) -> None:
    """Put the surrogates of some rows at their places."""
    for name in vars(some):
        getattr(found, name)[rows] = getattr(some, name)


def each_block(task: Task, one: Callable[[Rows], None]) -> None:
    """Go through the rows in blocks on threads, as long as time allows; ``one`` keeps its own answers."""
    size = max(1, min(_BLOCK, _CELLS // (task.game.width * PARTS * (task.columns + 1) ** 2)))

    def block(part: slice) -> None:
        rows = task.rows[part]
        if task.ask.budget.left():
            one(rows)
        else:
            task.status.update(dict.fromkeys(rows.tolist(), OUT_OF_TIME))

    task.ask.executor.map(block, task.ask.executor.blocks(len(task.rows), size))


def result(task: Task, found: Surrogates, said: Mapping[str, Any], *, exact: bool = False) -> Attribution:
    """The result; ``said`` says how the draws were made."""
    ask, known = task.ask, len(training_rows(task.ask.model))
    every = list(ask.outputs) if ask.outputs and task.game.width == len(ask.model.outputs) else slice(None)
    for row in (*task.status, *(r for r, problem in enumerate(ask.data.problems) if problem)):
        found.r2[row] = found.tied[row] = np.nan
    made = Found(
        values=found.values,
        base=found.base,
        predictions=task.said,
        names=task.game.names,
        space=task.game.space,
        unknown=f"each column drawn on its own from {known:,} {ask.model.rows_are}",
        std_errors=None if exact else found.errors,
        status=task.status,
        params={"kernel_width": task.width, "sampling": ask.params.get("sampling", "pool"), "perturbations": dict(said)},
        fidelity={"r2": found.r2[:, every], "tied": found.tied[:, :, every]},
    )
    return replace(answer(ask, "lime", made), additive=False)
