"""LIME asked what it cannot answer, or about what nobody has seen: a clear word for each row, never a fault out of a batch."""

import time

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor

import whyglass as wg


def frame(rows=200, seed=0):
    rng = np.random.default_rng(seed)
    made = pd.DataFrame({"a": rng.normal(size=rows), "b": rng.normal(size=rows), "kind": rng.choice(["u", "v", "w"], size=rows)})
    made["kind"] = made["kind"].astype("category")
    return made


def f(X):
    return np.nan_to_num(X["a"].to_numpy(dtype=float), nan=3.0) + (X["kind"] == "u").to_numpy() * 2.0


def wrapped(answer=f, X=None):
    return wg.wrap(answer, frame() if X is None else X, task="regression")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sampling": "poll"}, "Did you mean 'pool'"),
        ({"n_samples": 0}, "n_samples=0"),
        ({"n_samples": 1.5}, "n_samples=1.5"),
        ({"n_features": True}, "n_features=True"),
        ({"kernel_width": -1}, "kernel_width=-1"),
        ({"kernel_width": float("nan")}, "kernel_width=nan"),
        ({"kernel_widht": 1}, "Did you mean 'kernel_width'"),
    ],
)
def test_a_parameter_that_is_none_is_named(given, said):
    with pytest.raises(wg.InputError, match=said):
        wg.explain(wrapped(), frame(3), method="lime", **given)


def test_without_rows_it_says_what_to_wrap_with():
    fitted = RandomForestRegressor(3, random_state=0).fit(frame()[["a", "b"]].to_numpy(), f(frame()))
    with pytest.raises(wg.InputError, match=r"wrap\(model, X_train\)"):
        wg.explain(wg.wrap(fitted), np.zeros((1, 2)), method="lime")


def test_exact_is_for_sums_of_trees():
    with pytest.raises(wg.UnsupportedError, match="gives no trees"):
        wg.explain(wrapped(), frame(3), method="lime", sampling="exact")
    X = frame()[["a", "b"]]
    boosted = wg.wrap(HistGradientBoostingClassifier(max_iter=5).fit(X, X["a"] > 0), X)
    with pytest.raises(wg.UnsupportedError, match="answers in margin space"):
        wg.explain(boosted, X[:2], method="lime", sampling="exact", space="probability")
    assert wg.explain(boosted, X[:2], method="lime", sampling="exact").space == "margin"
    assert wg.explain(boosted, X[:2], method="lime").space == "probability"


def test_no_rows_and_one_row():
    model = wrapped()
    none = wg.explain(model, frame()[:0], method="lime", n_samples=100)
    assert none.values.shape == (0, 3, 1)
    assert none.provenance.model_rows == 0
    assert wg.explain(model, frame(1), method="lime", n_samples=100).status == ("ok",)


@pytest.mark.parametrize("sampling", ["pool", "local"])
def test_missing_unseen_and_constant(sampling):
    X = frame().assign(same=1.0)
    X.loc[:20, "a"] = np.nan
    model = wrapped(X=X)
    cases = X[:3].copy()
    cases["kind"] = cases["kind"].astype(object)
    cases.loc[1, "kind"] = "never"
    cases.loc[2, "same"] = np.nan
    why = wg.explain(model, cases, method="lime", n_samples=1000, sampling=sampling)
    assert why.status == ("ok",) * 3
    assert np.isfinite(why.values).all()
    assert np.all(np.abs(why.values[:, 0]) > 3 * why.std_errors[:, 0]), "a missing number is a bin like any other"
    assert why.values[1, 2, 0] == 0
    assert np.isnan(why.std_errors[1, 2, 0]), "no draw has a category that nobody has seen"
    assert np.all(why.values[:2, 3] == 0)
    assert np.all(why.std_errors[:2, 3] == 0), "a constant column is known to do nothing"
    assert np.isnan(why.std_errors[2, 3, 0])


def test_exact_with_missing_unseen_and_constant():
    X = frame().assign(same=1.0)[["a", "b", "same"]]
    X.loc[:20, "a"] = np.nan
    model = wg.wrap(RandomForestRegressor(5, max_depth=4, random_state=0).fit(X, X["a"].fillna(3)), X)
    cases = X[:2].copy()
    cases.loc[1, "same"] = np.nan
    why = wg.explain(model, cases, method="lime", sampling="exact")
    assert why.status == ("ok", "ok")
    assert np.all(why.values[:, 2] == 0)
    assert np.all(why.values[:, 0] > 1)


def test_thousands_of_categories():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"many": pd.Categorical([f"c{k}" for k in rng.permutation(5000)]), "a": rng.normal(size=5000)})
    model = wg.wrap(lambda X: X["a"].to_numpy() + (X["many"] == "c7").to_numpy() * 5.0, X, task="regression")
    case = X[X["many"] == "c7"]
    why = wg.explain(model, case, method="lime", n_samples=2000)
    assert why.status == ("ok",)
    value, error = why.values[0, 0, 0], why.std_errors[0, 0, 0]
    assert abs(value) < 5.5
    assert np.isnan(error) or abs(value - 5.0) < 4 * error + 1e-9


def test_answers_that_are_not_finite_are_left_out_and_counted():
    def sometimes(X):
        return np.where(X["b"].to_numpy() > 1.2, np.nan, f(X))

    model = wrapped(sometimes)
    X = frame()
    why = wg.explain(model, X[:20], method="lime", n_samples=1000)
    bad = (X["b"][:20] > 1.2).to_numpy()
    assert [s == "ok" for s in why.status] == list(~bad)
    assert np.isfinite(why.values[~bad]).all()
    assert 20 < why.provenance.params["perturbations"]["left_out"] < 300
    local = wg.explain(model, X[:20], method="lime", n_samples=400, sampling="local")
    assert local.status == why.status


def test_a_model_that_raises_on_some_rows_is_asked_around_them():
    def raising(X):
        if (X["b"] > 2.2).any():
            raise ValueError("too large")
        return f(X)

    X = frame()
    why = wg.explain(wrapped(raising), X[X["b"] < 1][:3], method="lime", n_samples=200)
    assert why.status == ("ok",) * 3
    assert 0 < why.provenance.params["perturbations"]["left_out"] < 20


def test_a_model_that_answers_nothing_is_said_in_every_row_and_asked_again_next_time():
    broken = {"now": True}

    def moody(X):
        return np.full(len(X), np.nan) if len(X) > 3 and broken["now"] else f(X)

    model = wrapped(moody, frame())
    why = wg.explain(model, frame(3), method="lime", n_samples=100)
    assert all("the model answered NaN" in s for s in why.status)
    broken["now"] = False
    assert wg.explain(model, frame(3), method="lime", n_samples=100).status == ("ok",) * 3


def test_a_constant_model_has_nothing_to_explain():
    why = wg.explain(wrapped(lambda X: np.ones(len(X))), frame(3), method="lime", n_samples=200)
    assert np.all(why.values == 0)
    assert np.all(why.base_values == 1)
    assert np.isnan(why.fidelity["r2"]).all()
    assert why.fidelity["tied"].max() == 0


def test_a_number_as_budget_caps_the_draws():
    why = wg.explain(wrapped(), frame(3), method="lime", budget=300)
    assert why.provenance.params["perturbations"]["drawn"] == 300
    assert wg.explain(wrapped(), frame(3), method="lime").provenance.params["perturbations"]["drawn"] == 5000
    few = wg.explain(wrapped(), frame(3), method="lime", budget=5)
    assert all("too few to tell 3 columns apart" in s for s in few.status)
    assert few.provenance.model_rows == 3


@pytest.mark.parametrize("sampling", ["pool", "local"])
def test_a_time_budget_is_kept(sampling):
    def slow(X):
        time.sleep(0.0005 * len(X))
        return f(X)

    wg.explain(wrapped(), frame(40), method="lime", sampling=sampling)  # the kernels are compiled before the clock starts
    model = wrapped(slow)
    why = wg.explain(model, frame(40), method="lime", sampling=sampling, budget="600ms")
    asked = why.provenance.model_rows
    assert asked < 3000, "all of it would be many more"
    for status in why.status:
        assert status == "ok" or "time budget" in status
    if sampling == "pool":
        assert 100 < why.provenance.params["perturbations"]["drawn"] < 3000
        assert "ok" in why.status


def test_only_the_outputs_asked_for():
    X = frame()[["a", "b"]]
    model = wg.wrap(HistGradientBoostingClassifier(max_iter=5, random_state=0).fit(X, pd.cut(X["a"], 3, labels=["x", "y", "z"])), X)
    whole = wg.explain(model, X[:3], method="lime", n_samples=300)
    one = wg.explain(model, X[:3], method="lime", n_samples=300, target="y")
    assert whole.output_names == ("x", "y", "z")
    assert one.output_names == ("y",)
    assert np.array_equal(one.values[:, :, 0], whole.output("y"))
    assert one.fidelity["r2"].shape == (3, 1)
    assert np.array_equal(one.fidelity["tied"][:, :, 0], whole.fidelity["tied"][:, :, 1])


def test_two_classes_mirror_each_other():
    X = frame()[["a", "b"]]
    model = wg.wrap(HistGradientBoostingClassifier(max_iter=5, random_state=0).fit(X, X["a"] + X["b"] > 0), X)
    why = wg.explain(model, X[:3], method="lime", n_samples=300)
    assert np.array_equal(why.values[:, :, 0], -why.values[:, :, 1])
    assert np.allclose(why.base_values.sum(axis=1), 1, atol=1e-12)


def test_more_columns_than_bits_in_a_word():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(300, 70)), columns=[f"c{j}" for j in range(70)])
    model = wg.wrap(lambda X: (X["c3"] > 0).to_numpy() * 1.0 - (X["c69"] > 0).to_numpy() * 2.0, X, task="regression")
    why = wg.explain(model, X[:2], method="lime", n_samples=1500)
    assert [{name for name, _ in top} for top in why.top(2)] == [{"c3", "c69"}] * 2
    assert why.fidelity["r2"].min() > 0.1
