"""LIME beside the contributions of a case: the method's own numbers, those given to ``show``, and what a report carries of them."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier

import whyglass as wg
from whyglass.core.errors import InputError, UnsupportedError
from whyglass.explainers.bins import quartile_bins
from whyglass.views import surrogates


class Turn:
    cancelled = False

    def progress(self, answer):
        raise AssertionError(f"one answer is enough, {answer} came before it")


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"hours": rng.integers(10, 70, 300), "school": rng.integers(1, 16, 300), "age": rng.normal(40, 9, 300)})
    X["job"] = pd.Categorical(rng.choice(["sales", "chief", "clerk"], 300))
    X.loc[5, "age"] = np.nan
    pay = X["hours"] * 0.05 + X["school"] * 0.3 + (X["job"] == "chief") * 2 + X["age"].fillna(30) * 0.01
    return X, pay.to_numpy()


@pytest.fixture(scope="module")
def model(table):
    X, pay = table
    y = (pay > 5).astype(int)
    return wg.wrap(HistGradientBoostingClassifier(max_iter=8, categorical_features="from_dtype", random_state=0).fit(X, y), X, y)


@pytest.fixture(scope="module")
def rows(table):
    X = table[0]
    matrix = X.drop(columns="job").assign(job=X["job"].cat.codes).astype(float).to_numpy()
    return [[None if np.isnan(v) else v for v in row] for row in matrix.tolist()]


@pytest.fixture(scope="module")
def pair(model, table):
    X = table[0][:30]
    return wg.explain(model, X, space="probability"), wg.explain(model, X, method="lime", sampling="local", n_samples=600, seed=3)


def ask(view, **args):
    return view.actions["surrogate"].run(args, Turn()).value


def test_the_model_is_asked_for_limes_own_coefficients(model, table, rows):
    view = wg.show(model)
    assert view.meta["surrogate"]["source"] == "asked"
    for i in (0, 5, 17):
        own = wg.explain(model, table[0][i : i + 1], method="lime", space="probability")
        for output in (0, 1):
            found = ask(view, row=rows[i], output=output)
            assert found["values"] == own.values[0, :, output].tolist()
            assert found["errors"] == [float(e) if np.isfinite(e) else None for e in own.std_errors[0, :, output]]
            assert found["tied"] == (own.fidelity["tied"][0, :, output] == 1).tolist()
            assert found["r2"] == own.fidelity["r2"][0, output]
            assert (found["draws"], found["given"]) == (5000, False)
    json.dumps([view.meta["surrogate"], found])


def test_edits_are_asked_about_as_they_are(model, table, rows):
    edited = [60.0, *rows[0][1:3], 1.0]
    X = table[0][:1].assign(hours=60, job=pd.Categorical(["clerk"], categories=table[0]["job"].cat.categories))
    own = wg.explain(model, X, method="lime", space="probability")
    assert ask(wg.show(model), row=edited)["values"] == own.values[0, :, 1].tolist()


def test_without_sampling_where_the_trees_add_up(model, table, rows):
    margin = ask(wg.show(model), row=rows[1], space="margin")
    own = wg.explain(model, table[0][1:2], method="lime", space="margin", sampling="exact")
    assert (margin["values"], margin["errors"], margin["draws"]) == (own.values[0, :, 0].tolist(), None, 0)
    X, pay = table
    known = X[["hours", "school"]]
    forest = wg.wrap(RandomForestClassifier(10, max_depth=4, random_state=0).fit(known, pay > 5), known, pay > 5)
    assert ask(wg.show(forest), row=[40.0, 9.0])["draws"] == 0


def test_bins_end_where_lime_ends_them(model):
    bins = quartile_bins(model.data)
    edges = wg.show(model).meta["surrogate"]["edges"]
    assert len(edges) == 4
    for mine, theirs in zip(edges, bins.edges, strict=True):
        assert mine == (None if theirs is None else theirs.tolist())


@pytest.mark.parametrize("args", [{"output": 2}, {"output": True}, {"output": "1"}, {"output": -1}, {"row": [1.0]}, {"row": "x"}])
def test_what_is_not_understood_is_refused(model, rows, args):
    with pytest.raises(InputError):
        ask(wg.show(model), **{"row": rows[0], **args})


def test_a_row_that_the_model_does_not_answer_says_so(table, rows):
    X, pay = table
    inner = HistGradientBoostingRegressor(max_iter=3, categorical_features="from_dtype").fit(X, pay)

    def say(frame):
        return np.where(frame["hours"] > 65, np.nan, inner.predict(frame))

    known = X["hours"] <= 65
    view = wg.show(wg.wrap(say, X[known], pay[known], task="regression"))
    assert view.meta["asks"] == "when pressed"
    assert ask(view, row=rows[0])["draws"] == 5000
    with pytest.raises(UnsupportedError, match="NaN"):
        ask(view, row=[69.0, *rows[0][1:]])


def test_a_given_result_answers_for_its_rows_and_its_settings_for_others(model, table, rows, pair):
    why, lime = pair
    view = wg.show(why, lime)
    assert view.meta["surrogate"]["source"] == "given"
    assert view.meta["python"]["call"].endswith(
        ', wg.explain(model, X_test, method="lime", space="probability", n_samples=600, sampling=\'local\', seed=3)'
    )
    for i in (0, 5, 29):
        found = ask(view, row=rows[i])
        assert found["given"]
        assert found["values"] == lime.values[i, :, 1].tolist()
        assert found["r2"] == pytest.approx(lime.fidelity["r2"][i, 1])
        assert found["draws"] == 600
    for given in ([*rows[0][:2], 41.25, 0.0], rows[40]):
        found = ask(view, row=given)
        assert (found["given"], found["draws"]) == (False, 600)
    own = wg.explain(model, table[0][40:41], method="lime", sampling="local", n_samples=600, seed=3, space="probability")
    assert found["values"] == own.values[0, :, 1].tolist()
    assert ask(view, row=rows[0], space="margin")["given"] is False
    swapped = wg.show(lime, why)
    assert ask(swapped, row=rows[0]) == ask(view, row=rows[0]), "either may come first"


def test_a_model_takes_a_given_result_beside_it(model, rows, pair):
    view = wg.show(model, pair[1])
    assert view.name == "workbench"
    assert ask(view, row=rows[3])["given"]
    assert (view.meta["n_rows"], view.meta["surrogate"]["source"]) == (300, "given")


def unpacked(table):
    frame = pa.ipc.open_stream(io.BytesIO(table)).read_all().to_pandas()
    names = [c for c in frame if c[0] == "w" and c[1:].isdigit()]
    errors = [f"e{c[1:]}" for c in names]
    return frame["id"].tolist(), frame[names].to_numpy() * frame["step"].to_numpy()[:, None], frame, errors


@pytest.mark.parametrize("embed_model", [True, False])
def test_a_report_carries_what_was_given(pair, embed_model):
    why, lime = pair
    meta, tables = wg.show(why, lime, embed_model=embed_model).freeze()
    assert meta["surrogate"]["source"] == "given"
    ids, values, frame, errors = unpacked(tables["surrogate"])
    assert ids == list(range(30))
    wanted = lime.values[:, :, 1]
    assert np.abs(values - wanted).max() <= np.abs(wanted).max() / 2_000 + 1e-12
    assert np.abs(values[:, ::-1] - wanted).max() > 0.01, "the check sees columns that are turned round"
    spread = frame[errors].to_numpy() * frame["error_step"].to_numpy()[:, None]
    se = lime.std_errors[:, :, 1]
    known = np.isfinite(se)
    assert ((spread - se)[known] >= -1e-12).all(), "no error is written smaller than it is"
    assert ((spread - se)[known] <= se[known].max() / 250 + 1e-12).all()
    assert (frame[errors].to_numpy()[~known] == 255).all()
    ties = lime.fidelity["tied"][:, :, 1]
    assert 0 < ties.mean() < 1
    assert np.array_equal(frame[[f"t{name[1:]}" for name in errors]].to_numpy(), ties)
    assert frame["r"].to_numpy() == pytest.approx(lime.fidelity["r2"][:, 1], abs=1e-6)


def test_a_report_without_a_given_result_carries_nothing(model, pair):
    for view in (wg.show(model), wg.show(pair[0])):
        meta, tables = view.freeze()
        assert meta["surrogate"] is None
        assert "surrogate" not in tables


def test_saved_results_are_shown_beside_each_other_without_their_model(pair, rows):
    why, lime = (wg.Attribution.from_wire(*r.to_wire()) for r in pair)
    view = wg.show(why, lime)
    assert view.meta["surrogate"] == {"source": "given", "edges": []}
    assert ask(view, row=rows[4])["values"] == lime.values[4, :, view.meta["output"]].tolist()
    with pytest.raises(UnsupportedError, match="cannot be asked"):
        ask(view, row=rows[40])
    assert "surrogate" in view.freeze()[1]


def test_results_that_do_not_belong_together_are_refused(model, table, pair):
    why, lime = pair
    X, pay = table
    with pytest.raises(InputError, match="different rows"):
        wg.show(why, lime[:10])
    with pytest.raises(InputError, match="different models"):
        wg.show(why, lime.with_provenance(model_hash="another"))
    with pytest.raises(InputError, match="no output in common"):
        wg.show(why, replace(lime, output_names=("x", "y")))
    with pytest.raises(InputError, match="columns or groups"):
        wg.show(wg.explain(model, X[:30], groups={"both": ["hours", "age"]}), lime)
    with pytest.raises(InputError, match="log loss"):
        wg.show(wg.explain(model, X[:30], y=(pay[:30] > 5).astype(int), space="log_loss"), lime)
    with pytest.raises(InputError, match="margin and in probability"):
        wg.show(*(wg.Attribution.from_wire(*r.to_wire()) for r in (wg.explain(model, X[:30]), lime)))
    with pytest.raises(InputError, match="3 results"):
        wg.show(why, lime, lime)
    with pytest.raises(InputError, match="2 results"):
        wg.show(why, why)


def test_bars_of_the_margin_stand_beside_coefficients_of_the_chance(model, table, pair, rows):
    view = wg.show(wg.explain(model, table[0][:30]), pair[1])
    assert ask(view, row=rows[2])["given"], "the page shows percentage points, as the coefficients do"
    inside = wg.explain(model, table[0][:30], method="lime", space="margin", sampling="exact")
    assert wg.show(pair[0], inside).state["space"] == "margin"


def test_rows_are_told_apart_by_their_values():
    row = np.array([0.0, np.nan, 1.5])
    other = row.copy()
    other[1] = -np.float64(np.nan)
    assert surrogates._key(row) == surrogates._key(np.array([-0.0, 0.0, 1.5]) + np.array([0.0, np.nan, 0.0])) == surrogates._key(other)
    assert surrogates._key(row) != surrogates._key(np.array([0.0, np.nan, 1.5000001]))
