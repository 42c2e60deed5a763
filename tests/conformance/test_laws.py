"""One test body for every row of the methods table: each row keeps the laws that it declares."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression

import whyglass as wg
from whyglass.core import registry
from whyglass.core.executor import Executor
from whyglass.core.wire import KINDS

ROWS = registry.rows("methods")
COLUMNS = ["age", "hours", "score", "unused"]


def table(rows=300, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(rows, 4)), columns=COLUMNS)
    y = (frame["age"] + frame["hours"] * frame["score"] + 0.3 * rng.normal(size=rows) > 0).astype(int)
    frame["unused"] = 0.0  # constant while the models learn, and zero, so that not even a penalised intercept can use it
    return frame, y.to_numpy()


def models():
    frame, y = table()
    value = (frame["age"] - frame["hours"]).to_numpy()
    moving = frame.assign(unused=np.arange(len(frame)) % 7 / 7.0)

    def ready(fitted, target):
        return wg.wrap(fitted, moving, target)

    yield "boosting", ready(HistGradientBoostingClassifier(max_iter=15, random_state=0).fit(frame, y), y)
    yield "forest", ready(RandomForestClassifier(8, max_depth=5, random_state=0).fit(frame, y), y)
    yield "regression forest", ready(RandomForestRegressor(8, max_depth=5, random_state=0).fit(frame, value), value)
    yield "logistic", ready(LogisticRegression().fit(frame, y), y)
    yield "linear", ready(LinearRegression().fit(frame, value), value)
    yield (
        "callable",
        wg.wrap(lambda X: np.tanh(X["age"] * X["hours"]).to_numpy() + X["score"].to_numpy() ** 2, moving, value, task="regression"),
    )


MODELS = dict(models())
CASES = [pytest.param(row, MODELS[name], id=f"{row.name}-{name}") for row in ROWS for name in MODELS if row.needs <= MODELS[name].can]


def ask(row, model, X, **options):
    frame, _ = table(40, seed=5)
    if row.background == "always":
        options.setdefault("background", frame)
    if row.outcomes:
        options.setdefault("y", [model.outputs[k % len(model.outputs)] if model.task == "classification" else k for k in range(len(X))])
    if "target" in row.parameters and model.task == "regression":
        options.setdefault("target", (1.0, None))
    return wg.explain(model, X, method=row.name, **options)


def rows_to_explain():
    frame, _ = table(6, seed=9)
    frame["unused"] = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    return frame


def law(name):
    return pytest.mark.parametrize(("row", "model"), [c for c in CASES if name in c.values[0].laws])


def test_every_row_is_met_by_some_model():
    met = {c.values[0].name for c in CASES}
    assert met == {row.name for row in ROWS}


@law("adds_up")
def test_it_adds_up(row, model):
    why = ask(row, model, rows_to_explain())
    total = why.base_values + why.values.sum(axis=1)
    assert np.all(np.abs(total - why.predictions) <= 1e-6 * np.maximum(1, np.abs(why.predictions)))
    assert not np.allclose(why.base_values - why.values.sum(axis=1), why.predictions, atol=1e-3), "the wrong sign must be seen"


@law("adds_up")
def test_predictions_are_the_models_own(row, model):
    X = rows_to_explain()
    why = ask(row, model, X)
    if why.space != "margin":
        assert np.allclose(why.predictions, model.predict(X), atol=1e-9)


@law("seeded")
@pytest.mark.parametrize("threads", [1, 2])
def test_same_call_same_answer(row, model, threads):
    X = rows_to_explain()
    assert ask(row, model, X, seed=3) == ask(row, model, X, seed=3, executor=Executor(threads))


@law("batch_is_rows")
def test_a_batch_is_its_rows(row, model):
    X = rows_to_explain()
    together = ask(row, model, X)
    for position in (0, 4):
        alone = ask(row, model, X.iloc[[position]])
        if row.gives == "Attribution":
            assert np.allclose(alone.values[0], together.values[position], rtol=0, atol=1e-12)
        else:
            assert alone == together[[position]]


@law("column_order")
def test_columns_may_come_in_any_order(row, model):
    X = rows_to_explain()
    turned = ask(row, model, X[COLUMNS[::-1]])
    assert np.allclose(turned.values, ask(row, model, X).values, atol=1e-12)


@law("dummy")
def test_a_column_that_changes_nothing_gets_nothing(row, model):
    why = ask(row, model, rows_to_explain())
    if "linear" in model.can and model.linear().coefficients[0, 3] != 0:
        pytest.fail("the linear model uses the constant column")
    assert np.abs(why.values[:, 3]).max() <= 1e-12
    assert np.abs(why.values[:, 0]).max() > 1e-3, "a column that matters must not look like a dummy"


@law("wire")
@pytest.mark.parametrize("form", ["arrow", "json"])
def test_a_file_gives_it_back(row, model, form, tmp_path):
    why = ask(row, model, rows_to_explain())
    assert wg.load(why.save(tmp_path / f"why.{form}")) == why


def test_shapes_never_depend_on_the_model():
    for entry in CASES:
        row, model = entry.values
        if row.answers != "shap":
            continue
        why = ask(row, model, rows_to_explain())
        assert why.values.dtype == np.float64
        assert why.values.shape == (6, 4, len(why.output_names))
        assert why.exact == (why.std_errors is None)
        assert why.provenance.method == row.name
        assert why.status == ("ok",) * 6


@pytest.mark.parametrize("row", ROWS, ids=lambda r: r.name)
def test_every_row_says_what_it_costs_and_where_it_comes_from(row):
    assert row.cost
    assert row.citation
    assert row.gives in KINDS
