"""Any function can be wrapped; what it answers is found out on a few rows, counted, and checked."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from whyglass.adapters import frames
from whyglass.adapters.models.callable import adapt
from whyglass.core.errors import InputError, ModelError
from whyglass.core.wanted import Wanted

N = 120


def table(kind="pandas"):
    rng = np.random.default_rng(1)
    columns = {"age": rng.integers(18, 90, N), "hours": rng.normal(40, 5, N), "job": np.arange(N) % 3}
    return frames.build(columns, kind, categories={"job": ["clerk", "cook", "pilot"]})


def wanted(kind="pandas", y=None, **more):
    return Wanted(frames.read(table(kind), y=y), **more)


def score(X):
    return np.asarray(X["age"], dtype=float) / 100


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow", "numpy"])
def test_function_gets_the_kind_of_frame_that_was_given(kind):
    seen = []

    def f(X):
        seen.append(X)
        return np.zeros(len(X))

    given = table(kind)
    model = adapt(f, Wanted(frames.read(given)))
    assert model.predict(given).shape == (N, 1)
    assert {type(X) for X in seen} == {type(given)}
    if kind == "pandas":
        assert all(X.dtypes.equals(given.dtypes) for X in seen)
    elif kind == "polars":
        assert all(X.schema == given.schema for X in seen)
    elif kind == "arrow":
        assert all(X.schema.equals(given.schema) for X in seen)


def test_numbers_are_a_regression():
    model = adapt(lambda X: 3 * X["age"], wanted())
    assert (model.task, model.outputs) == ("regression", ("prediction",))
    assert np.array_equal(model.predict(table())[:, 0], 3.0 * table()["age"])


def test_rows_that_sum_to_one_are_a_classification():
    model = adapt(lambda X: np.column_stack([score(X), 1 - score(X)]), wanted(y=["b"] * 20 + ["a"] * 100))
    assert (model.task, model.outputs) == ("classification", ("a", "b"))


def test_columns_that_do_not_sum_to_one_are_several_numbers():
    model = adapt(lambda X: np.column_stack([score(X), score(X)]), wanted())
    assert (model.task, model.outputs) == ("regression", ("prediction 0", "prediction 1"))


@pytest.mark.parametrize("y", [["no", "yes"] * 60, [0, 1] * 60, [False, True] * 60])
def test_one_column_of_shares_with_two_recorded_classes_is_the_second_class(y):
    model = adapt(score, wanted(y=y))
    assert model.task == "classification"
    assert model.outputs == tuple(str(v) for v in sorted(set(y)))
    answer = model.predict(table())
    assert np.allclose(answer.sum(axis=1), 1)
    assert np.array_equal(answer[:, 1], score(table()))


@pytest.mark.parametrize("y", [["a", 1] * 60, [np.datetime64("2024-01-01")] * 120, [0.5, 1.5] * 60, list(range(120)), [None, np.nan] * 60])
def test_outcomes_that_are_no_classes(y):
    assert adapt(score, wanted(y=np.array(y, dtype=object))).task == "regression"


def test_recorded_whole_numbers_name_three_outputs():
    model = adapt(lambda X: np.full((len(X), 3), 1 / 3), wanted(y=[2.0, 0.0, 10.0] * 40))
    assert model.outputs == ("0", "2", "10")


def test_asked_for_classification_without_y():
    model = adapt(score, wanted(task="classification"))
    assert model.outputs == ("class 0", "class 1")
    assert adapt(score, wanted()).task == "regression"


def test_names_can_be_given():
    assert adapt(score, wanted(task="classification", outputs=("no", "yes"))).outputs == ("no", "yes")
    with pytest.raises(ModelError, match="has 2 outputs, outputs= names 3"):
        adapt(score, wanted(task="classification", outputs=("a", "b", "c")))


def test_method_of_an_estimator_lends_its_class_names():
    class Estimator:
        classes_ = np.array(["cat", "dog"])

        def predict_proba(self, X):
            return np.column_stack([score(X), 1 - score(X)])

    model = adapt(Estimator().predict_proba, wanted())
    assert model.outputs == ("cat", "dog")
    assert model.name.endswith("Estimator.predict_proba")


def test_wrap_counts_its_own_calls_apart():
    calls = []

    def f(X):
        calls.append(len(X))
        return score(X)

    model = adapt(f, wanted())
    assert (model.provenance["wrap_calls"], model.provenance["wrap_rows"]) == (len(calls), sum(calls)) == (1, 50)
    assert model.counter.snapshot() == (0, 0)
    model.predict(table())
    assert model.counter.snapshot() == (1, N)


def test_one_bad_row_does_not_stop_wrap():
    calls = []
    bad = table()["age"].iloc[0]

    def f(X):
        calls.append(len(X))
        if (X["age"] == bad).any():
            message = "no such person"
            raise KeyError(message)
        return score(X)

    model = adapt(f, wanted())
    assert (model.provenance["wrap_calls"], model.provenance["wrap_rows"]) == (len(calls), sum(calls))
    assert sum(calls) <= 100
    with pytest.raises(ModelError, match=r"raised KeyError: 'no such person'.*pandas DataFrame of 1 rows and 3 columns"):
        model.predict(table().iloc[:1])


def test_function_that_always_raises():
    with pytest.raises(ModelError, match="raised ZeroDivisionError"):
        adapt(lambda _: 1 / 0, wanted())


WRONG = {
    "too few rows": lambda X: np.zeros(len(X) - 1),
    "scalar": lambda _: 0.5,
    "three axes": lambda X: np.zeros((len(X), 2, 2)),
    "no outputs": lambda X: np.zeros((len(X), 0)),
    "transposed": lambda X: np.zeros((2, len(X))),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_shapes_say_what_was_wanted(name):
    with pytest.raises(ModelError, match=r"answered with shape .*wanted \(50,\) or \(50, outputs\)"):
        adapt(WRONG[name], wanted())


@pytest.mark.parametrize("answer", ["yes", None, {"p": 1}, 1j])
def test_answers_that_are_no_numbers(answer):
    with pytest.raises(ModelError, match="wanted numbers"):
        adapt(lambda X: np.array([answer] * len(X)), wanted())


def test_probabilities_outside_zero_and_one():
    with pytest.raises(ModelError, match=r"numbers from 0 to 89.*probabilities between 0 and 1"):
        adapt(lambda X: np.where(X["age"] == X["age"].max(), 89.0, X["age"]), wanted(task="classification"))


def test_answers_of_other_libraries():
    for answer in (pd.Series, pl.Series, pa.array, list):
        model = adapt(lambda X, answer=answer: answer(score(X)), wanted())
        assert np.array_equal(model.predict(table())[:, 0], score(table()))


def test_one_row_may_be_squeezed():
    model = adapt(lambda X: np.squeeze(np.column_stack([score(X), 1 - score(X)])), wanted())
    assert model.predict(table().iloc[:1]).shape == (1, 2)


def test_without_rows_or_with_an_unknown_task():
    with pytest.raises(InputError, match="needs rows X"):
        adapt(score, Wanted())
    with pytest.raises(InputError, match="Did you mean 'regression'"):
        adapt(score, wanted(task="regresion"))


def make(weight, bias=0.0):
    table = np.array([weight, bias])
    return lambda X: X["age"] * table[0] + table[1]


def test_hash_sees_code_and_what_it_closes_over():
    hashes = [adapt(f, wanted()).model_hash for f in (make(1.0), make(1.0), make(2.0), score)]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


def test_hash_is_blind_without_the_closure():
    one, two = make(1.0), make(2.0)
    assert one.__code__.co_code == two.__code__.co_code
