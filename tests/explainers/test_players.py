"""Who plays and how the model is asked: groups, the loss, many rows in one call, bad rows, an asked error."""

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import whyglass as wg
from whyglass.core.ask import Ask, Budget
from whyglass.core.errors import InputError, UnsupportedError
from whyglass.explainers.maskers.tabular import Columns
from whyglass.explainers.shapley import enumerated, players, sampled
from whyglass.explainers.shapley.enumerated import all_coalitions
from whyglass.explainers.shapley.games import NO_OUTCOME

METHODS = ["shap.enumerated", "shap.sampled"]


def frame(rows=40, columns=6, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(rng.normal(size=(rows, columns)), columns=list("abcdefghijklmnop")[:columns])


def product(X):
    return X["a"].to_numpy() * X["b"].to_numpy() * X["c"].to_numpy() + np.tanh(X["d"].to_numpy()) - X["e"].to_numpy() * X["f"].to_numpy()


def by_permutations(value, count):
    """Shapley values and interaction indices by their definition; ``value`` takes a set of players."""
    single, pair = np.zeros(count), np.zeros((count, count))
    for bits in all_coalitions(count):
        inside = frozenset(np.flatnonzero(bits).tolist())
        for i in set(range(count)) - inside:
            weight = math.factorial(len(inside)) * math.factorial(count - len(inside) - 1) / math.factorial(count)
            single[i] += weight * (value(inside | {i}) - value(inside))
            for j in set(range(count)) - inside - {i}:
                weight_2 = math.factorial(len(inside)) * math.factorial(count - len(inside) - 2) / math.factorial(count - 1)
                pair[i, j] += weight_2 * (value(inside | {i, j}) - value(inside | {i}) - value(inside | {j}) + value(inside))
    return single, pair


def value_of(model, case, background, members=None):
    """The value function by its definition: known columns from the case, the others from each background row."""
    known = {}

    def value(inside):
        if inside not in known:
            rows = background.copy()
            for player in inside:
                for column in [player] if members is None else members[player]:
                    rows.iloc[:, column] = case.iloc[column]
            known[inside] = model(rows).mean()
        return known[inside]

    return value


@pytest.mark.parametrize("method", METHODS)
def test_groups_play_together(method):
    X = frame()
    members = [(0, 1), (2, 4), (3,), (5,)]
    why = wg.explain(
        wg.wrap(product, X, task="regression"),
        X[:3],
        method=method,
        background=X[10:20],
        groups={"first": ["a", "b"], "second": ["e", "c"]},
    )
    assert why.feature_names == ("first", "second", "d", "f")
    assert why.values.shape == (3, 4, 1)
    assert why.exact
    for row in range(3):
        truth, _ = by_permutations(value_of(product, X.iloc[row], X[10:20], members), 4)
        assert np.abs(why.values[row, :, 0] - truth).max() <= 1e-12
    apart = wg.explain(wg.wrap(product, X, task="regression"), X[:3], method=method, background=X[10:20])
    assert np.abs(why.values[:, 0] - apart.values[:, 0] - apart.values[:, 1]).max() > 1e-3, "a group is not the sum of its columns"


def test_grouped_columns_of_a_wide_table_are_sampled_as_few_players():
    X = frame(columns=16)
    groups = {"left": list("abcdefgh"), "right": list("ijklmnop")}
    why = wg.explain(wg.wrap(product, X, task="regression"), X[:2], groups=groups)
    assert why.provenance.method == "shap.enumerated"
    assert why.provenance.params["evaluations"] == 4


def test_enumerated_interactions_are_those_of_the_definition():
    X = frame(columns=6)
    why = wg.explain(wg.wrap(product, X, task="regression"), X[:2], method="shap.enumerated", background=X[10:16], interactions=True)
    assert why.interactions.shape == (2, 6, 6, 1)
    for row in range(2):
        single, pair = by_permutations(value_of(product, X.iloc[row], X[10:16]), 6)
        found = why.interactions[row, :, :, 0]
        off = ~np.eye(6, dtype=bool)
        assert np.abs(found[off] - pair[off] / 2).max() <= 1e-12
        assert np.abs(found.sum(axis=1) - single).max() <= 1e-12
        assert np.abs(found - found.T).max() <= 1e-12
        assert np.abs(pair[off]).max() > 0.05, "there must be something to find"
    assert wg.explain(wg.wrap(product, X, task="regression"), X[:2], method="shap.enumerated").interactions is None
    with pytest.raises(InputError, match="interactions"):
        wg.explain(wg.wrap(product, X, task="regression"), X[:2], method="shap.sampled", interactions=True)


def test_one_column_has_no_partner():
    X = frame(columns=6)[["a"]]
    why = wg.explain(wg.wrap(lambda f: f["a"].to_numpy() ** 2, X, task="regression"), X[:2], method="shap.enumerated", interactions=True)
    assert np.allclose(why.interactions[:, 0, 0], why.values[:, 0])


def labelled(columns=6):
    X = frame(120, columns)
    y = np.where(X["a"] * X["b"] + X["c"] > 0, "yes", "no")
    return X, y, LogisticRegression().fit(X.assign(a=X["a"] * X["b"]), y)


@pytest.mark.parametrize("method", METHODS)
def test_the_loss_of_the_recorded_class_is_shared_out(method):
    X, y, fitted = labelled()
    model = wg.wrap(fitted.predict_proba, X, y, outputs=["no", "yes"], task="classification")
    why = wg.explain(model, X[:4], y=y[:4], method=method, space="log_loss", background=X[50:60])
    assert why.output_names == ("log loss",)
    assert why.space == "log_loss"
    for row in range(4):
        at = ["no", "yes"].index(y[row])
        loss = value_of(lambda rows, k=at: -np.log(fitted.predict_proba(rows)[:, k]), X.iloc[row], X[50:60])
        truth, _ = by_permutations(loss, 6)
        assert np.abs(why.values[row, :, 0] - truth).max() <= 1e-12
        assert math.isclose(why.predictions[row, 0], -np.log(fitted.predict_proba(X[row : row + 1])[0, at]))
        assert math.isclose(why.base_values[row, 0], loss(frozenset()))
    turned = wg.explain(model, X[:4], y=np.where(y[:4] == "yes", "no", "yes"), method=method, space="log_loss", background=X[50:60])
    assert np.abs(turned.values - why.values).max() > 0.01, "the recorded class must matter"


@pytest.mark.parametrize("method", METHODS)
def test_rows_without_an_outcome_say_so(method):
    X, y, fitted = labelled()
    model = wg.wrap(fitted.predict_proba, X, y, outputs=["no", "yes"], task="classification")
    recorded = np.array([y[0], None, "perhaps", y[3]], dtype=object)
    why = wg.explain(model, X[:4], y=recorded, method=method, space="log_loss", background=X[50:60])
    assert why.status == ("ok", NO_OUTCOME, NO_OUTCOME, "ok")
    assert np.isnan(why.values[[1, 2]]).all()
    whole = wg.explain(model, X.iloc[[0, 3]], y=y[[0, 3]], method=method, space="log_loss", background=X[50:60])
    assert np.abs(why.values[[0, 3]] - whole.values).max() <= 1e-12


def test_no_loss_is_infinite():
    X, y, _ = labelled()
    model = wg.wrap(RandomForestClassifier(3, random_state=0).fit(X, y), X, y)
    rows = X[:30]
    why = wg.explain(model, rows, y=y[:30], method="shap.enumerated", space="log_loss", background=X[50:70])
    assert set(why.status) == {"ok"}
    assert np.isfinite(why.values).all()
    assert (model.predict(X[50:70]) == 0).any(), "a probability of zero must occur"


def test_what_the_loss_is_not_offered_for():
    X, y, fitted = labelled()
    regression = wg.wrap(product, X, task="regression")
    with pytest.raises(UnsupportedError, match="squared error"):
        sampled.explain(Ask(regression, regression.encode(X[:2], y[:2]), space="log_loss"))
    model = wg.wrap(fitted.predict_proba, X, y, outputs=["no", "yes"], task="classification")
    with pytest.raises(InputError, match="y="):
        enumerated.explain(Ask(model, model.encode(X[:2]), space="log_loss"))


def counted():
    asked = []

    def model(rows):
        asked.append(len(rows))
        return product(rows)

    return model, asked


@pytest.mark.parametrize("method", METHODS)
def test_many_rows_share_a_call(method):
    X = frame()
    model, asked = counted()
    wrapped = wg.wrap(model, X, task="regression")
    asked.clear()
    together = wg.explain(wrapped, X[:30], method=method, background=X[:5])
    assert len(asked) == 3, "the background, the rows, and all their coalitions"
    assert asked[-1] == 30 * 62 * 5
    assert together.provenance.model_rows == sum(asked)
    for row in (0, 17):
        alone = wg.explain(wrapped, X[row : row + 1], method=method, background=X[:5])
        assert np.abs(alone.values[0] - together.values[row]).max() <= 1e-12


@pytest.mark.parametrize("method", METHODS)
def test_calls_are_as_large_as_memory_allows(method, monkeypatch):
    X = frame()
    model, asked = counted()
    wrapped = wg.wrap(model, X, task="regression")
    whole = wg.explain(wrapped, X[:6], method=method, background=X[:5])
    for cells in (6 * 5 * 7, 6 * 5 * 62 * 2, 1):
        monkeypatch.setattr(players, "CELLS", cells)
        asked.clear()
        part = wg.explain(wrapped, X[:6], method=method, background=X[:5])
        assert max(asked) <= max(cells // 6, 5, 6)
        assert np.abs(part.values - whole.values).max() <= 1e-12


@pytest.mark.parametrize("method", METHODS)
def test_a_bad_row_in_a_shared_call_is_found_by_halving(method):
    X = frame()
    rows = X[:20].copy()
    background = X[20:25]

    def only_mixed(frame_of_rows):
        if ((frame_of_rows["a"] == 99.0) & (frame_of_rows["b"] != rows.iloc[7, 1])).any():
            msg = "no such mixture"
            raise ZeroDivisionError(msg)
        return product(frame_of_rows)

    rows.iloc[7, 0] = 99.0
    wrapped = wg.wrap(only_mixed, X, task="regression")
    why = wg.explain(wrapped, rows, method=method, background=background)
    assert why.status[7] == "the model raised ZeroDivisionError: no such mixture"
    assert [s for k, s in enumerate(why.status) if k != 7] == ["ok"] * 19
    clean = wg.explain(wrapped, rows.drop(index=7), method=method, background=background)
    assert np.abs(np.delete(why.values, 7, axis=0) - clean.values).max() <= 1e-12


def curved(X):
    return np.tanh(X.to_numpy() @ np.linspace(-1, 1, X.shape[1]) * 2) + X["a"].to_numpy() * X["b"].to_numpy()


def test_a_row_stops_when_its_error_is_small_enough():
    X = frame(columns=16)
    model = wg.wrap(curved, X, task="regression")
    rows = X[:6].copy()
    rows.iloc[0] = X[:10].mean()
    asked = 0.012
    why = wg.explain(model, rows, background=X[:10], tolerance=asked, budget=2048)
    assert why.provenance.method == "shap.sampled"
    used = why.fidelity["evaluations"]
    assert set(used) <= {128, 256, 512, 1024, 2048}
    assert len(set(used)) > 1, "rows differ in what they take"
    reached = why.std_errors.max(axis=(1, 2)) <= asked
    assert np.array_equal(reached, used < 2048) or (used[~reached] == 2048).all()
    for row in range(6):
        fixed = wg.explain(model, rows[row : row + 1], background=X[:10], budget=int(used[row]))
        assert np.abs(fixed.values[0] - why.values[row]).max() <= 1e-12, "the same as with that budget from the start"
        assert np.abs(fixed.std_errors[0] - why.std_errors[row]).max() <= 1e-12
    strict = wg.explain(model, rows, background=X[:10], tolerance=1e-9, budget=2048)
    assert set(strict.fidelity["evaluations"]) == {2048}
    assert wg.explain(model, rows, background=X[:10], tolerance=10.0).fidelity["evaluations"].max() == 128


def test_model_rows_say_what_an_asked_error_saved():
    X = frame(columns=16)
    model = wg.wrap(curved, X, task="regression")
    some = wg.explain(model, X[:4], background=X[:10], tolerance=0.05)
    assert some.provenance.model_rows == 10 + 4 + int((some.fidelity["evaluations"] - 2).sum()) * 10


@pytest.mark.parametrize("tolerance", [0, -1.0, True, "small", math.nan, math.inf])
def test_an_asked_error_that_is_none(tolerance):
    X = frame(columns=16)
    with pytest.raises(InputError, match="tolerance="):
        wg.explain(wg.wrap(curved, X, task="regression"), X[:1], tolerance=tolerance)


def test_additive_answers_are_said_to_be():
    X = frame(columns=16)
    why = wg.explain(wg.wrap(lambda f: f.to_numpy() @ np.arange(16.0), X, task="regression"), X[:3], budget=300)
    assert (why.fidelity["additive"] == 1).all()
    assert why.std_errors.max() <= 1e-12
    wavy = wg.explain(wg.wrap(curved, X, task="regression"), X[:3], budget=300)
    assert (wavy.fidelity["additive"] == 0).all()


def test_single_precision_leaves_an_additive_model_nearly_exact():
    X = frame(columns=16)
    weights = np.arange(16, dtype=np.float32)
    why = wg.explain(wg.wrap(lambda f: f.to_numpy(np.float32) @ weights, X, task="regression"), X[:3], background=X[:20], budget=300)
    wanted = (X[:3].to_numpy() - X[:20].to_numpy().mean(axis=0)) * np.arange(16.0)
    wrong = np.abs(why.values[:, :, 0] - wanted)
    assert wrong.max() <= 2e-4
    assert why.std_errors.max() <= 1e-3


def test_a_masker_fills_many_cases_at_once():
    background = np.arange(6.0).reshape(2, 3)
    cases = np.array([[10.0, 11.0, 12.0], [20.0, 21.0, 22.0]])
    masker = Columns(background, np.array([0, 1, 0], np.int32))
    assert masker.players == 2
    filled = masker.fill(cases, np.array([[True, False], [False, True]]))
    assert filled.tolist() == [
        [10, 1, 12], [10, 4, 12], [0, 11, 2], [3, 11, 5], [20, 1, 22], [20, 4, 22], [0, 21, 2], [3, 21, 5],
    ]  # fmt: skip
    assert np.array_equal(masker.fill(cases[0], np.array([[True, False]])), filled[:2])


def test_time_that_runs_out_leaves_rows_blank_not_wrong():
    X = frame(columns=16)
    model = wg.wrap(curved, X, task="regression")
    why = sampled.explain(Ask(model, model.encode(X[:5]), background=model.encode(X[:10]), budget=Budget(2048, deadline=0.0)))
    assert all("time budget" in status for status in why.status)
    assert np.isnan(why.values).all()
