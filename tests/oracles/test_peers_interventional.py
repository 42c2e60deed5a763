"""Agreement with shap against a background, in margin and in log-loss, through the adapters."""

import numpy as np
import pandas as pd
import pytest
import shap
import xgboost
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

import whyglass as wg


def table(rows=400, features=7, seed=0):
    X, y = make_classification(rows, features, n_informative=5, random_state=seed)
    X = X.astype(np.float32).astype(np.float64)
    return pd.DataFrame(X, columns=[f"x{j}" for j in range(features)]), y


def peer(fitted, background, **options):
    """shap over all background rows: a bare table would be cut to 100 of them."""
    known = shap.maskers.Independent(background.to_numpy(), max_samples=len(background))
    return shap.TreeExplainer(fitted, known, feature_perturbation="interventional", **options)


@pytest.mark.parametrize("estimator", [RandomForestClassifier(8, random_state=0), RandomForestRegressor(8, max_depth=6, random_state=0)])
@pytest.mark.parametrize("rows", [5, 90])
def test_forests_agree_with_shap(estimator, rows):
    X, y = table()
    fitted, background = estimator.fit(X, y), X[200:350]
    theirs = peer(fitted, background).shap_values(X[:rows].to_numpy(), check_additivity=False)
    why = wg.explain(wg.wrap(fitted, X, y), X[:rows], background=background)
    found = why.values if theirs.ndim == 3 else why.values[:, :, 0]
    assert why.provenance.method == "shap.tree.interventional"
    assert np.abs(found - theirs).max() <= 1e-7
    assert np.abs(found + theirs).max() > 1e-3, "values of the wrong sign must be seen"


def test_shaps_log_loss_is_its_margin_rescaled():
    """shap spreads each background row's change in loss in proportion to the margin's values; ours are the loss's own values."""
    X, y = table()
    fitted = xgboost.XGBClassifier(n_estimators=15, max_depth=4, n_jobs=1).fit(X, y)
    background = X[200:215]
    theirs = peer(fitted, background, model_output="log_loss").shap_values(X[:4].to_numpy(), y[:4])
    model = wg.wrap(fitted, X, y)
    ours = wg.explain(model, X[:4], y=y[:4], background=background, space="log_loss")
    assert ours.provenance.method == "shap.tree.enumerated"
    rescaled = np.zeros((4, 7))
    for at in range(len(background)):
        margin = wg.explain(model, X[:4], background=background[at : at + 1])
        loss = wg.explain(model, X[:4], y=y[:4], background=background[at : at + 1], space="log_loss")
        change = (loss.predictions - loss.base_values) / (margin.predictions - margin.base_values)
        rescaled += margin.values[:, :, 0] * change / len(background)
    assert np.abs(rescaled - theirs).max() <= 1e-5
    assert np.abs(ours.values[:, :, 0].sum(axis=1) - theirs.sum(axis=1)).max() <= 1e-5
    assert np.abs(ours.values[:, :, 0] - theirs).max() > 1e-2
