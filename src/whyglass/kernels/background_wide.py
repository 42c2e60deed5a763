"""The interventional game of one row against one background row, for trees whose paths hold more players than a mask has bits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from whyglass.kernels.background_segments import Scene
from whyglass.kernels.forest import Floats, Ints, goes_left
from whyglass.kernels.jit import bare, compiled

_NODE, _TRAIL, _PLAYER = range(3)


class Pair(NamedTuple):
    """Scratch of the walk.

    Attributes:
        state: int32 (players,), 1 or 0 for a player on the trail, else -1.
        trail: int32 (players, 2), player and 1 when it must be in the coalition, else 0.
        stack: int32 (levels + 2, 3), ways not yet gone: node, players on the trail before, player that stays out there.
    """

    state: Ints
    trail: Ints
    stack: Ints


@bare
def credit(scene: Scene, node: int, trail: Ints, count: int, out: Floats) -> None:
    """Add a leaf for the players on the trail: (player, 1 when it must be in the coalition, else 0)."""
    beta, rules, value = scene.beta, scene.rules, scene.trees.value
    a = 0
    for i in range(count):
        a += trail[i, 1]
    c = count - a
    for k in range(value.shape[1]):
        v = value[node, k]
        for i in range(count):
            p, own = trail[i, 0], trail[i, 1]
            worth = beta[a - 1, c] if own else -beta[a, c - 1]
            if not rules.pairs:
                out[k, p] += v * worth
                continue
            out[k, p * rules.count + p] += v * worth
            for j in range(i):
                q, other = trail[j, 0], trail[j, 1]
                same = beta[a - 2, c] if own else beta[a, c - 2]
                out[k, min(p, q) * rules.count + max(p, q)] += v * (same if own == other else -beta[a - 1, c - 1])


@bare
def back_to(pair: Pair, count: int, wanted: int) -> int:
    """Take players off the trail until so many are left."""
    while count > wanted:
        count -= 1
        pair.state[pair.trail[count, 0]] = -1
    return wanted


@bare
def put_on(pair: Pair, count: int, player: int, own: int) -> int:
    """Put a player on the trail."""
    pair.state[player], pair.trail[count, 0], pair.trail[count, 1] = own, player, own
    return count + 1


@bare
def walk_pair(scene: Scene, pair: Pair, root: int, row: int, out: Floats) -> None:
    """Add one tree for one row and all background rows."""
    trees, live, stack, state = scene.trees, scene.rules.live, pair.stack, pair.state
    for b in range(scene.Z.shape[1]):
        stack[0, _NODE], stack[0, _TRAIL], stack[0, _PLAYER] = root, 0, -1
        height, count = 1, 0
        while height > 0:
            height -= 1
            node = stack[height, _NODE]
            count = back_to(pair, count, stack[height, _TRAIL])
            if stack[height, _PLAYER] >= 0:
                count = put_on(pair, count, stack[height, _PLAYER], 0)
            while trees.feature[node] >= 0 and live[node]:
                feature = trees.feature[node]
                player = scene.rules.players[feature]
                by_x, by_z = goes_left(trees, node, scene.X[feature, row]), goes_left(trees, node, scene.Z[feature, b])
                if by_x != by_z and state[player] < 0:
                    stack[height, _NODE] = trees.left[node] if by_z else trees.right[node]
                    stack[height, _TRAIL], stack[height, _PLAYER] = count, player
                    height += 1
                    count = put_on(pair, count, player, 1)
                node = trees.left[node] if (by_z if state[player] == 0 else by_x) else trees.right[node]
            if live[node]:
                credit(scene, node, pair.trail, count, out)
        back_to(pair, count, 0)


@compiled
def walk_wide(scene: Scene, first: int, end: int) -> None:
    """Add those of the trees ``first`` to ``end`` that are not narrow, pair by pair, to ``scene.phi``."""
    trees, rules = scene.trees, scene.rules
    width = trees.value.shape[1]
    pair = Pair(np.full(rules.count, -1, np.int32), np.zeros((rules.count + 1, 2), np.int32), np.zeros((rules.levels + 2, 3), np.int32))
    for tree in range(first, end):
        if rules.narrow[tree] == 0 and rules.live[trees.roots[tree]]:
            output = max(trees.tree_output[tree], 0)
            for row in range(scene.X.shape[1]):
                walk_pair(scene, pair, trees.roots[tree], row, scene.phi[row, output : output + width])
