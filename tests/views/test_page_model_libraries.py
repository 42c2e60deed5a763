"""What a page predicts is what the library predicts: real models on real census rows, with NaN and categories."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import whyglass as wg
from whyglass.adapters import frames

ROWS, SHOWN = 4000, 500


@pytest.fixture(scope="module")
def census():
    """Rows with their own missing categories, and numbers knocked out; the outcome as 0 and 1."""
    data = wg.datasets.census(as_frame="pandas")
    X = data.X.iloc[:ROWS].copy()
    rng = np.random.default_rng(0)
    for name in X.select_dtypes("number").columns:
        X[name] = X[name].astype(float).where(rng.random(len(X)) > 0.05)
    y = np.asarray(data.y)[:ROWS]
    return X, (y == np.unique(y)[-1]).astype(int)


def models(X, y):
    numbers = X.select_dtypes("number").fillna(-1.0)
    hours = X["Hours per week"].fillna(0).to_numpy()
    lgb = {"n_estimators": 60, "verbose": -1, "n_jobs": 1, "random_state": 0}
    xgb = {"n_estimators": 60, "n_jobs": 1, "random_state": 0}
    yield "hist", HistGradientBoostingClassifier(categorical_features="from_dtype", max_iter=60, random_state=0), X, y
    yield (
        "hist, three classes",
        HistGradientBoostingClassifier(categorical_features="from_dtype", max_iter=20),
        X,
        np.digitize(hours, [35, 45]),
    )
    yield "hist, regression", HistGradientBoostingRegressor(categorical_features="from_dtype", max_iter=60), X, hours * 1000
    yield "xgboost", xgboost.XGBClassifier(enable_categorical=True, tree_method="hist", **xgb), X, y
    yield "xgboost, regression", xgboost.XGBRegressor(enable_categorical=True, tree_method="hist", **xgb), X, hours
    yield "lightgbm", lightgbm.LGBMClassifier(**lgb), X, y
    yield "lightgbm, three classes", lightgbm.LGBMClassifier(**lgb), X, np.digitize(hours, [35, 45])
    yield "forest", RandomForestClassifier(30, max_depth=8, random_state=0), numbers, y
    yield "extra trees", ExtraTreesClassifier(20, random_state=0), numbers, y
    yield "logistic", make_pipeline(StandardScaler(), LogisticRegression()), numbers, y


NAMES = [
    "hist", "hist, three classes", "hist, regression", "xgboost", "xgboost, regression", "lightgbm", "lightgbm, three classes", "forest",
    "extra trees", "logistic",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_page_predicts_what_the_library_predicts(name, census, evaluate):
    X, y = census
    estimator, X, y = next((m, X, y) for title, m, X, y in models(X, y) if title == name)
    model = wg.wrap(estimator.fit(X, y), X, y)
    capability = "trees" if "trees" in model.can else "linear"
    assert capability in model.can, model.provenance
    shown = X.iloc[:SHOWN]
    rows = frames.read(shown, schema=model.schema).matrix
    kinds = [c.kind == "categorical" for c in model.schema.columns]
    wanted = estimator.predict_proba(shown) if hasattr(estimator, "predict_proba") else estimator.predict(shown)[:, None]
    given = evaluate(getattr(model, capability)(), rows, outputs=wanted.shape[1], categorical=kinds, output=wanted.shape[1] - 1)
    # a library that adds in float32 rounds by itself, relative to its largest answers
    np.testing.assert_allclose(given["predict"], wanted, rtol=0, atol=1e-6 * max(1.0, np.abs(wanted).max()))
