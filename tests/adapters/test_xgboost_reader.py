"""XGBoost's saved models of four versions, read without the library, against what each version answered."""

from __future__ import annotations

import copy
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyglass.adapters.models import xgboost_reader as reader
from whyglass.core.errors import ModelError, UnsupportedError
from whyglass.kernels import tree_shap

FILES = sorted((Path(__file__).parent / "fixtures").glob("xgboost-*.json.gz"))
WITHOUT_COVER = {"2.1.4-vector", "3.0.5-vector"}
TOLERANCE = 2e-5  # the library sums in float32


def _cases():
    for path in FILES:
        held = json.loads(gzip.decompress(path.read_bytes()))
        for name, case in held["cases"].items():
            yield pytest.param(case, id=f"{held['version']}-{name}")


def _tree_cases():
    return [p for p in _cases() if not p.id.endswith("-linear") and p.id not in WITHOUT_COVER]


def _of(version, name):
    held = json.loads(gzip.decompress((FILES[0].parent / f"xgboost-{version}.json.gz").read_bytes()))
    return held["cases"][name]


def _array(rows):
    return np.array([[np.nan if v is None else v for v in row] for row in rows], dtype=np.float64)


def _read(case):
    return reader.read_forest_json(json.dumps(case["model"]), rounds=case["rounds"])


def _native(values, forest):
    """The native answer in the walker's shape: both classes for a sigmoid."""
    return np.column_stack([1 - values, values]) if forest.link == "sigmoid" else values


def test_four_versions_are_held():
    assert [p.name.split("-")[1].removesuffix(".json.gz") for p in FILES] == ["1.7.6", "2.1.4", "3.0.5", "3.2.0"]
    assert sum(p.stat().st_size for p in FILES[0].parent.glob("*.gz")) <= 400_000


@pytest.mark.parametrize("case", _tree_cases())
def test_margins_are_those_of_the_library(case, walker):
    forest = _read(case)
    assert np.abs(walker.margins(forest, _array(case["rows"])) - _array(case["margin"])).max() <= TOLERANCE


@pytest.mark.parametrize("case", [p for p in _tree_cases() if not p.id.endswith("-raw")])
def test_answers_are_those_of_the_library(case, walker):
    forest = _read(case)
    native = _native(_array(case["answer"]), forest)
    assert np.abs(walker.predict(forest, _array(case["rows"])) - native).max() <= TOLERANCE * max(1, np.abs(native).max())


@pytest.mark.parametrize("case", [p for p in _tree_cases() if not p.id.endswith("-pruned")])
def test_leaves_are_those_of_the_library(case, walker):
    forest = _read(case)
    leaves = walker.leaves(forest, _array(case["rows"])) - forest.roots
    assert np.array_equal(leaves, np.array(case["leaves"])[:, : forest.n_trees])


@pytest.mark.parametrize("case", [p for p in _tree_cases() if not p.id.endswith("-vector")])
def test_covers_give_the_contributions_of_the_library(case):
    forest = _read(case)
    given = _array(case["contributions"])
    expected = given.reshape(len(given), forest.n_outputs, forest.n_features + 1)
    mine = tree_shap.values(forest, _array(case["rows"])[: len(given)])
    assert np.abs(np.moveaxis(mine, 2, 1) - expected[:, :, :-1]).max() <= TOLERANCE
    assert np.abs(tree_shap.base(forest) - expected[0, :, -1]).max() <= TOLERANCE


@pytest.mark.parametrize("version", ["1.7.6", "2.1.4", "3.0.5", "3.2.0"])
def test_pruning_left_holes_that_the_reader_closes(version):
    case = _of(version, "pruned")
    held = case["model"]["learner"]["gradient_booster"]["model"]["trees"]
    assert sum(int(t["tree_param"]["num_deleted"]) for t in held) > 0
    forest = _read(case)
    inner = np.flatnonzero(forest.feature >= 0)
    assert (forest.left[inner] > inner).all()
    assert (forest.right[inner] > inner).all()
    reached = np.concatenate([forest.roots, forest.left[inner], forest.right[inner]])
    assert np.array_equal(np.sort(reached), np.arange(len(forest.feature)))


def test_base_score_may_be_a_list():
    case = _of("3.2.0", "multi")
    assert case["model"]["learner"]["learner_model_param"]["base_score"].startswith("[")
    forest = _read(case)
    assert len(set(forest.base.tolist())) == 3


def test_base_score_list_of_the_wrong_length():
    model = copy.deepcopy(_of("3.2.0", "multi")["model"])
    model["learner"]["learner_model_param"]["base_score"] = "[1E-1,2E-1]"
    with pytest.raises(ModelError, match="2 base scores for 3 outputs"):
        reader.read_forest_json(json.dumps(model))


@pytest.mark.parametrize("how", ["missing", "base", "bits"])
def test_sabotage_of_a_forest_is_caught(how, walker):
    case = _of("3.2.0", "binary")
    forest = _read(case)
    rows, native = _array(case["rows"]), _array(case["margin"])
    broken = walker.broken(forest, how)
    if how == "base":
        broken.base[:] += 1e-3
    assert np.abs(walker.margins(broken, rows) - native).max() > TOLERANCE


def test_sabotage_of_the_base_link_is_caught(walker):
    case = _of("3.2.0", "dart")
    model = copy.deepcopy(case["model"])
    model["learner"]["objective"]["name"] = "reg:squarederror"
    forest = reader.read_forest_json(json.dumps(model))
    assert np.abs(walker.margins(forest, _array(case["rows"])) - _array(case["margin"])).max() > 0.1


def test_sabotage_of_the_dropout_weights_is_caught(walker):
    case = _of("3.2.0", "dart")
    model = copy.deepcopy(case["model"])
    booster = model["learner"]["gradient_booster"]
    booster["weight_drop"] = [1.0] * len(booster["weight_drop"])
    forest = reader.read_forest_json(json.dumps(model))
    assert np.abs(walker.margins(forest, _array(case["rows"])) - _array(case["margin"])).max() > TOLERANCE


@pytest.mark.parametrize("version", ["1.7.6", "2.1.4", "3.0.5", "3.2.0"])
def test_linear_boosters_give_coefficients(version):
    case = _of(version, "linear")
    linear = reader.read_linear(case["model"])
    rows = np.nan_to_num(_array(case["rows"]))
    margin = linear.intercept + rows @ linear.coefficients.T
    assert np.abs(margin - _array(case["margin"])).max() <= TOLERANCE
    with pytest.raises(UnsupportedError, match="linear booster has no trees"):
        _read(case)
    with pytest.raises(UnsupportedError, match="no coefficients"):
        reader.read_linear(_of(version, "binary")["model"])


@pytest.mark.parametrize("name", sorted(WITHOUT_COVER))
def test_vector_leaves_without_cover_are_refused(name):
    with pytest.raises(UnsupportedError, match="no training weight per node"):
        _read(_of(*name.split("-")))


def test_unknown_objective_is_refused_by_name():
    model = copy.deepcopy(_of("3.2.0", "binary")["model"])
    model["learner"]["objective"]["name"] = "binary:hinge"
    with pytest.raises(UnsupportedError, match="binary:hinge"):
        reader.read_forest_json(json.dumps(model))


@pytest.mark.parametrize("text", ["", "{", "[1]", "{}", '{"learner": 3}', '{"learner": {"objective": {}}}'])
def test_other_files_are_refused(text):
    with pytest.raises(ModelError, match="no XGBoost model"):
        reader.read_forest_json(text)


def _break(tree, how):
    inner = [i for i, child in enumerate(tree["left_children"]) if child >= 0]
    if how == "outside":
        tree["left_children"][inner[0]] = 999
    elif how == "loop":
        tree["left_children"][inner[-1]] = inner[0]
    elif how == "itself":
        tree["right_children"][inner[1]] = inner[1]
    elif how == "two parents":
        tree["left_children"][inner[0]] = tree["right_children"][inner[0]]
    elif how == "column":
        tree["split_indices"][inner[0]] = 5
    elif how == "short":
        tree["split_conditions"].pop()
    elif how == "code":
        tree["categories"][0] = -4
    elif how == "word":
        tree["sum_hessian"][0] = "many"
    else:
        del tree[how]


DAMAGE = ["outside", "loop", "itself", "two parents", "column", "short", "code", "word", "right_children", "tree_param"]


@pytest.mark.parametrize("how", DAMAGE)
def test_damaged_trees_are_refused(how):
    """A hostile file must not lead a kernel out of its arrays or round in circles."""
    model = copy.deepcopy(_of("3.2.0", "binary")["model"])
    _break(model["learner"]["gradient_booster"]["model"]["trees"][0], how)
    with pytest.raises(ModelError, match="damaged"):
        reader.read_forest_json(json.dumps(model))


@pytest.mark.parametrize(("key", "value"), [("tree_info", [7] * 8), ("tree_info", [0]), ("trees", [{}])])
def test_damaged_ensembles_are_refused(key, value):
    model = copy.deepcopy(_of("3.2.0", "binary")["model"])
    model["learner"]["gradient_booster"]["model"][key] = value
    with pytest.raises((ModelError, UnsupportedError), match=r"damaged|weight"):
        reader.read_forest_json(json.dumps(model))


def test_category_codes_too_large_to_hold_are_refused():
    model = copy.deepcopy(_of("3.2.0", "binary")["model"])
    trees = model["learner"]["gradient_booster"]["model"]["trees"]
    next(t for t in trees if t["categories"])["categories"][0] = 2**31
    with pytest.raises(UnsupportedError, match="too many to hold"):
        reader.read_forest_json(json.dumps(model))


FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(FLOATS, st.floats(allow_nan=False), st.integers(-3, 3))
def test_thresholds_split_float64_as_float32_does(threshold, x, steps):
    t = np.float32(threshold)
    border = reader.last_left(np.array([t]))[0]
    near = border
    for _ in range(abs(steps)):
        near = np.nextafter(near, np.inf if steps > 0 else -np.inf)
    with np.errstate(over="ignore"):
        for value in (x, near, float(t), float(np.nextafter(t, np.float32(-np.inf)))):
            assert (value <= border) == bool(np.float64(value).astype(np.float32) < t)


@pytest.mark.parametrize("t", [0.0, -0.0, 1.0, 1e-45, -1e-45, 3.4028235e38, -3.4028235e38, 1.1754944e-38, 0.1])
def test_sabotage_of_the_border_is_caught(t):
    """Both neighbours of the border are wrong: '<' is not '<=', and float32 is not float64."""
    t = np.float32(t)
    border = reader.last_left(np.array([t]))[0]
    above = np.nextafter(border, np.inf)
    with np.errstate(over="ignore"):
        assert np.float64(border).astype(np.float32) < t
        assert not np.float64(above).astype(np.float32) < t
