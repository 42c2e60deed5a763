"""Wrapped XGBoost models: the forest takes the library's own leaves, on the borders of every split too."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb

from whyglass.adapters import frames
from whyglass.adapters.models.xgboost import adapt
from whyglass.core.errors import InputError, ModelError
from whyglass.core.wanted import Wanted

ROWS = 10_000
LETTERS = list("pqrstuvwxyz")
SMALL = {"n_estimators": 15, "max_depth": 5, "n_jobs": 1, "enable_categorical": True, "tree_method": "hist"}


def _frame(rows=1500, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.integers(17, 90, rows).astype(float),
            "gain": rng.normal(size=rows),
            "job": pd.Categorical(rng.choice(LETTERS, rows), categories=LETTERS),
            "grade": pd.Categorical(rng.choice([5, 6, 7, 8], rows), categories=[8, 7, 6, 5]),
            "flag": rng.random(rows) < 0.4,
            "hours": rng.integers(0, 60, rows),
        }
    )
    frame.loc[rng.random(rows) < 0.15, "age"] = np.nan
    frame.loc[rng.random(rows) < 0.1, "job"] = np.nan
    score = (frame.age.fillna(20) - 45) / 20 + (frame.job.cat.codes % 3 - 1) + frame.gain * 0.5 + frame.flag + rng.normal(size=rows) * 0.4
    return frame, score.to_numpy()


def _target(score, kind):
    two = (score > 0.2).astype(int)
    return {"binary": two, "multi": two + (score > 1), "value": score, "positive": np.exp(score / 4)}[kind]


FITTED = [
    ("classifier", xgb.XGBClassifier(**SMALL), "binary"),
    ("onehot", xgb.XGBClassifier(**SMALL, max_cat_to_onehot=20), "binary"),
    ("multi", xgb.XGBClassifier(**SMALL), "multi"),
    ("labels", xgb.XGBClassifier(**SMALL, objective="multi:softmax"), "multi"),
    ("raw", xgb.XGBClassifier(**SMALL, objective="binary:logitraw"), "binary"),
    ("regressor", xgb.XGBRegressor(**SMALL), "value"),
    ("gamma", xgb.XGBRegressor(**SMALL, objective="reg:gamma"), "positive"),
    ("absolute", xgb.XGBRegressor(**SMALL, objective="reg:absoluteerror"), "value"),
    ("quantiles", xgb.XGBRegressor(**SMALL, objective="reg:quantileerror", quantile_alpha=np.array([0.1, 0.5, 0.9])), "value"),
    ("forest", xgb.XGBRFRegressor(**SMALL), "value"),
    ("forest classifier", xgb.XGBRFClassifier(**SMALL), "multi"),
    ("dart", xgb.XGBClassifier(**SMALL, booster="dart", rate_drop=0.4), "binary"),
    ("deep", xgb.XGBRegressor(**(SMALL | {"max_depth": 0, "grow_policy": "lossguide", "max_leaves": 60})), "value"),
]


def _fit(estimator, kind):
    frame, score = _frame()
    y = _target(score, kind)
    return estimator.fit(frame, y), frames.read(frame, y=y)


def _edges(forest, data, walker):
    """10,000 rows on and beside every threshold in both float types, with missing values and categories never seen."""
    rng = np.random.default_rng(5)
    rows = walker.edge_rows(forest, data.matrix, ROWS, rng)
    for place in (0, 1):
        t = np.unique(forest.threshold[(forest.feature == place) & (forest.category_start < 0)]).astype(np.float32)
        if len(t):
            near = np.concatenate([t, np.nextafter(t, np.float32(np.inf)), np.nextafter(t, np.float32(-np.inf))]).astype(np.float64)
            some = rng.random(ROWS) < 0.4
            rows[some, place] = rng.choice(near, some.sum())
    rows[rng.random(ROWS) < 0.1, 0] = np.nan
    rows[:, 2] = rng.integers(0, len(LETTERS), ROWS)
    rows[rng.random(ROWS) < 0.1, 2] = np.nan
    rows[rng.random(ROWS) < 0.1, 2] = -1
    return rows


def _native(model, data, rows, **asked):
    frame = frames.write(rows, data.schema, data.frame)
    booster = model if isinstance(model, xgb.Booster) else model.get_booster()
    types = {} if hasattr(frame, "columns") else {"feature_types": booster.feature_types}
    return booster.predict(xgb.DMatrix(frame, enable_categorical=True, **types), **asked).reshape(len(rows), -1)


@pytest.mark.parametrize(("estimator", "kind"), [pytest.param(e, k, id=name) for name, e, k in FITTED])
def test_leaves_margins_and_predictions_are_those_of_the_library(estimator, kind, walker):
    fitted, data = _fit(estimator, kind)
    model = adapt(fitted, Wanted(data))
    forest = model.trees()
    rows = _edges(forest, data, walker)
    assert np.array_equal(walker.leaves(forest, rows) - forest.roots, _native(fitted, data, rows, pred_leaf=True))
    margins = walker.margins(forest, rows)
    assert np.abs(margins - _native(fitted, data, rows, output_margin=True)).max() <= 2e-5
    predicted = model.predict_matrix(rows)
    assert predicted.shape == (ROWS, len(model.outputs))
    assert np.abs(predicted - walker.linked(margins, forest.link)).max() <= 2e-5
    assert np.array_equal(model.predict(data.source), model.predict_matrix(data.matrix))


@pytest.mark.parametrize("how", ["missing", "threshold", "ulp", "base", "bits"])
def test_sabotage_is_caught(how, walker):
    fitted, data = _fit(xgb.XGBClassifier(**SMALL), "binary")
    forest = adapt(fitted, Wanted(data)).trees()
    rows = _edges(forest, data, walker)
    broken = dataclasses.replace(forest, base=forest.base * 0) if how == "base" else walker.broken(forest, how)
    if how == "base":
        margin = _native(fitted, data, rows, output_margin=True)
        assert np.abs(walker.margins(forest, rows) - margin).max() <= 2e-5 < np.abs(walker.margins(broken, rows) - margin).max()
        return
    native = _native(fitted, data, rows, pred_leaf=True)
    assert np.array_equal(walker.leaves(forest, rows) - forest.roots, native)
    assert not np.array_equal(walker.leaves(broken, rows) - broken.roots, native)


@pytest.mark.parametrize("declared", [True, False])
def test_numpy_codes_and_categories_never_seen(declared, walker):
    """Codes in an array: a code outside every set goes left, whether the schema calls the column categorical or not."""
    rng = np.random.default_rng(3)
    X = np.column_stack([rng.normal(size=1200), rng.choice([0, 1, 3, 4, 7, 40, 41], 1200)])
    y = np.isin(X[:, 1], [1, 4, 40]) + X[:, 0] * 0.3
    matrix = xgb.DMatrix(X, y, feature_types=["float", "c"], enable_categorical=True)
    booster = xgb.train({"max_depth": 4, "tree_method": "hist", "nthread": 1}, matrix, 8)
    data = frames.read(X, categorical=["x1"] if declared else None)
    model = adapt(booster, Wanted(data))
    forest = model.trees()
    rows = data.matrix[rng.integers(len(X), size=ROWS)]
    rows[:, 1] = rng.choice([np.nan, -1, *range(7)] if declared else [np.nan, -1, 0, 1, 2, 3, 4, 7, 8, 31, 32, 40, 41, 42, 64, 999], ROWS)
    assert np.array_equal(walker.leaves(forest, rows) - forest.roots, _native(booster, data, rows, pred_leaf=True))
    assert np.abs(walker.margins(forest, rows) - model.predict_matrix(rows)).max() <= 2e-5
    broken = walker.broken(forest, "unseen")
    assert not np.array_equal(walker.leaves(broken, rows) - forest.roots, _native(booster, data, rows, pred_leaf=True))


def test_category_order_of_the_data_is_not_that_of_the_model(walker):
    frame, score = _frame()
    fitted = xgb.XGBRegressor(**SMALL).fit(frame, score)
    turned = frame.assign(
        job=frame.job.cat.set_categories([*reversed(LETTERS), "another"]), grade=frame.grade.cat.reorder_categories([6, 8, 5, 7])
    )
    data = frames.read(turned)
    model = adapt(fitted, Wanted(data))
    assert np.abs(model.predict(turned)[:, 0] - fitted.predict(frame)).max() <= 1e-6
    assert np.abs(walker.margins(model.trees(), data.matrix)[:, 0] - fitted.predict(frame)).max() <= 2e-5
    unknown = data.matrix.copy()
    unknown[:, 2] = len(LETTERS)
    missing = data.matrix.copy()
    missing[:, 2] = np.nan
    assert np.array_equal(model.predict_matrix(unknown), model.predict_matrix(missing))
    assert np.array_equal(walker.leaves(model.trees(), unknown), walker.leaves(model.trees(), missing))


@pytest.mark.parametrize("kind", ["polars", "arrow"])
def test_other_frames(kind, walker):
    frame, score = _frame()
    frame = frame.assign(grade=frame.grade.cat.rename_categories(str))
    fitted = xgb.XGBRegressor(**SMALL).fit(frame, score)
    if kind == "polars":
        other = pytest.importorskip("polars").from_pandas(frame)
    else:
        other = pytest.importorskip("pyarrow").Table.from_pandas(frame, preserve_index=False)
    data = frames.read(other)
    model = adapt(fitted, Wanted(data))
    assert model.frame == kind
    assert np.abs(model.predict(other)[:, 0] - fitted.predict(frame)).max() <= 1e-6
    assert np.abs(walker.margins(model.trees(), data.matrix) - model.predict(other)).max() <= 2e-5


def test_best_iteration_is_what_the_estimator_predicts_with(walker):
    frame, score = _frame()
    fitted = xgb.XGBRegressor(**(SMALL | {"n_estimators": 200}), early_stopping_rounds=2, learning_rate=0.9)
    fitted.fit(frame[:900], score[:900], eval_set=[(frame[900:], score[900:])], verbose=False)
    data = frames.read(frame)
    model = adapt(fitted, Wanted(data))
    assert model.trees().n_trees == fitted.best_iteration + 1 < fitted.get_booster().num_boosted_rounds()
    assert np.abs(model.predict(frame)[:, 0] - fitted.predict(frame)).max() == 0
    assert np.abs(walker.margins(model.trees(), data.matrix)[:, 0] - fitted.predict(frame)).max() <= 2e-5
    native = adapt(fitted.get_booster(), Wanted(data))
    assert native.trees().n_trees == fitted.get_booster().num_boosted_rounds()
    assert native.model_hash != model.model_hash


def test_names_kinds_and_hash():
    fitted, data = _fit(xgb.XGBClassifier(**SMALL), "multi")
    model = adapt(fitted, Wanted(data))
    assert (model.name, model.kind, model.task) == ("XGBClassifier", "gradient-boosted trees, 45 trees", "classification")
    assert model.outputs == ("0", "1", "2")
    assert model.can == {"predict", "trees"}
    assert model.model_hash == adapt(fitted, Wanted(data)).model_hash
    assert adapt(fitted, Wanted(data, outputs=("low", "mid", "high"))).outputs == ("low", "mid", "high")
    with pytest.raises(ModelError, match="names 2 outputs, but the model gives 3"):
        adapt(fitted, Wanted(data, outputs=("a", "b")))


def test_without_data_the_model_file_gives_the_schema():
    fitted, data = _fit(xgb.XGBClassifier(**SMALL), "binary")
    model = adapt(fitted, Wanted())
    assert model.schema.names == data.schema.names
    assert model.schema["job"].categories == tuple(LETTERS)
    assert model.schema["grade"].categories == (8, 7, 6, 5)
    assert np.abs(model.predict(data.source) - fitted.predict_proba(data.source)).max() <= 1e-6


def test_native_booster_of_a_binary_objective_gives_both_classes():
    frame, score = _frame()
    y = _target(score, "binary")
    booster = xgb.train({"objective": "binary:logistic", "nthread": 1}, xgb.DMatrix(frame, y, enable_categorical=True), 3)
    model = adapt(booster, Wanted(frames.read(frame, y=np.array(["no", "yes"])[y])))
    assert model.outputs == ("no", "yes")
    assert np.abs(model.predict(frame).sum(axis=1) - 1).max() <= 1e-12


@pytest.mark.filterwarnings("ignore:.*Parameters:UserWarning")
def test_linear_booster_gives_coefficients():
    frame, score = _frame()
    numbers = frame[["age", "gain", "flag"]]
    fitted = xgb.XGBRegressor(booster="gblinear", n_estimators=10, n_jobs=1).fit(numbers, score)
    data = frames.read(numbers)
    model = adapt(fitted, Wanted(data))
    assert model.can == {"predict", "linear"}
    assert model.kind == "boosted linear model"
    linear = model.linear()
    margin = linear.intercept + np.nan_to_num(data.matrix) @ linear.coefficients.T + linear.tables[2][:, data.matrix[:, 2].astype(int)].T
    assert np.abs(margin - model.predict(numbers)).max() <= 2e-5


def test_refusals_say_why():
    frame, score = _frame()
    frame = frame[["gain", "hours"]]
    data = frames.read(frame)
    hinge = adapt(xgb.XGBClassifier(n_estimators=2, objective="binary:hinge").fit(frame, _target(score, "binary")), Wanted(data))
    assert hinge.can == {"predict"}
    assert "binary:hinge" in hinge.provenance["refused"]["trees"]
    marked = adapt(xgb.XGBRegressor(n_estimators=2, missing=-999.0).fit(frame, score), Wanted(data))
    assert "-999" in marked.provenance["refused"]["trees"]
    assert np.isfinite(marked.predict(frame)).all()


def test_wrong_columns_and_unfitted_models_are_named():
    frame, score = _frame()
    fitted = xgb.XGBRegressor(**SMALL).fit(frame, score)
    with pytest.raises(ModelError, match=r"Missing: \['gain'\]. Not known to the model: \['gian'\]"):
        adapt(fitted, Wanted(frames.read(frame.rename(columns={"gain": "gian"}))))
    with pytest.raises(ModelError, match="in the order"):
        adapt(fitted, Wanted(frames.read(frame[frame.columns[::-1]])))
    with pytest.raises(ModelError, match="trained on 2 columns; the data has 3"):
        adapt(xgb.XGBRegressor(n_estimators=1).fit(np.eye(4, 2), np.arange(4)), Wanted(frames.read(np.eye(4, 3))))
    with pytest.raises(ModelError, match="not fitted"):
        adapt(xgb.XGBClassifier(), Wanted())
    with pytest.raises(ModelError, match="no trained model"):
        adapt(xgb.Booster(), Wanted())


def test_infinities_are_refused_in_words():
    X = np.random.default_rng(0).normal(size=(50, 2))
    model = adapt(xgb.XGBRegressor(n_estimators=1).fit(X, X[:, 0]), Wanted(frames.read(X)))
    assert model.kind == "gradient-boosted trees, 1 tree"
    X[0, 0] = np.inf
    with pytest.raises(InputError, match=r"does not take these rows: .*inf"):
        model.ability("predict")(X)
