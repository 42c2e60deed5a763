"""The depth-first walk over every tree, written down once per forest for the tree Shapley kernel."""

from __future__ import annotations

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from whyglass.kernels.forest import Floats, Ints, Trees, pack
from whyglass.kernels.jit import compiled, inlined

ENTER, EXIT, LEAF, PAIR = 0, 1, 2, 3
KIND, LEVEL, SIDE, FRESH, PLAYER, BEFORE, NODE, LEAF_A, LEAF_B = range(9)
_AT, _NEXT, _SEEN, _MET, _DISTINCT = range(5)


class Plan(NamedTuple):
    """The walk over every tree, written down once per forest.

    Attributes:
        start: int32 (trees + 1,), first step of each tree.
        step: int32 (steps, 9): kind, level, side (0 left), 1 for the first side walked, player of the tested column, level
            where the player was met before (0: never), node to test, leaf, other leaf.
        ratio: float64 (steps, 2): the player's cover product with this edge and before it; for a pair of leaves, the left
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


class Wanted(NamedTuple):
    """What is to be walked.

    Attributes:
        player: int32 (features,), the player of each column.
        needed: uint8 (nodes,), 1 where some leaf at or under the node is walked.
        couples: 1 to take leaves from the level above them, two under one node in one step; 0 to go to each.
    """

    player: Ints
    needed: NDArray[np.uint8]
    couples: int


class Path(NamedTuple):
    """The way from the root to the node being written.

    Attributes:
        level: int32 (levels, 5): node, next side, player of the edge into it, level where that player was met before,
            distinct players so far.
        product: float64 (levels,), cover product of that player.
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
def put(plan: Plan, count: int, fields: tuple[int, int, int, int, int, int, int, int, int], new: float, old: float) -> None:
    """Write one step."""
    kind, level, side, fresh, player, before, node, leaf_a, leaf_b = fields
    step, ratio = plan.step, plan.ratio
    step[count, KIND], step[count, LEVEL], step[count, SIDE], step[count, FRESH] = kind, level, side, fresh
    step[count, PLAYER], step[count, BEFORE], step[count, NODE] = player, before, node
    step[count, LEAF_A], step[count, LEAF_B] = leaf_a, leaf_b
    ratio[count, 0], ratio[count, 1] = new, old


@inlined
def is_fresh(trees: Trees, wanted: Wanted, node: int, side: int) -> int:
    """1 for the first side of a node that is walked."""
    return 1 if side == 0 or wanted.needed[trees.left[node]] == 0 else 0


@inlined
def next_side(trees: Trees, wanted: Wanted, path: Path, level: int) -> int:
    """The next side to walk of the node at a level of the path; 2 when there is none."""
    node, side = path.level[level, _AT], int(path.level[level, _NEXT])
    if side == 0 and wanted.needed[trees.left[node]] == 0:
        side = 1
    if side == 1 and wanted.needed[trees.right[node]] == 0:
        side = 2
    path.level[level, _NEXT] = side
    return side


@inlined
def advance(trees: Trees, wanted: Wanted, plan: Plan, path: Path, here: tuple[int, int, int, int]) -> int:
    """Write the step for the next side of the node at a level of the path; gives the new level."""
    level, met, distinct, count = here
    node, side = path.level[level, _AT], path.level[level, _NEXT]
    player, left, right = wanted.player[trees.feature[node]], trees.left[node], trees.right[node]
    fresh = is_fresh(trees, wanted, node, side)
    couple = wanted.couples == 1 and side == 0 and met == 0 and wanted.needed[right] == 1
    if couple and trees.feature[left] < 0 and trees.feature[right] < 0:
        fields = (PAIR, level, 0, 1, player, 0, node, left, right)
        put(plan, count, fields, share(trees, node, left), share(trees, node, right))
        path.level[level, _NEXT] = 2
        return level
    child = left if side == 0 else right
    old = path.product[met]
    new = old * share(trees, node, child)
    path.level[level, _NEXT] = side + 1
    if trees.feature[child] < 0:
        put(plan, count, (LEAF, level + 1 - wanted.couples, side, fresh, player, met, node, child, -1), new, old)
        return level
    level += 1
    put(plan, count, (ENTER, level, side, fresh, player, met, node, -1, -1), new, old)
    path.level[level, _AT], path.level[level, _NEXT], path.level[level, _SEEN] = child, 0, player
    path.level[level, _MET], path.level[level, _DISTINCT] = met, distinct
    path.product[level] = new
    return level


@inlined
def go_back(trees: Trees, wanted: Wanted, plan: Plan, path: Path, here: tuple[int, int]) -> None:
    """Write the step out of the node at a level of the path."""
    level, count = here
    side, met = path.level[level - 1, _NEXT] - 1, path.level[level, _MET]
    fresh = is_fresh(trees, wanted, path.level[level - 1, _AT], side)
    put(plan, count, (EXIT, level, side, fresh, path.level[level, _SEEN], met, -1, -1, -1), path.product[level], path.product[met])


@compiled
def write_plan(trees: Trees, wanted: Wanted, plan: Plan) -> int:
    """Fill start, step, ratio and order of a plan; gives the longest path's edges."""
    deepest = deepest_level(trees)
    path = Path(np.zeros((deepest + 1, 5), np.int32), np.ones(deepest + 1))
    path.level[0, _SEEN] = -1
    count = 0
    for tree in range(trees.roots.shape[0]):
        plan.start[tree] = count
        plan.order[tree] = 1
        root = trees.roots[tree]
        path.level[0, _AT], path.level[0, _NEXT] = root, 0
        level = -1 if trees.feature[root] < 0 else 0
        while level >= 0:
            if next_side(trees, wanted, path, level) == 2:
                if level > 0:
                    go_back(trees, wanted, plan, path, (level, count))
                    count += 1
                level -= 1
                continue
            player = wanted.player[trees.feature[path.level[level, _AT]]]
            met = level
            while met > 0 and path.level[met, _SEEN] != player:
                met -= 1
            distinct = path.level[level, _DISTINCT] + (1 if met == 0 else 0)
            plan.order[tree] = max(plan.order[tree], (distinct + 1) // 2)
            level = advance(trees, wanted, plan, path, (level, met, distinct, count))
            count += 1
    plan.start[trees.roots.shape[0]] = count
    return deepest


@compiled
def mark_up(trees: Trees, needed: NDArray[np.uint8]) -> None:
    """Mark the nodes with a marked leaf under them."""
    for node in range(trees.feature.shape[0] - 1, -1, -1):
        if trees.feature[node] >= 0:
            needed[node] = needed[trees.left[node]] | needed[trees.right[node]]


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
        players: How many players there are.
    """

    trees: Trees
    plan: Plan
    levels: int
    mirrored: bool
    players: int


_ready: WeakKeyDictionary[Any, dict[tuple[bytes, bytes, bool], Ready]] = WeakKeyDictionary()
_expected: WeakKeyDictionary[Any, Floats] = WeakKeyDictionary()
_MOST_PLANS = 4  # kept of one forest


def expected(forest: Any) -> Floats:
    """What the forest says on average over its training weight: float64 (outputs,), worked out once."""
    if forest not in _expected:
        _expected[forest] = expected_sums(pack(forest))
    return _expected[forest].copy()


def prepare(forest: Any, *, players: Ints | None = None, leaves: NDArray[np.bool_] | None = None, couples: bool = True) -> Ready:
    """Lay out the walk; kept with the forest object, some milliseconds.

    Args:
        forest: Any object with the arrays of ``core.forest.Forest``.
        players: int32 (features,), the player of each column; None: each column its own.
        leaves: bool (nodes,), the leaves to walk; None: all.
        couples: Whether two leaves under one node are one step.
    """
    who = who_plays(forest, players)
    key = (who.tobytes(), b"" if leaves is None else leaves.tobytes(), couples)
    plans = _ready.setdefault(forest, {})
    if key not in plans:
        while len(plans) >= _MOST_PLANS:
            plans.pop(next(iter(plans)))
        plans[key] = _lay_out(pack(forest), who, leaves, couples)
    return plans[key]


def who_plays(forest: Any, players: Any = None) -> Ints:
    """The player of each column: int32 (features,); each its own when None."""
    return np.arange(int(forest.n_features), dtype=np.int32) if players is None else np.require(players, np.int32, ["C", "W"])


def _lay_out(trees: Trees, players: Ints, leaves: NDArray[np.bool_] | None, couples: bool) -> Ready:
    needed = np.ones(len(trees.feature), np.uint8)
    if leaves is not None:
        needed[:] = leaves
        mark_up(trees, needed)
    most = 4 * int(np.count_nonzero(trees.feature >= 0)) + 1
    start, order = np.zeros(len(trees.roots) + 1, np.int32), np.ones(len(trees.roots), np.int32)
    mirrored = is_mirrored(trees)
    value = np.ascontiguousarray(trees.value[:, :1]) if mirrored else trees.value
    draft = Plan(start, np.zeros((most, 9), np.int32), np.zeros((most, 2)), order, np.zeros((1, 1)), np.zeros((1, 1)), value)
    levels = int(write_plan(trees, Wanted(players, needed, int(couples)), draft))
    nodes, weights = legendre(int(order.max(initial=1)))
    steps = int(start[-1])
    plan = draft._replace(step=draft.step[:steps].copy(), ratio=draft.ratio[:steps].copy(), nodes=nodes, weights=weights)
    return Ready(trees, plan, levels, mirrored, int(players.max(initial=-1)) + 1)


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
