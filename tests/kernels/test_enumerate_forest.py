"""The interventional game of a forest: brute force over filled-in rows, links, coarse answers with errors."""

import numpy as np
import pytest
import shapley_by_definition as oracle
from random_forests import random_forest, random_rows

from whyglass.kernels import enumerate_forest, twins

CASES = [
    ("identity", {}),
    ("sigmoid", {}),
    ("exp", {"n_features": 3}),
    ("softmax", {"outputs": 3, "trees": 6}),
    ("softmax", {"outputs": 3, "vector": True}),
    ("identity", {"outputs": 2, "vector": True, "n_features": 2}),
    ("sigmoid", {"n_features": 7, "max_depth": 8, "categories": (0, 1, 2, 3, 4, 5)}),
    ("sigmoid", {"n_features": 1, "categories": ()}),
]
cases = pytest.mark.parametrize(("link", "options"), CASES, ids=[f"{link}-{n}" for n, (link, _) in enumerate(CASES)])


def set_up(options, seed, rows=6):
    forest = random_forest(seed, **options)
    X = random_rows(seed + 1, rows, forest.n_features, options.get("categories", (1,)))
    return forest, X[0], X[1:]


@pytest.mark.uncompiled
@cases
def test_brute_force_agrees(link, options):
    for seed in range(3):
        forest, x, background = set_up(options, seed)

        def game(known, forest=forest, x=x, background=background):
            filled = background.copy()
            filled[:, sorted(known)] = x[sorted(known)]
            return twins.through_link(twins.predict(forest, filled), link).mean(axis=0)

        values, nothing, everything = oracle.by_definition(game, forest.n_features)
        found = enumerate_forest.values(forest, x, background, link)
        assert np.abs(found.values - values).max() <= 1e-12 * max(1, np.abs(values).max())
        assert np.allclose(found.base, nothing, rtol=0, atol=1e-12)
        assert np.allclose(found.prediction, everything, rtol=0, atol=1e-12)
        assert np.all(found.std_errors == 0)


@pytest.mark.uncompiled
@cases
def test_the_twin_agrees(link, options):
    forest, x, background = set_up(options, 40)
    table = twins.coalition_table(forest, x, background, link).mean(axis=0)
    found = enumerate_forest.values(forest, x, background, link)
    assert np.allclose(found.values, twins.shapley(table), rtol=0, atol=1e-12)


@cases
def test_values_add_up(link, options):
    forest, x, background = set_up(options, 60, 50)
    found = enumerate_forest.values(forest, x, background, link)
    assert np.allclose(found.base + found.values.sum(axis=0), found.prediction, rtol=1e-12, atol=1e-12)


def test_a_coarse_answer_holds_the_truth_within_two_errors():
    forest, x, background = set_up({"trees": 12}, 7, 241)
    whole = enumerate_forest.values(forest, x, background, "sigmoid").values
    held = []
    for seed in range(120):
        order = np.random.default_rng(seed).permutation(len(background))
        part = enumerate_forest.values(forest, x, background[order], "sigmoid", first=40)
        assert part.used == 40
        moving = part.std_errors > 0
        held.append((np.abs(part.values - whole) <= 2 * part.std_errors)[moving])
    share = np.concatenate(held).mean()
    assert 0.85 <= share <= 0.99
    assert sum(map(len, held)) > 300


def test_errors_halved_on_purpose_are_caught():
    forest, x, background = set_up({"trees": 12}, 7, 241)
    whole = enumerate_forest.values(forest, x, background, "sigmoid").values
    held = []
    for seed in range(120):
        order = np.random.default_rng(seed).permutation(len(background))
        part = enumerate_forest.values(forest, x, background[order], "sigmoid", first=40)
        moving = part.std_errors > 0
        held.append((np.abs(part.values - whole) <= part.std_errors)[moving])
    assert np.concatenate(held).mean() < 0.85


@pytest.mark.uncompiled
def test_one_background_row_of_many_has_no_known_error():
    forest, x, background = set_up({}, 3, 20)
    found = enumerate_forest.values(forest, x, background, first=1)
    assert np.isnan(found.std_errors[: forest.n_features - 1]).all()


@pytest.mark.uncompiled
def test_what_cannot_be_enumerated_says_so():
    wide = random_forest(0, n_features=40, trees=30, categories=())
    with pytest.raises(ValueError, match="up to 14"):
        enumerate_forest.values(wide, np.zeros(40), np.zeros((1, 40)))
    with pytest.raises(ValueError, match="no rows"):
        enumerate_forest.values(random_forest(0), np.zeros(5), np.zeros((0, 5)))
