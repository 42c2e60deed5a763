"""Rows sent down a forest in plain NumPy: which leaf each reaches, and how many reach every node.

For adapters of formats that hold no training weights, and for checking a forest against its own library.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from whyglass.adapters.models.boosting import both_classes, softmax
from whyglass.core.forest import Forest

Floats = NDArray[np.float64]
BLOCK = 2**19  # (row, tree) pairs walked at once


def leaves(forest: Forest, rows: Floats) -> NDArray[np.int32]:
    """The leaf that each row reaches in each tree, int32 (rows, trees)."""
    here = np.repeat(forest.roots[None, :], len(rows), axis=0)
    active = np.flatnonzero(forest.feature[here.ravel()] >= 0)
    flat = here.ravel()
    words = forest.category_bits if len(forest.category_bits) else np.zeros(1, dtype=np.uint32)
    while len(active):
        node = flat[active]
        x = rows[active // max(forest.n_trees, 1), forest.feature[node]]
        left = np.where(np.isnan(x), forest.missing_left[node], x <= forest.threshold[node])
        start = forest.category_start[node]
        sets = np.flatnonzero((start >= 0) & ~np.isnan(x))
        if len(sets):
            known = (x[sets] >= 0) & (x[sets] < forest.category_count[node[sets]])
            code = np.where(known, x[sets], 0).astype(np.int64)
            bit = (words[start[sets] + (code >> 5)] >> (code & 31).astype(np.uint32)) & np.uint32(1)
            left[sets] = np.where(known, bit == 1, forest.unseen_left[node[sets]])
        flat[active] = np.where(left, forest.left[node], forest.right[node])
        active = active[forest.feature[flat[active]] >= 0]
    return flat.reshape(len(rows), -1)


def predict(forest: Forest, rows: Floats) -> Floats:
    """The forest's predictions, float64 (rows, outputs); both classes behind a sigmoid of one sum."""
    reached = leaves(forest, rows)
    total = np.tile(forest.base, (len(rows), 1))
    for tree, output in enumerate(forest.tree_output.tolist()):
        found = forest.value[reached[:, tree]]
        if output < 0:
            total += found
        else:
            total[:, output] += found[:, 0]
    if forest.link == "softmax":
        return softmax(total)
    if forest.link == "sigmoid":
        shares = 1.0 / (1.0 + np.exp(-np.clip(total, -700.0, None)))
        return both_classes(shares) if shares.shape[1] == 1 else shares
    return np.exp(total) if forest.link == "exp" else total


def counts(forest: Forest, rows: Floats) -> Floats:
    """How many of the rows reach each node, float64 (nodes,)."""
    reached = np.zeros(len(forest.feature))
    step = max(1, BLOCK // max(forest.n_trees, 1))
    for first in range(0, len(rows), step):
        reached += np.bincount(leaves(forest, rows[first : first + step]).ravel(), minlength=len(reached))
    levels = [forest.roots]
    while len(levels[-1]):
        inner = levels[-1][forest.feature[levels[-1]] >= 0]
        levels.append(np.concatenate([forest.left[inner], forest.right[inner]]))
    for level in reversed(levels):
        inner = level[forest.feature[level] >= 0]
        reached[inner] = reached[forest.left[inner]] + reached[forest.right[inner]]
    return reached
