"""Exact path-dependent tree Shapley values by quadrature, for trees of any depth.

For one leaf with value v, let o_j be 1 where the row satisfies every condition of feature j on the path (else 0) and z_j
the product of the cover ratios of j's edges. Feature i then gets

    v * integral over t in [0, 1] of (o_i - z_i) * product over j != i of (z_j (1 - t) + o_j t)

a polynomial in t, which Gauss-Legendre integrates exactly with half as many nodes as the path has features. One walk over
the tree carries the product P of all factors down and the sum H of weighted leaves up, for all nodes t and a block of rows
at once; a feature met again has its old factor replaced, which takes only three values. There is no division a row and no
branch a row. Cost: nodes x quadrature nodes x rows. After arXiv 2605.04497.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from whyglass.kernels.forest import Blocks, Floats, Ints, Trees, blocks, goes_left, matrix, pack, run
from whyglass.kernels.jit import compiled

_LANES = 32  # rows walked together: their vectors stay in the first-level cache
_ENTER, _EXIT, _LEAF, _PAIR = 0, 1, 2, 3
_KIND, _LEVEL, _SIDE, _FEATURE, _BEFORE, _NODE, _LEAF_A, _LEAF_B = range(8)


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


class Work(NamedTuple):
    """Scratch of one call: products down, leaf sums up, satisfied so far, test of the node, per-row sums, answers."""

    down: Floats
    up: Floats
    on: Floats
    test: Floats
    total: Floats
    phi: Floats


@compiled
def write_plan(trees: Trees, start: Ints, step: Ints, ratio: Floats, order: Ints) -> int:
    """Write the depth-first walk of every tree; gives the deepest level."""
    depth = np.zeros(trees.feature.shape[0], np.int32)
    deepest = 0
    for node in range(trees.feature.shape[0]):
        if trees.feature[node] >= 0:
            depth[trees.left[node]] = depth[node] + 1
            depth[trees.right[node]] = depth[node] + 1
            deepest = max(deepest, depth[node] + 1)
    # per level: node, next side, path feature, cover product, level of the same feature before, distinct features so far
    at, side, seen, before, unique = (
        np.zeros(deepest + 1, np.int32), np.zeros(deepest + 1, np.int32), np.full(deepest + 1, -1, np.int32),
        np.zeros(deepest + 1, np.int32), np.zeros(deepest + 1, np.int32),
    )
    product = np.ones(deepest + 1)
    count = 0
    for tree in range(trees.roots.shape[0]):
        start[tree] = count
        order[tree] = 1
        level = 0
        at[0] = trees.roots[tree]
        side[0] = 2 if trees.feature[at[0]] < 0 else 0
        while level >= 0:
            node = at[level]
            feature = trees.feature[node]
            if side[level] == 2:
                if level > 0:
                    mother = trees.feature[at[level - 1]]
                    put(step, count, (_EXIT, level, side[level - 1] - 1, mother, before[level], -1, -1, -1))
                    ratio[count, 0] = product[level]
                    ratio[count, 1] = product[before[level]]
                    count += 1
                level -= 1
                continue
            met = 0
            for above in range(level, 0, -1):
                if seen[above] == feature:
                    met = above
                    break
            distinct = unique[level] + (1 if met == 0 else 0)
            order[tree] = max(order[tree], (distinct + 1) // 2)
            count, level = advance(trees, (at, side, seen, before, unique), product, (level, met, distinct, count), step, ratio)
    start[trees.roots.shape[0]] = count
    return deepest


@compiled
def put(step: Ints, count: int, fields: tuple[int, int, int, int, int, int, int, int]) -> None:
    """Write one step."""
    kind, level, side, feature, before, node, leaf_a, leaf_b = fields
    step[count, _KIND], step[count, _LEVEL], step[count, _SIDE], step[count, _FEATURE] = kind, level, side, feature
    step[count, _BEFORE], step[count, _NODE], step[count, _LEAF_A], step[count, _LEAF_B] = before, node, leaf_a, leaf_b


@compiled
def share(trees: Trees, node: int, child: int) -> float:
    """The part of a node's training weight that went to a child; a half where no weight reached the node."""
    return trees.cover[child] / trees.cover[node] if trees.cover[node] > 0 else 0.5


@compiled
def advance(
    trees: Trees,
    path: tuple[Ints, Ints, Ints, Ints, Ints],
    product: Floats,
    here: tuple[int, int, int, int],
    step: Ints,
    ratio: Floats,
) -> tuple[int, int]:
    """Write the step for the next side of the node on top of the path; gives the new (count, level)."""
    at, side, seen, before, unique = path
    level, met, distinct, count = here
    node = at[level]
    feature = trees.feature[node]
    left, right = trees.left[node], trees.right[node]
    if side[level] == 0 and met == 0 and trees.feature[left] < 0 and trees.feature[right] < 0:
        put(step, count, (_PAIR, level, 0, feature, 0, node, left, right))
        ratio[count, 0] = share(trees, node, left)
        ratio[count, 1] = share(trees, node, right)
        side[level] = 2
        return count + 1, level
    child = left if side[level] == 0 else right
    leaf = trees.feature[child] < 0
    new = product[met] * share(trees, node, child)
    put(step, count, (_LEAF if leaf else _ENTER, level + (0 if leaf else 1), side[level], feature, met, node, child, -1))
    ratio[count, 0] = new
    ratio[count, 1] = product[met]
    side[level] += 1
    if not leaf:
        level += 1
        at[level] = child
        side[level] = 0
        seen[level] = feature
        before[level] = met
        unique[level] = distinct
        product[level] = new
    return count + 1, level


@compiled
def test_rows(trees: Trees, node: int, X: Floats, rows: int, into: Floats) -> None:
    """1.0 for the rows (columns of ``X``) that go left at a node."""
    feature = trees.feature[node]
    if trees.category_start[node] >= 0:
        for r in range(rows):
            into[r] = 1.0 if goes_left(trees, node, X[feature, r]) else 0.0
        return
    threshold = trees.threshold[node]
    if trees.missing_left[node]:
        for r in range(rows):
            into[r] = 0.0 if X[feature, r] > threshold else 1.0
    else:
        for r in range(rows):
            into[r] = 1.0 if X[feature, r] <= threshold else 0.0


@compiled
def satisfied(work: Work, level: int, side: int, before: int, rows: int) -> None:
    """Into ``on[level + 1]``: whether each row satisfies the edge and all before it on the same feature."""
    for r in range(rows):
        test = work.test[level, r]
        work.on[level + 1, r] = (test if side == 0 else 1.0 - test) * work.on[before, r]


@compiled
def replaced(z: float, old: float, t: float) -> tuple[float, float, float]:
    """Factors of f_new / f_old = a + on_before * b + on_now * c."""
    a = z / old if old > 0 else 0.0
    below = old * (1.0 - t) + t
    return a, z * (1.0 - t) / below - a, t / below


@compiled
def slope(z: float, t: float) -> float:
    """D(1, z) - D(0, .) where D(o, z) = (o - z) / (z (1 - t) + o t)."""
    return (1.0 - z) / (z * (1.0 - t) + t) + 1.0 / (1.0 - t)


@compiled
def enter(work: Work, step: Ints, ratio: Floats, t: Floats, size: tuple[int, int, int]) -> None:
    """Go down an edge: multiply its factor into the product."""
    level, before = step[_LEVEL], step[_BEFORE]
    rows, order, width = size
    z = ratio[0]
    satisfied(work, level - 1, step[_SIDE], before, rows)
    for q in range(order):
        if before == 0:
            a, c = z * (1.0 - t[q]), t[q]
            for r in range(rows):
                work.down[level, q, r] = work.down[level - 1, q, r] * (a + c * work.on[level, r])
        else:
            a, b, c = replaced(z, ratio[1], t[q])
            for r in range(rows):
                work.down[level, q, r] = work.down[level - 1, q, r] * (a + b * work.on[before, r] + c * work.on[level, r])
        for k in range(width):
            for r in range(rows):
                work.up[level, k, q, r] = 0.0


@compiled
def leave(work: Work, step: Ints, ratio: Floats, t: Floats, size: tuple[int, int, int], first: int) -> None:
    """Go up an edge: credit its feature with the leaves below, and hand them to the level above."""
    level, before, feature = step[_LEVEL], step[_BEFORE], step[_FEATURE]
    rows, order, width = size
    for q in range(order):
        now = slope(ratio[0], t[q])
        if before == 0:
            none = -1.0 / (1.0 - t[q])
            for k in range(width):
                for r in range(rows):
                    h = work.up[level, k, q, r]
                    work.phi[first + k, feature, r] += h * (none + now * work.on[level, r])
                    work.up[level - 1, k, q, r] += h
        else:
            old = slope(ratio[1], t[q])
            for k in range(width):
                for r in range(rows):
                    h = work.up[level, k, q, r]
                    work.phi[first + k, feature, r] += h * (now * work.on[level, r] - old * work.on[before, r])
                    work.up[level - 1, k, q, r] += h


@compiled
def sum_down(work: Work, level: int, order: int, rows: int) -> None:
    """Integral of the product over t, for every row."""
    for r in range(rows):
        work.total[r] = work.down[level, 0, r]
    for q in range(1, order):
        for r in range(rows):
            work.total[r] += work.down[level, q, r]


@compiled
def leaf(work: Work, step: Ints, ratio: Floats, t: Floats, size: tuple[int, int, int], values: tuple[Floats, int]) -> None:
    """A single leaf: down its edge and up again in one go."""
    level, before, feature = step[_LEVEL], step[_BEFORE], step[_FEATURE]
    rows, order, width = size
    value, first = values
    z = ratio[0]
    satisfied(work, level, step[_SIDE], before, rows)
    if before == 0:
        sum_down(work, level, order, rows)
        for k in range(width):
            v = value[step[_LEAF_A], k]
            for r in range(rows):
                work.phi[first + k, feature, r] += v * (work.on[level + 1, r] - z) * work.total[r]
            for q in range(order):
                a, c = v * z * (1.0 - t[q]), v * t[q]
                for r in range(rows):
                    work.up[level, k, q, r] += work.down[level, q, r] * (a + c * work.on[level + 1, r])
        return
    for q in range(order):
        a, b, c = replaced(z, ratio[1], t[q])
        now, old = slope(z, t[q]), slope(ratio[1], t[q])
        for k in range(width):
            v = value[step[_LEAF_A], k]
            for r in range(rows):
                o, was = work.on[level + 1, r], work.on[before, r]
                h = v * (work.down[level, q, r] * (a + b * was + c * o))
                work.phi[first + k, feature, r] += h * (now * o - old * was)
                work.up[level, k, q, r] += h


@compiled
def pair(work: Work, step: Ints, ratio: Floats, t: Floats, size: tuple[int, int, int], values: tuple[Floats, int]) -> None:
    """Two leaves under one node on a feature not met before."""
    level, feature = step[_LEVEL], step[_FEATURE]
    rows, order, width = size
    value, first = values
    left, right = ratio[0], ratio[1]
    sum_down(work, level, order, rows)
    for k in range(width):
        a, b = value[step[_LEAF_A], k], value[step[_LEAF_B], k]
        for r in range(rows):
            o = work.test[level, r]
            work.phi[first + k, feature, r] += (a * (o - left) + b * (1.0 - o - right)) * work.total[r]
        for q in range(order):
            none = (a * left + b * right) * (1.0 - t[q]) + b * t[q]
            more = (a - b) * t[q]
            for r in range(rows):
                work.up[level, k, q, r] += work.down[level, q, r] * (none + more * work.test[level, r])


@compiled
def walk(trees: Trees, plan: Plan, work: Work, X: Floats, rows: int) -> None:
    """Walk every tree with one block of rows (columns of ``X``)."""
    width = plan.value.shape[1]
    for tree in range(trees.roots.shape[0]):
        order = plan.order[tree]
        t = plan.nodes[order]
        size = (rows, order, width)
        values = (plan.value, max(trees.tree_output[tree], 0))
        for q in range(order):
            for r in range(rows):
                work.down[0, q, r] = plan.weights[order, q]
        for s in range(plan.start[tree], plan.start[tree + 1]):
            step, ratio = plan.step[s], plan.ratio[s]
            kind = step[_KIND]
            if kind == _EXIT:
                leave(work, step, ratio, t, size, values[1])
                continue
            level = step[_LEVEL] - (1 if kind == _ENTER else 0)
            if step[_SIDE] == 0 or kind == _PAIR:
                test_rows(trees, step[_NODE], X, rows, work.test[level])
            if kind == _ENTER:
                enter(work, step, ratio, t, size)
            elif kind == _LEAF:
                leaf(work, step, ratio, t, size, values)
            else:
                pair(work, step, ratio, t, size, values)


@compiled
def explain_rows(trees: Trees, plan: Plan, levels: int, X: Floats, out: Floats) -> None:
    """Fill ``out`` (rows, features, outputs), block after block."""
    rows, features, outputs = out.shape
    lanes = min(rows, _LANES)
    most, width = plan.nodes.shape[1], plan.value.shape[1]
    work = Work(
        np.zeros((levels + 1, most, lanes)), np.zeros((levels + 1, width, most, lanes)), np.ones((levels + 2, lanes)),
        np.zeros((levels + 1, lanes)), np.zeros(lanes), np.zeros((outputs, features, lanes)),
    )
    turned = np.zeros((features, lanes))
    for start in range(0, rows, lanes):
        count = min(lanes, rows - start)
        for r in range(count):
            for f in range(features):
                turned[f, r] = X[start + r, f]
        work.phi[:] = 0.0
        walk(trees, plan, work, turned, count)
        for r in range(count):
            for f in range(features):
                for k in range(outputs):
                    out[start + r, f, k] = work.phi[k, f, r]


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


class _Ready(NamedTuple):
    trees: Trees
    plan: Plan
    levels: int
    mirrored: bool
    expected: Floats


_ready: WeakKeyDictionary[Any, _Ready] = WeakKeyDictionary()


def prepare(forest: Any) -> _Ready:
    """Lay out the walk; done once per forest object, a few milliseconds."""
    if forest not in _ready:
        trees = pack(forest)
        inner = int(np.count_nonzero(trees.feature >= 0))
        start, order = np.zeros(len(trees.roots) + 1, np.int32), np.ones(len(trees.roots), np.int32)
        step, ratio = np.zeros((4 * inner + 1, 8), np.int32), np.zeros((4 * inner + 1, 2))
        levels = int(write_plan(trees, start, step, ratio, order))
        nodes, weights = legendre(int(order.max(initial=1)))
        value, mirrored = trees.value, _is_mirrored(trees)
        if mirrored:
            value = np.ascontiguousarray(value[:, :1])
        plan = Plan(start, step[: start[-1]].copy(), ratio[: start[-1]].copy(), order, nodes, weights, value)
        _ready[forest] = _Ready(trees, plan, levels, mirrored, expected_sums(trees))
    return _ready[forest]


def _is_mirrored(trees: Trees) -> bool:
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


def base(forest: Any) -> NDArray[np.float64]:
    """What the values are counted from: the cover-weighted mean of the forest's sums, float64 (outputs,)."""
    return prepare(forest).expected.copy()


def values(forest: Any, X: Any, executor: Blocks | None = None) -> Floats:
    """Exact path-dependent Shapley values of the forest's sums.

    Args:
        forest: Any object with the arrays of ``core.forest.Forest``.
        X: Encoded rows (rows, features).
        executor: Threads to use; the same bits with any number of them.

    Returns:
        float64 (rows, features, outputs); with ``base`` they add up to ``forest.predict``.
    """
    trees, plan, levels, mirrored, _ = prepare(forest)
    rows = matrix(X)
    outputs = 1 if mirrored else len(trees.base)
    out = np.zeros((len(rows), int(forest.n_features), outputs))
    run(lambda part: explain_rows(trees, plan, levels, rows[part], out[part]), blocks(len(rows), executor, 512), executor)
    return np.concatenate([out, -out], axis=2) if mirrored else out
