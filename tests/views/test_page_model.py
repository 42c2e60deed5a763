"""The model in the page against the model in Python: node runs the page's own evaluator on what ``pack`` wrote."""

from __future__ import annotations

import gzip
import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from whyglass.core.forest import Forest, Linear
from whyglass.kernels.forest import predict
from whyglass.views import page_model

KINDS = [False, True, False, False, True, False]
CODES = 40


def grow(rng, depth, nodes):
    """Append a random tree to ``nodes`` in no particular order but parents first; gives its root."""
    at = len(nodes)
    nodes.append(None)
    column = int(rng.integers(-1, len(KINDS))) if at else int(rng.integers(0, len(KINDS)))
    if depth == 0 or column < 0:
        nodes[at] = {"feature": -1}
        return at
    first, second = ("right", "left") if rng.random() < 0.5 else ("left", "right")
    node = {"feature": column, "missing_left": bool(rng.random() < 0.5), "unseen_left": bool(rng.random() < 0.5)}
    if KINDS[column] and rng.random() < 0.8:
        node["set"] = rng.random(int(rng.integers(1, CODES + 1))) < 0.5
    else:
        node["threshold"] = float(rng.normal()) if not KINDS[column] else float(rng.integers(0, CODES)) - 0.5
    nodes[at] = node
    node[first] = grow(rng, depth - 1, nodes)
    node[second] = grow(rng, depth - 1, nodes)
    return at


def random_forest(seed, *, trees=30, outputs=1, vector=False, link="sigmoid", depth=6, scale=0.2):
    rng = np.random.default_rng(seed)
    nodes, roots = [], []
    for _ in range(trees):
        roots.append(grow(rng, depth, nodes))
    count = len(nodes)
    start, sizes, bits = np.full(count, -1, np.int32), np.zeros(count, np.int32), []
    for at, node in enumerate(nodes):
        if "set" in node:
            start[at], sizes[at] = len(bits), len(node["set"])
            whole = np.packbits(node["set"], bitorder="little").tobytes()
            bits += [int.from_bytes(whole[k : k + 4], "little") for k in range(0, len(whole), 4)]

    def column(name, kind, default):
        return np.array([node.get(name, default) for node in nodes], kind)

    value = rng.normal(size=(count, outputs if vector else 1)) * scale
    if vector and link == "identity":
        value = np.abs(value) / np.abs(value).sum(axis=1, keepdims=True) / trees
    return Forest(
        roots=np.array(roots, np.int32),
        feature=column("feature", np.int32, -1),
        threshold=column("threshold", np.float64, 0.0),
        left=column("left", np.int32, -1),
        right=column("right", np.int32, -1),
        missing_left=column("missing_left", np.bool_, False),
        unseen_left=column("unseen_left", np.bool_, False),
        category_start=start,
        category_count=sizes,
        category_bits=np.array(bits, np.uint32),
        cover=np.ones(count),
        value=value,
        tree_output=np.full(trees, -1, np.int32) if vector else (np.arange(trees) % outputs).astype(np.int32),
        base=rng.normal(size=outputs) if link != "identity" else np.zeros(outputs),
        n_features=len(KINDS),
        link=link,
        space="margin" if link != "identity" else "probability",
    )


def random_rows(seed, count, forest=None):
    """Rows with missing values, categories never seen, and values that lie exactly on the cut points."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, len(KINDS)))
    for j, category in enumerate(KINDS):
        if category:
            rows[:, j] = rng.integers(-1, CODES + 2, count)
            rows[rows[:, j] >= CODES + 1, j] = 1000
        elif forest is not None:
            cuts = forest.threshold[(forest.feature == j) & (forest.category_start < 0)]
            some = (rng.random(count) < 0.3) & (len(cuts) > 0)
            rows[some, j] = rng.choice(cuts, int(some.sum())) if some.any() else 0.0
    rows[rng.random(rows.shape) < 0.1] = np.nan
    return rows


def through(margins, link):
    if link == "sigmoid":
        return 1 / (1 + np.exp(-margins))
    if link == "softmax":
        e = np.exp(margins - margins.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)
    return np.exp(margins) if link == "exp" else margins


def brute_force(answer, row, background):
    """2^d enumeration of the interventional game ``answer`` (rows -> (rows,))."""
    d = len(row)
    worth = {}
    for size in range(d + 1):
        for members in itertools.combinations(range(d), size):
            mixed = background.copy()
            mixed[:, list(members)] = row[list(members)]
            worth[frozenset(members)] = answer(mixed).mean()
    values = np.zeros(d)
    for j in range(d):
        for members, v in worth.items():
            if j not in members:
                weight = math.factorial(len(members)) * math.factorial(d - len(members) - 1) / math.factorial(d)
                values[j] += weight * (worth[members | {j}] - v)
    return values


FORESTS = {
    "binary boosting": {"link": "sigmoid"},
    "multi-class boosting": {"link": "softmax", "outputs": 3},
    "averaged classes": {"link": "identity", "outputs": 3, "vector": True},
    "many classes at once": {"link": "softmax", "outputs": 4, "vector": True, "depth": 4},
    "counts": {"link": "exp", "scale": 0.02},
    "large targets": {"link": "identity", "scale": 1e6},
    "stumps": {"link": "sigmoid", "depth": 1, "trees": 300},
}


@pytest.mark.parametrize("name", FORESTS)
def test_page_predicts_what_python_predicts(name, evaluate):
    forest = random_forest(3, **FORESTS[name])
    rows = random_rows(4, 500, forest)
    wanted = through(predict(forest, rows), forest.link)
    outputs = 2 if name == "binary boosting" else forest.n_outputs
    given = evaluate(forest, rows, outputs=outputs, output=outputs - 1, categorical=KINDS)
    got = np.array(given["predict"])
    if outputs == 2:
        np.testing.assert_allclose(got[:, 0], 1 - wanted[:, 0], atol=1e-6)
        got = got[:, 1:]
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-6)
    np.testing.assert_allclose(given["batch"], wanted[:, -1], rtol=1e-6, atol=1e-6)


def test_a_threshold_moved_to_the_next_float_is_noticed(evaluate):
    forest = random_forest(5, trees=10)
    rows = random_rows(6, 500, forest)
    moved = replace(forest, threshold=np.nextafter(forest.threshold, -np.inf))
    given = np.array(evaluate(moved, rows, categorical=KINDS)["predict"])[:, 0]
    assert np.abs(given - through(predict(forest, rows), "sigmoid")[:, 0]).max() > 1e-3


@pytest.mark.parametrize("flag", ["missing_left", "unseen_left"])
def test_a_turned_flag_is_noticed(flag, evaluate):
    forest = random_forest(7, trees=10)
    rows = random_rows(8, 500, forest)
    turned = replace(forest, **{flag: ~getattr(forest, flag)})
    given = np.array(evaluate(turned, rows, categorical=KINDS)["predict"])[:, 0]
    assert np.abs(given - through(predict(forest, rows), "sigmoid")[:, 0]).max() > 1e-3


def test_error_of_float32_leaves_is_a_bound_and_is_kept():
    small = page_model.pack(random_forest(9))
    large = page_model.pack(random_forest(9, link="identity", scale=1e6))
    assert small is not None
    assert large is not None
    assert 0 < small[1]["error"] <= page_model.TOLERANCE
    assert large[1]["error"] == 0.0


@pytest.mark.parametrize(("name", "space"), [(n, s) for n in FORESTS for s in ("probability", "margin")])
def test_explanation_in_the_page_is_brute_force(name, space, evaluate):
    options = {**FORESTS[name]}
    options["trees"] = 8
    forest = random_forest(11, **options)
    background, rows = random_rows(12, 24, forest), random_rows(13, 3, forest)
    output = forest.n_outputs - 1
    link = forest.link if space == "probability" else "identity"

    def answer(batch):
        return through(predict(forest, batch), link)[:, output]

    given = evaluate(forest, rows, background=background, explain=rows, space=space, output=output, categorical=KINDS)
    scale = max(1.0, np.abs(answer(rows)).max())
    for row, got in zip(rows, given["explained"], strict=True):
        assert got["exact"]
        np.testing.assert_allclose(got["values"], brute_force(answer, row, background), atol=1e-6 * scale)
        assert got["base"] + sum(got["values"]) == pytest.approx(got["prediction"], abs=1e-9 * scale)
        assert got["base"] == pytest.approx(answer(background).mean(), abs=1e-6 * scale)


def test_a_wrong_background_row_is_noticed(evaluate):
    forest = random_forest(11, trees=8)
    background, rows = random_rows(12, 24, forest), random_rows(13, 1, forest)
    given = evaluate(forest, rows, background=background[1:], explain=rows, categorical=KINDS)["explained"][0]
    wanted = brute_force(lambda b: through(predict(forest, b), "sigmoid")[:, 0], rows[0], background)
    assert np.abs(np.array(given["values"]) - wanted).max() > 1e-4


def test_curves_are_predictions(evaluate):
    forest = random_forest(15, outputs=3, link="softmax")
    rows = random_rows(16, 6, forest)
    grids = [np.array([0, 1, 5, -1, np.nan, 8]) if c else np.array([-2, -0.5, 0, 0.1, 0.1, np.nan, 3]) for c in KINDS]
    asked = [[rows[j], j, grid] for j, grid in enumerate(grids)]
    given = evaluate(forest, rows, curves=asked, output=1, categorical=KINDS)["curves"]
    for j, grid in enumerate(grids):
        batch = np.repeat(rows[[j]], len(grid), axis=0)
        batch[:, j] = grid
        np.testing.assert_allclose(given[j], through(predict(forest, batch), "softmax")[:, 1], atol=1e-6)


@pytest.mark.parametrize("link", ["identity", "sigmoid", "softmax"])
def test_linear_model_in_the_page(link, evaluate):
    rng = np.random.default_rng(17)
    outputs = 3 if link == "softmax" else 1
    tables = {j: rng.normal(size=(outputs, CODES + 2)) for j, category in enumerate(KINDS) if category}
    coefficients = rng.normal(size=(outputs, len(KINDS))) * np.array([not c for c in KINDS])
    model = Linear(coefficients, rng.normal(size=outputs), rng.normal(size=len(KINDS)), tables, link, "margin")

    def answer(batch):
        margins = np.repeat(model.intercept[None], len(batch), axis=0)
        for j, category in enumerate(KINDS):
            x = batch[:, j]
            if category:
                known = (x >= 0) & (x < CODES)
                code = np.where(np.isnan(x), CODES, np.where(known, np.nan_to_num(x), CODES + 1)).astype(int)
                margins += tables[j][:, code].T
            else:
                margins += np.where(np.isnan(x), model.missing[j], x)[:, None] * coefficients[:, j]
        return through(margins, link)

    rows, background = random_rows(18, 500), random_rows(19, 20)
    given = evaluate(model, rows, background=background, explain=rows[:2], output=outputs - 1, categorical=KINDS)
    np.testing.assert_allclose(given["predict"], answer(rows), atol=1e-12)
    for row, got in zip(rows[:2], given["explained"], strict=True):
        np.testing.assert_allclose(got["values"], brute_force(lambda b: answer(b)[:, -1], row, background), atol=1e-10)


def test_one_leaf_and_no_trees(evaluate):
    leaf = replace(random_forest(1, trees=1, depth=0), base=np.array([0.25]))
    wanted = through(predict(leaf, np.zeros((1, len(KINDS)))), "sigmoid")
    assert evaluate(leaf, np.zeros((1, len(KINDS))), categorical=KINDS)["predict"][0] == pytest.approx(wanted[0].tolist())
    empty = {
        f: getattr(leaf, f)[:0] for f in ("roots", "feature", "threshold", "left", "right", "missing_left", "unseen_left", "tree_output")
    }
    empty |= {f: getattr(leaf, f)[:0] for f in ("category_start", "category_count", "cover", "value")}
    assert evaluate(replace(leaf, **empty), np.zeros((1, len(KINDS))), categorical=KINDS)["predict"][0][0] == pytest.approx(
        1 / (1 + math.exp(-0.25))
    )


def test_a_forest_too_large_stays_in_python(monkeypatch):
    monkeypatch.setattr(page_model, "MOST_NODES", 10)
    assert page_model.pack(random_forest(1)) is None


def test_boosting_of_a_hundred_trees_is_small():
    """100 trees of 31 leaves as boosting on binned columns makes them: at most 255 cut points a column, all kinds of leaves."""
    rng = np.random.default_rng(21)
    cuts = np.sort(rng.normal(size=(11, 255)), axis=1)
    inner, leaves = 30, 31
    feature, threshold, left, right, roots = [], [], [], [], []
    for _ in range(100):
        start = len(feature)
        roots.append(start)
        columns = rng.integers(0, 11, inner)
        feature += [*columns, *[-1] * leaves]
        threshold += [*cuts[columns, rng.integers(0, 255, inner)], *[0.0] * leaves]
        left += [*(start + 2 * np.arange(inner) + 1), *[-1] * leaves]
        right += [*(start + 2 * np.arange(inner) + 2), *[-1] * leaves]
    count = len(feature)
    forest = Forest(
        np.array(roots, np.int32), np.array(feature, np.int32), np.array(threshold), np.array(left, np.int32), np.array(right, np.int32),
        rng.random(count) < 0.5, np.zeros(count, np.bool_), np.full(count, -1, np.int32), np.zeros(count, np.int32), np.zeros(0, np.uint32),
        np.ones(count), rng.normal(size=(count, 1)) * 0.1, np.zeros(100, np.int32), np.zeros(1), 11, "sigmoid", "margin",
    )  # fmt: skip
    packed = page_model.pack(forest)
    assert packed is not None
    assert len(gzip.compress(packed[0], 9)) <= 45_000
