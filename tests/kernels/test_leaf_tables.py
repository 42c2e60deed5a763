"""Tables of leaf groups: brute force, interventional and path-dependent, values and interactions, players, threads."""

import dataclasses

import numpy as np
import pytest
import shapley_by_definition as definition
from hypothesis import given, settings
from hypothesis import strategies as st
from interactions_by_definition import game, matrix
from random_forests import random_forest, random_rows

from whyglass.core.executor import Executor
from whyglass.kernels import leaf_tables, tree_shap, twins_tables

KINDS = {
    "one output": {},
    "repeated columns": {"n_features": 3, "max_depth": 5, "trees": 3},
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


def whole(forest, *arguments, **options):
    """Tables of a forest, and what its uncovered leaves add to path-dependent values."""
    tables = leaf_tables.build(forest, *arguments, **options)
    assert tables.rest is None
    return tables


@pytest.mark.uncompiled
@kinds
@pytest.mark.parametrize("rows_known", [None, 1, 7])
def test_brute_force_agrees(kind, rows_known):
    for seed in range(2):
        forest, X = both(kind, seed)
        background = None if rows_known is None else random_rows(seed + 9, rows_known, forest.n_features, (1,))
        players = np.arange(forest.n_features)
        tables = whole(forest, background, pairs=True, bits=12)
        values, pairs = leaf_tables.values(tables, X), leaf_tables.interactions(tables, X)
        for row in range(len(X)):
            wanted, shares = matrix(game(forest, X[row], players, background), len(players))
            assert off(values[row], shares) <= 1e-12
            assert off(pairs[row], wanted) <= 1e-12


@pytest.mark.uncompiled
@pytest.mark.parametrize("rows_known", [None, 5])
def test_columns_that_play_together_are_one_player(rows_known):
    for seed in range(3):
        forest, X = both("one output", seed)
        background = None if rows_known is None else random_rows(seed + 9, rows_known, forest.n_features, (1,))
        players = np.array([0, 1, 0, 2, 1], np.int32)
        tables = whole(forest, background, players=players, pairs=True, bits=12)
        wanted, shares = matrix(game(forest, X[0], players, background), 3)
        assert off(leaf_tables.values(tables, X)[0], shares) <= 1e-12
        assert off(leaf_tables.interactions(tables, X)[0], wanted) <= 1e-12


@pytest.mark.uncompiled
@kinds
@pytest.mark.parametrize("rows_known", [None, 6])
def test_the_twin_agrees(kind, rows_known):
    for seed in range(10, 12):
        forest, X = both(kind, seed, 9)
        background = None if rows_known is None else random_rows(seed + 9, rows_known, forest.n_features, (1,))
        tables = whole(forest, background, pairs=True, bits=12)
        assert off(leaf_tables.interactions(tables, X), twins_tables.interactions(forest, X, background)) <= 1e-12


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n_features=st.integers(1, 7),
    trees=st.integers(1, 5),
    max_depth=st.integers(0, 4),
    outputs=st.integers(1, 3),
    vector=st.booleans(),
)
def test_any_shallow_forest_agrees_with_the_walk(seed, **options):
    forest = random_forest(seed, **options)
    X = random_rows(seed, 6, options["n_features"])
    tables = whole(forest, bits=12) if options["max_depth"] < 4 else leaf_tables.build(forest, bits=12)
    if tables.rest is None:
        assert off(leaf_tables.values(tables, X), tree_shap.values(forest, X)) <= 1e-12


def test_fewer_bits_leave_leaves_to_others():
    forest, _ = both("one output", 4)
    few, many = leaf_tables.build(forest, bits=3), leaf_tables.build(forest, bits=12)
    assert few.rest is not None
    assert many.rest is None
    assert few.bytes < many.bytes
    assert np.all(forest.feature[few.rest] < 0)


def test_tables_keep_to_their_size():
    forest, X = both("one output", 4)
    wide = leaf_tables.build(forest, bits=12)
    narrow = leaf_tables.build(forest, bits=12, most_bytes=wide.bytes // 4)
    assert narrow.bytes <= wide.bytes // 4
    rest = 0.0 if narrow.rest is None else tree_shap.values(forest, X, leaves=narrow.rest)
    assert off(leaf_tables.values(narrow, X) + rest, tree_shap.values(forest, X)) <= 1e-12
    assert leaf_tables.build(forest, most_bytes=0).bytes == 0


@pytest.mark.uncompiled
def test_nothing_to_tabulate():
    forest = random_forest(0, max_depth=0)
    for background in (None, np.zeros((2, 5))):
        tables = whole(forest, background, pairs=True)
        assert np.all(leaf_tables.values(tables, np.zeros((3, 5))) == 0)
        assert leaf_tables.interactions(tables, np.zeros((3, 5))).shape == (3, 5, 5, 1)
    assert leaf_tables.values(whole(random_forest(1), bits=12), np.zeros((0, 5))).shape == (0, 5, 1)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("rows_known", [None, 30])
def test_any_number_of_threads_gives_the_same_bits(threads, rows_known):
    forest, X = both("outputs by tree", 8, 2500)
    background = None if rows_known is None else X[:rows_known]
    one, many = (leaf_tables.build(forest, background, pairs=True, bits=12, executor=e) for e in (None, Executor(threads)))
    assert np.array_equal(one.strips.cells, many.strips.cells)
    values = leaf_tables.values(one, X)
    assert np.array_equal(leaf_tables.values(many, X, Executor(threads)), values)
    assert np.array_equal(leaf_tables.interactions(many, X, Executor(threads)), leaf_tables.interactions(one, X))
    for row in (0, 1023, 1024, 2499):
        assert np.array_equal(leaf_tables.values(one, X[row : row + 1])[0], values[row])


def test_two_outputs_that_mirror_each_other_cost_one():
    forest = random_forest(5, outputs=2, vector=True)
    forest.value[:, 1] = 1 - forest.value[:, 0]
    X = random_rows(6, 3, 5)
    tables = whole(forest, pairs=True, bits=12)
    assert tables.mirrored
    assert tables.outputs == 1
    wanted, shares = matrix(game(forest, X[0], np.arange(5)), 5)
    assert off(leaf_tables.values(tables, X)[0], shares) <= 1e-12
    assert off(leaf_tables.interactions(tables, X)[0], wanted) <= 1e-12


def test_a_pattern_that_no_background_row_shows_counts_nothing():
    """The law of one background row is a single pattern: the shares then come from that row alone."""
    forest, X = both("one output", 3)
    tables = whole(forest, X[:1], bits=12)
    assert np.abs(leaf_tables.values(tables, X[:1])).max() <= 1e-14
    assert np.abs(leaf_tables.values(tables, X[1:])).max() > 1e-3
    total = leaf_tables.values(tables, X[1:])[0].sum(axis=0)
    wanted = definition.path_dependent_sum(forest, X[1]) - definition.path_dependent_sum(forest, X[0])
    assert off(total, wanted) <= 1e-12


def symmetric(depth, trees=3, seed=0):
    """Trees that ask one question a level, as CatBoost grows them; the third level asks what the first one asked."""
    rng = np.random.default_rng(seed)
    size = 2**depth - 1
    nodes = trees * (2 * size + 1)
    flat = random_forest(seed, n_features=4, trees=1, max_depth=1, categories=())
    level = np.floor(np.log2(np.arange(2 * size + 1) + 1)).astype(int)
    inner = level < depth
    feature, threshold, left, right = (np.zeros(nodes) for _ in range(4))
    for tree in range(trees):
        asked, at = rng.integers(0, 4, depth), rng.normal(size=depth).round(1)
        if depth > 2:
            asked[2], at[2] = asked[0], at[0]
        here = slice(tree * (2 * size + 1), (tree + 1) * (2 * size + 1))
        feature[here] = np.where(inner, np.append(asked, 0)[level], -1)
        threshold[here] = np.where(inner, np.append(at, 0)[level], 0)
        first = here.start
        left[here] = np.where(inner, first + 2 * np.arange(2 * size + 1) + 1, -1)
        right[here] = np.where(inner, first + 2 * np.arange(2 * size + 1) + 2, -1)
    none = np.zeros(nodes)
    return dataclasses.replace(
        flat,
        roots=np.arange(trees, dtype=np.int32) * (2 * size + 1),
        feature=feature.astype(np.int32),
        threshold=threshold,
        left=left.astype(np.int32),
        right=right.astype(np.int32),
        missing_left=none.astype(bool),
        unseen_left=none.astype(bool),
        category_start=np.full(nodes, -1, np.int32),
        category_count=none.astype(np.int32),
        cover=np.tile(np.where(np.arange(2 * size + 1) % 2 == 0, 2.0, 1.0) / 3.0**level * 3.0**depth, trees),
        value=rng.normal(size=(nodes, 1)),
        tree_output=np.zeros(trees, np.int32),
    )


def test_nodes_that_ask_the_same_share_a_bit():
    forest = symmetric(6)
    tables = leaf_tables.build(forest, bits=6)
    assert tables.rest is None
    assert tables.grid.groups.node.tolist() == forest.roots.tolist(), "a whole tree is one group"
    assert tables.grid.groups.bits.max() <= 6
    assert tables.grid.groups.start[-1, 0] == tables.grid.groups.bits.sum()
    X = random_rows(3, 40, 4, ())
    assert off(leaf_tables.values(tables, X), tree_shap.values(forest, X)) <= 1e-12
    truth = [matrix(game(forest, x, np.arange(4, dtype=np.int32), X[10:15]), 4)[0] for x in X[:3]]
    made = leaf_tables.build(forest, X[10:15], bits=6, pairs=True)
    assert off(leaf_tables.interactions(made, X[:3]), np.stack(truth)) <= 1e-12
