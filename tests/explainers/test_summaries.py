"""Global answers from local ones."""

import dataclasses

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

import whyglass as wg
from whyglass.core.attribution import Attribution
from whyglass.core.errors import InputError
from whyglass.core.provenance import Provenance
from whyglass.core.schema import Column, Dataset, Schema
from whyglass.explainers.summaries import beeswarm, dependence, importance


def answer(values, X, status=(), kinds=None):
    columns = tuple(
        Column(f"c{j}", "categorical" if kinds and kinds[j] else "numeric", categories=tuple("abcd") if kinds and kinds[j] else ())
        for j in range(X.shape[1])
    )
    rows = len(X)
    return Attribution(
        values=values[:, :, None], base_values=np.zeros((rows, 1)), predictions=values.sum(axis=1)[:, None],
        dataset=Dataset(Schema(columns), X), output_names=("y",), space="value", exact=True, provenance=Provenance("shap.tree"),
        status=status,
    )  # fmt: skip


def test_importance_is_the_mean_size_and_its_interval_holds_the_truth():
    held = []
    for seed in range(200):
        values = np.random.default_rng(seed).normal(size=(150, 2)) * [2.0, 1.0]
        found = importance(answer(values, values))
        truth = np.array([2.0, 1.0]) * np.sqrt(2 / np.pi)
        held.append((found.low <= truth) & (truth <= found.high))
        assert np.allclose(found.mean, np.abs(values).mean(axis=0))
        assert list(found.order) == [0, 1]
    assert 0.91 <= np.mean(held) <= 0.98


def test_rows_that_failed_do_not_enter():
    values = np.array([[1.0, 2.0], [np.nan, np.nan], [3.0, -2.0]])
    why = answer(values, np.zeros((3, 2)), ("ok", "no", "ok"))
    assert np.allclose(importance(why).mean, [2.0, 2.0])
    assert importance(why).rows == 2
    assert list(beeswarm(why).rows) == [0, 2]
    assert list(dependence(why, "c0").rows) == [0, 2]


def test_one_row_and_no_rows_have_no_interval():
    one = importance(answer(np.array([[1.0, -3.0]]), np.zeros((1, 2))))
    assert list(one.order) == [1, 0]
    assert np.isnan(one.low).all()
    none = importance(answer(np.zeros((0, 2)), np.zeros((0, 2))))
    assert none.rows == 0
    assert np.isnan(none.mean).all()
    with pytest.raises(InputError, match="confidence"):
        importance(answer(np.ones((2, 1)), np.ones((2, 1))), confidence=1.0)


def test_a_swarm_ranks_values_with_ties_in_the_middle():
    X = np.array([[5.0, 1.0], [1.0, 1.0], [3.0, 1.0], [3.0, np.nan]])
    swarm = beeswarm(answer(X, X))
    assert np.allclose(swarm.rank[:, 0], [1.0, 0.0, 0.5, 0.5])
    assert np.allclose(swarm.rank[:3, 1], 0.5)
    assert np.isnan(swarm.rank[3, 1])
    many = np.arange(5000.0)[:, None]
    few = beeswarm(answer(many, many), most=100, seed=1)
    assert len(few.rows) == 100
    assert np.array_equal(few.rows, beeswarm(answer(many, many), most=100, seed=1).rows)
    assert few.rank.min() == 0
    assert few.rank.max() == 1


@pytest.mark.parametrize("categorical", [False, True])
def test_the_partner_is_the_column_that_changes_the_effect(categorical):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 4))
    X[:, 2] = rng.integers(0, 4, 800) if categorical else X[:, 2]
    values = np.zeros((800, 4))
    values[:, 0] = X[:, 0] + X[:, 0] * (X[:, 2] - X[:, 2].mean()) + 0.1 * rng.normal(size=800)
    found = dependence(answer(values, X, kinds=[False, False, categorical, False]), "c0")
    assert found.partner == 2
    assert found.strength[0] == 0
    assert found.strength[2] > 5 * max(found.strength[1], found.strength[3])


def test_exact_interactions_are_believed_and_not_the_spread():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(400, 3))
    X[:, 2] = X[:, 1] + 0.01 * rng.normal(size=400)
    pairs = np.zeros((400, 3, 3, 1))
    pairs[:, 0, 2, 0] = pairs[:, 2, 0, 0] = X[:, 0] * X[:, 2] / 2
    pairs[:, 0, 0, 0] = X[:, 0]
    why = answer(pairs.sum(axis=2)[..., 0], X)
    guessed = dependence(why, "c0")
    exact = dependence(dataclasses.replace(why, interactions=pairs), "c0")
    assert guessed.by == "spread"
    assert exact.by == "interactions"
    assert exact.partner == 2
    assert exact.strength[1] == 0.0, "a copy of the partner has no interaction of its own"
    assert guessed.strength[1] > 0.5
    assert exact.strength[2] == pytest.approx(np.abs(X[:, 0] * X[:, 2]).mean(), rel=1e-12)
    assert dependence(dataclasses.replace(why, interactions=pairs), "c1").partner is None


def test_the_strongest_pair_of_a_real_model_is_the_one_planted():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(600, 4))
    y = X[:, 0] * X[:, 3] + X[:, 1] + 0.2 * X[:, 2]
    model = wg.wrap(HistGradientBoostingRegressor(max_iter=30, random_state=0).fit(X, y), X, y)
    found = dependence(wg.explain(model, X[:200], method="shap.tree", interactions=True), 0)
    assert (found.partner, found.by) == (3, "interactions")


def test_no_interaction_means_no_partner():
    X = np.random.default_rng(0).integers(0, 3, size=(300, 3)).astype(float)
    assert dependence(answer(X.copy(), X), 0).partner is None
    single = np.arange(4.0)[:, None]
    assert dependence(answer(single, single), "c0").partner is None


def test_pure_noise_is_shared_by_nobody_much():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(2000, 3))
    found = dependence(answer(rng.normal(size=(2000, 3)), X), 1)
    assert found.strength.max() < 0.05
