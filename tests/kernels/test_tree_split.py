"""The choice between tables and the walk: whoever answers, the values are the same, and nothing is kept without bound."""

import gc
import weakref

import numpy as np
import pytest
from random_forests import random_forest, random_rows

from whyglass.core.executor import Executor
from whyglass.kernels import tree_interactions, tree_shap, tree_split
from whyglass.kernels.tree_plan import who_plays


def off(found, wanted):
    return np.abs(found - wanted).max() / max(1.0, np.abs(wanted).max())


def big(seed=0, **options):
    return random_forest(seed, **{"trees": 60, "max_depth": 6, "n_features": 6, **options})


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("options", [{}, {"outputs": 3}, {"outputs": 2, "vector": True}, {"max_depth": 9, "trees": 20}])
def test_whoever_answers_the_values_are_the_same(pairs, options):
    forest = big(1, **options)
    X = random_rows(2, 200, 6)
    ask, walk = (tree_split.interactions, tree_interactions.interactions) if pairs else (tree_split.values, tree_shap.values)
    few, many = (tree_split.split(forest, rows, pairs=pairs) for rows in (3, 10**6))
    assert few.kernel == "quadrature"
    assert many.kernel.startswith("tables")
    wanted = walk(forest, X)
    assert off(ask(few, X), wanted) <= 1e-12
    assert off(ask(many, X), wanted) <= 1e-12
    for threads in (2, 3):
        assert np.array_equal(ask(many, X, Executor(threads)), ask(many, X))
    assert ask(many, X[:0]).shape == wanted[:0].shape


def test_players_reach_every_kernel():
    forest, X = big(3), random_rows(4, 60, 6)
    players = np.array([0, 1, 0, 2, 2, 3], np.int32)
    chosen = tree_split.split(forest, 10**6, players=players)
    assert off(tree_split.values(chosen, X), tree_shap.values(forest, X, players=players)) <= 1e-12
    assert tree_split.values(chosen, X).shape == (60, 4, 1)


def test_leaves_are_split_where_tables_grow_too_large(monkeypatch):
    forest, X = big(5, max_depth=9), random_rows(6, 80, 6)
    monkeypatch.setattr(tree_split, "_BITS", (4,))
    chosen = tree_split.split(forest, 10**6)
    assert chosen.kernel == "tables + quadrature"
    assert off(tree_split.values(chosen, X), tree_shap.values(forest, X)) <= 1e-12


def test_few_rows_take_tables_that_are_there_already():
    forest = big(7)
    assert tree_split.split(forest, 20).tables is None
    built = tree_split.split(forest, 10**6).tables
    assert tree_split.split(forest, 20).tables is built
    assert tree_split.split(forest, 1).tables is None


def test_no_tables_when_time_is_short_or_memory_small(monkeypatch):
    assert tree_split.split(big(8), 10**6, hurried=True).tables is None
    monkeypatch.setattr(tree_split, "MOST_BYTES", 1000)
    assert tree_split.split(big(9), 10**6).tables is None


def test_what_is_kept_is_bounded_and_goes_with_the_forest(monkeypatch):
    first, second = big(10), big(11)
    one = tree_split.split(first, 10**6).tables
    monkeypatch.setattr(tree_split, "MOST_BYTES", int(1.5 * one.bytes))
    two = tree_split.split(second, 10**6).tables
    assert sum(t.bytes for of in tree_split._kept.values() for t in of.values()) <= tree_split.MOST_BYTES
    assert first not in tree_split._kept
    assert two is tree_split._kept[second][who_plays(second).tobytes(), False]
    gone = weakref.ref(second)
    del second, two
    gc.collect()
    assert gone() is None


def test_a_forest_of_single_leaves():
    forest = random_forest(0, max_depth=0)
    chosen = tree_split.split(forest, 10**6)
    assert np.all(tree_split.values(chosen, np.zeros((3, 5))) == 0)
