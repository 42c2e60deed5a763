"""Path-dependent answers through the face: tables and walk alike agree with the peers, and say who answered."""

import warnings

import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

import whyglass as wg
from whyglass.kernels import tree_split

COLUMNS = 7


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, COLUMNS))
    y = (X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) + 0.3 * rng.normal(size=1500) > 0).astype(int)
    holes = X.copy()
    holes[rng.random(X.shape) < 0.05] = np.nan
    return X, holes, y


@pytest.fixture
def tables(monkeypatch):
    """Tables for however few rows."""
    monkeypatch.setattr(tree_split, "FEW_ROWS", 0)
    monkeypatch.setattr(tree_split, "_BUILD", 0.0)
    monkeypatch.setattr(tree_split, "_GROUP", 0.0)


def shap_interactions(model, X):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import shap

        return np.asarray(shap.TreeExplainer(model).shap_interaction_values(X))


@pytest.mark.parametrize("rows", [3, 400])
def test_xgboost_agrees_on_values_and_interactions(data, rows, tables):
    _, X, y = data
    booster = xgboost.train({"max_depth": 5, "objective": "binary:logistic", "nthread": 1}, xgboost.DMatrix(X, y), 60)
    why = wg.explain(wg.wrap(booster, X), X[:rows], method="shap.tree", interactions=True)
    theirs = booster.predict(xgboost.DMatrix(X[:rows]), pred_interactions=True)[:, :COLUMNS, :COLUMNS]
    assert why.provenance.params["kernel"] == ("quadrature" if rows == 3 else "tables")
    assert np.abs(why.interactions[..., 0] - theirs).max() <= 2e-5
    assert np.abs(why.values[..., 0] - theirs.sum(axis=2)).max() <= 2e-5
    assert np.abs(why.interactions - why.interactions.transpose(0, 2, 1, 3)).max() == 0


@pytest.mark.parametrize("rows", [3, 400])
def test_lightgbm_agrees(data, rows, tables):
    _, X, y = data
    model = lightgbm.train({"num_leaves": 31, "objective": "binary", "num_threads": 1, "verbose": -1}, lightgbm.Dataset(X, y), 60)
    why = wg.explain(wg.wrap(model, X), X[:rows], method="shap.tree")
    assert np.abs(why.values[..., 0] - model.predict(X[:rows], pred_contrib=True)[:, :COLUMNS]).max() <= 1e-10
    assert (why.provenance.params["kernel"] == "quadrature") == (rows == 3)


@pytest.mark.parametrize("rows", [3, 60])
def test_shap_agrees_on_the_interactions_of_a_forest(data, rows, tables):
    X, _, y = data
    for model in (RandomForestClassifier(6, max_depth=6, random_state=0).fit(X, y), RandomForestRegressor(3, random_state=0).fit(X, y)):
        why = wg.explain(wg.wrap(model, X), X[:rows], method="shap.tree", interactions=True)
        theirs = shap_interactions(model, X[:rows])
        theirs = theirs if theirs.ndim == 4 else theirs[..., None]
        assert np.abs(why.interactions - theirs).max() <= 1e-10
        assert np.abs(why.values - why.interactions.sum(axis=2)).max() <= 1e-12


def test_grouped_columns_are_one_player_whoever_answers(data, tables):
    X, _, y = data
    booster = xgboost.train({"max_depth": 4, "objective": "binary:logistic", "nthread": 1}, xgboost.DMatrix(X, y), 30)
    model = wg.wrap(booster, X)
    names = model.schema.names
    groups = {"both": [names[0], names[1]]}
    few = wg.explain(model, X[:4], method="shap.tree", groups=groups, interactions=True)
    many = wg.explain(model, X[:300], method="shap.tree", groups=groups, interactions=True)
    assert few.provenance.params["kernel"] != many.provenance.params["kernel"]
    assert few.values.shape == (4, COLUMNS - 1, 1)
    assert np.abs(few.values - many.values[:4]).max() <= 1e-12
    assert np.abs(few.interactions - many.interactions[:4]).max() <= 1e-12
    assert np.abs(few.predictions - many.predictions[:4]).max() <= 1e-12


def test_a_time_budget_is_kept_with_interactions_too(data):
    X, _, y = data
    model = wg.wrap(RandomForestRegressor(40, random_state=0).fit(X, y), X)
    wg.explain(model, X[:1], method="shap.tree", interactions=True)  # machine code read from the disk, or made
    why = wg.explain(model, np.tile(X, (40, 1)), method="shap.tree", interactions=True, budget="2s")
    late = [s for s in why.status if s != "ok"]
    assert 0 < len(late) < len(why)
    assert np.isnan(why.interactions[-1]).all()
    assert np.isfinite(why.interactions[0]).all()
