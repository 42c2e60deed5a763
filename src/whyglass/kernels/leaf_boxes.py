"""The leaf-box index: for every leaf of an ensemble the part of the table that ends there, as one interval or set a column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whyglass.kernels.forest import Floats, Ints, Trees, pack
from whyglass.kernels.jit import compiled, inlined

Words = NDArray[np.uint64]
Flags = NDArray[np.uint8]
Longs = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LeafBoxes:
    """Leaves as boxes, side by side: the boxes of one tree are disjoint and cover every row.

    Entry e of a leaf bounds one column that its path tests; a column without an entry is free. A numeric column's value lies in
    ``(low[e], high[e]]``, empty where ``low >= high``, or is missing where ``missing[e]`` is set. A category column's code c is
    inside when bit c of the entry's set is set; bit ``codes[column]`` stands for a code never seen, the next one for missing.

    Attributes:
        tree: int32 (leaves,), the tree of each leaf; leaves in the order of their trees.
        node: int32 (leaves,), its node in the forest.
        start: int64 (leaves + 1,), the entries of leaf i are ``start[i]:start[i + 1]``.
        column: int32 (entries,).
        low: float64 (entries,), -inf at a category column.
        high: float64 (entries,), inf at a category column.
        missing: uint8 (entries,).
        set_start: int64 (entries,), the first word of the entry's set in ``words``; -1 at a numeric column.
        words: uint64, the sets, ``set_words(codes)[column]`` words each.
        codes: int32 (columns,), how many codes a category column has; -1 for a numeric column.
    """

    tree: Ints
    node: Ints
    start: Longs
    column: Ints
    low: Floats
    high: Floats
    missing: Flags
    set_start: Longs
    words: Words
    codes: Ints

    @property
    def bytes(self) -> int:
        """Memory held: 16 bytes a leaf, 29 an entry, and the sets."""
        return sum(item.nbytes for item in vars(self).values())

    def __len__(self) -> int:
        return len(self.node)


class Bounds(NamedTuple):
    """The arrays that one walk writes."""

    tree: Ints
    node: Ints
    start: Longs
    column: Ints
    low: Floats
    high: Floats
    missing: Flags
    set_start: Longs
    words: Words


class Ways(NamedTuple):
    """The trees, with the codes that go left at each node of a category column, and where each column's words start in a box."""

    trees: Trees
    sets: Words
    set_start: Longs
    offsets: Longs


class Path(NamedTuple):
    """Where a walk stands: the box so far, what each level narrowed, and what was counted."""

    low: Floats
    high: Floats
    missing: Flags
    words: Words
    node: Longs
    stage: Longs
    kept_low: Floats
    kept_high: Floats
    kept_missing: Flags
    kept_words: Words
    met: Longs
    columns: Longs
    counts: Longs


LEAVES, ENTRIES, WORDS, KNOWN = range(4)


def set_words(codes: Ints) -> Ints:
    """64-bit words of a set over each column's codes, never seen and missing included; 0 for a numeric column."""
    return np.where(codes < 0, 0, (codes + 2 + 63) // 64).astype(np.int32)


def category_counts(forest: Any, known: Any = None) -> Ints:
    """How many codes each column has: the most that a node of it, or ``known``, speaks of; -1 for a numeric column.

    Args:
        forest: Any object with the arrays of ``core.forest.Forest``.
        known: int (columns,), the codes of the table's category columns, -1 elsewhere; None when only the forest tells.

    """
    counts = np.full(forest.n_features, -1, np.int32) if known is None else np.array(known, np.int32)
    by_set = (forest.feature >= 0) & (forest.category_start >= 0)
    np.maximum.at(counts, forest.feature[by_set], forest.category_count[by_set].astype(np.int32))
    return counts


def node_sets(forest: Any, codes: Ints) -> tuple[Words, Longs]:
    """The codes that go left at each node of a category column, as 64-bit sets over the codes, never seen and missing.

    A threshold on codes is a set as well: never seen counts as -1 there.

    Returns:
        The words, and int64 (nodes,) where each node's set starts; -1 at other nodes.
    """
    trees, widths = pack(forest), set_words(codes)
    nodes = np.flatnonzero((trees.feature >= 0) & (codes[trees.feature] >= 0))
    sizes = widths[trees.feature[nodes]].astype(np.int64)
    start = np.full(len(trees.feature), -1, np.int64)
    start[nodes] = np.cumsum(sizes) - sizes
    words = np.zeros(int(sizes.sum()), np.uint64)
    write_sets(trees, nodes, start, codes, words)
    return words, start


@compiled
def write_sets(trees: Trees, nodes: Longs, start: Longs, codes: Ints, words: Words) -> None:
    """Write the set of every category node."""
    one = np.uint64(1)
    for node in nodes:
        count, first = codes[trees.feature[node]], trees.category_start[node]
        for code in range(count + 2):
            if code == count + 1:
                left = trees.missing_left[node] != 0
            elif first < 0:
                left = (code if code < count else -1) <= trees.threshold[node]
            elif code < trees.category_count[node]:
                left = (int(trees.category_bits[first + (code >> 5)]) >> (code & 31)) & 1 == 1
            else:
                left = trees.unseen_left[node] != 0
            if left:
                words[start[node] + (code >> 6)] |= one << np.uint64(code & 63)


def build(forest: Any, categories: Any = None) -> LeafBoxes:
    """Index the leaves of a forest.

    Args:
        forest: Any object with the arrays of ``core.forest.Forest``.
        categories: int (columns,), the codes of the table's category columns, -1 elsewhere; None: as many as the forest tells.

    Returns:
        The boxes. Memory: ``.bytes``, about 300 bytes a leaf of an unlimited tree, 100 at depth 6.

    Cost: one walk over the nodes, and one more to count.
    """
    codes = category_counts(forest, categories)
    ways = ways_of(forest, codes)
    path = _path(ways, codes)
    write_boxes(ways, path, _room(0, 0, 0))
    made = _room(*(int(n) for n in path.counts[:KNOWN]))
    write_boxes(ways, _path(ways, codes), made)
    return LeafBoxes(*made, codes=codes)


def ways_of(forest: Any, codes: Ints) -> Ways:
    """The trees with their sets, as a walk takes them."""
    sets, set_start = node_sets(forest, codes)
    return Ways(pack(forest), sets, set_start, np.concatenate([[0], np.cumsum(set_words(codes))]).astype(np.int64))


def _room(leaves: int, entries: int, words: int) -> Bounds:
    return Bounds(
        np.zeros(leaves, np.int32),
        np.zeros(leaves, np.int32),
        np.zeros(leaves + 1, np.int64),
        np.zeros(entries, np.int32),
        np.zeros(entries),
        np.zeros(entries),
        np.zeros(entries, np.uint8),
        np.zeros(entries, np.int64),
        np.zeros(words, np.uint64),
    )


def depth(trees: Trees) -> int:
    """The number of nodes on the longest path."""
    level = np.zeros(len(trees.feature), np.int64)
    find_levels(trees, level)
    return int(level.max(initial=0)) + 1


@compiled
def find_levels(trees: Trees, level: Longs) -> None:
    """Write how far below its root each node stands."""
    for node in range(trees.feature.shape[0]):
        if trees.feature[node] >= 0:
            level[trees.left[node]] = level[trees.right[node]] = level[node] + 1


def whole_sets(codes: Ints, offsets: Longs) -> Words:
    """Every code, never seen and missing of every category column."""
    whole = np.zeros(int(offsets[-1]), np.uint64)
    for column in np.flatnonzero(codes >= 0):
        bits = int(codes[column]) + 2
        for word in range(int(offsets[column + 1] - offsets[column])):
            whole[offsets[column] + word] = (1 << min(64, bits - 64 * word)) - 1
    return whole


def _path(ways: Ways, codes: Ints) -> Path:
    columns, deep = len(codes), depth(ways.trees) + 1
    widest = int(np.diff(ways.offsets).max(initial=1))
    return Path(
        np.full(columns, -np.inf),
        np.full(columns, np.inf),
        np.ones(columns, np.uint8),
        whole_sets(codes, ways.offsets),
        np.zeros(deep, np.int64),
        np.zeros(deep, np.int64),
        np.zeros(deep),
        np.zeros(deep),
        np.zeros(deep, np.uint8),
        np.zeros((deep, widest), np.uint64),
        np.zeros(columns, np.int64),
        np.zeros(columns + 1, np.int64),
        np.zeros(4, np.int64),
    )


@inlined
def _write_leaf(ways: Ways, path: Path, out: Bounds, tree: int, node: int) -> None:
    """Write the box of a leaf, or only count it where there is no room to write to."""
    leaves, entries, words = path.counts[LEAVES], path.counts[ENTRIES], path.counts[WORDS]
    write = out.node.shape[0] > 0
    for at in range(path.counts[KNOWN]):
        column = path.columns[at]
        first = ways.offsets[column]
        width = ways.offsets[column + 1] - first
        if write:
            out.column[entries], out.missing[entries] = column, path.missing[column]
            out.low[entries], out.high[entries] = path.low[column], path.high[column]
            out.set_start[entries] = words if width > 0 else -1
            for word in range(width):
                out.words[words + word] = path.words[first + word]
        entries += 1
        words += width
    if write:
        out.tree[leaves], out.node[leaves], out.start[leaves + 1] = tree, node, entries
    path.counts[LEAVES], path.counts[ENTRIES], path.counts[WORDS] = leaves + 1, entries, words


@inlined
def _enter(ways: Ways, path: Path, level: int, column: int) -> None:
    """Note the box as it is, before a node narrows its column."""
    if path.met[column] == 0:
        path.columns[path.counts[KNOWN]] = column
        path.counts[KNOWN] += 1
    path.met[column] += 1
    path.kept_low[level], path.kept_high[level] = path.low[column], path.high[column]
    path.kept_missing[level] = path.missing[column]
    for word in range(ways.offsets[column], ways.offsets[column + 1]):
        path.kept_words[level, word - ways.offsets[column]] = path.words[word]


@inlined
def _widen(ways: Ways, path: Path, level: int, column: int) -> None:
    """The box as it was before a node narrowed its column."""
    path.low[column], path.high[column] = path.kept_low[level], path.kept_high[level]
    path.missing[column] = path.kept_missing[level]
    for word in range(ways.offsets[column], ways.offsets[column + 1]):
        path.words[word] = path.kept_words[level, word - ways.offsets[column]]


@inlined
def _narrow(ways: Ways, path: Path, node: int, column: int, left: bool) -> None:
    """The box of a child."""
    trees, start = ways.trees, ways.set_start[node]
    if start >= 0:
        for word in range(ways.offsets[column], ways.offsets[column + 1]):
            goes = ways.sets[start + word - ways.offsets[column]]
            path.words[word] &= goes if left else ~goes
        return
    if left:
        path.high[column] = min(path.high[column], trees.threshold[node])
    else:
        path.low[column] = max(path.low[column], trees.threshold[node])
    if (trees.missing_left[node] != 0) != left:
        path.missing[column] = 0


@compiled
def write_boxes(ways: Ways, path: Path, out: Bounds) -> None:
    """Walk every tree, its box narrowing on the way down; write the box at each leaf, or only count (``path.counts``)."""
    trees = ways.trees
    for tree in range(trees.roots.shape[0]):
        level = 0
        path.node[0], path.stage[0] = trees.roots[tree], 0
        while level >= 0:
            node, stage = path.node[level], path.stage[level]
            column = trees.feature[node]
            if column < 0:
                _write_leaf(ways, path, out, tree, node)
                level -= 1
                continue
            if stage == 0:
                _enter(ways, path, level, column)
            else:
                _widen(ways, path, level, column)
            if stage == 2:
                path.met[column] -= 1
                if path.met[column] == 0:
                    path.counts[KNOWN] -= 1
                level -= 1
                continue
            path.stage[level] = stage + 1
            _narrow(ways, path, node, column, stage == 0)
            level += 1
            path.node[level], path.stage[level] = (trees.left[node] if stage == 0 else trees.right[node]), 0
