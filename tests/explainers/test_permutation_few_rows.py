"""Permutation importance at its edges: too few rows, rises that are rounding, and scikit-learn's own Brier score."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import brier_score_loss

import whyglass as wg


def table(rows=240):
    rng = np.random.default_rng(5)
    X = pd.DataFrame(rng.normal(size=(rows, 3)), columns=["a", "b", "idle"])
    return X, (X["a"] + X["b"] > 0).astype(int).to_numpy()


X, Y = table()
TREES = HistGradientBoostingClassifier(max_iter=10, random_state=0).fit(X, Y)
BOTH = pytest.mark.parametrize("trees", [True, False])


def wrapped(trees, fitted=TREES):
    return wg.wrap(fitted, X, Y) if trees else wg.wrap(fitted.predict_proba, X, Y, outputs=["0", "1"])


@BOTH
@pytest.mark.parametrize(("rows", "count"), [(0, "there is none"), (1, "there is one")])
def test_fewer_than_two_rows_say_nothing(trees, rows, count, tmp_path):
    found = wg.explain(wrapped(trees), X[:rows], y=Y[:rows], method="permutation")
    assert "at least two rows" in found.status[0]
    assert found.status[0].endswith(count)
    assert np.isnan(found.values).all()
    assert np.isnan(found.std_errors).all()
    assert np.isnan(found.base_values).all()
    assert "not a number" not in repr(found)
    assert "at least two rows" in repr(found)
    assert wg.load(found.save(tmp_path / "few.arrow")) == found
    two = wg.explain(wrapped(trees), X[:2], y=Y[:2], method="permutation")
    assert two.status == ("ok",)
    assert np.isfinite(two.values).all()


def test_one_row_with_an_outcome_among_many_is_one_row():
    outcomes = np.array([None] * len(X), dtype=object)
    outcomes[4] = 1
    assert "there is one" in wg.explain(wrapped(trees=True), X, y=outcomes, method="permutation").status[0]


@BOTH
def test_what_is_less_than_rounding_is_zero(trees):
    rows = X.assign(idle=1.0)
    found = wg.explain(wrapped(trees), rows, y=Y, method="permutation")
    assert found.values[0, 2, 0] == 0.0
    assert found.std_errors[0, 2, 0] == 0.0 or not trees, "drawn losses vary with whom a value came from"
    assert (found.values[0, :2, 0] > 0.01).all()


def test_a_model_that_wavers_by_a_rounding_is_still_one_that_moves_nothing():
    model = wg.wrap(lambda rows: 0.7 + np.where(rows["a"] > 0, 2**-52, 0.0), X, task="regression")
    found = wg.explain(model, X, y=Y.astype(float), method="permutation", repeats=1)
    assert np.array_equal(found.values, np.zeros_like(found.values))
    seen = wg.wrap(lambda rows: 0.7 + np.where(rows["a"] > 0, 1e-9, 0.0), X, task="regression")
    assert wg.explain(seen, X, y=Y.astype(float), method="permutation", repeats=1).values[0, 0, 0] != 0.0


@BOTH
def test_of_two_classes_the_brier_score_is_scikit_learns(trees):
    found = wg.explain(wrapped(trees), X, y=Y, method="permutation", metric="brier", repeats=1)
    said = TREES.predict_proba(X)
    assert abs(found.base_values[0, 0] - brier_score_loss(Y, said[:, 1])) <= 1e-12
    assert abs(found.base_values[0, 0] - ((said - np.eye(2)[Y]) ** 2).sum(axis=1).mean()) > 1e-3, "the sum over both is twice that"


def test_of_three_classes_it_is_the_sum_over_the_classes():
    three = np.digitize(X["a"] + X["b"], [-0.5, 0.5])
    fitted = HistGradientBoostingClassifier(max_iter=5, random_state=0).fit(X, three)
    found = wg.explain(wg.wrap(fitted, X, three), X, y=three, method="permutation", metric="brier")
    assert abs(found.base_values[0, 0] - ((fitted.predict_proba(X) - np.eye(3)[three]) ** 2).sum(axis=1).mean()) <= 1e-12
