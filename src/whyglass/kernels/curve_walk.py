"""One walk down every tree for a block of rows, with who would reach a node if one column were free.

The rows of a block are bits of a few words. Each column's rows are sorted once a block, with the set of the first so many of
them at every place, and who goes left is worked out once for every different split. Down a tree go the set of rows that
satisfy every condition so far and, for each column on the path, the set of those that satisfy all the others. Words without
rows are left alone, and a subtree that nobody can reach is left out; at a leaf only the rows that are there are touched.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whyglass.kernels.bits import BITS, lowest_bit
from whyglass.kernels.forest import Floats, Ints, Trees, goes_left
from whyglass.kernels.jit import compiled, inlined

Words = NDArray[np.int64]
_NONE = -2  # no column: -1 is one that is not asked about
_FREE = 1


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
        split: int32 (nodes,), which of the different splits a node has.
        node: int32 (splits,), a node that has it: splits of one column by threshold follow each other, thresholds ascending.
    """

    trees: Trees
    grid: Grid
    runs: Runs
    levels: int
    split: Ints
    node: Ints


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
        left: int64 (splits, words), the rows that go left.
        rows: int64 (levels, asked + 1, words), the rows that satisfy every condition down to a level, then for each column on
            the path those that satisfy all the others; a word that holds nobody may hold anything.
        filled: int64 (levels, asked + 1), the words of each set that hold somebody.
        on_path: int32 (levels, asked + 1), the column asked about that each set is without; ``_NONE`` for the first.
        met: int32 (levels,), how many sets there are.
        base: float64 (outputs, rows), the sums of the rows as they are.
    """

    left: Words
    rows: Words
    filled: Words
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
def split_categories(trees: Trees, sets: Sets, node: int, column: int, left: Words) -> None:
    """The rows whose category goes left at a node."""
    at, group = 0, 0
    while at < sets.known[column]:
        stop = sets.group[column, group]
        if goes_left(trees, node, sets.value[column, at]):
            for w in range(left.shape[0]):
                left[w] |= sets.first[column, stop, w] ^ sets.first[column, at, w]
        at, group = stop, group + 1


@inlined
def split_rows(layout: Layout, sets: Sets, left: Words) -> None:
    """The rows that go left at each of the different splits; ``left`` is zeros before."""
    trees, last, low = layout.trees, -1, 0
    rows = sets.value.shape[1]
    for split in range(layout.node.shape[0]):
        node = layout.node[split]
        column = trees.feature[node]
        known = sets.known[column]
        if trees.category_start[node] < 0:
            low = low if column == last else 0
            while low < known and sets.value[column, low] <= trees.threshold[node]:
                low += 1
            last = column
            for w in range(left.shape[1]):
                left[split, w] = sets.first[column, low, w]
        else:
            split_categories(trees, sets, node, column, left[split])
            last = -1
        if trees.missing_left[node] and known < rows:
            for w in range(left.shape[1]):
                left[split, w] |= sets.first[column, rows, w] ^ sets.first[column, known, w]


@inlined
def carry(work: Work, level: int, place: tuple[int, int], left: Words, flip: int) -> bool:
    """Carry a set over an edge, from one place to another: those who go its way; whether it holds anybody.

    ``flip`` is 0 for the left and -1 for the right, or ``_FREE`` where everybody goes.
    """
    rest, kept = work.filled[level, place[0]], np.int64(0)
    while rest != 0:
        w = lowest_bit(rest)
        rest &= rest - 1
        word = work.rows[level, place[0], w]
        if flip != _FREE:
            word &= left[w] ^ flip
        if word != 0:
            work.rows[level + 1, place[1], w] = word
            kept |= np.int64(1) << np.int64(w)
    work.filled[level + 1, place[1]] = kept
    return bool(kept != 0)


@inlined
def descend(work: Work, level: int, slot: int, left: Words, side: int) -> bool:
    """Carry a level's sets over an edge to the next level; whether anybody would get there."""
    count, some, again = work.met[level], False, False
    for place in range(count):
        same = work.on_path[level, place] == slot
        work.on_path[level + 1, place] = work.on_path[level, place]
        some |= carry(work, level, (place, place), left, _FREE if same else -side)
        again |= same
    if slot >= 0 and not again:
        work.on_path[level + 1, count] = slot
        some |= carry(work, level, (0, count), left, _FREE)
        count += 1
    work.met[level + 1] = count
    return some


@inlined
def add_own(layout: Layout, work: Work, at: tuple[int, int, int], out: Floats) -> None:
    """Add a leaf's values to the rows that reach it, and take them away where the columns on its path begin to move."""
    level, node, first = at
    value = layout.trees.value[node]
    rest = work.filled[level, 0]
    while rest != 0:
        w = lowest_bit(rest)
        rest &= rest - 1
        word = work.rows[level, 0, w]
        while word != 0:
            row = w * BITS + lowest_bit(word)
            word &= word - 1
            for k in range(value.shape[0]):
                work.base[first + k, row] += value[k]
                for place in range(1, work.met[level]):
                    out[first + k, layout.grid.start[work.on_path[level, place]], row] -= value[k]


@inlined
def add_run(rows: Words, filled: int, value: Floats, ends: tuple[int, int], out: Floats) -> None:
    """Add a leaf's values for a set of rows from a cell on up to another, if that is not -1."""
    begin, stop = ends
    while filled != 0:
        w = lowest_bit(filled)
        filled &= filled - 1
        word = rows[w]
        while word != 0:
            row = w * BITS + lowest_bit(word)
            word &= word - 1
            for k in range(value.shape[0]):
                out[k, begin, row] += value[k]
                if stop >= 0:
                    out[k, stop, row] -= value[k]


@inlined
def arrive(layout: Layout, work: Work, at: tuple[int, int, int], out: Floats) -> None:
    """Add a leaf: to rows that reach it, and for each column on its path to those that would, at the points that lead there.

    ``at`` is the level, the leaf and the tree's first output; ``out`` (outputs, cells, rows) holds steps: what a column's
    points add to the cell before, the first of them to the row as it is.
    """
    grid, runs = layout.grid, layout.runs
    level, node, first = at
    value, filled = layout.trees.value[node], work.filled[level]
    add_own(layout, work, at, out)
    for entry in range(runs.span[node, 0], runs.span[node, 1]):
        slot, begin, stop = runs.entry[entry, 0], runs.entry[entry, 1], runs.entry[entry, 2]
        if begin == stop:
            continue
        place = 1
        while work.on_path[level, place] != slot:
            place += 1
        if filled[place] != 0:
            add_run(work.rows[level, place], filled[place], value, (begin, stop if stop < grid.start[slot + 1] else -1), out[first:])


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
        np.zeros((layout.node.shape[0], words), np.int64),
        np.zeros((levels, asked + 1, words), np.int64),
        np.zeros((levels, asked + 1), np.int64),
        np.full((levels, asked + 1), _NONE, np.int32),
        np.ones(levels, np.int32),
        np.zeros((out.shape[0], rows)),
    )
    for row in range(rows):
        work.rows[0, 0, row // BITS] |= np.int64(1) << np.int64(row % BITS)
        work.filled[0, 0] |= np.int64(1) << np.int64(row // BITS)
    split_rows(layout, sets, work.left)
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
                side[level] += 1
                if descend(work, level, grid.slot[trees.feature[node]], work.left[layout.split[node]], side[level] - 1):
                    stack[level + 1], side[level + 1] = trees.left[node] if side[level] == 1 else trees.right[node], 0
                    level += 1
    sum_steps(grid, work.base, trees.base, out)


def different_splits(trees: Trees) -> tuple[Ints, Ints]:
    """(which of the different splits each node has, a node of each): as ``Layout`` holds them."""
    inner = np.flatnonzero(trees.feature >= 0)
    by_threshold, by_category = inner[trees.category_start[inner] < 0], inner[trees.category_start[inner] >= 0]
    split = np.zeros(len(trees.feature), np.int32)
    nodes: list[Ints] = []
    for members, keys in (
        (by_threshold, (trees.missing_left, trees.threshold)),
        (by_category, (trees.missing_left, trees.unseen_left, trees.category_count, _set_numbers(trees, by_category))),
    ):
        columns = [*(key[members] for key in keys), trees.feature[members]]
        order = np.lexsort(columns)
        new = np.zeros(len(members), np.bool_)
        new[:1] = True
        for key in columns:
            new[1:] |= key[order][1:] != key[order][:-1]
        split[members[order]] = np.cumsum(new) - 1 + sum(map(len, nodes))
        nodes.append(members[order][new].astype(np.int32))
    return split, np.concatenate(nodes)


def _set_numbers(trees: Trees, nodes: NDArray[np.intp]) -> NDArray[np.int64]:
    """A number for each node, the same only for nodes with the same set of categories."""
    numbers = np.zeros(len(trees.feature), np.int64)
    known: dict[bytes, int] = {}
    for node in nodes.tolist():
        start = int(trees.category_start[node])
        held = trees.category_bits[start : start + (int(trees.category_count[node]) + 31) // 32].tobytes()
        numbers[node] = known.setdefault(held, len(known))
    return numbers
