"""A forest walked row by row in plain numpy: what every tree adapter is compared with."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest


def _leaves(forest, X):
    """Absolute leaf numbers, int (rows, trees)."""
    rows = np.arange(len(X))
    result = np.empty((len(X), forest.n_trees), dtype=np.int64)
    for tree, root in enumerate(forest.roots):
        here = np.full(len(X), root, dtype=np.int64)
        while True:
            inner = forest.feature[here] >= 0
            if not inner.any():
                break
            x = X[rows, np.maximum(forest.feature[here], 0)]
            missing = np.isnan(x)
            category = forest.category_start[here] >= 0
            left = x <= forest.threshold[here]
            code = np.where(np.abs(x) < 2**31, x, -1).astype(np.int64)
            known = (code >= 0) & (code < forest.category_count[here])
            code = np.where(known & category, code, 0)
            words = forest.category_bits if len(forest.category_bits) else np.zeros(1, dtype=np.uint32)
            word = words[np.where(category & inner, forest.category_start[here] + (code >> 5), 0)]
            bit = (word >> (code & 31).astype(np.uint32)) & np.uint32(1)
            left = np.where(category, np.where(known, bit == 1, forest.unseen_left[here]), left)
            left = np.where(missing, forest.missing_left[here], left)
            here = np.where(inner, np.where(left, forest.left[here], forest.right[here]), here)
        result[:, tree] = here
    return result


def _margins(forest, X):
    leaves = _leaves(forest, X)
    total = np.tile(forest.base, (len(X), 1))
    for tree, output in enumerate(forest.tree_output):
        if output < 0:
            total += forest.value[leaves[:, tree]]
        else:
            total[:, output] += forest.value[leaves[:, tree], 0]
    return total


def _linked(margins, link):
    if link == "sigmoid":
        p = 1.0 / (1.0 + np.exp(-margins))
        return np.column_stack((1.0 - p, p))
    if link == "softmax":
        e = np.exp(margins - margins.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)
    return np.exp(margins) if link == "exp" else margins


def _edge_rows(forest, X, rows, rng):
    """Rows drawn from X whose numbers are moved onto thresholds and one step beside them."""
    out = X[rng.integers(len(X), size=rows)].copy()
    for column in range(forest.n_features):
        nodes = (forest.feature == column) & (forest.category_start < 0) & np.isfinite(forest.threshold)
        t = np.unique(forest.threshold[nodes])
        if not len(t):
            continue
        with np.errstate(over="ignore"):
            rounded = t.astype(np.float32).astype(np.float64)
        edges = np.concatenate((t, np.nextafter(t, np.inf), np.nextafter(t, -np.inf), rounded))
        picked = rng.random(rows) < 0.8
        out[picked, column] = rng.choice(edges, picked.sum())
    return out


class Walker:
    """The reference walk, and rows that sit on the edges of a forest."""

    leaves = staticmethod(_leaves)
    margins = staticmethod(_margins)
    linked = staticmethod(_linked)
    edge_rows = staticmethod(_edge_rows)

    @staticmethod
    def predict(forest, X):
        return _linked(_margins(forest, X), forest.link)

    @staticmethod
    def broken(forest, how):
        """A forest with one thing wrong: the sabotage twin of a comparison."""
        if how == "missing":
            return dataclasses.replace(forest, missing_left=~forest.missing_left)
        if how == "unseen":
            return dataclasses.replace(forest, unseen_left=~forest.unseen_left)
        if how == "threshold":
            with np.errstate(over="ignore"):
                shifted = np.nextafter(forest.threshold.astype(np.float32), np.float32(np.inf)).astype(np.float64)
            return dataclasses.replace(forest, threshold=shifted)
        if how == "ulp":
            return dataclasses.replace(forest, threshold=np.nextafter(forest.threshold, -np.inf))
        if how == "base":
            return dataclasses.replace(forest, base=forest.base + 1e-6)
        if how == "bits":
            return dataclasses.replace(forest, category_bits=np.roll(forest.category_bits, 1) ^ np.uint32(2))
        raise ValueError(how)


@pytest.fixture(scope="session")
def walker():
    return Walker()
