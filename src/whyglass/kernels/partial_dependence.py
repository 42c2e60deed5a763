"""What a forest would say of every row at every point of a grid, for many columns in one walk.

Freeing column j of a row changes the leaf reached in a tree only between leaves whose conditions on all other columns the
row satisfies. One depth-first walk a tree carries, for a block of rows, who satisfies every condition so far, and for each
column on the path who satisfies all the others. A leaf knows in advance which grid points of each column on its path lead to
it (``runs``), so it adds its value to ranges of the grid; one running sum per column then gives the curve.

Cost a row: nodes x columns on the path, a byte each and vectorised, + grid points: some predictions. Asking the forest anew
would cost one prediction a grid point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whyglass.kernels.forest import Blocks, Floats, Ints, Trees, goes_left, matrix, pack, run
from whyglass.kernels.jit import compiled, inlined

_LANES = 256  # rows that go down a tree together: one vector of bytes each step
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


class Work(NamedTuple):
    """Scratch of one block of rows, which go down every tree together.

    Attributes:
        test: uint8 (lanes,), 1 for rows that go left at a node.
        every: uint8 (levels, lanes), 1 for rows that satisfy every condition down to a level.
        but: uint8 (levels, asked, lanes), the same but for the conditions on one column.
        on_path: int32 (levels, asked), the columns asked about on the path, in the order in which they came.
        met: int32 (levels,), how many.
        base: float64 (outputs, lanes), the sums of the rows as they are.
        outside: float64 (outputs, asked, lanes), what the leaves with a column on their path add to them.
        steps: float64 (outputs, cells + asked, lanes), where the sums go up or down along a column's points.
    """

    test: NDArray[np.uint8]
    every: NDArray[np.uint8]
    but: NDArray[np.uint8]
    on_path: Ints
    met: Ints
    base: Floats
    outside: Floats
    steps: Floats


@inlined
def test_rows(trees: Trees, node: int, X: Floats, test: NDArray[np.uint8]) -> None:
    """1 for the rows (columns of ``X``) that go left at a node."""
    feature = trees.feature[node]
    if trees.category_start[node] >= 0:
        for r in range(test.shape[0]):
            test[r] = 1 if goes_left(trees, node, X[feature, r]) else 0
        return
    threshold = trees.threshold[node]
    if trees.missing_left[node]:
        for r in range(test.shape[0]):
            test[r] = 0 if X[feature, r] > threshold else 1
    else:
        for r in range(test.shape[0]):
            test[r] = 1 if X[feature, r] <= threshold else 0


@inlined
def keep(source: NDArray[np.uint8], test: NDArray[np.uint8], side: int, out: NDArray[np.uint8]) -> None:
    """Those of ``source`` that go to a side."""
    turn = np.uint8(side)
    for r in range(test.shape[0]):
        out[r] = source[r] & (test[r] ^ turn)


@inlined
def keep_all(source: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    """A copy."""
    for r in range(source.shape[0]):
        out[r] = source[r]


@inlined
def descend(ready: Ready, work: Work, level: int, node: int, side: int) -> None:
    """Carry a level's rows over an edge to the next level."""
    slot = ready.grid.slot[ready.trees.feature[node]]
    keep(work.every[level], work.test, side, work.every[level + 1])
    again = False
    for k in range(work.met[level]):
        work.on_path[level + 1, k] = work.on_path[level, k]
        if work.on_path[level, k] == slot:
            keep_all(work.but[level, k], work.but[level + 1, k])
            again = True
        else:
            keep(work.but[level, k], work.test, side, work.but[level + 1, k])
    work.met[level + 1] = work.met[level]
    if slot >= 0 and not again:
        k = work.met[level]
        work.on_path[level + 1, k] = slot
        keep_all(work.every[level], work.but[level + 1, k])
        work.met[level + 1] = k + 1


@inlined
def add(out: Floats, rows: NDArray[np.uint8], v: float) -> None:
    """Add ``v`` for the rows marked."""
    for r in range(rows.shape[0]):
        out[r] += v * np.float64(np.int32(rows[r]))


@inlined
def arrive(ready: Ready, work: Work, level: int, node: int, first: int) -> None:
    """Add a leaf: to rows that reach it, and for each column on its path to those that would, at the points that lead there."""
    here = work.every[level]
    for k in range(ready.trees.value.shape[1]):
        v, output = ready.trees.value[node, k], first + k
        add(work.base[output], here, v)
        for place in range(work.met[level]):
            add(work.outside[output, work.on_path[level, place]], here, v)
        for at in range(ready.runs.span[node, 0], ready.runs.span[node, 1]):
            slot, begin, stop = ready.runs.entry[at, 0], ready.runs.entry[at, 1], ready.runs.entry[at, 2]
            if begin == stop:
                continue
            place = 0
            while work.on_path[level, place] != slot:
                place += 1
            add(work.steps[output, begin + slot], work.but[level, place], v)
            add(work.steps[output, stop + slot], work.but[level, place], -v)


@inlined
def walk_block(ready: Ready, work: Work, X: Floats, stack: Ints) -> None:
    """Every tree with one block of rows (columns of ``X``); ``stack`` is int32 (levels, 2)."""
    trees = ready.trees
    for tree in range(trees.roots.shape[0]):
        first = max(trees.tree_output[tree], 0)
        level = 0
        stack[0, 0], stack[0, 1] = trees.roots[tree], 0
        while level >= 0:
            node, side = stack[level, 0], stack[level, 1]
            if trees.feature[node] < 0:
                arrive(ready, work, level, node, first)
                level -= 1
            elif side == 2:
                level -= 1
            else:
                test_rows(trees, node, X, work.test)
                descend(ready, work, level, node, side)
                stack[level, 1] = side + 1
                level += 1
                stack[level, 0], stack[level, 1] = trees.left[node] if side == 0 else trees.right[node], 0


@inlined
def sum_steps(ready: Ready, work: Work, out: Floats) -> None:
    """From steps to sums (outputs, cells, rows), each column's cells on their own."""
    grid = ready.grid
    for k in range(out.shape[0]):
        for slot in range(grid.start.shape[0] - 1):
            for r in range(out.shape[2]):
                work.base[k, r] -= work.outside[k, slot, r]
            for cell in range(grid.start[slot], grid.start[slot + 1]):
                for r in range(out.shape[2]):
                    work.base[k, r] += work.steps[k, cell + slot, r]
                    out[k, cell, r] = work.base[k, r] + ready.trees.base[k]
            for r in range(out.shape[2]):
                work.base[k, r] += work.steps[k, grid.start[slot + 1] + slot, r] + work.outside[k, slot, r]


@compiled
def step_rows(ready: Ready, X: Floats, out: Floats) -> None:
    """Fill ``out`` (outputs, cells, rows) with the forest's sums at every cell; ``X`` is (features, rows)."""
    outputs, _, rows = out.shape
    asked, cells = ready.grid.start.shape[0] - 1, ready.grid.point.shape[0]
    levels = deepest(ready.trees) + 1
    stack = np.zeros((levels, 2), np.int32)
    for start in range(0, rows, _LANES):
        lanes = min(_LANES, rows - start)
        work = Work(
            np.zeros(lanes, np.uint8),
            np.ones((levels, lanes), np.uint8),
            np.zeros((levels, asked, lanes), np.uint8),
            np.zeros((levels, asked), np.int32),
            np.zeros(levels, np.int32),
            np.zeros((outputs, lanes)),
            np.zeros((outputs, asked, lanes)),
            np.zeros((outputs, cells + asked, lanes)),
        )
        walk_block(ready, work, X[:, start : start + lanes].copy(), stack)
        sum_steps(ready, work, out[:, :, start : start + lanes])


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
    rows = matrix(X)
    cells, outputs = len(ready.grid.point), len(ready.trees.base)

    def one(part: slice) -> None:
        out = np.empty((outputs, cells, part.stop - part.start))
        step_rows(ready, np.ascontiguousarray(rows[part].T), out)
        consume(part, out.transpose(2, 1, 0))

    size = max(1, min(1024, _BLOCK_CELLS // max(1, cells * outputs)))
    size = -(-size // _LANES) * _LANES
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
