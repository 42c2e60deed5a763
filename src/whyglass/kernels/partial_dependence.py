"""What a forest would say of every row at every point of a grid, for many columns in one walk.

Freeing column j of a row changes the leaf reached in a tree only between leaves whose conditions on all other columns the
row satisfies: ``curve_walk`` finds them for many rows at once. A leaf knows in advance which grid points of each column on its
path lead to it (``runs``), so it adds its value to ranges of the grid; one running sum per column then gives the curve.

Cost a row: leaves within reach of one free column, + grid points: some predictions. Asking the forest anew would cost one
prediction a grid point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from whyglass.kernels.bits import BITS
from whyglass.kernels.curve_walk import Grid, Layout, Runs, different_splits, step_rows
from whyglass.kernels.forest import Blocks, Floats, Ints, Trees, goes_left, matrix, pack, run
from whyglass.kernels.jit import compiled, inlined

_WORDS = 32  # of rows that go down a tree together, at most
_BLOCKS = 4  # at least, of many rows: there is work for more threads than one
_BLOCK_CELLS = 1 << 22  # numbers in one block of curves, where a word of rows needs no more
_PAIR_CELLS = 1 << 19  # numbers in one block of surfaces: it stays in the cache while it is linked and summed


class Ready(NamedTuple):
    """A forest and a grid, laid out for the kernels.

    Attributes:
        layout: Both, with features numbered among those that the forest tests; of two outputs that make up a whole only the first.
        columns: int64 (tested,), the features that it tests.
        whole: What two outputs add up to in every row, or NaN.
    """

    layout: Layout
    columns: NDArray[np.int64]
    whole: float


class Path(NamedTuple):
    """Which points of every column satisfy the conditions down to a node.

    Attributes:
        low, high: int32 (asked,), for plain columns the range of them.
        kept: int32 (levels, 2), the range before the condition of a level.
        failed: int32 (cells,), for the other columns' points how many conditions each fails.
        on_path: int32 (asked,), how many conditions are on a column.
    """

    low: Ints
    high: Ints
    kept: Ints
    failed: Ints
    on_path: Ints


@inlined
def narrow(trees: Trees, grid: Grid, path: Path, slot: int, edge: tuple[int, int, int]) -> None:
    """Take in the condition of an edge: its level, node and side."""
    level, node, side = edge
    path.on_path[slot] += 1
    start, stop = grid.start[slot], grid.start[slot + 1]
    if grid.plain[slot] == 0:
        for cell in range(start, stop):
            if goes_left(trees, node, grid.point[cell]) != (side == 0):
                path.failed[cell] += 1
        return
    path.kept[level, 0], path.kept[level, 1] = path.low[slot], path.high[slot]
    low, high = path.low[slot], path.high[slot]
    while low < high:
        middle = (low + high) >> 1
        if grid.point[middle] <= trees.threshold[node]:
            low = middle + 1
        else:
            high = middle
    if side == 0:
        path.high[slot] = low
    else:
        path.low[slot] = low


@inlined
def widen(trees: Trees, grid: Grid, path: Path, slot: int, edge: tuple[int, int, int]) -> None:
    """Undo ``narrow``."""
    level, node, side = edge
    path.on_path[slot] -= 1
    if grid.plain[slot] == 0:
        for cell in range(grid.start[slot], grid.start[slot + 1]):
            if goes_left(trees, node, grid.point[cell]) != (side == 0):
                path.failed[cell] -= 1
        return
    path.low[slot], path.high[slot] = path.kept[level, 0], path.kept[level, 1]


@inlined
def write_entry(entry: Ints, count: int, slot: int, begin: int, stop: int) -> int:
    """Write one range where there is room; gives how many entries there are now."""
    if count < entry.shape[0]:
        entry[count, 0], entry[count, 1], entry[count, 2] = slot, begin, stop
    return count + 1


@inlined
def write_leaf(grid: Grid, path: Path, entry: Ints, count: int) -> int:
    """Write a leaf's ranges from ``count`` on; gives how many entries there are now."""
    for slot in range(grid.start.shape[0] - 1):
        if path.on_path[slot] == 0:
            continue
        if grid.plain[slot] != 0:
            count = write_entry(entry, count, slot, path.low[slot], path.high[slot])
            continue
        cell, stop, none = grid.start[slot], grid.start[slot + 1], True
        while cell < stop:
            while cell < stop and path.failed[cell] != 0:
                cell += 1
            begin = cell
            while cell < stop and path.failed[cell] == 0:
                cell += 1
            if cell > begin or (none and cell == stop):
                count = write_entry(entry, count, slot, begin, cell)
                none = False
    return count


@compiled
def write_runs(trees: Trees, grid: Grid, levels: int, span: NDArray[np.int64], entry: Ints) -> int:
    """Fill ``span`` and as much of ``entry`` as there is room for; gives how many entries there are."""
    stack, side = np.zeros(levels, np.int32), np.zeros(levels, np.int32)
    asked, cells = grid.start.shape[0] - 1, grid.point.shape[0]
    ends = grid.start[:asked].copy(), grid.start[1:].copy()
    path = Path(ends[0], ends[1], np.zeros((levels, 2), np.int32), np.zeros(cells, np.int32), np.zeros(asked, np.int32))
    count = 0
    for tree in range(trees.roots.shape[0]):
        stack[0], side[0], level = trees.roots[tree], 0, 0
        while level >= 0:
            node = stack[level]
            if trees.feature[node] < 0:
                span[node, 0] = count
                count = write_leaf(grid, path, entry, count)
                span[node, 1] = count
                level -= 1
                continue
            slot = grid.slot[trees.feature[node]]
            if side[level] > 0 and slot >= 0:
                widen(trees, grid, path, slot, (level, node, side[level] - 1))
            if side[level] == 2:
                level -= 1
                continue
            if slot >= 0:
                narrow(trees, grid, path, slot, (level, node, side[level]))
            child = trees.left[node] if side[level] == 0 else trees.right[node]
            side[level] += 1
            level += 1
            stack[level], side[level] = child, 0
    return count


@inlined
def add_block(grid: Grid, runs: Runs, leaf: tuple[int, int], value: Floats, cells: Floats) -> None:
    """A leaf's value on every rectangle of points of two columns that leads to it, as steps at its corners.

    ``leaf`` is its node and its tree's first output.
    """
    node, first = leaf
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
                for k in range(value.shape[0]):
                    cells[a, c, first + k] += value[k]
                    cells[b, c, first + k] -= value[k]
                    cells[a, d, first + k] -= value[k]
                    cells[b, d, first + k] += value[k]


@inlined
def sum_blocks(base: Floats, cells: Floats) -> None:
    """From corner steps to sums."""
    for a in range(cells.shape[0] - 1):
        for k in range(base.shape[0]):
            total = 0.0
            for b in range(cells.shape[1] - 1):
                total += cells[a, b, k]
                cells[a, b, k] = total + (cells[a - 1, b, k] if a > 0 else base[k])


@compiled
def step_pairs(layout: Layout, X: Floats, out: Floats) -> None:
    """Add to ``out`` (rows, points of a + 1, points of b + 1, outputs), zeros before, the sums at every pair of points.

    ``grid`` asks about two columns. The last row and column of points are scratch.
    """
    trees, grid = layout.trees, layout.grid
    stack = np.zeros(layout.levels + 1, np.int32)
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
                add_block(grid, layout.runs, (node, first), trees.value[node], out[row])
        sum_blocks(trees.base, out[row])


def prepare(forest: Any, grids: Mapping[int, Floats]) -> Ready:
    """Find out which grid points lead to which leaf; once per forest and grid.

    Args:
        forest: Any object with the arrays of ``core.forest.Forest``.
        grids: Column -> the points at which it is asked, ascending for numeric columns.

    Cost: nodes x points of the node's column; memory: 12 bytes for each column on each leaf's path.
    """
    known = _known(forest)
    trees, columns, levels = known.trees, known.columns, known.levels
    place = np.full(int(forest.n_features), -1, np.int32)
    place[columns] = np.arange(len(columns), dtype=np.int32)
    points = [matrix(p).reshape(-1) for p in grids.values()]
    slot = np.full(len(columns), -1, np.int32)
    for at, column in enumerate(grids):
        if place[column] >= 0 and len(points[at]):
            slot[place[column]] = at
    start = np.concatenate([[0], np.cumsum([len(p) for p in points])]).astype(np.int32)
    grid = Grid(slot, start, np.concatenate([*points, np.zeros(0)]), np.zeros(len(points), np.uint8))
    _mark_plain(trees, grid)
    span = np.zeros((len(trees.feature), 2), np.int64)
    entry = np.empty((8 * len(trees.feature), 3), np.int32)  # pages that nothing is written to are never used
    count = int(write_runs(trees, grid, levels, span, entry))
    if count > len(entry):
        entry = np.empty((count, 3), np.int32)
        write_runs(trees, grid, levels, span, entry)
    return Ready(Layout(trees, grid, Runs(span, entry[:count].copy()), levels, known.split, known.node), columns, known.whole)


class _Known(NamedTuple):
    """What is found out about a forest once: parts of ``Ready`` and its ``Layout``."""

    trees: Trees
    columns: NDArray[np.int64]
    whole: float
    levels: int
    split: Ints
    node: Ints


_found: WeakKeyDictionary[Any, _Known] = WeakKeyDictionary()


def _known(forest: Any) -> _Known:
    if forest not in _found:
        packed = pack(forest)
        columns = np.unique(packed.feature[packed.feature >= 0]).astype(np.int64)
        place = np.full(int(forest.n_features) + 1, -1, np.int32)
        place[columns] = np.arange(len(columns), dtype=np.int32)
        whole, value, base = _halved(packed)
        trees = packed._replace(feature=place[packed.feature], value=value, base=base)
        _found[forest] = _Known(trees, columns, whole, _levels(trees) + 1, *different_splits(trees))
    return _found[forest]


def _mark_plain(trees: Trees, grid: Grid) -> None:
    """Find the columns that are only split by thresholds and whose points ascend, none of them missing."""
    for slot, (start, stop) in enumerate(pairwise(grid.start.tolist())):
        points = grid.point[start:stop]
        grid.plain[slot] = not np.isnan(points).any() and bool((np.diff(points) >= 0).all())
    by_category = np.unique(trees.feature[trees.category_start >= 0])
    slots = grid.slot[by_category[by_category >= 0]]
    grid.plain[slots[slots >= 0]] = 0


def _levels(trees: Trees) -> int:
    """Nodes on the longest path."""
    found, here = 0, trees.roots
    while len(here):
        inner = here[trees.feature[here] >= 0]
        found, here = found + 1, np.concatenate([trees.left[inner], trees.right[inner]])
    return found


def _halved(trees: Trees) -> tuple[float, Floats, Floats]:
    """(sum of both outputs, leaves, base) of the first of two outputs that add up to the same in every leaf; else NaN and all."""
    if trees.value.shape[1] == 2 and len(trees.roots):
        both = trees.value[trees.feature < 0].sum(axis=1)
        if np.ptp(both) <= 1e-15 * np.abs(both).max():
            whole = len(trees.roots) * both.mean() + trees.base.sum()
            return float(whole), np.ascontiguousarray(trees.value[:, :1]), trees.base[:1].copy()
    return np.nan, trees.value, trees.base


Consume = Callable[[slice, Floats], None]


def curves(ready: Ready, X: Any, consume: Consume, executor: Blocks | None = None) -> None:
    """The forest's sums of every row at every grid point, block by block.

    Args:
        ready: What ``prepare`` gave.
        X: Encoded rows (rows, features).
        consume: Called with the rows of a block and their sums: float64 (outputs, cells, rows), the columns' points one after
            the other in the order of ``grids``; from several threads, and the array is used again afterwards.
        executor: Threads to use.
    """
    rows = matrix(X)[:, ready.columns]
    held, halved = len(ready.layout.trees.base), not np.isnan(ready.whole)
    cells, outputs = len(ready.layout.grid.point), held + halved
    size = BITS * max(1, min(_WORDS, len(rows) // (BITS * _BLOCKS), _BLOCK_CELLS // max(1, cells * outputs * BITS)))
    spare: list[Floats] = []

    def one(part: slice) -> None:
        columns = np.ascontiguousarray(rows[part].T)
        order = np.argsort(columns, axis=1, kind="stable").astype(np.int32)
        out = spare.pop() if spare and columns.shape[1] == size else np.empty((outputs, cells, columns.shape[1]))
        step_rows(ready.layout, columns, order, out[:held])
        if halved:
            np.subtract(ready.whole, out[0], out=out[1])
        consume(part, out)
        if columns.shape[1] == size:
            spare.append(out)

    run(one, [slice(at, min(at + size, len(rows))) for at in range(0, len(rows), size)], executor)


def surfaces(ready: Ready, X: Any, consume: Consume, executor: Blocks | None = None) -> None:
    """The forest's sums of every row at every pair of points of two columns, block by block.

    Args:
        ready: What ``prepare`` gave for two columns.
        X: Encoded rows (rows, features).
        consume: Called with the rows of a block and their sums: float64 (rows, points of a, points of b, outputs).
        executor: Threads to use.
    """
    rows, start, halved = matrix(X)[:, ready.columns], ready.layout.grid.start, not np.isnan(ready.whole)
    shape = (int(start[1]) + 1, int(start[2] - start[1]) + 1, len(ready.layout.trees.base) + halved)

    def one(part: slice) -> None:
        out = np.zeros((part.stop - part.start, *shape))
        step_pairs(ready.layout, np.ascontiguousarray(rows[part]), out)
        if halved:
            np.subtract(ready.whole, out[..., 0], out=out[..., 1])
        consume(part, out[:, :-1, :-1])

    size = max(1, min(1024, _PAIR_CELLS // (shape[0] * shape[1] * shape[2])))
    run(one, [slice(at, min(at + size, len(rows))) for at in range(0, len(rows), size)], executor)
