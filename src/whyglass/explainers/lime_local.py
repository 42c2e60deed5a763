"""LIME with fresh draws around each case: numbers from a normal distribution, many cases in one call of the model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from whyglass.core.attribution import Attribution
from whyglass.explainers.lime_fit import Surrogates, fit
from whyglass.explainers.lime_task import Rows, Task, blank, keep, result
from whyglass.explainers.pool import CELLS, bins_of, said_of, training_rows
from whyglass.explainers.shapley.answers import OUT_OF_TIME

Array = NDArray[np.float64]
_STREAM = 7  # of the seed, so that these draws are not the pool's


def explain(task: Task) -> Attribution:
    """Fit every row on its own draws; the random numbers behind them are the same for all rows, so that rows can be compared."""
    found = blank(task)
    reason = task.few(task.draws)
    if reason or not len(task.rows):
        task.status.update(dict.fromkeys(task.rows.tolist(), reason))
        return result(task, found, {"drawn": 0})
    normal, drawn = _noise(task)
    together = max(1, CELLS // (task.draws * max(1, task.columns)))
    ask = task.ask
    executor = ask.executor if task.game.compiled else replace(ask.executor, threads=1)  # the user's model may not bear threads

    def block(part: slice) -> int:
        rows = task.rows[part]
        if not ask.budget.left():
            task.status.update(dict.fromkeys(rows.tolist(), OUT_OF_TIME))
            return 0
        return _together(task, rows, np.stack([around(task, row, normal, drawn) for row in rows]), found)

    left_out = sum(executor.map(block, executor.blocks(len(task.rows), together)))
    return result(task, found, {"drawn": task.draws, "left_out": left_out})


def around(task: Task, row: int, normal: Array, drawn: Array) -> Array:
    """Draws around one case: float64 (draws, columns).

    Args:
        task: The question.
        row: Position of the case.
        normal: float64 (draws, columns), standard normal times each column's standard deviation.
        drawn: float64 (draws, columns), training values: taken for categories, and for a number that the case lacks.
    """
    case, matrix = task.ask.data.matrix[row], drawn.copy()
    for j, column in enumerate(task.ask.model.schema.columns):
        if column.kind == "categorical" or np.isnan(case[j]):
            continue
        moved = case[j] + normal[:, j]
        moved = np.round(moved) if column.integer else moved
        matrix[:, j] = np.clip(moved, np.fmin(column.minimum, case[j]), np.fmax(column.maximum, case[j]))
    return matrix


def _noise(task: Task) -> tuple[Array, Array]:
    """The random numbers behind the draws of every case."""
    known = training_rows(task.ask.model).matrix
    rng = np.random.default_rng([task.ask.seed, _STREAM])
    drawn = np.take_along_axis(known, rng.integers(0, len(known), size=(task.draws, task.columns)), axis=0)
    deviation = np.zeros(task.columns)
    for j in range(task.columns):
        values = known[np.isfinite(known[:, j]), j]
        deviation[j] = values.std() if len(values) else 0.0
    return rng.standard_normal((task.draws, task.columns)) * deviation, drawn


def _together(task: Task, rows: Rows, draws: Array, found: Surrogates) -> int:
    """Ask about the draws of some cases and fit each; returns how many draws were left out."""
    bins, left_out = bins_of(task.ask.model), 0
    flat = draws.reshape(-1, task.columns)
    said, problem, done = said_of(task.ask, task.game, flat)
    for at, row in enumerate(rows.tolist()):
        part = slice(at * task.draws, (at + 1) * task.draws)
        if part.stop > done:
            task.status[row] = OUT_OF_TIME
            continue
        good = int(np.isfinite(said[part]).all(axis=1).sum())
        left_out += task.draws - good
        reason = task.few(good)
        if reason:
            task.status[row] = f"{reason}: {problem}" if problem else reason
            continue
        same = (bins.codes(flat[part]) == task.codes[row]).astype(np.int32)
        whole = np.ones((1, task.columns), np.int32)
        keep(found, np.array([row], dtype=np.intp), fit(task.table(same, said[part]), whole, task.most))
    return left_out
