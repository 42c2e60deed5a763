"""The workbench opens, answers and freezes for every kind of model, whatever its task, link and width."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor, IsolationForest, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import whyglass as wg


class Turn:
    cancelled = False

    def progress(self, answer):
        self.last = answer


def table(columns=5, rows=150):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(rows, columns)), columns=[f"c{j}" for j in range(columns)])
    return X, X["c0"].to_numpy() + rng.normal(size=rows) / 4


def three(target):
    return np.array(["low", "mid", "top"])[np.digitize(target, [-0.5, 0.5])]


def xgboost_logistic(X, target):
    from xgboost import XGBRegressor

    return XGBRegressor(n_estimators=5, objective="reg:logistic").fit(X, (target > 0).astype(float))


MODELS = {
    "poisson boosting": (5, lambda X, t: HistGradientBoostingRegressor(loss="poisson", max_iter=5).fit(X, np.exp(t))),
    "reg:logistic": (5, xgboost_logistic),
    "three classes, trees": (5, lambda X, t: RandomForestClassifier(5, random_state=0).fit(X, three(t))),
    "three classes, linear": (5, lambda X, t: LogisticRegression().fit(X, three(t))),
    "poisson linear": (5, lambda X, t: PoissonRegressor().fit(X, np.exp(t))),
    "scaled ridge": (5, lambda X, t: make_pipeline(StandardScaler(), Ridge()).fit(X, t)),
    "isolation forest": (5, lambda X, _: IsolationForest(n_estimators=5, random_state=0).fit(X)),
    "20 columns, trees": (20, lambda X, t: RandomForestClassifier(5, max_depth=4, random_state=0).fit(X, t > 0)),
    "20 columns, neighbours": (20, lambda X, t: KNeighborsClassifier().fit(X, t > 0)),
    "one column": (1, lambda X, t: Ridge().fit(X, t)),
}


@pytest.mark.parametrize("name", MODELS)
def test_it_opens_answers_and_freezes(name):
    columns, fit = MODELS[name]
    X, target = table(columns)
    fitted = fit(X, target)
    model = wg.wrap(fitted, X, target if model_is_regression(fitted) else None)
    view = wg.show(model, data=X[:40])
    json.dumps(view.meta, allow_nan=False)
    row = [float(v) for v in X.iloc[3]]
    predicted = view.actions["predict"].run({"rows": [row]}, Turn()).value["p"][0]
    assert np.allclose(predicted, model.predict(X.iloc[[3]])[0])
    shown = view.actions["explain"].run({"row": row}, Turn()).value
    assert shown["prediction"] == pytest.approx(predicted[view.meta["output"]], abs=1e-6)
    assert shown["base"] + sum(shown["values"]) == pytest.approx(shown["prediction"], abs=1e-6)
    assert shown["base"] == pytest.approx(view.meta["base"], abs=1e-6)
    margin = view.actions["explain"].run({"row": row, "space": "margin"}, Turn()).value
    assert margin["base"] + sum(margin["values"]) == pytest.approx(margin["prediction"], abs=1e-6)
    for name_ in ("sample", "map", "background"):
        assert view.actions["table"].run({"name": name_}, Turn()).buffers[0]
    meta, tables = view.freeze(rows=20)
    json.dumps(meta, allow_nan=False)
    assert {"cases", "sample", "map"} <= set(tables)


def model_is_regression(fitted):
    return not hasattr(fitted, "classes_")
