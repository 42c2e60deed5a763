"""Exact LIME held to 400,000 weighted draws made here, and the pool's standard errors to the exact values, over many seeds.

The draws, the bins, the kernel and the least squares are written out again, in numpy alone; only the model's trees are asked.
"""

import functools
import itertools

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

import whyglass as wg
from whyglass.kernels import forest as sums

DRAWS = 400_000
COLUMNS = ("age", "gain", "town", "work", "level")
WIDTH = 0.75 * len(COLUMNS) ** 0.5


def people(count, seed):
    """A column with a heap at zero, one with few distinct values, two with categories, and some of everything missing."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "age": rng.normal(40, 12, count).round(),
            "gain": np.where(rng.random(count) < 0.7, 0.0, rng.exponential(5000, count)),
            "town": pd.Categorical(rng.choice(list("abcdefg"), count, p=[0.3, 0.25, 0.2, 0.1, 0.08, 0.05, 0.02])),
            "work": pd.Categorical(rng.choice(["office", "field", "none"], count)),
            "level": rng.integers(0, 5, count).astype(float),
        }
    )
    return X.mask(pd.DataFrame(rng.random(X.shape) < 0.08, columns=X.columns))


@functools.cache
def model():
    X, rng = people(3000, 0), np.random.default_rng(1)
    old, rich, level = X["age"].fillna(70) / 10, X["gain"].fillna(0) > 0, X["level"].fillna(3)
    y = old * level + 6 * X["town"].isin(["b", "f"]) * rich + 4 * X["work"].isna() * level - old * (X["work"] == "field")
    fitted = HistGradientBoostingRegressor(max_iter=40, categorical_features="from_dtype", random_state=0)
    return wg.wrap(fitted.fit(X, y + rng.normal(size=len(X))), X)


@functools.cache
def cases():
    """People among whom every kind of bin occurs: missing numbers and categories, the heap, a rare town, the ends of ranges."""
    X = people(400, 2)
    wanted = [X["age"].isna(), X["town"].isna(), X["gain"] == 0, X["town"] == "g", X["age"] > 65, X["gain"] > 10_000, X["level"].isna()]
    return X.loc[[X.index[found][place] for place, found in enumerate(wanted)]].reset_index(drop=True)


@functools.cache
def drawn():
    """Draws, every column on its own from the training rows, and what the trees say of them."""
    rng = np.random.default_rng(20)
    rows = np.column_stack([rng.choice(column, DRAWS) for column in model().data.matrix.T])
    return rows, sums.predict(model().trees(), rows)[:, 0]


def same_bin(values, own, training, category):
    """Which values are in the bin of ``own``."""
    if np.isnan(own):
        return np.isnan(values)
    if category:
        return values == own
    ends = [-np.inf, *np.quantile(training[~np.isnan(training)], [0.25, 0.5, 0.75]), np.inf]
    low, high = next((a, b) for a, b in itertools.pairwise(ends) if a < own <= b)
    return (values > low) & (values <= high)


def least_squares(case):
    """Weighted coefficients on the draws, and their standard errors under any variance."""
    rows, said = drawn()
    training, kinds = model().data.matrix, [name in ("town", "work") for name in COLUMNS]
    same = np.column_stack([same_bin(rows[:, j], case[j], training[:, j], kinds[j]) for j in range(len(COLUMNS))])
    weight = np.exp(-((~same).sum(axis=1)) / WIDTH**2) ** 0.5
    z = np.column_stack([np.ones(DRAWS), same])
    inner = np.linalg.inv(z.T @ (z * weight[:, None]))
    found = inner @ (z.T @ (weight * said))
    scores = z * (weight * (said - z @ found))[:, None]
    return found, np.sqrt(np.diagonal(inner @ (scores.T @ scores) @ inner))


@functools.cache
def brute():
    found = [least_squares(case) for case in model().encode(cases()).matrix]
    return np.array([f for f, _ in found]), np.array([e for _, e in found])


def exact(**params):
    why = wg.explain(model(), cases(), method="lime", sampling="exact", **params)
    assert why.exact
    return np.column_stack([why.base_values[:, 0], why.values[:, :, 0]])


def far(given):
    """How far from the draws' coefficients, in standard errors of these: (cases, intercept and columns)."""
    found, errors = brute()
    return (given - found) / errors


def agree(off):
    """42 numbers with draws in common: one beyond 4.5 happens once in 3,500 times, a mean square beyond 2 more seldom."""
    return bool(np.abs(off).max() < 4.5 and np.mean(off**2) < 2)


def test_exact_values_are_those_of_400_000_draws():
    assert 100 * brute()[1].max() < np.abs(exact()[:, 1:]).max(), "errors are small beside values"
    assert agree(far(exact()))


@pytest.mark.parametrize(
    ("what", "given"),
    [
        ("values two hundredths too large", lambda: exact() * 1.02),
        ("another width", lambda: exact(kernel_width=WIDTH * 0.8)),
        ("intercepts of the mean answer", lambda: np.column_stack([np.full(len(cases()), drawn()[1].mean()), exact()[:, 1:]])),
        ("values of another case", lambda: np.roll(exact(), 1, axis=0)),
        ("two columns swapped", lambda: exact()[:, [0, 2, 1, 3, 4, 5]]),
    ],
)
def test_values_that_are_off_would_be_seen(what, given):
    assert not agree(far(given())), what


@functools.cache
def estimates():
    """Estimates, their errors and the exact values: (seeds, cases, columns), (seeds, cases, columns), (cases, columns)."""
    made = [wg.explain(model(), cases(), method="lime", n_samples=1500, seed=seed) for seed in range(150)]
    return np.array([w.values[:, :, 0] for w in made]), np.array([w.std_errors[:, :, 0] for w in made]), exact()[:, 1:]


def covered(scale=1.0, shift=0.0):
    """How often 95% intervals hold the exact value: overall, and of each case and column (cases, columns)."""
    values, errors, truth = estimates()
    inside = np.abs(values + shift * errors - truth) <= 1.96 * scale * errors
    return inside.mean(), inside.mean(axis=0)


def holds(overall, each):
    """Bounds for a true 95%: overall 93 to 97%; of one case and column over 150 seeds, six in a thousand fall below 90%."""
    return 0.93 <= overall <= 0.97 and np.quantile(each, 0.1) >= 0.9 and each.min() >= 0.85


def test_standard_errors_cover_the_exact_values():
    assert holds(*covered())


@pytest.mark.parametrize(
    ("what", "off"),
    [("a fifth too small", {"scale": 0.8}), ("a quarter too large", {"scale": 1.25}), ("estimates beside the truth", {"shift": 0.7})],
)
def test_standard_errors_that_are_off_would_be_seen(what, off):
    assert not holds(*covered(**off)), what
