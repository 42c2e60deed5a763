"""Shapley interaction values by nothing but their definition, over players that may be groups of columns."""

from __future__ import annotations

import itertools
import math

import numpy as np
import shapley_by_definition as definition


def columns_of(players, coalition):
    """The columns that a coalition of players knows."""
    return frozenset(column for column, player in enumerate(players) if player in coalition)


def interventional_sum(forest, x, background, known):
    """Mean of the forest's sums over the background, known columns taken from the row."""
    filled = background.copy()
    filled[:, sorted(known)] = x[sorted(known)]
    return np.mean([definition.path_dependent_sum(forest, z) for z in filled], axis=0)


def game(forest, x, players, background=None):
    """What the forest says for a coalition of players."""

    def said(coalition):
        known = columns_of(players, coalition)
        if background is None:
            return definition.path_dependent_sum(forest, x, known)
        return interventional_sum(forest, x, background, known)

    return said


def matrix(said, players):
    """Interactions in shap's convention: half an index on each side, rows summing to the Shapley values."""
    every = {frozenset(c): said(frozenset(c)) for size in range(players + 1) for c in itertools.combinations(range(players), size)}
    outputs = len(every[frozenset()])
    found = np.zeros((players, players, outputs))
    for i, j in itertools.combinations(range(players), 2):
        others = [p for p in range(players) if p not in (i, j)]
        for size in range(len(others) + 1):
            weight = math.factorial(size) * math.factorial(players - size - 2) / math.factorial(players - 1)
            for chosen in itertools.combinations(others, size):
                s = frozenset(chosen)
                found[i, j] += weight * (every[s | {i, j}] - every[s | {i}] - every[s | {j}] + every[s]) / 2
        found[j, i] = found[i, j]
    values = definition.by_definition(every.__getitem__, players)[0]
    for i in range(players):
        found[i, i] = values[i] - found[i].sum(axis=0)
    return found, values
