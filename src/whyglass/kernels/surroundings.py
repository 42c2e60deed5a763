"""How near the nearest rows are: the mean distance to a few of them, columns counted one by one until the rest cannot matter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from whyglass.kernels.jit import compiled

Floats = NDArray[np.float64]


@compiled
def mean_nearest(ones: Floats, others: Floats, scale: Floats, near: int, skip: int) -> Floats:
    """The mean distance of each row of ``ones`` to its ``near`` nearest ``others``, the first ``skip`` of these left out.

    Args:
        ones: (rows, columns).
        others: (others, columns), at least ``near``.
        scale: (columns,); 0 where only being different counts, as 1. One value missing counts as 1, both as 0.
        near: How many are looked at.
        skip: How many of them are left out, fewer than ``near``.

    Returns:
        (rows,).
    """
    out = np.empty(len(ones))
    best = np.empty(near)
    for i in range(len(ones)):
        best[:] = np.inf
        for k in range(len(others)):
            total = 0.0
            for j in range(ones.shape[1]):
                a, b = ones[i, j], others[k, j]
                if a == b or (np.isnan(a) and np.isnan(b)):
                    continue
                total += 1.0 if scale[j] == 0.0 or np.isnan(a) or np.isnan(b) else abs(a - b) / scale[j]
                if total >= best[near - 1]:
                    break
            place = near - 1
            if total >= best[place]:
                continue
            while place > 0 and best[place - 1] > total:
                best[place] = best[place - 1]
                place -= 1
            best[place] = total
        above = 0.0
        for place in range(skip, near):
            above += best[place]
        out[i] = above / (near - skip)
    return out
