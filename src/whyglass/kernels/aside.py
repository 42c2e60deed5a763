"""What a forest would say of every row if one column had another value, for two values of every column at once.

Down each tree a row takes its own path once; where another value of a column would take the other side, the way on from there is
walked beside it. Few do, where the other values are near: all columns together then cost little more than a prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from whyglass.kernels.forest import Blocks, Floats, Ints, Trees, blocks, goes_left, matrix, pack, run
from whyglass.kernels.jit import compiled, inlined

_ROWS = 256  # rows walked per tree before the next tree


class Asked(NamedTuple):
    """What is asked of one row.

    Attributes:
        columns: int32 (asked,), the columns.
        slot: int32 (features,), where each feature stands among them, -1 where it does not.
        others: float64 (asked, 2), two other values of each; NaN where nothing is asked.
    """

    columns: Ints
    slot: Ints
    others: Floats


@inlined
def leaf_from(trees: Trees, node: int, X: Floats, column: int, value: float) -> int:
    """The leaf that a row reaches from a node on when a column has another value."""
    while trees.feature[node] >= 0:
        feature = trees.feature[node]
        node = trees.left[node] if goes_left(trees, node, value if feature == column else X[feature]) else trees.right[node]
    return node


@inlined
def walk_row(trees: Trees, root: int, asked: Asked, X: Floats, turned: Ints) -> tuple[int, int]:
    """Walk one row down a tree: its leaf, and how many entries ``turned`` now has.

    ``turned`` is int32 (entries, 3): position of the column, which of its two values, and the node that it goes to where the
    row's own does not.
    """
    node, count = root, 0
    while trees.feature[node] >= 0:
        left = goes_left(trees, node, X[trees.feature[node]])
        at = asked.slot[trees.feature[node]]
        if at >= 0:
            for which in range(2):
                value = asked.others[at, which]
                if np.isnan(value) or goes_left(trees, node, value) == left:
                    continue
                known = False
                for entry in range(count):
                    known |= turned[entry, 0] == at and turned[entry, 1] == which
                if not known:
                    turned[count, 0], turned[count, 1] = at, which
                    turned[count, 2] = trees.right[node] if left else trees.left[node]
                    count += 1
        node = trees.left[node] if left else trees.right[node]
    return node, count


@inlined
def add_tree(trees: Trees, tree: int, asked: Asked, X: Floats, work: tuple[Ints, Floats, Floats]) -> None:
    """Add one tree for one row: its leaf to the row's sums, to each value that turns off what the other leaf has more."""
    turned, base, out = work
    first = max(trees.tree_output[tree], 0)
    own, count = walk_row(trees, trees.roots[tree], asked, X, turned)
    for k in range(trees.value.shape[1]):
        base[first + k] += trees.value[own, k]
    for entry in range(count):
        at, which = turned[entry, 0], turned[entry, 1]
        leaf = leaf_from(trees, turned[entry, 2], X, asked.columns[at], asked.others[at, which])
        for k in range(trees.value.shape[1]):
            out[at, which, first + k] += trees.value[leaf, k] - trees.value[own, k]


@compiled
def step_aside(trees: Trees, columns: Ints, X: Floats, others: Floats, out: Floats) -> None:
    """Add to ``out`` (rows, asked, 2, outputs), zeros before, the sums of each row when one column alone has another value.

    Column ``columns[k]`` has ``others[row, k, 0]`` or ``others[row, k, 1]``; NaN where nothing is asked.
    """
    slot = np.full(X.shape[1], -1, np.int32)
    for at in range(columns.shape[0]):
        slot[columns[at]] = at
    turned = np.zeros((2 * columns.shape[0], 3), np.int32)
    base = np.zeros((X.shape[0], out.shape[3]))
    for start in range(0, X.shape[0], _ROWS):
        for tree in range(trees.roots.shape[0]):
            for row in range(start, min(start + _ROWS, X.shape[0])):
                add_tree(trees, tree, Asked(columns, slot, others[row]), X[row], (turned, base[row], out[row]))
    for row in range(X.shape[0]):
        for at in range(columns.shape[0]):
            for which in range(2):
                for k in range(out.shape[3]):
                    out[row, at, which, k] += base[row, k] + trees.base[k]


def sums(forest: Any, X: Any, columns: Sequence[int], others: Any, executor: Blocks | None = None) -> Floats:
    """The forest's sums of every row with one column at another value.

    Args:
        forest: Any object with the arrays of ``core.forest.Forest``.
        X: Encoded rows (rows, features).
        columns: The columns that are asked about.
        others: float64 (rows, columns, 2), two other values of each; NaN where nothing is asked.
        executor: Threads to use; the same bits with any number of them.

    Returns:
        float64 (rows, columns, 2, outputs), base included; of the row as it is where nothing is asked.

    Cost: a prediction, and a part of one for each value that takes another way in a tree.
    """
    trees, rows, beside = pack(forest), matrix(X), matrix(others)
    asked = np.array(columns, np.int32)
    out = np.zeros((len(rows), len(asked), 2, len(trees.base)))
    if len(asked):
        run(lambda part: step_aside(trees, asked, rows[part], beside[part], out[part]), blocks(len(rows), executor, 4096), executor)
    return out
