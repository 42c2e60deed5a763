"""Permutation importance, against the loss of every row with every other row's value."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.inspection import permutation_importance
from sklearn.metrics import log_loss

import whyglass as wg
from whyglass.core.errors import InputError


def table(rows=150, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(rows, 3)), columns=["a", "b", "idle"])
    X["kind"] = pd.Categorical(rng.choice(["x", "y", "<z>"], rows))
    X.loc[X.index[:6], "b"] = np.nan
    score = X["a"] + 0.5 * X["b"].fillna(2) + (X["kind"] == "x") + 0.3 * rng.normal(size=rows)
    return X, score.to_numpy()


X, SCORE = table()
Y = np.where(SCORE > 0.5, "yes", "no")
CLASSES = HistGradientBoostingClassifier(max_iter=15, categorical_features="from_dtype", random_state=0).fit(X, Y)
VALUES = HistGradientBoostingRegressor(max_iter=15, categorical_features="from_dtype", random_state=0).fit(X, SCORE)


def handed_on(loss, rows, columns):
    """Loss of every row with the columns of every row: (rows, donors)."""
    table = np.zeros((len(rows), len(rows)))
    for donor in range(len(rows)):
        moved = rows.copy()
        for column in columns:
            moved[column] = pd.Series([rows[column].iloc[donor]] * len(rows), index=rows.index).astype(rows[column].dtype)
        table[:, donor] = loss(moved)
    return table


def own_loss(rows):
    return -np.log(CLASSES.predict_proba(rows)[np.arange(len(rows)), (Y[: len(rows)] == "yes").astype(int)])


def test_trees_give_the_average_over_every_permutation():
    found = wg.explain(wg.wrap(CLASSES, X, Y), X, y=Y, method="permutation")
    assert found.values.shape == (1, 4, 1)
    assert found.output_names == ("log loss",)
    assert abs(found.base_values[0, 0] - log_loss(Y, CLASSES.predict_proba(X))) <= 1e-12
    for at, column in enumerate(X.columns):
        table = handed_on(own_loss, X, [column])
        truth = table.mean() - own_loss(X).mean()
        assert abs(found.values[0, at, 0] - truth) <= 1e-12
        each = table.mean(axis=1) + table.mean(axis=0) - table.mean() - own_loss(X)
        assert abs(found.std_errors[0, at, 0] - each.std(ddof=1) / np.sqrt(len(X))) <= 1e-12
    assert found.provenance.model_calls == 0
    assert found.provenance.params["permutations"] == "all"


def test_scikit_learns_draws_scatter_around_it():
    found = wg.explain(wg.wrap(VALUES, X, SCORE), X, y=SCORE, method="permutation")
    theirs = permutation_importance(VALUES, X, SCORE, scoring="neg_mean_squared_error", n_repeats=60, random_state=0)
    spread = theirs.importances.std(axis=1, ddof=1) / np.sqrt(60)
    assert np.all(np.abs(found.values[0, :, 0] - theirs.importances_mean) <= 4 * spread + 0.02 * found.values.max())
    assert found.output_names == ("squared error",)


@pytest.mark.parametrize("metric", ["log_loss", "brier", "error"])
def test_a_model_that_cannot_be_read_is_drawn_for(metric):
    exact = wg.explain(wg.wrap(CLASSES, X, Y), X, y=Y, method="permutation", metric=metric)
    opaque = wg.wrap(CLASSES.predict_proba, X, Y, outputs=["no", "yes"])
    drawn = wg.explain(opaque, X, y=Y, method="permutation", metric=metric, repeats=40)
    assert np.abs(drawn.values - exact.values).max() <= 0.03
    assert abs(drawn.base_values - exact.base_values).max() <= 1e-12
    assert drawn.provenance.params["permutations"] == 40
    assert drawn.provenance.model_rows == len(X) * (1 + 4 * 40)


def test_a_group_is_permuted_as_one():
    found = wg.explain(wg.wrap(CLASSES, X, Y), X, y=Y, method="permutation", groups={"both": ["a", "kind"]}, repeats=60)
    assert found.feature_names == ("both", "b", "idle")
    truth = handed_on(own_loss, X, ["a", "kind"]).mean() - own_loss(X).mean()
    assert abs(found.values[0, 0, 0] - truth) <= 0.05 * truth
    alone = wg.explain(wg.wrap(CLASSES, X, Y), X, y=Y, method="permutation")
    assert found.values[0, 0, 0] > alone.values[0, :, 0].max()
    assert np.abs(found.values[0, 1, 0] - alone.values[0, 1, 0]) <= 1e-12, "columns of their own are still worked out"


def test_the_error_holds_the_truth_of_more_rows():
    rng = np.random.default_rng(2)
    rows = pd.DataFrame(rng.normal(size=(12_000, 2)), columns=["a", "b"])
    y = (rows["a"] * rows["b"] + rng.normal(size=len(rows)) * 0.2).to_numpy()
    model = wg.wrap(HistGradientBoostingRegressor(max_iter=20, random_state=0).fit(rows[:2000], y[:2000]), rows[:2000], y[:2000])
    truth = wg.explain(model, rows[2000:], y=y[2000:], method="permutation").values
    inside = []
    for start in range(2000, 12_000, 200):
        found = wg.explain(model, rows[start : start + 200], y=y[start : start + 200], method="permutation")
        inside.append(np.abs(found.values - truth) <= 2 * found.std_errors)
    assert 0.86 <= np.mean(inside) <= 0.995


def test_rows_without_an_outcome_are_left_out():
    partial = np.array(SCORE, dtype=object)
    partial[:20] = None
    found = wg.explain(wg.wrap(VALUES, X, SCORE), X, y=partial, method="permutation")
    rest = wg.explain(wg.wrap(VALUES, X, SCORE), X[20:], y=SCORE[20:], method="permutation")
    assert np.array_equal(found.values, rest.values)
    assert found.provenance.params["rows"] == len(X) - 20


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "pass y="),
        ({"y": Y, "metric": "squared_error"}, "does not measure a classification"),
        ({"y": Y, "metric": "log_los"}, "Did you mean 'log_loss'"),
        ({"y": Y, "repeats": 0}, "from 1 up"),
        ({"y": Y, "target": "yes"}, "leave target="),
        ({"y": Y, "space": "margin"}, "leave space= out"),
        ({"y": [None] * len(X)}, "No row has"),
    ],
)
def test_bad_arguments_are_explained(options, words):
    with pytest.raises(InputError, match=words):
        wg.explain(wg.wrap(CLASSES, X, Y), X, method="permutation", **options)


def test_it_is_saved_shown_in_words_and_the_same_on_threads(tmp_path):
    one, two = (
        wg.explain(wg.wrap(CLASSES, X, Y), X, y=Y, method="permutation", executor=wg.Executor(threads=threads)) for threads in (1, 2)
    )
    assert one == two
    assert wg.load(one.save(tmp_path / "importance.arrow")) == one
    assert "log loss" in repr(one)
    assert len(one.to_frame()) == 1
