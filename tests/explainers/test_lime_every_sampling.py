"""LIME's three ways of sampling before the same hard questions: each row is answered or says why not, and the words are right."""

import functools

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import whyglass as wg

WAYS = ["pool", "exact", "local"]
DRAWN = ["pool", "local"]  # those that ask a model which is no forest
SCRIPT, SNOW = "<script>alert(1)</script>", "größe ☃"
every_way, every_drawn = pytest.mark.parametrize("sampling", WAYS), pytest.mark.parametrize("sampling", DRAWN)


@functools.cache
def table():
    rng = np.random.default_rng(0)
    return pd.DataFrame({SCRIPT: rng.normal(size=300), "b": rng.normal(size=300), SNOW: pd.Categorical(rng.choice(list("uvw"), 300))})


def outcome():
    return (table()[SCRIPT] + 2 * (table()[SNOW] == "u")).to_numpy()


def trees(forest, y, X=None, **fitted):
    X = table() if X is None else X
    text = [name for name in X if X[name].dtype.name in ("category", "object", "str")]
    encode = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), text), remainder="passthrough")
    return wg.wrap(make_pipeline(encode, forest).fit(X, y, **fitted), X)


@functools.cache
def forest():
    return trees(RandomForestRegressor(5, random_state=0), outcome())


def ask(model, rows, sampling, **options):
    return wg.explain(model, rows, method="lime", sampling=sampling, **{"n_samples": 1000, **options})


def fine(why):
    return set(why.status) == {"ok"} and np.isfinite(why.values).all() and np.isfinite(why.base_values).all()


@every_way
def test_a_constant_model(sampling):
    why = ask(trees(RandomForestRegressor(3), np.full(300, 7.0)), table()[:3], sampling)
    assert fine(why)
    assert np.abs(why.values).max() < 1e-12
    assert np.allclose(why.base_values, 7)
    assert np.isnan(why.fidelity["r2"]).all()
    assert not why.fidelity["tied"].any()


@every_way
def test_a_class_that_is_never_said(sampling):
    y = np.where(outcome() > 1, "p", "q").astype(object)
    y[0], weight = "never", np.arange(300) > 0
    never = trees(RandomForestClassifier(5, bootstrap=False, random_state=0), y, randomforestclassifier__sample_weight=weight.astype(float))
    assert never.outputs == ("never", "p", "q")
    why = ask(never, table()[:3], sampling)
    assert fine(why)
    assert np.all(why.output("never") == 0)
    assert np.abs(why.output("p")).max() > 0.1
    assert np.isnan(why.fidelity["r2"][:, 0]).all()
    assert np.isfinite(why.fidelity["r2"][:, 1:]).all()
    assert np.all(ask(never, table()[:3], sampling, target="never").values == 0)


@every_way
def test_five_thousand_categories(sampling):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"many": [f"c{k}" for k in rng.permutation(5000)], "a": rng.normal(size=5000)})
    why = ask(trees(RandomForestRegressor(3, max_depth=6, random_state=0), X["a"] > 0, X), X[:3], sampling)
    assert fine(why)
    assert np.all(np.abs(why.values[:, 1]) > 0.1)


@every_way
def test_missing_and_infinite_in_the_case(sampling):
    X = table()[[SCRIPT, "b"]].copy()
    X.iloc[:40, 0] = np.nan
    model = wg.wrap(HistGradientBoostingClassifier(max_iter=5, random_state=0).fit(X, pd.cut(outcome(), 3, labels=list("xyz"))), X)
    cases = X[38:42].copy()
    cases.iloc[1, 1] = np.inf
    why = ask(model, cases, sampling)
    assert [status == "ok" for status in why.status] == [True, False, True, True]
    assert "infinite" in why.status[1]
    assert np.isfinite(why.values[[0, 2, 3]]).all()
    assert np.isnan(why.values[1]).all()
    assert np.abs(why.values[0, 0]).max() > 0.02, "missing is a bin that something is said of"


@every_way
def test_unseen_and_missing_categories_and_a_constant_column(sampling):
    X = table().assign(same=1.0)
    model = trees(RandomForestRegressor(5, random_state=0), outcome(), X)
    cases = X[:3].astype({SNOW: object})
    cases[SNOW] = ["never", "u", None]
    why = ask(model, cases, sampling)
    assert fine(why)
    assert np.all(why.values[:, 3] == 0)
    assert np.all(why.values[[0, 2], 2] == 0), "no draw is like these"
    assert why.values[1, 2, 0] > 1


@every_way
def test_one_row_no_rows_and_one_training_row(sampling):
    assert fine(ask(forest(), table()[:1], sampling))
    none = ask(forest(), table()[:0], sampling)
    assert none.values.shape == (0, 3, 1)
    assert none.provenance.params["perturbations"]["drawn"] == 0
    X = table()[[SCRIPT, "b"]]
    fitted = HistGradientBoostingRegressor(max_iter=3).fit(X, outcome())
    alone = ask(wg.wrap(fitted, X[:1]), X[:1], sampling)
    assert fine(alone)
    assert np.all(alone.values == 0), "every draw is the one row that is known"


@every_way
def test_names_with_markup_and_of_any_script(sampling, tmp_path):
    why = ask(forest(), table()[:2], sampling)
    assert why.feature_names == (SCRIPT, "b", SNOW)
    assert {SCRIPT, SNOW} <= {name for name, _ in why.top(3)[0]}
    assert {SCRIPT, SNOW} <= set(why.to_frame().columns)
    why.save(tmp_path / "why.arrow")
    assert wg.load(tmp_path / "why.arrow") == why


@every_drawn
def test_too_few_draws_say_so_in_every_row(sampling):
    for options in ({"budget": 4}, {"n_samples": 4}, {"n_samples": 1}):
        why = ask(forest(), table()[:3], sampling, **options)
        assert all("too few to tell 3 columns apart; at least 10 are needed" in status for status in why.status)
        assert np.isnan(why.values).all()
    assert why.status[0].startswith("1 perturbation is")


def test_exact_values_need_no_draws_but_their_fit_does():
    why = ask(forest(), table()[:3], "exact", budget=4)
    assert fine(why)
    assert np.isnan(why.fidelity["r2"]).all()
    assert "too few" in why.provenance.params["perturbations"]["no r2"]
    assert "no r2" not in ask(forest(), table()[:3], "exact").provenance.params["perturbations"]


class Remote:
    """A model behind a wire, which may be down for one call or one row."""

    def __init__(self):
        self.calls, self.down_at, self.silent = 0, None, False

    def __call__(self, X):
        self.calls += 1
        if self.calls == self.down_at:
            raise ConnectionError("timed out")
        said = X[SCRIPT].to_numpy().copy()
        if self.silent and len(X) > 3:
            said[7] = np.nan
        return said


@every_drawn
@pytest.mark.parametrize("call", [1, 2])
def test_a_remote_model_that_fails_once(sampling, call):
    remote = Remote()
    model = wg.wrap(remote, table(), task="regression")
    before = remote.calls
    remote.down_at = before + call
    why = ask(model, table()[:3], sampling, n_samples=400)
    assert fine(why)
    assert why.provenance.params["perturbations"]["left_out"] == 0
    assert why.provenance.model_calls == remote.calls - before, "the call that failed is counted too"
    again = ask(wg.wrap(Remote(), table(), task="regression"), table()[:3], sampling, n_samples=400)
    assert np.array_equal(why.values, again.values)


@every_drawn
def test_a_model_silent_about_one_perturbation(sampling):
    remote = Remote()
    remote.silent = True
    why = ask(wg.wrap(remote, table(), task="regression"), table()[:3], sampling)
    assert fine(why)
    assert why.provenance.params["perturbations"]["left_out"] == 1


@every_way
def test_several_classes_and_regression(sampling):
    X = table()[[SCRIPT, "b"]]
    three = pd.cut(outcome(), 3, labels=list("xyz"))
    several = ask(wg.wrap(RandomForestClassifier(5, random_state=0).fit(X, three), X), X[:3], sampling)
    assert fine(several)
    assert np.allclose(several.values.sum(axis=2), 0, atol=1e-9), "what one class gains the others lose"
    one = ask(wg.wrap(RandomForestRegressor(5, random_state=0).fit(X, outcome()), X), X[:3], sampling)
    assert fine(one)
    assert one.space == "value"
