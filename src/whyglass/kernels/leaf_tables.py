"""Exact Shapley values and interactions by table look-up, for shallow trees and the shallow leaves of any tree.

All leaves of a group (``leaf_groups``) are added into strips of 2^bits numbers, one strip a player or pair of players
(``leaf_cells``); a row is then explained by one look-up a strip, path-dependent and interventional alike, so that the
number of background rows costs nothing there. Rows go in blocks, columns turned into rows: a node's test and a group's
index are vectors over the rows of a block. That patterns decide, and that a background enters by its histogram only, is
known from arXiv 2511.09376.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whyglass.kernels.forest import Blocks, Floats, Ints, Trees, goes_left, matrix, pack, run
from whyglass.kernels.jit import compiled, inlined
from whyglass.kernels.leaf_cells import Cells, Longs, fill_cells
from whyglass.kernels.leaf_groups import MOST_BITS, Grid, Groups, lay_out, shape_of, uncovered
from whyglass.kernels.tree_plan import is_mirrored, legendre, who_plays

BLOCK = 1024  # rows explained together: the tables go through the cache once a block
MOST_BYTES = 160_000_000  # of cells, unless the caller says otherwise
UNIT = 16  # groups of one tree whose index vectors are held together


class Strips(NamedTuple):
    """The look-ups of a row, in order.

    Attributes:
        unit: int32 (units + 1, 2), first group and first strip of each unit (some groups of one tree).
        strip: int64 (strips, 3): target, group, first cell; sorted by unit and target.
        cells: float64, the strips, one after the other.
    """

    unit: Ints
    strip: Longs
    cells: Floats


class Tables(NamedTuple):
    """What ``build`` made of a forest.

    Attributes:
        grid: The forest cut into groups.
        strips: The look-ups.
        players: How many players there are.
        outputs: How many outputs are kept: one where the second of two is the first, negated.
        mirrored: Whether that is so.
        pairs: int32 (pairs, 2), the players of each pair that has a target; empty without interactions.
        rest: bool (nodes,), leaves that no table covers; None when all are covered.
        bytes: Size of the cells.
    """

    grid: Grid
    strips: Strips
    players: int
    outputs: int
    mirrored: bool
    pairs: Ints
    rest: NDArray[np.bool_] | None
    bytes: int


class Room(NamedTuple):
    """Scratch for a block of rows.

    Attributes:
        turned: float64 (features, rows).
        test: uint8 (different tests of a tree, rows), 1 where a row goes left.
        met: uint8 (rows,), 1 where a row meets the conditions of a bit so far.
        pattern: uint16 (UNIT, rows), the pattern of each row in each group of a unit.
    """

    turned: Floats
    test: NDArray[np.uint8]
    met: NDArray[np.uint8]
    pattern: NDArray[np.uint16]


@inlined
def room_for(grid: Grid, features: int, lanes: int) -> Room:
    """Scratch for blocks of so many rows."""
    slots = 1
    for node in range(grid.trees.feature.shape[0]):
        slots = max(slots, grid.shape.slot[node] + 1)
    test, met, index = np.zeros((slots, lanes), np.uint8), np.zeros(lanes, np.uint8), np.zeros((UNIT, lanes), np.uint16)
    return Room(np.zeros((features, lanes)), test, met, index)


@inlined
def turn(X: Floats, start: int, lanes: int, room: Room) -> None:
    """Columns of a block of rows as rows."""
    for r in range(lanes):
        for f in range(X.shape[1]):
            room.turned[f, r] = X[start + r, f]


@inlined
def test_nodes(grid: Grid, tree: int, room: Room, lanes: int) -> None:
    """Into ``room.test``: 1 for the rows that go left, for every test of a tree."""
    trees, turned = grid.trees, room.turned
    last = trees.roots[tree + 1] if tree + 1 < trees.roots.shape[0] else trees.feature.shape[0]
    for node in range(trees.roots[tree], last):
        feature = trees.feature[node]
        if feature < 0 or grid.shape.owner[node] != node:
            continue
        test, x, threshold = room.test[grid.shape.slot[node]], turned[feature], trees.threshold[node]
        if trees.category_start[node] >= 0:
            for r in range(lanes):
                test[r] = 1 if goes_left(trees, node, x[r]) else 0
        elif trees.missing_left[node]:
            for r in range(lanes):
                test[r] = 0 if x[r] > threshold else 1
        else:
            for r in range(lanes):
                test[r] = 1 if x[r] <= threshold else 0


@inlined
def index_rows(grid: Grid, g: int, room: Room, index: NDArray[np.uint16], lanes: int) -> None:
    """Into ``index``: the pattern of each row in a group."""
    literal, met = grid.groups.literal, room.met
    for r in range(lanes):
        index[r] = 0
    at, stop = grid.groups.start[g, 0], grid.groups.start[g + 1, 0]
    while at < stop:
        bit = literal[at, 2]
        test, flip = room.test[grid.shape.slot[literal[at, 0]]], np.uint8(literal[at, 1])
        for r in range(lanes):
            met[r] = test[r] ^ flip
        at += 1
        while at < stop and literal[at, 2] == bit:
            again, turned = room.test[grid.shape.slot[literal[at, 0]]], np.uint8(literal[at, 1])
            for r in range(lanes):
                met[r] &= again[r] ^ turned
            at += 1
        weight = np.uint16(1 << bit)
        for r in range(lanes):
            index[r] |= np.uint16(met[r]) * weight


@inlined
def look_up(strips: Strips, unit: tuple[int, int, int], index: NDArray[np.uint16], phi: Floats, lanes: int) -> None:
    """Add the strips of a unit to ``phi`` (targets, rows); neighbours with one target are added together."""
    first, at, stop = unit
    strip, cells = strips.strip, strips.cells
    while at < stop:
        target = strip[at, 0]
        into = phi[target]
        a, i = np.uint64(strip[at, 2]), index[strip[at, 1] - first]
        if at + 3 < stop and strip[at + 3, 0] == target:
            b, c, d = np.uint64(strip[at + 1, 2]), np.uint64(strip[at + 2, 2]), np.uint64(strip[at + 3, 2])
            j, k, m = index[strip[at + 1, 1] - first], index[strip[at + 2, 1] - first], index[strip[at + 3, 1] - first]
            for r in range(lanes):
                both = cells[a + i[r]] + cells[b + j[r]]
                into[r] += both + (cells[c + k[r]] + cells[d + m[r]])
            at += 4
        elif at + 1 < stop and strip[at + 1, 0] == target:
            b, j = np.uint64(strip[at + 1, 2]), index[strip[at + 1, 1] - first]
            for r in range(lanes):
                into[r] += cells[a + i[r]] + cells[b + j[r]]
            at += 2
        else:
            for r in range(lanes):
                into[r] += cells[a + i[r]]
            at += 1


@compiled
def explain_rows(grid: Grid, strips: Strips, X: Floats, out: Floats) -> None:
    """Add to ``out`` (rows, targets), block after block."""
    rows, features, targets = X.shape[0], X.shape[1], out.shape[1]
    lanes = min(BLOCK, rows)
    room, phi = room_for(grid, features, lanes), np.zeros((targets, lanes))
    for start in range(0, rows, lanes):
        count = min(lanes, rows - start)
        turn(X, start, count, room)
        phi[:] = 0.0
        tree = -1
        for u in range(strips.unit.shape[0] - 1):
            first, last = strips.unit[u, 0], strips.unit[u + 1, 0]
            if grid.groups.tree[first] != tree:
                tree = grid.groups.tree[first]
                test_nodes(grid, tree, room, count)
            for g in range(first, last):
                index_rows(grid, g, room, room.pattern[g - first], count)
            look_up(strips, (first, strips.unit[u, 1], strips.unit[u + 1, 1]), room.pattern, phi, count)
        for r in range(count):
            for f in range(targets):
                out[start + r, f] += phi[f, r]


@compiled
def count_patterns(grid: Grid, part: tuple[int, int], X: Floats, law: tuple[Longs, Floats]) -> None:
    """Into ``law[1]``, from ``law[0][g]`` on: how many rows show each pattern of a group."""
    rows, features = X.shape
    lanes = min(BLOCK, rows)
    room = room_for(grid, features, lanes)
    index = room.pattern[0]
    for start in range(0, rows, lanes):
        count = min(lanes, rows - start)
        turn(X, start, count, room)
        tree = -1
        for g in range(part[0], part[1]):
            if grid.groups.tree[g] != tree:
                tree = grid.groups.tree[g]
                test_nodes(grid, tree, room, count)
            index_rows(grid, g, room, index, count)
            first = np.uint64(law[0][g])
            for r in range(count):
                law[1][first + index[r]] += 1.0


class Layout(NamedTuple):
    """Where strips lie and in which order they are looked up."""

    unit: Ints
    strip: Longs
    place: Longs
    pairs: Ints
    size: int


def _entries(groups: Groups, players: int) -> tuple[Longs, Longs, Ints]:
    """Group and target (of one output) of every strip, in the order of the groups; and the pairs that are targets."""
    count = np.diff(groups.start, axis=0)
    of_player, of_pair = (np.repeat(np.arange(len(groups.node)), count[:, at]) for at in (1, 2))
    met = np.sort(groups.player[groups.start[of_pair, 1][:, None] + groups.pair], axis=1)
    known, at = np.unique(met[:, 0].astype(np.int64) * players + met[:, 1], return_inverse=True)
    group = np.concatenate([of_player, of_pair])
    target = np.concatenate([groups.player.astype(np.int64), players + at])
    order = np.argsort(group, kind="stable")
    return group[order], target[order], np.stack([known // players, known % players], axis=1).astype(np.int32)


def _lay_out_strips(trees: Trees, groups: Groups, width: int, outputs: int, players: int) -> Layout:
    """Strips in the order of their look-ups: unit by unit, target by target, neighbours in memory too."""
    group, target, pairs = _entries(groups, players)
    targets = (players + len(pairs)) * outputs
    output = np.maximum(trees.tree_output, 0)[groups.tree[group]] if width == 1 and outputs > 1 else 0
    target = ((target * outputs + output)[:, None] + np.arange(width)).reshape(-1)
    group = np.repeat(group, width)
    new_tree = np.flatnonzero(np.diff(groups.tree, prepend=-1))
    in_tree = np.arange(len(groups.node)) - np.repeat(new_tree, np.diff(np.append(new_tree, len(groups.node))))
    starts = np.flatnonzero(in_tree % UNIT == 0)
    unit = np.cumsum(in_tree % UNIT == 0) - 1
    order = np.argsort(unit[group] * np.int64(targets) + target, kind="stable")
    size = (np.int64(1) << groups.bits.astype(np.int64))[group[order]]
    first = np.cumsum(size) - size
    place = np.zeros(len(order), np.int64)
    place[order] = first
    bounds = np.searchsorted(unit[group[order]], np.arange(len(starts) + 1))
    units = np.stack([np.append(starts, len(groups.node)), bounds], axis=1).astype(np.int32)
    strip = np.ascontiguousarray(np.stack([target[order], group[order], first], axis=1))
    return Layout(units, strip, place.reshape(-1, width), pairs, int(size.sum()))


def build(
    forest: Any,
    background: Any = None,
    *,
    players: Ints | None = None,
    pairs: bool = False,
    bits: int = 8,
    most_bytes: int = MOST_BYTES,
    executor: Blocks | None = None,
) -> Tables:
    """Make the tables of a forest.

    Args:
        forest: Any object with the arrays of ``core.forest.Forest``.
        background: Encoded rows (rows, features) that stand for "unknown", all of them used; None: path-dependent.
        players: int32 (features,), the player of each column; None: each column its own.
        pairs: Whether to make the tables of interactions too.
        bits: Most bits of a group.
        most_bytes: Largest size of the cells; groups get fewer bits until it is kept.
        executor: Threads to use; the same bits with any number of them.

    Returns:
        Tables; ``rest`` marks leaves that need more bits.
    """
    trees = pack(forest)
    who = who_plays(forest, players)
    shape = shape_of(trees, who)
    mirrored = is_mirrored(trees)
    value = np.ascontiguousarray(trees.value[:, :1]) if mirrored else trees.value
    outputs, count = 1 if mirrored else len(trees.base), int(who.max(initial=-1)) + 1
    groups = lay_out(trees, shape, bits, pairs=pairs)
    while bits > 0 and _bytes(groups, value.shape[1]) > most_bytes:
        bits -= 1
        groups = lay_out(trees, shape, bits, pairs=pairs)
    grid = Grid(trees, shape, groups)
    layout = _lay_out_strips(trees, groups, value.shape[1], outputs, count)
    strips = Strips(layout.unit, layout.strip, np.zeros(layout.size))
    parts = _parts(len(groups.node), executor)
    law = _law(grid, background, parts, executor)
    into = Cells(layout.place, strips.cells, *legendre((MOST_BITS + 1) // 2))
    run(lambda part: fill_cells(grid, (part.start, part.stop, pairs), value, law, into), parts, executor)
    rest = uncovered(trees, shape, groups.node).view(np.bool_)
    return Tables(grid, strips, count, outputs, mirrored, layout.pairs, rest if rest.any() else None, strips.cells.nbytes)


def _bytes(groups: Groups, width: int) -> float:
    """Size of the cells of all groups."""
    return 8.0 * width * float(np.dot((groups.start[1:, 1:] - groups.start[:-1, 1:]).sum(axis=1), 2.0**groups.bits))


def _law(grid: Grid, background: Any, parts: list[slice], executor: Blocks | None) -> tuple[Longs, Floats]:
    """Where the shares of each group begin, and the shares of background rows that show each pattern; none without rows."""
    start = np.concatenate([[0], np.cumsum(np.int64(1) << grid.groups.bits.astype(np.int64))])
    if background is None:
        return start, np.zeros(0)
    rows, shares = matrix(background), np.zeros(int(start[-1]))
    run(lambda part: count_patterns(grid, (part.start, part.stop), rows, (start, shares)), parts, executor)
    shares /= len(rows)
    return start, shares


def _parts(groups: int, executor: Blocks | None) -> list[slice]:
    """Groups cut for threads."""
    pieces = 1 if executor is None else 4 * executor.workers
    edges = [groups * at // pieces for at in range(pieces + 1)]
    return [slice(a, b) for a, b in itertools.pairwise(edges) if b > a]


def targets(tables: Tables) -> int:
    """How many sums a row has: outputs of every player, then of every pair."""
    return (tables.players + len(tables.pairs)) * tables.outputs


def add_block(tables: Tables, rows: Floats, out: Floats) -> None:
    """Add the sums of every target to ``out`` (rows, targets), for one block of rows."""
    explain_rows(tables.grid, tables.strips, rows, out)


def row_blocks(rows: int, executor: Blocks | None) -> list[slice]:
    """Blocks as large as the tables like them, the same number for every thread."""
    workers = 1 if executor is None else executor.workers
    pieces = max(1, -(-rows // (BLOCK * workers))) * workers
    size = max(64, -(-rows // pieces))
    return [slice(start, min(start + size, rows)) for start in range(0, rows, size)]


def _explain(tables: Tables, X: Any, executor: Blocks | None) -> Floats:
    """Sums of every target: (rows, targets)."""
    rows = matrix(X)
    out = np.zeros((len(rows), targets(tables)))
    run(lambda at: add_block(tables, rows[at], out[at]), row_blocks(len(rows), executor), executor)
    return out


def _own(tables: Tables, found: Floats) -> Floats:
    """The sums of the players: (rows, players, outputs)."""
    return found[:, : tables.players * tables.outputs].reshape(len(found), tables.players, tables.outputs)


def values(tables: Tables, X: Any, executor: Blocks | None = None) -> Floats:
    """What the covered leaves give to each player.

    Args:
        tables: What ``build`` made.
        X: Encoded rows (rows, features).
        executor: Threads to use; the same bits with any number of them.

    Returns:
        float64 (rows, players, outputs).
    """
    out = np.ascontiguousarray(_own(tables, _explain(tables, X, executor)))
    return np.concatenate([out, -out], axis=2) if tables.mirrored else out


def add_square(tables: Tables, found: Floats, out: Floats) -> None:
    """Add sums of every target to matrices of players in shap's convention: ``out`` (rows, players, players, outputs)."""
    half = found[:, tables.players * tables.outputs :].reshape(len(found), len(tables.pairs), tables.outputs) / 2
    own = _own(tables, found).copy()
    for at, (a, b) in enumerate(tables.pairs):
        out[:, a, b] += half[:, at]
        out[:, b, a] += half[:, at]
        own[:, a] -= half[:, at]
        own[:, b] -= half[:, at]
    players = np.arange(tables.players)
    out[:, players, players] += own


def interactions(tables: Tables, X: Any, executor: Blocks | None = None) -> Floats:
    """Shapley interaction indices of the covered leaves, in shap's convention.

    Half an index stands on each side, and the rest of a player's value on the diagonal.

    Args:
        tables: What ``build`` made with ``pairs=True``.
        X: Encoded rows (rows, features).
        executor: Threads to use; the same bits with any number of them.

    Returns:
        float64 (rows, players, players, outputs), symmetric; rows sum to ``values``.
    """
    found = _explain(tables, X, executor)
    out = np.zeros((len(found), tables.players, tables.players, tables.outputs))
    add_square(tables, found, out)
    return np.concatenate([out, -out], axis=3) if tables.mirrored else out
