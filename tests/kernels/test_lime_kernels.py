"""The sums behind LIME against dense matrices and full enumeration, and the same kernels broken on purpose."""

import importlib.util
import itertools
from pathlib import Path

import numpy as np
import pytest
from random_forests import random_forest

from whyglass import kernels
from whyglass.core.executor import Executor
from whyglass.kernels import forest, product_walk, surrogate

SOURCE = Path(kernels.__file__).parent
PLAIN = "def compiled(function):\n    return function\n\n\ninlined = compiled\n"


def draws(columns, count=150, seed=0):
    rng = np.random.default_rng(seed)
    part = (np.arange(count) % surrogate.PARTS).astype(np.int8)
    part[rng.random(count) < 0.1] = -1
    codes = rng.integers(-1, 3, size=(columns, count)).astype(np.int32)
    return surrogate.Draws(codes, rng.normal(size=(2, count)), part, np.exp(-np.arange(columns + 1) / (columns + 1)))


def dense(table, case):
    """Indicators with the intercept, and weights."""
    same = case == table.codes.T
    return np.column_stack([same, np.ones(len(same))]), table.weight[(~same).sum(axis=1)]


def sums_agree(module, columns):
    """Whether normal equations and residuals are those of dense matrices."""
    table = draws(columns)
    cases = np.random.default_rng(1).integers(0, 3, size=(2, columns)).astype(np.int32)
    fit = np.random.default_rng(2).normal(size=(2, 2, columns + 1))
    into = module.room(table)
    found, left = module.moments(table, cases, into), module.scatter(table, cases, into, fit)
    right = []
    for c, case in enumerate(cases):
        z, weight = dense(table, case)
        for part in range(surrogate.PARTS):
            here = table.part == part
            weighted = z[here] * weight[here, None]
            right.append(np.allclose(found.gram[c, part], weighted.T @ z[here], atol=1e-10))
            right.append(np.allclose(found.cross[c, :, part], table.said[:, here] @ weighted, atol=1e-10))
            right.append(np.allclose(found.squares[c, :, part], table.said[:, here] ** 2 @ weight[here], atol=1e-10))
        used = table.part >= 0
        residual = (weight * (table.said - fit[c] @ z.T)) ** 2
        right.append(np.allclose(left[c], residual[:, used] @ z[used], atol=1e-10))
    return all(right)


@pytest.mark.parametrize("columns", [1, 3, 62, 63, 64, 65, 130])
def test_sums_are_those_of_dense_matrices(columns):
    assert sums_agree(surrogate, columns)


COLUMNS, RHO, KNOWN = 3, 0.6, 70  # more categories than bits in a word, and than the trees know of


def moments_agree(module, seeds=range(4)):
    """Whether means and covariances are those over all rows that independent columns can give."""
    right = []
    for seed in seeds:
        trees = random_forest(seed, n_features=COLUMNS, trees=3, max_depth=5, categories=(1,), outputs=2, vector=bool(seed % 2))
        rng = np.random.default_rng(seed)
        training = rng.integers(-5, 6, size=(8, COLUMNS)) / 4
        training[:, 1] = rng.choice([0, 3, 33, 66], size=8)
        training[0, 0] = training[1, 1] = np.nan
        walk = module.build(trees, training, np.array([-1, KNOWN, -1], np.int32))
        for inside in bins(training):
            every = np.array(list(itertools.product(*training.T)))
            same = np.column_stack([found[1](every[:, j]) for j, found in enumerate(inside)])
            weight = RHO ** (~same).sum(axis=1)
            weight /= weight.sum()
            said = forest.predict(trees, every)
            mean, covariance = module.moments(walk, module.Cases(*(np.array([[f[0][k] for f in inside]], t) for k, t in TYPES)), RHO)
            right.append(np.allclose(mean[0], weight @ said, atol=1e-12))
            centred = same - weight @ same
            right.append(np.allclose(covariance[0], (centred * weight[:, None]).T @ said, atol=1e-12))
    return all(right)


TYPES = ((0, np.int32), (1, np.int32), (2, np.int32), (3, np.uint8), (4, np.int32))


def number(values, low, high):
    """A bin of numbers in (low, high]: its counts, and whether a value is inside."""
    known = values[~np.isnan(values)]
    ends = (known <= low).sum(), (known <= high).sum()
    return (-1, *ends, 0, ends[1] - ends[0]), lambda x: (x > low) & (x <= high)


def gone(values, code):
    return (code, 0, 0, code < 0, int(np.isnan(values).sum())), np.isnan


def category(values, code):
    return (code, 0, 0, 0, int((values == code).sum())), lambda x: x == code


def bins(training):
    a, b, c = training.T
    yield number(a, -0.5, 0.5), category(b, 3), number(c, -9, 0.0)
    yield gone(a, -1), gone(b, KNOWN + 1), number(c, 0.25, 9)
    yield number(a, 0.5, 0.75), category(b, 33), number(c, -9, 9)
    yield number(a, 7, 8), category(b, 17), number(c, -1, 1)


def test_moments_are_those_of_every_row_there_is():
    assert moments_agree(product_walk)


def test_a_pool_is_predicted_as_its_rows_are():
    trees = random_forest(0, n_features=COLUMNS, trees=3, max_depth=5, categories=(1,), outputs=2)
    rows = np.random.default_rng(0).integers(-3, 3, size=(forest._ROWS + 300, COLUMNS)) / 2
    whole = forest.predict(trees, rows)
    assert np.array_equal(whole, np.concatenate([forest.predict(trees, rows[:77]), forest.predict(trees, rows[77:])]))
    assert np.array_equal(whole, forest.predict(trees, rows, Executor(3)))


MUTANTS = [
    ("surrogate", "into.shared[n]] * draws.said", "into.shared[n] - 1] * draws.said", "weights are off by one column"),
    ("surrogate", "columns - at % (columns + 1)", "at % (columns + 1)", "far draws weigh most"),
    ("surrogate", "at // (columns + 1)", "0", "all draws are in the first part"),
    ("surrogate", "first = into.keys[s, n], s * _WORD", "first = into.keys[0, n], s * _WORD", "the second word of a set is never read"),
    ("surrogate", "for b in range(a + 1)", "for b in range(a)", "the diagonal is lost"),
    ("surrogate", "(32, 0x00000000FFFFFFFF)", "(32, 0x00000000FFFFFFF0)", "some bits stay where they are"),
    ("surrogate", "- fit[columns]", "+ fit[columns]", "the intercept has the wrong sign"),
    ("surrogate", "if draws.part[n] >= 0 else 0.0", "if draws.part[n] >= 1 else 0.0", "fitted draws leave no residual"),
    ("surrogate", "if value != 0.0", "if value > 0.0", "columns that pull down leave no trace in residuals"),
    ("surrogate", "gram[part, b, a] = gram[part, a, b]", "gram[part, b, a] = 0.0", "half of the products is lost"),
    ("product_walk", "trees.threshold[here], side", "trees.threshold[here] - 0.5, side", "thresholds are off"),
    ("product_walk", 'side="right"', 'side="left"', "a value on the threshold goes right"),
    ("product_walk", "!= left:", "== left:", "missing goes the other way"),
    ("product_walk", "if above >= 0:", "if above >= 10**9:", "a column met twice forgets its box"),
    ("product_walk", "above < 0 or work.inside[above - root] != 0", "True", "a category met twice forgets where it went"),
    ("product_walk", "if cases.missing[c, j] and", "if not cases.missing[c, j] and", "missing cases are looked up as numbers"),
    ("product_walk", "code[c, j] >> 6", "code[c, j] >> 9", "the last word of a set is never read"),
    ("product_walk", "work.own[j] if above < 0", "0.0 if above < 0", "shares are not taken from those of all rows"),
    ("product_walk", "(1.0 - work.rho) * work.both", "work.rho * work.both", "the kernel is another one"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "what"), [("surrogate", "", "", ""), ("product_walk", "", "", ""), *MUTANTS])
def test_a_broken_kernel_is_caught(name, old, new, what, tmp_path):
    text = (SOURCE / f"{name}.py").read_text(encoding="utf-8")
    assert old in text, "the line to break is gone"
    imports = next(line for line in text.splitlines() if line.startswith("from whyglass.kernels.jit"))
    text = (text.replace(old, new) if old else text).replace(imports, PLAIN)
    (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(f"broken_{name}", tmp_path / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with np.errstate(all="ignore"):
        right = sums_agree(module, 66) if name == "surrogate" else moments_agree(module)
    assert right == (not what), what
