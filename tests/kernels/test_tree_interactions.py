"""Path-dependent interactions by the walk: brute force, players, leaves left out, the same bits on threads, and tables for the rest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interactions_by_definition import game, matrix
from random_forests import random_forest, random_rows

from whyglass.core.executor import Executor
from whyglass.kernels import leaf_tables, tree_interactions, tree_shap, twins_tables

KINDS = {
    "one output": {},
    "deep and narrow": {"n_features": 3, "max_depth": 9, "trees": 3},
    "outputs by tree": {"outputs": 3, "trees": 7},
    "vector leaves": {"outputs": 3, "vector": True},
    "one column": {"n_features": 1, "categories": ()},
    "all categories": {"n_features": 4, "categories": (0, 1, 2, 3)},
}
kinds = pytest.mark.parametrize("kind", KINDS)


def off(found, wanted):
    return np.abs(found - wanted).max() / max(1.0, np.abs(wanted).max())


def both(kind, seed, rows=2):
    options = KINDS[kind]
    forest = random_forest(seed, **options)
    return forest, random_rows(seed + 1, rows, forest.n_features, options.get("categories", (1,)))


@pytest.mark.uncompiled
@kinds
def test_brute_force_agrees(kind):
    for seed in range(2):
        forest, X = both(kind, seed)
        found = tree_interactions.interactions(forest, X)
        for row in range(len(X)):
            wanted, _ = matrix(game(forest, X[row], np.arange(forest.n_features)), forest.n_features)
            assert off(found[row], wanted) <= 1e-12


@pytest.mark.uncompiled
@kinds
def test_the_twin_agrees(kind):
    for seed in range(10, 12):
        forest, X = both(kind, seed, 9)
        assert off(tree_interactions.interactions(forest, X), twins_tables.interactions(forest, X)) <= 1e-12


@pytest.mark.uncompiled
def test_columns_that_play_together_are_one_player():
    players = np.array([1, 0, 1, 2, 0], np.int32)
    for seed in range(3):
        forest, X = both("one output", seed)
        wanted, shares = matrix(game(forest, X[0], players), 3)
        assert off(tree_shap.values(forest, X, players=players)[0], shares) <= 1e-12
        assert off(tree_interactions.interactions(forest, X, players=players)[0], wanted) <= 1e-12


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n_features=st.integers(1, 7),
    max_depth=st.integers(0, 7),
    outputs=st.integers(1, 3),
    vector=st.booleans(),
    bits=st.integers(0, 7),
)
def test_tables_and_walk_share_the_leaves(seed, bits, **options):
    forest = random_forest(seed, **options)
    X = random_rows(seed, 4, options["n_features"])
    tables = leaf_tables.build(forest, bits=bits, pairs=True)
    values, pairs = leaf_tables.values(tables, X), leaf_tables.interactions(tables, X)
    if tables.rest is not None:
        values = values + tree_shap.values(forest, X, leaves=tables.rest)
        pairs = pairs + tree_interactions.interactions(forest, X, leaves=tables.rest)
    whole = tree_interactions.interactions(forest, X)
    assert off(values, tree_shap.values(forest, X)) <= 1e-12
    assert off(pairs, whole) <= 1e-12
    assert off(whole.sum(axis=2), tree_shap.values(forest, X)) <= 1e-12


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_threads_and_any_blocks_give_the_same_bits(threads):
    forest, X = both("outputs by tree", 8, 700)
    whole = tree_interactions.interactions(forest, X)
    assert np.array_equal(tree_interactions.interactions(forest, X, Executor(threads)), whole)
    for row in (0, 63, 64, 699):
        assert np.array_equal(tree_interactions.interactions(forest, X[row : row + 1])[0], whole[row])


def test_two_outputs_that_mirror_each_other_cost_one():
    forest = random_forest(5, outputs=2, vector=True)
    forest.value[:, 1] = 1 - forest.value[:, 0]
    X = random_rows(6, 2, 5)
    wanted, _ = matrix(game(forest, X[0], np.arange(5)), 5)
    assert off(tree_interactions.interactions(forest, X)[0], wanted) <= 1e-12


@pytest.mark.uncompiled
def test_nothing_to_walk():
    forest = random_forest(0, max_depth=0)
    assert np.all(tree_interactions.interactions(forest, np.zeros((3, 5))) == 0)
    assert tree_interactions.interactions(random_forest(1), np.zeros((0, 5))).shape == (0, 5, 5, 1)
    no_leaf = np.zeros(len(random_forest(1).feature), np.bool_)
    assert np.all(tree_shap.values(random_forest(1), np.zeros((3, 5)), leaves=no_leaf) == 0)
