"""A forest's mean, and its covariance with "same bin as the case", when columns are independent and a kernel favours the case.

The kernel is a product over columns: 1 where the column falls into the case's bin and ``rho`` where it does not. Weighted by it,
independent columns stay independent, so the mean of a forest is a sum over leaves of products over columns, and its covariance with
one column's indicator changes a leaf's factor only at the edges that test this column. Two passes over the nodes give all of them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whyglass.kernels import leaf_boxes
from whyglass.kernels.forest import Blocks, Floats, Ints, pack, run
from whyglass.kernels.jit import compiled, inlined

Words = NDArray[np.uint64]
Flags = NDArray[np.uint8]
Longs = NDArray[np.int64]

_CASES = 16  # walked together, tree by tree


class Walk(NamedTuple):
    """What of a forest and its training rows does not depend on the case.

    ``held`` counts the training rows whose value of the column that leads into a node is inside the node's box; the other arrays
    say where that box begins and ends among the sorted values (numbers), or which codes a node sends left (categories).

    Attributes:
        roots: int32 (trees,), as in ``core.forest.Forest``, like the next six.
        tree_output: int32 (trees,).
        feature: int32 (nodes,).
        left: int32 (nodes,).
        missing_left: uint8 (nodes,).
        value: float64 (nodes, width).
        base: float64 (outputs,).
        last: int32 (trees,), one after the last node of each tree.
        parent: int32 (nodes,), -1 at roots.
        above: int32 (nodes,), the node next above whose parent tests the same column as this one's; -1 when there is none.
        low: int32 (nodes,), rows with a number at or below the box.
        high: int32 (nodes,), rows with a number at or below its end.
        missing: uint8 (nodes,), whether missing is inside.
        held: int32 (nodes,).
        sets: uint64, codes that go left at each category node.
        set_start: int64 (nodes,), where they start; -1 at other nodes.
        codes: int32 (columns,), how many codes a category column has; -1 for numbers.
        lacking: int32 (columns,), training rows where the column is missing.
        rows: int32 (1,), training rows.
    """

    roots: Ints
    tree_output: Ints
    feature: Ints
    left: Ints
    missing_left: Flags
    value: Floats
    base: Floats
    last: Ints
    parent: Ints
    above: Ints
    low: Ints
    high: Ints
    missing: Flags
    held: Ints
    sets: Words
    set_start: Longs
    codes: Ints
    lacking: Ints
    rows: Ints

    @property
    def bytes(self) -> int:
        """Memory held beside the forest: 21 bytes a node, and the sets."""
        return sum(item.nbytes for item in self[7:])


class Cases(NamedTuple):
    """The cases' bins, in training rows.

    Attributes:
        code: int32 (cases, columns), the case's code of a category column: one never seen, missing too; -1 for numbers.
        low: int32 (cases, columns), rows with a number at or below the bin.
        high: int32 (cases, columns), rows with a number at or below its end; equal to ``low`` for the bin of missing values.
        missing: uint8 (cases, columns), whether the bin is that of missing values.
        held: int32 (cases, columns), training rows in the bin.
    """

    code: Ints
    low: Ints
    high: Ints
    missing: Flags
    held: Ints

    def take(self, part: slice) -> Cases:
        """Some of the cases."""
        return Cases(self.code[part], self.low[part], self.high[part], self.missing[part], self.held[part])


class Work(NamedTuple):
    """What a walk over one tree writes: one entry a node, or a column.

    Attributes:
        both: float64 (nodes,), training rows in the box of the column that leads into the node and in the case's bin.
        inverse: float64 (nodes,), 1 / weight of the box of the column that leads into the node; 0 where the box is empty.
        share: float64 (nodes,), of it inside the case's bin.
        inside: uint8 (nodes,), whether the case's code comes down to the node.
        product: float64 (nodes,), weight of the whole box.
        summed: float64 (nodes, width), leaves below, each times its weight.
        whole: float64 (columns,), weight of all values.
        own: float64 (columns,), share of it inside the case's bin.
        rho: The kernel's factor outside the case's bin.
    """

    both: Floats
    inverse: Floats
    share: Floats
    inside: Flags
    product: Floats
    summed: Floats
    whole: Floats
    own: Floats
    rho: float


def build(forest: Any, training: Floats, categories: Ints) -> Walk:
    """Count training rows along the paths of a forest.

    Args:
        forest: Any object with the arrays of ``core.forest.Forest``.
        training: float64 (rows, columns), encoded.
        categories: int32 (columns,), codes of the table's category columns, -1 elsewhere.

    Cost: one pass over the nodes; a category node costs its codes times the nodes of its column above it.
    """
    trees, codes = pack(forest), leaf_boxes.category_counts(forest, categories)
    sets, set_start = leaf_boxes.node_sets(forest, codes)
    nodes = len(trees.feature)
    below = np.zeros(nodes, np.int32)
    start = np.zeros(len(codes) + 1, np.int64)
    np.cumsum(np.where(codes >= 0, codes + 2, 0), out=start[1:])
    counts = np.zeros(int(start[-1]), np.int32)
    for j, count in enumerate(codes):
        values = training[:, j]
        known = np.sort(values[~np.isnan(values)])
        if count < 0:
            here = np.flatnonzero(trees.feature == j)
            below[here] = np.searchsorted(known, trees.threshold[here], side="right")
        else:
            counts[start[j] : start[j] + count + 1] = np.bincount(
                np.where((known < 0) | (known >= count), count, known).astype(np.intp), minlength=count + 1
            )
            counts[start[j] + count + 1] = len(values) - len(known)
    made = Walk(
        trees.roots,
        trees.tree_output,
        trees.feature,
        trees.left,
        trees.missing_left,
        trees.value,
        trees.base,
        np.append(trees.roots[1:], nodes).astype(np.int32),
        np.full(nodes, -1, np.int32),
        np.full(nodes, -1, np.int32),
        np.zeros(nodes, np.int32),
        np.zeros(nodes, np.int32),
        np.zeros(nodes, np.uint8),
        np.zeros(nodes, np.int32),
        sets,
        set_start,
        codes,
        np.isnan(training).sum(axis=0).astype(np.int32),
        np.array([len(training)], np.int32),
    )
    count_rows(made, trees.right, below, counts, start)
    return made


@compiled
def count_rows(walk: Walk, right: Ints, below: Ints, counts: Ints, start: Longs) -> None:
    """Fill in parents, boxes and counts, from the roots down."""
    for node in range(walk.feature.shape[0]):
        if walk.feature[node] >= 0:
            walk.parent[walk.left[node]] = walk.parent[right[node]] = node
        parent = walk.parent[node]
        if parent < 0:
            continue
        column, above = walk.feature[parent], parent
        while walk.parent[above] >= 0 and walk.feature[walk.parent[above]] != column:
            above = walk.parent[above]
        walk.above[node] = above if walk.parent[above] >= 0 else -1
        if walk.codes[column] < 0:
            _narrow(walk, node, below[parent])
        else:
            walk.held[node] = _codes_held(walk, node, counts, start[column])


@inlined
def _narrow(walk: Walk, node: int, below: int) -> None:
    """Write the interval of a node that a number leads into, ``below`` rows being at or below the threshold."""
    parent, above = walk.parent[node], walk.above[node]
    left, lacking = walk.left[parent] == node, walk.lacking[walk.feature[parent]]
    low, high, missing = 0, walk.rows[0] - lacking, 1
    if above >= 0:
        low, high, missing = walk.low[above], walk.high[above], walk.missing[above]
    if left:
        high = max(low, min(high, below))
    else:
        low = min(high, max(low, below))
    if (walk.missing_left[parent] != 0) != left:
        missing = 0
    walk.low[node], walk.high[node], walk.missing[node] = low, high, missing
    walk.held[node] = high - low + (lacking if missing else 0)


@inlined
def _enters(walk: Walk, node: int, code: int) -> bool:
    """Whether a code goes from the parent of a node into the node."""
    parent = walk.parent[node]
    word = walk.sets[walk.set_start[parent] + (code >> 6)]
    return bool(((word >> np.uint64(code & 63)) & np.uint64(1) == np.uint64(1)) == (walk.left[parent] == node))


@inlined
def _codes_held(walk: Walk, node: int, counts: Ints, start: int) -> int:
    """Training rows whose code comes all the way down to a node."""
    held = 0
    for code in range(walk.codes[walk.feature[walk.parent[node]]] + 2):
        if counts[start + code] > 0:
            at = node
            while at >= 0 and _enters(walk, at, code):
                at = walk.above[at]
            if at < 0:
                held += counts[start + code]
    return held


def moments(walk: Walk, cases: Cases, rho: float, executor: Blocks | None = None) -> tuple[Floats, Floats]:
    """Means and covariances of every case.

    Args:
        walk: The forest and its training rows.
        cases: The cases' bins.
        rho: The kernel's factor of a column outside the case's bin, above 0.
        executor: Threads to use; the same bits with any number of them.

    Returns:
        float64 (cases, outputs), means of the sums, base included; and float64 (cases, columns, outputs), their covariances
        with the indicators.

    Cost: two passes over the nodes a case; memory (3 + outputs) numbers for each node of the largest tree.
    """
    rows, columns = cases.code.shape
    mean = np.repeat(walk.base[None, :], rows, axis=0)
    covariance = np.zeros((rows, columns, len(walk.base)))

    def block(part: slice) -> None:
        add_moments(walk, cases.take(part), _work(walk, rho), mean[part], covariance[part])

    run(block, [slice(row, min(row + _CASES, rows)) for row in range(0, rows, _CASES)], executor)
    return mean, covariance


def _work(walk: Walk, rho: float) -> Work:
    columns, largest = len(walk.codes), int((walk.last - walk.roots).max(initial=1))
    both, inverse, share, product = np.zeros((4, largest))
    summed = np.zeros((largest, walk.value.shape[1]))
    return Work(both, inverse, share, np.zeros(largest, np.uint8), product, summed, np.zeros(columns), np.zeros(columns), rho)


@compiled
def add_moments(walk: Walk, cases: Cases, work: Work, mean: Floats, covariance: Floats) -> None:
    """Walk every tree for every case while it is in the cache: products on the way down, sums over leaves on the way up."""
    for tree in range(walk.roots.shape[0]):
        first = max(walk.tree_output[tree], 0)
        for c in range(cases.held.shape[0]):
            for j in range(cases.held.shape[1]):
                work.whole[j] = work.rho * walk.rows[0] + (1.0 - work.rho) * cases.held[c, j]
                work.own[j] = cases.held[c, j] / work.whole[j]
            _overlap(walk, cases, c, tree, work)
            _weigh(walk, tree, work)
            _add_up(walk, tree, work, covariance[c])
            for k in range(walk.value.shape[1]):
                mean[c, first + k] += work.summed[0, k]


@inlined  # helpers take whole trees: handing tuples over counts a reference of every array in them, which a node is not worth
def _overlap(walk: Walk, cases: Cases, c: int, tree: int, work: Work) -> None:
    """Training rows in the box of each node's column that are also in the case's bin."""
    root = walk.roots[tree]
    for node in range(root + 1, walk.last[tree]):
        parent, above = walk.parent[node], walk.above[node]
        j = walk.feature[parent]
        if walk.codes[j] < 0:
            both = max(0, min(walk.high[node], cases.high[c, j]) - max(walk.low[node], cases.low[c, j]))
            work.both[node - root] = cases.held[c, j] if cases.missing[c, j] and walk.missing[node] else both
            continue
        inside = above < 0 or work.inside[above - root] != 0
        if inside:
            word = walk.sets[walk.set_start[parent] + (cases.code[c, j] >> 6)]
            left = (word >> np.uint64(cases.code[c, j] & 63)) & np.uint64(1) == np.uint64(1)
            inside = left == (walk.left[parent] == node)
        work.inside[node - root] = inside
        work.both[node - root] = cases.held[c, j] if inside else 0


@inlined
def _weigh(walk: Walk, tree: int, work: Work) -> None:
    """The weight of each node's box, from its parent's, and what of its column's part is in the case's bin."""
    root = walk.roots[tree]
    work.product[0] = 1.0
    for node in range(root + 1, walk.last[tree]):
        at, parent, above = node - root, walk.parent[node], walk.above[node]
        mass = work.rho * walk.held[node] + (1.0 - work.rho) * work.both[at]
        inverse = 1.0 / mass if mass > 0.0 else 0.0
        before = 1.0 / work.whole[walk.feature[parent]] if above < 0 else work.inverse[above - root]
        work.inverse[at] = inverse
        work.share[at] = work.both[at] * inverse
        work.product[at] = work.product[parent - root] * (mass * before)


@inlined
def _add_up(walk: Walk, tree: int, work: Work, covariance: Floats) -> None:
    """Sum the leaves below each node, and credit the column of each edge with what it changes in the share of the case's bin."""
    root, first, width = walk.roots[tree], max(walk.tree_output[tree], 0), walk.value.shape[1]
    for node in range(root, walk.last[tree]):
        leaf = walk.feature[node] < 0
        for k in range(width):
            work.summed[node - root, k] = work.product[node - root] * walk.value[node, k] if leaf else 0.0
    for node in range(walk.last[tree] - 1, root, -1):
        at, parent, above = node - root, walk.parent[node], walk.above[node]
        j = walk.feature[parent]
        change = work.share[at] - (work.own[j] if above < 0 else work.share[above - root])
        for k in range(width):
            work.summed[parent - root, k] += work.summed[at, k]
            covariance[j, first + k] += work.summed[at, k] * change
