"""LIME held to ridge regression on its own draws, to the enumeration of every draw there is, and to its own standard errors."""

import itertools
import threading

import numpy as np
import pandas as pd
import pytest
from random_forests import CODES, random_forest
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

import whyglass as wg
from whyglass import facade
from whyglass.core.ask import Ask
from whyglass.core.executor import Cancelled, Executor
from whyglass.core.model import Model
from whyglass.core.schema import Column, Dataset, Schema
from whyglass.explainers import lime_exact, pool
from whyglass.explainers.bins import quartile_bins
from whyglass.explainers.links import through
from whyglass.kernels import forest as sums

COLUMNS = 4


def schema():
    kinds = ["numeric", "categorical", "numeric", "numeric"]
    return Schema(tuple(Column(f"c{j}", k, categories=tuple(range(CODES)) if k == "categorical" else ()) for j, k in enumerate(kinds)))


def rows(seed, count):
    """Numbers on and between thresholds, few enough for repeats; categories with several words of bits; some of both missing."""
    rng = np.random.default_rng(seed)
    matrix = rng.integers(-5, 6, size=(count, COLUMNS)) / 4
    matrix[:, 1] = rng.choice([0, 3, 33, 39], size=count)
    matrix[rng.random((count, COLUMNS)) < 0.12] = np.nan
    return matrix


def model(seed, count=7, **kinds):
    trees = random_forest(seed, n_features=COLUMNS, trees=3, max_depth=5, **kinds)
    names = tuple(f"o{k}" for k in range(trees.n_outputs))

    def predict(X):
        return through(sums.predict(trees, np.asarray(X, dtype=np.float64)), trees.link, len(names))

    data = Dataset(schema(), rows(seed + 1, count))
    return Model("Trees", "trees", "regression", names, schema(), {"predict": predict, "trees": lambda: trees}, data)


def cases(seed, count=5):
    matrix = rows(seed + 2, count)
    matrix[0, 1], matrix[1, 1], matrix[2, 0] = -1, np.nan, np.nan  # a category never seen, and both kinds of missing
    return Dataset(schema(), matrix)


def explained(wrapped, data, **options):
    return facade._answer(wrapped, data, method="lime", **options)


def weights(same, width):
    return np.sqrt(np.exp(-((~same).sum(axis=1)) / width**2))


def enumerated(wrapped, case, width):
    """Weighted least squares on every row that independent columns can give."""
    training = wrapped.data.matrix
    every = np.array(list(itertools.product(*training.T)))
    bins = quartile_bins(wrapped.data)
    same = bins.codes(every) == bins.codes(case[None])
    varies = same.any(axis=0) & ~same.all(axis=0)
    root = np.sqrt(weights(same, width))[:, None]
    design = np.column_stack([np.ones(len(every)), same[:, varies]])
    found = np.linalg.lstsq(design * root, sums.predict(wrapped.trees(), every) * root, rcond=None)[0]
    values = np.zeros((COLUMNS, found.shape[1]))
    values[varies] = found[1:]
    return found[0], values


@pytest.mark.parametrize(
    "kinds", [{}, {"outputs": 3}, {"outputs": 2, "vector": True}], ids=["one output", "a tree an output", "vector leaves"]
)
@pytest.mark.parametrize("seed", range(4))
def test_exact_values_are_those_of_every_draw_there_is(seed, kinds):
    wrapped, data = model(seed, **kinds), cases(seed)
    why = explained(wrapped, data, params={"sampling": "exact"})
    assert why.exact
    assert not why.additive
    assert why.std_errors is None
    for row, case in enumerate(data.matrix):
        base, values = enumerated(wrapped, case, 0.75 * 2)
        assert np.allclose(why.base_values[row], base, atol=1e-9)
        assert np.allclose(why.values[row], values, atol=1e-9)


def test_a_wrong_width_would_be_seen():
    wrapped, data = model(1), cases(1)
    why = explained(wrapped, data, params={"sampling": "exact", "kernel_width": 1.3})
    assert np.abs(why.values[3] - enumerated(wrapped, data.matrix[3], 1.5)[1]).max() > 1e-4
    assert np.allclose(why.values[3], enumerated(wrapped, data.matrix[3], 1.3)[1], atol=1e-9)


def ridge(drawn, said, case, bins, width):
    same = bins.codes(drawn) == bins.codes(case[None])
    return same, weights(same, width), Ridge(alpha=1.0).fit(same, said, sample_weight=weights(same, width))


@pytest.mark.parametrize("seed", range(3))
def test_pool_values_are_a_weighted_ridge_on_the_pool(seed):
    wrapped, data = model(seed, count=60, outputs=2, vector=True), cases(seed)
    why = explained(wrapped, data, params={"n_samples": 400}, seed=seed)
    drawn = pool.draw(wrapped, 400, seed)
    said, bins = sums.predict(wrapped.trees(), drawn), quartile_bins(wrapped.data)
    part = np.arange(400) % 5
    for row, case in enumerate(data.matrix):
        same, weight, whole = ridge(drawn, said, case, bins, 1.5)
        assert np.allclose(why.values[row], whole.coef_.T, atol=1e-9)
        assert np.allclose(why.base_values[row], whole.intercept_, atol=1e-9)
        foretold = np.zeros(said.shape)
        for each in range(5):
            others = ridge(drawn[part != each], said[part != each], case, bins, 1.5)[2]
            foretold[part == each] = others.predict(same[part == each])
        wanted = r2_score(said, foretold, sample_weight=weight, multioutput="raw_values")
        assert np.allclose(why.fidelity["r2"][row], wanted, atol=1e-9)
        seen = r2_score(said, whole.predict(same), sample_weight=weight, multioutput="raw_values")
        assert not np.allclose(wanted, seen, atol=1e-9), "a fit that has seen the draws held out would be caught"


def within(seeds, factor=1.0):
    """Share of estimates within two standard errors of the exact value."""
    wrapped, data = model(2, count=60), cases(2)
    exact = explained(wrapped, data, params={"sampling": "exact"}).values
    close = []
    for seed in seeds:
        why = explained(wrapped, data, params={"n_samples": 500}, seed=seed)
        known = why.std_errors > 0
        close.append((np.abs(why.values - exact) <= 2 * factor * why.std_errors)[known])
    return np.concatenate(close).mean()


def test_standard_errors_hold():
    assert 0.93 <= within(range(40)) <= 0.99


def test_standard_errors_half_as_large_would_be_seen():
    assert within(range(40), factor=0.5) < 0.8


def test_many_draws_come_near_the_exact_values():
    wrapped, data = model(3, count=60), cases(3)
    exact = explained(wrapped, data, params={"sampling": "exact"})
    why = explained(wrapped, data, params={"n_samples": 40_000})
    assert np.nanmax(np.abs(why.values - exact.values) / why.std_errors) < 4
    assert np.nanmax(why.std_errors[:, [0, 2]]) < 0.06
    assert np.nanmax(np.abs(exact.fidelity["r2"] - why.fidelity["r2"])) < 0.05


def test_forward_selection_takes_the_best_column_each_time():
    wrapped, data = model(4, count=60), cases(4)
    why = explained(wrapped, data, params={"n_samples": 400, "n_features": 2})
    drawn = pool.draw(wrapped, 400, 0)
    said, bins = sums.predict(wrapped.trees(), drawn)[:, 0], quartile_bins(wrapped.data)
    for row, case in enumerate(data.matrix):
        same, weight, _ = ridge(drawn, said, case, bins, 1.5)
        kept = []
        for _ in range(2):
            fits = {
                j: Ridge(alpha=1.0).fit(same[:, [*kept, j]], said, sample_weight=weight).score(same[:, [*kept, j]], said, weight)
                for j in range(COLUMNS)
                if j not in kept
            }
            kept.append(max(fits, key=fits.get))
        assert set(np.flatnonzero(why.values[row, :, 0])) == set(kept)
        last = Ridge(alpha=1.0).fit(same[:, kept], said, sample_weight=weight)
        assert np.allclose(why.values[row, kept, 0], last.coef_, atol=1e-9)
        assert np.all(why.std_errors[row, [j for j in range(COLUMNS) if j not in kept and same[:, j].any()]] == 0)


def test_exact_selection_keeps_the_columns_that_explain_most():
    wrapped, data = model(4, count=60), cases(4)
    whole = explained(wrapped, data, params={"sampling": "exact"})
    some = explained(wrapped, data, params={"sampling": "exact", "n_features": 2})
    kept = some.values != 0
    assert np.all(kept.sum(axis=1) <= 2)
    assert np.array_equal(some.values[kept], whole.values[kept])


def test_ties_are_marked():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(400, 4)), columns=list("abcd"))
    wrapped = wg.wrap(lambda f: (3 * (f["a"] > 0) + (f["b"] > 0) + (f["c"] > 0)).to_numpy(dtype=float), X, task="regression")
    tied = wg.explain(wrapped, X[:8], method="lime").fidelity["tied"]
    assert tied.shape == (8, 4, 1)
    assert np.all(tied[:, 0] == 0), "three times as large as any other"
    assert tied[:, [1, 2]].mean() > 0.7, "equal but for the draws"


def test_fit_ties_and_errors_can_be_read_without_arrays():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(400, 4)), columns=["a", "b", "r2", "a tied"])
    wrapped = wg.wrap(lambda f: (3 * (f["a"] > 0) + (f["b"] > 0) + (f["r2"] > 0)).to_numpy(dtype=float), X, task="regression")
    why = wg.explain(wrapped, X[:8], method="lime")
    flat = why.to_frame()
    assert list(flat.columns)[:9] == ["row", "output", "base_value", "prediction", "r2", "a", "b", "r2 (2)", "a tied (2)"]
    assert flat["r2"].tolist() == why.fidelity["r2"][:, 0].tolist()
    assert flat["a tied"].tolist() == why.fidelity["tied"][:, 0, 0].tolist()
    assert flat["b tied"].tolist() == why.fidelity["tied"][:, 1, 0].tolist()
    assert flat["b std_error"].tolist() == why.std_errors[:, 1, 0].tolist()
    row = next(r for r in range(8) if why.fidelity["tied"][r, 1, 0] == 1)
    said = repr(why[row])
    assert f"held-out R2 {why.fidelity['r2'][row, 0]:.2f}" in said
    assert said.count("(tied)") >= 2
    assert "in value space, estimated, with standard errors (lime)" in said
    assert "each column drawn on its own from 400 training rows" in said


def test_the_width_is_said_and_follows_the_rule():
    wrapped, data = model(5, count=60), cases(5)
    ruled, same = (explained(wrapped, data, params=given) for given in ({}, {"kernel_width": 1.5}))
    assert ruled.provenance.params["kernel_width"] == 0.75 * COLUMNS**0.5 == 1.5
    assert np.array_equal(ruled.values, same.values)
    assert explained(wrapped, data, params={"kernel_width": 2}).provenance.params["kernel_width"] == 2.0


@pytest.mark.parametrize("sampling", ["pool", "exact", "local"])
def test_the_order_of_rows_does_not_matter(sampling):
    wrapped, data = model(5, count=60, outputs=2), cases(5, 40)
    order = np.random.default_rng(0).permutation(40)
    options = {"params": {"sampling": sampling, "n_samples": 300, "n_features": 3}}
    found = explained(wrapped, data.take(order), **options)
    assert np.array_equal(found.values, explained(wrapped, data, **options).values[order])


@pytest.mark.parametrize("sampling", ["pool", "exact", "local"])
@pytest.mark.parametrize("most", [None, 2])
def test_a_batch_is_its_rows_bit_for_bit_on_any_number_of_threads(sampling, most):
    wrapped, data = model(5, count=60, outputs=2), cases(5, 150)
    options = {"params": {"sampling": sampling, "n_samples": 300, "n_features": most}, "seed": 3}
    together = explained(wrapped, data, executor=Executor(1), **options)
    assert explained(model(5, count=60, outputs=2), data, executor=Executor(2), **options) == together
    for row in (0, 17, 149):
        assert explained(wrapped, data.take(np.array([row])), **options) == together[row]
    if sampling != "exact":
        assert explained(wrapped, data, params=options["params"], seed=4) != together


def test_the_pool_is_asked_once():
    asked = []

    def f(X):
        asked.append(len(X))
        return X["a"].to_numpy() * 1.0

    X = pd.DataFrame({"a": np.arange(50.0), "b": np.arange(50.0) % 3})
    wrapped = wg.wrap(f, X, task="regression")
    before = len(asked)
    first = wg.explain(wrapped, X[:3], method="lime", n_samples=1000)
    assert sorted(asked[before:]) == [3, 1000]
    assert (first.provenance.model_calls, first.provenance.model_rows) == (2, 1003)
    again = wg.explain(wrapped, X[:5], method="lime", n_samples=1000)
    assert again.provenance.model_rows == 5
    assert again.provenance.params["perturbations"]["made"] == "in an earlier call"
    assert again.provenance.params["perturbations"]["model_rows"] == 1000
    assert again[:3] == first
    assert wg.explain(wrapped, X[:3], method="lime", n_samples=1000, seed=1) != first


def test_bit_sets_are_the_codes():
    wrapped = model(0, count=60)
    made, _ = pool.pool_of(Ask(wrapped, cases(0)), lime_exact.task_of(Ask(wrapped, cases(0))).game, 130)
    for column in range(COLUMNS):
        held = np.unpackbits(made.sets(column).view(np.uint8), axis=1, bitorder="little")[:, :130]
        assert np.array_equal(held, made.codes[:, column] == np.arange(made.bins.counts[column])[:, None])


@pytest.mark.parametrize("sampling", ["pool", "exact", "local"])
def test_progress_is_told_and_it_can_be_stopped(sampling):
    wrapped, data = model(5, count=60), cases(5, 40)
    told, stop = [], threading.Event()
    options = {"params": {"sampling": sampling, "n_samples": 300}}
    explained(wrapped, data, executor=Executor(1, progress=lambda done, total: told.append((done, total))), **options)
    assert told[-1] == (40, 40)
    stop.set()
    with pytest.raises(Cancelled):
        explained(wrapped, data, executor=Executor(1, cancel=stop), **options)


@pytest.mark.parametrize("sampling", ["pool", "exact", "local"])
def test_time_that_is_over_is_said_in_every_row(sampling):
    why = explained(model(5, count=60), cases(5, 3), params={"sampling": sampling}, budget="0.0001ms")
    assert all("time budget" in status for status in why.status)
    assert np.isnan(why.values).all()
    assert np.isnan(why.fidelity["r2"]).all()
