"""How thin the surroundings of a row are, against those of the training rows: plausibility where no tree says what belongs together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whyglass.explainers.counterfactual.grid import Grid
from whyglass.kernels import surroundings

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
        return np.asarray(1.0 - np.searchsorted(self.radii, _radii(self.grid, rows, self.rows, 0), side="left") / len(self.radii))


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
    near = min(_NEAR + skip, len(others))
    if near <= skip:
        return np.zeros(len(ones))
    scale = np.where(grid.numeric, grid.scale, 0.0)
    found: Array = surroundings.mean_nearest(np.ascontiguousarray(ones), np.ascontiguousarray(others), scale, near, skip)
    return found
