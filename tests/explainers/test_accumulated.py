"""Accumulated local effects, against their definition written out row by row."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

import whyglass as wg


def table(rows=500, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(rows, 3)), columns=["a", "b", "c"])
    X["b"] += X["a"]
    X["size"] = pd.Categorical(rng.choice(["s", "m", "l"], rows), categories=["s", "m", "l"], ordered=True)
    X["kind"] = pd.Categorical(np.where(X["a"] > 0.5, "high", np.where(X["a"] < -0.5, "low", "middle")))
    y = X["a"] * X["b"] + X["size"].cat.codes + 0.1 * rng.normal(size=rows)
    return X, y.to_numpy()


X, Y = table()
MODEL = HistGradientBoostingRegressor(max_iter=25, categorical_features="from_dtype", random_state=0).fit(X, Y)


def by_definition(predict, rows, column, edges):
    """Sum of the mean local differences, bin by bin, centred over the rows; and the error of each sum."""
    steps = np.clip(np.searchsorted(edges, rows[column], side="left") - 1, 0, len(edges) - 2)
    low, high = rows.copy(), rows.copy()
    low[column], high[column] = edges[steps], edges[steps + 1]
    change = predict(high) - predict(low)
    mean = np.array([change[steps == k].mean() if (steps == k).any() else 0.0 for k in range(len(edges) - 1)])
    curve = np.concatenate([[0.0], np.cumsum(mean)])
    shift = np.mean((curve[steps] + curve[steps + 1]) / 2)
    return curve - shift


def wrapped(opaque):
    return wg.wrap(MODEL.predict, X, Y, task="regression") if opaque else wg.wrap(MODEL, X, Y)


@pytest.mark.parametrize("opaque", [False, True], ids=["trees", "callable"])
@pytest.mark.parametrize("column", ["a", "b"])
def test_a_number_follows_the_definition(column, opaque):
    curves = wg.explain(wrapped(opaque), X, method="ale", grid=15)
    truth = by_definition(MODEL.predict, X, column, curves.grid[column])
    assert np.abs(curves.values[column][:, 0] - truth).max() <= 1e-12
    assert np.abs(by_definition(MODEL.predict, X[: len(X) // 2], column, curves.grid[column]) - truth).max() > 1e-3


def test_trees_and_callables_agree_on_everything():
    one, two = (wg.explain(wrapped(opaque), X, method="ale", grid=9, pairs=[("a", "b"), ("a", "size")]) for opaque in (False, True))
    assert one.keys == two.keys
    for key in one.keys:
        assert np.abs(one.values[key] - two.values[key]).max() <= 1e-12
        if isinstance(key, str):
            assert np.abs(one.std_errors[key] - two.std_errors[key]).max() <= 1e-9


def test_ordered_categories_keep_their_order_and_others_stand_beside_their_like():
    curves = wg.explain(wrapped(opaque=False), X, method="ale", features=["size", "kind"])
    assert curves.grid["size"].tolist() == ["s", "m", "l"]
    assert np.all(np.diff(curves.values["size"][:, 0]) > 0.5)
    assert curves.grid["kind"].tolist() in (["low", "middle", "high"], ["high", "middle", "low"])
    shares = X["size"].value_counts(normalize=True)[["s", "m", "l"]].to_numpy()
    assert abs(shares @ curves.values["size"][:, 0]) <= 1e-12, "centred over the rows"


def test_an_additive_pair_does_nothing_together_and_a_product_does():
    rng = np.random.default_rng(3)
    rows = pd.DataFrame(rng.uniform(-1, 1, size=(4000, 2)), columns=["a", "b"])
    plus = wg.wrap(lambda f: (f["a"] ** 2 + 3 * f["b"]).to_numpy(), rows, task="regression")
    times = wg.wrap(lambda f: (f["a"] * f["b"]).to_numpy(), rows, task="regression")
    assert np.abs(wg.explain(plus, rows[:900], method="ale", pairs=[("a", "b")], grid=12).values["a", "b"]).max() <= 1e-12
    curves = wg.explain(times, rows[:900], method="ale", pairs=[("a", "b")], grid=12)
    a, b = curves.grid["a", "b"]
    assert np.abs(curves.values["a", "b"][..., 0] - np.outer(a, b)).max() < 0.1


def test_the_errors_hold_the_truth_of_more_rows():
    rng = np.random.default_rng(4)
    rows = pd.DataFrame(rng.normal(size=(40_000, 2)), columns=["a", "b"])
    model = wg.wrap(lambda f: (np.sin(2 * f["a"]) * (1 + f["b"])).to_numpy(), rows[:1000], task="regression")
    edges = {"a": np.linspace(-2, 2, 9), "b": [0.0, 1.0]}
    truth = by_definition(lambda f: (np.sin(2 * f["a"]) * (1 + f["b"])).to_numpy(), rows, "a", edges["a"])
    inside = []
    for start in range(0, 40_000, 1000):
        curves = wg.explain(model, rows[start : start + 1000], method="ale", features=["a"], grid=edges)
        inside.append(np.abs(curves.values["a"][:, 0] - truth) <= 2 * curves.std_errors["a"][:, 0])
    assert 0.85 <= np.mean(inside) <= 0.995


def test_probabilities_constant_columns_missing_values_and_no_rows():
    rows = X.copy()
    rows["c"] = 1.0
    rows.loc[rows.index[:9], "a"] = np.nan
    fitted = HistGradientBoostingClassifier(max_iter=8, categorical_features="from_dtype", random_state=0).fit(rows, Y > 0)
    model = wg.wrap(fitted, rows, Y > 0)
    curves = wg.explain(model, rows, method="ale", grid=8)
    assert np.array_equal(curves.values["c"], np.zeros((1, 2)))
    assert np.abs(curves.values["a"].sum(axis=1)).max() <= 1e-12, "both classes' probabilities add up to one"
    known = rows[rows["a"].notna()]
    truth = by_definition(lambda f: fitted.predict_proba(f)[:, 1], known, "a", curves.grid["a"])
    assert np.abs(curves.values["a"][:, 1] - truth).max() <= 1e-12
    nobody = wg.explain(model, rows[:0], method="ale", grid=4)
    assert all(np.isnan(part[key]).all() for part in (nobody.values, nobody.std_errors) for key in nobody.keys)


def test_threads_change_no_bit():
    many = pd.concat([X] * 12)
    asked = {"method": "ale", "pairs": [("a", "b")], "features": ["a", "b", "kind"]}
    one, two = (wg.explain(wrapped(opaque=False), many, executor=wg.Executor(threads=n), **asked) for n in (1, 2))
    assert one == two
    assert one != wg.explain(wrapped(opaque=False), many[1:], executor=wg.Executor(threads=1), **asked)
