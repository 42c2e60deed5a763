"""Kernels broken on purpose, one sign, weight or direction at a time: the oracle must catch every one of them."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import shapley_by_definition as oracle
from random_forests import random_forest, random_rows

from whyglass import kernels

SOURCE = Path(kernels.__file__).parent
PLAIN = """
def compiled(function):
    return function


inlined = compiled
"""

MUTANTS = [
    ("forest", "not x > trees.threshold[node]", "x <= trees.threshold[node]", "missing numbers go right"),
    ("forest", "return bool(x <= trees", "return bool(x < trees", "a value on the threshold goes right"),
    ("forest", "return bool(trees.missing_left[node])", "return not trees.missing_left[node]", "missing categories go the other way"),
    ("forest", "return bool(trees.unseen_left[node])", "return not trees.unseen_left[node]", "unseen categories go the other way"),
    ("forest", "x >= trees.category_count[node]", "x > trees.category_count[node] + 9", "codes too large are looked up"),
    ("forest", "(code >> 5)", "(code >> 6)", "the second word of a bit set is never read"),
    ("forest", "max(trees.tree_output[tree], 0)", "0", "every tree adds to the first output"),
    ("tree_plan", "trees.cover[child] / trees.cover[node]", "trees.cover[child] / (trees.cover[node] + 1)", "cover ratios are off"),
    ("tree_plan", "else 0.5", "else 0.25", "nodes that no weight reached are split unevenly"),
    ("tree_plan", "(distinct + 1) // 2", "distinct // 2", "one quadrature node too few"),
    ("tree_plan", "w / 2", "w", "quadrature weights doubled"),
    ("tree_plan", "new = old * share", "new = share", "a repeated column forgets its earlier share"),
    ("tree_plan", "path.level[met, SEEN] != player", "path.level[met, SEEN] == -7", "a repeated column counts as new"),
    ("tree_plan", "out[first + k] += reach", "out[first + k] -= reach", "the base is counted down"),
    ("tree_shap", "0.0 if X[feature, r] > threshold else 1.0", "1.0 if X[feature, r] <= threshold else 0.0", "missing numbers go right"),
    ("tree_shap", "(1.0 - work.test[level, r])", "work.test[level, r]", "the right child is taken for the left"),
    ("tree_shap", "none = -1.0 / (1.0 - t)", "none = 1.0 / (1.0 - t)", "a row off the path is credited"),
    ("tree_shap", "(1.0 - z) / (z", "(1.0 + z) / (z", "the slope of a factor is off"),
    ("tree_shap", "a + b * work.on[before, r] + c", "a + c", "a repeated factor forgets what it was"),
    ("tree_shap", "now * o - was * p", "now * o + was * p", "a repeated leaf is credited twice"),
    ("tree_shap", "now * work.on[level, r] - was", "now * work.on[level, r] + was", "a repeated edge is credited twice"),
    ("tree_shap", "+= v * (work.on", "-= v * (work.on", "single leaves are credited with the wrong sign"),
    ("tree_shap", "more * work.test[level, r] - none", "more * work.test[level, r] + none", "pairs of leaves have the wrong offset"),
    ("tree_shap", "low + high * work.test", "low - high * work.test", "pairs of leaves hand up the wrong sum"),
    ("enumerate_forest", "-v if odd else v", "v", "the Moebius sign is lost"),
    ("enumerate_forest", "never | mask", "never", "columns that must stay out are forgotten"),
    ("enumerate_forest", "must |= mask", "must |= 0", "columns that must be in are forgotten"),
    ("enumerate_forest", "by_z if never & mask else by_x", "by_x", "a column left out follows the case"),
    ("enumerate_forest", "inside - outside", "inside", "coalitions without the column do not count"),
    ("enumerate_forest", "math.factorial(s - 1) * math.factorial(count - s)", "math.factorial(s) * math.factorial(count - s)", "weights"),
    ("enumerate_forest", "np.exp(-table[k, at])", "np.exp(table[k, at])", "the link is turned round"),
]  # fmt: skip


def build(folder, number, file="", old="", new=""):
    """A copy of the room without the compiler, one place changed, imported under a name of its own."""
    name = f"broken_{number}"
    room = folder / name
    room.mkdir()
    for path in SOURCE.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.stem == file:
            text = text.replace("_SEEN", "SEEN") if "SEEN" in old else text
            assert old in text, f"{file}.py no longer says {old!r}: name the place that took its part"
            text = text.replace(old, new)
        text = PLAIN if path.stem == "jit" else text.replace("whyglass.kernels", name)
        (room / path.name).write_text(text, encoding="utf-8")
    return [importlib.import_module(f"{name}.{module}") for module in ("forest", "tree_shap", "enumerate_forest")]


CASES = [
    (random_forest(seed, n_features=4, trees=4, max_depth=5, outputs=outputs, categories=(1, 2)), random_rows(seed, 8, 4, (1, 2)))
    for seed, outputs in ((0, 1), (1, 2), (2, 1), (3, 2), (4, 1))
]
TRUTH = [[oracle.path_dependent(forest, x) for x in X[:3]] for forest, X in CASES]


def worst(rooms):
    """Largest distance from the truth over all cases; infinite where the kernel cannot even run."""
    sums, tree_shap, enumerate_forest = rooms
    distance = 0.0
    for (forest, X), truths in zip(CASES, TRUTH, strict=True):
        try:
            found = tree_shap.values(forest, X[:3])
            base, said = tree_shap.base(forest), sums.predict(forest, X[:3])
            game = enumerate_forest.values(forest, X[0], X[3:], "sigmoid")
        except (IndexError, ZeroDivisionError):
            return np.inf
        for row, (values, nothing, everything) in enumerate(truths):
            parts = (found[row] - values, base - nothing, said[row] - everything)
            distance = max(distance, *(float(np.abs(p).max()) for p in parts))
        distance = max(distance, float(np.abs(game.values - interventional(forest, X)).max()))
    return distance


def interventional(forest, X):
    def game(known):
        filled = X[3:].copy()
        filled[:, sorted(known)] = X[0, sorted(known)]
        rows = [oracle.path_dependent_sum(forest, z) for z in filled]
        return (1 / (1 + np.exp(-np.array(rows)))).mean(axis=0)

    return oracle.by_definition(game, forest.n_features)[0]


def test_the_copy_without_the_compiler_is_right(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    assert worst(build(tmp_path, "none")) <= 1e-12


@pytest.mark.parametrize("number", range(len(MUTANTS)), ids=[f"{m[0]}: {m[3]}" for m in MUTANTS])
def test_a_broken_kernel_is_caught(tmp_path, monkeypatch, number):
    monkeypatch.syspath_prepend(tmp_path)
    file, old, new, _ = MUTANTS[number]
    with np.errstate(all="ignore"):
        assert worst(build(tmp_path, number, file, old, new)) > 1e-9
