"""What a forest would say of every row at every point of a grid, for many columns in one walk.

Freeing column j of a row changes the leaf reached in a tree only between leaves whose conditions on all other columns the
row satisfies. One walk per row and tree meets them all: it goes on where the row fails, remembering the one column that it
failed, and turns back where a second one fails. A leaf knows in advance which grid points of each column on its path lead to
it (``runs``), so it adds its value to ranges of the grid; one running sum per column then gives the curve.

Cost a row: nodes within one failed column of its paths (about three predictions) + grid points. Asking the forest anew would
cost one prediction a grid point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whyglass.kernels.forest import Blocks, Floats, Ints, Trees, goes_left, matrix, pack, run
from whyglass.kernels.jit import compiled, inlined

_BLOCK_CELLS = 1 << 19  # numbers in one block of curves: it stays in the cache while it is linked and summed


class Grid(NamedTuple):
    """The points at which columns are asked.

    Attributes:
        slot: int32 (features,), position of a column among those asked about; -1 when it is not.
        start: int32 (asked + 1,), where each one's points begin.
        point: float64 (cells,), the points, column after column.
    """

    slot: Ints
    start: Ints
    point: Floats


class Runs(NamedTuple):
    """Which grid points lead to a leaf, as ranges.

    Attributes:
        span: int64 (nodes, 2), where a leaf's entries begin and stop.
        entry: int32 (entries, 3): position of the column, first cell, cell after the last; a column none of whose points
            lead to the leaf has an empty range.
    """

    span: NDArray[np.int64]
    entry: Ints


class Ready(NamedTuple):
    """A forest and a grid, laid out for the kernels."""

    trees: Trees
    grid: Grid
    runs: Runs


@inlined
def deepest(trees: Trees) -> int:
    """Nodes on the longest path."""
    depth = np.ones(trees.feature.shape[0], np.int32)
    most = 1
    for node in range(trees.feature.shape[0]):
        if trees.feature[node] >= 0:
            depth[trees.left[node]] = depth[node] + 1
            depth[trees.right[node]] = depth[node] + 1
            most = max(most, depth[node] + 1)
    return most


@inlined
def mark(trees: Trees, grid: Grid, edge: tuple[int, int], change: int, failed: Ints) -> None:
    """Count, for every grid point of the node's column, the conditions on the path that it fails."""
    node, side = edge
    slot = grid.slot[trees.feature[node]]
    if slot < 0:
        return
    for cell in range(grid.start[slot], grid.start[slot + 1]):
        if goes_left(trees, node, grid.point[cell]) != (side == 0):
            failed[cell] += change


@inlined
def write_leaf(grid: Grid, failed: Ints, on_path: Ints, entry: Ints, count: int) -> int:
    """Write a leaf's ranges from ``count`` on, where there is room; gives how many entries there are now."""
    room = entry.shape[0]
    for slot in range(grid.start.shape[0] - 1):
        if on_path[slot] == 0:
            continue
        cell, stop, none = grid.start[slot], grid.start[slot + 1], True
        while cell < stop:
            while cell < stop and failed[cell] != 0:
                cell += 1
            begin = cell
            while cell < stop and failed[cell] == 0:
                cell += 1
            if cell > begin or (none and cell == stop):
                if count < room:
                    entry[count, 0], entry[count, 1], entry[count, 2] = slot, begin, cell
                count += 1
                none = False
    return count


@compiled
def write_runs(trees: Trees, grid: Grid, span: NDArray[np.int64], entry: Ints) -> int:
    """Fill ``span`` and as much of ``entry`` as there is room for; gives how many entries there are."""
    levels = deepest(trees)
    stack, side = np.zeros(levels, np.int32), np.zeros(levels, np.int32)
    failed, on_path = np.zeros(grid.point.shape[0], np.int32), np.zeros(grid.start.shape[0], np.int32)
    count = 0
    for tree in range(trees.roots.shape[0]):
        stack[0], side[0], level = trees.roots[tree], 0, 0
        while level >= 0:
            node = stack[level]
            if trees.feature[node] < 0:
                span[node, 0] = count
                count = write_leaf(grid, failed, on_path, entry, count)
                span[node, 1] = count
                level -= 1
                continue
            slot = grid.slot[trees.feature[node]]
            if side[level] > 0:
                mark(trees, grid, (node, side[level] - 1), -1, failed)
                if slot >= 0:
                    on_path[slot] -= 1
            if side[level] == 2:
                level -= 1
                continue
            mark(trees, grid, (node, side[level]), 1, failed)
            if slot >= 0:
                on_path[slot] += 1
            child = trees.left[node] if side[level] == 0 else trees.right[node]
            side[level] += 1
            level += 1
            stack[level], side[level] = child, 0
    return count


@inlined
def lift(cells: Floats, span: tuple[int, int], first: int, leaf: Floats, sign: float) -> None:
    """Add a leaf's value to a range of cells, as a step up and a step down."""
    begin, stop = span
    for k in range(leaf.shape[0]):
        cells[begin, first + k] += sign * leaf[k]
        cells[stop, first + k] -= sign * leaf[k]


@inlined
def add_reached(ready: Ready, node: int, cells: Floats, first: int) -> None:
    """A leaf that the row itself reaches: every column on its path leaves it outside its ranges."""
    grid, runs, leaf = ready.grid, ready.runs, ready.trees.value[node]
    last = -1
    for at in range(runs.span[node, 0], runs.span[node, 1]):
        slot = runs.entry[at, 0]
        if slot != last:
            lift(cells, (grid.start[slot] + slot, grid.start[slot + 1] + slot), first, leaf, -1.0)
            last = slot
        if runs.entry[at, 1] < runs.entry[at, 2]:
            lift(cells, (runs.entry[at, 1] + slot, runs.entry[at, 2] + slot), first, leaf, 1.0)


@inlined
def add_freed(ready: Ready, node: int, freed: int, cells: Floats, first: int) -> None:
    """A leaf that the row reaches when one column is freed: at the points that lead there."""
    runs, leaf = ready.runs, ready.trees.value[node]
    for at in range(runs.span[node, 0], runs.span[node, 1]):
        if runs.entry[at, 0] == freed and runs.entry[at, 1] < runs.entry[at, 2]:
            lift(cells, (runs.entry[at, 1] + freed, runs.entry[at, 2] + freed), first, leaf, 1.0)


@inlined
def sum_steps(grid: Grid, base: Floats, cells: Floats) -> None:
    """From steps to sums, each column's cells on their own."""
    for k in range(cells.shape[1]):
        for slot in range(grid.start.shape[0] - 1):
            total = 0.0
            for cell in range(grid.start[slot] + slot, grid.start[slot + 1] + slot):
                total += cells[cell, k]
                cells[cell, k] = base[k] + total


@compiled
def step_rows(ready: Ready, X: Floats, out: Floats) -> None:
    """Add to ``out`` (rows, cells + asked, outputs), zeros before, the forest's sums at every cell.

    After each column's cells comes one of scratch, where its last range steps down.
    """
    trees, grid = ready.trees, ready.grid
    stack = np.zeros((deepest(trees) + 2, 2), np.int32)
    base = np.zeros(trees.base.shape[0])
    for row in range(X.shape[0]):
        base[:] = trees.base
        for tree in range(trees.roots.shape[0]):
            first = max(trees.tree_output[tree], 0)
            stack[0, 0], stack[0, 1] = trees.roots[tree], -1
            height = 1
            while height > 0:
                height -= 1
                node, freed = stack[height, 0], stack[height, 1]
                while trees.feature[node] >= 0:
                    feature = trees.feature[node]
                    slot = grid.slot[feature]
                    left = goes_left(trees, node, X[row, feature])
                    if slot >= 0 and (freed == slot or freed < 0):
                        stack[height, 0] = trees.right[node] if left else trees.left[node]
                        stack[height, 1] = slot
                        height += 1
                    node = trees.left[node] if left else trees.right[node]
                if freed >= 0:
                    add_freed(ready, node, freed, out[row], first)
                    continue
                for k in range(trees.value.shape[1]):
                    base[first + k] += trees.value[node, k]
                add_reached(ready, node, out[row], first)
        sum_steps(grid, base, out[row])


@inlined
def add_block(ready: Ready, node: int, cells: Floats, first: int) -> None:
    """A leaf's value on every rectangle of points of two columns that leads to it, as steps at its corners."""
    grid, runs, leaf = ready.grid, ready.runs, ready.trees.value[node]
    low, high = runs.span[node, 0], runs.span[node, 1]
    middle = low
    while middle < high and runs.entry[middle, 0] == 0:
        middle += 1
    points = grid.start[1], grid.start[2] - grid.start[1]
    for one in range(low, max(middle, low + 1)):
        a, b = (runs.entry[one, 1], runs.entry[one, 2]) if middle > low else (0, points[0])
        for two in range(middle, max(high, middle + 1)):
            c, d = (runs.entry[two, 1] - points[0], runs.entry[two, 2] - points[0]) if high > middle else (0, points[1])
            if a < b and c < d:
                for k in range(leaf.shape[0]):
                    cells[a, c, first + k] += leaf[k]
                    cells[b, c, first + k] -= leaf[k]
                    cells[a, d, first + k] -= leaf[k]
                    cells[b, d, first + k] += leaf[k]


@inlined
def sum_blocks(base: Floats, cells: Floats) -> None:
    """From corner steps to sums."""
    for a in range(cells.shape[0] - 1):
        for k in range(cells.shape[2]):
            total = 0.0
            for b in range(cells.shape[1] - 1):
                total += cells[a, b, k]
                cells[a, b, k] = total + (cells[a - 1, b, k] if a > 0 else base[k])


@compiled
def step_pairs(ready: Ready, X: Floats, out: Floats) -> None:
    """Add to ``out`` (rows, points of a + 1, points of b + 1, outputs), zeros before, the sums at every pair of points.

    ``grid`` asks about two columns. The last row and column of points are scratch.
    """
    trees, grid = ready.trees, ready.grid
    stack = np.zeros(deepest(trees) + 2, np.int32)
    for row in range(X.shape[0]):
        for tree in range(trees.roots.shape[0]):
            first = max(trees.tree_output[tree], 0)
            stack[0] = trees.roots[tree]
            height = 1
            while height > 0:
                height -= 1
                node = stack[height]
                while trees.feature[node] >= 0:
                    left = goes_left(trees, node, X[row, trees.feature[node]])
                    if grid.slot[trees.feature[node]] >= 0:
                        stack[height] = trees.right[node] if left else trees.left[node]
                        height += 1
                    node = trees.left[node] if left else trees.right[node]
                add_block(ready, node, out[row], first)
        sum_blocks(trees.base, out[row])


def prepare(forest: Any, grids: Mapping[int, Floats]) -> Ready:
    """Find out which grid points lead to which leaf; once per forest and grid.

    Args:
        forest: Any object with the arrays of ``core.forest.Forest``.
        grids: Column -> the points at which it is asked, ascending for numeric columns.

    Cost: nodes x points of the node's column; memory: 12 bytes for each column on each leaf's path.
    """
    trees = pack(forest)
    slot = np.full(int(forest.n_features), -1, np.int32)
    slot[list(grids)] = np.arange(len(grids), dtype=np.int32)
    points = [matrix(p).reshape(-1) for p in grids.values()]
    start = np.concatenate([[0], np.cumsum([len(p) for p in points])]).astype(np.int32)
    grid = Grid(slot, start, np.concatenate([*points, np.zeros(0)]))
    span = np.zeros((len(trees.feature), 2), np.int64)
    entry = np.zeros((4 * len(trees.feature), 3), np.int32)
    count = int(write_runs(trees, grid, span, entry))
    if count > len(entry):
        entry = np.zeros((count, 3), np.int32)
        write_runs(trees, grid, span, entry)
    return Ready(trees, grid, Runs(span, entry))


Consume = Callable[[slice, Floats], None]


def curves(ready: Ready, X: Any, consume: Consume, executor: Blocks | None = None) -> None:
    """The forest's sums of every row at every grid point, block by block.

    Args:
        ready: What ``prepare`` gave.
        X: Encoded rows (rows, features).
        consume: Called with the rows of a block and their sums: float64 (rows, cells, outputs), the columns' points one after
            the other in the order of ``grids``; from several threads, and the array is used again afterwards.
        executor: Threads to use.
    """
    rows, asked = matrix(X), len(ready.grid.start) - 1
    cells, outputs = len(ready.grid.point), len(ready.trees.base)
    keep = np.ones(cells + asked, np.bool_)
    keep[ready.grid.start[1:] + np.arange(asked)] = False

    def one(part: slice) -> None:
        out = np.zeros((part.stop - part.start, cells + asked, outputs))
        step_rows(ready, rows[part], out)
        consume(part, out[:, keep])

    size = max(1, min(1024, _BLOCK_CELLS // max(1, (cells + asked) * outputs)))
    run(one, [slice(at, min(at + size, len(rows))) for at in range(0, len(rows), size)], executor)


def surfaces(ready: Ready, X: Any, consume: Consume, executor: Blocks | None = None) -> None:
    """The forest's sums of every row at every pair of points of two columns, block by block.

    Args:
        ready: What ``prepare`` gave for two columns.
        X: Encoded rows (rows, features).
        consume: Called with the rows of a block and their sums: float64 (rows, points of a, points of b, outputs).
        executor: Threads to use.
    """
    rows, start = matrix(X), ready.grid.start
    shape = (int(start[1]) + 1, int(start[2] - start[1]) + 1, len(ready.trees.base))

    def one(part: slice) -> None:
        out = np.zeros((part.stop - part.start, *shape))
        step_pairs(ready, rows[part], out)
        consume(part, out[:, :-1, :-1])

    size = max(1, min(1024, _BLOCK_CELLS // (shape[0] * shape[1] * shape[2])))
    run(one, [slice(at, min(at + size, len(rows))) for at in range(0, len(rows), size)], executor)
