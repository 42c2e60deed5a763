"""CatBoost's models exported as JSON -> flat trees. NumPy only: the library itself is not needed.

A symmetric (oblivious) tree asks one question on each level. Its root is the last question of the list and its leaves are
numbered by the answers' bits, as in the library's own Shapley values. CatBoost rounds a value to float32 and goes right
when it is greater than a float32 border; ``single.last_up_to`` gives the largest float64 that stays left. A category goes
right at a one-hot question when its hash is the one asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.adapters.models.boosting import Bools, Floats, Header, Ints, RawTrees, checked, whole
from whyglass.adapters.models.single import last_up_to
from whyglass.core.errors import ModelError, UnsupportedError

LINKS = {
    "Logloss": "sigmoid", "CrossEntropy": "sigmoid", "Focal": "sigmoid",
    "MultiClass": "softmax", "MultiClassOneVsAll": "sigmoid", "MultiLogloss": "sigmoid", "MultiCrossEntropy": "sigmoid",
    "Poisson": "exp", "Tweedie": "exp",
}  # fmt: skip
BINARY = frozenset({"Logloss", "CrossEntropy", "Focal"})
IDENTITY = frozenset({
    "RMSE", "MAE", "Quantile", "LogLinQuantile", "MAPE", "Lq", "Huber", "Expectile", "LogCosh", "MultiRMSE", "MultiRMSEWithMissingValues",
    "MultiQuantile", "QueryRMSE", "QuerySoftMax", "QueryCrossEntropy", "PairLogit", "PairLogitPairwise", "YetiRank", "YetiRankPairwise",
    "LambdaMart", "StochasticRank", "StochasticFilter", "GroupQuantile", "Cox", "SurvivalAft",
    "PythonUserDefinedPerObject", "PythonUserDefinedMultiTarget",
})  # fmt: skip


@dataclass(frozen=True, eq=False)
class Columns:
    """The user's columns as CatBoost counts them.

    Attributes:
        numeric: Number among the numeric columns -> column.
        category: Number among the category columns -> column.
        missing_right: Columns whose missing values count as larger than every number (``nan_mode="Max"``).
        values: Column -> hashes asked for by one-hot questions; their position is the model's own code.
    """

    numeric: dict[int, int]
    category: dict[int, int]
    missing_right: frozenset[int]
    values: dict[int, tuple[int, ...]]


def objective_of(model: Mapping[str, Any]) -> str:
    """The loss that the model was trained with, as CatBoost names it; empty when the file does not say."""
    held = model.get("model_info", {}).get("params")
    loss = held.get("loss_function", {}) if isinstance(held, dict) else {}
    return str(loss.get("type", "")) if isinstance(loss, dict) else ""


def read_header(model: Mapping[str, Any], names: Sequence[str]) -> Header:
    """What the exported model says about itself.

    Args:
        model: The parsed JSON.
        names: The model's column names, numeric and category columns together.

    Raises:
        ModelError: If it is no CatBoost model.
    """
    with whole("CatBoost"):
        objective = objective_of(model)
        width = len(model["scale_and_bias"][1])
        columns = read_columns(model)
        classes = 0 if objective not in LINKS or LINKS[objective] == "exp" else 2 if objective in BINARY else width
        return Header(
            objective=objective,
            names=tuple(names),
            category_features=frozenset(columns.category.values()),
            n_features=len(names),
            n_classes=classes,
            refused=_refused(model, objective, columns, names),
        )


def _refused(model: Mapping[str, Any], objective: str, columns: Columns, names: Sequence[str]) -> str:
    if objective not in LINKS and objective not in IDENTITY:
        return f"the objective {objective!r} has no link that a sum of trees can be read through"
    ctrs = model["features_info"].get("ctrs") or ()
    if ctrs:
        used = {columns.category.get(e.get("cat_feature_index", -1), -1) for c in ctrs for e in c.get("elements", ())} - {-1}
        said = ", ".join(sorted(repr(names[i]) for i in used))
        return f"it splits on statistics of the target within categories (CTR) of {said}, which are no columns of yours"
    return ""


def read_columns(model: Mapping[str, Any]) -> Columns:
    """How CatBoost counts the columns."""
    info = model["features_info"]
    numeric, category = info.get("float_features") or (), info.get("categorical_features") or ()
    return Columns(
        numeric={int(f["feature_index"]): int(f["flat_feature_index"]) for f in numeric},
        category={int(f["feature_index"]): int(f["flat_feature_index"]) for f in category},
        missing_right=frozenset(int(f["flat_feature_index"]) for f in numeric if f.get("nan_value_treatment") == "AsTrue"),
        values={int(f["flat_feature_index"]): tuple(int(v) for v in f.get("values") or ()) for f in category},
    )


def hashes(model: Mapping[str, Any]) -> dict[str, int]:
    """Text of a category -> its hash as one-hot questions ask for it, for the categories of the pool given at the export."""
    held = model["features_info"].get("cat_features_hash") or ()
    return {str(e["value"]): int(np.uint32(int(e["hash"])).view(np.int32)) for e in held}


def read_trees(model: Mapping[str, Any], names: Sequence[str]) -> RawTrees:
    """The trees of an exported model, categories as positions in ``Columns.values``.

    Raises:
        ModelError: If the file is damaged.
        UnsupportedError: If the trees ask for something else than numbers and categories of the user's columns.
    """
    header = read_header(model, names)
    if header.refused:
        raise UnsupportedError(header.refused)
    with whole("CatBoost"):
        scale, bias = model["scale_and_bias"]
        base = np.array(bias, dtype=np.float64)
        columns = read_columns(model)
        if "oblivious_trees" in model:
            parts = [_symmetric(tree, len(base)) for tree in model["oblivious_trees"]]
        else:
            parts = [_grown(tree, len(base)) for tree in model["trees"]]
        link = LINKS.get(header.objective, "identity")
        raw = _join(parts, columns, float(scale))
        raw["tree_output"] = np.full(len(parts), 0 if len(base) == 1 else -1, dtype=np.int32)
        space = "value" if link == "identity" else "margin"
        return checked(RawTrees(**raw, base=base, n_features=len(names), link=link, space=space, members_left=False))


@dataclass(frozen=True, eq=False)
class _Tree:
    """One tree: per node its question (-1 at a leaf), children counted from the root, training weight, and leaf values."""

    questions: Sequence[Mapping[str, Any]]
    question: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    cover: Floats
    value: Floats


def _symmetric(tree: Mapping[str, Any], outputs: int) -> _Tree:
    """Level by level: node h has the children 2h + 1 and 2h + 2, and level l asks question depth - 1 - l."""
    questions = tree.get("splits") or ()
    depth = len(questions)
    inner, leaves = 2**depth - 1, 2**depth
    value = np.zeros((inner + leaves, outputs))
    value[inner:] = np.array(tree["leaf_values"], dtype=np.float64).reshape(leaves, outputs)
    levels = [_weights(tree.get("leaf_weights"), leaves)]
    for _ in range(depth):
        levels.append(levels[-1].reshape(-1, 2).sum(axis=1))
    heap = np.arange(inner)
    question = np.full(inner + leaves, -1, dtype=np.int64)
    question[:inner] = depth - np.repeat(np.arange(depth), 2 ** np.arange(depth)) - 1
    left, right = np.full(inner + leaves, -1), np.full(inner + leaves, -1)
    left[:inner], right[:inner] = 2 * heap + 1, 2 * heap + 2
    return _Tree(questions, question, left, right, np.concatenate(levels[::-1]), value)


def _grown(tree: Mapping[str, Any], outputs: int) -> _Tree:
    """Depth first, without recursion: a tree may be deeper than Python's stack."""
    questions: list[Mapping[str, Any]] = []
    rows: list[tuple[int, int, int]] = []
    values: list[Any] = []
    weights: list[Any] = []
    waiting: list[tuple[Mapping[str, Any], int, bool]] = [(tree, -1, True)]
    parents: list[int] = []
    while waiting:
        node, parent, is_left = waiting.pop()
        here = len(rows)
        if parent >= 0:
            question, left, right = rows[parent]
            rows[parent] = (question, here, right) if is_left else (question, left, here)
        parents.append(parent)
        if "split" in node:
            rows.append((len(questions), -1, -1))
            questions.append(node["split"])
            values.append(np.zeros(outputs))
            weights.append(0.0)
            waiting += [(node["right"], here, False), (node["left"], here, True)]
        else:
            rows.append((-1, -1, -1))
            values.append(np.broadcast_to(np.asarray(node["value"], dtype=np.float64), (outputs,)))
            weights.append(node.get("weight"))
    question, left, right = np.array(rows, dtype=np.int64).T
    cover = _weights(weights, len(rows))
    for here in range(len(rows) - 1, 0, -1):
        cover[parents[here]] += cover[here]
    return _Tree(questions, question, left, right, cover, np.array(values))


def _weights(held: Any, leaves: int) -> Floats:
    if held is None or len(held) != leaves or any(w is None for w in held):
        msg = "its file holds no training weight per leaf, which path-dependent values need"
        raise UnsupportedError(msg)
    return np.array(held, dtype=np.float64)


def _join(trees: Sequence[_Tree], columns: Columns, scale: float) -> dict[str, Any]:
    """All trees end to end, every question looked up once."""
    sizes = np.array([len(t.left) for t in trees], dtype=np.int64)
    roots = np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.int64) if len(trees) else np.zeros(0, dtype=np.int64)
    asked = np.array([len(t.questions) for t in trees], dtype=np.int64)
    first = np.repeat(np.cumsum(asked) - asked, sizes)
    question = np.concatenate([t.question for t in trees]) if len(trees) else np.zeros(0, dtype=np.int64)
    inner = question >= 0
    feature, border, code = _questions([q for t in trees for q in t.questions], columns)
    here = np.where(inner, question + first, 0)
    nodes = len(question)
    own: NDArray[Any] = feature[here] if len(feature) else np.zeros(nodes, dtype=np.int64)
    own = np.where(inner, own, -1).astype(np.int32)
    categorical: Bools = inner & (code[here] >= 0) if len(code) else np.zeros(nodes, dtype=np.bool_)
    numeric = inner & ~categorical
    threshold = np.zeros(nodes)
    threshold[numeric] = last_up_to(border[here[numeric]])
    members: Ints = np.flatnonzero(categorical).astype(np.int32)
    shift = np.repeat(roots, sizes)
    left, right = (np.concatenate([getattr(t, side) for t in trees]) for side in ("left", "right")) if len(trees) else (question, question)
    return {
        "roots": roots.astype(np.int32),
        "feature": own,
        "threshold": threshold,
        "left": np.where(inner, left + shift, -1).astype(np.int32),
        "right": np.where(inner, right + shift, -1).astype(np.int32),
        "missing_left": ~np.isin(own, sorted(columns.missing_right)),
        "categorical": categorical,
        "member_node": members,
        "member_code": code[here[members]] if len(code) else np.zeros(0, dtype=np.int64),
        "cover": np.concatenate([t.cover for t in trees]) if len(trees) else np.zeros(0),
        "value": np.concatenate([t.value for t in trees]) * scale if len(trees) else np.zeros((0, 1)),
    }


def _questions(asked: Sequence[Mapping[str, Any]], columns: Columns) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """Column, float32 border and category code (-1 for a number) of every question.

    Raises:
        UnsupportedError: If a question is about neither a number nor a category.
    """
    feature = np.zeros(len(asked), dtype=np.int64)
    border = np.zeros(len(asked), dtype=np.float32)
    code = np.full(len(asked), -1, dtype=np.int64)
    places = {column: {value: place for place, value in enumerate(values)} for column, values in columns.values.items()}
    for number, question in enumerate(asked):
        kind = question.get("split_type")
        if kind == "FloatFeature":
            feature[number] = columns.numeric[int(question["float_feature_index"])]
            border[number] = question["border"]
        elif kind == "OneHotFeature":
            column = columns.category[int(question["cat_feature_index"])]
            feature[number] = column
            code[number] = places[column][int(question["value"])]
        else:
            msg = f"it splits on {kind!r}, which is computed from several columns or from the target"
            raise UnsupportedError(msg)
    return feature, border, code


def check_export(model: Any) -> dict[str, Any]:
    """The parsed export, if it is one.

    Raises:
        ModelError: If it is not what CatBoost exports.
    """
    wanted = {"features_info", "scale_and_bias"}
    if not isinstance(model, dict) or not wanted <= model.keys() or not ({"oblivious_trees", "trees"} & model.keys()):
        msg = "This is no CatBoost model exported as JSON: it has no features_info, trees and scale_and_bias."
        raise ModelError(msg)
    return model
