"""What tables and the interaction walk compute, in plain NumPy and in the shortest way."""

from __future__ import annotations

from typing import Any

import numpy as np

from whyglass.kernels.twins import Floats, leaves


def interactions(forest: Any, X: Floats, background: Floats | None = None) -> Floats:
    """Shapley interaction indices leaf by leaf, in shap's convention: (rows, features, features, outputs).

    With f_j = z_j (1 - t) + o_j t, two players of a leaf share v times the integral of (o_i - z_i) (o_j - z_j) and all
    other factors, where z is the cover product; with a background z is 0 or 1, whether the background row satisfies j, and
    the mean over its rows is taken.
    """
    count, features = len(X), int(forest.n_features)
    out = np.zeros((count, features, features, len(forest.base)))
    width = forest.value.shape[1]
    both = X if background is None else np.concatenate([X, background])
    for tree, node, path in leaves(forest, both):
        names = list(path)
        if not names:
            continue
        first = max(int(forest.tree_output[tree]), 0)
        met = np.array([path[j][0] for j in names], np.float64)
        ratio = np.array([path[j][1] for j in names])
        on = met[:, :count, None]
        off = met[:, None, count:] if background is not None else ratio[:, None, None]
        for a, i in enumerate(names):
            for b, j in enumerate(names):
                chosen = {a, b}
                gain = np.prod([on[k] - off[k] for k in chosen], axis=0) * _others(on, off, chosen)
                part = gain.mean(axis=1)[:, None] * forest.value[node]
                out[:, i, j, first : first + width] += part if a == b else part / 2
    own = np.arange(features)
    out[:, own, own] = 2 * out[:, own, own] - out.sum(axis=2)
    return out


def _others(on: Floats, off: Floats, chosen: set[int]) -> Floats:
    """Integral over t of the product of all other factors: (rows, background rows)."""
    x, w = np.polynomial.legendre.leggauss(max(1, (len(on) + 1) // 2))
    shape = np.broadcast_shapes(on[0].shape, off[0].shape)
    total = np.zeros(shape)
    for t, weight in zip((x + 1) / 2, w / 2, strict=True):
        factors = [off[k] * (1 - t) + on[k] * t for k in range(len(on)) if k not in chosen]
        total += weight * np.prod(factors, axis=0) if factors else np.full(shape, weight)
    return total
