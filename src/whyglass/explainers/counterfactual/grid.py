"""Where a row may go, and how far that is: the values seen in training, and the measure of distance."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from whyglass.core.errors import InputError, UnsupportedError
from whyglass.core.model import Model
from whyglass.core.schema import Dataset
from whyglass.explainers.counterfactual.constraints import Facts

Array = NDArray[np.float64]
MOST_ROWS = 50_000  # training rows that stand for where people are; the grid itself takes all


@dataclass(frozen=True, eq=False)
class Grid:
    """What training says about the columns.

    Attributes:
        values: Per column the values seen, ascending; codes for a category column.
        scale: float64 (columns,), the standard deviation (ddof 0) of a numeric column, 1 for a category or constant one.
        numeric: bool (columns,).
        middle: float64 (columns,), the value that stands for "known" where one was missing: the median seen, or the commonest code.
        rows: float64 (rows, columns), the training rows, or a seeded part of them where there are more than ``MOST_ROWS``.
        seen: How many training rows there are.
        kept: What was made from it, and lives as long.
    """

    values: tuple[Array, ...]
    scale: Array
    numeric: NDArray[np.bool_]
    middle: Array
    rows: Array
    seen: int
    kept: dict[Any, Any] = field(default_factory=dict)

    def distance(self, case: Array, rows: Array, weights: Array) -> Array:
        """Distance of encoded rows from a case: |change| / scale, or 1 for another category or a value that was missing."""
        gone = np.isnan(case) | np.isnan(rows)
        both = np.isnan(case) & np.isnan(rows)
        with np.errstate(invalid="ignore"):
            steps = np.where(self.numeric, np.abs(rows - case) / self.scale, (rows != case).astype(np.float64))
        return np.asarray(np.where(both, 0.0, np.where(gone, 1.0, steps)) @ weights)


_grids: WeakKeyDictionary[Dataset, Grid] = WeakKeyDictionary()


def grid_of(model: Model) -> Grid:
    """The grid of a model's training rows, read once.

    Raises:
        InputError: If the model was wrapped without rows.
        UnsupportedError: If a column is neither numbers, times nor categories.
    """
    data = model.data
    if data is None or len(data) == 0:
        msg = f"{model.name} was wrapped without rows, so nothing says which values there are. Pass wrap(model, X_train)."
        raise InputError(msg)
    if data not in _grids:
        _grids[data] = _read(data)
    return _grids[data]


def _read(data: Dataset) -> Grid:
    other = [c for c in data.schema.columns if c.kind not in ("numeric", "categorical", "time")]
    if other:
        msg = f"{other[0].name!r} holds {other[0].kind}; counterfactuals are about columns of numbers, times and categories."
        raise UnsupportedError(msg)
    rows = data.matrix
    if data.problems:
        rows = rows[[not p for p in data.problems]]
    numeric = np.array([c.kind != "categorical" for c in data.schema.columns])
    values, scale, middle = [], np.ones(rows.shape[1]), np.zeros(rows.shape[1])
    for j in range(rows.shape[1]):
        column = rows[:, j]
        there = column[np.isfinite(column)] if numeric[j] else column[column >= 0]
        seen, counts = np.unique(there, return_counts=True)
        values.append(seen)
        if not len(there):
            middle[j] = math.nan
            continue
        middle[j] = seen[np.searchsorted(np.cumsum(counts), len(there) / 2)] if numeric[j] else seen[counts.argmax()]
        spread = float(there.std()) if numeric[j] else 1.0
        scale[j] = spread if spread > 0 else 1.0
    if len(rows) > MOST_ROWS:
        rows = rows[np.sort(np.random.default_rng(0).permutation(len(rows))[:MOST_ROWS])]
    return Grid(tuple(values), scale, numeric, middle, np.ascontiguousarray(rows), len(data))


def choices(grid: Grid, facts: Facts, case: Array) -> list[Array]:
    """Per column the values that the case may have: its own first where it may keep it, the others by rising distance."""
    found = []
    for j, own in enumerate(case):
        others = grid.values[j][facts.allows(j, float(own), grid.values[j])]
        others = others[others != own]
        near = np.abs(others - (grid.middle[j] if math.isnan(own) else own)) if grid.numeric[j] else np.zeros(len(others))
        keep = np.array([own])[facts.allows(j, float(own), np.array([own]))]
        found.append(np.concatenate([keep, others[np.argsort(near, kind="stable")]]))
    return found
