"""Columns as players: an unknown column takes the values it has in the background rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whyglass.core.errors import InputError

Matrix = NDArray[np.float64]
Bits = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Columns:
    """The masker of tables.

    Attributes:
        background: float64 (rows, columns), encoded; all unknown columns of an evaluation come from the same row.
    """

    background: Matrix

    def __post_init__(self) -> None:
        if not len(self.background):
            msg = "background has no rows; at least one must stand for 'unknown'."
            raise InputError(msg)

    @property
    def players(self) -> int:
        """How many columns there are."""
        return int(self.background.shape[1])

    @property
    def repeats(self) -> int:
        """Model rows that one evaluation takes."""
        return len(self.background)

    def fill(self, case: Matrix, coalitions: Bits) -> Matrix:
        """The rows to ask the model about.

        Args:
            case: float64 (columns,), the row explained.
            coalitions: bool (evaluations, columns), True where the column is known.

        Returns:
            float64 (evaluations * background rows, columns), the rows of one evaluation next to each other.
        """
        filled = np.where(coalitions[:, None, :], case, self.background)
        return filled.reshape(-1, self.players)
