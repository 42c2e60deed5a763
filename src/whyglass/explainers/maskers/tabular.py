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
        player: int32 (columns,), the player each column belongs to; None when each column is its own.
    """

    background: Matrix
    player: NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        if not len(self.background):
            msg = "background has no rows; at least one must stand for 'unknown'."
            raise InputError(msg)

    @property
    def players(self) -> int:
        """How many players there are."""
        return int(self.background.shape[1] if self.player is None else self.player.max(initial=-1) + 1)

    @property
    def repeats(self) -> int:
        """Model rows that one evaluation takes."""
        return len(self.background)

    def fill(self, cases: Matrix, coalitions: Bits) -> Matrix:
        """The rows to ask the model about.

        Args:
            cases: float64 (cases, columns), or (columns,) for one of them: the rows explained.
            coalitions: bool (evaluations, players), True where the player is known.

        Returns:
            float64 (cases * evaluations * background rows, columns), the rows of one evaluation next to each other.
        """
        known = coalitions if self.player is None else coalitions[:, self.player]
        each = np.atleast_2d(cases)
        filled = np.empty((len(each), len(known), *self.background.shape))
        filled[:] = self.background
        np.copyto(filled, each[:, None, None, :], where=known[None, :, None, :])
        return filled.reshape(-1, self.background.shape[1])
