"""Wrapped LightGBM models: the forest takes the library's own leaves, on the borders of every split too."""

from __future__ import annotations

import dataclasses
import time

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from whyglass.adapters import frames
from whyglass.adapters.models import lightgbm_reader
from whyglass.adapters.models.lightgbm import adapt
from whyglass.core.errors import ModelError
from whyglass.core.wanted import Wanted

ROWS = 10_000
LETTERS = list("pqrstuvwxyz")
SMALL = {"n_estimators": 15, "num_leaves": 20, "n_jobs": 1, "verbose": -1, "min_data_per_group": 5, "cat_smooth": 1.0, "random_state": 0}


def _frame(rows=1500, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.integers(17, 90, rows).astype(float),
            "gain": rng.normal(size=rows),
            "job": pd.Categorical(rng.choice(LETTERS, rows), categories=LETTERS),
            "grade": pd.Categorical(rng.choice([5, 6, 7, 8], rows), categories=[8, 7, 6, 5]),
            "rank": pd.Categorical(rng.choice(["low", "mid", "high"], rows), categories=["low", "mid", "high"], ordered=True),
            "flag": rng.random(rows) < 0.4,
            "hours": rng.integers(0, 60, rows),
        }
    )
    frame.loc[rng.random(rows) < 0.15, "age"] = np.nan
    frame.loc[rng.random(rows) < 0.1, "job"] = np.nan
    steps = frame.job.cat.codes % 3 + frame["rank"].cat.codes - 2
    score = (frame.age.fillna(20) - 45) / 20 + steps + frame.gain * 0.5 + frame.flag + rng.normal(size=rows) * 0.4
    return frame, score.to_numpy()


def _target(score, kind):
    two = (score > 0.2).astype(int)
    return {"binary": two, "multi": two + (score > 1), "value": score, "positive": np.exp(score / 4)}[kind]


BAGGED = {"boosting_type": "rf", "subsample": 0.6, "subsample_freq": 1}
FITTED = [
    ("classifier", lgb.LGBMClassifier(**SMALL), "binary"),
    ("multi", lgb.LGBMClassifier(**SMALL), "multi"),
    ("ova", lgb.LGBMClassifier(**SMALL, objective="multiclassova"), "multi"),
    ("regressor", lgb.LGBMRegressor(**SMALL), "value"),
    ("onehot", lgb.LGBMRegressor(**SMALL, max_cat_to_onehot=20), "value"),
    ("gamma", lgb.LGBMRegressor(**SMALL, objective="gamma"), "positive"),
    ("quantile", lgb.LGBMRegressor(**SMALL, objective="quantile", alpha=0.8), "value"),
    ("entropy", lgb.LGBMRegressor(**SMALL, objective="cross_entropy"), "binary"),
    ("forest", lgb.LGBMRegressor(**SMALL, **BAGGED), "value"),
    ("forest classifier", lgb.LGBMClassifier(**SMALL, **BAGGED), "multi"),
    ("dart", lgb.LGBMClassifier(**SMALL, boosting_type="dart"), "binary"),
]


def _fit(estimator, kind):
    frame, score = _frame()
    y = _target(score, kind)
    return estimator.fit(frame, y), frames.read(frame, y=y)


def _edges(forest, data, walker):
    """10,000 rows on and one float64 step beside every threshold, with missing values and categories never seen."""
    rng = np.random.default_rng(5)
    rows = walker.edge_rows(forest, data.matrix, ROWS, rng)
    rows[rng.random(ROWS) < 0.1, 0] = np.nan
    rows[rng.random(ROWS) < 0.1, 1] = np.nan
    rows[rng.random(ROWS) < 0.1, 1] = 0.0
    rows[:, 2] = rng.integers(0, len(LETTERS), ROWS)
    rows[rng.random(ROWS) < 0.1, 2] = np.nan
    rows[rng.random(ROWS) < 0.1, 2] = -1
    rows[rng.random(ROWS) < 0.1, 4] = np.nan
    return rows


def _leaf_numbers(forest, rows, walker):
    ends = np.append(forest.roots[1:], len(forest.feature))
    inner = np.array([(forest.feature[a:b] >= 0).sum() for a, b in zip(forest.roots, ends, strict=True)])
    return walker.leaves(forest, rows) - forest.roots - inner


def _native(model, data, rows, **asked):
    booster = model if isinstance(model, lgb.Booster) else model.booster_
    return booster.predict(frames.write(rows, data.schema, data.frame), **asked).reshape(len(rows), -1)


@pytest.mark.parametrize(("estimator", "kind"), [pytest.param(e, k, id=name) for name, e, k in FITTED])
def test_leaves_margins_and_predictions_are_those_of_the_library(estimator, kind, walker):
    fitted, data = _fit(estimator, kind)
    model = adapt(fitted, Wanted(data))
    forest = model.trees()
    rows = _edges(forest, data, walker)
    assert np.array_equal(_leaf_numbers(forest, rows, walker), _native(fitted, data, rows, pred_leaf=True))
    margins = walker.margins(forest, rows)
    trees = forest.n_trees // forest.n_outputs if "random forest" in model.kind else 1
    assert np.abs(margins - _native(fitted, data, rows, raw_score=True) / trees).max() <= 1e-12
    mine = margins
    if forest.link == "sigmoid":
        mine = 1 / (1 + np.exp(-margins))
    elif forest.link != "identity":
        mine = walker.linked(margins, forest.link)
    predicted = model.predict_matrix(rows)
    assert predicted.shape == (ROWS, len(model.outputs))
    assert np.abs(predicted[:, -mine.shape[1] :] - mine).max() <= 1e-12
    assert np.array_equal(model.predict(data.source), model.predict_matrix(data.matrix))


@pytest.mark.parametrize("how", ["missing", "threshold", "ulp", "bits"])
def test_sabotage_is_caught(how, walker):
    fitted, data = _fit(lgb.LGBMClassifier(**SMALL), "binary")
    forest = adapt(fitted, Wanted(data)).trees()
    rows = _edges(forest, data, walker)
    native = _native(fitted, data, rows, pred_leaf=True)
    assert np.array_equal(_leaf_numbers(forest, rows, walker), native)
    assert not np.array_equal(_leaf_numbers(walker.broken(forest, how), rows, walker), native)


@pytest.mark.parametrize("declared", [True, False])
def test_numpy_codes_and_categories_never_seen(declared, walker):
    """Codes in an array: a code outside every set goes right, whether the schema calls the column categorical or not."""
    rng = np.random.default_rng(3)
    X = np.column_stack([rng.normal(size=1200), rng.choice([0, 1, 3, 4, 7, 40, 41], 1200)])
    y = np.isin(X[:, 1], [1, 4, 40]) + X[:, 0] * 0.3
    settings = {"verbose": -1, "num_leaves": 12, "min_data_per_group": 5, "cat_smooth": 1, "num_threads": 1}
    booster = lgb.train(settings, lgb.Dataset(X, y, categorical_feature=[1], params={"verbose": -1}), 8)
    data = frames.read(X, categorical=["x1"] if declared else None)
    forest = adapt(booster, Wanted(data)).trees()
    rows = data.matrix[rng.integers(len(X), size=ROWS)]
    rows[:, 1] = rng.choice([np.nan, -1, *range(7)] if declared else [np.nan, -1, 0, 1, 2, 3, 4, 7, 8, 31, 32, 40, 41, 42, 64, 999], ROWS)
    native = _native(booster, data, rows, pred_leaf=True)
    assert np.array_equal(_leaf_numbers(forest, rows, walker), native)
    assert not np.array_equal(_leaf_numbers(walker.broken(forest, "unseen"), rows, walker), native)


def test_category_order_of_the_data_is_not_that_of_the_model(walker):
    frame, score = _frame()
    fitted = lgb.LGBMRegressor(**SMALL).fit(frame, score)
    turned = frame.assign(
        job=frame.job.cat.set_categories([*reversed(LETTERS), "another"]), grade=frame.grade.cat.reorder_categories([6, 8, 5, 7])
    )
    data = frames.read(turned)
    model = adapt(fitted, Wanted(data))
    rows = data.matrix.copy()
    rows[::3, 2] = len(LETTERS)
    assert np.abs(model.predict(turned)[:, 0] - fitted.predict(frame)).max() == 0
    assert np.abs(walker.margins(model.trees(), data.matrix)[:, 0] - fitted.predict(frame)).max() <= 1e-12
    assert np.abs(walker.margins(model.trees(), rows) - model.predict_matrix(rows)).max() <= 1e-12


@pytest.mark.parametrize("kind", ["polars", "arrow"])
def test_other_frames(kind, walker):
    frame, score = _frame()
    frame = frame.drop(columns="rank").assign(grade=frame.grade.cat.rename_categories(str))
    fitted = lgb.LGBMRegressor(**SMALL).fit(frame, score)
    if kind == "polars":
        other = pytest.importorskip("polars").from_pandas(frame)
    else:
        other = pytest.importorskip("pyarrow").Table.from_pandas(frame, preserve_index=False)
    data = frames.read(other)
    model = adapt(fitted, Wanted(data))
    assert model.frame == kind
    assert np.abs(model.predict(other)[:, 0] - fitted.predict(frame)).max() <= 1e-12
    assert np.abs(walker.margins(model.trees(), data.matrix) - model.predict(other)).max() <= 1e-12


def test_best_iteration_is_what_the_booster_predicts_with(walker):
    frame, score = _frame()
    booster = lgb.train({"num_leaves": 8, "verbose": -1, "num_threads": 1}, lgb.Dataset(frame, score, params={"verbose": -1}), 10)
    whole = adapt(booster, Wanted(frames.read(frame)))
    assert whole.trees().n_trees == 10
    booster.best_iteration = 4
    data = frames.read(frame)
    model = adapt(booster, Wanted(data))
    assert model.trees().n_trees == 4
    assert model.model_hash != whole.model_hash
    assert np.abs(walker.margins(model.trees(), data.matrix)[:, 0] - booster.predict(frame)).max() <= 1e-12
    assert np.abs(walker.margins(whole.trees(), data.matrix)[:, 0] - booster.predict(frame)).max() > 1e-3


def test_the_smallest_numbers_count_as_zero(walker):
    """The library drops values up to 1e-35 before it walks, so that a threshold just below zero is crossed later than it says."""
    rng = np.random.default_rng(2)
    X = np.where(rng.random((2000, 1)) < 0.4, 0.0, rng.normal(size=(2000, 1)))
    fitted = lgb.LGBMRegressor(n_estimators=6, num_leaves=6, verbose=-1, n_jobs=1).fit(X, (X[:, 0] == 0) * 1.0)
    data = frames.read(X)
    forest = adapt(fitted, Wanted(data)).trees()
    tiny = lightgbm_reader.ZERO
    near = [0.0, *(s * f for s in (1, -1) for f in (tiny, np.nextafter(tiny, 1), np.nextafter(tiny, 0), tiny / 2, 2 * tiny, 5e-324))]
    rows = np.array(near)[:, None]
    text = fitted.booster_.model_to_string()
    assert str(-tiny) in text
    native = fitted.predict(rows)
    assert np.abs(walker.margins(forest, rows)[:, 0] - native).max() <= 1e-12
    threshold = np.where(np.abs(forest.threshold) <= np.nextafter(tiny, 1), np.sign(forest.threshold) * tiny, forest.threshold)
    literal = dataclasses.replace(forest, threshold=threshold)
    assert np.abs(walker.margins(literal, rows)[:, 0] - native).max() > 1e-3


def test_parsing_500_trees_is_fast():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 12))
    fitted = lgb.LGBMRegressor(n_estimators=500, num_leaves=31, verbose=-1, n_jobs=1).fit(X, X[:, 0] * X[:, 1])
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        forest = lightgbm_reader.read_forest_text(fitted.booster_.model_to_string())
        seconds.append(time.perf_counter() - start)
    assert forest.n_trees == 500
    assert min(seconds) <= 0.3


def test_names_kinds_and_hash():
    fitted, data = _fit(lgb.LGBMClassifier(**SMALL), "multi")
    model = adapt(fitted, Wanted(data))
    assert (model.name, model.kind, model.task) == ("LGBMClassifier", "gradient-boosted trees, 45 trees", "classification")
    assert model.outputs == ("0", "1", "2")
    assert model.can == {"predict", "trees"}
    assert model.model_hash == adapt(fitted, Wanted(data)).model_hash
    other, _ = _fit(lgb.LGBMClassifier(**SMALL), "binary")
    assert model.model_hash != adapt(other, Wanted(data)).model_hash


def test_without_data_the_model_text_gives_the_schema():
    frame, score = _frame()
    frame = frame.drop(columns="rank")
    fitted = lgb.LGBMClassifier(**SMALL).fit(frame, _target(score, "binary"))
    model = adapt(fitted, Wanted())
    assert model.schema.names == tuple(frame.columns)
    assert model.schema["job"].categories == tuple(LETTERS)
    assert model.schema["grade"].categories == (8, 7, 6, 5)
    assert np.abs(model.predict(frame) - fitted.predict_proba(frame)).max() <= 1e-12


@pytest.mark.parametrize("why", ["linear_tree", "reg_sqrt", "zero_as_missing"])
def test_refusals_say_why_and_predict_stays(why):
    frame, score = _frame()
    numbers = frame[["age", "gain", "hours"]]
    fitted = lgb.LGBMRegressor(**SMALL, **{why: True}).fit(numbers, score)
    model = adapt(fitted, Wanted(frames.read(numbers)))
    assert model.can == {"predict"}
    assert why in model.provenance["refused"]["trees"]
    assert np.array_equal(model.predict(numbers)[:, 0], fitted.predict(numbers))


def test_own_objective_is_read_as_a_plain_sum(walker):
    frame, score = _frame()
    numbers = frame[["age", "gain", "hours"]]

    def squared(y, p):
        return p - y, np.ones_like(y)

    fitted = lgb.LGBMRegressor(**SMALL, objective=squared).fit(numbers, score)
    data = frames.read(numbers)
    model = adapt(fitted, Wanted(data))
    assert np.abs(walker.margins(model.trees(), data.matrix) - model.predict(numbers)).max() <= 1e-12


def test_wrong_columns_and_unfitted_models_are_named():
    frame, score = _frame()
    numbers = frame[["age", "gain", "hours"]].rename(columns={"hours": "hours a week"})
    fitted = lgb.LGBMRegressor(**SMALL).fit(numbers, score)
    assert adapt(fitted, Wanted(frames.read(numbers))).can == {"predict", "trees"}
    with pytest.raises(ModelError, match=r"Missing: \['gain'\]. Not known to the model: \['gian'\]"):
        adapt(fitted, Wanted(frames.read(numbers.rename(columns={"gain": "gian"}))))
    with pytest.raises(ModelError, match="in the order"):
        adapt(fitted, Wanted(frames.read(numbers[numbers.columns[::-1]])))
    with pytest.raises(ModelError, match="trained on 3 columns; the data has 4"):
        adapt(fitted, Wanted(frames.read(np.eye(5, 4))))
    with pytest.raises(ModelError, match="not fitted"):
        adapt(lgb.LGBMClassifier(), Wanted())
