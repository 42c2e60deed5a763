"""Path-dependent tree Shapley values: brute force, twin, laws, threads, and kernels broken on purpose."""

import threading
import time

import numpy as np
import pytest
import shapley_by_definition as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from random_forests import random_forest, random_rows

from whyglass.core.executor import Executor
from whyglass.kernels import forest as sums
from whyglass.kernels import tree_plan, tree_shap, twins

KINDS = {
    "one output": {},
    "deep and narrow": {"n_features": 3, "max_depth": 9, "trees": 3},
    "outputs by tree": {"outputs": 3, "trees": 7},
    "vector leaves": {"outputs": 3, "vector": True},
    "two columns": {"n_features": 2},
    "one column": {"n_features": 1, "categories": ()},
    "all categories": {"categories": (0, 1, 2, 3)},
    "seven columns": {"n_features": 8, "max_depth": 8, "trees": 2},
}
kinds = pytest.mark.parametrize("kind", KINDS)


def off(found, wanted):
    return np.abs(found - wanted).max() / max(1.0, np.abs(wanted).max())


def both(kind, seed, rows=5):
    options = KINDS[kind]
    forest = random_forest(seed, **options)
    return forest, random_rows(seed + 1, rows, forest.n_features, options.get("categories", (1,)))


@pytest.mark.uncompiled
@kinds
def test_brute_force_agrees(kind):
    for seed in range(4):
        forest, X = both(kind, seed, 2)
        found = tree_shap.values(forest, X)
        for row in range(len(X)):
            values, nothing, everything = oracle.path_dependent(forest, X[row])
            assert off(found[row], values) <= 1e-12
            assert off(tree_shap.base(forest), nothing) <= 1e-12
            assert off(sums.predict(forest, X[row : row + 1])[0], everything) <= 1e-12


@pytest.mark.uncompiled
@kinds
def test_the_twin_agrees(kind):
    for seed in range(10, 14):
        forest, X = both(kind, seed, 9)
        assert off(tree_shap.values(forest, X), twins.tree_shap(forest, X)) <= 1e-12
        assert off(tree_shap.base(forest), twins.base(forest)) <= 1e-12
        assert off(sums.predict(forest, X), twins.predict(forest, X)) <= 1e-12


@kinds
def test_values_add_up(kind):
    forest, X = both(kind, 20, 200)
    said = sums.predict(forest, X)
    total = tree_shap.base(forest) + tree_shap.values(forest, X).sum(axis=1)
    assert np.all(np.abs(total - said) <= 1e-9 * np.maximum(1, np.abs(said)))


def test_a_column_that_no_tree_tests_gets_exactly_nothing():
    forest, X = both("one output", 3, 50)
    assert np.all(tree_shap.values(forest, X)[:, -1] == 0)


@pytest.mark.uncompiled
def test_a_forest_of_single_leaves():
    forest = random_forest(0, max_depth=0)
    assert np.all(tree_shap.values(forest, np.zeros((3, 5))) == 0)
    assert off(sums.predict(forest, np.zeros((1, 5)))[0], tree_shap.base(forest)) <= 1e-15


def test_no_rows():
    forest = random_forest(0)
    assert tree_shap.values(forest, np.zeros((0, 5))).shape == (0, 5, 1)
    assert sums.predict(forest, np.zeros((0, 5))).shape == (0, 1)


def test_two_outputs_that_mirror_each_other_cost_one():
    forest = random_forest(5, outputs=2, vector=True)
    forest.value[:, 1] = 1 - forest.value[:, 0]
    X = random_rows(6, 20, 5)
    assert tree_plan.prepare(forest).mirrored
    assert off(tree_shap.values(forest, X), twins.tree_shap(forest, X)) <= 1e-12


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_threads_and_any_blocks_give_the_same_bits(threads):
    forest, X = both("outputs by tree", 8, 700)
    whole = tree_shap.values(forest, X)
    assert np.array_equal(tree_shap.values(forest, X, Executor(threads)), whole)
    assert np.array_equal(sums.predict(forest, X, Executor(threads)), sums.predict(forest, X))
    for row in (0, 63, 64, 699):
        assert np.array_equal(tree_shap.values(forest, X[row : row + 1])[0], whole[row])


def test_arrays_of_any_layout_use_one_specialisation():
    if not hasattr(tree_shap.explain_rows, "signatures"):
        pytest.skip("the compiler is off")
    forest, X = both("one output", 1, 8)
    wanted = tree_shap.values(forest, X)
    locked = X.copy()
    locked.flags.writeable = False
    for same in (np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2], locked, X.tolist()):
        assert np.array_equal(tree_shap.values(forest, same), wanted)
    assert len(tree_shap.explain_rows.signatures) == 1
    assert len(sums.add_leaves.signatures) == 1


def test_other_threads_run_meanwhile():
    if not hasattr(tree_shap.explain_rows, "signatures"):
        pytest.skip("the compiler is off")
    forest = random_forest(2, trees=60, max_depth=9)
    X = random_rows(3, 6000, 5)
    tree_shap.values(forest, X[:1])
    started, ticks = threading.Event(), []

    def work():
        started.set()
        tree_shap.explain_rows(*tree_plan.prepare(forest)[:3], X, np.zeros((len(X), 5, 1)))

    worker = threading.Thread(target=work)
    worker.start()
    started.wait()
    while worker.is_alive():
        ticks.append(time.perf_counter())
        time.sleep(0.001)
    worker.join()
    assert len(ticks) > 5, "nothing else ran while the kernel did: it holds the GIL"


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n_features=st.integers(1, 7),
    trees=st.integers(1, 5),
    max_depth=st.integers(0, 7),
    outputs=st.integers(1, 3),
    vector=st.booleans(),
)
def test_any_forest_agrees_with_its_twin(seed, **options):
    categories = tuple(range(0, options["n_features"], 2))
    forest = random_forest(seed, **options, categories=categories)
    X = random_rows(seed, 6, options["n_features"], categories)
    assert off(tree_shap.values(forest, X), twins.tree_shap(forest, X)) <= 1e-12
    assert off(sums.predict(forest, X), twins.predict(forest, X)) <= 1e-12


def test_thirty_columns_on_one_path_stay_exact():
    """A chain that tests every column once: the longest polynomial a tree of so many columns can have."""
    from types import SimpleNamespace

    class Chain(SimpleNamespace):
        __hash__ = object.__hash__

    d = 30
    nodes = 2 * d + 1
    inner = np.arange(d) * 2
    feature = np.full(nodes, -1, np.int32)
    feature[inner] = np.arange(d)
    left, right = np.full(nodes, -1, np.int32), np.full(nodes, -1, np.int32)
    left[inner], right[inner] = inner + 1, inner + 2
    cover = np.empty(nodes)
    cover[0] = 2.0**d
    for at in inner:
        cover[at + 1] = cover[at + 2] = cover[at] / 2
    value = np.random.default_rng(0).normal(size=(nodes, 1))
    none = np.zeros(nodes, np.bool_)
    chain = Chain(
        roots=np.zeros(1, np.int32), feature=feature, threshold=np.zeros(nodes), left=left, right=right, missing_left=none,
        unseen_left=none, category_start=np.full(nodes, -1, np.int32), category_count=np.zeros(nodes, np.int32),
        category_bits=np.zeros(0, np.uint32), cover=cover, value=value, tree_output=np.zeros(1, np.int32), base=np.zeros(1),
        n_features=d,
    )  # fmt: skip
    X = np.random.default_rng(1).normal(size=(40, d))
    X[0] = 1.0
    found = tree_shap.values(chain, X)
    assert tree_plan.prepare(chain).plan.order[0] == d // 2
    assert off(found, twins.tree_shap(chain, X)) <= 1e-12
    total = tree_shap.base(chain) + found.sum(axis=1)
    assert off(total, sums.predict(chain, X)) <= 1e-12
