"""Wrapped ONNX models: the forest answers as onnxruntime does, on the border of every split too; what it cannot is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import polars as pl
import pytest
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import whyglass as wg
from whyglass.adapters import frames
from whyglass.adapters.models import files, onnx_trees, routing
from whyglass.adapters.models.onnx import adapt
from whyglass.core.errors import InputError, ModelError, UnsupportedError
from whyglass.core.wanted import Wanted

ROWS = 2000
MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"]
ML = "ai.onnx.ml"


def _data(rows=400, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 4)).astype(np.float32)
    y = X[:, 0] * X[:, 1] + X[:, 2]
    return X, y


def _targets(y):
    return {
        "value": y,
        "values": np.column_stack([y, -y]),
        "two": (y > 0).astype(int),
        "words": np.array(["no", "yes"])[(y > 0).astype(int)],
        "three": np.digitize(y, [-0.5, 0.5]),
    }


FITTED = [
    ("forest, two classes", RandomForestClassifier(7, max_depth=6, random_state=0), "words"),
    ("forest, three classes", RandomForestClassifier(7, random_state=0), "three"),
    ("extra trees", ExtraTreesClassifier(5, max_depth=5, random_state=0), "two"),
    ("one tree", DecisionTreeClassifier(max_depth=4, random_state=0), "three"),
    ("regression forest", RandomForestRegressor(6, max_depth=6, random_state=0), "value"),
    ("two targets", RandomForestRegressor(5, max_depth=4, random_state=0), "values"),
    ("boosting, two classes", GradientBoostingClassifier(n_estimators=15, random_state=0), "two"),
    ("boosting, three classes", GradientBoostingClassifier(n_estimators=6, random_state=0), "three"),
    ("boosting, values", GradientBoostingRegressor(n_estimators=15, random_state=0), "value"),
]


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


@pytest.mark.parametrize(("estimator", "kind"), [pytest.param(e, k, id=name) for name, e, k in FITTED])
def test_converted_ensembles_answer_as_the_graph_does(estimator, kind, walker):
    X, y = _data()
    target = _targets(y)[kind]
    fitted = estimator.fit(X, target)
    model = wg.wrap(to_onnx(fitted, X[:1]), X, target if target.ndim == 1 else None)
    forest = model.trees()
    rows = _edges(forest, model, walker)
    assert _difference(model, forest, rows, walker) <= 2e-6
    own = wg.wrap(fitted, X)
    assert model.outputs == own.outputs
    assert np.abs(model.predict(X) - own.predict(X)).max() <= 1e-5
    answer = wg.explain(model, X[:20])
    assert np.abs(answer.base_values + answer.values.sum(axis=1) - answer.predictions).max() <= 1e-9


def test_values_are_those_of_the_trees_that_were_converted():
    """Counted on the training rows, the weights are those that a tree without bootstrap was grown with."""
    X, y = _data()
    fitted = GradientBoostingRegressor(n_estimators=20, random_state=0).fit(X, y)
    mine = wg.explain(wg.wrap(to_onnx(fitted, X[:1]), X), X[:50])
    theirs = wg.explain(wg.wrap(fitted, X), X[:50])
    assert np.abs(mine.values - theirs.values).max() <= 1e-5
    assert np.abs(mine.values[:, ::-1] - theirs.values).max() > 1e-2


def _grow(rng, depth, width, *, modes, features=3, values=None):
    """A random tree: rows of (number, feature, mode, split, yes, no, missing, leaf values)."""
    rows = []

    def node(level):
        here = len(rows)
        rows.append(None)
        if level == depth or (level > 1 and rng.random() < 0.2):
            rows[here] = (here, 0, "LEAF", 0.0, 0, 0, 0, rng.normal(size=width))
            return here
        feature, mode = int(rng.integers(features)), str(rng.choice(modes))
        split = float(np.float32(rng.normal())) if values is None else float(rng.choice(values))
        yes, no = node(level + 1), node(level + 1)
        rows[here] = (here, feature, mode, split, yes, no, int(rng.random() < 0.5), np.zeros(width))
        return here

    node(0)
    return rows


def _named(trees, kind, *, post="NONE", aggregate=None, base=None, double=False, classes=None, used=None, weights=None):
    """The attributes of a classifier or regressor."""
    flat = [(t, *row) for t, rows in enumerate(trees) for row in rows]
    given = {
        "nodes_treeids": [r[0] for r in flat],
        "nodes_nodeids": [r[1] for r in flat],
        "nodes_featureids": [r[2] for r in flat],
        "nodes_modes": [r[3] for r in flat],
        "nodes_values": [r[4] for r in flat],
        "nodes_truenodeids": [r[5] for r in flat],
        "nodes_falsenodeids": [r[6] for r in flat],
        "nodes_missing_value_tracks_true": [r[7] for r in flat],
        "post_transform": post,
    }
    what = "target" if kind == "TreeEnsembleRegressor" else "class"
    leaves = [(r[0], r[1], k, v) for r in flat if r[3] == "LEAF" for k, v in enumerate(r[8]) if used is None or k in used]
    for key, place in (("treeids", 0), ("nodeids", 1), ("ids", 2), ("weights", 3)):
        given[f"{what}_{key}"] = [leaf[place] for leaf in leaves]
    given[f"{what}_weights"] = [float(v) for v in given[f"{what}_weights"]]
    if weights is not None:
        given["nodes_hitrates"] = weights
    if what == "target":
        given["n_targets"] = len(trees[0][0][-1])
    else:
        given["classlabels_strings"] = classes
    if aggregate:
        given["aggregate_function"] = aggregate
    if base is not None:
        given["base_values"] = base
    for key in ("nodes_values", f"{what}_weights", "base_values") if double else ():
        if key in given:
            given[f"{key}_as_tensor"] = numpy_helper.from_array(np.array(given.pop(key), dtype=np.float64))
    return given


def _model(nodes, inputs, outputs, version=1, **more):
    graph = helper.make_graph(nodes, "graph", inputs, outputs, **more)
    sets = [helper.make_opsetid(ML, version), helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=sets, ir_version=8)


def _tensor(name, kind=TensorProto.FLOAT, width=3):
    return helper.make_tensor_value_info(name, kind, [None, width])


def _regressor(trees, kind=TensorProto.FLOAT, version=1, **more):
    node = helper.make_node("TreeEnsembleRegressor", ["X"], ["Y"], domain=ML, **_named(trees, "TreeEnsembleRegressor", **more))
    return _model([node], [_tensor("X", kind)], [_tensor("Y", TensorProto.FLOAT, None)], version)


def _classifier(trees, classes, version=1, **more):
    given = _named(trees, "TreeEnsembleClassifier", classes=classes, **more)
    node = helper.make_node("TreeEnsembleClassifier", ["X"], ["L", "P"], domain=ML, **given)
    label = helper.make_tensor_value_info("L", TensorProto.STRING, [None])
    return _model([node], [_tensor("X")], [label, _tensor("P", TensorProto.FLOAT, None)], version)


def _wrapped(model, width=3, rows=200, seed=1, **more):
    X = np.random.default_rng(seed).normal(size=(rows, width))
    return wg.wrap(model, X, **more)


@pytest.mark.parametrize("mode", [*MODES, "mixed"])
@pytest.mark.parametrize("post", ["NONE", "LOGISTIC", "SOFTMAX"])
def test_every_comparison_and_transform_of_a_regressor(mode, post, walker):
    rng = np.random.default_rng(3)
    trees = [_grow(rng, 5, 2, modes=MODES if mode == "mixed" else [mode]) for _ in range(6)]
    model = _wrapped(_regressor(trees, post=post, base=[0.25, -0.5]))
    forest = model.trees()
    assert forest.link == {"NONE": "identity", "LOGISTIC": "sigmoid", "SOFTMAX": "softmax"}[post]
    rows = _edges(forest, model, walker)
    assert _difference(model, forest, rows, walker) <= 5e-6
    assert np.abs(routing.leaves(forest, rows) - walker.leaves(forest, rows)).max() == 0


@pytest.mark.parametrize("how", ["missing", "threshold", "base"])
def test_sabotage_is_caught(how, walker):
    rng = np.random.default_rng(3)
    model = _wrapped(_regressor([_grow(rng, 5, 1, modes=MODES) for _ in range(6)]))
    rows = _edges(model.trees(), model, walker)
    forest = model.trees()
    bad = dataclasses.replace(forest, base=forest.base + 1e-4) if how == "base" else walker.broken(forest, how)
    assert _difference(model, bad, rows, walker) > 5e-6


@pytest.mark.parametrize("aggregate", ["SUM", "AVERAGE"])
def test_double_thresholds_are_compared_in_double(aggregate, walker):
    rng = np.random.default_rng(3)
    trees = [_grow(rng, 5, 2, modes=MODES, values=rng.normal(size=50)) for _ in range(6)]
    given = {"version": 3, "double": True, "aggregate": aggregate, "base": [0.1, 0.2]}
    model = _wrapped(_regressor(trees, TensorProto.DOUBLE, **given))
    rows = _edges(model.trees(), model, walker)
    assert _difference(model, model.trees(), rows, walker) <= 5e-6  # the answer is float32
    assert _difference(model, walker.broken(model.trees(), "ulp"), rows, walker) > 1e-3


def test_double_thresholds_behind_float_columns(walker):
    """The columns are rounded to float32, widened again, and compared with a double."""
    rng = np.random.default_rng(3)
    trees = [_grow(rng, 5, 1, modes=MODES, values=rng.normal(size=50)) for _ in range(6)]
    given = _named(trees, "TreeEnsembleRegressor", double=True)
    nodes = [
        helper.make_node("Cast", ["X"], ["D"], to=TensorProto.DOUBLE),
        helper.make_node("TreeEnsembleRegressor", ["D"], ["Y"], domain=ML, **given),
    ]
    model = _wrapped(_model(nodes, [_tensor("X")], [_tensor("Y", TensorProto.FLOAT, None)], 3))
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
    trees = [_grow(rng, 4, classes, modes=MODES) for _ in range(5)]
    model = _wrapped(_classifier(trees, list("abc")[:classes], used=used, **more))
    assert len(model.outputs) == classes
    assert "trees" in model.can
    rows = _edges(model.trees(), model, walker)
    assert _difference(model, model.trees(), rows, walker) <= 5e-6


@pytest.mark.parametrize(("used", "base"), [(None, [0.5, -0.25]), (None, [0.5]), ([0], [0.5, -0.25]), ([1], [0.5])])
@pytest.mark.parametrize("post", ["NONE", "LOGISTIC", "SOFTMAX"])
def test_base_values_that_runtimes_read_in_their_own_way_are_right_or_refused(used, base, post, walker):
    """onnxruntime drops one of two scores, or a base value, in these cases."""
    rng = np.random.default_rng(4)
    model = _wrapped(_classifier([_grow(rng, 4, 2, modes=MODES) for _ in range(5)], ["a", "b"], used=used, base=base, post=post))
    if "trees" in model.can:
        rows = _edges(model.trees(), model, walker)
        assert _difference(model, model.trees(), rows, walker) <= 5e-6
    else:
        assert model.provenance["refused"]["trees"]


def test_weights_that_are_never_negative_are_a_probability(walker):
    rng = np.random.default_rng(4)
    for post, space in (("NONE", "probability"), ("LOGISTIC", "margin")):
        trees = [_grow(rng, 4, 2, modes=MODES) for _ in range(5)]
        trees = [[(*r[:-1], np.abs(r[-1]) / 20) for r in rows] for rows in trees]
        model = _wrapped(_classifier(trees, ["a", "b"], used=[0], post=post))
        assert (model.task, model.trees().space) == ("classification", space)
        rows = _edges(model.trees(), model, walker)
        assert _difference(model, model.trees(), rows, walker) <= 5e-6


def _flat(trees, targets):
    """The attributes of TreeEnsemble (version 5): inner nodes and leaves apart."""
    modes = {m: i for i, m in enumerate(["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER"])}
    inner, leaves, roots, members = [], [], [], []
    for rows in trees:
        place, first = {}, len(inner)
        for row in rows:
            kind = leaves if row[2] == "LEAF" else inner
            place[row[0]] = len(kind)
            kind.append(row)
        roots.append(first)
        for row in rows:
            if row[2] != "LEAF":
                sides = [(place[c], int(rows[c][2] == "LEAF")) for c in (row[4], row[5])]
                inner[place[row[0]]] = (row[1], modes[row[2]], row[3], *sides, row[6])
                if row[2] == "BRANCH_MEMBER":
                    members += [row[3], row[3] + 2, np.nan]
    as_tensor = numpy_helper.from_array
    given = {
        "n_targets": targets,
        "tree_roots": roots,
        "nodes_featureids": [n[0] for n in inner],
        "nodes_modes": as_tensor(np.array([n[1] for n in inner], dtype=np.uint8)),
        "nodes_splits": as_tensor(np.array([n[2] for n in inner], dtype=np.float32)),
        "nodes_truenodeids": [n[3][0] for n in inner],
        "nodes_trueleafs": [n[3][1] for n in inner],
        "nodes_falsenodeids": [n[4][0] for n in inner],
        "nodes_falseleafs": [n[4][1] for n in inner],
        "nodes_missing_value_tracks_true": [n[5] for n in inner],
        "leaf_targetids": [i % targets for i in range(len(leaves))],
        "leaf_weights": as_tensor(np.array([row[-1][0] for row in leaves], dtype=np.float32)),
    }
    if members:
        given["membership_values"] = as_tensor(np.array(members, dtype=np.float32))
    return given


def _ensemble(trees, targets=2, **more):
    node = helper.make_node("TreeEnsemble", ["X"], ["Y"], domain=ML, **_flat(trees, targets), **more)
    return _model([node], [_tensor("X")], [_tensor("Y", TensorProto.FLOAT, None)], 5)


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
    model = _wrapped(_ensemble([_grow(rng, 5, 1, modes=MODES) for _ in range(6)], **more))
    forest = model.trees()
    assert forest.link in link
    assert _difference(model, forest, _edges(forest, model, walker), walker) <= 5e-6


@pytest.mark.parametrize("version", [1, 5])
def test_equality_and_membership_split_categories(version, walker):
    rng = np.random.default_rng(7)
    modes = ["BRANCH_EQ", "BRANCH_NEQ", *(["BRANCH_MEMBER"] if version == 5 else []), "BRANCH_LEQ", "BRANCH_GT"]
    trees = [_grow(rng, 5, 1, modes=modes, values=[1.0, 2.0, 5.0, 7.0]) for _ in range(8)]
    given = _ensemble(trees, targets=1) if version == 5 else _regressor(trees)
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
    held = wg.wrap(_regressor([rows], weights=[10.0, 9.0, 1.0]), X)
    counted = wg.wrap(_regressor([rows], weights=[1.0, 1.0, 1.0]), X)
    assert wg.explain(held, X).base_values[0, 0] == pytest.approx(1.4)
    assert wg.explain(counted, X).base_values[0, 0] == pytest.approx(4.0)
    assert "4 rows" in counted.provenance["weights"]
    assert wg.wrap(_regressor([rows], weights=[10.0, 9.0, 1.0])).trees().cover.tolist() == [10, 9, 1]
    assert "training weight" in wg.wrap(_regressor([rows])).provenance["refused"]["trees"]


def _columns_pipeline():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"<script>": rng.choice(["red", "blue"], 300), "size": rng.normal(size=300), "count": rng.integers(0, 9, 300)})
    y = ((frame["<script>"] == "red") * frame["size"] + frame["count"] > 4).astype(int)
    pipe = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["<script>"]), (StandardScaler(), ["size", "count"])),
        LogisticRegression(),
    ).fit(frame, y)
    kinds = [("<script>", StringTensorType([None, 1])), ("size", FloatTensorType([None, 1])), ("count", Int64TensorType([None, 1]))]
    return frame, y, pipe, to_onnx(pipe, initial_types=kinds)


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow", "shuffled"])
def test_one_input_a_column(kind):
    frame, y, pipe, given = _columns_pipeline()
    rows = {
        "pandas": frame,
        "polars": pl.from_pandas(frame),
        "arrow": pl.from_pandas(frame).to_arrow(),
        "shuffled": frame[frame.columns[::-1]],
    }
    model = wg.wrap(given, rows[kind], y)
    assert (model.can, model.task, model.outputs) == ({"predict"}, "classification", ("0", "1"))
    assert "gradients" in model.provenance["refused"]["grad"]
    assert np.abs(model.predict(rows[kind]) - pipe.predict_proba(frame)).max() <= 1e-6
    unseen = frame[:1].assign(**{"<script>": "green"})
    assert np.abs(wg.wrap(given, frame, y).predict(unseen) - pipe.predict_proba(unseen)).max() <= 1e-6
    answer = wg.explain(wg.wrap(given, frame, y), frame[:2])
    assert answer.feature_names == ("<script>", "size", "count")
    assert np.abs(answer.base_values + answer.values.sum(axis=1) - answer.predictions).max() <= 1e-9


def test_trees_over_one_input_a_column(walker):
    rng = np.random.default_rng(3)
    given = _named([_grow(rng, 5, 1, modes=MODES) for _ in range(6)], "TreeEnsembleRegressor")
    names = ["a", "b", "c"]
    nodes = [
        helper.make_node("Identity", ["b"], ["bb"]),
        helper.make_node("Concat", ["c", "bb", "a"], ["X"], axis=1),
        helper.make_node("TreeEnsembleRegressor", ["X"], ["Y"], domain=ML, **given),
    ]
    graph = _model(nodes, [_tensor(n, width=1) for n in names], [_tensor("Y", TensorProto.FLOAT, None)])
    frame = pd.DataFrame(rng.normal(size=(200, 3)), columns=["b", "c", "a"])
    model = wg.wrap(graph, frame)
    rows = _edges(model.trees(), model, walker)
    assert _difference(model, model.trees(), rows, walker) <= 5e-6


@pytest.mark.parametrize("kind", ["bytes", "session", "session of a file", "path", "str"])
def test_every_way_to_hand_over_a_model(kind, tmp_path):
    X, y = _data()
    fitted = RandomForestRegressor(5, max_depth=4, random_state=0).fit(X, y)
    given = to_onnx(fitted, X[:1])
    raw, file = given.SerializeToString(), tmp_path / "model.onnx"
    file.write_bytes(raw)
    ways = {
        "bytes": lambda: raw,
        "session": lambda: onnxruntime.InferenceSession(raw),
        "session of a file": lambda: onnxruntime.InferenceSession(file),
        "path": lambda: file,
        "str": lambda: str(file),
    }
    model = wg.wrap(ways[kind](), X)
    assert "trees" in model.can
    assert np.abs(model.predict(X)[:, 0] - fitted.predict(X)).max() <= 1e-5
    assert wg.explain(model, X[:1]).values.shape == (1, 4, 1)


def test_other_graphs_are_functions_and_the_reason_is_named():
    X, y = _data()
    two = _targets(y)["two"]
    scaled = make_pipeline(StandardScaler(), RandomForestClassifier(3, max_depth=3, random_state=0)).fit(X, two)
    for fitted, reason in (
        (scaled, "gone through Scaler"),
        (LogisticRegression().fit(X, two), "LinearClassifier"),
        (AdaBoostClassifier(n_estimators=3, random_state=0).fit(X, two), "followed by"),
    ):
        model = wg.wrap(to_onnx(fitted, X[:1]), X, two)
        assert model.can == {"predict"}
        assert reason in model.provenance["refused"]["trees"]
        assert np.abs(model.predict(X) - fitted.predict_proba(X)).max() <= 1e-5
    network = MLPRegressor(hidden_layer_sizes=(8,), max_iter=300, tol=1e-2, random_state=0).fit(X, y)
    model = wg.wrap(to_onnx(network, X[:1]), X, y)
    answer = wg.explain(model, X[:2], background=X[:20])
    assert np.abs(answer.predictions[:, 0] - network.predict(X[:2])).max() <= 1e-5
    assert model.provenance["wrap_rows"] <= 100


@pytest.mark.parametrize(
    ("more", "reason"), [({"post": "PROBIT"}, "PROBIT"), ({"aggregate": "MAX"}, "MAX"), ({"post": "SOFTMAX_ZERO"}, "SOFTMAX_ZERO")]
)
def test_what_is_no_sum_through_a_link_is_refused_by_name(more, reason):
    rng = np.random.default_rng(3)
    model = _wrapped(_regressor([_grow(rng, 3, 1, modes=MODES) for _ in range(2)], **more))
    assert model.can == {"predict"}
    assert reason in model.provenance["refused"]["trees"]


def test_trees_that_disagree_with_the_graph_are_not_offered(monkeypatch):
    rng = np.random.default_rng(3)
    given = _regressor([_grow(rng, 5, 1, modes=MODES) for _ in range(6)])
    assert "trees" in _wrapped(given).can
    monkeypatch.setattr(onnx_trees, "last_up_to", lambda t: t.astype(np.float64) + 0.1)
    model = _wrapped(given)
    assert model.can == {"predict"}
    assert "disagree" in model.provenance["refused"]["trees"]


def _attributes():
    rng = np.random.default_rng(3)
    return {
        k: np.array(v) if isinstance(v, list) else v for k, v in _named([_grow(rng, 3, 1, modes=MODES)], "TreeEnsembleRegressor").items()
    }


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
    flat = _flat([_grow(rng, 3, 1, modes=MODES)], 1)
    held = {k: numpy_helper.to_array(v) if isinstance(v, TensorProto) else v for k, v in flat.items()}
    with pytest.raises(UnsupportedError, match="share nodes"):
        onnx_trees.read("TreeEnsemble", {**held, "tree_roots": [0, 0]})


def test_what_cannot_be_wrapped_says_why(tmp_path):
    with pytest.raises(ModelError, match="no ONNX model"):
        wg.wrap(b"not a model", np.zeros((3, 2)))
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelError, match=r"bad\.onnx"):
        wg.wrap(tmp_path / "bad.onnx", np.zeros((3, 2)))
    with pytest.raises(InputError, match="no file"):
        wg.wrap("nowhere.onnx", np.zeros((3, 2)))
    X, y = _data()
    given = to_onnx(RandomForestRegressor(2, max_depth=2).fit(X, y), X[:1])
    with pytest.raises(ModelError, match="takes 4 columns; the data has 2"):
        wg.wrap(given, X[:, :2])
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [None, 3, 8, 8])
    picture = _model(
        [helper.make_node("Identity", ["image"], ["Y"])], [image], [helper.make_tensor_value_info("Y", TensorProto.FLOAT, None)]
    )
    with pytest.raises(ModelError, match="rows and columns"):
        wg.wrap(picture, X)
    frame, _, _, worded = _columns_pipeline()
    with pytest.raises(UnsupportedError, match="takes text"):
        wg.wrap(worded)
    with pytest.raises(ModelError, match="takes numbers"):
        adapt(given, Wanted(frames.read(frame.assign(more=1.0)))).predict(frame.assign(more=1.0))


def test_whole_number_inputs_take_whole_numbers_only():
    X = np.random.default_rng(0).integers(0, 9, size=(200, 3))
    fitted = RandomForestRegressor(5, max_depth=4, random_state=0).fit(X, X[:, 0] * X[:, 1])
    model = wg.wrap(to_onnx(fitted, initial_types=[("X", Int64TensorType([None, 3]))]), X)
    assert np.abs(model.predict(X)[:, 0] - fitted.predict(X)).max() <= 1e-4
    assert np.abs(routing.predict(model.trees(), X.astype(float))[:, 0] - fitted.predict(X)).max() <= 1e-4
    with pytest.raises(ModelError, match=r"takes tensor\(int64\).*0\.5"):
        model.predict(np.full((1, 3), 0.5))


def test_a_file_is_read_whole(tmp_path):
    X, y = _data()
    file = tmp_path / "model.onnx"
    onnx.save(to_onnx(RandomForestRegressor(2, max_depth=2).fit(X, y), X[:1]), file)
    assert type(files.read_model(file)).__name__ == "ModelProto"
