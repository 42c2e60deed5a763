"""ONNX models put together by hand: random trees as each version of the tree operators writes them."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"]
ML = "ai.onnx.ml"


def grow(rng, depth, width, *, modes, features=3, values=None):
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


def named(trees, kind, **more):
    """The attributes of a classifier or regressor; ``more`` may hold post, aggregate, base, double, classes, used and weights."""
    aggregate, base, double, used, weights = (more.get(key) for key in ("aggregate", "base", "double", "used", "weights"))
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
        "post_transform": more.get("post", "NONE"),
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
        given["classlabels_strings"] = more["classes"]
    if aggregate:
        given["aggregate_function"] = aggregate
    if base is not None:
        given["base_values"] = base
    for key in ("nodes_values", f"{what}_weights", "base_values") if double else ():
        if key in given:
            given[f"{key}_as_tensor"] = numpy_helper.from_array(np.array(given.pop(key), dtype=np.float64))
    return given


def model(nodes, inputs, outputs, version=1, **more):
    graph = helper.make_graph(nodes, "graph", inputs, outputs, **more)
    sets = [helper.make_opsetid(ML, version), helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=sets, ir_version=8)


def tensor(name, kind=TensorProto.FLOAT, width=3):
    return helper.make_tensor_value_info(name, kind, [None, width])


def regressor(trees, kind=TensorProto.FLOAT, version=1, **more):
    node = helper.make_node("TreeEnsembleRegressor", ["X"], ["Y"], domain=ML, **named(trees, "TreeEnsembleRegressor", **more))
    return model([node], [tensor("X", kind)], [tensor("Y", TensorProto.FLOAT, None)], version)


def classifier(trees, classes, version=1, **more):
    given = named(trees, "TreeEnsembleClassifier", classes=classes, **more)
    node = helper.make_node("TreeEnsembleClassifier", ["X"], ["L", "P"], domain=ML, **given)
    label = helper.make_tensor_value_info("L", TensorProto.STRING, [None])
    return model([node], [tensor("X")], [label, tensor("P", TensorProto.FLOAT, None)], version)


def flat(trees, targets):
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


def ensemble(trees, targets=2, **more):
    node = helper.make_node("TreeEnsemble", ["X"], ["Y"], domain=ML, **flat(trees, targets), **more)
    return model([node], [tensor("X")], [tensor("Y", TensorProto.FLOAT, None)], 5)
