"""ONNX's tree operators (ai.onnx.ml 1 to 5) -> flat trees over the columns that the operator sees.

TreeEnsembleClassifier and TreeEnsembleRegressor name every node by (tree, number); TreeEnsemble (from 5 on) lists inner
nodes and leaves apart. Both become ``Nodes``; ``to_raw`` turns every comparison into "left when x <= threshold" in float64,
which is where the operator's own float32 rounding ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.adapters.models.boosting import Bools, Floats, RawTrees, checked, code_values, in_order, whole
from whyglass.adapters.models.single import last_left, last_up_to
from whyglass.core.errors import ModelError, UnsupportedError
from whyglass.core.schema import Schema

OPERATORS = ("TreeEnsembleClassifier", "TreeEnsembleRegressor", "TreeEnsemble")
LEQ, LT, GTE, GT, EQ, NEQ, MEMBER, LEAF = range(8)
MODES = {
    "BRANCH_LEQ": LEQ, "BRANCH_LT": LT, "BRANCH_GTE": GTE, "BRANCH_GT": GT, "BRANCH_EQ": EQ, "BRANCH_NEQ": NEQ, "BRANCH_MEMBER": MEMBER,
    "LEAF": LEAF,
}  # fmt: skip
LINKS = {"NONE": "identity", "LOGISTIC": "sigmoid", "SOFTMAX": "softmax"}
TRANSFORMS = ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT")  # as onnxruntime counts them for TreeEnsemble
AS_SPECIFIED = {"sigmoid": "softmax", "softmax": "sigmoid"}  # the specification counts these two the other way round
AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")

Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Nodes:
    """All nodes of an operator.

    Attributes:
        tree: int64 (nodes,), which tree each belongs to.
        feature: int64 (nodes,), column of the operator's input.
        mode: int64 (nodes,), how ``x`` is compared with ``split``; LEAF at leaves.
        split: float64 (nodes,).
        yes: int64 (nodes,), where a row goes for which the comparison holds; -1 at leaves.
        no: int64 (nodes,).
        missing_yes: bool (nodes,).
        value: float64 (nodes, width), zero at inner nodes.
        weight: float64 (nodes,), training weight where the file has it, else empty.
        sets: Members of the set that a MEMBER node tests.
        base: float64 (outputs,).
        link: As in Forest.
        other: The link that another reading of the same number gives, empty when there is one reading.
        probability: Whether the sum itself is a probability.
        classes: Names of the classes, empty for a regressor.
    """

    tree: Places
    feature: Places
    mode: Places
    split: Floats
    yes: Places
    no: Places
    missing_yes: Bools
    value: Floats
    weight: Floats
    sets: dict[int, Floats]
    base: Floats
    link: str
    probability: bool = False
    classes: tuple[str, ...] = ()
    other: str = ""


def read(operator: str, given: Mapping[str, Any]) -> Nodes:
    """The nodes of a tree operator.

    Args:
        operator: One of ``OPERATORS``.
        given: Its attributes, lists as arrays.

    Raises:
        ModelError: If its attributes do not fit together.
        UnsupportedError: If it does something else than adding up leaves and taking the sum through a link.
    """
    with whole("ONNX"):
        transform = given.get("post_transform", 0 if operator == "TreeEnsemble" else "NONE")
        transform = TRANSFORMS[int(transform)] if operator == "TreeEnsemble" else str(transform)
        aggregate = given.get("aggregate_function", 1 if operator == "TreeEnsemble" else "SUM")
        aggregate = AGGREGATES[int(aggregate)] if operator == "TreeEnsemble" else str(aggregate)
        if transform not in LINKS:
            msg = f"its trees end in {transform}, which is no link that a sum of trees can be read through"
            raise UnsupportedError(msg)
        if aggregate not in ("SUM", "AVERAGE"):
            msg = f"it takes the {aggregate} over its trees, which is no sum"
            raise UnsupportedError(msg)
        nodes = _listed(given, LINKS[transform]) if operator == "TreeEnsemble" else _named(operator, given, LINKS[transform])
        if aggregate == "AVERAGE":
            nodes.value[...] /= len(np.unique(nodes.tree))
        return nodes


def _named(operator: str, given: Mapping[str, Any], link: str) -> Nodes:
    """Nodes named by (tree, number), as the classifier and the regressor have them."""
    tree, number = (np.asarray(given[f"nodes_{key}"], dtype=np.int64) for key in ("treeids", "nodeids"))
    mode = np.array([MODES[m] for m in given["nodes_modes"]], dtype=np.int64)
    leaf = mode == LEAF
    place = _finder(tree, number)
    yes, no = (
        np.where(leaf, -1, place(tree, np.where(leaf, number, np.asarray(given[f"nodes_{key}"], dtype=np.int64))))
        for key in ("truenodeids", "falsenodeids")
    )
    kind = "class" if operator == "TreeEnsembleClassifier" else "target"
    at = place(*(np.asarray(given[f"{kind}_{key}"], dtype=np.int64) for key in ("treeids", "nodeids")))
    output, weights = np.asarray(given[f"{kind}_ids"], dtype=np.int64), _numbers(given, f"{kind}_weights")
    base = _numbers(given, "base_values")
    if kind == "class":
        classes = tuple(str(v) for v in (given.get("classlabels_strings") or given.get("classlabels_int64s") or ()))
        value, base, link, probability = _classes(len(classes), len(tree), (at, output, weights), base, link)
    else:
        classes, probability = (), False
        value = _table(len(tree), int(given.get("n_targets", 1)), (at, output, weights))
    missing = np.asarray(given.get("nodes_missing_value_tracks_true", ()), dtype=np.int64)
    return Nodes(
        tree=tree,
        feature=np.asarray(given["nodes_featureids"], dtype=np.int64),
        mode=mode,
        split=_numbers(given, "nodes_values"),
        yes=yes,
        no=no,
        missing_yes=missing.astype(np.bool_) if len(missing) else np.zeros(len(tree), dtype=np.bool_),
        value=value,
        weight=_numbers(given, "nodes_hitrates"),
        sets={},
        base=base if len(base) else np.zeros(value.shape[1]),
        link=link,
        probability=probability,
        classes=classes,
    )


def _numbers(given: Mapping[str, Any], key: str) -> Floats:
    """Numbers that are held as float32, or since version 3 as a double tensor."""
    held = given.get(f"{key}_as_tensor", given.get(key, ()))
    return np.asarray(held, dtype=np.float64).ravel()


def _finder(tree: Places, number: Places) -> Any:
    """From (tree, number) to the position of that node."""
    span = int(number.max(initial=0)) + 1
    key = tree * span + number
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    if len(key) == 0 or bool((np.diff(ordered) == 0).any()):
        msg = "The ONNX model is damaged: two nodes of its trees have one name."
        raise ModelError(msg)

    def find(trees: Places, numbers: Places) -> Places:
        wanted = trees * span + numbers
        place = np.searchsorted(ordered, wanted).clip(max=len(ordered) - 1)
        if bool((ordered[place] != wanted).any()) or bool((numbers >= span).any()):
            msg = "The ONNX model is damaged: its trees name nodes that they do not have."
            raise ModelError(msg)
        return np.asarray(order[place])

    return find


def _table(nodes: int, outputs: int, given: tuple[Places, Places, Floats]) -> Floats:
    at, output, weights = given
    value = np.zeros((nodes, outputs))
    np.add.at(value, (at, output), weights)
    return value


def _classes(classes: int, nodes: int, given: tuple[Places, Places, Floats], base: Floats, link: str) -> tuple[Floats, Floats, str, bool]:
    """Leaf values, base, link, and whether the sum is a probability.

    Two classes may share one score. Behind no logistic, weights that are never negative make it the second class's
    probability; otherwise it counts for the second class and against the first.
    """
    _, output, weights = given
    if classes != 2 or bool((output != 0).any()) or len(base) > 1:
        return _table(nodes, classes, given), base, link, link == "identity"
    score, start = _table(nodes, 1, given), base.sum()
    if link == "sigmoid":
        return score, np.array([start]), link, False
    shares = bool((weights >= 0).all())
    return np.hstack([-score, score]), np.array([1.0 - start if shares else -start, start]), "identity", shares


def _listed(given: Mapping[str, Any], link: str) -> Nodes:
    """Inner nodes and leaves apart, as TreeEnsemble has them; every reference to a leaf becomes a leaf of its own."""
    roots = np.asarray(given["tree_roots"], dtype=np.int64)
    feature = np.asarray(given["nodes_featureids"], dtype=np.int64)
    mode = np.asarray(given["nodes_modes"], dtype=np.int64)
    inner = len(feature)
    ends: list[Places] = []
    links = []
    for side in ("true", "false"):
        to = np.asarray(given[f"nodes_{side}nodeids"], dtype=np.int64)
        leaf = np.asarray(given[f"nodes_{side}leafs"], dtype=np.bool_)
        first = inner + sum(len(e) for e in ends)
        ends.append(to[leaf])
        links.append(np.where(leaf, first + np.cumsum(leaf) - 1, to))
    target, weights = np.asarray(given["leaf_targetids"], dtype=np.int64), _numbers(given, "leaf_weights")
    at = np.concatenate(ends)
    nodes, none = inner + len(at), np.full(len(at), -1)
    value = _table(nodes, int(given["n_targets"]), (inner + np.arange(len(at)), target[at], weights[at]))
    yes, no = (np.concatenate([side, none]) for side in links)
    missing = np.asarray(given.get("nodes_missing_value_tracks_true", np.zeros(inner)), dtype=np.bool_)
    return Nodes(
        tree=_trees(roots, yes, no),
        feature=np.concatenate([feature, none + 1]),
        mode=np.concatenate([mode, np.full(len(at), LEAF)]),
        split=np.concatenate([_numbers(given, "nodes_splits"), np.zeros(len(at))]),
        yes=yes,
        no=no,
        missing_yes=np.concatenate([missing, np.zeros(len(at), dtype=np.bool_)]),
        value=value,
        weight=np.zeros(0),
        sets=_sets(mode, _numbers(given, "membership_values")),
        base=np.zeros(value.shape[1]),
        link=link,
        other=AS_SPECIFIED.get(link, ""),
    )


def _trees(roots: Places, yes: Places, no: Places) -> Places:
    """Which tree each node belongs to; -1 for nodes that no root leads to."""
    tree = np.full(len(yes), -1, dtype=np.int64)
    here, label = roots, np.arange(len(roots))
    while len(here):
        if bool((tree[here] >= 0).any()) or len(np.unique(here)) < len(here):
            msg = "its trees share nodes"
            raise UnsupportedError(msg)
        tree[here] = label
        parents = yes[here] >= 0
        here, label = np.concatenate([yes[here[parents]], no[here[parents]]]), np.tile(label[parents], 2)
    return tree


def _sets(mode: Places, members: Floats) -> dict[int, Floats]:
    """The sets stand end to end, a NaN after each."""
    ends = np.flatnonzero(np.isnan(members))
    parts = np.split(members, ends + 1)
    return {int(node): part[~np.isnan(part)] for node, part in zip(np.flatnonzero(mode == MEMBER), parts, strict=False)}


def to_raw(nodes: Nodes, columns: Sequence[int], schema: Schema, *, single: bool) -> tuple[RawTrees, list[Floats | None]]:
    """The trees over the user's columns, without training weights, and the codes of each category column.

    Args:
        nodes: What ``read`` gave.
        columns: Column of the operator's input -> the user's column.
        schema: The user's columns.
        single: Whether a value is rounded to float32 before it is compared.

    Raises:
        ModelError: If the operator's nodes do not form trees.
        UnsupportedError: If a column of numbers is tested for equality, or text for its size.
    """
    with whole("ONNX"):
        _check(nodes, len(columns))
        inner = nodes.mode != LEAF
        feature = np.where(inner, np.asarray(columns, dtype=np.int64)[np.where(inner, nodes.feature, 0)], -1)
        used = np.unique(feature[inner]).tolist()
        numbers = {j: code_values(schema.columns[j], None, splits_by_category=False) for j in used}
        by_code = np.isin(feature, [j for j, n in numbers.items() if n is not None])
        _refuse_equality(nodes, feature, by_code, schema)
        flipped = np.isin(nodes.mode, (GT, GTE)) & ~by_code
        order, place, roots = _order(nodes)
        node, code = _members(nodes, feature, by_code, numbers, single=single)
        by_node = np.argsort(place[node], kind="stable")
        raw = RawTrees(
            roots=roots.astype(np.int32),
            feature=feature[order].astype(np.int32),
            threshold=np.where(by_code | ~inner, 0.0, _thresholds(nodes, single=single))[order],
            left=place[np.where(flipped, nodes.no, nodes.yes)][order].astype(np.int32),
            right=place[np.where(flipped, nodes.yes, nodes.no)][order].astype(np.int32),
            missing_left=((nodes.missing_yes | (nodes.mode == NEQ)) != flipped)[order],
            categorical=by_code[order],
            member_node=place[node][by_node].astype(np.int32),
            member_code=code[by_node],
            members_left=True,
            cover=np.zeros(len(order)),
            value=nodes.value[order],
            tree_output=np.full(len(roots), 0 if len(nodes.base) == 1 else -1, np.int32),
            base=nodes.base,
            n_features=len(schema),
            link=nodes.link,
            space="margin" if nodes.link != "identity" else "probability" if nodes.probability else "value",
        )
        if len(nodes.weight) == len(nodes.mode):
            raw = replace(raw, cover=nodes.weight[order])
        raw = checked(in_order(raw))
    return raw, [_range(numbers.get(j)) for j in range(len(schema))]


def _range(numbers: Floats | None) -> Floats | None:
    return None if numbers is None else np.arange(len(numbers), dtype=np.float64)


def _order(nodes: Nodes) -> tuple[Places, Places, Places]:
    """Nodes tree by tree, the root first: their order, the place of each in it (-1: dropped), and the places of the roots.

    Raises:
        ModelError: If a tree has several roots, or none.
    """
    kept = nodes.tree >= 0
    inner = (nodes.mode != LEAF) & kept
    is_root = np.ones(len(nodes.mode), dtype=np.bool_)
    is_root[np.concatenate([nodes.yes[inner], nodes.no[inner]])] = False
    order = np.flatnonzero(kept)[np.lexsort((~is_root[kept], nodes.tree[kept]))]
    place = np.full(len(nodes.mode) + 1, -1, dtype=np.int64)
    place[order] = np.arange(len(order))
    roots = np.flatnonzero(is_root[order])
    if len(roots) != len(np.unique(nodes.tree[order])):
        msg = "The ONNX model is damaged: one of its trees has several roots, or none."
        raise ModelError(msg)
    return order, place, roots


def weighed(raw: RawTrees) -> bool:
    """Whether the file's own weights are training weights: those of two branches add up, and they are not all the same."""
    inner = np.flatnonzero(raw.left >= 0)
    total = raw.cover[raw.left[inner]] + raw.cover[raw.right[inner]]
    return bool(len(inner)) and bool((raw.cover > 0).all()) and bool((np.abs(total - raw.cover[inner]) <= 1e-6 * raw.cover[inner]).all())


def _check(nodes: Nodes, width: int) -> None:
    """See that the arrays fit together.

    Raises:
        ModelError: If not.
    """
    count = len(nodes.mode)
    inner = nodes.mode != LEAF
    arrays = (nodes.tree, nodes.feature, nodes.split, nodes.yes, nodes.no, nodes.missing_yes, nodes.value)
    children = np.concatenate([nodes.yes[inner], nodes.no[inner]])
    fits = count > 0 and all(len(a) == count for a in arrays) and nodes.value.shape[1] == len(nodes.base)
    inside = fits and bool(((children >= 0) & (children < count)).all()) and bool((nodes.mode >= 0).all())
    known = inside and bool(((nodes.feature[inner] >= 0) & (nodes.feature[inner] < width)).all())
    kept = nodes.tree >= 0
    single = known and bool((np.bincount(children[np.tile(kept[inner], 2)], minlength=1) <= 1).all())
    if not single or bool((nodes.value[inner] != 0).any()):
        msg = "The ONNX model is damaged or grows its trees in an unknown way: nodes, columns, outputs and base values do not fit together."
        raise ModelError(msg)


def _refuse_equality(nodes: Nodes, feature: Places, by_code: Bools, schema: Schema) -> None:
    wrong = np.flatnonzero(np.isin(nodes.mode, (EQ, NEQ, MEMBER)) & ~by_code)
    if len(wrong):
        name = schema.columns[int(feature[wrong[0]])].name
        msg = f"its trees ask whether column {name!r} equals certain numbers: wrap it with categorical=[{name!r}] to have its trees read"
        raise UnsupportedError(msg)


def _thresholds(nodes: Nodes, *, single: bool) -> Floats:
    """The largest float64 for which LEQ and LT hold, and for which GT and GTE do not."""
    open_end = np.isin(nodes.mode, (LT, GTE))
    if not single:
        return np.where(open_end, np.nextafter(nodes.split, -np.inf), nodes.split)
    with np.errstate(over="ignore"):
        near = nodes.split.astype(np.float32)
        below = np.where(near.astype(np.float64) > nodes.split, np.nextafter(near, np.float32(-np.inf)), near)
        above = np.where(near.astype(np.float64) < nodes.split, np.nextafter(near, np.float32(np.inf)), near)
    return np.where(open_end, last_left(above), last_up_to(below))


def _members(nodes: Nodes, feature: Places, by_code: Bools, numbers: Mapping[int, Floats | None], *, single: bool) -> tuple[Places, Places]:
    """(node, code) for every category, or the one never seen (the last code), that goes to the "yes" side."""
    at, code = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for node in np.flatnonzero(by_code).tolist():
        held = numbers[int(feature[node])]
        if held is None:
            continue
        seen = held.astype(np.float32).astype(np.float64) if single else held
        holds = _holds(int(nodes.mode[node]), seen, nodes.split[node], nodes.sets.get(node, np.zeros(0)))
        holds = np.where(np.isnan(seen), nodes.missing_yes[node] | (nodes.mode[node] == NEQ), holds)
        mine = np.flatnonzero(holds)
        at.append(np.full(len(mine), node))
        code.append(mine)
    return np.concatenate(at), np.concatenate(code)


def _holds(mode: int, x: Floats, split: float, members: Floats) -> Bools:
    if mode == MEMBER:
        return np.isin(x, members)
    compare = {LEQ: np.less_equal, LT: np.less, GTE: np.greater_equal, GT: np.greater, EQ: np.equal, NEQ: np.not_equal}[mode]
    return np.asarray(compare(x, split), dtype=np.bool_)
