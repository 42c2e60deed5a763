"""Every kind of tree ensemble from wrap to values: as its own library has them, by definition where it has none, or refused."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import shap
import shapley_by_definition
import xgboost as xgb
from sklearn import ensemble

import whyglass as wg

BOOST = {"n_estimators": 12, "max_depth": 4, "n_jobs": 1, "random_state": 0}
LEAVES = {"n_estimators": 12, "num_leaves": 12, "n_jobs": 1, "verbose": -1, "random_state": 0}
RARE = {"min_data_per_group": 5, "cat_smooth": 1.0}
GROWN = {"n_estimators": 8, "max_depth": 6, "random_state": 0}
ROWS = 40


def _table(categories):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(600, 3)), columns=["a", "b", "c"])
    frame.loc[::11, "b"] = np.nan
    kind = rng.choice(list("xyz"), 600)
    frame["kind"] = pd.Categorical(kind) if categories else (kind == "x").astype(float)
    y = frame["a"] * frame["b"].fillna(0.5) + (kind == "x") - frame["c"]
    return frame, y.to_numpy()


def _targets(y):
    return {
        "value": y,
        "values": np.column_stack([y, -y * y]),
        "two": (y > 0).astype(int),
        "three": np.digitize(y, [-0.5, 0.5]),
        "labels": np.column_stack([y > 0, y < 1, y > 1]).astype(int),
    }


KINDS = {
    "xgboost dart": (xgb.XGBRegressor(booster="dart", rate_drop=0.4, **BOOST), "value", True),
    "xgboost dart, three": (xgb.XGBClassifier(booster="dart", rate_drop=0.4, **BOOST), "three", True),
    "xgboost forest": (xgb.XGBRFClassifier(**BOOST), "two", True),
    "xgboost, two targets": (xgb.XGBRegressor(**BOOST), "values", True),
    "xgboost, labels": (xgb.XGBClassifier(**BOOST), "labels", True),
    "xgboost, leaf by leaf": (xgb.XGBClassifier(grow_policy="lossguide", max_leaves=9, **BOOST), "two", True),
    "lightgbm dart": (lgb.LGBMRegressor(boosting_type="dart", **LEAVES, **RARE), "value", True),
    "lightgbm forest": (lgb.LGBMClassifier(boosting_type="rf", subsample=0.6, subsample_freq=1, **LEAVES, **RARE), "two", True),
    "lightgbm goss": (lgb.LGBMClassifier(data_sample_strategy="goss", **LEAVES, **RARE), "three", True),
    "extra trees": (ensemble.ExtraTreesClassifier(**GROWN), "three", False),
    "extra trees, values": (ensemble.ExtraTreesRegressor(**GROWN), "values", False),
    "histogram boosting": (ensemble.HistGradientBoostingRegressor(max_iter=12), "value", False),
    "histogram boosting, constrained": (ensemble.HistGradientBoostingClassifier(max_iter=12, monotonic_cst=[1, 0, 0, 0]), "two", False),
}


def _own(fitted, rows, outputs):
    """The library's own path-dependent values, (rows, features, outputs)."""
    if isinstance(fitted, xgb.XGBModel):
        found = fitted.get_booster().predict(xgb.DMatrix(rows, enable_categorical=True), pred_contribs=True)
        return found.reshape(len(rows), -1, rows.shape[1] + 1)[:, :, :-1].transpose(0, 2, 1)
    if isinstance(fitted, lgb.LGBMModel):
        found = fitted.booster_.predict(rows, pred_contrib=True).reshape(len(rows), -1, rows.shape[1] + 1)
        share = fitted.n_estimators if fitted.boosting_type == "rf" else 1  # a forest's contributions are not averaged
        return found[:, :, :-1].transpose(0, 2, 1) / share
    return np.asarray(shap.TreeExplainer(fitted).shap_values(rows)).reshape(len(rows), rows.shape[1], outputs)


@pytest.mark.parametrize("name", KINDS)
def test_values_are_the_librarys_own(name):
    estimator, kind, categories = KINDS[name]
    if isinstance(estimator, xgb.XGBModel):
        estimator.set_params(enable_categorical=True, tree_method="hist")
    X, y = _table(categories)
    target = _targets(y)[kind]
    fitted = estimator.fit(X, target)
    answer = wg.explain(wg.wrap(fitted, X, target if target.ndim == 1 else None), X[:ROWS])
    assert answer.provenance.method == "shap.tree"
    assert np.abs(answer.base_values + answer.values.sum(axis=1) - answer.predictions).max() <= 1e-9
    theirs = _own(fitted, X[:ROWS], answer.values.shape[2])
    allowed = 2e-5 if isinstance(estimator, xgb.XGBModel) else 1e-9
    assert np.abs(answer.values - theirs).max() <= allowed
    assert np.abs(answer.values[:, ::-1] - theirs).max() > 1e-3


@pytest.mark.parametrize("kind", ["values", "three"])
def test_vector_leaves_are_explained_by_definition(kind):
    """XGBoost itself gives no contributions for trees whose leaves hold a value for every output."""
    known = xgb.XGBRegressor if kind == "values" else xgb.XGBClassifier
    X, y = _table(categories=False)
    fitted = known(multi_strategy="multi_output_tree", tree_method="hist", **BOOST).fit(X, _targets(y)[kind])
    with pytest.raises(xgb.core.XGBoostError):
        fitted.get_booster().predict(xgb.DMatrix(X[:2]), pred_contribs=True)
    model = wg.wrap(fitted, X)
    answer = wg.explain(model, X[:6])
    margins = fitted.predict(X[:6], output_margin=True)
    assert np.abs(answer.predictions - margins).max() <= 1e-5
    for row in range(6):
        values, base, full = shapley_by_definition.path_dependent(model.trees(), X.to_numpy()[row])
        assert np.abs(answer.values[row] - values).max() <= 1e-12
        assert np.abs(answer.base_values[row] - base).max() <= 1e-12
        assert np.abs(answer.predictions[row] - full).max() <= 1e-12


@pytest.mark.parametrize("kind", ["value", "three"])
def test_a_linear_booster_is_explained_by_its_coefficients(kind):
    X, y = _table(categories=False)
    known = xgb.XGBRegressor if kind == "value" else xgb.XGBClassifier
    fitted = known(booster="gblinear", n_estimators=12, n_jobs=1).fit(X.fillna(0.0), _targets(y)[kind])
    answer = wg.explain(wg.wrap(fitted, X.fillna(0.0)), X[:ROWS].fillna(0.0), background=X[100:150].fillna(0.0))
    moved = X[:ROWS].fillna(0.0).to_numpy() - X[100:150].fillna(0.0).to_numpy().mean(axis=0)
    coefficients = np.asarray(fitted.coef_).reshape(4, -1) if kind == "three" else np.asarray(fitted.coef_).reshape(4, 1)
    assert answer.provenance.method == "shap.linear"
    assert np.abs(answer.values - moved[:, :, None] * coefficients[None]).max() <= 1e-5


@pytest.mark.parametrize(
    ("estimator", "kind", "reason"),
    [
        (lgb.LGBMRegressor(linear_tree=True, **LEAVES), "value", "linear_tree"),
        (lgb.LGBMRegressor(objective="cross_entropy_lambda", **LEAVES), "two", "cross_entropy_lambda"),
        (ensemble.AdaBoostRegressor(n_estimators=4, random_state=0), "value", "AdaBoostRegressor"),
        (ensemble.BaggingRegressor(n_estimators=3, random_state=0), "value", "BaggingRegressor"),
    ],
    ids=["linear leaves", "lambda", "adaboost", "bagging"],
)
def test_what_is_no_sum_over_trees_is_refused_by_name_and_sampled(estimator, kind, reason):
    X, y = _table(categories=False)
    X = X.fillna(0.0)
    fitted = estimator.fit(X, _targets(y)[kind])
    model = wg.wrap(fitted, X)
    assert model.can == {"predict"}
    assert reason in model.provenance["refused"]["trees"]
    answer = wg.explain(model, X[:2], background=X[:20])
    assert np.abs(answer.predictions[:, 0] - fitted.predict(X[:2])).max() <= 1e-9
    assert np.abs(answer.base_values + answer.values.sum(axis=1) - answer.predictions).max() <= 1e-9
