"""The interventional game of a forest: brute force over filled-in rows, links, coarse answers with errors."""

from dataclasses import replace

import numpy as np
import pytest
import shapley_by_definition as oracle
from interactions_by_definition import matrix
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


def loss(margins, link, label):
    said = twins.through_link(margins, link)
    said = np.hstack([1 - said, said]) if said.shape[1] == 1 else said
    return -np.log(np.clip(said[:, label], np.finfo(float).eps, 1))[:, None]


@pytest.mark.uncompiled
@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("label", [-1, 0, 1])
@pytest.mark.parametrize(("link", "options"), [CASES[0], CASES[1], CASES[4], ("softmax", {"outputs": 3, "trees": 6, "n_features": 4})])
def test_losses_groups_and_interactions_by_brute_force(link, options, label, grouped):
    forest, x, background = set_up(options, 70, 5)
    players = (np.arange(forest.n_features) // (2 if grouped else 1)).astype(np.int32)

    def said(known):
        filled, columns = background.copy(), np.isin(players, sorted(known))
        filled[:, columns] = x[columns]
        margins = twins.predict(forest, filled)
        return (twins.through_link(margins, link) if label < 0 else loss(margins, link, label)).mean(axis=0)

    wanted, shares = matrix(said, int(players.max()) + 1)
    extra = enumerate_forest.Extra(label, interactions=True)
    found = enumerate_forest.values(forest, x, background, link, players=players if grouped else None, extra=extra)
    scale = max(1.0, np.abs(shares).max())
    assert np.abs(found.values - shares).max() <= 1e-12 * scale
    assert np.abs(found.interactions - wanted).max() <= 1e-12 * scale
    assert np.abs(found.interactions + wanted).max() > 1e-3


def test_a_loss_has_no_bound_behind_a_link_and_one_for_probabilities():
    forest = random_forest(3, n_features=3, categories=())
    x, background = np.zeros(3), random_rows(4, 5, 3, ())
    sure = replace(forest, base=np.array([1000.0]))
    far = enumerate_forest.values(sure, x, background, "sigmoid", extra=enumerate_forest.Extra(0)).prediction
    assert far == pytest.approx(twins.predict(sure, x[None])[0])
    capped = enumerate_forest.values(replace(forest, base=np.array([-1000.0])), x, background, extra=enumerate_forest.Extra(1))
    assert capped.prediction == pytest.approx(-np.log(np.finfo(float).eps))


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
