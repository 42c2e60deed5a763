"""LightGBM's model text (version 3 and 4) -> flat trees. NumPy only: the library itself is not needed."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.adapters.models.boosting import Floats, Header, Ints, RawTrees, checked, to_forest, whole
from whyglass.core.errors import ModelError, UnsupportedError
from whyglass.core.forest import Forest

IDENTITY = frozenset({
    "regression", "regression_l2", "regression_l1", "huber", "fair", "quantile", "mape", "lambdarank", "rank_xendcg", "custom", "none", "",
})  # fmt: skip
LINKS = {"poisson": "exp", "gamma": "exp", "tweedie": "exp", "multiclass": "softmax", "cross_entropy": "sigmoid", "xentropy": "sigmoid"}
SIGMOIDS = frozenset({"binary", "multiclassova"})
CATEGORICAL, DEFAULT_LEFT = 1, 2
MISSING_NONE, MISSING_ZERO = 0, 1
ZERO = float(np.float32(1e-35))  # values this small are taken for 0 before any split


@dataclass(frozen=True, eq=False)
class Text:
    """A model text cut into its parts: the head's keys, every tree's keys, and the category values of pandas columns."""

    head: dict[str, str]
    trees: tuple[dict[str, str], ...]
    pandas_categories: tuple[tuple[Any, ...], ...] | None

    @property
    def objective(self) -> tuple[str, dict[str, str]]:
        """Name and parameters, such as ("binary", {"sigmoid": "1"})."""
        words = self.head.get("objective", "").split() or [""]
        pairs = [w.partition(":") for w in words[1:]]
        return words[0], {key: value for key, _, value in pairs}


def cut(text: str) -> Text:
    """Cut a model text into its parts.

    Raises:
        ModelError: If it is no LightGBM model text.
    """
    if not text.startswith("tree\n") or "max_feature_idx=" not in text:
        msg = "This is no LightGBM model text: it does not begin with 'tree' and its parameters."
        raise ModelError(msg)
    body, _, tail = text.partition("\nend of trees")
    blocks = re.split(r"\nTree=\d+\n", body)
    parts = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in blocks]
    flags = {line: "" for line in blocks[0].splitlines() if "=" not in line}
    found = re.search(r"^pandas_categorical:(.*)$", tail, re.MULTILINE)
    held = json.loads(found.group(1)) if found else None
    return Text({**flags, **parts[0]}, tuple(parts[1:]), None if held is None else tuple(tuple(v) for v in held))


def read_header(text: Text) -> Header:
    """What the model text says about itself."""
    with whole("LightGBM"):
        objective, parameters = text.objective
        count = int(text.head["max_feature_idx"]) + 1
        names = tuple(text.head.get("feature_names", "").split(" "))
        infos = text.head.get("feature_infos", "").split(" ")
        by_category = [i for i, info in enumerate(infos) if ":" in info and not info.startswith("[")]
        classes = int(text.head.get("num_class", 1))
        return Header(
            objective=objective,
            names=names if len(names) == count else (),
            categories={},
            category_features=frozenset(by_category),
            n_features=count,
            n_classes=classes if objective in {"multiclass", "multiclassova"} else 2 if objective == "binary" else 0,
            refused=_refused(text, objective, parameters),
        )


def _refused(text: Text, objective: str, parameters: dict[str, str]) -> str:
    if any(tree.get("is_linear") == "1" for tree in text.trees):
        return "its leaves are linear models (linear_tree), not numbers"
    if "sqrt" in parameters:
        return "reg_sqrt squares the sum of the trees, which is no known link"
    if objective not in IDENTITY | LINKS.keys() | SIGMOIDS:
        return f"the objective {objective!r} has no link that a sum of trees can be read through"
    return ""


def read_forest_text(text: str, *, rounds: int | None = None) -> Forest:
    """A LightGBM model text as a forest over the model's own columns and category codes.

    Args:
        text: What ``Booster.model_to_string()`` or ``save_model`` gave.
        rounds: Use the first boosting rounds only; None uses all that the text holds.

    Returns:
        The forest in margin space (the raw score, times the objective's sigmoid parameter).

    Raises:
        ModelError: If it is no LightGBM model text.
        UnsupportedError: If the model is no sum of trees that can be expressed; the reason is in the message.
    """
    return to_forest(read_trees(cut(text), rounds=rounds))


def read_trees(text: Text, *, rounds: int | None = None) -> RawTrees:
    """The trees of a model text, categories in the model's codes.

    Raises:
        UnsupportedError: If leaves, link or the treatment of zeros cannot be expressed.
    """
    header = read_header(text)
    if header.refused:
        raise UnsupportedError(header.refused)
    with whole("LightGBM"):
        return _read(text, header.n_features, rounds)


def _read(text: Text, n_features: int, rounds: int | None) -> RawTrees:
    objective, parameters = text.objective
    groups = max(int(text.head.get("num_tree_per_iteration", 1)), 1)
    trees = text.trees if rounds is None else text.trees[: rounds * groups]
    scale = float(parameters.get("sigmoid", 1.0)) if objective in SIGMOIDS else 1.0
    if "average_output" in text.head and trees:
        scale /= len(trees) // groups
    link = "sigmoid" if objective in SIGMOIDS else LINKS.get(objective, "identity")
    raw = _flatten(trees, scale)
    read = RawTrees(
        **raw, tree_output=(np.arange(len(trees)) % groups).astype(np.int32), base=np.zeros(groups), n_features=n_features,
        link=link, space="value" if link == "identity" else "margin", members_left=True,
    )  # fmt: skip
    return checked(read)


def _numbers(trees: Sequence[dict[str, str]], key: str, dtype: Any) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The numbers after ``key=`` of all trees in one array, and how many each tree gave."""
    lines = [tree.get(key, "").split() for tree in trees]
    sizes = np.array([len(line) for line in lines], dtype=np.int64)
    return np.array([v for line in lines for v in line], dtype=np.bytes_).astype(dtype) if sizes.any() else np.zeros(0, dtype), sizes


def _flatten(trees: Sequence[dict[str, str]], scale: float) -> dict[str, Any]:
    """Inner nodes of a tree come first, in the library's order, then its leaves."""
    feature, inner = _numbers(trees, "split_feature", np.int32)
    threshold, _ = _numbers(trees, "threshold", np.float64)
    decision, _ = _numbers(trees, "decision_type", np.int64)
    children = [_numbers(trees, key, np.int64)[0] for key in ("left_child", "right_child")]
    value, leaves = _numbers(trees, "leaf_value", np.float64)
    sizes = inner + leaves
    if not np.array_equal(leaves, inner + 1):
        msg = "The LightGBM model is damaged: a tree must have one leaf more than it has splits."
        raise ModelError(msg)
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64) if len(sizes) else np.zeros(0, np.int64)
    at_inner = _spread(roots, inner)
    at_leaf = _spread(roots + inner, leaves)
    total = int(sizes.sum())
    first, first_leaf = np.repeat(roots, inner), np.repeat(roots + inner, inner)
    linked = [_fill(total, at_inner, np.where(c >= 0, c + first, -c - 1 + first_leaf), -1) for c in children]
    categorical = (decision & CATEGORICAL).astype(np.bool_)
    missing_left = _missing_left(decision, threshold, categorical)
    node, code = _members(trees, at_inner, inner, categorical, threshold)
    return {
        "roots": roots.astype(np.int32),
        "feature": _fill(total, at_inner, feature, -1),
        "threshold": _fill(total, at_inner, np.where(categorical, 0.0, _beyond_zero(threshold)), 0.0),
        "left": linked[0].astype(np.int32),
        "right": linked[1].astype(np.int32),
        "missing_left": _fill(total, at_inner, missing_left, fill=False),
        "categorical": _fill(total, at_inner, categorical, fill=False),
        "member_node": node,
        "member_code": code,
        "cover": _cover(trees, at_inner, at_leaf, total),
        "value": _fill(total, at_leaf, value * scale, 0.0)[:, None],
    }


def _spread(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """starts[0], starts[0]+1, ... (counts[0] of them), starts[1], ..."""
    before = np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray(np.repeat(starts, counts) + np.arange(int(counts.sum())) - before)


def _fill(total: int, places: NDArray[np.int64], values: NDArray[Any], fill: Any) -> NDArray[Any]:
    out = np.full(total, fill, dtype=values.dtype)
    out[places] = values
    return out


def _cover(trees: Sequence[dict[str, str]], at_inner: NDArray[np.int64], at_leaf: NDArray[np.int64], total: int) -> Floats:
    """Training rows at each node, which is what the library's own contributions weigh by."""
    cover = np.ones(total)
    for key, places in (("internal_count", at_inner), ("leaf_count", at_leaf)):
        count, sizes = _numbers(trees, key, np.float64)
        if len(count) == len(places):
            cover[places] = count
        elif key == "leaf_count" and len(count):  # a tree that is one leaf gives no count
            held = np.repeat(sizes > 0, np.array([int(t["num_leaves"]) for t in trees]))
            cover[places[held]] = count
    return cover


def _missing_left(decision: NDArray[np.int64], threshold: Floats, categorical: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where NaN goes: to the default side, or where zero goes in a column that had no missing values; right at category nodes.

    Raises:
        UnsupportedError: If zero counts as missing and is sent away from where its value would go.
    """
    default = (decision & DEFAULT_LEFT).astype(np.bool_)
    missing = (decision >> 2) & 3
    zero_left = threshold >= 0.0
    if bool(((missing == MISSING_ZERO) & ~categorical & (default != zero_left)).any()):
        msg = "it treats zero as missing (zero_as_missing) and sends it against its value, which a forest cannot express"
        raise UnsupportedError(msg)
    return np.asarray(np.where(missing == MISSING_NONE, zero_left, default) & ~categorical)


def _beyond_zero(threshold: Floats) -> Floats:
    """Thresholds moved out of the zone around zero, whose values all go where zero goes."""
    below, above = (threshold >= -ZERO) & (threshold < 0.0), (threshold >= 0.0) & (threshold < ZERO)
    return np.where(below, np.nextafter(-ZERO, -np.inf), np.where(above, ZERO, threshold))


def _members(
    trees: Sequence[dict[str, str]],
    at_inner: NDArray[np.int64],
    inner: NDArray[np.int64],
    categorical: NDArray[np.bool_],
    threshold: Floats,
) -> tuple[Ints, NDArray[np.int64]]:
    """Category sets of all trees: (node, code) pairs sorted by node. A node's threshold is the number of its set in the tree."""
    if not categorical.any():
        return np.zeros(0, np.int32), np.zeros(0, np.int64)
    words, words_per_tree = _numbers(trees, "cat_threshold", np.uint32)
    edges, edges_per_tree = _numbers(trees, "cat_boundaries", np.int64)
    tree = np.repeat(np.arange(len(trees)), inner)[categorical]
    stated = np.array([edges[end - 1] if size else 0 for end, size in zip(np.cumsum(edges_per_tree), edges_per_tree, strict=True)])
    sets = threshold[categorical].astype(np.int64)
    if not np.array_equal(stated, words_per_tree) or bool((sets >= edges_per_tree[tree] - 1).any()) or bool((sets < 0).any()):
        msg = "The LightGBM model is damaged: its category sets are not as long as it says."
        raise ModelError(msg)
    first_edge = (np.cumsum(edges_per_tree) - edges_per_tree)[tree] + sets
    first_word = (np.cumsum(words_per_tree) - words_per_tree)[tree] + edges[first_edge]
    counts = edges[first_edge + 1] - edges[first_edge]
    where = _spread(first_word, counts)
    bits = np.unpackbits(words[where].astype("<u4").view(np.uint8).reshape(-1, 4), axis=1, bitorder="little").astype(np.bool_)
    row, bit = np.nonzero(bits)
    word_in_set = np.arange(len(where)) - np.repeat(np.cumsum(counts) - counts, counts)
    node = np.repeat(at_inner[categorical], counts)
    return node[row].astype(np.int32), (word_in_set[row] * 32 + bit).astype(np.int64)
