"""Exact path-dependent Shapley interaction indices by quadrature, for trees of any depth.

For one leaf and a quadrature node t, let P be the product of all factors of its path, and D_j = (o_j - z_j) / f_j the
derivative of player j over its factor f_j (``tree_shap``). Players i and j then share v times the integral of P D_i D_j. The
walk hands sums H of v P up the tree; on leaving an edge of player i, which moved D_i from an older value to a newer one,

    H * (D_i new - D_i old) * D_j now

goes to every other player j met above. Along a path these differences telescope to D_i D_j at the leaf, so that leaves
are never taken one by one. Cost: nodes x quadrature nodes x players on the path x rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whyglass.kernels.forest import Blocks, Floats, Ints, Trees, blocks, matrix, run
from whyglass.kernels.jit import compiled, inlined
from whyglass.kernels.tree_plan import BEFORE, ENTER, EXIT, FRESH, KIND, LEAF_A, LEVEL, NODE, PLAYER, Plan, prepare
from whyglass.kernels.tree_shap import LANES, Work, enter, kept, slope, test_rows


class Above(NamedTuple):
    """The path to the edge being left.

    Attributes:
        player: int32 (levels + 1,), player of the edge into each level.
        before: int32 (levels + 1,), level where that player was met before (0: never).
        slope: float64 ((levels + 1) * nodes, rows), D of that player once this edge is taken.
        change: float64 (rows,), H * (D new - D old) of the edge being left.
        hidden: uint8 (levels + 1,), 1 for a level whose player was met again below.
    """

    player: Ints
    before: Ints
    slope: Floats
    change: Floats
    hidden: NDArray[np.uint8]


@inlined
def take_edge(plan: Plan, work: Work, above: Above, s: int, order: int) -> None:
    """Go down an edge, and keep the slope of its player."""
    enter(plan, work, s, order)
    level, z = plan.step[s, LEVEL], plan.ratio[s, 0]
    above.player[level], above.before[level] = plan.step[s, PLAYER], plan.step[s, BEFORE]
    for q in range(order):
        t = plan.nodes[order, q]
        none, more = -1.0 / (1.0 - t), slope(z, t)
        for r in range(work.lanes):
            above.slope[level * order + q, r] = none + more * work.on[level, r]


@inlined
def hide(above: Above, level: int) -> None:
    """Mark the levels above whose player was met again, or is the player of this level."""
    for at in range(1, level):
        above.hidden[at] = 0
    for at in range(1, level + 1):
        before = above.before[at]
        if before > 0:
            above.hidden[before] = 1


@inlined
def credit(work: Work, above: Above, here: tuple[int, int, int], players: int, output: int) -> None:
    """Give the change of the edge at a level, at one node, to its player and to its pairs with all players above."""
    level, q, order = here
    player, outputs = above.player[level], work.outputs
    own = (player * players + player) * outputs + output
    for r in range(work.lanes):
        work.phi[own, r] += above.change[r]
    for at in range(1, level):
        if above.hidden[at] == 1:
            continue
        other = above.player[at]
        low, high = min(player, other), max(player, other)
        target = (low * players + high) * outputs + output
        for r in range(work.lanes):
            work.phi[target, r] += above.change[r] * above.slope[at * order + q, r]


@inlined
def leave_edge(plan: Plan, work: Work, above: Above, here: tuple[int, int, int, int], players: int) -> None:
    """Go up an edge: credit its player and pairs with the leaves below, and hand them to the level above."""
    level, fresh, order, first = here
    width, keep, before = plan.value.shape[1], kept(fresh), above.before[level]
    hide(above, level)
    for q in range(order):
        for k in range(width):
            of, to = (level * width + k) * order + q, ((level - 1) * width + k) * order + q
            for r in range(work.lanes):
                h = work.up[of, r]
                old = above.slope[before * order + q, r]
                above.change[r] = h * (above.slope[level * order + q, r] - old)
                work.up[to, r] = keep * work.up[to, r] + h
            credit(work, above, (level, q, order), players, first + k)


@inlined
def fill_leaf(plan: Plan, work: Work, level: int, leaf: int, order: int) -> None:
    """The sums of a single leaf."""
    width = plan.value.shape[1]
    for q in range(order):
        for k in range(width):
            v, of, to = plan.value[leaf, k], level * order + q, (level * width + k) * order + q
            for r in range(work.lanes):
                work.up[to, r] = v * work.down[of, r]


@inlined
def walk(trees: Trees, plan: Plan, work: Work, above: Above, sizes: tuple[Floats, int]) -> None:
    """Walk every tree with one block of rows (columns of ``sizes[0]``)."""
    X, players = sizes
    for tree in range(trees.roots.shape[0]):
        order, first = plan.order[tree], max(trees.tree_output[tree], 0)
        for q in range(order):
            for r in range(work.lanes):
                work.down[q, r] = plan.weights[order, q]
                above.slope[q, r] = 0.0
        for s in range(plan.start[tree], plan.start[tree + 1]):
            kind, level, fresh = plan.step[s, KIND], plan.step[s, LEVEL], plan.step[s, FRESH]
            if kind == EXIT:
                leave_edge(plan, work, above, (level, fresh, order, first), players)
                continue
            if fresh == 1:
                test_rows(trees, plan.step[s, NODE], X, work, level - 1)
            take_edge(plan, work, above, s, order)
            if kind != ENTER:
                fill_leaf(plan, work, level, plan.step[s, LEAF_A], order)
                leave_edge(plan, work, above, (level, fresh, order, first), players)


@compiled
def explain_rows(trees: Trees, plan: Plan, levels: int, X: Floats, out: Floats) -> None:
    """Add to ``out`` (rows, players, players, outputs): values on the diagonal, indices above it."""
    rows, players, outputs, features = out.shape[0], out.shape[1], out.shape[3], X.shape[1]
    most, width = plan.nodes.shape[1], plan.value.shape[1]
    lanes = min(LANES, rows)
    down, up = np.zeros(((levels + 2) * most, lanes)), np.zeros(((levels + 2) * width * most, lanes))
    on, test, total = np.ones((levels + 2, lanes)), np.zeros((levels + 2, lanes)), np.zeros(lanes)
    phi, turned = np.zeros((players * players * outputs, lanes)), np.zeros((features, lanes))
    known, before, hidden = np.zeros(levels + 2, np.int32), np.zeros(levels + 2, np.int32), np.zeros(levels + 2, np.uint8)
    above = Above(known, before, np.zeros(((levels + 2) * most, lanes)), np.zeros(lanes), hidden)
    for start in range(0, rows, lanes):
        count = min(lanes, rows - start)
        for r in range(count):
            for f in range(features):
                turned[f, r] = X[start + r, f]
        phi[:] = 0.0
        walk(trees, plan, Work(down, up, on, test, total, phi, outputs, count), above, (turned, players))
        for r in range(count):
            for i in range(players):
                for j in range(i, players):
                    for k in range(outputs):
                        out[start + r, i, j, k] += phi[(i * players + j) * outputs + k, r]


def fold(out: Floats) -> Floats:
    """Values on the diagonal and indices above it, put into shap's convention in place: float64 (rows, players, players, outputs)."""
    players = np.arange(out.shape[1])
    own = out[:, players, players].copy()
    low, high = np.triu_indices(out.shape[1], 1)
    half = out[:, low, high] / 2
    out[:, low, high] = half
    out[:, high, low] = half
    out[:, players, players] = 0.0
    out[:, players, players] = own - out.sum(axis=2)
    return out


def interactions(
    forest: Any, X: Any, executor: Blocks | None = None, *, players: Ints | None = None, leaves: NDArray[np.bool_] | None = None
) -> Floats:
    """Exact path-dependent Shapley interaction indices of the forest's sums, in shap's convention.

    Args:
        forest: Any object with the arrays of ``core.forest.Forest``.
        X: Encoded rows (rows, features).
        executor: Threads to use; the same bits with any number of them.
        players: int32 (features,), the player of each column; None: each column its own.
        leaves: bool (nodes,), the leaves whose share is wanted; None: all.

    Returns:
        float64 (rows, players, players, outputs), symmetric; half a pair's index on each side, rows sum to the values.
    """
    ready = prepare(forest, players=players, leaves=leaves, couples=False)
    rows = matrix(X)
    out = np.zeros((len(rows), ready.players, ready.players, 1 if ready.mirrored else len(ready.trees.base)))

    def part(at: slice) -> None:
        explain_rows(ready.trees, ready.plan, ready.levels, rows[at], out[at])

    run(part, blocks(len(rows), executor, 512), executor)
    fold(out)
    return np.concatenate([out, -out], axis=3) if ready.mirrored else out
