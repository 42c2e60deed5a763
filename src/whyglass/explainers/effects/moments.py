"""Means over rows in an order that neither threads nor blocks of equal size change."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_TOGETHER = 1 << 16  # numbers worked on at a time: they stay in the cache


@dataclass(eq=False)
class Moments:
    """Mean and spread of blocks of rows, each block's kept until all are there, then merged in row order."""

    _parts: dict[int, tuple[int, Array, Array]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, start: int, block: Array) -> None:
        """Take in rows ``start`` and following, float64 (rows, ...), but those with a number that is not finite."""
        mean = block.mean(axis=0)
        if not np.isfinite(mean).all():
            block = block[np.isfinite(block).reshape(len(block), -1).all(axis=1)]
            if not len(block):
                return
            mean = block.mean(axis=0)
        spread = np.empty_like(mean)
        step = max(1, _TOGETHER * block.shape[1] // max(1, block.size))
        for at in range(0, block.shape[1], step):
            off = block[:, at : at + step] - mean[at : at + step]
            spread[at : at + step] = np.multiply(off, off, out=off).sum(axis=0)
        with self._lock:
            self._parts[start] = (len(block), mean, spread)

    def merged(self) -> tuple[int, Array, Array]:
        """(rows, their mean, standard error of the mean); the error of a single row's mean is NaN."""
        count, mean, spread = 0, np.zeros(()), np.zeros(())
        for _, (more, other, inside) in sorted(self._parts.items()):
            step = other - mean
            spread = spread + inside + step**2 * (count * more / (count + more))
            mean = mean + step * (more / (count + more))
            count += more
        if count < 2:
            return count, mean, np.full(np.shape(mean), np.nan)
        return count, mean, np.sqrt(spread / (count - 1) / count)
