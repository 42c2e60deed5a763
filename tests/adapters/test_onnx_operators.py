"""ONNX's tree operators put together by hand: the forest answers as onnxruntime does, or is refused by name."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx_models
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper

import whyglass as wg
from whyglass.adapters import frames
from whyglass.adapters.models import onnx_trees, routing
from whyglass.core.errors import ModelError, UnsupportedError

ROWS = 2000


def _edges(forest, model, walker, missing=0.1):
    rng = np.random.default_rng(5)
    rows = walker.edge_rows(forest, model.data.matrix, ROWS, rng)
    for place, column in enumerate(model.schema.columns):
        if column.kind == "categorical":
            rows[:, place] = rng.integers(0, len(column.categories), ROWS)
        else:
            rows[rng.random(ROWS) < missing, place] = np.nan
    return rows


def _difference(model, forest, rows, walker):
    mine, theirs = walker.predict(forest, rows), model.predict_matrix(rows)
    if forest.link == "sigmoid" and forest.n_outputs > 1:
        mine = 1 / (1 + np.exp(-walker.margins(forest, rows)))
    return np.abs(mine - theirs).max()


def _wrapped(model, width=3, rows=200, seed=1, **more):
    X = np.random.default_rng(seed).normal(size=(rows, width))
    return wg.wrap(model, X, **more)


@pytest.mark.parametrize("mode", [*onnx_models.MODES, "mixed"])
@pytest.mark.parametrize("post", ["NONE", "LOGISTIC", "SOFTMAX"])
def test_every_comparison_and_transform_of_a_regressor(mode, post, walker):
    rng = np.random.default_rng(3)
    trees = [onnx_models.grow(rng, 5, 2, modes=onnx_models.MODES if mode == "mixed" else [mode]) for _ in range(6)]
    model = _wrapped(onnx_models.regressor(trees, post=post, base=[0.25, -0.5]))
    forest = model.trees()
    assert forest.link == {"NONE": "identity", "LOGISTIC": "sigmoid", "SOFTMAX": "softmax"}[post]
    rows = _edges(forest, model, walker)
    assert _difference(model, forest, rows, walker) <= 5e-6
    assert np.abs(routing.leaves(forest, rows) - walker.leaves(forest, rows)).max() == 0


@pytest.mark.parametrize("how", ["missing", "threshold", "base"])
def test_sabotage_is_caught(how, walker):
    rng = np.random.default_rng(3)
    model = _wrapped(onnx_models.regressor([onnx_models.grow(rng, 5, 1, modes=onnx_models.MODES) for _ in range(6)]))
    rows = _edges(model.trees(), model, walker)
    forest = model.trees()
    bad = dataclasses.replace(forest, base=forest.base + 1e-4) if how == "base" else walker.broken(forest, how)
    assert _difference(model, bad, rows, walker) > 5e-6


@pytest.mark.parametrize("aggregate", ["SUM", "AVERAGE"])
def test_double_thresholds_are_compared_in_double(aggregate, walker):
    rng = np.random.default_rng(3)
    trees = [onnx_models.grow(rng, 5, 2, modes=onnx_models.MODES, values=rng.normal(size=50)) for _ in range(6)]
    given = {"version": 3, "double": True, "aggregate": aggregate, "base": [0.1, 0.2]}
    model = _wrapped(onnx_models.regressor(trees, TensorProto.DOUBLE, **given))
    rows = _edges(model.trees(), model, walker)
    assert _difference(model, model.trees(), rows, walker) <= 5e-6  # the answer is float32
    assert _difference(model, walker.broken(model.trees(), "ulp"), rows, walker) > 1e-3


def test_double_thresholds_behind_float_columns(walker):
    """The columns are rounded to float32, widened again, and compared with a double."""
    rng = np.random.default_rng(3)
    trees = [onnx_models.grow(rng, 5, 1, modes=onnx_models.MODES, values=rng.normal(size=50)) for _ in range(6)]
    given = onnx_models.named(trees, "TreeEnsembleRegressor", double=True)
    nodes = [
        helper.make_node("Cast", ["X"], ["D"], to=TensorProto.DOUBLE),
        helper.make_node("TreeEnsembleRegressor", ["D"], ["Y"], domain=onnx_models.ML, **given),
    ]
    model = _wrapped(onnx_models.model(nodes, [onnx_models.tensor("X")], [onnx_models.tensor("Y", TensorProto.FLOAT, None)], 3))
    rows = _edges(model.trees(), model, walker)
    assert _difference(model, model.trees(), rows, walker) <= 5e-6
    assert _difference(model, walker.broken(model.trees(), "ulp"), rows, walker) > 1e-3


CLASSIFIERS = [
    ("three, softmax", {"post": "SOFTMAX"}, 3, None),
    ("three, logistic", {"post": "LOGISTIC"}, 3, None),
    ("two scores, softmax", {"post": "SOFTMAX"}, 2, None),
    ("one score, logistic", {"post": "LOGISTIC"}, 2, [0]),
    ("one score, logistic, base", {"post": "LOGISTIC", "base": [0.75]}, 2, [0]),
    ("one score", {}, 2, [0]),
    ("second score only", {"post": "LOGISTIC"}, 2, [1]),
    ("three, averaged into nothing", {"base": [0.1, 0.2, 0.3]}, 3, None),
]


@pytest.mark.parametrize(("more", "classes", "used"), [pytest.param(m, c, u, id=name) for name, m, c, u in CLASSIFIERS])
def test_every_way_of_two_or_more_classes(more, classes, used, walker):
    """Trees are offered and right, or refused and the graph asked: never offered and wrong."""
    rng = np.random.default_rng(4)
    trees = [onnx_models.grow(rng, 4, classes, modes=onnx_models.MODES) for _ in range(5)]
    model = _wrapped(onnx_models.classifier(trees, list("abc")[:classes], used=used, **more))
    assert len(model.outputs) == classes
    assert "trees" in model.can
    rows = _edges(model.trees(), model, walker)
    assert _difference(model, model.trees(), rows, walker) <= 5e-6


@pytest.mark.parametrize(("used", "base"), [(None, [0.5, -0.25]), (None, [0.5]), ([0], [0.5, -0.25]), ([1], [0.5])])
@pytest.mark.parametrize("post", ["NONE", "LOGISTIC", "SOFTMAX"])
def test_base_values_that_runtimes_read_in_their_own_way_are_right_or_refused(used, base, post, walker):
    """onnxruntime drops one of two scores, or a base value, in these cases."""
    rng = np.random.default_rng(4)
    trees = [onnx_models.grow(rng, 4, 2, modes=onnx_models.MODES) for _ in range(5)]
    model = _wrapped(onnx_models.classifier(trees, ["a", "b"], used=used, base=base, post=post))
    if "trees" in model.can:
        rows = _edges(model.trees(), model, walker)
        assert _difference(model, model.trees(), rows, walker) <= 5e-6
    else:
        assert model.provenance["refused"]["trees"]


def test_weights_that_are_never_negative_are_a_probability(walker):
    rng = np.random.default_rng(4)
    for post, space in (("NONE", "probability"), ("LOGISTIC", "margin")):
        trees = [onnx_models.grow(rng, 4, 2, modes=onnx_models.MODES) for _ in range(5)]
        trees = [[(*r[:-1], np.abs(r[-1]) / 20) for r in rows] for rows in trees]
        model = _wrapped(onnx_models.classifier(trees, ["a", "b"], used=[0], post=post))
        assert (model.task, model.trees().space) == ("classification", space)
        rows = _edges(model.trees(), model, walker)
        assert _difference(model, model.trees(), rows, walker) <= 5e-6


@pytest.mark.parametrize(
    ("more", "link"),
    [
        ({}, {"identity"}),
        ({"aggregate_function": 0}, {"identity"}),
        ({"post_transform": 1}, {"sigmoid", "softmax"}),
        ({"post_transform": 2}, {"sigmoid", "softmax"}),
    ],
)
def test_the_operator_of_version_five(more, link, walker):
    rng = np.random.default_rng(6)
    model = _wrapped(onnx_models.ensemble([onnx_models.grow(rng, 5, 1, modes=onnx_models.MODES) for _ in range(6)], **more))
    forest = model.trees()
    assert forest.link in link
    assert _difference(model, forest, _edges(forest, model, walker), walker) <= 5e-6


@pytest.mark.parametrize("version", [1, 5])
def test_equality_and_membership_split_categories(version, walker):
    rng = np.random.default_rng(7)
    modes = ["BRANCH_EQ", "BRANCH_NEQ", *(["BRANCH_MEMBER"] if version == 5 else []), "BRANCH_LEQ", "BRANCH_GT"]
    trees = [onnx_models.grow(rng, 5, 1, modes=modes, values=[1.0, 2.0, 5.0, 7.0]) for _ in range(8)]
    given = onnx_models.ensemble(trees, targets=1) if version == 5 else onnx_models.regressor(trees)
    X = rng.choice([0.0, 1.0, 2.0, 3.0, 5.0, 7.0, 9.0], size=(200, 3))
    plain = wg.wrap(given, X)
    assert "categorical=['x" in plain.provenance["refused"]["trees"]
    model = wg.wrap(given, X, categorical=[0, 1, 2])
    rows = rng.integers(-1, 7, size=(ROWS, 3)).astype(float)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    assert _difference(model, model.trees(), rows, walker) <= 5e-6
    assert _difference(model, walker.broken(model.trees(), "bits"), rows, walker) > 1e-3
    assert _difference(model, walker.broken(model.trees(), "missing"), rows, walker) > 1e-3


def test_training_weights_in_the_file_are_used():
    rows = [
        (0, 0, "BRANCH_LEQ", 0.0, 1, 2, 0, np.zeros(1)),
        (1, 0, "LEAF", 0.0, 0, 0, 0, np.array([1.0])),
        (2, 0, "LEAF", 0.0, 0, 0, 0, np.array([5.0])),
    ]
    X = np.array([[-1.0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0]])
    held = wg.wrap(onnx_models.regressor([rows], weights=[10.0, 9.0, 1.0]), X)
    counted = wg.wrap(onnx_models.regressor([rows], weights=[1.0, 1.0, 1.0]), X)
    assert wg.explain(held, X).base_values[0, 0] == pytest.approx(1.4)
    assert wg.explain(counted, X).base_values[0, 0] == pytest.approx(4.0)
    assert "4 rows" in counted.provenance["weights"]
    assert wg.wrap(onnx_models.regressor([rows], weights=[10.0, 9.0, 1.0])).trees().cover.tolist() == [10, 9, 1]
    assert "training weight" in wg.wrap(onnx_models.regressor([rows])).provenance["refused"]["trees"]


def test_trees_over_one_input_a_column(walker):
    rng = np.random.default_rng(3)
    given = onnx_models.named([onnx_models.grow(rng, 5, 1, modes=onnx_models.MODES) for _ in range(6)], "TreeEnsembleRegressor")
    names = ["a", "b", "c"]
    nodes = [
        helper.make_node("Identity", ["b"], ["bb"]),
        helper.make_node("Concat", ["c", "bb", "a"], ["X"], axis=1),
        helper.make_node("TreeEnsembleRegressor", ["X"], ["Y"], domain=onnx_models.ML, **given),
    ]
    graph = onnx_models.model(nodes, [onnx_models.tensor(n, width=1) for n in names], [onnx_models.tensor("Y", TensorProto.FLOAT, None)])
    frame = pd.DataFrame(rng.normal(size=(200, 3)), columns=["b", "c", "a"])
    model = wg.wrap(graph, frame)
    rows = _edges(model.trees(), model, walker)
    assert _difference(model, model.trees(), rows, walker) <= 5e-6


@pytest.mark.parametrize(
    ("more", "reason"), [({"post": "PROBIT"}, "PROBIT"), ({"aggregate": "MAX"}, "MAX"), ({"post": "SOFTMAX_ZERO"}, "SOFTMAX_ZERO")]
)
def test_what_is_no_sum_through_a_link_is_refused_by_name(more, reason):
    rng = np.random.default_rng(3)
    model = _wrapped(onnx_models.regressor([onnx_models.grow(rng, 3, 1, modes=onnx_models.MODES) for _ in range(2)], **more))
    assert model.can == {"predict"}
    assert reason in model.provenance["refused"]["trees"]


def test_trees_that_disagree_with_the_graph_are_not_offered(monkeypatch):
    rng = np.random.default_rng(3)
    given = onnx_models.regressor([onnx_models.grow(rng, 5, 1, modes=onnx_models.MODES) for _ in range(6)])
    assert "trees" in _wrapped(given).can
    monkeypatch.setattr(onnx_trees, "last_up_to", lambda t: t.astype(np.float64) + 0.1)
    model = _wrapped(given)
    assert model.can == {"predict"}
    assert "disagree" in model.provenance["refused"]["trees"]


def _attributes():
    rng = np.random.default_rng(3)
    given = onnx_models.named([onnx_models.grow(rng, 3, 1, modes=onnx_models.MODES)], "TreeEnsembleRegressor")
    return {key: np.array(value) if isinstance(value, list) else value for key, value in given.items()}


@pytest.mark.parametrize("key", ["nodes_truenodeids", "nodes_featureids", "nodes_nodeids", "target_nodeids", "target_ids", "nodes_modes"])
def test_damaged_trees_are_named(key):
    data = frames.read(np.zeros((5, 3)))
    given = _attributes()
    onnx_trees.to_raw(onnx_trees.read("TreeEnsembleRegressor", given), [0, 1, 2], data.schema, single=True)
    wrong = {**given, key: np.array(["LEAF"] * len(given[key])) if key == "nodes_modes" else np.full(len(given[key]), 99)}
    with pytest.raises(ModelError, match="damaged"):
        onnx_trees.to_raw(onnx_trees.read("TreeEnsembleRegressor", wrong), [0, 1, 2], data.schema, single=True)


def test_a_cycle_and_shared_nodes_are_refused():
    data = frames.read(np.zeros((5, 3)))
    given = _attributes()
    cycle = {**given, "nodes_truenodeids": np.where(given["nodes_modes"] == "LEAF", given["nodes_truenodeids"], 0)}
    with pytest.raises(ModelError, match="damaged"):
        onnx_trees.to_raw(onnx_trees.read("TreeEnsembleRegressor", cycle), [0, 1, 2], data.schema, single=True)
    rng = np.random.default_rng(3)
    flat = onnx_models.flat([onnx_models.grow(rng, 3, 1, modes=onnx_models.MODES)], 1)
    held = {k: numpy_helper.to_array(v) if isinstance(v, TensorProto) else v for k, v in flat.items()}
    with pytest.raises(UnsupportedError, match="share nodes"):
        onnx_trees.read("TreeEnsemble", {**held, "tree_roots": [0, 0]})
