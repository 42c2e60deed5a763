"""Partial dependence and individual curves: against scikit-learn, against asking the model itself, and on odd input."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.inspection import partial_dependence

import whyglass as wg
from whyglass.core.errors import InputError, UnsupportedError

ONE = wg.Executor(threads=1)


def table(rows=400, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(rows, 3)), columns=["a", "b", "c"])
    X["kind"] = pd.Categorical(rng.choice(["red", "<b>", "blue"], rows), categories=["red", "<b>", "blue"])
    y = X["a"] * X["b"] + (X["kind"] == "red") + 0.1 * rng.normal(size=rows)
    return X, y.to_numpy()


X, Y = table()
REGRESSION = HistGradientBoostingRegressor(max_iter=25, categorical_features="from_dtype", random_state=0).fit(X, Y)
CLASSES = HistGradientBoostingClassifier(max_iter=25, categorical_features="from_dtype", random_state=0).fit(X, Y > 0.5)


def asked(predict, rows, column, points):
    """What the model says when a column is moved, asked one point at a time: (rows, points)."""
    answers = []
    for point in points:
        moved = rows.copy()
        moved[column] = pd.Categorical([point] * len(rows), categories=rows[column].cat.categories) if column == "kind" else point
        answers.append(predict(moved))
    return np.stack(answers, axis=1)


@pytest.mark.parametrize("column", ["a", "b"])
def test_it_agrees_with_scikit_learn(column):
    curves = wg.explain(wg.wrap(REGRESSION, X, Y), X, method="pdp", grid=30)
    theirs = partial_dependence(REGRESSION, X, [column], custom_values={column: curves.grid[column]}, method="brute", kind="both")
    assert np.abs(curves.values[column][:, 0] - theirs["average"][0]).max() <= 1e-12
    own = wg.explain(wg.wrap(REGRESSION, X, Y), X, method="ice", grid=30)
    assert np.abs(own.values[column][:, :, 0] - theirs["individual"][0]).max() <= 1e-12
    assert np.abs(curves.values[column][1:, 0] - theirs["average"][0][:-1]).max() > 1e-3, "curves a point apart must be seen"


@pytest.mark.parametrize("column", ["a", "kind"])
@pytest.mark.parametrize("opaque", [False, True], ids=["trees", "callable"])
def test_probabilities_are_averaged_not_margins(column, opaque):
    model = wg.wrap(CLASSES.predict_proba, X, Y > 0.5, outputs=["False", "True"]) if opaque else wg.wrap(CLASSES, X, Y > 0.5)
    curves = wg.explain(model, X, method="pdp", grid=12)
    answers = asked(lambda rows: CLASSES.predict_proba(rows)[:, 1], X, column, curves.grid[column])
    assert np.abs(curves.values[column][:, 1] - answers.mean(axis=0)).max() <= 1e-12
    error = answers.std(axis=0, ddof=1) / np.sqrt(len(X))
    assert np.abs(curves.std_errors[column][:, 1] - error).max() <= 1e-12
    assert curves.space == "probability"
    assert (curves.provenance.model_calls > 0) == opaque


def test_margins_may_be_asked_for():
    curves = wg.explain(wg.wrap(CLASSES, X, Y > 0.5), X[:50], method="pdp", space="margin", grid=6)
    answers = asked(CLASSES.decision_function, X[:50], "b", curves.grid["b"])
    assert np.abs(curves.values["b"][:, 0] - answers.mean(axis=0)).max() <= 1e-12


def test_a_forest_of_several_classes():
    y = np.digitize(Y, [0.0, 1.0])
    fitted = RandomForestClassifier(10, max_depth=6, random_state=0).fit(X[["a", "b", "c"]], y)
    curves = wg.explain(wg.wrap(fitted, X[["a", "b", "c"]], y), X[["a", "b", "c"]][:60], method="ice", grid=9)
    for k in range(3):
        answers = asked(lambda rows, k=k: fitted.predict_proba(rows)[:, k], X[["a", "b", "c"]][:60], "a", curves.grid["a"])
        assert np.abs(curves.values["a"][:, :, k] - answers).max() <= 1e-12
    one = wg.explain(wg.wrap(fitted, X[["a", "b", "c"]], y), X[["a", "b", "c"]][:60], method="ice", grid=9, target="2")
    assert one.output_names == ("2",)
    assert np.array_equal(one.values["a"][..., 0], curves.values["a"][..., 2])


@pytest.mark.parametrize("opaque", [False, True], ids=["trees", "callable"])
def test_a_pair_is_what_the_model_says_on_average_and_h_tells_interaction(opaque):
    model = wg.wrap(REGRESSION.predict, X, Y, task="regression") if opaque else wg.wrap(REGRESSION, X, Y)
    curves = wg.explain(model, X, method="pdp", pairs=[("a", "b"), ("b", "kind")], grid=7)
    assert curves.keys == (*X.columns, ("a", "b"), ("b", "kind"))
    first, second = curves.grid["b", "kind"]
    for at, category in enumerate(second):
        moved = X.copy()
        moved["kind"] = pd.Categorical([category] * len(X), categories=X["kind"].cat.categories)
        answers = asked(REGRESSION.predict, moved, "b", first)
        assert np.abs(curves.values["b", "kind"][:, at, 0] - answers.mean(axis=0)).max() <= 1e-12
    assert curves.strength["a", "b"][0] > 0.8, "a times b is nearly all interaction"
    assert curves.strength["b", "kind"][0] < 0.4


def test_additive_columns_have_no_interaction():
    model = wg.wrap(lambda rows: rows["a"].to_numpy() ** 2 + 3 * rows["b"].to_numpy(), X, Y, task="regression")
    curves = wg.explain(model, X[:100], method="pdp", pairs=[("a", "b")], grid=8)
    assert curves.strength["a", "b"][0] <= 1e-6


def test_points_that_no_one_has_are_counted():
    rng = np.random.default_rng(1)
    age = rng.uniform(18, 80, 2000)
    rows = pd.DataFrame({"age": age, "pension": (age > 65) * rng.uniform(1, 9, 2000), "noise": rng.normal(size=2000)})
    model = wg.wrap(lambda frame: frame["age"].to_numpy(), rows, age, task="regression")
    curves = wg.explain(model, rows[:500], method="pdp", features=["age", "noise"], grid=20)
    assert curves.extrapolation["age"][0] > 0.2, "many with a pension are moved to an age at which no one has one"
    assert curves.extrapolation["noise"].max() <= 0.05
    age_line, noise_line = repr(curves).splitlines()[1:3]
    assert f"{curves.extrapolation['age'].max():.0%} of the rows are taken where no row is like them" in age_line
    assert "no row is like them" not in noise_line
    frame = curves.to_frame()
    assert frame["extrapolated"][frame["feature"] == "age"].tolist() == curves.extrapolation["age"].tolist()
    assert wg.explain(model, rows[:50], method="ale", features=["age"]).to_frame()["extrapolated"].isna().all()


def test_a_bad_row_is_left_out_and_says_why():
    def fragile(rows):
        if (rows["c"] > 90).any():
            raise ValueError("c is out of range")
        return rows["a"].to_numpy() + rows["b"].to_numpy()

    rows = X[["a", "b", "c"]][:20].copy()
    model = wg.wrap(fragile, rows, task="regression")
    spoilt = rows.copy()
    spoilt.loc[spoilt.index[3], "c"] = 99.0
    curves = wg.explain(model, spoilt, method="pdp", features=["a"], grid=5)
    assert "c is out of range" in curves.status[3]
    assert curves.status[4] == "ok"
    kept = spoilt.drop(spoilt.index[3])
    assert np.allclose(curves.values["a"][:, 0], curves.grid["a"] + kept["b"].mean())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"features": ["aa"]}, "Did you mean 'a'"),
        ({"pairs": [("a", "a")]}, "list of pairs"),
        ({"pairs": ["ab"]}, "list of pairs"),
        ({"grid": 1}, "from 2 up"),
        ({"grid": {"kind": ["rde"]}}, "no category 'rde'"),
        ({"grid": {"a": ["x"]}}, "are numbers"),
        ({"grid": {"a": []}}, "at least one"),
    ],
)
def test_bad_arguments_are_explained(options, words):
    with pytest.raises(InputError, match=words):
        wg.explain(wg.wrap(REGRESSION, X, Y), X[:5], method="pdp", **options)


def test_individual_pairs_and_the_loss_are_refused():
    with pytest.raises(InputError, match="single columns"):
        wg.explain(wg.wrap(REGRESSION, X, Y), X[:5], method="ice", pairs=[("a", "b")])
    with pytest.raises(UnsupportedError, match="permutation"):
        wg.explain(wg.wrap(CLASSES, X, Y > 0.5), X[:5], y=Y[:5] > 0.5, method="pdp", space="log_loss")


def test_own_points_missing_values_constant_columns_and_no_rows():
    rows = X.copy()
    rows["c"] = 1.0
    rows.loc[rows.index[:7], "a"] = np.nan
    fitted = HistGradientBoostingRegressor(max_iter=5, categorical_features="from_dtype").fit(rows, Y)
    model = wg.wrap(fitted, rows, Y)
    curves = wg.explain(model, rows, method="pdp", grid={"a": [0.5, -0.5], "kind": ["blue"]})
    assert curves.grid["a"].tolist() == [-0.5, 0.5]
    assert curves.grid["kind"].tolist() == ["blue"]
    assert curves.grid["c"].tolist() == [1.0]
    assert np.abs(curves.values["a"][:, 0] - asked(fitted.predict, rows, "a", [-0.5, 0.5]).mean(axis=0)).max() <= 1e-12
    nobody = wg.explain(model, rows[:0], method="pdp", grid={"a": [0.0]}, features=["a"])
    assert np.isnan(nobody.values["a"]).all()


def test_a_time_budget_is_kept_and_the_rest_says_so():
    slow = wg.wrap(lambda rows: (__import__("time").sleep(0.05), rows["a"].to_numpy())[1], X[["a", "b", "c"]], task="regression")
    curves = wg.explain(slow, pd.concat([X[["a", "b", "c"]]] * 2), method="pdp", features=["a"], grid=2000, budget="1ms")
    assert set(curves.status) <= {"ok", "the time budget ran out before this row"}
    few = wg.explain(wg.wrap(lambda rows: rows["a"].to_numpy(), X, task="regression"), X, method="pdp", budget=40)
    assert sum(len(points) for points in few.grid.values()) <= 40


def test_threads_change_no_bit():
    model = wg.wrap(CLASSES, X, Y > 0.5)
    many = pd.concat([X] * 20)
    assert wg.explain(model, many, method="pdp", executor=ONE) == wg.explain(model, many, method="pdp", executor=wg.Executor(threads=2))
