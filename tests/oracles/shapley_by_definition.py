"""Shapley values by nothing but their definition, for tests: one row, every coalition, no shared code with the kernels."""

from __future__ import annotations

import itertools
import math

import numpy as np


def left(forest, node, x):
    if math.isnan(x):
        return bool(forest.missing_left[node])
    if forest.category_start[node] < 0:
        return x <= forest.threshold[node]
    if x < 0 or x >= forest.category_count[node]:
        return bool(forest.unseen_left[node])
    word, bit = divmod(int(x), 32)
    return bool(int(forest.category_bits[forest.category_start[node] + word]) >> bit & 1)


def expected(forest, node, x, known):
    """What a tree says when only some columns are known: both ways, by training weight, at a node on another column."""
    feature = int(forest.feature[node])
    if feature < 0:
        return forest.value[node]
    children = int(forest.left[node]), int(forest.right[node])
    if feature in known:
        return expected(forest, children[0] if left(forest, node, x[feature]) else children[1], x, known)
    cover = forest.cover[node]
    shares = [forest.cover[c] / cover if cover > 0 else 0.5 for c in children]
    return sum(s * expected(forest, c, x, known) for s, c in zip(shares, children, strict=True))


def path_dependent_sum(forest, x, known=None):
    """What the forest adds up to when only some columns are known; all of them when None."""
    total = np.array(forest.base, dtype=float)
    for tree, root in enumerate(forest.roots):
        said = expected(forest, int(root), x, range(len(x)) if known is None else known)
        if forest.tree_output[tree] < 0:
            total += said
        else:
            total[forest.tree_output[tree]] += said[0]
    return total


def path_dependent(forest, x):
    """(values, value of nothing, value of all) of one row."""
    return by_definition(lambda known: path_dependent_sum(forest, x, known), forest.n_features)


def by_definition(game, players):
    """(values, value of nothing, value of all) of ``game``, a function of a frozenset."""
    said = {c: game(frozenset(c)) for size in range(players + 1) for c in itertools.combinations(range(players), size)}
    values = []
    for player in range(players):
        total = 0.0
        for coalition, without in said.items():
            if player not in coalition:
                size = len(coalition)
                weight = math.factorial(size) * math.factorial(players - size - 1) / math.factorial(players)
                total = total + weight * (said[tuple(sorted((*coalition, player)))] - without)
        values.append(total)
    return np.array(values), said[()], said[tuple(range(players))]
