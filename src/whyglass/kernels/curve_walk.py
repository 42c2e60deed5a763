"""One walk down every tree for a block of rows, with who would reach a node if one column were free.

The rows of a block are bits of a few words. Each column's rows are sorted once a block, with the set of the first so many of
them at every place, so that a split's side is looked up, not worked out row by row. Down a tree go the set of rows that
satisfy every condition so far and, for each column on the path, the set of those that satisfy all the others; a subtree
that none of them can reach is left out. At a leaf only the rows that are there are touched.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whyglass.kernels.bits import BITS, lowest_bit
from whyglass.kernels.forest import Floats, Ints, Trees, goes_left
from whyglass.kernels.jit import compiled, inlined

Words = NDArray[np.int64]


class Grid(NamedTuple):
    """The points at which columns are asked.

    Attributes:
        slot: int32 (features,), position of a column among those asked about; -1 when it is not, or has no points.
        start: int32 (asked + 1,), where each one's points begin.
        point: float64 (cells,), the points, column after column.
        plain: uint8 (asked,), 1 for columns that are only split by thresholds and whose points ascend, none of them missing.
    """

    slot: Ints
    start: Ints
    point: Floats
    plain: NDArray[np.uint8]


class Runs(NamedTuple):
    """Which grid points lead to a leaf, as ranges.

    Attributes:
        span: int64 (nodes, 2), where a leaf's entries begin and stop.
        entry: int32 (entries, 3): position of the column, first cell, cell after the last; a column none of whose points
            lead to the leaf has an empty range.
    """

    span: NDArray[np.int64]
    entry: Ints


class Layout(NamedTuple):
    """A forest and a grid.

    Attributes:
        trees: The forest, its features numbered as the columns of the rows are.
        grid: Where it is asked.
        runs: Which cells lead to which leaf.
        levels: Nodes on the longest path, and one.
    """

    trees: Trees
    grid: Grid
    runs: Runs
    levels: int


class Sets(NamedTuple):
    """The rows of a block in the order of each column.

    Attributes:
        value: float64 (columns, rows), ascending, missing ones last.
        known: int32 (columns,), how many are not missing.
        group: int32 (columns, rows), where each run of equal values stops.
        first: int64 (columns, rows + 1, words), the set of the first so many rows.
    """

    value: Floats
    known: Ints
    group: Ints
    first: Words


class Work(NamedTuple):
    """Scratch of one block.

    Attributes:
        test: int64 (levels, words), the rows that go left at the node of a level.
        every: int64 (levels, words), the rows that satisfy every condition down to a level.
        but: int64 (levels, asked, words), the same but for the conditions on one column.
        on_path: int32 (levels, asked), the columns asked about on the path, in the order in which they came.
        met: int32 (levels,), how many.
        base: float64 (outputs, rows), the sums of the rows as they are.
    """

    test: Words
    every: Words
    but: Words
    on_path: Ints
    met: Ints
    base: Floats


@inlined
def sort_rows(X: Floats, order: Ints, sets: Sets) -> None:
    """Fill ``sets`` for rows (columns of ``X``) whose ``order`` in each column is known."""
    rows = X.shape[1]
    for column in range(X.shape[0]):
        known, groups = 0, 0
        for at in range(rows):
            row = order[column, at]
            x = X[column, row]
            sets.value[column, at] = x
            if not np.isnan(x):
                if known > 0 and x != sets.value[column, known - 1]:
                    groups += 1
                known += 1
                sets.group[column, groups] = known
            for w in range(sets.first.shape[2]):
                sets.first[column, at + 1, w] = sets.first[column, at, w]
            sets.first[column, at + 1, row // BITS] |= np.int64(1) << np.int64(row % BITS)
        sets.known[column] = known


@inlined
def split_categories(trees: Trees, sets: Sets, node: int, column: int, test: Words) -> None:
    """The rows whose category goes left at a node."""
    for w in range(test.shape[0]):
        test[w] = 0
    at, group = 0, 0
    while at < sets.known[column]:
        stop = sets.group[column, group]
        if goes_left(trees, node, sets.value[column, at]):
            for w in range(test.shape[0]):
                test[w] |= sets.first[column, stop, w] ^ sets.first[column, at, w]
        at, group = stop, group + 1


@inlined
def split_rows(trees: Trees, sets: Sets, node: int, column: int, test: Words) -> None:
    """The rows that go left at a node."""
    rows, known = sets.value.shape[1], sets.known[column]
    if trees.category_start[node] < 0:
        threshold = trees.threshold[node]
        low, high = 0, known
        while low < high:
            middle = (low + high) >> 1
            if sets.value[column, middle] <= threshold:
                low = middle + 1
            else:
                high = middle
        for w in range(test.shape[0]):
            test[w] = sets.first[column, low, w]
    else:
        split_categories(trees, sets, node, column, test)
    if trees.missing_left[node]:
        for w in range(test.shape[0]):
            test[w] |= sets.first[column, rows, w] ^ sets.first[column, known, w]


@inlined
def keep(source: Words, test: Words, side: int, out: Words) -> bool:
    """Those of ``source`` that go to a side; whether there are any."""
    some = np.int64(0)
    for w in range(test.shape[0]):
        out[w] = source[w] & (test[w] if side == 0 else ~test[w])
        some |= out[w]
    return bool(some != 0)


@inlined
def keep_all(source: Words, out: Words) -> bool:
    """A copy; whether there are any."""
    some = np.int64(0)
    for w in range(source.shape[0]):
        out[w] = source[w]
        some |= out[w]
    return bool(some != 0)


@inlined
def descend(work: Work, level: int, slot: int, side: int) -> bool:
    """Carry a level's rows over an edge to the next level; whether anybody would get there."""
    test = work.test[level]
    some = keep(work.every[level], test, side, work.every[level + 1])
    again = False
    for k in range(work.met[level]):
        work.on_path[level + 1, k] = work.on_path[level, k]
        if work.on_path[level, k] == slot:
            some |= keep_all(work.but[level, k], work.but[level + 1, k])
            again = True
        else:
            some |= keep(work.but[level, k], test, side, work.but[level + 1, k])
    work.met[level + 1] = work.met[level]
    if slot >= 0 and not again:
        k = work.met[level]
        work.on_path[level + 1, k] = slot
        some |= keep_all(work.every[level], work.but[level + 1, k])
        work.met[level + 1] = k + 1
    return some


@inlined
def add(rows: Words, value: Floats, sign: float, out: Floats) -> None:
    """Add a leaf's values to ``out`` (outputs, rows) for a set of rows."""
    for w in range(rows.shape[0]):
        word = rows[w]
        while word != 0:
            row = w * BITS + lowest_bit(word)
            word &= word - 1
            for k in range(value.shape[0]):
                out[k, row] += sign * value[k]


@inlined
def arrive(layout: Layout, work: Work, at: tuple[int, int, int], out: Floats) -> None:
    """Add a leaf: to rows that reach it, and for each column on its path to those that would, at the points that lead there.

    ``at`` is the level, the leaf and the tree's first output; ``out`` (outputs, cells, rows) holds steps: what a column's
    points add to the cell before, the first of them to the row as it is.
    """
    grid, runs = layout.grid, layout.runs
    level, node, first = at
    here, value = work.every[level], layout.trees.value[node]
    add(here, value, 1.0, work.base[first:])
    for place in range(work.met[level]):
        add(here, value, -1.0, out[first:, grid.start[work.on_path[level, place]]])
    for entry in range(runs.span[node, 0], runs.span[node, 1]):
        slot, begin, stop = runs.entry[entry, 0], runs.entry[entry, 1], runs.entry[entry, 2]
        if begin == stop:
            continue
        place = 0
        while work.on_path[level, place] != slot:
            place += 1
        add(work.but[level, place], value, 1.0, out[first:, begin])
        if stop < grid.start[slot + 1]:
            add(work.but[level, place], value, -1.0, out[first:, stop])


@inlined
def sum_steps(grid: Grid, base: Floats, start: Floats, out: Floats) -> None:
    """From steps to sums, each column's cells on their own."""
    total = np.empty(out.shape[2])
    for k in range(out.shape[0]):
        for slot in range(grid.start.shape[0] - 1):
            for r in range(out.shape[2]):
                total[r] = base[k, r] + start[k]
            for cell in range(grid.start[slot], grid.start[slot + 1]):
                for r in range(out.shape[2]):
                    total[r] += out[k, cell, r]
                    out[k, cell, r] = total[r]


@compiled
def step_rows(layout: Layout, X: Floats, order: Ints, out: Floats) -> None:
    """Fill ``out`` (outputs, cells, rows) with the forest's sums of the rows of one block at every cell.

    Args:
        layout: The forest and the cells.
        X: float64 (features, rows).
        order: int32 (features, rows), the rows in ascending order of each feature, missing ones last.
        out: Any numbers before.
    """
    trees, grid, levels = layout.trees, layout.grid, layout.levels
    columns, rows = X.shape
    words, asked = (rows + BITS - 1) // BITS, grid.start.shape[0] - 1
    sets = Sets(
        np.empty((columns, rows)),
        np.zeros(columns, np.int32),
        np.empty((columns, rows), np.int32),
        np.zeros((columns, rows + 1, words), np.int64),
    )
    sort_rows(X, order, sets)
    work = Work(
        np.zeros((levels, words), np.int64),
        np.zeros((levels, words), np.int64),
        np.zeros((levels, asked, words), np.int64),
        np.zeros((levels, asked), np.int32),
        np.zeros(levels, np.int32),
        np.zeros((out.shape[0], rows)),
    )
    for row in range(rows):
        work.every[0, row // BITS] |= np.int64(1) << np.int64(row % BITS)
    out[:] = 0.0
    stack, side = np.zeros(levels, np.int32), np.zeros(levels, np.int32)
    for tree in range(trees.roots.shape[0]):
        first = max(trees.tree_output[tree], 0)
        level = 0
        stack[0], side[0] = trees.roots[tree], 0
        while level >= 0:
            node = stack[level]
            if trees.feature[node] < 0:
                arrive(layout, work, (level, node, first), out)
                level -= 1
            elif side[level] == 2:
                level -= 1
            else:
                column = trees.feature[node]
                if side[level] == 0:
                    split_rows(trees, sets, node, column, work.test[level])
                side[level] += 1
                if descend(work, level, grid.slot[column], side[level] - 1):
                    stack[level + 1], side[level + 1] = trees.left[node] if side[level] == 1 else trees.right[node], 0
                    level += 1
    sum_steps(grid, work.base, trees.base, out)
