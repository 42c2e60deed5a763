"""Values as bins: quartiles of the training rows for numbers, each category for itself, and missing as a bin of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whyglass.core.schema import Dataset

Array = NDArray[np.float64]
Codes = NDArray[np.int32]
QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True, eq=False)
class Bins:
    """The bins of every column.

    Attributes:
        edges: Per column the upper ends of all bins but the last, ascending, each inside its bin; None for categories.
        counts: int32 (columns,), bins of each column, the one of missing values included; it is the last.
    """

    edges: tuple[Array | None, ...]
    counts: Codes

    def codes(self, matrix: Array) -> Codes:
        """The bin of every value: int32 (rows, columns), -1 for a category never seen.

        Args:
            matrix: float64 (rows, columns), encoded.
        """
        found = np.empty(matrix.shape, np.int32)
        for j, edges in enumerate(self.edges):
            values, missing = matrix[:, j], np.isnan(matrix[:, j])
            if edges is None:
                known = ~missing & (values >= 0) & (values < self.counts[j] - 1)
                found[:, j] = np.where(known, np.where(known, values, 0), -1)
            else:
                found[:, j] = sum(values > edge for edge in edges)  # three edges at most: faster than to look each value up
            found[missing, j] = self.counts[j] - 1
        return found


def quartile_bins(data: Dataset) -> Bins:
    """Bins of a table: LIME's quartiles (equal ones count once), categories as they are, missing values by themselves."""
    edges: list[Array | None] = []
    counts = np.zeros(len(data.schema), np.int32)
    for j, column in enumerate(data.schema.columns):
        if column.kind == "categorical":
            edges.append(None)
            counts[j] = len(column.categories) + 1
            continue
        values = data.matrix[:, j]
        known = values[np.isfinite(values)]
        ends = np.unique(np.quantile(known, QUARTILES)) if len(known) else np.zeros(0)
        edges.append(ends)
        counts[j] = len(ends) + 2
    return Bins(tuple(edges), counts)
