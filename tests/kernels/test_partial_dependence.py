"""Curves and surfaces of a forest in one walk, against asking it anew at every point."""

import numpy as np
import pytest
from random_forests import random_forest, random_rows

from whyglass.core.executor import Executor
from whyglass.kernels import forest as sums
from whyglass.kernels import partial_dependence

GRIDS = {
    0: np.array([-1.5, -1.0, -0.5, 0.0, 0.3, 1.0]),
    1: np.arange(-1.0, 43.0),
    3: np.array([np.nan, -1.0, 0.0, 1.0]),
    4: np.array([0.0]),
}
KINDS = {"one sum": {}, "three sums": {"outputs": 3}, "vectors": {"outputs": 2, "vector": True}}


def curves(forest, X, grids, executor=None):
    cells = sum(map(len, grids.values()))
    out = np.full((len(X), cells, len(forest.base)), np.nan)

    def consume(part, block):
        out[part] = block.transpose(2, 1, 0)

    partial_dependence.curves(partial_dependence.prepare(forest, grids), X, consume, executor)
    return out


def asked_anew(forest, X, grids):
    answers = []
    for column, points in grids.items():
        for point in points:
            moved = X.copy()
            moved[:, column] = point
            answers.append(sums.predict(forest, moved))
    return np.stack(answers, axis=1)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("kind", KINDS)
def test_curves_are_what_the_forest_says_at_every_point(kind, seed):
    forest = random_forest(seed, **KINDS[kind])
    X = random_rows(seed, 9, 5)
    assert np.abs(curves(forest, X, GRIDS) - asked_anew(forest, X, GRIDS)).max() <= 1e-12


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("pair", [(0, 3), (1, 0), (4, 1)])
def test_surfaces_are_what_the_forest_says_at_every_pair(pair, seed):
    forest = random_forest(seed, outputs=2, vector=seed % 2 == 0)
    X = random_rows(seed, 5, 5)
    grids = {column: GRIDS[column] for column in pair}
    first, second = grids.values()
    out = np.full((len(X), len(first), len(second), 2), np.nan)

    def consume(part, block):
        out[part] = block

    partial_dependence.surfaces(partial_dependence.prepare(forest, grids), X, consume)
    for a, one in enumerate(first):
        for b, two in enumerate(second):
            moved = X.copy()
            moved[:, pair[0]], moved[:, pair[1]] = one, two
            assert np.abs(out[:, a, b] - sums.predict(forest, moved)).max() <= 1e-12


def test_a_leaf_left_out_is_seen():
    forest = random_forest(3)
    X = random_rows(3, 9, 5)
    leaf = int(np.flatnonzero((forest.feature < 0) & (np.arange(len(forest.feature)) != forest.roots[1]))[0])
    right = asked_anew(forest, X, GRIDS)
    forest.value[leaf] += 0.5
    assert np.abs(curves(forest, X, GRIDS) - right).max() > 1e-3


def test_threads_and_blocks_change_no_bit():
    forest = random_forest(5, trees=8)
    X = random_rows(5, 3000, 5)
    alone = curves(forest, X, GRIDS, Executor(1))
    assert np.array_equal(alone, curves(forest, X, GRIDS, Executor(2)))
    assert np.array_equal(alone[700:701], curves(forest, X[700:701], GRIDS))


def test_no_rows_and_no_points():
    forest = random_forest(1)
    assert curves(forest, np.zeros((0, 5)), GRIDS).shape == (0, 55, 1)
    assert curves(forest, np.zeros((2, 5)), {}).shape == (2, 0, 1)


def halves(seed):
    """A forest whose two outputs add up to a half in every leaf, as the classes of a random forest do."""
    forest = random_forest(seed, outputs=2, vector=True, trees=6, max_depth=7)
    forest.value[:, 1] = 0.5 - forest.value[:, 0]
    return forest


@pytest.mark.parametrize("seed", range(4))
def test_two_outputs_that_add_up_are_walked_as_one(seed):
    forest, X = halves(seed), random_rows(seed, 300, 5)
    assert not np.isnan(partial_dependence.prepare(forest, GRIDS).whole)
    assert np.abs(curves(forest, X, GRIDS) - asked_anew(forest, X, GRIDS)).max() <= 1e-12
    apart = halves(seed)
    apart.value[np.flatnonzero(apart.feature < 0)[1], 1] += 1e-6
    assert np.isnan(partial_dependence.prepare(apart, GRIDS).whole)
    assert np.abs(curves(apart, X, GRIDS) - asked_anew(apart, X, GRIDS)).max() <= 1e-12


@pytest.mark.parametrize("rows", [1, 62, 63, 64, 700])
def test_any_number_of_rows_fills_the_words(rows):
    forest, X = random_forest(2, trees=9, max_depth=8), random_rows(2, rows, 5)
    assert np.abs(curves(forest, X, GRIDS) - asked_anew(forest, X, GRIDS)).max() <= 1e-12


def test_points_that_do_not_ascend_are_asked_one_by_one():
    forest, X = random_forest(4, trees=9), random_rows(4, 40, 5)
    grids = {0: np.array([1.0, -1.0, 0.0, 0.0]), 2: np.array([0.5, np.nan, -0.5])}
    assert np.abs(curves(forest, X, grids) - asked_anew(forest, X, grids)).max() <= 1e-12
