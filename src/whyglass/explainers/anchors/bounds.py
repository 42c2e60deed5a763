"""Exact bounds for a share, from hits and draws."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

_HALVINGS = 46  # of the unit interval, down to 1e-14


@lru_cache(maxsize=4096)
def lower(hits: int, draws: int, error: float) -> float:
    """Clopper and Pearson's lower bound: the share at which as many hits or more would come up with probability ``error``.

    Args:
        hits: How often it was so.
        draws: How often it was looked.
        error: Permitted probability that the bound lies above the truth.
    """
    if hits == 0:
        return 0.0
    if hits == draws:
        return float(error ** (1.0 / draws))
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if at_least(hits, draws, middle) > error:
            high = middle
        else:
            low = middle
    return low


def upper(hits: int, draws: int, error: float) -> float:
    """The upper bound that belongs to ``lower``."""
    return 1.0 - lower(draws - hits, draws, error)


def at_least(hits: int, draws: int, share: float) -> float:
    """Probability of so many hits or more, from 1 up, in independent draws that each hit with a probability strictly inside (0, 1)."""
    few = hits > draws - hits
    counts = np.arange(hits, draws + 1) if few else np.arange(hits)
    total = float(np.exp(_log_ways(draws)[counts] + counts * math.log(share) + (draws - counts) * math.log1p(-share)).sum())
    return min(1.0, total) if few else max(0.0, 1.0 - total)


def shown(hits: int, draws: int, error: float, share: float) -> bool:
    """Whether the lower bound reaches a share; the same as ``lower(...) >= share``, at the price of one sum."""
    return hits > 0 and at_least(hits, draws, share) <= error


def fewest(error: float, share: float) -> int:
    """How many draws it takes at least to show a share, when every one of them hits."""
    return math.ceil(math.log(error) / math.log(share))


@lru_cache(maxsize=256)
def _log_ways(draws: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Logarithm of the number of ways to choose 0, 1, ..., ``draws`` of them."""
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, draws + 1)))])
    return np.asarray(logs[-1] - logs - logs[::-1])
