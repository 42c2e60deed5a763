"""Float32 comparisons as float64 ones: the largest float64 that a library which rounds to float32 sends left."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LARGEST = 2.0**128  # where float32 overflows


def last_left(threshold: NDArray[np.float32]) -> Floats:
    """The largest float64 whose float32 rounding is less than each threshold.

    Rounding is to nearest, ties to even, so the border lies half way to the float32 below; half way itself belongs to
    whichever neighbour has the even last bit.
    """
    with np.errstate(over="ignore"):  # below the least float32 lies minus infinity, which stands for all that overflows
        below = np.nextafter(threshold, np.float32(-np.inf))
        middle = (_finite(below) + _finite(threshold)) / 2
        stays = middle.astype(np.float32) < threshold
    return np.asarray(np.where(stays, middle, np.nextafter(middle, -np.inf)))


def last_up_to(threshold: NDArray[np.float32]) -> Floats:
    """The largest float64 whose float32 rounding is less than or equal to each threshold."""
    with np.errstate(over="ignore"):
        above = np.nextafter(threshold, np.float32(np.inf))
    return np.asarray(np.where(threshold == np.inf, np.inf, last_left(above)))


def _finite(values: NDArray[np.float32]) -> Floats:
    """As float64, infinities where the next float32 would be if there were one."""
    return np.clip(values.astype(np.float64), -LARGEST, LARGEST)
