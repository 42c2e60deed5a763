"""The depth-first walk over every tree, written down once per forest for the tree Shapley kernel."""

from __future__ import annotations

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from whyglass.kernels.forest import Floats, Ints, Trees, pack
from whyglass.kernels.jit import compiled, inlined

ENTER, EXIT, LEAF, PAIR = 0, 1, 2, 3
KIND, LEVEL, SIDE, FEATURE, BEFORE, NODE, LEAF_A, LEAF_B = range(8)
_AT, _NEXT, _SEEN, _MET, _DISTINCT = range(5)


class Plan(NamedTuple):
    """The walk over every tree, written down once per forest.

    Attributes:
        start: int32 (trees + 1,), first step of each tree.
        step: int32 (steps, 8): kind, level, side (0 left), feature, level where the feature was met before (0: never),
            node to test, leaf, other leaf.
        ratio: float64 (steps, 2): the feature's cover product with this edge and before it; for a pair of leaves, the left
            and right ratio.
        order: int32 (trees,), quadrature nodes that make the tree exact.
        nodes: float64 (orders, most nodes), Gauss-Legendre nodes on [0, 1].
        weights: float64 (orders, most nodes).
        value: float64 (nodes, width), leaf values.
    """

    start: Ints
    step: Ints
    ratio: Floats
    order: Ints
    nodes: Floats
    weights: Floats
    value: Floats


class Path(NamedTuple):
    """The way from the root to the node being written.

    Attributes:
        level: int32 (levels, 5): node, next side, feature of the edge into it, level where that feature was met before,
            distinct features so far.
        product: float64 (levels,), cover product of that feature.
    """

    level: Ints
    product: Floats


@inlined
def deepest_level(trees: Trees) -> int:
    """Edges on the longest path of the forest."""
    depth = np.zeros(trees.feature.shape[0], np.int32)
    deepest = 0
    for node in range(trees.feature.shape[0]):
        if trees.feature[node] >= 0:
            below = depth[node] + 1
            depth[trees.left[node]] = below
            depth[trees.right[node]] = below
            deepest = max(deepest, below)
    return deepest


@inlined
def share(trees: Trees, node: int, child: int) -> float:
    """The part of a node's training weight that went to a child; a half where no weight reached the node."""
    return trees.cover[child] / trees.cover[node] if trees.cover[node] > 0 else 0.5


@inlined
def put(plan: Plan, count: int, fields: tuple[int, int, int, int, int, int, int, int], new: float, old: float) -> None:
    """Write one step."""
    kind, level, side, feature, before, node, leaf_a, leaf_b = fields
    step, ratio = plan.step, plan.ratio
    step[count, KIND], step[count, LEVEL], step[count, SIDE], step[count, FEATURE] = kind, level, side, feature
    step[count, BEFORE], step[count, NODE], step[count, LEAF_A], step[count, LEAF_B] = before, node, leaf_a, leaf_b
    ratio[count, 0], ratio[count, 1] = new, old


@inlined
def advance(trees: Trees, plan: Plan, path: Path, level: int, here: tuple[int, int, int]) -> int:
    """Write the step for the next side of the node at a level of the path; gives the new level."""
    met, distinct, count = here
    node, side = path.level[level, _AT], path.level[level, _NEXT]
    feature, left, right = trees.feature[node], trees.left[node], trees.right[node]
    if side == 0 and met == 0 and trees.feature[left] < 0 and trees.feature[right] < 0:
        fields = (PAIR, level, 0, feature, 0, node, left, right)
        put(plan, count, fields, share(trees, node, left), share(trees, node, right))
        path.level[level, _NEXT] = 2
        return level
    child = left if side == 0 else right
    old = path.product[met]
    new = old * share(trees, node, child)
    path.level[level, _NEXT] = side + 1
    if trees.feature[child] < 0:
        put(plan, count, (LEAF, level, side, feature, met, node, child, -1), new, old)
        return level
    level += 1
    put(plan, count, (ENTER, level, side, feature, met, node, -1, -1), new, old)
    path.level[level, _AT], path.level[level, _NEXT], path.level[level, _SEEN] = child, 0, feature
    path.level[level, _MET], path.level[level, _DISTINCT] = met, distinct
    path.product[level] = new
    return level


@compiled
def write_plan(trees: Trees, plan: Plan) -> int:
    """Fill start, step, ratio and order of a plan; gives the longest path's edges."""
    deepest = deepest_level(trees)
    path = Path(np.zeros((deepest + 1, 5), np.int32), np.ones(deepest + 1))
    path.level[0, _SEEN] = -1
    count = 0
    for tree in range(trees.roots.shape[0]):
        plan.start[tree] = count
        plan.order[tree] = 1
        root = trees.roots[tree]
        path.level[0, _AT], path.level[0, _NEXT] = root, 2 if trees.feature[root] < 0 else 0
        level = 0
        while level >= 0:
            if path.level[level, _NEXT] == 2:
                if level > 0:
                    met = path.level[level, _MET]
                    fields = (EXIT, level, path.level[level - 1, _NEXT] - 1, path.level[level, _SEEN], met, -1, -1, -1)
                    put(plan, count, fields, path.product[level], path.product[met])
                    count += 1
                level -= 1
                continue
            feature = trees.feature[path.level[level, _AT]]
            met = level
            while met > 0 and path.level[met, _SEEN] != feature:
                met -= 1
            distinct = path.level[level, _DISTINCT] + (1 if met == 0 else 0)
            plan.order[tree] = max(plan.order[tree], (distinct + 1) // 2)
            level = advance(trees, plan, path, level, (met, distinct, count))
            count += 1
    plan.start[trees.roots.shape[0]] = count
    return deepest


@compiled
def expected_sums(trees: Trees) -> Floats:
    """What the forest says on average over its training weight: float64 (outputs,)."""
    reach = np.zeros(trees.feature.shape[0])
    out = trees.base.copy()
    width = trees.value.shape[1]
    for tree in range(trees.roots.shape[0]):
        reach[trees.roots[tree]] = 1.0
        last = trees.roots[tree + 1] if tree + 1 < trees.roots.shape[0] else trees.feature.shape[0]
        first = max(trees.tree_output[tree], 0)
        for node in range(trees.roots[tree], last):
            if trees.feature[node] < 0:
                for k in range(width):
                    out[first + k] += reach[node] * trees.value[node, k]
            else:
                for child in (trees.left[node], trees.right[node]):
                    reach[child] = reach[node] * share(trees, node, child)
    return out


class Ready(NamedTuple):
    """All that the kernel needs to know about a forest.

    Attributes:
        trees: The packed arrays.
        plan: The walk.
        levels: Edges on the longest path.
        mirrored: Whether the second of two outputs is the first, negated.
        expected: float64 (outputs,), what the forest says on average.
    """

    trees: Trees
    plan: Plan
    levels: int
    mirrored: bool
    expected: Floats


_ready: WeakKeyDictionary[Any, Ready] = WeakKeyDictionary()


def prepare(forest: Any) -> Ready:
    """Lay out the walk; done once per forest object, some milliseconds.

    Args:
        forest: Any object with the arrays of ``core.forest.Forest``.
    """
    if forest not in _ready:
        trees = pack(forest)
        most = 4 * int(np.count_nonzero(trees.feature >= 0)) + 1
        start, order = np.zeros(len(trees.roots) + 1, np.int32), np.ones(len(trees.roots), np.int32)
        mirrored = is_mirrored(trees)
        value = np.ascontiguousarray(trees.value[:, :1]) if mirrored else trees.value
        draft = Plan(start, np.zeros((most, 8), np.int32), np.zeros((most, 2)), order, np.zeros((1, 1)), np.zeros((1, 1)), value)
        levels = int(write_plan(trees, draft))
        nodes, weights = legendre(int(order.max(initial=1)))
        steps = int(start[-1])
        plan = draft._replace(step=draft.step[:steps].copy(), ratio=draft.ratio[:steps].copy(), nodes=nodes, weights=weights)
        _ready[forest] = Ready(trees, plan, levels, mirrored, expected_sums(trees))
    return _ready[forest]


def is_mirrored(trees: Trees) -> bool:
    """Two outputs whose leaves add up to the same number within a tree: the second's values are the first's, negated."""
    if trees.value.shape[1] != 2:
        return False
    leaf_sums = np.where(trees.feature < 0, trees.value.sum(axis=1), np.nan)
    low = np.fmin.reduceat(leaf_sums, trees.roots)
    high = np.fmax.reduceat(leaf_sums, trees.roots)
    return bool(np.all(high - low <= 1e-15 * np.maximum(np.abs(high), 1e-3)))


def legendre(most: int) -> tuple[Floats, Floats]:
    """Gauss-Legendre nodes and weights on [0, 1]; row n holds the rule with n nodes, exact to degree 2 n - 1."""
    nodes, weights = np.full((most + 1, most), 0.5), np.zeros((most + 1, most))
    for order in range(1, most + 1):
        x, w = np.polynomial.legendre.leggauss(order)
        nodes[order, :order], weights[order, :order] = (x + 1) / 2, w / 2
    return nodes, weights
