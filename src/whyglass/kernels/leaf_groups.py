"""Which leaves share a table: groups of neighbouring leaves, and the bits of a row that decide what a group adds.

A group is a node together with all leaves below it. What its leaves give to a row follows from a few bits: for each
player on the path to the node one bit "satisfies every condition of this player on the path", and for each test below one
bit "goes left". Nodes of one tree that ask the same have one bit: a symmetric tree of depth 6 is one group of 6 bits. Groups
are taken as high up in a tree as the number of bits allows; leaves whose own path needs more are left to another kernel.
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
        below: int32 (nodes,), different tests at and under the node; ``MOST_BITS`` + 1 where there are more than ``MOST_BITS``.
        slot: int32 (nodes,), number of an inner node's test within its tree.
        owner: int32 (nodes,), the first node of the tree that asks the same as an inner node.
        player: int32 (nodes,), the player of the column that an inner node tests; -1 at a leaf.
    """

    parent: Ints
    below: Ints
    slot: Ints
    owner: Ints
    player: Ints


class Groups(NamedTuple):
    """Groups of leaves, in the order of their trees.

    Attributes:
        node: int32 (groups,), the node whose leaves are together.
        tree: int32 (groups,).
        bits: int32 (groups,), distinct players on the path plus different tests below.
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


@inlined
def same_test(trees: Trees, one: int, two: int) -> bool:
    """Whether two inner nodes ask the same of a number; category nodes are never taken for each other."""
    if trees.category_start[one] >= 0 or trees.category_start[two] >= 0:
        return one == two
    alike = trees.feature[one] == trees.feature[two] and trees.missing_left[one] == trees.missing_left[two]
    return bool(alike and trees.threshold[one] == trees.threshold[two])


@inlined
def share_tests(trees: Trees, shape: Shape, nodes: tuple[int, int], known: Ints) -> None:
    """Number the different tests of one tree; ``known`` is a hash table of nodes, all of it -1."""
    room, slot = known.shape[0], 0
    for node in range(nodes[0], nodes[1]):
        if trees.feature[node] < 0:
            continue
        at = (hash(trees.threshold[node]) + 7919 * int(trees.feature[node])) % room
        while known[at] >= 0 and not same_test(trees, known[at], node):
            at = (at + 1) % room
        if known[at] < 0:
            known[at], shape.slot[node], shape.owner[node] = node, slot, node
            slot += 1
        else:
            shape.slot[node], shape.owner[node] = shape.slot[known[at]], known[at]


@inlined
def join(tests: Ints, node: int, child: int) -> None:
    """Add the tests under a child to those of its parent, while there is room; entry 0 counts them."""
    for at in range(1, tests[child, 0] + 1):
        count = tests[node, 0]
        if count > MOST_BITS:
            return
        if find(tests[node], 1, count, tests[child, at]) == count:
            tests[node, count + 1] = tests[child, at]
            tests[node, 0] = count + 1


@compiled
def survey(trees: Trees, shape: Shape) -> None:
    """Fill parent, below, slot and owner; nodes of one tree are neighbours, parents before children."""
    nodes = trees.feature.shape[0]
    shape.parent[:] = -1
    for tree in range(trees.roots.shape[0]):
        last = trees.roots[tree + 1] if tree + 1 < trees.roots.shape[0] else nodes
        share_tests(trees, shape, (trees.roots[tree], last), np.full(2 * (last - trees.roots[tree]) + 1, -1, np.int32))
    tests = np.zeros((nodes, MOST_BITS + 2), np.int32)
    for node in range(nodes - 1, -1, -1):
        if trees.feature[node] >= 0:
            tests[node, 0], tests[node, 1] = 1, shape.slot[node]
            for child in (trees.left[node], trees.right[node]):
                shape.parent[child] = node
                join(tests, node, child)
            shape.below[node] = tests[node, 0]


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
    """The different tests under a group's node, the group's players after those of its path; gives the number of its players."""
    g, path, written = here
    first, total, wanted = groups.start[g, 1], path, shape.below[groups.node[g]]
    seen = np.zeros(MOST_BITS + 2, np.int32)
    count, at = 0, 0
    while count < wanted:
        node = inner[at]
        at += 1
        if find(seen, 0, count, shape.slot[node]) < count:
            continue
        seen[count] = shape.slot[node]
        if groups.literal.shape[0] > 0:
            put = groups.start[g, 0] + written + count
            groups.literal[put, 0], groups.literal[put, 1], groups.literal[put, 2] = node, 0, path + count
        count += 1
        if find(who, 0, total, shape.player[node]) == total:
            who[total] = shape.player[node]
            total += 1
    if groups.literal.shape[0] > 0:
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
    inner, leaves = np.zeros(trees.feature.shape[0], np.int32), np.zeros(trees.feature.shape[0], np.int32)
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
    parent, below, slot, owner = (np.zeros(nodes, np.int32) for _ in range(4))
    shape = Shape(parent, below, slot, owner, of_node)
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
