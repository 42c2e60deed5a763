"""Agreement with shap and with the libraries' own contributions, through the adapters."""

import lightgbm
import numpy as np
import pandas as pd
import pytest
import shap
import xgboost
from sklearn.datasets import make_classification
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor

import whyglass as wg


def table(rows=600, features=6, classes=2, seed=0):
    X, y = make_classification(rows, features, n_informative=4, n_redundant=0, n_classes=classes, random_state=seed)
    X = np.round(X, 2).astype(np.float32).astype(np.float64)
    return pd.DataFrame(X, columns=[f"x{j}" for j in range(features)]), y


def holes(X, seed=1):
    out = X.copy()
    return out.mask(np.random.default_rng(seed).random(X.shape) < 0.1)


def boosted_table(classes=2):
    X, y = table(classes=classes)
    X["city"] = pd.Categorical.from_codes(np.random.default_rng(3).integers(0, 12, len(X)), [f"city {k}" for k in range(12)])
    numbers = [c for c in X if c != "city"]
    X[numbers] = holes(X[numbers])
    return X, np.where((X["city"].cat.codes % 3 == 0) & (y == 0), 1, y)


@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestClassifier(20, max_depth=6, random_state=0),
        RandomForestClassifier(10, random_state=0),
        RandomForestRegressor(10, random_state=0),
        ExtraTreesRegressor(10, max_depth=8, random_state=0),
    ],
    ids=lambda e: type(e).__name__ + str(e.max_depth),
)
@pytest.mark.parametrize("classes", [2, 3])
def test_sklearn_forests_agree_with_shap(estimator, classes):
    X, y = table(classes=classes)
    fitted = estimator.fit(X, y)
    theirs = shap.TreeExplainer(fitted).shap_values(X[:20], check_additivity=False)
    why = wg.explain(wg.wrap(fitted, X, y), X[:20])
    found = why.values if theirs.ndim == 3 else why.values[:, :, 0]
    assert why.provenance.method == "shap.tree"
    assert np.abs(found - theirs).max() <= 1e-10
    assert np.abs(found + theirs).max() > 1e-3, "values of the wrong sign must be seen"


@pytest.mark.parametrize("classes", [2, 3])
def test_lightgbm_agrees_with_its_own_contributions(classes):
    X, y = boosted_table(classes)
    fitted = lightgbm.LGBMClassifier(n_estimators=30, num_leaves=15, min_child_samples=5, n_jobs=1, verbose=-1).fit(X, y)
    theirs = fitted.predict(X[:50], pred_contrib=True).reshape(50, -1, X.shape[1] + 1)
    why = wg.explain(wg.wrap(fitted, X, y), X[:50])
    assert why.space == "margin"
    assert np.abs(why.values.transpose(0, 2, 1) - theirs[:, :, :-1]).max() <= 1e-10
    assert np.abs(why.base_values - theirs[:, :, -1]).max() <= 1e-10


@pytest.mark.parametrize("classes", [2, 3])
def test_xgboost_agrees_with_its_own_contributions(classes):
    X, y = boosted_table(classes)
    fitted = xgboost.XGBClassifier(n_estimators=30, max_depth=5, n_jobs=1, enable_categorical=True).fit(X, y)
    rows = xgboost.DMatrix(X[:50], enable_categorical=True)
    theirs = fitted.get_booster().predict(rows, pred_contribs=True).reshape(50, -1, X.shape[1] + 1)
    why = wg.explain(wg.wrap(fitted, X, y), X[:50])
    assert np.abs(why.values.transpose(0, 2, 1) - theirs[:, :, :-1]).max() <= 2e-5
    assert np.abs(why.base_values - theirs[:, :, -1]).max() <= 2e-5


def test_interventional_margin_agrees_with_shap():
    X, y = table()
    fitted = lightgbm.LGBMClassifier(n_estimators=20, num_leaves=15, n_jobs=1, verbose=-1).fit(X, y)
    background = X[100:160]
    theirs = shap.TreeExplainer(fitted, background.to_numpy(), feature_perturbation="interventional").shap_values(X[:10].to_numpy())
    why = wg.explain(wg.wrap(fitted, X, y), X[:10], background=background)
    assert why.provenance.method == "shap.tree.interventional"
    assert np.abs(why.values[:, :, 0] - theirs).max() <= 1e-6


def test_probability_values_agree_with_asking_the_model_itself():
    X, y = boosted_table()
    fitted = lightgbm.LGBMClassifier(n_estimators=20, num_leaves=15, min_child_samples=5, n_jobs=1, verbose=-1).fit(X, y)
    model = wg.wrap(fitted, X, y)
    opaque = wg.wrap(fitted.predict_proba, X, y)
    exact = wg.explain(model, X[:3], space="probability", background=X[100:130])
    asked = wg.explain(opaque, X[:3], method="shap.enumerated", background=X[100:130])
    assert exact.provenance.method == "shap.tree.enumerated"
    assert exact.provenance.model_calls == 0
    assert asked.provenance.model_rows == 3 + 30 + 3 * (2**7 - 2) * 30
    assert np.abs(exact.values - asked.values).max() <= 1e-12
