"""What one group of leaves gives to each player and pair, for every pattern of the group's bits.

What a leaf with value v gives to a row depends only on which players' conditions on its path the row satisfies: a pattern
x of d bits. Let mu be the law of the pattern among the rows that stand for "unknown": a product of cover ratios
(path-dependent), or a histogram of background rows (interventional). For a quadrature node t let T_t(x) be the chance that
every condition holds when each player is known with chance t: one pass a player turns mu into T_t,

    new[x_j = 0] = (1 - t) old[b_j = 1],    new[x_j = 1] = old[b_j = 1] + t old[b_j = 0].

The derivative by player j is (T[x] - T[x without j] / (1 - t)) / t where x satisfies j, and -T[x] / (1 - t) elsewhere.
Applied once and integrated over t it gives v's share for j, applied for two players their Shapley interaction index. The
integrals over t are taken first: with A = sum of w T / t and C = sum of w T / (1 - t) the share is
A[x] - A[x without j] - C[x without j], or -C[x]; three such sums serve all pairs. Cost: d 2^d a leaf and node t.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whyglass.kernels.forest import Floats, Ints
from whyglass.kernels.jit import compiled, inlined
from whyglass.kernels.leaf_groups import MOST_BITS, Grid, find, leaf_players, list_below
from whyglass.kernels.tree_plan import share

Longs = NDArray[np.int64]
_NEVER = 1 << 30  # a bit that no pattern has


class Cells(NamedTuple):
    """What is filled, and by which rule.

    Attributes:
        place: int64 (entries, width), first cell of every strip: group by group, its players, then its pairs.
        cells: float64, the strips, one after the other.
        nodes: float64, Gauss-Legendre nodes on [0, 1], one row an order.
        weights: float64, their weights.
    """

    place: Longs
    cells: Floats
    nodes: Floats
    weights: Floats


class Leaf(NamedTuple):
    """Scratch for one leaf.

    Attributes:
        who: Positions of its players in the group.
        mask: Bits of the group that decide on each player.
        want: What they must be.
        ratio: Cover product of each player.
        path: Cover product of each player on the group's path.
        law: float64 (2^d,), law of the pattern, then T.
        sums: float64 (2 or 5, 2^d), integrals of T over t; all five for pairs.
        gain: float64 (2^d,), what one player or pair gets.
        pattern: int32 (2^bits,), the leaf's pattern for each pattern of the group.
        slot: int32 (bits, bits), where the strip of a pair is.
    """

    who: Ints
    mask: Ints
    want: Ints
    ratio: Floats
    path: Floats
    law: Floats
    sums: Floats
    gain: Floats
    pattern: Ints
    slot: Ints


@inlined
def read_leaf(grid: Grid, group: tuple[int, int, int], node: int, bit: Ints, leaf: Leaf) -> int:
    """Describe a leaf by the bits of its group; gives the number of its players."""
    trees, shape, players = grid.trees, grid.shape, grid.groups.player
    top, path, first = group
    count = leaf_players(shape, group, node, players, leaf.who)
    for at in range(count):
        leaf.mask[at] = leaf.want[at] = (1 << at) if at < path else 0
        leaf.ratio[at] = leaf.path[at] if at < path else 1.0
    child = node
    while child != top:
        up = shape.parent[child]
        at = find(leaf.who, 0, count, find(players, first, MOST_BITS, shape.player[up]))
        flag = 1 << bit[shape.slot[up]]
        want = flag if trees.left[up] == child else 0
        if leaf.mask[at] & flag != 0 and leaf.want[at] & flag != want:
            leaf.want[at] |= _NEVER  # the path asks the same twice and wants both answers
        leaf.mask[at] |= flag
        leaf.want[at] |= want
        leaf.ratio[at] *= share(trees, up, child)
        child = up
    return count


@inlined
def see_patterns(leaf: Leaf, count: int, patterns: int) -> None:
    """The leaf's own pattern for each pattern of its group."""
    for p in range(patterns):
        leaf.pattern[p] = 0
    for at in range(count):
        mask, want, flag = leaf.mask[at], leaf.want[at], np.int32(1 << at)
        for p in range(patterns):
            leaf.pattern[p] |= flag if (np.int32(p) & mask) == want else np.int32(0)


@inlined
def transform(leaf: Leaf, count: int, law: Floats, t: float) -> None:
    """The law of the pattern turned into T at one quadrature node; ``law`` is empty when it is the product of the ratios."""
    T = leaf.law
    if law.shape[0] == 0:
        T[0] = 1.0
        for at in range(count):
            off = leaf.ratio[at] * (1.0 - t)
            half = 1 << at
            for x in range(half):
                T[half + x] = T[x] * (off + t)
                T[x] *= off
        return
    T[: law.shape[0]] = law
    for at in range(count):
        half = 1 << at
        for x in range(0, law.shape[0], 2 * half):
            for y in range(x, x + half):
                none, met = T[y], T[y + half]
                T[y], T[y + half] = (1.0 - t) * met, met + t * none


@inlined
def integrate(leaf: Leaf, count: int, law: Floats, rule: tuple[Floats, Floats]) -> None:
    """Integrals of T over t: by 1 / t and by 1 / (1 - t), then the same by the products of two of them."""
    order, size = (count + 1) // 2, 1 << count
    T, sums = leaf.law, leaf.sums
    sums[:, :size] = 0.0
    for q in range(order):
        t, w = rule[0][order, q], rule[1][order, q]
        transform(leaf, count, law, t)
        a, c = w / t, w / (1.0 - t)
        if sums.shape[0] == 2:
            for x in range(size):
                sums[0, x] += a * T[x]
                sums[1, x] += c * T[x]
            continue
        d, e, f = a / t, c / t, c / (1.0 - t)
        for x in range(size):
            sums[0, x] += a * T[x]
            sums[1, x] += c * T[x]
            sums[2, x] += d * T[x]
            sums[3, x] += e * T[x]
            sums[4, x] += f * T[x]


@inlined
def share_of(leaf: Leaf, at: int, size: int) -> None:
    """Into ``gain``: what one player gets, for each pattern of the leaf."""
    half = 1 << at
    for x in range(0, size, 2 * half):
        for y in range(x, x + half):
            none = leaf.sums[1, y]
            leaf.gain[y] = -none
            leaf.gain[y + half] = leaf.sums[0, y + half] - leaf.sums[0, y] - none


@inlined
def index_of(leaf: Leaf, at: int, other: int, size: int) -> None:
    """Into ``gain``: the interaction index of two players, for each pattern of the leaf."""
    one, two = np.int32(1 << at), np.int32(1 << other)
    E, F, G = leaf.sums[2], leaf.sums[3], leaf.sums[4]
    for x in range(size):
        if x & (one | two):
            continue
        y, z, both = x | one, x | two, x | one | two
        leaf.gain[x] = G[x]
        leaf.gain[y] = F[x] + G[x] - F[y]
        leaf.gain[z] = F[x] + G[x] - F[z]
        leaf.gain[both] = E[both] - E[y] - F[y] - E[z] - F[z] + E[x] + 2.0 * F[x] + G[x]


@inlined
def add_strip(leaf: Leaf, into: Cells, place: Longs, patterns: int, value: Floats) -> None:
    """Add the leaf's gains to the strips of one target, one strip an output."""
    for k in range(value.shape[0]):
        v = value[k]
        strip = into.cells[place[k] : place[k] + patterns]
        for p in range(patterns):
            strip[p] += v * leaf.gain[leaf.pattern[p]]


@inlined
def add_leaf(leaf: Leaf, into: Cells, spot: tuple[int, int, int, int], value: Floats) -> None:
    """Add one leaf to all strips of its group."""
    count, first, pair_first, patterns = spot
    size = 1 << count
    for at in range(count):
        share_of(leaf, at, size)
        add_strip(leaf, into, into.place[first + leaf.who[at]], patterns, value)
    if leaf.sums.shape[0] == 2:
        return
    for at in range(count):
        for other in range(at):
            index_of(leaf, at, other, size)
            a, b = min(leaf.who[at], leaf.who[other]), max(leaf.who[at], leaf.who[other])
            add_strip(leaf, into, into.place[pair_first + leaf.slot[a, b]], patterns, value)


@inlined
def open_group(grid: Grid, g: int, leaf: Leaf) -> tuple[int, int]:
    """Read the path to a group's node and the places of its pairs; gives the number of players on the path and in all."""
    shape, groups = grid.shape, grid.groups
    first, total = groups.start[g, 1], groups.start[g + 1, 1] - groups.start[g, 1]
    path = 0
    for at in range(total):
        leaf.path[at] = 1.0
    child = groups.node[g]
    while shape.parent[child] >= 0:
        up = shape.parent[child]
        at = find(groups.player, first, total, shape.player[up])
        leaf.path[at] *= share(grid.trees, up, child)
        path = max(path, at + 1)
        child = up
    for at in range(groups.start[g, 2], groups.start[g + 1, 2]):
        leaf.slot[groups.pair[at, 0], groups.pair[at, 1]] = at - groups.start[g, 2]
    return path, total


@inlined
def scratch(pairs: bool) -> Leaf:
    """Room for the largest leaf."""
    most, ints, ratios = 1 << MOST_BITS, np.zeros((3, MOST_BITS + 2), np.int32), np.ones((2, MOST_BITS + 2))
    sums, slot = np.zeros((5 if pairs else 2, most)), np.zeros((MOST_BITS + 2, MOST_BITS + 2), np.int32)
    pattern = np.zeros(most, np.int32)
    return Leaf(ints[0], ints[1], ints[2], ratios[0], ratios[1], np.zeros(most), sums, np.zeros(most), pattern, slot)


@compiled
def fill_cells(grid: Grid, part: tuple[int, int, bool], value: Floats, law: tuple[Longs, Floats], cells: Cells) -> None:
    """Fill the strips of the groups from ``part[0]`` to ``part[1]``, those of pairs too if ``part[2]``.

    ``law`` is the start of each group's shares of background rows, and the shares: none when the law is the product of
    cover ratios.
    """
    trees, shape, groups = grid.trees, grid.shape, grid.groups
    leaf = scratch(part[2])
    nodes = trees.feature.shape[0]
    bit, seen = np.zeros(nodes, np.int32), np.full(nodes, -1, np.int32)
    inner, leaves = np.zeros(nodes, np.int32), np.zeros(nodes, np.int32)
    room, nothing = np.zeros(1 << MOST_BITS), np.zeros(0)
    for g in range(part[0], part[1]):
        node, patterns = groups.node[g], 1 << groups.bits[g]
        path, total = open_group(grid, g, leaf)
        first = groups.start[g, 1] + groups.start[g, 2]
        leaf_count = list_below(trees, node, inner, leaves)
        below, at = 0, 0
        while below < shape.below[node]:
            slot = shape.slot[inner[at]]
            at += 1
            if seen[slot] != g:
                seen[slot], bit[slot] = g, path + below
                below += 1
        for at in leaves[:leaf_count]:
            count = read_leaf(grid, (node, path, groups.start[g, 1]), at, bit, leaf)
            see_patterns(leaf, count, patterns)
            shown = nothing
            if law[1].shape[0] > 0:
                shown = room[: 1 << count]
                shown[:] = 0.0
                for p in range(patterns):
                    shown[leaf.pattern[p]] += law[1][law[0][g] + p]
            integrate(leaf, count, shown, (cells.nodes, cells.weights))
            add_leaf(leaf, cells, (count, first, first + total, patterns), value[at])
