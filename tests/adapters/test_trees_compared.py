"""Trees are offered only where they answer as the model does; a subclass or an instance with a method of its own is asked through it."""

from __future__ import annotations

import dataclasses

import catboost as cb
import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import whyglass as wg
from whyglass.adapters.models import boosting, compared, sklearn_trees

QUIET = {"verbose": 0, "allow_writing_files": False, "thread_count": 1}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(300, 4)), columns=list("abcd"))


def _targets(X):
    a, b = X["a"].to_numpy(), X["b"].to_numpy()
    return {
        "two": (a * b > 0).astype(int),
        "three": np.digitize(a, [-0.5, 0.5]),
        "large": 1e5 + 1e3 * a,
        "small": 1e-6 * a,
        "counts": np.random.default_rng(1).poisson(np.exp(a)),
        "shares": 1 / (1 + np.exp(-a)),
    }


def _half(p):
    return np.asarray(p) * 0.5 + 0.25


class XGBHalf(xgb.XGBClassifier):
    def predict_proba(self, X, **options):
        return _half(super().predict_proba(X, **options))


class LGBMHalf(lgb.LGBMClassifier):
    def predict_proba(self, X, **options):
        return _half(super().predict_proba(X, **options))


class CatBoostHalf(cb.CatBoostClassifier):
    def predict_proba(self, X, **options):
        return _half(super().predict_proba(X, **options))


class XGBDouble(xgb.XGBRegressor):
    def predict(self, X):
        return 2.0 * super().predict(X)


class LGBMDouble(lgb.LGBMRegressor):
    def predict(self, X):
        return 2.0 * super().predict(X)


class CatBoostDouble(cb.CatBoostRegressor):
    def predict(self, X):
        return 2.0 * super().predict(X)


class XGBStrict(xgb.XGBClassifier):
    def predict(self, X):
        return (self.predict_proba(X)[:, 1] > 0.9).astype(int)


class LGBMStrict(lgb.LGBMClassifier):
    def predict(self, X):
        return (self.predict_proba(X)[:, 1] > 0.9).astype(int)


class CatBoostStrict(cb.CatBoostClassifier):
    def predict(self, X):
        return (self.predict_proba(X)[:, 1] > 0.9).astype(int)


def _make(kind):
    options = (
        {"n_jobs": 1} if issubclass(kind, xgb.XGBModel) else {"n_jobs": 1, "verbose": -1} if issubclass(kind, lgb.LGBMModel) else QUIET
    )
    return kind(n_estimators=8, **options)


HONEST = {
    "forest, two classes": (RandomForestClassifier(8, random_state=0), "two"),
    "forest, three classes": (RandomForestClassifier(8, random_state=0), "three"),
    "forest, large numbers": (RandomForestRegressor(8, random_state=0), "large"),
    "forest, small numbers": (ExtraTreesRegressor(8, random_state=0), "small"),
    "boosting, three classes": (GradientBoostingClassifier(n_estimators=8, random_state=0), "three"),
    "boosting, exponential loss": (GradientBoostingClassifier(n_estimators=8, loss="exponential", random_state=0), "two"),
    "boosting, huber": (GradientBoostingRegressor(n_estimators=8, loss="huber", random_state=0), "large"),
    "histograms, two classes": (HistGradientBoostingClassifier(max_iter=8), "two"),
    "histograms, counts": (HistGradientBoostingRegressor(max_iter=8, loss="poisson"), "counts"),
    "pipeline": (make_pipeline(StandardScaler(), RandomForestClassifier(8, random_state=0)), "two"),
    "isolation": (IsolationForest(n_estimators=8, random_state=0), None),
    "catboost, two classes": (cb.CatBoostClassifier(n_estimators=8, **QUIET), "two"),
    "catboost, three classes": (cb.CatBoostClassifier(n_estimators=8, **QUIET), "three"),
    "catboost, counts": (cb.CatBoostRegressor(n_estimators=8, loss_function="Poisson", **QUIET), "counts"),
    "catboost, large numbers": (cb.CatBoostRegressor(n_estimators=8, **QUIET), "large"),
    "xgboost, 3,000 rounds of large numbers": (xgb.XGBRegressor(n_estimators=3000, max_depth=1, learning_rate=0.003, n_jobs=1), "large"),
    "xgboost, dropout": (xgb.XGBClassifier(n_estimators=8, booster="dart", rate_drop=0.3, n_jobs=1), "two"),
}
XGB = {
    "binary:logistic": "two", "binary:logitraw": "two", "multi:softprob": "three", "multi:softmax": "three", "reg:squarederror": "large",
    "reg:absoluteerror": "small", "count:poisson": "counts", "reg:logistic": "shares", "reg:tweedie": "counts",
}  # fmt: skip
LGBM = {
    "binary": "two", "multiclass": "three", "multiclassova": "three", "regression": "large", "quantile": "small", "poisson": "counts",
    "cross_entropy": "shares",
}  # fmt: skip


def _fitted(case, X):
    y = _targets(X)
    library, _, objective = case.partition("/")
    if library == "xgb":
        options = {"objective": objective, "nthread": 1, **({"num_class": 3} if objective.startswith("multi") else {})}
        return xgb.train(options, xgb.DMatrix(X, label=y[XGB[objective]]), 8)
    if library == "lgb":
        options = {"objective": objective, "verbose": -1, "num_threads": 1, **({"num_class": 3} if objective.startswith("multic") else {})}
        return lgb.train(options, lgb.Dataset(X, label=y[LGBM[objective]]), 8)
    estimator, target = HONEST[case]
    return estimator.fit(X) if target is None else estimator.fit(X, y[target])


@pytest.mark.parametrize("case", [*HONEST, *(f"xgb/{o}" for o in XGB), *(f"lgb/{o}" for o in LGBM)])
def test_honest_models_keep_their_trees_and_broken_readings_lose_them(case, table, walker):
    model = wg.wrap(_fitted(case, table), table)
    assert "trees" in model.can, model.provenance["refused"]
    assert model.provenance["trees_checked"].startswith("they answer as the model does on ")
    assert 16 <= model.provenance["wrap_rows"] <= 50
    assert model.counter.snapshot() == (0, 0)
    forest = model.trees()
    spread = walker.margins(forest, model.data.matrix).std(axis=0)
    for broken in (
        dataclasses.replace(forest, value=forest.value * 1.01),
        dataclasses.replace(forest, base=forest.base + 0.05 * spread * np.arange(1, len(forest.base) + 1)),
        dataclasses.replace(forest, threshold=forest.threshold + 0.5),
    ):
        again = compared.checked(
            dataclasses.replace(model, abilities={**model.abilities, "trees": lambda b=broken: b}, _once=type(model._once)())
        )
        assert again.can == {"predict"}
        assert again.provenance["refused"]["trees"] == compared.DISAGREE


def test_a_forest_whose_instance_is_patched_is_only_asked(table):
    y = _targets(table)["two"]
    estimator = RandomForestClassifier(5, random_state=0).fit(table, y)
    honest = estimator.predict_proba
    calls = []

    def calibrated(X):
        calls.append(len(X))
        return _half(honest(X))

    estimator.predict_proba = calibrated
    model = wg.wrap(estimator, table, y)
    assert model.can == {"predict"}
    assert (model.provenance["wrap_calls"], model.provenance["wrap_rows"]) == (len(calls), sum(calls)) == (1, 50)
    assert "only asked for predictions" in repr(model)
    assert np.array_equal(model.predict(table), _half(honest(table)))
    curve = wg.explain(model, table[:50], method="pdp", features=["a"], grid=3)
    wanted = [_half(honest(table[:50].assign(a=v))).mean(axis=0) for v in curve.grid["a"]]
    assert np.abs(curve.values["a"] - wanted).max() <= 1e-12
    assert np.abs(curve.values["a"] - [honest(table[:50].assign(a=v)).mean(axis=0) for v in curve.grid["a"]]).max() > 1e-3


CLASSIFIERS = [XGBHalf, LGBMHalf, CatBoostHalf]
REGRESSORS = [XGBDouble, LGBMDouble, CatBoostDouble]


@pytest.mark.parametrize("kind", [*CLASSIFIERS, *REGRESSORS], ids=lambda k: k.__name__)
@pytest.mark.parametrize("arrays", [False, True], ids=["frames", "arrays"])
def test_a_subclass_is_asked_through_its_own_method(kind, arrays, table):
    X = table.to_numpy() if arrays else table
    estimator = _make(kind).fit(X, _targets(table)["two" if kind in CLASSIFIERS else "large"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.filters", [("ignore", None, Warning, None, 0)])  # LightGBM warns of its own names for arrays
        own = estimator.predict_proba(X) if kind in CLASSIFIERS else estimator.predict(X)[:, None]
    model = wg.wrap(estimator, X)
    assert np.array_equal(model.predict(X), np.asarray(own, dtype=np.float64))
    assert model.can == {"predict"}
    assert model.provenance["refused"]["trees"] == compared.DISAGREE
    blind = wg.wrap(estimator)
    assert blind.can == {"predict"}
    assert "own, and wrap was given no rows" in blind.provenance["refused"]["trees"]
    assert "only asked for predictions" in repr(blind)
    assert np.array_equal(blind.predict(X), np.asarray(own, dtype=np.float64))


@pytest.mark.parametrize("kind", [XGBStrict, LGBMStrict, CatBoostStrict], ids=lambda k: k.__name__)
def test_a_rule_of_ones_own_for_labels_leaves_probabilities_and_trees(kind, table):
    estimator = _make(kind).fit(table, _targets(table)["two"])
    for model in (wg.wrap(estimator, table), wg.wrap(estimator)):
        assert "trees" in model.can
        assert np.abs(model.predict(table) - estimator.predict_proba(table)).max() <= 1e-6


def test_a_subclass_that_only_watches_keeps_its_trees(table):
    seen = []

    class Watching(xgb.XGBClassifier):
        def predict_proba(self, X, **options):
            seen.append(len(X))
            return super().predict_proba(X, **options)

    estimator = _make(Watching).fit(table, _targets(table)["two"])
    model = wg.wrap(estimator, table)
    assert "trees" in model.can
    assert seen == [50]
    assert (model.provenance["wrap_calls"], model.provenance["wrap_rows"]) == (1, 50)


def test_a_linear_booster_with_a_method_of_its_own_is_only_asked(table):
    y = _targets(table)["two"]
    options = {"booster": "gblinear", "n_estimators": 5, "n_jobs": 1}
    assert "linear" in wg.wrap(xgb.XGBClassifier(**options).fit(table, y), table).can
    model = wg.wrap(XGBHalf(**options).fit(table, y), table)
    assert model.can == {"predict"}
    assert "method of its own" in model.provenance["refused"]["linear"]


def test_without_rows_nothing_is_compared_and_that_is_said(table):
    estimator = RandomForestClassifier(5, random_state=0).fit(table, _targets(table)["two"])
    model = wg.wrap(estimator)
    assert "trees" in model.can
    assert "no rows" in model.provenance["trees_checked"]
    honest = estimator.predict_proba
    estimator.predict_proba = lambda X: _half(honest(X))
    assert wg.wrap(estimator).can == {"predict"}


def test_rows_that_the_model_does_not_take_are_left_out(table):
    """A gradient boosting of scikit-learn takes no missing value: the complete rows are compared."""
    estimator = GradientBoostingClassifier(n_estimators=5, random_state=0).fit(table, _targets(table)["two"])
    holes = table.copy()
    holes.iloc[::3, 1] = np.nan
    model = wg.wrap(estimator, holes)
    assert "they answer as the model does" in model.provenance["trees_checked"]
    assert model.provenance["wrap_calls"] == 2
    assert model.provenance["wrap_rows"] <= 100
    everywhere = wg.wrap(estimator, holes.assign(c=np.nan))
    assert "trees" in everywhere.can
    assert "ValueError" in everywhere.provenance["trees_checked"]
    honest = estimator.predict_proba
    estimator.predict_proba = lambda X: _half(honest(X))
    assert wg.wrap(estimator, holes).can == {"predict"}


def test_a_pipeline_around_another_library_is_compared_as_a_whole(table):
    y = _targets(table)["two"]
    pipeline = make_pipeline(StandardScaler().set_output(transform="pandas"), _make(lgb.LGBMClassifier)).fit(table, y)
    assert "trees" in wg.wrap(pipeline, table).can
    honest = pipeline[-1].predict_proba
    pipeline[-1].predict_proba = lambda X: _half(honest(X))
    assert wg.wrap(pipeline, table).can == {"predict"}


def test_a_misread_threshold_is_found_when_the_model_is_wrapped(table, monkeypatch):
    """Sabotage of the readers themselves: what they hand over no longer answers as the model does."""
    y = _targets(table)
    models = [RandomForestClassifier(5, random_state=0).fit(table, y["two"]), _fitted("xgb/reg:squarederror", table)]
    assert all("trees" in wg.wrap(estimator, table).can for estimator in models)
    read, fit = sklearn_trees.read, boosting.over_schema

    def moved(trees):
        return dataclasses.replace(trees, threshold=trees.threshold + 0.3)

    monkeypatch.setattr(sklearn_trees, "read", lambda *given: moved(read(*given)))
    monkeypatch.setattr(boosting, "over_schema", lambda *given: moved(fit(*given)))
    for estimator in models:
        assert wg.wrap(estimator, table).can == {"predict"}
