"""Exact path-dependent tree Shapley values by quadrature, for trees of any depth.

For one leaf with value v, let o_j be 1 where the row satisfies every condition of player j (a column, or columns that play
together) on the path, else 0, and z_j the product of the cover ratios of j's edges. Player i then gets

    v * integral over t in [0, 1] of (o_i - z_i) * product over j != i of (z_j (1 - t) + o_j t)

a polynomial in t, which Gauss-Legendre integrates exactly with half as many nodes as the path has players. One walk over
the tree carries the product P of all factors down and the sum H of weighted leaves up, for all nodes t and a block of rows
at once; a player met again has its old factor replaced, which takes only three values. There is no division a row and no
branch a row. Cost: nodes x quadrature nodes x rows. After arXiv 2605.04497.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whyglass.kernels import tree_plan
from whyglass.kernels.forest import Blocks, Floats, Ints, Trees, blocks, goes_left, matrix, run
from whyglass.kernels.jit import compiled, inlined
from whyglass.kernels.tree_plan import BEFORE, ENTER, EXIT, FRESH, KIND, LEAF, LEAF_A, LEAF_B, LEVEL, NODE, PLAYER, SIDE, Plan, prepare

LANES = 64  # rows walked together: a step's bookkeeping is shared by all of them, and their vectors stay in the cache


class Work(NamedTuple):
    """Scratch of one call: products down, leaf sums up, satisfied so far, test of the node, per-row sums, answers."""

    down: Floats
    up: Floats
    on: Floats
    test: Floats
    total: Floats
    phi: Floats
    outputs: int
    lanes: int


@inlined
def test_rows(trees: Trees, node: int, X: Floats, work: Work, level: int) -> None:
    """1.0 for the rows (columns of ``X``) that go left at a node."""
    feature = trees.feature[node]
    if trees.category_start[node] >= 0:
        for r in range(work.lanes):
            work.test[level, r] = 1.0 if goes_left(trees, node, X[feature, r]) else 0.0
        return
    threshold = trees.threshold[node]
    if trees.missing_left[node]:
        for r in range(work.lanes):
            work.test[level, r] = 0.0 if X[feature, r] > threshold else 1.0
    else:
        for r in range(work.lanes):
            work.test[level, r] = 1.0 if X[feature, r] <= threshold else 0.0


@inlined
def satisfied(work: Work, level: int, side: int, before: int) -> None:
    """Into ``on[level + 1]``: whether each row satisfies the edge and all before it of the same player."""
    if side == 0:
        for r in range(work.lanes):
            work.on[level + 1, r] = work.test[level, r] * work.on[before, r]
    else:
        for r in range(work.lanes):
            work.on[level + 1, r] = (1.0 - work.test[level, r]) * work.on[before, r]


@inlined
def replaced(z: float, old: float, t: float) -> tuple[float, float, float]:
    """Factors of f_new / f_old = a + on_before * b + on_now * c."""
    a = z / old if old > 0 else 0.0
    below = old * (1.0 - t) + t
    return a, z * (1.0 - t) / below - a, t / below


@inlined
def slope(z: float, t: float) -> float:
    """D(1, z) - D(0, .) where D(o, z) = (o - z) / (z (1 - t) + o t)."""
    return (1.0 - z) / (z * (1.0 - t) + t) + 1.0 / (1.0 - t)


@inlined
def kept(fresh: int) -> float:
    """The first child walked starts its level's sums, so that nothing needs clearing; the other adds to them."""
    return 0.0 if fresh == 1 else 1.0


@inlined
def enter(plan: Plan, work: Work, s: int, order: int) -> None:
    """Go down an edge: multiply its factor into the product."""
    level, before = plan.step[s, LEVEL], plan.step[s, BEFORE]
    z, old = plan.ratio[s, 0], plan.ratio[s, 1]
    satisfied(work, level - 1, plan.step[s, SIDE], before)
    for q in range(order):
        t = plan.nodes[order, q]
        to, of = level * order + q, (level - 1) * order + q
        if before == 0:
            a, c = z * (1.0 - t), t
            for r in range(work.lanes):
                work.down[to, r] = work.down[of, r] * (a + c * work.on[level, r])
        else:
            a, b, c = replaced(z, old, t)
            for r in range(work.lanes):
                work.down[to, r] = work.down[of, r] * (a + b * work.on[before, r] + c * work.on[level, r])


@inlined
def leave(plan: Plan, work: Work, s: int, order: int, first: int) -> None:
    """Go up an edge: credit its player with the leaves below, and hand them to the level above."""
    level, before, player = plan.step[s, LEVEL], plan.step[s, BEFORE], plan.step[s, PLAYER]
    z, old = plan.ratio[s, 0], plan.ratio[s, 1]
    width, keep = plan.value.shape[1], kept(plan.step[s, FRESH])
    for q in range(order):
        t = plan.nodes[order, q]
        now = slope(z, t)
        for k in range(width):
            of, to, credit = (level * width + k) * order + q, ((level - 1) * width + k) * order + q, player * work.outputs + first + k
            if before == 0:
                none = -1.0 / (1.0 - t)
                for r in range(work.lanes):
                    h = work.up[of, r]
                    work.phi[credit, r] += h * (none + now * work.on[level, r])
                    work.up[to, r] = keep * work.up[to, r] + h
            else:
                was = slope(old, t)
                for r in range(work.lanes):
                    h = work.up[of, r]
                    work.phi[credit, r] += h * (now * work.on[level, r] - was * work.on[before, r])
                    work.up[to, r] = keep * work.up[to, r] + h


@inlined
def sum_down(work: Work, level: int, order: int) -> None:
    """Integral of the product over t, for every row."""
    for r in range(work.lanes):
        work.total[r] = work.down[level * order, r]
    for slot in range(level * order + 1, (level + 1) * order):
        for r in range(work.lanes):
            work.total[r] += work.down[slot, r]


@inlined
def leaf(plan: Plan, work: Work, s: int, order: int, first: int) -> None:
    """A single leaf: down its edge and up again in one go."""
    level, before, player = plan.step[s, LEVEL], plan.step[s, BEFORE], plan.step[s, PLAYER]
    z, node = plan.ratio[s, 0], plan.step[s, LEAF_A]
    width, keep = plan.value.shape[1], kept(plan.step[s, FRESH])
    satisfied(work, level, plan.step[s, SIDE], before)
    if before != 0:
        leaf_again(plan, work, s, order, first)
        return
    sum_down(work, level, order)
    for k in range(width):
        v = plan.value[node, k]
        credit = player * work.outputs + first + k
        for r in range(work.lanes):
            work.phi[credit, r] += v * (work.on[level + 1, r] - z) * work.total[r]
        for q in range(order):
            t = plan.nodes[order, q]
            a, c = v * z * (1.0 - t), v * t
            to, of = (level * width + k) * order + q, level * order + q
            for r in range(work.lanes):
                work.up[to, r] = keep * work.up[to, r] + work.down[of, r] * (a + c * work.on[level + 1, r])


@inlined
def leaf_again(plan: Plan, work: Work, s: int, order: int, first: int) -> None:
    """A single leaf on a player met before."""
    level, before, player = plan.step[s, LEVEL], plan.step[s, BEFORE], plan.step[s, PLAYER]
    z, old, node = plan.ratio[s, 0], plan.ratio[s, 1], plan.step[s, LEAF_A]
    width, keep = plan.value.shape[1], kept(plan.step[s, FRESH])
    for q in range(order):
        t = plan.nodes[order, q]
        a, b, c = replaced(z, old, t)
        now, was = slope(z, t), slope(old, t)
        of = level * order + q
        for k in range(width):
            v = plan.value[node, k]
            credit, to = player * work.outputs + first + k, (level * width + k) * order + q
            for r in range(work.lanes):
                o, p = work.on[level + 1, r], work.on[before, r]
                h = v * (work.down[of, r] * (a + b * p + c * o))
                work.phi[credit, r] += h * (now * o - was * p)
                work.up[to, r] = keep * work.up[to, r] + h


@inlined
def pair(plan: Plan, work: Work, s: int, order: int, first: int) -> None:
    """Two leaves under one node on a player not met before."""
    level, player = plan.step[s, LEVEL], plan.step[s, PLAYER]
    left, right = plan.ratio[s, 0], plan.ratio[s, 1]
    width = plan.value.shape[1]
    sum_down(work, level, order)
    for k in range(width):
        a, b = plan.value[plan.step[s, LEAF_A], k], plan.value[plan.step[s, LEAF_B], k]
        credit = player * work.outputs + first + k
        none, more = a * left + b * (right - 1.0), a - b
        for r in range(work.lanes):
            work.phi[credit, r] += (more * work.test[level, r] - none) * work.total[r]
        for q in range(order):
            t = plan.nodes[order, q]
            low, high = (a * left + b * right) * (1.0 - t) + b * t, (a - b) * t
            to, of = (level * width + k) * order + q, level * order + q
            for r in range(work.lanes):
                work.up[to, r] = work.down[of, r] * (low + high * work.test[level, r])


@inlined
def walk(trees: Trees, plan: Plan, work: Work, X: Floats) -> None:
    """Walk every tree with one block of rows (columns of ``X``)."""
    for tree in range(trees.roots.shape[0]):
        order = plan.order[tree]
        first = max(trees.tree_output[tree], 0)
        for q in range(order):
            for r in range(work.lanes):
                work.down[q, r] = plan.weights[order, q]
        for s in range(plan.start[tree], plan.start[tree + 1]):
            kind = plan.step[s, KIND]
            if kind == EXIT:
                leave(plan, work, s, order, first)
                continue
            level = plan.step[s, LEVEL] - (1 if kind == ENTER else 0)
            if plan.step[s, FRESH] == 1:
                test_rows(trees, plan.step[s, NODE], X, work, level)
            if kind == ENTER:
                enter(plan, work, s, order)
            elif kind == LEAF:
                leaf(plan, work, s, order, first)
            else:
                pair(plan, work, s, order, first)


@compiled
def explain_rows(trees: Trees, plan: Plan, levels: int, X: Floats, out: Floats) -> None:
    """Add to ``out`` (rows, players, outputs), block after block."""
    rows, players, outputs = out.shape
    most, width, features = plan.nodes.shape[1], plan.value.shape[1], X.shape[1]
    lanes = min(LANES, rows)
    down, up = np.zeros(((levels + 1) * most, lanes)), np.zeros(((levels + 1) * width * most, lanes))
    on, test, total = np.ones((levels + 2, lanes)), np.zeros((levels + 1, lanes)), np.zeros(lanes)
    phi, turned = np.zeros((players * outputs, lanes)), np.zeros((features, lanes))
    for start in range(0, rows, lanes):
        count = min(lanes, rows - start)
        for r in range(count):
            for f in range(features):
                turned[f, r] = X[start + r, f]
        phi[:] = 0.0
        walk(trees, plan, Work(down, up, on, test, total, phi, outputs, count), turned)
        for r in range(count):
            for p in range(players):
                for k in range(outputs):
                    out[start + r, p, k] += phi[p * outputs + k, r]


def base(forest: Any) -> NDArray[np.float64]:
    """What the values are counted from: the cover-weighted mean of the forest's sums, float64 (outputs,)."""
    return tree_plan.expected(forest)


def values(
    forest: Any, X: Any, executor: Blocks | None = None, *, players: Ints | None = None, leaves: NDArray[np.bool_] | None = None
) -> Floats:
    """Exact path-dependent Shapley values of the forest's sums.

    Args:
        forest: Any object with the arrays of ``core.forest.Forest``.
        X: Encoded rows (rows, features).
        executor: Threads to use; the same bits with any number of them.
        players: int32 (features,), the player of each column; None: each column its own.
        leaves: bool (nodes,), the leaves whose share is wanted; None: all.

    Returns:
        float64 (rows, players, outputs); with ``base`` they add up to ``forest.predict``.
    """
    ready = prepare(forest, players=players, leaves=leaves)
    rows = matrix(X)
    out = np.zeros((len(rows), ready.players, 1 if ready.mirrored else len(ready.trees.base)))

    def part(at: slice) -> None:
        explain_rows(ready.trees, ready.plan, ready.levels, rows[at], out[at])

    run(part, blocks(len(rows), executor, 512), executor)
    return np.concatenate([out, -out], axis=2) if ready.mirrored else out
