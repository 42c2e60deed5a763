"""Effects of models and rows that are not as they should be: a clear answer each time, and never an exception out of a batch."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

import whyglass as wg
from whyglass.core.errors import InputError

SCRIPT = "<script>alert(1)</script>"
METHODS = ["pdp", "ice", "ale", "permutation"]
CURVES = METHODS[:3]


def table(rows=200):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(rows, 4)), columns=["a", "b", SCRIPT, "größe"])
    return X, (X["a"] + X["b"] > 0).astype(int).to_numpy()


X, Y = table()
FOREST = RandomForestClassifier(5, max_depth=3, random_state=0).fit(X, Y)
MODEL = wg.wrap(FOREST, X, Y)


def ask(model, rows, method, outcomes=None, **options):
    if method == "permutation":
        options = {"y": outcomes if outcomes is not None else Y[: len(rows)], **options}
    return wg.explain(model, rows, method=method, **options)


def numbers(answer):
    return [answer.values] if isinstance(answer.values, np.ndarray) else list(answer.values.values())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["callable", "one class"])
def test_nothing_moves_a_constant_model(method, kind):
    if kind == "callable":
        model, outcomes = wg.wrap(lambda rows: np.full(len(rows), 3.0), X, task="regression"), X["a"][:50].to_numpy()
    else:
        zeros = np.zeros(len(X), int)
        model, outcomes = wg.wrap(RandomForestClassifier(3, random_state=0).fit(X, zeros), X, zeros), zeros[:50]
    answer = ask(model, X[:50], method, outcomes)
    assert set(answer.status) == {"ok"}
    assert all(np.ptp(values) <= 1e-15 for values in numbers(answer))
    assert isinstance(repr(answer), str)


@pytest.mark.parametrize("method", METHODS)
def test_five_thousand_categories_are_asked_about_the_most_frequent(method):
    rng = np.random.default_rng(1)
    names = [f"c{i}" for i in range(5000)]
    rows = X.assign(city=pd.Categorical(rng.choice(names, len(X)), categories=names))
    model = wg.wrap(lambda f: f["a"].to_numpy() + f["city"].cat.codes.to_numpy() % 7, rows, task="regression")
    answer = ask(model, rows[:50], method, X["a"][:50].to_numpy())
    assert set(answer.status) == {"ok"}
    if method != "permutation":
        assert 2 <= len(answer.grid["city"]) <= 1000


@pytest.mark.parametrize("method", METHODS)
def test_missing_values_in_rows_are_values_like_others(method):
    rows = X.copy()
    rows.loc[rows.index[:5], "a"] = np.nan
    fitted = HistGradientBoostingClassifier(max_iter=5, random_state=0).fit(rows, Y)
    answer = ask(wg.wrap(fitted, rows, Y), rows[:50], method)
    assert set(answer.status) == {"ok"}
    assert all(np.isfinite(values).all() for values in numbers(answer))


def test_one_answer_that_is_not_a_number_costs_one_row_of_one_curve():
    spoilt = X["b"].iloc[3]

    def model(rows):
        said = (rows["a"] + rows["b"]).to_numpy().copy()
        said[(rows["b"].to_numpy() == spoilt) & (rows["a"].to_numpy() > 1)] = np.nan
        return said

    rows = X[:50]
    curves = ask(wg.wrap(model, X, task="regression"), rows, "pdp", features=["a", "größe"])
    assert set(curves.status) == {"ok"}, "the row has a part in the other curve, and an answer at some points of this one"
    assert curves.provenance.params["unanswered"]["a"]["rows"] == 1
    assert "größe" not in curves.provenance.params["unanswered"]
    assert "of 1 row: the model answered NaN" in repr(curves)
    kept = rows.drop(rows.index[3])
    assert np.allclose(curves.values["a"][:, 0], curves.grid["a"] + kept["b"].mean(), atol=1e-12)
    assert np.allclose(curves.values["größe"][:, 0], (rows["a"] + rows["b"]).mean(), atol=1e-12), "the other curve keeps the row"
    own = ask(wg.wrap(model, X, task="regression"), rows, "ice", features=["a"])
    assert np.isnan(own.values["a"][3]).any()
    assert np.isfinite(np.delete(own.values["a"], 3, axis=0)).all()


@pytest.mark.parametrize("pairs", [(), [("a", "b")]])
def test_a_point_that_no_row_is_answered_at_is_a_gap(pairs):
    gap = X["a"].max()

    def model(rows):
        said = (rows["a"] + rows["b"]).to_numpy().copy()
        said[rows["a"].to_numpy() == gap] = np.nan
        return said

    curves = ask(wg.wrap(model, X, task="regression"), X[:50], "pdp", features=["a", "b"], pairs=pairs)
    known = np.isfinite(curves.values["a"][:, 0])
    assert known.tolist() == [True] * (len(known) - 1) + [False]
    assert np.allclose(curves.values["a"][:-1, 0], curves.grid["a"][:-1] + X["b"][:50].mean(), atol=1e-12)
    assert np.isfinite(curves.values["b"]).all()
    assert "a: moves" in repr(curves)
    if pairs:
        assert np.isnan(curves.values["a", "b"][-1]).all()
        assert np.isfinite(curves.values["a", "b"][:-1]).all()
        assert np.isnan(curves.strength["a", "b"]).all()


def test_accumulated_effects_say_whose_step_was_not_answered():
    edge = np.quantile(X["a"], 0.5)

    def model(rows):
        said = (rows["a"] + rows["b"]).to_numpy().copy()
        said[rows["a"].to_numpy() == edge] = np.nan
        return said

    edges = {"a": [X["a"].min() - 1, edge, X["a"].max() + 1], "b": [-9.0, 9.0]}
    curves = ask(wg.wrap(model, X, task="regression"), X[:20], "ale", grid=edges, features=["a", "b"])
    assert all("NaN" in status for status in curves.status)
    assert np.isfinite(curves.values["b"]).all()


def test_permutation_says_how_many_rows_were_not_answered():
    rows = X[:50]

    def model(frame):
        said = (frame["a"] + frame["b"]).to_numpy().copy()
        said[(frame["b"].to_numpy() == rows["b"].iloc[3]) & (frame["a"].to_numpy() != rows["a"].iloc[3])] = np.nan
        return said

    found = ask(wg.wrap(model, X, task="regression"), rows, "permutation", (rows["a"] + rows["b"]).to_numpy())
    assert np.isfinite(found.values).all()
    assert found.provenance.params["rows_unanswered"]["a"] == 1
    assert "größe" not in found.provenance.params["rows_unanswered"]
    assert found.values[0, 0, 0] > 0.5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"features": ["grösse"]}, "Did you mean 'größe'"),
        ({"features": ["<script>alert(2)</script>"]}, "Did you mean '<script>alert"),
        ({"grid": 1}, "from 2 up"),
    ],
)
@pytest.mark.parametrize("method", CURVES)
def test_what_is_not_understood_is_explained(method, options, words):
    with pytest.raises(InputError, match=words):
        ask(MODEL, X[:5], method, **options)


@pytest.mark.parametrize("method", ["pdp", "ale"])
def test_a_column_is_no_pair_with_itself(method):
    with pytest.raises(InputError, match="two different columns"):
        ask(MODEL, X[:5], method, pairs=[("a", "a")])


@pytest.mark.parametrize("method", METHODS)
def test_odd_names_constant_columns_one_row_and_no_rows(method):
    rows = X.assign(b=1.0)
    model = wg.wrap(RandomForestClassifier(5, max_depth=3, random_state=0).fit(rows, Y), rows, Y)
    answer = ask(model, rows[:30], method)
    assert SCRIPT in repr(answer) or method == "permutation"
    if method == "permutation":
        assert answer.feature_names == tuple(X.columns)
        assert answer.values[0, 1, 0] == 0.0
    else:
        assert answer.features == tuple(X.columns)
        assert answer.grid["b"].tolist() == [1.0]
    one, none = ask(MODEL, X[:1], method), ask(MODEL, X[:0], method)
    if method == "permutation":
        assert "at least two rows" in one.status[0]
        assert all(np.isnan(values).all() for values in numbers(one))
    else:
        assert one.status == ("ok",)
        assert all(np.isfinite(values).all() for values in numbers(one))
    assert len(none) == (1 if method == "permutation" else 0)
    assert isinstance(repr(none), str)


@pytest.mark.parametrize("method", CURVES)
def test_an_infinite_value_is_no_value(method):
    answer = ask(MODEL, pd.concat([X[:3], X[3:4].assign(a=np.inf)]), method, features=["b"])
    assert answer.status[:3] == ("ok",) * 3
    assert "infinite" in answer.status[3]
    rest = ask(MODEL, X[:3], method, features=["b"])
    whole = answer.values["b"][:3] if method == "ice" else answer.values["b"]
    assert np.array_equal(whole, rest.values["b"])


def test_outcomes_of_another_length_of_one_class_or_unknown():
    with pytest.raises(InputError, match="wanted one outcome a row"):
        ask(MODEL, X[:50], "permutation", Y[:20])
    with pytest.raises(InputError, match="of which the model predicts none"):
        ask(MODEL, X[:50], "permutation", np.full(50, 7))
    with pytest.raises(InputError, match="pass y="):
        wg.explain(MODEL, X[:50], method="permutation")
    one_class = ask(MODEL, X[:50], "permutation", np.zeros(50, int))
    assert np.isfinite(one_class.values).all()
    some = ask(MODEL, X[:50], "permutation", np.concatenate([[7], Y[1:50]]))
    assert some.provenance.params["rows"] == 49
