"""Reads the trees of scikit-learn's ensembles as they are stored, over the columns that the ensemble itself sees.

Nothing here knows about pipelines or the user's columns: ``sklearn_fold`` maps what is read here onto them. Every
reader works on whole arrays; the only loops are over trees, to gather their arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core.errors import UnsupportedError

NO_BITS = np.zeros((1, 8), dtype=np.uint32)


@dataclass(frozen=True, eq=False)
class Grove:
    """Tree arrays in the library's own terms.

    Attributes:
        roots: int32 (trees,).
        feature: int32 (nodes,), the ensemble's own column; -1 at a leaf.
        threshold: float64 (nodes,).
        left: int32 (nodes,), absolute; -1 at a leaf.
        right: int32 (nodes,).
        missing_left: bool (nodes,).
        category: int32 (nodes,), row of ``bitsets``; -1 at a numeric node.
        bitsets: uint32 (rows, 8), a set bit sends that code left.
        cover: float64 (nodes,).
        value: float64 (nodes, width).
        tree_output: int32 (trees,).
        base: float64 (outputs,).
        link: From the sum to the prediction.
        space: What the sum is.
        single: Whether a value is cast to float32 before it is compared.
        encoder: The ensemble's own preprocessing step, or None.
    """

    roots: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    missing_left: NDArray[np.bool_]
    category: NDArray[np.int32]
    bitsets: NDArray[np.uint32]
    cover: NDArray[np.float64]
    value: NDArray[np.float64]
    tree_output: NDArray[np.int32]
    base: NDArray[np.float64]
    link: str
    space: str
    single: bool
    encoder: Any = None


def read(estimator: Any) -> Grove:
    """Read a fitted tree ensemble.

    Raises:
        UnsupportedError: If it is no tree ensemble, or one whose answer is no plain sum over trees.
    """
    reader = READERS.get(type(estimator).__name__)
    if reader is None or not type(estimator).__module__.startswith("sklearn."):
        msg = f"{type(estimator).__name__} is no tree ensemble that whyglass reads ({', '.join(sorted(READERS))})."
        raise UnsupportedError(msg)
    return reader(estimator)


def _gather(trees: Sequence[Any], columns: Sequence[NDArray[np.int64]] | None = None) -> tuple[dict[str, Any], NDArray[np.int64]]:
    """The arrays of many ``sklearn.tree._tree.Tree``, end to end, and how many nodes each has.

    Args:
        trees: The low-level trees.
        columns: For ensembles that show each tree a subset of columns: which ones.
    """
    sizes = np.array([t.node_count for t in trees], dtype=np.int64)
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    shift = np.repeat(starts, sizes)
    feature = [t.feature for t in trees] if columns is None else [_own(t.feature, c) for t, c in zip(trees, columns, strict=True)]
    left = np.concatenate([t.children_left for t in trees])
    right = np.concatenate([t.children_right for t in trees])
    leaf = left < 0
    joined = np.concatenate(feature)
    arrays = {
        "roots": starts.astype(np.int32),
        "feature": np.where(leaf, -1, joined).astype(np.int32),
        "threshold": np.concatenate([t.threshold for t in trees]).astype(np.float64),
        "left": np.where(leaf, -1, left + shift).astype(np.int32),
        "right": np.where(leaf, -1, right + shift).astype(np.int32),
        "missing_left": np.concatenate([t.missing_go_to_left for t in trees]).astype(bool),
        "category": np.full(len(leaf), -1, dtype=np.int32),
        "bitsets": NO_BITS,
        "cover": np.concatenate([t.weighted_n_node_samples for t in trees]).astype(np.float64),
    }
    return arrays, sizes


def _own(feature: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(feature < 0, feature, np.asarray(columns)[np.maximum(feature, 0)])


def _averaged(estimator: Any, trees: Sequence[Any]) -> Grove:
    arrays, _ = _gather(trees)
    raw = np.concatenate([t.value for t in trees])
    classes = hasattr(estimator, "classes_")
    if classes:
        value = raw[:, 0, :]
        total = value.sum(axis=1, keepdims=True)
        value = np.divide(value, total, out=np.zeros_like(value), where=total != 0)
    else:
        value = raw[:, :, 0]
    value = np.where(arrays["left"][:, None] < 0, value, 0.0) / len(trees)
    outputs = value.shape[1]
    return Grove(
        **arrays,
        value=np.ascontiguousarray(value),
        tree_output=np.full(len(trees), -1, dtype=np.int32),
        base=np.zeros(outputs),
        link="identity",
        space="probability" if classes else "value",
        single=True,
    )


def _read_tree(estimator: Any) -> Grove:
    return _averaged(estimator, [estimator.tree_])


def _read_forest(estimator: Any) -> Grove:
    return _averaged(estimator, [e.tree_ for e in estimator.estimators_])


def _read_gradient_boosting(estimator: Any) -> Grove:
    stages = estimator.estimators_
    outputs = stages.shape[1]
    trees = [e.tree_ for e in stages.ravel()]
    arrays, _ = _gather(trees)
    value = np.concatenate([t.value for t in trees])[:, 0, :] * estimator.learning_rate
    value = np.where(arrays["left"][:, None] < 0, value, 0.0)
    base = _starting_point(estimator, outputs)
    link = "identity"
    if hasattr(estimator, "classes_"):
        link = "sigmoid" if outputs == 1 else "softmax"
        if estimator.loss == "exponential":
            # the exponential loss means sigmoid(2 x sum)
            value, base = 2.0 * value, 2.0 * base
    return Grove(
        **arrays,
        value=value,
        tree_output=np.tile(np.arange(outputs, dtype=np.int32), len(stages)),
        base=base,
        link=link,
        space="value" if link == "identity" else "margin",
        single=True,
    )


def _starting_point(estimator: Any, outputs: int) -> NDArray[np.float64]:
    init = estimator.init_
    if isinstance(init, str):
        return np.zeros(outputs)
    if type(init).__name__ not in {"DummyClassifier", "DummyRegressor"} or getattr(init, "strategy", "") in {"stratified", "uniform"}:
        msg = f"{type(estimator).__name__} starts from a {type(init).__name__}, which is no constant: its answer is no sum over trees."
        raise UnsupportedError(msg)
    one = np.zeros((1, estimator.n_features_in_), dtype=np.float32)
    # no public name for what every row starts from
    start: NDArray[np.float64] = np.asarray(estimator._raw_predict_init(one), dtype=np.float64)[0]  # noqa: SLF001
    return start


def _read_hist(estimator: Any) -> Grove:
    grown = [p for stage in estimator._predictors for p in stage]  # noqa: SLF001  (the trees have no public name)
    outputs = int(estimator.n_trees_per_iteration_)
    sizes = np.array([len(p.nodes) for p in grown], dtype=np.int64)
    splits = np.array([len(p.raw_left_cat_bitsets) for p in grown], dtype=np.int64)
    nodes = np.concatenate([p.nodes for p in grown])
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    shift = np.repeat(starts, sizes)
    leaf = nodes["is_leaf"].astype(bool)
    category = nodes["is_categorical"].astype(bool) & ~leaf
    rows = np.repeat(np.cumsum(splits) - splits, sizes) + nodes["bitset_idx"].astype(np.int64)
    link = _hist_link(estimator, outputs)
    return Grove(
        roots=starts.astype(np.int32),
        feature=np.where(leaf, -1, nodes["feature_idx"]).astype(np.int32),
        threshold=nodes["num_threshold"].astype(np.float64),
        left=np.where(leaf, -1, nodes["left"].astype(np.int64) + shift).astype(np.int32),
        right=np.where(leaf, -1, nodes["right"].astype(np.int64) + shift).astype(np.int32),
        missing_left=nodes["missing_go_to_left"].astype(bool),
        category=np.where(category, rows, -1).astype(np.int32),
        bitsets=np.concatenate([NO_BITS[:0], *(np.asarray(p.raw_left_cat_bitsets, dtype=np.uint32).reshape(-1, 8) for p in grown)]),
        cover=nodes["count"].astype(np.float64),
        value=np.where(leaf, nodes["value"], 0.0).astype(np.float64)[:, None],
        tree_output=np.tile(np.arange(outputs, dtype=np.int32), len(grown) // outputs),
        base=np.asarray(estimator._baseline_prediction, dtype=np.float64).ravel(),  # noqa: SLF001
        link=link,
        space="value" if link == "identity" else "margin",
        single=False,
        encoder=getattr(estimator, "_preprocessor", None),
    )


def _hist_link(estimator: Any, outputs: int) -> str:
    if hasattr(estimator, "classes_"):
        return "sigmoid" if outputs == 1 else "softmax"
    return "exp" if estimator.loss in {"poisson", "gamma"} else "identity"


def _read_isolation(estimator: Any) -> Grove:
    """The anomaly score 2^(-mean depth / expected depth) as exp of a sum over trees of -log 2 x depth / expected."""
    trees = [e.tree_ for e in estimator.estimators_]
    expected = len(trees) * float(_path_length(np.array([estimator._max_samples]))[0])  # noqa: SLF001
    if expected == 0:
        msg = "IsolationForest was grown from single rows, so that its score is a constant."
        raise UnsupportedError(msg)
    arrays, sizes = _gather(trees, estimator.estimators_features_)
    depth = _depths(arrays["left"], arrays["right"], arrays["roots"])
    samples = np.concatenate([t.n_node_samples for t in trees])
    value = np.where(arrays["left"] < 0, depth + _path_length(samples), 0.0) * (-np.log(2.0) / expected)
    return Grove(
        **arrays,
        value=value[:, None],
        tree_output=np.zeros(len(sizes), dtype=np.int32),
        base=np.zeros(1),
        link="exp",
        space="margin",
        single=True,
    )


def _depths(left: NDArray[np.int32], right: NDArray[np.int32], roots: NDArray[np.int32]) -> NDArray[np.float64]:
    depth = np.zeros(len(left))
    level, here = 0, roots
    while len(here):
        depth[here] = level
        inner = here[left[here] >= 0]
        here = np.concatenate((left[inner], right[inner]))
        level += 1
    return depth


def _path_length(samples: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean depth of a random binary search tree of that many rows (Liu, Ting & Zhou 2008, equation 1)."""
    count = np.asarray(samples, dtype=np.float64)
    many = np.maximum(count, 3.0)
    long = 2.0 * (np.log(many - 1.0) + np.euler_gamma) - 2.0 * (many - 1.0) / many
    return np.where(count <= 1, 0.0, np.where(count <= 2, 1.0, long))


READERS: dict[str, Callable[[Any], Grove]] = {
    "DecisionTreeClassifier": _read_tree,
    "DecisionTreeRegressor": _read_tree,
    "ExtraTreeClassifier": _read_tree,
    "ExtraTreeRegressor": _read_tree,
    "RandomForestClassifier": _read_forest,
    "RandomForestRegressor": _read_forest,
    "ExtraTreesClassifier": _read_forest,
    "ExtraTreesRegressor": _read_forest,
    "GradientBoostingClassifier": _read_gradient_boosting,
    "GradientBoostingRegressor": _read_gradient_boosting,
    "HistGradientBoostingClassifier": _read_hist,
    "HistGradientBoostingRegressor": _read_hist,
    "IsolationForest": _read_isolation,
}
