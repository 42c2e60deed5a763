"""Sums of rows with one column at another value, against asking the forest anew for each."""

import numpy as np
import pytest
from random_forests import random_forest, random_rows

from whyglass.core.executor import Executor
from whyglass.kernels import aside
from whyglass.kernels import forest as sums

KINDS = {"one sum": {}, "three sums": {"outputs": 3}, "vectors": {"outputs": 2, "vector": True}}
COLUMNS = [3, 0, 1, 4]


def other_values(seed, rows):
    """Two other values of each column, some of them those that no one asks about."""
    rng = np.random.default_rng(seed)
    others = np.where(rng.random((rows, len(COLUMNS), 2)) < 0.5, rng.integers(-2, 3, (rows, len(COLUMNS), 2)) / 2, np.nan)
    others[:, 2] = rng.integers(-1, 43, (rows, 2))
    return others


def asked_anew(forest, X, others):
    out = np.repeat(np.repeat(sums.predict(forest, X)[:, None, None], len(COLUMNS), axis=1), 2, axis=2)
    for at, column in enumerate(COLUMNS):
        for which in range(2):
            there = ~np.isnan(others[:, at, which])
            moved = X[there].copy()
            moved[:, column] = others[there, at, which]
            out[there, at, which] = sums.predict(forest, moved)
    return out


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", KINDS)
def test_sums_are_what_the_forest_says(kind, seed):
    forest = random_forest(seed, max_depth=7, **KINDS[kind])
    X = random_rows(seed, 300, 5)
    others = other_values(seed, len(X))
    assert np.abs(aside.sums(forest, X, COLUMNS, others) - asked_anew(forest, X, others)).max() <= 1e-12


def test_a_leaf_left_out_is_seen():
    forest = random_forest(3)
    X = random_rows(3, 60, 5)
    others = other_values(3, len(X))
    right = asked_anew(forest, X, others)
    forest.value[np.flatnonzero(forest.feature < 0)[::3]] += 0.5
    assert np.abs(aside.sums(forest, X, COLUMNS, others) - right).max() > 1e-3


def test_threads_and_blocks_change_no_bit():
    forest = random_forest(5, trees=8)
    X = random_rows(5, 3000, 5)
    others = other_values(5, len(X))
    alone = aside.sums(forest, X, COLUMNS, others, Executor(1))
    assert np.array_equal(alone, aside.sums(forest, X, COLUMNS, others, Executor(2)))
    assert np.array_equal(alone[700:701], aside.sums(forest, X[700:701], COLUMNS, others[700:701]))


def test_no_rows_and_no_columns():
    forest = random_forest(1)
    assert aside.sums(forest, np.zeros((0, 5)), COLUMNS, np.zeros((0, 4, 2))).shape == (0, 4, 2, 1)
    assert aside.sums(forest, np.zeros((2, 5)), [], np.zeros((2, 0, 2))).shape == (2, 0, 2, 1)
