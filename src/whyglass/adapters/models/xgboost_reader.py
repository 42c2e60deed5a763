"""XGBoost's saved models (JSON, tested from 1.7 on) -> flat trees. NumPy only: the library itself is not needed.

XGBoost rounds a value to float32 and goes left when it is less than a float32 threshold. ``last_left`` gives the
largest float64 that does, so that kernels compare ``x <= threshold`` in float64 and take the same branch.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.adapters.models import ubjson
from whyglass.adapters.models.boosting import Floats, Header, Ints, RawTrees, checked, in_order, needs_order, to_forest, whole
from whyglass.adapters.models.single import last_left
from whyglass.core.errors import ModelError, UnsupportedError
from whyglass.core.forest import Forest, Linear

LINKS = {
    "binary:logistic": "sigmoid", "reg:logistic": "sigmoid", "binary:logitraw": "sigmoid",
    "multi:softprob": "softmax", "multi:softmax": "softmax",
    "count:poisson": "exp", "reg:gamma": "exp", "reg:tweedie": "exp", "survival:cox": "exp", "survival:aft": "exp",
    "reg:squarederror": "identity", "reg:linear": "identity", "reg:absoluteerror": "identity", "reg:pseudohubererror": "identity",
    "reg:squaredlogerror": "identity", "reg:quantileerror": "identity",
    "rank:pairwise": "identity", "rank:ndcg": "identity", "rank:map": "identity",
}  # fmt: skip
RAW_BASE = frozenset({"binary:logitraw"})  # its base score is already a margin, in every version
ROOT = 2**31 - 1
_BINARY = frozenset(b"{" + mark for mark in (b"L", b"l", b"I", b"i", b"U"))  # how a model saved as UBJ begins
_LONG = frozenset(
    ("left_children", "right_children", "split_indices", "split_conditions", "split_type", "default_left", "sum_hessian", "base_weights")
)


def read_header(model: dict[str, Any]) -> Header:
    """What the parsed model file says about itself.

    Raises:
        ModelError: If it is no XGBoost model.
    """
    with whole("XGBoost"):
        learner = _learner(model)
        objective = str(learner["objective"]["name"])
        numbers = learner["learner_model_param"]
        booster, _ = _booster(learner)
        trees = booster.get("model", booster)
        names = tuple(str(n) for n in learner.get("feature_names") or ())
        classes = int(numbers.get("num_class", 0) or 0)
        types = learner.get("feature_types") or ()
        return Header(
            objective=objective,
            names=names,
            categories=_categories(trees.get("cats")),
            category_features=frozenset(i for i, t in enumerate(types) if t == "c"),
            n_features=int(numbers["num_feature"]),
            n_classes=classes if objective.startswith("multi:") else 2 if objective.startswith("binary:") else 0,
            refused="" if objective in LINKS else f"the objective {objective!r} has no link that a sum of trees can be read through",
        )


def load(raw: bytes | bytearray | str) -> dict[str, Any]:
    """Parse a model saved as JSON or as UBJ.

    Raises:
        ModelError: If it is neither.
    """
    if isinstance(raw, bytes) and raw[:2] in _BINARY:
        model = ubjson.loads(raw, _LONG)
    else:
        try:
            model = json.loads(raw)
        except ValueError as error:
            msg = f"This is no XGBoost model saved as JSON: {error}."
            raise ModelError(msg) from None
    if not isinstance(model, dict):
        msg = f"This is no XGBoost model saved as JSON: it holds a {type(model).__name__}."
        raise ModelError(msg)
    return model


def read_forest_json(raw: bytes | str, *, rounds: int | None = None) -> Forest:
    """A saved XGBoost model as a forest over the model's own columns and category codes.

    Args:
        raw: What ``Booster.save_raw("json")`` or ``save_model("x.json")`` gave; tested from version 1.7 on.
        rounds: Use the first boosting rounds only; None uses all, as a native ``Booster`` does.

    Returns:
        The forest in margin space; NaN is missing, categories are the model's codes.

    Raises:
        ModelError: If it is no XGBoost model.
        UnsupportedError: If the model is no sum of trees that can be expressed; the reason is in the message.
    """
    return to_forest(read_trees(load(raw), rounds=rounds))


def read_trees(model: dict[str, Any], *, rounds: int | None = None) -> RawTrees:
    """The trees of a parsed model file, categories in the model's codes.

    Raises:
        UnsupportedError: If the objective or the booster cannot be expressed.
    """
    header = read_header(model)
    learner = _learner(model)
    booster, drop = _booster(learner)
    if header.refused:
        raise UnsupportedError(header.refused)
    if "trees" not in booster.get("model", {}):
        msg = "a linear booster has no trees"
        raise UnsupportedError(msg)
    with whole("XGBoost"):
        raw = _read(booster["model"], drop, learner, rounds)
        return in_order(raw) if needs_order(raw) else raw


def _read(held: dict[str, Any], drop: list[float] | None, learner: dict[str, Any], rounds: int | None) -> RawTrees:
    if any("sum_hessian" not in t for t in held["trees"]):
        msg = "its file holds no training weight per node (vector leaves before XGBoost 3.1), which path-dependent values need"
        raise UnsupportedError(msg)
    stop = _stop(held, learner, rounds)
    trees, info = held["trees"][:stop], np.array(held["tree_info"][:stop], dtype=np.int32)
    objective = learner["objective"]["name"]
    link = LINKS[objective]
    n_features = int(learner["learner_model_param"]["num_feature"])
    raw = _flatten(trees, n_features, base_margin(learner, objective), None if drop is None else np.array(drop[:stop], dtype=np.float32))
    space = "value" if link == "identity" else "margin"
    outputs = np.full(len(trees), -1, np.int32) if raw.value.shape[1] > 1 else info
    return checked(replace(raw, link=link, space=space, tree_output=outputs))


def read_linear(model: dict[str, Any]) -> Linear:
    """Coefficients of a ``gblinear`` booster; a missing value adds nothing.

    Raises:
        UnsupportedError: If the booster is no linear one, or its objective is not known.
    """
    header, learner = read_header(model), _learner(model)
    held = learner["gradient_booster"].get("model", {})
    if "weights" not in held or header.refused:
        raise UnsupportedError(header.refused or "a tree booster has no coefficients")
    base = base_margin(learner, header.objective)
    weights = np.array(held["weights"], dtype=np.float32).astype(np.float64).reshape(header.n_features + 1, len(base))
    link = LINKS[header.objective]
    return Linear(
        coefficients=np.ascontiguousarray(weights[:-1].T), intercept=base + weights[-1], missing=np.zeros(header.n_features), tables={},
        link=link, space="value" if link == "identity" else "margin",
    )  # fmt: skip


def base_margin(learner: dict[str, Any], objective: str) -> Floats:
    """The stored base score (a number, or since 3.1 a list) of each output, taken through the link's inverse."""
    numbers = learner["learner_model_param"]
    outputs = max(int(numbers.get("num_class", 0) or 0), int(numbers.get("num_target", 1) or 1), 1)
    text = str(numbers["base_score"]).strip("[] ")
    score = np.array([float(v) for v in text.split(",") if v.strip()], dtype=np.float32).astype(np.float64)
    if len(score) not in (1, outputs):
        msg = f"The model holds {len(score)} base scores for {outputs} outputs."
        raise ModelError(msg)
    score = np.broadcast_to(score, (outputs,)).copy()
    link = LINKS[objective]
    if link == "sigmoid" and objective not in RAW_BASE:
        return np.asarray(-np.log(1.0 / score - 1.0))
    return np.log(score) if link == "exp" else score


def _learner(model: dict[str, Any]) -> dict[str, Any]:
    learner = model.get("learner")
    if not isinstance(learner, dict) or not {"gradient_booster", "learner_model_param", "objective"} <= learner.keys():
        msg = "This is no XGBoost model: it has no learner with a booster, parameters and an objective."
        raise ModelError(msg)
    return learner


def _booster(learner: dict[str, Any]) -> tuple[dict[str, Any], list[float] | None]:
    booster = learner["gradient_booster"]
    if booster.get("name") == "dart":
        return booster["gbtree"], booster["weight_drop"]
    return booster, None


def _trees_per_round(held: dict[str, Any], learner: dict[str, Any]) -> int:
    parallel = max(int(held.get("gbtree_model_param", {}).get("num_parallel_tree", 1) or 1), 1)
    numbers = learner["learner_model_param"]
    vector = any(int(t["tree_param"].get("size_leaf_vector", 1) or 1) > 1 for t in held.get("trees", ())[:1])
    groups = 1 if vector else max(int(numbers.get("num_class", 0) or 0), int(numbers.get("num_target", 1) or 1), 1)
    return parallel * groups


def _stop(held: dict[str, Any], learner: dict[str, Any], rounds: int | None) -> int:
    if rounds is None:
        return len(held["trees"])
    ends = held.get("iteration_indptr")
    if ends:
        return int(ends[min(rounds, len(ends) - 1)])
    return rounds * _trees_per_round(held, learner)


def _categories(cats: Any) -> dict[int, tuple[Any, ...]]:
    """Since 3.1 the file holds each column's category values: text as offsets into bytes, numbers as they are."""
    found: dict[int, tuple[Any, ...]] = {}
    for place, column in enumerate((cats or {}).get("enc", ())):
        values = column.get("values", [])
        if "offsets" in column:
            if any(not 0 <= v < 128 for v in values):
                continue  # it counts letters and cuts by bytes: beyond ASCII the names are lost, and the codes stand alone
            ends, letters = column["offsets"], bytes(values)
            values = [letters[a:b].decode() for a, b in pairwise(ends)]
        if values:
            found[place] = tuple(values)
    return found


def _gather(trees: Iterable[dict[str, Any]], key: str, dtype: Any) -> NDArray[Any]:
    trees = list(trees)
    if trees and all(isinstance(t.get(key), np.ndarray) for t in trees):
        return np.concatenate([t[key] for t in trees]).astype(dtype)
    return np.array(list(chain.from_iterable(t.get(key, ()) for t in trees)), dtype=dtype)


def _flatten(trees: list[dict[str, Any]], n_features: int, base: Floats, drop: NDArray[np.float32] | None) -> RawTrees:
    sizes = np.array([len(t["left_children"]) for t in trees], dtype=np.int64)
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32) if len(sizes) else np.zeros(0, np.int32)
    offset = np.repeat(roots, sizes)
    left, right = _gather(trees, "left_children", np.int32), _gather(trees, "right_children", np.int32)
    leaf = left < 0
    condition = _gather(trees, "split_conditions", np.float32)
    kind = _gather(trees, "split_type", np.int8)
    categorical = (kind == 1) & ~leaf if len(kind) == len(left) else np.zeros(len(left), dtype=np.bool_)
    node, code = _members(trees, roots)
    value = _leaf_values(trees, condition, leaf, len(base), sizes)
    if drop is not None:
        value = value * drop.astype(np.float64)[np.repeat(np.arange(len(trees)), sizes)][:, None]
    plain = ~leaf & ~categorical
    return RawTrees(
        roots=roots, feature=np.where(leaf, -1, _gather(trees, "split_indices", np.int64)).astype(np.int32),
        threshold=np.where(plain, last_left(np.where(plain, condition, np.float32(0))), 0.0),
        left=np.where(leaf, -1, left + offset).astype(np.int32), right=np.where(leaf, -1, right + offset).astype(np.int32),
        missing_left=_gather(trees, "default_left", np.bool_), categorical=categorical, member_node=node, member_code=code,
        members_left=False, cover=_gather(trees, "sum_hessian", np.float32).astype(np.float64), value=value,
        tree_output=np.zeros(len(trees), np.int32), base=base, n_features=n_features,
    )  # fmt: skip


def _leaf_values(
    trees: list[dict[str, Any]], condition: NDArray[np.float32], leaf: NDArray[np.bool_], outputs: int, sizes: NDArray[np.int64],
) -> Floats:  # fmt: skip
    """(nodes, width): a leaf's number stands where its threshold would; vector leaves have a list of their own."""
    width = max((int(t["tree_param"].get("size_leaf_vector", 1) or 1) for t in trees), default=1)
    if width <= 1:
        return np.where(leaf, condition, np.float32(0)).astype(np.float64)[:, None]
    value = np.zeros((int(sizes.sum()), outputs))
    start = 0
    for tree, size in zip(trees, sizes.tolist(), strict=True):
        mine = leaf[start : start + size]
        held = tree.get("leaf_weights")
        table = np.array(held if held is not None else tree["base_weights"], dtype=np.float32).astype(np.float64).reshape(-1, width)
        # Newer files list leaves only, in the order in which the leaves' right child counts them.
        rows = np.array(tree["right_children"])[mine] if len(table) != size else np.flatnonzero(mine)
        value[start : start + size][mine] = table[rows]
        start += size
    return value


def _members(trees: list[dict[str, Any]], roots: Ints) -> tuple[Ints, NDArray[np.int64]]:
    """Category sets of all trees: (node, code) pairs sorted by node."""
    holders = [(t, int(r)) for t, r in zip(trees, roots.tolist(), strict=True) if t.get("categories_nodes")]
    if not holders:
        return np.zeros(0, np.int32), np.zeros(0, np.int64)
    nodes = np.concatenate([np.array(t["categories_nodes"], dtype=np.int64) + r for t, r in holders])
    sizes = np.array(list(chain.from_iterable(t["categories_sizes"] for t, _ in holders)), dtype=np.int64)
    code = _gather((t for t, _ in holders), "categories", np.int64)
    node = np.repeat(nodes, sizes).astype(np.int32)
    order = np.argsort(node, kind="stable")
    return node[order], code[order]
