"""Shapley explainers: spaces, outputs, backgrounds, and rows that go wrong."""

import threading
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from random_forests import random_forest, random_rows
from sklearn.linear_model import LinearRegression, LogisticRegression

import whyglass as wg
from whyglass.core.ask import Ask, Budget
from whyglass.core.errors import InputError, ModelError, UnsupportedError
from whyglass.core.executor import Cancelled, Executor
from whyglass.core.forest import Linear
from whyglass.core.model import Model
from whyglass.core.schema import Column, Dataset, Schema
from whyglass.explainers.links import through
from whyglass.explainers.maskers.tabular import Columns
from whyglass.explainers.shapley import enumerated, linear, sampled, tree, tree_enumerated
from whyglass.kernels import forest as sums

METHODS = (tree, tree_enumerated, enumerated, sampled)


def forest_model(seed=0, outputs=("no", "yes"), link="sigmoid", **options):
    forest = replace(random_forest(seed, outputs=1 if link == "sigmoid" else len(outputs), **options), link=link)
    columns = [Column(f"c{j}", "categorical" if j == 1 else "numeric", categories=tuple("abc") if j == 1 else ()) for j in range(5)]
    schema = Schema(tuple(columns))
    data = Dataset(schema, random_rows(seed + 1, 60, 5))
    abilities = {"trees": lambda: forest, "predict": lambda frame: through(sums.predict(forest, frame), link, 2)}
    return Model("Hand made", "trees", "classification", outputs, schema, abilities, data=data)


def ask(model, rows=6, **options):
    matrix = random_rows(9, rows, len(model.schema))
    return Ask(model, Dataset(model.schema, matrix, **{k: options.pop(k) for k in ("problems",) if k in options}), **options)


def adds_up(why):
    return np.abs(why.base_values + why.values.sum(axis=1) - why.predictions).max()


@pytest.mark.parametrize("link", ["sigmoid", "softmax"])
@pytest.mark.parametrize("method", [tree_enumerated, enumerated, sampled])
def test_probabilities_have_one_output_a_class(method, link):
    model = forest_model(1, link=link)
    why = method.explain(ask(model, space="probability"))
    assert why.output_names == ("no", "yes")
    assert why.space == "probability"
    assert why.exact
    assert np.allclose(why.values[:, :, 0], -why.values[:, :, 1], atol=1e-12)
    assert adds_up(why) <= 1e-12
    reference = tree_enumerated.explain(ask(model, space="probability"))
    assert np.abs(why.values - reference.values).max() <= 1e-12


@pytest.mark.parametrize("method", METHODS)
def test_a_binary_margin_speaks_of_the_positive_class(method):
    why = method.explain(ask(forest_model(2), space="margin"))
    assert why.output_names == ("yes",)
    assert why.space == "margin"
    assert adds_up(why) <= 1e-12


@pytest.mark.parametrize("method", [tree_enumerated, enumerated, sampled])
def test_only_the_outputs_asked_for(method):
    model = forest_model(3)
    whole = method.explain(ask(model, space="probability"))
    part = method.explain(ask(model, space="probability", outputs=(1,)))
    assert part.output_names == ("yes",)
    assert np.array_equal(part.values, whole.values[:, :, 1:])


@pytest.mark.parametrize("method", METHODS)
def test_no_rows_is_an_empty_answer(method):
    why = method.explain(ask(forest_model(), rows=0))
    assert why.values.shape[:2] == (0, 5)
    assert len(why) == 0


@pytest.mark.parametrize("method", METHODS)
def test_rows_with_known_problems_are_left_blank(method):
    problems = ("", "an infinity", "", "", "", "")
    why = method.explain(ask(forest_model(), problems=problems))
    clean = method.explain(ask(forest_model()))
    assert why.status == ("ok", "an infinity", "ok", "ok", "ok", "ok")
    assert np.isnan(why.values[1]).all()
    assert np.isnan(why.base_values[1]).all()
    assert np.array_equal(np.delete(why.values, 1, axis=0), np.delete(clean.values, 1, axis=0))


def test_path_dependent_values_refuse_what_they_cannot_do():
    model = forest_model()
    with pytest.raises(UnsupportedError, match="interventional"):
        tree.explain(ask(model, space="probability"))
    with pytest.raises(InputError, match="no background"):
        tree.explain(ask(model, background=model.data))
    with pytest.raises(UnsupportedError, match="margin or probability"):
        tree_enumerated.explain(ask(model, space="value"))


def test_a_coarse_answer_carries_errors_and_the_whole_one_none():
    model = forest_model(4)
    coarse = tree_enumerated.explain(ask(model, space="probability", params={"first": 20}))
    whole = tree_enumerated.explain(ask(model, space="probability"))
    assert not coarse.exact
    assert whole.exact
    assert coarse.provenance.params == {"first": 20, "kernel": "enumeration", "unknown": "all 60 training rows (20 of them used)"}
    assert "20 of them used" in coarse.background_note
    assert np.mean(np.abs(coarse.values - whole.values) <= 2 * coarse.std_errors + 1e-12) > 0.8
    with pytest.raises(InputError, match="first="):
        tree_enumerated.explain(ask(model, params={"first": 0}))


def test_time_shortens_the_background_or_ends_the_work():
    model = forest_model(4)
    enough = tree_enumerated.explain(ask(model, budget=Budget.read("20s")))
    assert enough.exact
    none = tree_enumerated.explain(ask(model, budget=Budget(deadline=0.0)))
    assert all("time budget" in s for s in none.status)


def test_too_many_columns_for_every_coalition():
    schema = Schema(tuple(Column(f"c{j}") for j in range(30)))
    forest = random_forest(0, n_features=30, trees=20, categories=())
    data = Dataset(schema, np.zeros((3, 30)))
    model = Model("Wide", "trees", "regression", ("y",), schema, {"trees": lambda: forest}, data=data)
    with pytest.raises(UnsupportedError, match="up to 14"):
        tree_enumerated.explain(Ask(model, data))
    with pytest.raises(UnsupportedError, match="up to 14"):
        enumerated.explain(Ask(model, data))
    small = forest_model()
    with pytest.raises(UnsupportedError, match="32 coalitions"):
        enumerated.explain(ask(small, budget=Budget(evaluations=31)))


def test_a_sum_that_fits_no_output_is_an_error():
    model = forest_model(outputs=("a", "b", "c"))
    with pytest.raises(ModelError, match="adds up 1 outputs"):
        tree.explain(ask(model))


def test_no_data_means_nothing_stands_for_unknown():
    model = forest_model()
    bare = Model(model.name, model.kind, model.task, model.outputs, model.schema, model.abilities)
    for method in (tree_enumerated, enumerated, sampled):
        with pytest.raises(InputError, match="background"):
            method.explain(ask(bare))
    empty = Dataset(model.schema, np.zeros((0, 5)))
    with pytest.raises(InputError, match="no rows"):
        Columns(empty.matrix)


@pytest.mark.parametrize("method", [tree_enumerated, enumerated, sampled])
def test_threads_and_batches_change_nothing(method):
    model = forest_model(6)
    whole = method.explain(ask(model, space="probability", executor=Executor(1)))
    again = method.explain(ask(model, space="probability", executor=Executor(3)))
    assert np.array_equal(whole.values, again.values)
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        method.explain(ask(model, executor=Executor(1, cancel=stop)))


def frame(rows=60):
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(rows, 3)), columns=["a", "b", "c"])


@pytest.mark.parametrize("method", ["shap.enumerated", "shap.sampled"])
def test_a_model_that_fails_on_one_row_loses_only_that_row(method):
    X = frame()

    def model(rows):
        if (rows["a"] == 99).any():
            msg = "no such age"
            raise ZeroDivisionError(msg)
        return np.where(rows["b"] == 77, np.nan, rows["a"] * rows["b"] + rows["c"])

    wrapped = wg.wrap(model, X, task="regression")
    rows = X[:5].copy()
    rows.iloc[1, 0], rows.iloc[3, 1] = 99.0, 77.0
    why = wg.explain(wrapped, rows, method=method)
    assert why.status[1] == "the model raised ZeroDivisionError: no such age"
    assert why.status[3] == "the model answered NaN"
    assert np.isnan(why.values[[1, 3]]).all()
    good = [0, 2, 4]
    alone = wg.explain(wrapped, rows.iloc[good], method=method)
    assert np.array_equal(why.values[good], alone.values)


def test_a_model_that_fails_on_the_background_is_an_error():
    X = frame()
    wrapped = wg.wrap(lambda rows: rows["a"].to_numpy(), X, task="regression")
    broken = Model(
        wrapped.name, wrapped.kind, wrapped.task, wrapped.outputs, wrapped.schema,
        {"predict": lambda rows: np.full(len(rows), np.nan)}, data=wrapped.data, frame=wrapped.frame,
    )  # fmt: skip
    with pytest.raises(ModelError, match="background rows cannot be used"):
        wg.explain(broken, X[:2])


def test_a_model_that_changes_shape_is_an_error_not_a_status():
    X = frame()
    wrapped = wg.wrap(lambda rows: rows["a"].to_numpy(), X, task="regression")
    broken = Model(
        wrapped.name, wrapped.kind, wrapped.task, wrapped.outputs, wrapped.schema,
        {"predict": lambda rows: np.zeros((len(rows) + 1, 1))}, data=wrapped.data, frame=wrapped.frame,
    )  # fmt: skip
    with pytest.raises(ModelError, match="wanted"):
        wg.explain(broken, X[:2])


def test_a_callable_cannot_be_asked_for_its_margin():
    X = frame()
    with pytest.raises(UnsupportedError, match="margin"):
        wg.explain(wg.wrap(lambda rows: rows["a"].to_numpy(), X, task="regression"), X[:2], space="margin")


def test_linear_values_are_what_enumeration_finds():
    X = frame()
    model = wg.wrap(LinearRegression().fit(X, X["a"] - 2 * X["b"]), X, task="regression")
    background = X[10:40]
    exact = wg.explain(model, X[:4], method="shap.linear", background=background)
    asked = wg.explain(model, X[:4], method="shap.enumerated", background=background)
    assert np.abs(exact.values - asked.values).max() <= 1e-12
    assert np.abs(exact.values + asked.values).max() > 1e-2
    assert "30 background rows" in exact.background_note
    assert "all 60 training rows" in wg.explain(model, X[:4]).background_note


def test_a_logistic_margin_is_enumerated_exactly_too():
    X = frame()
    model = wg.wrap(LogisticRegression().fit(X, (X["a"] > 0).astype(int)), X, (X["a"] > 0).astype(int).to_numpy())
    exact = wg.explain(model, X[:4], background=X[:20])
    asked = wg.explain(model, X[:4], method="shap.enumerated", space="margin", background=X[:20])
    assert exact.output_names == asked.output_names
    assert np.abs(exact.values - asked.values).max() <= 1e-12


def linear_model(missing):
    model = Linear(
        coefficients=np.array([[2.0, 0.0, -1.0]]), intercept=np.array([0.5]), missing=np.array([missing, np.nan, 0.0]),
        tables={1: np.array([[1.0, 3.0, 10.0, 20.0]])}, space="value",
    )  # fmt: skip
    schema = Schema((Column("n"), Column("k", "categorical", categories=("p", "q")), Column("m")))
    data = Dataset(schema, np.array([[0.0, 0.0, 0.0], [2.0, 1.0, 4.0]]))
    return Model("Linear", "linear", "regression", ("y",), schema, {"linear": lambda: model}, data=data)


def test_linear_tables_know_missing_and_unseen():
    model = linear_model(missing=7.0)
    rows = np.array([[np.nan, np.nan, np.nan], [1.0, -1.0, 1.0], [1.0, 5.0, 1.0], [1.0, 1.0, 1.0]])
    why = linear.explain(Ask(model, Dataset(model.schema, rows)))
    assert np.allclose(why.predictions[:, 0], [0.5 + 14 + 10, 0.5 + 2 + 20 - 1, 0.5 + 2 + 20 - 1, 0.5 + 2 + 3 - 1])
    assert np.allclose(why.base_values[:, 0], 0.5 + 2 + 2 - 2)
    assert adds_up(why) <= 1e-12


def test_a_linear_model_that_refuses_missing_values_says_which_column():
    model = linear_model(missing=np.nan)
    rows = np.array([[np.nan, 0.0, 0.0], [1.0, 0.0, 0.0]])
    why = linear.explain(Ask(model, Dataset(model.schema, rows)))
    assert why.status == ("'n' is missing or infinite, which the model refuses", "ok")
    assert np.isnan(why.values[0]).all()
    holes = Dataset(model.schema, np.full((2, 3), np.nan))
    with pytest.raises(InputError, match="Every background row"):
        linear.explain(Ask(model, holes, background=holes))
    with pytest.raises(UnsupportedError, match="closed form"):
        linear.explain(Ask(model, holes, space="probability"))
    bare = Model("Linear", "linear", "regression", ("y",), model.schema, model.abilities)
    with pytest.raises(InputError, match="average"):
        linear.explain(Ask(bare, holes))
