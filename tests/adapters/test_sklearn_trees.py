"""Forests read from scikit-learn ensembles take the same leaves and give the same answers, on the edges too."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import ensemble, tree

from whyglass.adapters.frames import read, write
from whyglass.adapters.models.sklearn import adapt
from whyglass.core.wanted import Wanted

ROWS = 10_000


def _numbers(rng, rows=1500, missing=False):
    X = np.column_stack((rng.normal(size=rows), rng.exponential(size=rows) * 1e3, rng.integers(0, 9, rows), rng.normal(size=rows) * 1e-3))
    if missing:
        X[rng.random(X.shape) < 0.08] = np.nan
    return X


def _target(rng, X, kind):
    filled = np.nan_to_num(X, nan=0.5)
    score = filled[:, 0] + (filled[:, 2] > 4) - filled[:, 1] / 2e3 + 300 * filled[:, 3] + rng.normal(size=len(X)) * 0.3
    if kind == "binary":
        return (score > 0.2).astype(int)
    if kind == "three":
        return np.array(["low", "mid", "high"])[np.digitize(score, [-0.3, 0.7])]
    return np.exp(score / 2) if kind == "positive" else score


SMALL = {"random_state": 0}
AVERAGED = [
    (tree.DecisionTreeClassifier(max_depth=7, **SMALL), "three", True),
    (tree.DecisionTreeRegressor(max_leaf_nodes=40, **SMALL), "value", True),
    (tree.ExtraTreeClassifier(max_depth=8, **SMALL), "binary", True),
    (tree.ExtraTreeRegressor(max_depth=8, **SMALL), "value", False),
    (ensemble.RandomForestClassifier(15, max_depth=8, class_weight="balanced", **SMALL), "binary", True),
    (ensemble.RandomForestClassifier(9, **SMALL), "three", False),
    (ensemble.RandomForestRegressor(11, max_depth=9, **SMALL), "value", True),
    (ensemble.ExtraTreesClassifier(9, max_depth=9, **SMALL), "three", False),
    (ensemble.ExtraTreesRegressor(9, max_depth=9, **SMALL), "value", True),
]
BOOSTED = [
    (ensemble.GradientBoostingClassifier(n_estimators=25, **SMALL), "binary", False),
    (ensemble.GradientBoostingClassifier(n_estimators=8, **SMALL), "three", False),
    (ensemble.GradientBoostingClassifier(n_estimators=10, loss="exponential", **SMALL), "binary", False),
    (ensemble.GradientBoostingClassifier(n_estimators=10, init="zero", **SMALL), "binary", False),
    (ensemble.GradientBoostingRegressor(n_estimators=25, **SMALL), "value", False),
    (ensemble.GradientBoostingRegressor(n_estimators=10, loss="quantile", alpha=0.8, subsample=0.7, **SMALL), "value", False),
    (ensemble.HistGradientBoostingClassifier(max_iter=25, **SMALL), "binary", True),
    (ensemble.HistGradientBoostingClassifier(max_iter=8, **SMALL), "three", True),
    (ensemble.HistGradientBoostingRegressor(max_iter=25, **SMALL), "value", True),
    (ensemble.HistGradientBoostingRegressor(max_iter=15, loss="poisson", **SMALL), "positive", True),
    (ensemble.HistGradientBoostingRegressor(max_iter=15, loss="gamma", **SMALL), "positive", False),
    (ensemble.HistGradientBoostingClassifier(max_iter=8, categorical_features=[2], **SMALL), "three", True),
]


def _name(case):
    estimator, kind, missing = case
    loss = getattr(estimator, "loss", "")
    return f"{type(estimator).__name__}-{kind}-{loss}-{'nan' if missing else 'full'}-{getattr(estimator, 'categorical_features', '')}"


def _case(case):
    rng = np.random.default_rng(5)
    estimator, kind, missing = case
    X = _numbers(rng, missing=missing)
    y = _target(rng, X, kind)
    return estimator.fit(X, y), adapt(estimator, Wanted(data=read(X, y=y))), rng


def _answer(estimator, X):
    return estimator.predict_proba(X) if hasattr(estimator, "classes_") else estimator.predict(X)[:, None]


def _own(model, matrix):
    return write(matrix, model.schema, model.frame)


@pytest.mark.parametrize("case", AVERAGED, ids=_name)
def test_averaged_trees_take_the_same_leaves(case, walker):
    estimator, model, rng = _case(case)
    forest = model.trees()
    X = walker.edge_rows(forest, model.data.matrix, ROWS, rng)
    wanted = estimator.apply(_own(model, X))
    leaves = walker.leaves(forest, X) - forest.roots[None, :]
    np.testing.assert_array_equal(leaves, wanted.reshape(leaves.shape))
    np.testing.assert_allclose(walker.predict(forest, X), _answer(estimator, _own(model, X)), rtol=0, atol=1e-12)
    assert forest.link == "identity"
    assert forest.space == ("probability" if case[1] in ("binary", "three") else "value")


@pytest.mark.parametrize("case", BOOSTED, ids=_name)
def test_boosted_trees_give_the_same_answers(case, walker):
    estimator, model, rng = _case(case)
    forest = model.trees()
    X = walker.edge_rows(forest, model.data.matrix, ROWS, rng)
    answer = _answer(estimator, _own(model, X))
    np.testing.assert_allclose(walker.predict(forest, X), answer, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(model.predict_matrix(X[:50]), answer[:50], rtol=0, atol=0)
    assert forest.n_outputs == (3 if case[1] == "three" else 1)


def test_boosted_leaves_are_the_very_same(walker):
    estimator, model, rng = _case(BOOSTED[0])
    forest = model.trees()
    X = walker.edge_rows(forest, model.data.matrix, ROWS, rng)
    np.testing.assert_array_equal(walker.leaves(forest, X) - forest.roots[None, :], estimator.apply(X)[:, :, 0])


@pytest.mark.parametrize("how", ["threshold", "missing", "ulp"])
@pytest.mark.parametrize("case", [AVERAGED[4], BOOSTED[6]], ids=_name)
def test_the_comparison_notices_a_broken_forest(case, how, walker):
    estimator, model, rng = _case(case)
    forest = model.trees()
    X = walker.edge_rows(forest, model.data.matrix, ROWS, rng)
    broken = walker.predict(walker.broken(forest, how), X)
    assert np.abs(broken - _answer(estimator, _own(model, X))).max() > 1e-6


def test_the_comparison_notices_a_lost_base(walker):
    estimator, model, rng = _case(BOOSTED[6])
    broken = walker.broken(model.trees(), "base")
    X = model.data.matrix
    assert np.abs(walker.predict(broken, X) - _answer(estimator, X)).max() > 1e-9
    assert rng is not None


def _mixed(rng, rows=2500):
    X = pd.DataFrame(
        {
            "age": rng.integers(17, 90, rows).astype(float),
            "work": pd.Categorical(rng.choice(["Private", "Self", "State", "Federal", "None"], rows)),
            "level": pd.Categorical(rng.choice([30, 7, 12], rows), categories=[30, 7, 12, 99]),
            "gain": rng.exponential(2000, rows),
            "many": pd.Categorical([f"v{i}" for i in rng.integers(0, 180, rows)]),
        }
    )
    X.loc[rng.random(rows) < 0.1, "age"] = np.nan
    X.loc[rng.random(rows) < 0.1, "work"] = np.nan
    score = (
        X.age.fillna(40) / 30
        + X.work.isin(["Self", "State"]) * 1.5
        + (X.level == 7)
        + X.many.cat.codes % 7 / 5
        + rng.normal(size=rows) * 0.5
    )
    return X, np.asarray(score)


@pytest.mark.parametrize("kind", ["binary", "three", "value"])
def test_category_dtypes_are_read_as_the_users_own_codes(kind, walker):
    rng = np.random.default_rng(11)
    X, score = _mixed(rng)
    if kind == "value":
        estimator = ensemble.HistGradientBoostingRegressor(categorical_features="from_dtype", max_iter=40, random_state=0)
        y = score
    else:
        estimator = ensemble.HistGradientBoostingClassifier(categorical_features="from_dtype", max_iter=40, random_state=0)
        y = np.digitize(score, np.quantile(score, [0.5] if kind == "binary" else [0.33, 0.66]))
    estimator.fit(X, y)
    model = adapt(estimator, Wanted(data=read(X, y=y)))
    forest = model.trees()
    rows = walker.edge_rows(forest, model.data.matrix, ROWS, rng)
    for place, column in enumerate(model.schema.columns):
        if column.kind == "categorical":
            rows[:, place] = rng.integers(-1, len(column.categories), ROWS)
            rows[rng.random(ROWS) < 0.1, place] = np.nan
    frame = _own(model, rows)
    np.testing.assert_allclose(walker.predict(forest, rows), _answer(estimator, frame), rtol=0, atol=1e-12)
    broken = walker.predict(walker.broken(forest, "bits"), rows)
    assert np.abs(broken - _answer(estimator, frame)).max() > 1e-3
    assert model.kind.startswith("gradient-boosted trees")


def test_isolation_forest_is_read_as_a_sum_of_path_lengths(walker):
    rng = np.random.default_rng(3)
    X = _numbers(rng)
    for options in ({}, {"max_features": 2, "max_samples": 100}):
        estimator = ensemble.IsolationForest(n_estimators=30, random_state=0, **options).fit(X)
        model = adapt(estimator, Wanted(data=read(X)))
        forest = model.trees()
        rows = walker.edge_rows(forest, X, ROWS, rng)
        np.testing.assert_allclose(walker.predict(forest, rows)[:, 0], -estimator.score_samples(rows), rtol=1e-12)
        assert model.outputs == ("anomaly score",)


def test_float32_columns_keep_their_cast(walker):
    rng = np.random.default_rng(4)
    X = _numbers(rng).astype(np.float32)
    y = _target(rng, X, "binary")
    for estimator in (ensemble.HistGradientBoostingClassifier(max_iter=10), ensemble.RandomForestClassifier(5, random_state=0)):
        estimator.fit(X, y)
        model = adapt(estimator, Wanted(data=read(X, y=y)))
        rows = walker.edge_rows(model.trees(), model.data.matrix, ROWS, rng)
        np.testing.assert_allclose(
            walker.predict(model.trees(), rows), estimator.predict_proba(rows.astype(np.float32)), rtol=0, atol=1e-12
        )


def test_boosting_from_another_model_is_refused():
    rng = np.random.default_rng(6)
    X = _numbers(rng, 300)
    y = _target(rng, X, "binary")
    estimator = ensemble.GradientBoostingClassifier(n_estimators=5, init=tree.DecisionTreeClassifier(max_depth=2)).fit(X, y)
    model = adapt(estimator, Wanted(data=read(X, y=y)))
    assert "trees" not in model.can
    assert "DecisionTreeClassifier" in model.provenance["refused"]["trees"]


def test_the_same_model_has_the_same_hash():
    rng = np.random.default_rng(7)
    X = _numbers(rng, 300)
    y = _target(rng, X, "binary")
    data = read(X, y=y)
    makers = [
        lambda s: ensemble.RandomForestClassifier(5, random_state=s),
        lambda s: ensemble.HistGradientBoostingClassifier(max_iter=3 + s),
    ]
    for make in makers:
        with warnings.catch_warnings():
            one, two, other = (adapt(make(s).fit(X, y), Wanted(data=data)) for s in (0, 0, 1))
        assert one.model_hash == two.model_hash
        assert one.trees().content_hash() == two.trees().content_hash()
        assert one.model_hash != other.model_hash
