"""Curves where little or nothing was measured: what is unknown is NaN and said so, and rounding is no effect."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

import whyglass as wg
from whyglass.core.errors import InputError


def table(rows=1500):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"Age": rng.integers(18, 90, rows).astype(float), "Hours": rng.integers(10, 60, rows).astype(float)})
    X["Job"] = pd.Categorical(rng.choice(list("abc"), rows))
    return X, (X["Age"] + X["Hours"] > 80).to_numpy()


X, Y = table()
FITTED = HistGradientBoostingClassifier(max_iter=10, categorical_features="from_dtype", random_state=0).fit(X, Y)
TREES, OPAQUE = wg.wrap(FITTED, X, Y), wg.wrap(FITTED.predict_proba, X, Y, outputs=["False", "True"])
BOTH = pytest.mark.parametrize("model", [TREES, OPAQUE], ids=["trees", "callable"])
CURVES = pytest.mark.parametrize("method", ["pdp", "ice", "ale"])


@BOTH
def test_one_row_has_a_change_and_no_error(model, tmp_path):
    found = wg.explain(model, X[:1], method="ale", pairs=[("Age", "Hours")])
    assert np.isnan(found.std_errors["Age"]).all()
    assert np.isfinite(found.values["Age"]).all()
    assert found.measured["Age"].sum() == 1
    assert not found.exact
    assert "exact" not in repr(found)
    assert "Age: moves True by" in repr(found)
    assert re.search(
        r"measured on 1 row: \d+ of \d+ steps hold no row and are drawn flat and 1 of \d+ steps hold a single row", repr(found)
    )
    assert "cells hold no row" in repr(found)
    assert wg.load(found.save(tmp_path / "one.arrow")) == found


@BOTH
def test_the_error_is_unknown_only_where_it_depends_on_a_thin_step(model):
    edges = {"Age": [18.0, 40.0, 60.0, 95.0]}
    rows = pd.concat([X[X["Age"].between(19, 39)][:20], X[X["Age"].between(41, 59)][:20]])
    found = wg.explain(model, rows, method="ale", features=["Age"], grid=edges)
    assert found.measured["Age"].tolist() == [20.0, 20.0, 0.0]
    assert np.isnan(found.std_errors["Age"][:, 1]).tolist() == [False, False, False, True], "no row stands behind the last step"
    assert not found.exact
    filled = wg.explain(model, pd.concat([rows, X[X["Age"] > 60][:2]]), method="ale", features=["Age"], grid=edges)
    assert np.isfinite(filled.std_errors["Age"]).all()
    assert filled.exact
    assert "exact for these rows" in repr(filled)
    thin = wg.explain(model, pd.concat([rows, X[X["Age"] > 60][:1]]), method="ale", features=["Age"], grid=edges)
    assert np.isnan(thin.std_errors["Age"][:, 1]).tolist() == [False, False, False, True]
    assert thin.exact
    assert "1 of 3 steps hold a single row, so the error there is not known" in repr(thin)


def test_a_thin_step_counts_with_the_spread_of_the_nearest_full_one():
    model = wg.wrap(lambda rows: rows["Age"].to_numpy() * rows["Hours"].to_numpy(), X, task="regression")
    edges = {"Age": [20.0, 30.0, 40.0, 50.0, 60.0]}
    rows = pd.DataFrame({"Age": [25.0] * 4 + [35.0] + [55.0] * 5, "Hours": [10.0, 20.0, 30.0, 50.0, 40.0, 11.0, 12.0, 13.0, 14.0, 19.0]})
    rows["Job"] = pd.Categorical(["a"] * 10, categories=list("abc"))
    found = wg.explain(model, rows, method="ale", features=["Age"], grid=edges)
    first, last = 10 * rows["Hours"][:4], 10 * rows["Hours"][5:]
    spread = np.array([first.var(ddof=1) / 4, first.var(ddof=1), (last**2).mean(), last.var(ddof=1) / 5])
    shares = np.array([2.0, 2.5, 0.5, 2.5, 2.5]) / 10  # each row counts half at both ends of its step
    beyond = np.array([shares[k + 1 :].sum() for k in range(4)])
    added = np.tri(5, 4, -1) - beyond
    truth = np.sqrt(added**2 @ spread)
    assert np.allclose(found.std_errors["Age"][[0, 1, 3, 4], 0], truth[[0, 1, 3, 4]], rtol=1e-9)
    assert np.isnan(found.std_errors["Age"][2, 0]), "one row on one side, none on the other"
    assert not np.allclose(np.sqrt(added**2 @ (spread * [1, 0, 0, 1]))[0], truth[0], rtol=0.01), "a spread taken as zero must be seen"


@BOTH
@pytest.mark.parametrize("rows", [X[:0], X[:1].assign(Age=np.inf)], ids=["none", "infinite"])
@CURVES
def test_no_row_is_no_value(model, rows, method):
    pairs = {} if method == "ice" else {"pairs": [("Age", "Job")]}
    found = wg.explain(model, rows, method=method, **pairs)
    for part in (found.values, found.std_errors):
        assert all(np.isnan(values).all() for values in part.values())
    assert not found.exact
    assert "nothing measured" in repr(found)
    assert "Age: no row could be asked" in repr(found)


def test_an_individual_curve_moves_by_its_own_span():
    model = wg.wrap(lambda rows: rows["Age"].to_numpy() + rows["Hours"].to_numpy() / 1000, X, task="regression")
    own = wg.explain(model, X[:40], method="ice")
    words = repr(own)
    assert np.ptp(own.values["Hours"]) > 10, "rows and points together span more"
    assert f"Hours: moves prediction of one row by at most {np.ptp(X['Hours']) / 1000:.3g}" in words
    assert "Job: moves prediction of one row by at most 0" in words


def unsure(rows):
    said = (rows["Age"] / 100 + rows["Hours"] / 100).to_numpy().copy()
    said[rows["Age"].to_numpy() == 50] = np.nan
    return said


ROWS = pd.concat([X[~X["Age"].between(49, 52)][:3], X[X["Age"] == 50][:1]])


@CURVES
def test_a_point_without_an_answer_is_no_row_without_one(method):
    found = wg.explain(wg.wrap(unsure, X, task="regression"), ROWS, method=method)
    assert found.status == ("ok", "ok", "ok", "the model answered NaN")
    if method != "ale":
        lost = found.provenance.params["unanswered"]
        assert set(lost) == {"Age"}
        assert lost["Age"]["answers"] == lost["Age"]["rows"] == 4
        assert np.isnan(found.values["Age"]).mean() == 1 / len(found.grid["Age"])
        assert "4 answers missing, of 4 rows: the model answered NaN" in repr(found)
    assert "  1 row: the model answered NaN" in repr(found)


@pytest.mark.parametrize("method", ["pdp", "ice"])
def test_a_row_that_is_answered_at_other_points_has_its_curve(method):
    found = wg.explain(wg.wrap(unsure, X, task="regression"), ROWS, method=method, features=["Age"])
    assert found.status == ("ok",) * 4


def test_a_model_that_raises_says_so_of_the_points_it_raises_at():
    def fragile(rows):
        if (rows["Age"].to_numpy() == 50).any():
            raise ValueError("fifty")
        return rows["Age"].to_numpy()

    found = wg.explain(wg.wrap(fragile, X[X["Age"] != 50], task="regression"), ROWS, method="pdp", grid={"Age": [30.0, 50.0, 70.0]})
    assert found.status[:3] == ("ok",) * 3
    assert "fifty" in found.status[3]
    assert found.provenance.params["unanswered"]["Age"] == {"answers": 4, "rows": 4, "reason": "the model raised ValueError: fifty"}
    steps = wg.explain(
        wg.wrap(fragile, X[X["Age"] != 50], task="regression"), ROWS, method="ale", features=["Age"], grid={"Age": [18.0, 50.0, 95.0]}
    )
    assert all("fifty" in status for status in steps.status)
    assert np.isnan(steps.values["Age"]).all()


@CURVES
def test_nothing_named_is_nothing_to_draw(method):
    with pytest.raises(InputError, match="names no column"):
        wg.explain(TREES, X[:5], method=method, features=[])


@BOTH
@pytest.mark.parametrize("method", ["pdp", "ale"])
def test_pairs_are_drawn_beside_all_columns_or_alone(model, method):
    both = {"method": method, "pairs": [("Age", "Hours")], "grid": 6}
    assert wg.explain(model, X[:30], **both).keys == (*X.columns, ("Age", "Hours"))
    assert wg.explain(model, X[:30], features=["Job", "Job"], **both).keys == ("Job", ("Age", "Hours"))
    assert wg.explain(model, X[:30], features=[], **both).keys == (("Age", "Hours"),)


@BOTH
@CURVES
def test_no_time_is_no_answer(model, method):
    found = wg.explain(model, X, method=method, budget="0.001ms")
    assert not found.exact
    assert all(np.isnan(values).all() for values in found.values.values())
    assert "nothing measured" in repr(found)
    assert "the time budget ran out before this row" in repr(found)
    assert "nan" not in repr(found)


def test_rows_that_are_not_drawn_leave_an_estimate():
    found = wg.explain(OPAQUE, X, method="pdp", features=["Job"])
    assert not found.exact
    assert "measured on 1,000 of them" in repr(found)
    assert wg.explain(OPAQUE, X[:1000], method="pdp", features=["Job"]).exact


@pytest.mark.parametrize("pairs", [(), [("Age", "Hours")]])
def test_what_is_less_than_rounding_is_zero(pairs):
    def wavers(rows):
        return 1e6 / 3 + rows["Hours"].to_numpy() * 7e-3 + (rows["Age"].to_numpy() % 2) * 2.0**-34

    found = wg.explain(wg.wrap(wavers, X, task="regression"), X[:300], method="ale", grid=9, pairs=pairs)
    assert np.array_equal(found.values["Age"], np.zeros_like(found.values["Age"]))
    assert np.ptp(found.values["Hours"]) > 0.1
    assert "Age: moves prediction by 0" in repr(found)
    if pairs:
        assert np.array_equal(found.values["Age", "Hours"], np.zeros_like(found.values["Age", "Hours"]))
    words = repr(wg.explain(wg.wrap(wavers, X, task="regression"), X[:300], method="pdp", grid=9))
    assert "Age: moves prediction by 0\n" in words
    assert "Hours: moves prediction by 0\n" not in words


def test_a_pair_is_printed_beside_many_columns():
    many = X.assign(**{f"c{i}": np.arange(len(X), dtype=float) for i in range(6)})
    model = wg.wrap(lambda rows: rows["Age"].to_numpy(), many, task="regression")
    lines = repr(wg.explain(model, many[:9], method="pdp", pairs=[("Age", "c1")], grid=3)).splitlines()
    assert any(line.startswith("  Age x c1: moves") for line in lines)
    assert "  and 4 more" in lines


@CURVES
def test_a_column_without_values_has_no_points(method):
    rows = X[:50].assign(Age=np.nan)
    model = wg.wrap(lambda frame: frame["Hours"].to_numpy(), rows, task="regression")
    found = wg.explain(model, rows, method=method)
    assert len(found.grid["Age"]) == 0
    assert np.ptp(found.values["Hours"]) > 10
    assert "Age: no row could be asked" in repr(found)
    assert wg.explain(model, rows, method=method, features=["Age"]).status == ("ok",) * 50
