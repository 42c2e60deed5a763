"""Means over rows in an order that neither threads nor blocks of equal size change."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_TOGETHER = 1 << 16  # numbers worked on at a time: they stay in the cache


class Moments:
    """Mean and spread of blocks of rows, each block's kept until all are there, then merged in row order.

    The cells are those of several curves, one after the other: a row that the model does not answer at some point of a curve is
    left out of that curve. Where no row is answered at all points, the points without any answer are.

    Args:
        sizes: How many cells each curve has.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self._ends = [0, *np.cumsum(sizes).tolist()]
        self._parts: list[dict[int, tuple[int, Array, Array]]] = [{} for _ in sizes]
        self._failed: list[dict[int, Array]] = [{} for _ in sizes]
        self._lock = threading.Lock()

    def add(self, start: int, block: Array) -> None:
        """Take in rows ``start`` and following, float64 (rows, cells, ...)."""
        mean, spread = _mean_and_spread(block)
        for curve, (a, b) in enumerate(pairwise(self._ends)):
            part, failed = (len(block), mean[a:b], spread[a:b]), None
            if not np.isfinite(mean[a:b]).all():
                good = np.isfinite(block[:, a:b]).reshape(len(block), -1).all(axis=1)
                part = (int(good.sum()), *_mean_and_spread(block[good, a:b]))
                failed = block[~good, a:b].copy()
            with self._lock:
                if part[0]:
                    self._parts[curve][start] = part
                if failed is not None:
                    self._failed[curve][start] = failed

    def merged(self) -> list[tuple[Array, Array] | None]:
        """For each curve (mean, standard error of the mean), the error of a single row's mean NaN; None where no row took part."""
        found: list[tuple[Array, Array] | None] = []
        for parts, failed in zip(self._parts, self._failed, strict=True):
            if not parts and failed:
                rows = np.concatenate([failed[start] for start in sorted(failed)])
                dead = ~np.isfinite(rows).any(axis=0)
                good = (np.isfinite(rows) | dead).reshape(len(rows), -1).all(axis=1)
                found.append(_merged({0: (int(good.sum()), *_mean_and_spread(rows[good]))}) if good.any() and not dead.all() else None)
            else:
                found.append(_merged(parts) if parts else None)
        return found


def _mean_and_spread(block: Array) -> tuple[Array, Array]:
    """Mean over the rows, and the sum of the squares around it."""
    if not len(block):
        return np.zeros(block.shape[1:]), np.zeros(block.shape[1:])
    mean = block.mean(axis=0)
    spread = np.empty_like(mean)
    step = max(1, _TOGETHER * block.shape[1] // max(1, block.size))
    for at in range(0, block.shape[1], step):
        off = block[:, at : at + step] - mean[at : at + step]
        spread[at : at + step] = np.multiply(off, off, out=off).sum(axis=0)
    return mean, spread


def _merged(parts: dict[int, tuple[int, Array, Array]]) -> tuple[Array, Array]:
    count, mean, spread = 0, np.zeros(()), np.zeros(())
    for _, (more, other, inside) in sorted(parts.items()):
        step = other - mean
        spread = spread + inside + step**2 * (count * more / (count + more))
        mean = mean + step * (more / (count + more))
        count += more
    return mean, np.full(np.shape(mean), np.nan) if count < 2 else np.sqrt(spread / (count - 1) / count)
