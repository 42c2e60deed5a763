"""What a model did not answer along a column or a pair, row by row and in all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.explainers.shapley.games import bad_answer, words

Array = NDArray[np.float64]
Places = NDArray[np.intp]


class Unanswered:
    """Answers that one curve lacks.

    A row that the model answers nowhere along the curve cannot be explained; one that it answers somewhere can, and what is
    missing is counted.

    Args:
        rows: How many rows take part.
    """

    def __init__(self, rows: int) -> None:
        self.answered = np.zeros(rows, np.bool_)
        self.missing = np.zeros(rows, np.intp)
        self.reasons: dict[int, str] = {}

    def take(self, places: Places, said: Array, failed: Mapping[int, Exception]) -> None:
        """Take in answers.

        Args:
            places: The row of each answer.
            said: float64 (answers, outputs).
            failed: Answer -> what the model raised.
        """
        good = np.isfinite(said).all(axis=1)
        self.answered[places[good]] = True
        lost = np.flatnonzero(~good)
        np.add.at(self.missing, places[lost], 1)
        for row, first in zip(*np.unique(places[lost], return_index=True), strict=True):
            at = int(lost[first])
            self.reasons.setdefault(int(row), words(failed[at]) if at in failed else bad_answer(said[at]))

    @property
    def rows(self) -> dict[int, str]:
        """Rows that the model never answered, and why."""
        return {row: reason for row, reason in self.reasons.items() if not self.answered[row]}

    @property
    def rest(self) -> dict[str, Any]:
        """How many answers the other rows lack, how many rows those are, and the first reason; empty where they lack none."""
        some = [row for row in sorted(self.reasons) if self.answered[row]]
        return {"answers": int(self.missing[some].sum()), "rows": len(some), "reason": self.reasons[some[0]]} if some else {}
