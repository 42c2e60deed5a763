"""How thin the surroundings of a row are, against those of the training rows: plausibility where no tree says what belongs together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whyglass.explainers.counterfactual.grid import Grid

Array = NDArray[np.float64]
WORDS = "of the training rows lie in thinner surroundings"
LEAST = 0.05  # share of training rows in thinner surroundings from which on a row is taken to be plausible
_ROWS = 1000  # training rows that stand for all
_NEAR = 5  # neighbours whose mean distance is the radius


@dataclass(frozen=True, eq=False)
class Density:
    """Surroundings measured by the mean distance to the five nearest of up to 1,000 training rows.

    Attributes:
        grid: The values seen in training.
        rows: float64 (rows, columns).
        radii: float64 (rows,), ascending, those of the training rows among themselves.
    """

    grid: Grid
    rows: Array
    radii: Array

    def share(self, rows: Array) -> Array:
        """For each row the share of training rows that lie in thinner surroundings. Cost: rows x 1,000 x columns."""
        out = np.empty(len(rows))
        for start in range(0, len(rows), 500):
            part = slice(start, start + 500)
            out[part] = 1.0 - np.searchsorted(self.radii, _radii(self.grid, rows[part], self.rows, 0), side="left") / len(self.radii)
        return out


def density_of(grid: Grid) -> Density:
    """The density of a grid's rows, measured once."""
    if "density" not in grid.kept:
        rows = grid.rows
        if len(rows) > _ROWS:
            rows = rows[np.sort(np.random.default_rng(0).permutation(len(rows))[:_ROWS])]
        grid.kept["density"] = Density(grid, rows, np.sort(_radii(grid, rows, rows, 1)))
    made: Density = grid.kept["density"]
    return made


def _radii(grid: Grid, ones: Array, others: Array, skip: int) -> Array:
    """Mean distance to the nearest others, the first ``skip`` (the row itself) left out."""
    total = np.zeros((len(ones), len(others)))
    for column in range(ones.shape[1]):
        a, b = ones[:, column, None], others[None, :, column]
        step = np.abs(a - b) / grid.scale[column] if grid.numeric[column] else (a != b).astype(np.float64)
        gone = np.isnan(a) != np.isnan(b)
        total += np.where(gone, 1.0, np.nan_to_num(step, nan=0.0))
    near = min(_NEAR + skip, len(others))
    nearest = np.sort(np.partition(total, near - 1, axis=1)[:, :near], axis=1)[:, skip:]
    return np.asarray(nearest.mean(axis=1)) if nearest.shape[1] else np.zeros(len(ones))
