"""What reaches the last step of a pipeline: one wire per column it sees, each fed by one column of the user's table.

A category column is a finite table: what its wire carries for every code, for a value never seen and for a missing
one. A numeric column is a chain of fitted steps, evaluated with the steps' own arithmetic, so that a threshold found
by bisection over float64 agrees with the pipeline to the last bit.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context

from whyglass.core.errors import UnsupportedError

Floats = NDArray[np.float64]
Orders = NDArray[np.int64]
Ends = tuple[Orders, Orders]


@dataclass(frozen=True, eq=False)
class Stage:
    """One fitted per-column step, seen from one of its columns.

    Attributes:
        step: The fitted transformer.
        width: How many columns it takes.
        place: Which of them this wire is.
        out: Which of its columns the wire leaves by.
        dtype: What its columns have in common when they enter.
    """

    step: Any
    width: int
    place: int
    out: int
    dtype: np.dtype[Any]

    def __call__(self, values: NDArray[Any]) -> NDArray[Any]:
        """Send values through the step's own transform."""
        block = np.ones((len(values), self.width), dtype=self.dtype)
        block[:, self.place] = values
        given = self.step.transform(block)
        given = given.toarray() if hasattr(given, "toarray") else np.asarray(given)
        column: NDArray[Any] = given[:, self.out]
        return column


@dataclass(frozen=True, eq=False)
class Wire:
    """One column as the last step sees it.

    Attributes:
        source: The user's column that feeds it.
        category: Whether that column is a category column.
        stages: The steps on the way, for a numeric column.
        dtype: What the values are by now.
        slope: Of the affine map from the user's number; NaN when the map is not affine.
        offset: Of the same map.
        direction: 1 rising, -1 falling, 0 the same for every number (an "is missing" column).
        table: For a category column, (codes + 2,): what each code gives, then a value never seen, then a missing one;
            NaN where the model is handed a missing value or refuses.
        missing: For a numeric column, what NaN gives.
    """

    source: int
    category: bool
    dtype: np.dtype[Any]
    stages: tuple[Stage, ...] = ()
    slope: float = 1.0
    offset: float = 0.0
    direction: int = 1
    table: Floats = field(default_factory=lambda: np.zeros(0))
    missing: float = np.nan

    @property
    def plain(self) -> bool:
        """Whether the last step sees the user's number as it is, but for a cast to float32."""
        return not self.category and not self.stages and self.direction == 1 and self.dtype.itemsize >= 4

    def through(self, stage: Stage, slope: float = np.nan, offset: float = np.nan) -> Wire:
        """The wire after one more step, ``slope * value + offset`` where that is what the step does."""
        if self.category:
            return replace(self, dtype=np.dtype(np.float64))
        direction = self.direction if np.isnan(slope) else self.direction * int(np.sign(slope))
        after = np.dtype(np.float64) if stage.dtype.kind != "f" else stage.dtype
        stages = (*self.stages, stage)
        return replace(self, stages=stages, slope=self.slope * slope, offset=self.offset * slope + offset, direction=direction, dtype=after)

    def carry(self, values: Floats, start: np.dtype[Any]) -> Floats:
        """What the last step sees for these numbers of the user's column.

        Args:
            values: float64, no NaN.
            start: The type of the user's column, to which a number is cast when it is handed over.
        """
        # a search asks about numbers near the largest there are, which steps may send on as infinity
        with warnings.catch_warnings(), np.errstate(all="ignore"), config_context(assume_finite=True):
            warnings.simplefilter("ignore")
            here: NDArray[Any] = np.zeros(len(values)) if self.direction == 0 else values.astype(start if start.kind == "f" else np.float64)
            for stage in self.stages:
                here = stage(here.astype(stage.dtype))
        return here.astype(np.float64)


def largest_below(threshold: Floats) -> Floats:
    """The largest float64 whose cast to float32 is at most the threshold, for each threshold.

    The cast rounds to nearest, ties to even, so the answer is the midpoint between the last float32 that passes and
    the next one, or the float64 just below it.
    """
    with np.errstate(over="ignore", under="ignore"):
        last = threshold.astype(np.float32)
        last = np.where(last.astype(np.float64) > threshold, np.nextafter(last, np.float32(-np.inf)), last)
        following = np.nextafter(last, np.float32(np.inf))
        middle = (_wide(last) + _wide(following)) / 2.0
        passes = middle.astype(np.float32) <= last
        answer = np.where(passes, middle, np.nextafter(middle, -np.inf))
    return np.where(np.isinf(threshold), threshold, answer)


def _wide(value: NDArray[np.float32]) -> Floats:
    wide = value.astype(np.float64)
    return np.where(np.isinf(wide), np.copysign(2.0**128, wide), wide)


def crossings(wire: Wire, threshold: Floats, start: np.dtype[Any], *, single: bool) -> Floats:
    """Where a wire crosses thresholds: the largest number of the user's column on the low side.

    For a rising wire that is the largest number that still goes left (``carried <= threshold``), for a falling one the
    largest that does not yet. About 40 evaluations of the wire over all thresholds at once.

    Returns:
        float64 like ``threshold``; infinite where every number is on one side.

    Raises:
        UnsupportedError: If the wire is not monotone around a crossing, to the last bit.
    """
    if wire.plain:
        return largest_below(threshold) if single or start == np.float32 else threshold
    rising = wire.direction > 0

    def low(order: NDArray[np.int64]) -> NDArray[np.bool_]:
        carried = wire.carry(_number(order), start)
        if single:
            with np.errstate(over="ignore"):
                carried = carried.astype(np.float32).astype(np.float64)
        return np.asarray((carried <= threshold) == rising)

    limit = _order(np.array([np.finfo(np.float64).max]))[0]
    below = np.full(len(threshold), -limit)
    above = np.full(len(threshold), limit)
    always, never = low(above), ~low(below)
    below, above = _bracket(wire, threshold, (below, above), low)
    while np.any(above > below + 1):
        # halves are added, as the whole distance does not fit 64 bits
        middle = (below >> 1) + (above >> 1) + ((below & 1) + (above & 1)) // 2
        on_low = low(middle)
        below, above = np.where(on_low, middle, below), np.where(on_low, above, middle)
    for step in range(1, 9):
        before, behind = low(np.maximum(below - step, -limit)), low(np.minimum(above + step, limit))
        if not np.all(before | never) or np.any(behind & ~always):
            name = type(wire.stages[-1].step).__name__ if wire.stages else str(start)
            msg = f"{name} is not monotone to the last bit, so that thresholds cannot be mapped back through it."
            raise UnsupportedError(msg)
    return np.where(always, np.inf, np.where(never, -np.inf, _number(below)))


def _bracket(wire: Wire, threshold: Floats, ends: Ends, low: Callable[[Orders], NDArray[np.bool_]]) -> Ends:
    """Narrow the search to the neighbourhood of the affine guess, where it holds the crossing."""
    below, above = ends
    if not np.isfinite(wire.slope) or wire.slope == 0:
        return below, above
    with np.errstate(all="ignore"):
        guess = (threshold - wire.offset) / wire.slope
    centre = _order(np.where(np.isfinite(guess), guess, 0.0))
    for reach in (2**50, 2**34, 2**20):
        lower = np.maximum(centre - reach, ends[0])
        upper = np.minimum(centre + reach, ends[1])
        below = np.where(low(lower) & (lower > below), lower, below)
        above = np.where(~low(upper) & (upper < above), upper, above)
    return below, above


def _order(value: Floats) -> NDArray[np.int64]:
    """Whole numbers in the order of the floats, neighbours one apart."""
    bits = np.asarray(value, dtype=np.float64).view(np.int64)
    return np.where(bits < 0, -(bits & np.int64(0x7FFFFFFFFFFFFFFF)), bits)


def _number(order: NDArray[np.int64]) -> Floats:
    bits = np.where(order < 0, (-order) | np.int64(-0x8000000000000000), order)
    return bits.view(np.float64)
