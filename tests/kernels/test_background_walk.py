"""Interventional values by the walk over segments and bit sets: brute force, both ways through a leaf, wide paths, threads."""

import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapley_by_definition as definition
from hypothesis import given, settings
from hypothesis import strategies as st
from interactions_by_definition import game, matrix
from random_forests import random_forest, random_rows

from whyglass import kernels
from whyglass.core.executor import Executor
from whyglass.core.forest import Forest
from whyglass.kernels import background_walk, enumerate_forest, twins

SOURCE = Path(kernels.__file__).parent
KINDS = {
    "one output": {},
    "repeated columns": {"n_features": 3, "max_depth": 9, "trees": 3},
    "outputs by tree": {"outputs": 3, "trees": 7},
    "vector leaves": {"outputs": 3, "vector": True},
    "one column": {"n_features": 1, "categories": ()},
    "all categories": {"n_features": 4, "categories": (0, 1, 2, 3)},
    "numbers only": {"n_features": 5, "max_depth": 7, "categories": ()},
}
kinds = pytest.mark.parametrize("kind", KINDS)


def off(found, wanted):
    return np.abs(found - wanted).max(initial=0) / max(1.0, np.abs(wanted).max(initial=0))


def both(kind, seed, rows=2, background=7):
    options = KINDS[kind]
    forest = random_forest(seed, **options)
    X = random_rows(seed + 1, rows + background, forest.n_features, options.get("categories", (1,)))
    return forest, X[:rows], X[rows:]


@pytest.mark.uncompiled
@kinds
def test_brute_force_agrees(kind):
    for seed in range(2):
        forest, X, background = both(kind, seed)
        columns = np.arange(forest.n_features)
        values, pairs = background_walk.values(forest, X, background), background_walk.interactions(forest, X, background)
        for row in range(len(X)):
            wanted, shares = matrix(game(forest, X[row], columns, background), len(columns))
            assert off(values[row], shares) <= 1e-12
            assert off(pairs[row], wanted) <= 1e-12


@pytest.mark.uncompiled
def test_columns_that_play_together_are_one_player():
    forest, X, background = both("numbers only", 3)
    players = np.array([0, 1, 0, 2, 1], np.int32)
    values = background_walk.values(forest, X, background, players=players)
    pairs = background_walk.interactions(forest, X, background, players=players)
    for row in range(len(X)):
        wanted, shares = matrix(game(forest, X[row], players, background), 3)
        assert off(values[row], shares) <= 1e-12
        assert off(pairs[row], wanted) <= 1e-12
        assert off(values[row], definition.by_definition(game(forest, X[row], np.arange(5), background), 5)[0][:3]) > 1e-3


@kinds
def test_many_rows_and_rows_one_by_one_are_the_same(kind):
    """Many rows meet tables at the leaves, single rows go pair by pair."""
    forest, X, background = both(kind, 5, rows=700, background=200)
    together = background_walk.values(forest, X, background)
    single = np.concatenate([background_walk.values(forest, X[row : row + 1], background) for row in range(0, 700, 70)])
    assert off(together[::70], single) <= 1e-12
    for row in (0, 350):
        enumerated = enumerate_forest.values(forest, X[row], background)
        assert off(together[row], enumerated.values) <= 1e-12


@kinds
def test_they_add_up_to_the_forest_less_its_mean(kind):
    forest, X, background = both(kind, 6, rows=90, background=2500)
    found = background_walk.values(forest, X, background)
    wanted = twins.predict(forest, X) - twins.predict(forest, background).mean(axis=0)
    assert off(found.sum(axis=1), wanted) <= 1e-12
    pairs = background_walk.interactions(forest, X[:5], background)
    assert off(pairs.sum(axis=2), found[:5]) <= 1e-12
    assert off(pairs, pairs.swapaxes(1, 2)) == 0


@kinds
def test_threads_change_no_bit(kind):
    forest, X, background = both(kind, 7, rows=300, background=130)
    for answer in (background_walk.values, background_walk.interactions):
        one = answer(forest, X, background)
        assert np.array_equal(one, answer(forest, X, background, Executor(1)))
        assert np.array_equal(one, answer(forest, X, background, Executor(3)))


@pytest.mark.uncompiled
def test_leaves_left_out_and_leaves_kept_make_the_whole():
    forest, X, background = both("one output", 8, rows=5)
    some = np.random.default_rng(0).random(len(forest.feature)) < 0.3
    for answer in (background_walk.values, background_walk.interactions):
        part = answer(forest, X, background, leaves=some)
        rest = answer(forest, X, background, leaves=~some)
        whole = answer(forest, X, background)
        assert off(part + rest, whole) <= 1e-12
        assert off(part, whole) > 1e-3


def test_two_outputs_that_mirror_each_other():
    forest, X, background = both("vector leaves", 9, rows=40)
    share = np.where(forest.feature[:, None] < 0, forest.value[:, :1], 0)
    mirrored = replace(forest, value=np.hstack([share, 0.25 - share]), base=np.zeros(2))
    found = background_walk.values(mirrored, X, background)
    assert np.array_equal(found[:, :, 0], -found[:, :, 1])
    wanted = np.stack([enumerate_forest.values(mirrored, x, background).values for x in X])
    assert off(found, wanted) <= 1e-12
    assert off(background_walk.interactions(mirrored, X, background).sum(axis=2), wanted) <= 1e-12


def chain(columns):
    """One tree that tests each column once, left to a leaf, right to the next, and the first columns again at the end."""
    tested = [*range(columns), 0, 3, 1]
    nodes = 2 * len(tested) + 1
    inner = np.arange(nodes) % 2 == 0
    inner[-1] = False
    feature, threshold = np.full(nodes, -1, np.int32), np.zeros(nodes)
    feature[inner] = tested
    threshold[inner] = np.where(np.arange(len(tested)) < columns, -0.5, 0.5)
    rng = np.random.default_rng(1)
    return Forest(
        roots=np.zeros(1, np.int32), feature=feature, threshold=threshold,
        left=np.where(inner, np.arange(nodes) + 1, -1).astype(np.int32), right=np.where(inner, np.arange(nodes) + 2, -1).astype(np.int32),
        missing_left=np.zeros(nodes, bool), unseen_left=np.zeros(nodes, bool), category_start=np.full(nodes, -1, np.int32),
        category_count=np.zeros(nodes, np.int32), category_bits=np.zeros(0, np.uint32), cover=np.ones(nodes),
        value=rng.normal(size=(nodes, 1)), tree_output=np.zeros(1, np.int32), base=np.zeros(1), n_features=columns,
    )  # fmt: skip


@pytest.mark.parametrize("columns", [60, 63, 64, 90])
def test_paths_longer_than_a_mask(columns):
    """A row and a background row that differ in six columns play a game of six players."""
    forest = chain(columns)
    rng = np.random.default_rng(columns)
    differ = np.array([0, 1, 3, columns // 2, columns - 2, columns - 1])
    for seed in range(3):
        x, z = np.zeros(columns), np.zeros(columns)
        x[differ], z[differ] = rng.permutation([1.0, -1, 1, 1, 1, -1]), rng.permutation([1.0, 1, -1, -1, 0, 0]) * (seed + 1)

        def said(known, x=x, z=z):
            filled = z.copy()
            known = differ[sorted(known)]
            filled[known] = x[known]
            return twins.predict(forest, filled[None])[0]

        wanted, shares = matrix(said, 6)
        values = background_walk.values(forest, x[None], z[None])[0]
        pairs = background_walk.interactions(forest, x[None], z[None])[0]
        assert off(values[differ], shares) <= 1e-12
        assert off(pairs[np.ix_(differ, differ)], wanted) <= 1e-12
        assert off(np.delete(values, differ, axis=0), 0) == 0


def test_many_players_on_short_paths():
    """Rows then take what leaves give at once, without sums by segment."""
    forest = random_forest(3, n_features=80, trees=30, max_depth=6, categories=())
    X = random_rows(4, 30, 80, ())
    players = np.arange(80) // 8
    found = background_walk.values(forest, X[:6], X[6:], players=players)
    wide = background_walk.values(forest, X[:6], X[6:])
    assert off(wide.sum(axis=1), twins.predict(forest, X[:6]) - twins.predict(forest, X[6:]).mean(axis=0)) <= 1e-12
    assert off(background_walk.interactions(forest, X[:6], X[6:]).sum(axis=2), wide) <= 1e-12
    wanted = definition.by_definition(game(forest, X[0], players, X[6:]), 10)[0]
    assert off(found[0], wanted) <= 1e-12


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_properties(seed):
    """A column never tested gets nothing; two columns that play the same part get the same; trees add up."""
    forest = random_forest(seed, n_features=4, categories=())
    X = random_rows(seed, 12, 4, ())
    X[:, 1] = X[:, 0]
    swapped = replace(forest, feature=np.array([1, 0, 2, 3, -1], np.int32)[forest.feature])
    found, turned = (background_walk.values(f, X[:4], X[4:]) for f in (forest, swapped))
    assert np.all(found[:, 3] == 0)
    assert off(found[:, [1, 0]], turned[:, [0, 1]]) <= 1e-12
    ends = [*forest.roots[1:], len(forest.feature)]
    alone = [np.zeros(len(forest.feature), bool) for _ in ends]
    for start, end, mask in zip(forest.roots, ends, alone, strict=True):
        mask[start:end] = True
    assert off(sum(background_walk.values(forest, X[:4], X[4:], leaves=mask) for mask in alone), found) <= 1e-12


@pytest.mark.uncompiled
def test_nothing_to_explain_and_nothing_to_explain_with():
    forest, X, background = both("one output", 1)
    assert background_walk.values(forest, X[:0], background).shape == (0, 5, 1)
    with pytest.raises(ValueError, match="no rows"):
        background_walk.values(forest, X, background[:0])


PLAIN = "def compiled(function):\n    return function\n\n\ninlined = bare = compiled\n"
MUTANTS = [
    ("background_segments", "<= threshold else 0", "< threshold else 0", "rows on a threshold go right"),
    ("background_segments", "(start, middle) if side == 0 else (middle, stop)", "(start, middle)", "the right child takes left rows"),
    ("background_segments", "mask | bit", "mask", "a failed player is forgotten"),
    ("background_segments", "0 if passes & low else bit", "0", "background rows fail nothing"),
    ("background_segments", "else ~left)", "else left)", "background rows never go right"),
    ("background_segments", "work.passed[slot, w] = work.kept[level, w]\n    sums", "pass\n    sums", "the way back up is not undone"),
    ("background_segments", "work.slot_of[work.player_of[slot]] = -1", "pass", "a player keeps its slot"),
    ("background_segments", "if whole else to", "if True else to", "cut rows take their parent's sums"),
    ("background_segments", "work.sums[owner] = 0.0", "pass", "sums begin with what was there"),
    ("background_leaf", "= -lost\n", "= lost\n", "failed players gain"),
    ("background_leaf", "beta(1, 0)", "beta(0, 0)", "the weight of a gain"),
    ("background_leaf", "beta(0, 1)", "beta(0, 0)", "the weight of a loss"),
    ("background_leaf", "beta(1, 1)", "beta(0, 0)", "the weight of a mixed pair"),
    ("background_leaf", "beta(2, 0)", "beta(1, 0)", "the weight of a pair inside"),
    ("background_leaf", "beta(0, 2)", "beta(0, 1)", "the weight of a pair outside"),
    ("background_leaf", "table[within ^ bit, q]", "table[within, q] * 0", "the table forgets who is missing"),
    ("background_leaf", "w * rest / (1 - t)", "w * rest", "the rule of a loss"),
    ("background_wide", "by_z if state[player] == 0 else by_x", "by_x", "a player left out follows the case"),
    ("background_wide", "-beta[a, c - 1]", "beta[a, c - 1]", "failed players gain on wide paths"),
    ("background_walk", "half += half.swapaxes(2, 3)", "pass", "pairs on one side only"),
    ("background_walk", "total += done[later]", "pass", "parts of the trees are lost"),
]  # fmt: skip


def build(folder, number, file="", old="", new=""):
    """The room without the compiler, one place changed."""
    name = f"broken_walk_{number}"
    room = folder / name
    room.mkdir()
    for path in SOURCE.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.stem == file:
            assert old in text, f"{file}.py no longer says {old!r}: name the place that took its part"
            text = text.replace(old, new)
        text = PLAIN if path.stem == "jit" else text.replace("whyglass.kernels", name)
        (room / path.name).write_text(text, encoding="utf-8")
    return importlib.import_module(f"{name}.background_walk")


FOREST, ROWS = random_forest(11, n_features=5, trees=3, max_depth=6, categories=(1,)), random_rows(12, 25, 5, (1,))
TRUTH = [matrix(game(FOREST, x, np.arange(5), ROWS[20:]), 5) for x in ROWS[:2]]


def worst(walk):
    """Largest distance from the truth: values by pairs and by tables, interactions, and a path longer than a mask."""
    few, pairs = walk.values(FOREST, ROWS[:2], ROWS[20:]), walk.interactions(FOREST, ROWS[:2], ROWS[20:])
    distance = max(max(off(few[r], TRUTH[r][1]), off(pairs[r], TRUTH[r][0])) for r in range(2))
    many = np.repeat(ROWS[:20], 4, axis=0)
    tables = walk.values(FOREST, many, np.tile(ROWS[20:], (12, 1)))
    distance = max(distance, off(tables[::4], background_walk.values(FOREST, ROWS[:20], ROWS[20:])))
    forest = chain(66)
    x, z = np.zeros((1, 66)), np.zeros((1, 66))
    x[0, [0, 1, 3, 60]], z[0, [0, 1, 2, 3]] = (1, -1, 1, 0.4), (-1, 1, 1, 1)
    x[0, 65] = -1
    wanted = twins.predict(forest, x) - twins.predict(forest, z)
    wide = walk.values(forest, x, z)
    players = np.minimum(np.arange(66), 5)
    narrow = background_walk.values(forest, x, z, players=players)
    return max(distance, off(wide.sum(axis=1), wanted), off(wide[:, :5], narrow[:, :5]))


def test_the_copy_without_the_compiler_is_right(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    assert worst(build(tmp_path, "none")) <= 1e-12


@pytest.mark.parametrize("number", range(len(MUTANTS)), ids=[f"{m[0]}: {m[3]}" for m in MUTANTS])
def test_a_broken_walk_is_caught(tmp_path, monkeypatch, number):
    monkeypatch.syspath_prepend(tmp_path)
    file, old, new, _ = MUTANTS[number]
    with np.errstate(all="ignore"):
        try:
            distance = worst(build(tmp_path, number, file, old, new))
        except IndexError:
            distance = np.inf
    assert not distance <= 1e-9
