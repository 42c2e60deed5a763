"""A forest over cells: columns cut where any tree cuts them, so that every row of a cell goes the same way everywhere."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whyglass.kernels.forest import Floats, Ints, matrix
from whyglass.kernels.jit import compiled, inlined
from whyglass.kernels.leaf_boxes import LeafBoxes, Longs, Words, ways_of, whole_sets

FAR = np.iinfo(np.int32).max
_ROWS = 256  # rows led down one tree before the next


FEATURE, LEFT, RIGHT, CUT, GONE, SET, LEAF = range(7)


class Steps(NamedTuple):
    """A forest over cells, with the box of every leaf.

    A numeric value's cell is the number of edges below it; a missing one has cell -1. A category's cell is its code; the two
    after the codes stand for never seen and missing.

    Attributes:
        roots: int32 (trees,).
        nodes: int32 (nodes, 7): the column tested, -1 at a leaf; the children; the last cell that goes left; whether missing does;
            where the set of codes that go left starts in ``sets``, -1 at a numeric column; the number of a leaf, -1 elsewhere.
        sets: uint64.
        offsets: int64 (columns + 1,), where each column's words start in a box.
        start: int64 (leaves + 1,), the entries of leaf i are ``start[i]:start[i + 1]``.
        entries: int32 (entries, 5): column, first and last cell, whether missing is inside, and where its set starts in ``words``.
        words: uint64.
        codes: int32 (columns,), how many codes a category column has; -1 for a numeric column.
    """

    roots: Ints
    nodes: Ints
    sets: Words
    offsets: Longs
    start: Longs
    entries: Ints
    words: Words
    codes: Ints


class Regions(NamedTuple):
    """Boxes over cells.

    Attributes:
        box: int32 (rows, columns, 3), a numeric column's first and last cell, and whether missing is inside.
        words: uint64 (rows, words), sets of category cells.
    """

    box: Ints
    words: Words


def column_edges(forest: Any, codes: Ints) -> tuple[Floats, ...]:
    """Where any tree cuts each numeric column, ascending; nothing for a category column."""
    inner = forest.feature >= 0
    return tuple(
        np.unique(forest.threshold[inner & (forest.feature == column)]) if codes[column] < 0 else np.zeros(0)
        for column in range(len(codes))
    )


def cells(X: Any, edges: tuple[Floats, ...], codes: Ints) -> NDArray[np.int64]:
    """Cells of encoded rows: int64 (rows, columns)."""
    rows = matrix(X)
    out = np.empty(rows.shape, np.int64)
    for column, count in enumerate(codes):
        values = rows[:, column]
        gone = np.isnan(values)
        if count < 0:
            out[:, column] = np.where(gone, -1, np.searchsorted(edges[column], values, side="left"))
        else:
            known = (values >= 0) & (values < count)
            out[:, column] = np.where(known, np.where(known, values, 0), np.where(gone, count + 1, count))
    return out


def steps_of(forest: Any, boxes: LeafBoxes, edges: tuple[Floats, ...]) -> Steps:
    """Lay a forest out over cells.

    Args:
        forest: Any object with the arrays of ``core.forest.Forest``.
        boxes: Its leaf boxes.
        edges: Per column, its cuts and any further ones.

    Cost: one search in a column's edges for each node and box entry.
    """
    ways = ways_of(forest, boxes.codes)
    trees = ways.trees
    nodes = np.full((len(trees.feature), 7), -1, np.int32)
    nodes[:, FEATURE], nodes[:, LEFT], nodes[:, RIGHT] = trees.feature, trees.left, trees.right
    nodes[:, GONE], nodes[:, SET] = trees.missing_left, ways.set_start
    nodes[boxes.node, LEAF] = np.arange(len(boxes))
    entries = np.zeros((len(boxes.column), 5), np.int32)
    entries[:, 0], entries[:, 2], entries[:, 3], entries[:, 4] = boxes.column, FAR, boxes.missing, boxes.set_start
    for column in np.flatnonzero(boxes.codes < 0):
        tested = trees.feature == column
        nodes[tested, CUT] = np.searchsorted(edges[column], trees.threshold[tested])
        mine = boxes.column == column
        under, over = boxes.low[mine], boxes.high[mine]
        entries[mine, 1] = np.where(np.isneginf(under), 0, np.searchsorted(edges[column], under) + 1)
        entries[mine, 2] = np.where(np.isposinf(over), len(edges[column]), np.searchsorted(edges[column], over))
    return Steps(trees.roots, nodes, ways.sets, ways.offsets, boxes.start, entries, boxes.words, boxes.codes)


def whole(steps: Steps, edges: tuple[Floats, ...], rows: int = 1) -> Regions:
    """Boxes that hold everything."""
    box = np.array([[0, len(e), 1] for e in edges], np.int32).reshape(1, -1, 3)
    words = whole_sets(steps.codes, steps.offsets)
    return Regions(np.repeat(box, rows, axis=0), np.repeat(words[None, :], rows, axis=0))


@inlined
def goes(steps: Steps, node: int, cell: int) -> bool:
    """Whether a cell goes left."""
    start = steps.nodes[node, SET]
    if start >= 0:
        return bool((steps.sets[start + (cell >> 6)] >> np.uint64(cell & 63)) & np.uint64(1) != 0)
    if cell < 0:
        return bool(steps.nodes[node, GONE] != 0)
    return bool(cell <= steps.nodes[node, CUT])


@inlined
def land(steps: Steps, root: int, point: NDArray[np.int64]) -> int:
    """The leaf's node that a point reaches."""
    node = root
    while steps.nodes[node, FEATURE] >= 0:
        node = steps.nodes[node, LEFT] if goes(steps, node, point[steps.nodes[node, FEATURE]]) else steps.nodes[node, RIGHT]
    return node


@compiled
def leaves_of(steps: Steps, points: NDArray[np.int64], out: Ints) -> None:
    """Write the leaf number of every row in every tree; a tree stays in the cache for a block of rows."""
    for start in range(0, points.shape[0], _ROWS):
        for tree in range(steps.roots.shape[0]):
            for row in range(start, min(start + _ROWS, points.shape[0])):
                out[row, tree] = steps.nodes[land(steps, steps.roots[tree], points[row]), LEAF]


@compiled
def narrow_regions(steps: Steps, leaves: Ints, out: Regions) -> None:
    """Narrow each row's box to what goes the same way as the row in every tree; ``leaves`` as ``leaves_of`` wrote them."""
    for start in range(0, leaves.shape[0], _ROWS):
        for tree in range(steps.roots.shape[0]):
            for row in range(start, min(start + _ROWS, leaves.shape[0])):
                narrow_region(steps, leaves[row, tree], out, row)


@inlined
def narrow_region(steps: Steps, leaf: int, out: Regions, row: int) -> None:
    """Narrow a row's box to a leaf's."""
    for e in range(steps.start[leaf], steps.start[leaf + 1]):
        column, first = steps.entries[e, 0], steps.entries[e, 4]
        if first >= 0:
            at = steps.offsets[column]
            for word in range(at, steps.offsets[column + 1]):
                out.words[row, word] &= steps.words[first + word - at]
        else:
            out.box[row, column, 0] = max(out.box[row, column, 0], steps.entries[e, 1])
            out.box[row, column, 1] = min(out.box[row, column, 1], steps.entries[e, 2])
            out.box[row, column, 2] &= steps.entries[e, 3]


@compiled
def hand_up(steps: Steps, gain: Floats) -> None:
    """Give each inner node the largest value of the leaves below it; children stand after their parents."""
    for node in range(steps.nodes.shape[0] - 1, -1, -1):
        if steps.nodes[node, FEATURE] >= 0:
            gain[node] = max(gain[steps.nodes[node, LEFT]], gain[steps.nodes[node, RIGHT]])
