"""What each kernel computes, in plain NumPy and in the shortest way: the middle between the kernels and the brute-force oracles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bits = NDArray[np.bool_]


def goes_left(forest: Any, node: int, x: Floats) -> Bits:
    """Whether each value goes left at an inner node."""
    missing = np.isnan(x)
    if forest.category_start[node] < 0:
        left = x <= forest.threshold[node]
    else:
        seen = (x >= 0) & (x < forest.category_count[node])
        code = np.where(seen, x, 0).astype(np.int64)
        word = forest.category_bits[forest.category_start[node] + (code >> 5)]
        left = np.where(seen, (word >> (code & 31).astype(np.uint32)) & 1 == 1, forest.unseen_left[node])
    return np.asarray(np.where(missing, forest.missing_left[node], left))


def predict(forest: Any, X: Floats) -> Floats:
    """Sums of the leaves that each row reaches, base included: (rows, outputs)."""
    out = np.tile(np.asarray(forest.base, dtype=np.float64), (len(X), 1))
    for tree, root in enumerate(forest.roots):
        at = np.full(len(X), root)
        while (inner := forest.feature[at] >= 0).any():
            for node in np.unique(at[inner]):
                here = np.flatnonzero(at == node)
                left = goes_left(forest, node, X[here, forest.feature[node]])
                at[here] = np.where(left, forest.left[node], forest.right[node])
        first = max(int(forest.tree_output[tree]), 0)
        out[:, first : first + forest.value.shape[1]] += forest.value[at]
    return out


def share(forest: Any, node: int, child: int) -> float:
    """The part of a node's training weight that went to a child."""
    return float(forest.cover[child] / forest.cover[node]) if forest.cover[node] > 0 else 0.5


def leaves(forest: Any, X: Floats) -> Iterator[tuple[int, int, dict[int, tuple[Bits, float]]]]:
    """Every leaf: its tree, its node, and per feature of its path who satisfies all conditions and the cover product."""
    waiting: list[tuple[int, int, dict[int, tuple[Bits, float]]]] = [(t, int(r), {}) for t, r in enumerate(forest.roots)]
    while waiting:
        tree, node, path = waiting.pop()
        feature = int(forest.feature[node])
        if feature < 0:
            yield tree, node, path
            continue
        left = goes_left(forest, node, X[:, feature])
        on, ratio = path.get(feature, (np.ones(len(X), np.bool_), 1.0))
        for child, here in ((int(forest.left[node]), left), (int(forest.right[node]), ~left)):
            waiting.append((tree, child, {**path, feature: (on & here, ratio * share(forest, node, child))}))


def tree_shap(forest: Any, X: Floats) -> Floats:
    """Path-dependent Shapley values, leaf by leaf, by the integral that ``kernels.tree_shap`` states: (rows, features, outputs)."""
    out = np.zeros((len(X), int(forest.n_features), len(forest.base)))
    width = forest.value.shape[1]
    for tree, node, path in leaves(forest, X):
        x, w = np.polynomial.legendre.leggauss(max(1, (len(path) + 1) // 2))
        t, w = (x + 1) / 2, w / 2
        factors = {j: ratio * (1 - t) + on[:, None] * t for j, (on, ratio) in path.items()}
        first = max(int(forest.tree_output[tree]), 0)
        for i, (on, ratio) in path.items():
            others = [f for j, f in factors.items() if j != i]
            whole = np.prod(others, axis=0) @ w if others else np.ones(len(X))
            out[:, i, first : first + width] += ((on - ratio) * whole)[:, None] * forest.value[node]
    return out


def base(forest: Any) -> Floats:
    """Cover-weighted mean of the sums: (outputs,)."""
    out = np.array(forest.base, dtype=np.float64)
    width = forest.value.shape[1]
    for tree, node, path in leaves(forest, np.zeros((0, int(forest.n_features)))):
        first = max(int(forest.tree_output[tree]), 0)
        out[first : first + width] += np.prod([ratio for _, ratio in path.values()]) * forest.value[node]
    return out


def through_link(margins: Floats, link: str) -> Floats:
    """Predictions of sums, one output a sum: (rows, outputs)."""
    if link == "sigmoid":
        return np.asarray(1 / (1 + np.exp(-margins)))
    if link == "softmax":
        shares = np.exp(margins - margins.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))
    return np.exp(margins) if link == "exp" else margins


def coalition_table(forest: Any, x: Floats, background: Floats, link: str = "identity") -> Floats:
    """The answer for every coalition by filling the columns in: (background rows, 2^features, outputs)."""
    features = int(forest.n_features)
    known = (np.arange(2**features)[:, None] >> np.arange(features)) & 1 == 1
    return np.stack([through_link(predict(forest, np.where(known, x, z)), link) for z in background])


def shapley(table: Floats) -> Floats:
    """Shapley values of a game from its table over all coalitions, by the definition: (2^players, ...) -> (players, ...)."""
    players = len(table).bit_length() - 1
    out = np.zeros((players, *table.shape[1:]))
    weight = 1 / players if players else 0.0
    weights = [weight]
    for size in range(1, players):
        weights.append(weights[-1] * size / (players - size))
    for player in range(players):
        for at in range(len(table)):
            if not at >> player & 1:
                out[player] += weights[at.bit_count()] * (table[at | 1 << player] - table[at])
    return out
