"""Which leaves share a table: groups of neighbouring leaves, and the bits of a row that decide what a group adds.

A group is a node together with all leaves below it. What its leaves give to a row follows from a few bits: for each
player on the path to the node one bit "satisfies every condition of this player on the path", and for each inner node
below one bit "goes left". Groups are taken as high up in a tree as the number of bits allows; leaves whose own path
needs more are left to another kernel.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whyglass.kernels.forest import Ints, Trees
from whyglass.kernels.jit import compiled, inlined

MOST_BITS = 12
Flags = NDArray[np.bool_]


class Shape(NamedTuple):
    """What is known of each node.

    Attributes:
        parent: int32 (nodes,), -1 at a root.
        below: int32 (nodes,), inner nodes at and under the node.
        slot: int32 (nodes,), number of an inner node within its tree.
        player: int32 (nodes,), the player of the column that an inner node tests; -1 at a leaf.
    """

    parent: Ints
    below: Ints
    slot: Ints
    player: Ints


class Groups(NamedTuple):
    """Groups of leaves, in the order of their trees.

    Attributes:
        node: int32 (groups,), the node whose leaves are together.
        tree: int32 (groups,).
        bits: int32 (groups,), distinct players on the path plus inner nodes below.
        start: int32 (groups + 1, 3), first literal, first player and first pair of each group.
        literal: int32 (literals, 3): node, side (0 left), bit; the literals of one bit are neighbours and must all hold.
        player: int32 (entries,), the players that a group's leaves depend on, those of the path first.
        pair: int32 (pairs, 2), positions in the group's players of those that meet on the path of some leaf.
    """

    node: Ints
    tree: Ints
    bits: Ints
    start: Ints
    literal: Ints
    player: Ints
    pair: Ints


class Grid(NamedTuple):
    """A forest cut into groups: what every kernel on tables takes.

    Attributes:
        trees: The packed arrays.
        shape: What is known of each node.
        groups: The groups of leaves.
    """

    trees: Trees
    shape: Shape
    groups: Groups


@inlined
def find(of: Ints, first: int, count: int, wanted: int) -> int:
    """Position of an entry among ``count`` entries from ``first``; ``count`` when it is not there."""
    for at in range(count):
        if of[first + at] == wanted:
            return at
    return count


@inlined
def path_players(shape: Shape, node: int, most: int, into: Ints) -> int:
    """The distinct players of the path to a node; stops one beyond ``most``."""
    count = 0
    up = shape.parent[node]
    while up >= 0 and count <= most:
        player = shape.player[up]
        if find(into, 0, count, player) == count:
            into[count] = player
            count += 1
        up = shape.parent[up]
    return count


@compiled
def survey(trees: Trees, shape: Shape) -> None:
    """Fill parent, below and slot; nodes of one tree are neighbours, parents before children."""
    shape.parent[:] = -1
    slot = 0
    next_tree = 0
    for node in range(trees.feature.shape[0]):
        if next_tree < trees.roots.shape[0] and node == trees.roots[next_tree]:
            slot = 0
            next_tree += 1
        if trees.feature[node] >= 0:
            shape.parent[trees.left[node]] = node
            shape.parent[trees.right[node]] = node
            shape.slot[node] = slot
            slot += 1
    for node in range(trees.feature.shape[0] - 1, -1, -1):
        if trees.feature[node] >= 0:
            shape.below[node] = 1 + shape.below[trees.left[node]] + shape.below[trees.right[node]]


@compiled
def choose(trees: Trees, shape: Shape, most: int, found: Ints) -> int:
    """Write (node, tree, bits) of every group of at most ``most`` bits into ``found``; gives their number."""
    count = 0
    into = np.zeros(MOST_BITS + 2, np.int32)
    waiting = np.zeros(trees.feature.shape[0] + 1, np.int32)
    for tree in range(trees.roots.shape[0]):
        waiting[0], left = trees.roots[tree], 1
        while left > 0:
            left -= 1
            node = waiting[left]
            path = path_players(shape, node, most, into)
            if path > most or (shape.parent[node] < 0 and trees.feature[node] < 0):
                continue
            if path + shape.below[node] <= most:
                found[count, 0], found[count, 1], found[count, 2] = node, tree, path + shape.below[node]
                count += 1
            else:
                waiting[left], waiting[left + 1] = trees.right[node], trees.left[node]
                left += 2
    return count


@inlined
def write_path(trees: Trees, shape: Shape, groups: Groups, here: tuple[int, int, int], into: Ints) -> int:
    """The conditions of the path to a group's node, bit by bit; gives their number."""
    node, first, count = here
    written = 0
    for bit in range(count):
        child, up = node, shape.parent[node]
        while up >= 0:
            if shape.player[up] == into[bit]:
                if groups.literal.shape[0] > 0:
                    at = first + written
                    groups.literal[at, 0], groups.literal[at, 2] = up, bit
                    groups.literal[at, 1] = 0 if trees.left[up] == child else 1
                written += 1
            child, up = up, shape.parent[up]
    return written


@inlined
def leaf_players(shape: Shape, group: tuple[int, int, int], leaf: int, players: Ints, into: Ints) -> int:
    """Positions, among a group's players, of those on the path to one of its leaves: those of the group's own path first."""
    node, path, first = group
    count = path
    for at in range(path):
        into[at] = at
    up = leaf
    while up != node:
        up = shape.parent[up]
        position = find(players, first, MOST_BITS, shape.player[up])
        if find(into, 0, count, position) == count:
            into[count] = position
            count += 1
    return count


@inlined
def list_below(trees: Trees, node: int, inner: Ints, leaves: Ints) -> int:
    """The inner nodes at and under a node, parents first, and the leaves; gives the number of leaves."""
    inner_count, leaf_count, done = 0, 0, 0
    if trees.feature[node] < 0:
        leaves[0] = node
        return 1
    inner[0], inner_count = node, 1
    while done < inner_count:
        for child in (trees.left[inner[done]], trees.right[inner[done]]):
            if trees.feature[child] < 0:
                leaves[leaf_count] = child
                leaf_count += 1
            else:
                inner[inner_count] = child
                inner_count += 1
        done += 1
    return leaf_count


@inlined
def write_below(shape: Shape, groups: Groups, here: tuple[int, int, int], inner: Ints, who: Ints) -> int:
    """The tests under a group's node, the group's players after those of its path; gives the number of its players."""
    g, path, written = here
    literal, first = groups.start[g, 0] + written, groups.start[g, 1]
    fill, total, count = groups.literal.shape[0] > 0, path, shape.below[groups.node[g]]
    for at in range(count):
        if fill:
            put = literal + at
            groups.literal[put, 0], groups.literal[put, 1], groups.literal[put, 2] = inner[at], 0, path + at
        player = shape.player[inner[at]]
        if find(who, 0, total, player) == total:
            who[total] = player
            total += 1
    if fill:
        groups.player[first : first + total] = who[:total]
    return total


@inlined
def write_pairs(groups: Groups, first: int, total: int, met: Flags) -> int:
    """The pairs of players that meet; gives their number."""
    count = 0
    for a in range(total):
        for b in range(a + 1, total):
            if met[a, b]:
                if groups.literal.shape[0] > 0:
                    groups.pair[first + count, 0], groups.pair[first + count, 1] = a, b
                count += 1
    return count


@compiled
def describe(trees: Trees, shape: Shape, groups: Groups, count: Ints, pairs: bool) -> None:
    """Count literals, players and pairs of each group, and write them where ``groups.literal`` has room."""
    who, of_leaf = np.zeros(MOST_BITS + 2, np.int32), np.zeros(MOST_BITS + 2, np.int32)
    inner, leaves = np.zeros(MOST_BITS + 2, np.int32), np.zeros(MOST_BITS + 2, np.int32)
    met = np.zeros((MOST_BITS + 2, MOST_BITS + 2), np.bool_)
    for g in range(groups.node.shape[0]):
        node = groups.node[g]
        path = path_players(shape, node, MOST_BITS, who)
        leaf_count = list_below(trees, node, inner, leaves)
        written = write_path(trees, shape, groups, (node, groups.start[g, 0], path), who)
        total = write_below(shape, groups, (g, path, written), inner, who)
        count[g, 0], count[g, 1], count[g, 2] = written + shape.below[node], total, 0
        if not pairs:
            continue
        met[:] = False
        for leaf in leaves[:leaf_count]:
            d = leaf_players(shape, (node, path, 0), leaf, who, of_leaf)
            for a in range(d):
                for b in range(d):
                    met[of_leaf[a], of_leaf[b]] = True
        count[g, 2] = write_pairs(groups, groups.start[g, 2], total, met)


@compiled
def uncovered(trees: Trees, shape: Shape, node: Ints) -> NDArray[np.uint8]:
    """1 for the leaves that lie in no group; a tree that is one leaf needs none."""
    state = np.zeros(trees.feature.shape[0], np.uint8)
    state[node] = 1
    for at in range(trees.feature.shape[0]):
        if trees.feature[at] >= 0 and state[at] == 1:
            state[trees.left[at]] = state[trees.right[at]] = 1
    for at in range(trees.feature.shape[0]):
        state[at] = 1 if trees.feature[at] < 0 and state[at] == 0 and shape.parent[at] >= 0 else 0
    return state


def shape_of(trees: Trees, players: Ints) -> Shape:
    """Parents, sizes and slots of the nodes.

    Args:
        trees: The packed arrays.
        players: int32 (features,), the player of each column.
    """
    nodes = len(trees.feature)
    of_node = np.where(trees.feature >= 0, np.append(players, -1)[trees.feature], -1).astype(np.int32)
    shape = Shape(np.zeros(nodes, np.int32), np.zeros(nodes, np.int32), np.zeros(nodes, np.int32), of_node)
    survey(trees, shape)
    return shape


def count_groups(trees: Trees, shape: Shape, bits: int, *, pairs: bool = False) -> tuple[Groups, Ints]:
    """Choose groups of at most so many bits, without describing them. Cost: nodes x depth.

    Returns:
        The groups, and int32 (groups, 3): how many literals, players and pairs each has.
    """
    found = np.zeros((int(np.count_nonzero(trees.feature < 0)), 3), np.int32)
    chosen = found[: choose(trees, shape, bits, found)]
    node, tree, size = (np.ascontiguousarray(chosen[:, at]) for at in range(3))
    count, start = np.zeros((len(node), 3), np.int32), np.zeros((len(node) + 1, 3), np.int32)
    draft = Groups(node, tree, size, start, np.zeros((0, 3), np.int32), np.zeros(0, np.int32), np.zeros((0, 2), np.int32))
    describe(trees, shape, draft, count, pairs)
    return draft, count


def lay_out(trees: Trees, shape: Shape, bits: int, *, pairs: bool = False) -> Groups:
    """Choose groups of at most so many bits, and describe them. Cost: nodes x depth.

    Args:
        trees: The packed arrays.
        shape: What ``shape_of`` found.
        bits: At most ``MOST_BITS``.
        pairs: Whether to list the pairs of players too.
    """
    draft, count = count_groups(trees, shape, bits, pairs=pairs)
    np.cumsum(count, axis=0, out=draft.start[1:])
    literals, players, met = (int(number) for number in draft.start[-1])
    full = draft._replace(literal=np.zeros((literals, 3), np.int32), player=np.zeros(players, np.int32), pair=np.zeros((met, 2), np.int32))
    describe(trees, shape, full, count, pairs)
    return full
