"""Where a numeric column may be cut: at quantiles of the training rows, or where the trees split most of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whyglass.core.forest import Forest
from whyglass.core.schema import Column

Array = NDArray[np.float64]
_PARTS = 8  # quantiles
_DISTINCT = 5  # quantiles of the values met, each counted once: they see a long tail that few rows are in
_SPLITS = 7  # cuts taken from the trees
_MOST = 10  # cuts of a column
_LEAST = 0.004  # share of the rows that lies beyond a cut at least
_SPACE = 0.12  # share of the rows beyond them that lies between two cuts at least
_TIMES = (86_400.0 * 365, 86_400.0, 3_600.0, 60.0, 1.0)  # seconds: a time is cut at a full day if there is one


@dataclass(frozen=True)
class Cut:
    """A place where a column is cut.

    Attributes:
        at: The number it is told by.
        below: Whether that number itself lies below the cut.
    """

    at: float
    below: bool

    def under(self, value: float) -> bool:
        """Whether a value lies below."""
        return value < self.at or (self.below and value == self.at)


def cuts(column: Column, values: Array, forest: Forest | None, position: int) -> tuple[Cut, ...]:
    """The places where a column may be cut, ascending.

    Args:
        column: The column; categories without an order have no such places.
        values: float64, what the training rows have there; missing ones are left out.
        forest: The model's trees, where they can be read: half of the cuts are then thresholds that split most training rows.
        position: The column's position in a row.
    """
    category = column.kind == "categorical"
    if category and not column.ordered:
        return ()
    known = np.sort(values[np.isfinite(values)])
    if category:
        known, forest = known[(known >= 0) & (known < len(column.categories))], None
    met, counts = np.unique(known, return_counts=True)
    if len(met) < 2:
        return ()
    below = np.cumsum(counts)[:-1]  # rows up to and with each value but the last
    wanted = [] if forest is None else _split_most(forest, position, met)
    by_rows = np.searchsorted(below, np.arange(1, _PARTS) / _PARTS * len(known), side="left")
    by_values = np.arange(1, _DISTINCT) * len(met) // _DISTINCT - 1
    trees = len(wanted)
    wanted += [int(g) for g in (*by_rows, *by_values) if 0 <= g < len(below)]
    rows = float(len(known))
    chosen: list[int] = []
    for turn, gap in enumerate(wanted):
        here = float(below[gap])
        beyond = min(here, rows - here)
        apart = all(abs(here - below[other]) >= _SPACE * max(beyond, 1.0) for other in chosen)
        room = len(chosen) < (_SPLITS if turn < trees else _MOST)
        if room and apart and beyond >= max(1.0, _LEAST * rows):
            chosen.append(gap)
    if category:
        return tuple(Cut(float(met[g]), below=True) for g in sorted(chosen))
    return tuple(_told(column, float(met[g]), float(met[g + 1])) for g in sorted(chosen))


def _split_most(forest: Forest, position: int, met: Array) -> list[int]:
    """Gaps between values that the trees cut most training rows at, most first."""
    mine = (forest.feature == position) & (forest.category_start < 0)
    gaps = np.searchsorted(met, forest.threshold[mine], side="right") - 1
    inside = (gaps >= 0) & (gaps < len(met) - 1)
    weight = np.bincount(gaps[inside], weights=forest.cover[mine][inside], minlength=1)
    order = np.argsort(-weight, kind="stable")
    return [int(g) for g in order[: 8 * _SPLITS] if weight[g] > 0]


def _told(column: Column, low: float, high: float) -> Cut:
    """The cut between two neighbouring values, at the roundest number there is."""
    at = round_between(low, high, _TIMES if column.kind == "time" else None)
    return Cut(at, below=at < high)


def round_between(low: float, high: float, steps: tuple[float, ...] | None = None) -> float:
    """The roundest number from ``low`` to ``high``, the larger one of two that are equally round.

    Args:
        low: Least.
        high: Largest.
        steps: What counts as round, roundest first; powers of ten and halves of them when None.
    """
    if low <= 0 <= high:
        return 0.0
    power = math.floor(math.log10(max(abs(low), abs(high)))) + 1
    tens = tuple(part * 10.0**k for k in range(power, power - 17, -1) for part in (1.0, 0.5))
    for step in steps or tens:
        found = math.floor(high / step) * step
        found = float(f"{found:.15g}")
        if low <= found <= high:
            return found
    return high
