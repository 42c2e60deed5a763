"""Isolation forests: the logarithm of the anomaly score is a sum over trees, and is explained exactly."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shap
import shapley_by_definition
from sklearn.ensemble import IsolationForest

import whyglass as wg
from whyglass.adapters.models import routing

NAMES = ["<script>", "b", "c", "d"]


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 4))
    X[:10] += 4 * rng.choice([-1, 1], size=(10, 4))
    return pd.DataFrame(X, columns=NAMES)


def _fit(X, **options):
    return IsolationForest(n_estimators=40, random_state=0, **options).fit(X)


def _expected(estimator):
    """The mean depth of a row that a score of one half stands for: what the score's exponent is counted in."""
    size = estimator._max_samples
    return 2.0 * (np.log(size - 1.0) + np.euler_gamma) - 2.0 * (size - 1.0) / size


def test_predictions_are_the_anomaly_score_and_the_sum_is_its_logarithm(table):
    estimator = _fit(table)
    model = wg.wrap(estimator, table)
    answer = wg.explain(model, table[:50])
    assert (model.outputs, model.task, answer.space) == (("anomaly score",), "regression", "margin")
    assert np.array_equal(model.predict(table)[:, 0], -estimator.score_samples(table))
    assert np.abs(np.exp(answer.predictions[:, 0]) + estimator.score_samples(table[:50])).max() <= 1e-12
    assert np.abs(answer.base_values + answer.values.sum(axis=1) - answer.predictions).max() <= 1e-12


@pytest.mark.parametrize("options", [{}, {"max_samples": 64}, {"max_samples": 1.0, "bootstrap": True}])
def test_values_are_shaps_path_lengths_on_the_scale_of_the_score(table, options):
    """shap explains the mean path length; the logarithm of the score is that length times -log 2 / expected length."""
    estimator = _fit(table, **options)
    theirs = np.asarray(shap.TreeExplainer(estimator).shap_values(table[:50])) * -np.log(2.0) / _expected(estimator)
    mine = wg.explain(wg.wrap(estimator, table), table[:50]).values[:, :, 0]
    assert np.abs(mine - theirs).max() <= 1e-7
    assert np.abs(mine[:, ::-1] - theirs).max() > 1e-2


def test_interventional_values_are_shaps(table):
    estimator = _fit(table)
    background = table[100:150]
    explainer = shap.TreeExplainer(estimator, background.to_numpy(), feature_perturbation="interventional")
    theirs = np.asarray(explainer.shap_values(table[:20].to_numpy())) * -np.log(2.0) / _expected(estimator)
    mine = wg.explain(wg.wrap(estimator, table), table[:20], background=background).values[:, :, 0]
    assert np.abs(mine - theirs).max() <= 1e-7


def test_the_score_itself_is_explained_exactly(table):
    estimator = _fit(table)
    model = wg.wrap(estimator, table)
    background = table[100:120]
    answer = wg.explain(model, table[:3], space="value", background=background)
    assert answer.exact
    rows = table[:3].to_numpy()

    def score(known):
        mixed = np.repeat(background.to_numpy()[None], 3, axis=0)
        mixed[:, :, list(known)] = rows[:, None, list(known)]
        return -estimator.score_samples(pd.DataFrame(mixed.reshape(-1, 4), columns=NAMES)).reshape(3, -1).mean(axis=1)

    values, base, full = shapley_by_definition.by_definition(score, 4)
    assert np.abs(answer.values[:, :, 0] - values.T).max() <= 1e-12
    assert np.abs(answer.base_values[:, 0] - base).max() <= 1e-12
    assert np.abs(answer.predictions[:, 0] - full).max() <= 1e-12


def test_missing_values_and_single_rows(table):
    """Since version 1.6 missing values follow their branch at every split."""
    holed = table.mask(np.random.default_rng(1).random(table.shape) < 0.1)
    estimator = _fit(holed)
    model = wg.wrap(estimator, holed)
    for rows in (holed, holed[:1]):
        expected = -estimator.score_samples(rows)
        assert np.abs(routing.predict(model.trees(), rows.to_numpy())[:, 0] - expected).max() <= 1e-12
        assert np.abs(np.exp(wg.explain(model, rows[:20]).predictions[:, 0]) - expected[:20]).max() <= 1e-12


def test_a_forest_grown_from_single_rows_is_refused_by_name(table):
    model = wg.wrap(_fit(table, max_samples=1), table)
    assert model.can == {"predict"}
    assert "single rows" in model.provenance["refused"]["trees"]
