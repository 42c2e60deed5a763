"""LightGBM's model texts of three versions, read without the library, against what each version answered."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from whyglass.adapters.models import lightgbm_reader as reader
from whyglass.core.errors import ModelError, UnsupportedError
from whyglass.kernels import tree_shap

FILES = sorted((Path(__file__).parent / "fixtures").glob("lightgbm-*.json.gz"))
TOLERANCE = 1e-12
REFUSED = {"zeros": "zero_as_missing", "linear": "linear_tree", "sqrt": "reg_sqrt"}
SIGMOID = {"ova": 1.5, "dart": 2.0}


def _held():
    for path in FILES:
        held = json.loads(gzip.decompress(path.read_bytes()))
        for name, case in held["cases"].items():
            yield held["version"], name, case


def _cases(*without):
    return [pytest.param(name, case, id=f"{version}-{name}") for version, name, case in _held() if name not in {*REFUSED, *without}]


def _of(version, name):
    return next(case for v, n, case in _held() if (v, n) == (version, name))


def _array(rows):
    return np.array([[np.nan if v is None else v for v in row] for row in rows], dtype=np.float64)


def _read(case):
    return reader.read_forest_text(case["model"], rounds=case["rounds"])


def _inner(forest):
    ends = np.append(forest.roots[1:], len(forest.feature))
    return np.array([(forest.feature[a:b] >= 0).sum() for a, b in zip(forest.roots, ends, strict=True)])


def test_three_versions_are_held():
    assert [p.name.split("-")[1].removesuffix(".json.gz") for p in FILES] == ["3.3.5", "4.1.0", "4.7.0"]


@pytest.mark.parametrize(("name", "case"), _cases("forest"))
def test_margins_are_those_of_the_library(name, case, walker):
    """Times the objective's sigmoid parameter, so that the margin is the log-odds; a random forest's raw score is a sum."""
    native = _array(case["margin"]) * SIGMOID.get(name, 1.0)
    assert np.abs(walker.margins(_read(case), _array(case["rows"])) - native).max() <= TOLERANCE


@pytest.mark.parametrize(("name", "case"), _cases())
def test_answers_are_those_of_the_library(name, case, walker):
    forest = _read(case)
    margins = walker.margins(forest, _array(case["rows"]))
    mine = 1 / (1 + np.exp(-margins)) if forest.link == "sigmoid" else walker.linked(margins, forest.link)
    assert np.abs(mine - _array(case["answer"])).max() <= TOLERANCE * 10


@pytest.mark.parametrize(("name", "case"), _cases())
def test_leaves_are_those_of_the_library(name, case, walker):
    forest = _read(case)
    leaves = walker.leaves(forest, _array(case["rows"])) - forest.roots - _inner(forest)
    assert np.array_equal(leaves, np.array(case["leaves"]))


@pytest.mark.parametrize(("name", "case"), _cases("forest"))
def test_covers_give_the_contributions_of_the_library(name, case):
    forest = _read(case)
    given = _array(case["contributions"]) * SIGMOID.get(name, 1.0)
    expected = given.reshape(len(given), forest.n_outputs, forest.n_features + 1)
    mine = tree_shap.values(forest, _array(case["rows"])[: len(given)])
    assert np.abs(np.moveaxis(mine, 2, 1) - expected[:, :, :-1]).max() <= 1e-10
    assert np.abs(tree_shap.base(forest) - expected[0, :, -1]).max() <= 1e-10


@pytest.mark.parametrize("version", ["3.3.5", "4.1.0", "4.7.0"])
@pytest.mark.parametrize(("name", "why"), REFUSED.items())
def test_what_a_forest_cannot_express_is_refused_by_name(version, name, why):
    with pytest.raises(UnsupportedError, match=why):
        _read(_of(version, name))


def test_missing_goes_where_zero_goes_in_columns_that_had_none():
    """NaN counts as zero in a column without missing values in training: left exactly when 0 <= threshold."""
    forest = _read(_of("4.7.0", "nomissing"))
    nodes = (forest.feature == 0) & (forest.category_start < 0)
    assert nodes.any()
    assert np.array_equal(forest.missing_left[nodes], forest.threshold[nodes] >= 0)


@pytest.mark.parametrize("how", ["missing", "bits", "unseen"])
def test_sabotage_of_a_forest_is_caught(how, walker):
    case = _of("4.7.0", "binary")
    rows = _array(case["rows"])
    forest = _read(case)
    rows[:, 2] = np.where(np.isnan(rows[:, 2]), -1, rows[:, 2])  # never seen goes right, as missing does at category nodes
    assert np.abs(walker.margins(forest, rows) - _array(case["margin"])).max() <= TOLERANCE
    assert np.abs(walker.margins(walker.broken(forest, how), rows) - _array(case["margin"])).max() > 1e-6


def test_sabotage_of_the_averaging_is_caught(walker):
    case = _of("4.7.0", "forest")
    text = case["model"].replace("\naverage_output\n", "\n")
    mine = 1 / (1 + np.exp(-walker.margins(reader.read_forest_text(text), _array(case["rows"]))))
    assert np.abs(mine - _array(case["answer"])).max() > 0.01


def test_zero_as_missing_is_read_when_zero_goes_where_its_value_would(walker):
    text = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=0\nobjective=regression\nfeature_names=a\n"
    tree = "\nTree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=0\nthreshold=0.5\ndecision_type={}\nleft_child=-1\nright_child=-2\n"
    leaves = "leaf_value=1 2\nleaf_count=3 4\ninternal_count=7\nis_linear=0\nshrinkage=1\n\n\nend of trees\n"
    forest = reader.read_forest_text(text + tree.format(6) + leaves)
    assert walker.margins(forest, np.array([[0.0], [np.nan], [0.7]])).ravel().tolist() == [1.0, 1.0, 2.0]
    with pytest.raises(UnsupportedError, match="zero_as_missing"):
        reader.read_forest_text(text + tree.format(4) + leaves)


def test_unknown_objective_is_refused_by_name():
    text = _of("4.7.0", "binary")["model"].replace("objective=binary sigmoid:1", "objective=cross_entropy_lambda")
    with pytest.raises(UnsupportedError, match="cross_entropy_lambda"):
        reader.read_forest_text(text)


@pytest.mark.parametrize("text", ["", "tree\n", "{}", "forest\nmax_feature_idx=1\n"])
def test_other_texts_are_refused(text):
    with pytest.raises(ModelError, match="no LightGBM model"):
        reader.read_forest_text(text)


LISTS = ["split_feature", "threshold", "decision_type", "left_child", "leaf_value", "cat_boundaries", "cat_threshold"]


@pytest.mark.parametrize("key", LISTS)
@pytest.mark.parametrize("value", [None, "7 " * 11, "99999 1 2", "x"])
def test_damaged_trees_are_refused(key, value):
    """A hostile text must not lead a kernel out of its arrays or round in circles."""
    lines = _of("4.7.0", "binary")["model"].splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(f"{key}="))
    lines[first : first + 1] = [] if value is None else [f"{key}={value}"]
    with pytest.raises((ModelError, UnsupportedError), match=r"damaged|too many"):
        reader.read_forest_text("\n".join(lines))


def test_loops_are_refused():
    lines = _of("4.7.0", "binary")["model"].splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("left_child="))
    lines[first] = "left_child=0" + lines[first][len("left_child=") :].partition(" ")[2].join([" ", ""])
    with pytest.raises(ModelError, match="damaged"):
        reader.read_forest_text("\n".join(lines))
