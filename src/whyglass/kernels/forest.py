"""A forest's arrays laid out for kernels, the routing of a row, and the sum of the leaves it reaches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from whyglass.kernels.jit import compiled, inlined

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

_ROWS = 8192  # rows summed per tree before the next tree: deep trees are read from memory once for all of them


class Blocks(Protocol):
    """What maps over blocks of rows; ``core.executor.Executor`` is one."""

    @property
    def workers(self) -> int:
        """Threads actually used."""

    def map(self, function: Callable[[slice], None], blocks: Sequence[slice]) -> Any:
        """Call ``function`` with every block."""


class Trees(NamedTuple):
    """The arrays of a forest as kernels take them: contiguous, writable, one type each."""

    roots: Ints
    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    missing_left: NDArray[np.uint8]
    unseen_left: NDArray[np.uint8]
    category_start: Ints
    category_count: Ints
    category_bits: NDArray[np.uint32]
    cover: Floats
    value: Floats
    tree_output: Ints
    base: Floats


_TYPES: dict[str, type[np.generic]] = {
    "threshold": np.float64,
    "missing_left": np.uint8,
    "unseen_left": np.uint8,
    "category_bits": np.uint32,
    "cover": np.float64,
    "value": np.float64,
    "base": np.float64,
}
_packed: WeakKeyDictionary[Any, Trees] = WeakKeyDictionary()


def pack(forest: Any) -> Trees:
    """The forest's arrays for kernels; laid out once per forest object.

    Args:
        forest: Any object with the arrays of ``core.forest.Forest``.
    """
    if forest not in _packed:
        arrays = [np.require(getattr(forest, name), _TYPES.get(name, np.int32), ["C", "W"]) for name in Trees._fields]
        _packed[forest] = Trees(*arrays)
    return _packed[forest]


def matrix(X: Any) -> Floats:
    """Rows as kernels take them: float64, contiguous, writable."""
    return np.require(X, np.float64, ["C", "W"])


def blocks(rows: int, executor: Blocks | None, most: int) -> list[slice]:
    """Cut rows so that every thread gets several blocks and none is larger than ``most``."""
    workers = 1 if executor is None else executor.workers
    size = max(64, min(most, -(-rows // (256 * workers)) * 64))
    return [slice(start, min(start + size, rows)) for start in range(0, rows, size)]


def run(function: Callable[[slice], None], parts: list[slice], executor: Blocks | None) -> None:
    """Call ``function`` with every block, through the executor when there is one."""
    if executor is not None:
        executor.map(function, parts)
        return
    for part in parts:
        function(part)


@inlined
def goes_left(trees: Trees, node: int, x: float) -> bool:
    """Whether a value goes left at an inner node. NaN goes where missing goes; an unknown code where unseen goes."""
    start = trees.category_start[node]
    if start < 0:
        if trees.missing_left[node]:
            return bool(not x > trees.threshold[node])
        return bool(x <= trees.threshold[node])
    if np.isnan(x):
        return bool(trees.missing_left[node])
    if x < 0 or x >= trees.category_count[node]:
        return bool(trees.unseen_left[node])
    code = int(x)
    return (int(trees.category_bits[start + (code >> 5)]) >> (code & 31)) & 1 == 1


@compiled
def add_leaves(trees: Trees, X: Floats, out: Floats) -> None:
    """Add to every row of ``out`` (rows, outputs) the leaves that the row reaches."""
    width = trees.value.shape[1]
    for start in range(0, X.shape[0], _ROWS):
        stop = min(start + _ROWS, X.shape[0])
        for tree in range(trees.roots.shape[0]):
            first = max(trees.tree_output[tree], 0)
            for row in range(start, stop):
                node = trees.roots[tree]
                while trees.feature[node] >= 0:
                    node = trees.left[node] if goes_left(trees, node, X[row, trees.feature[node]]) else trees.right[node]
                for k in range(width):
                    out[row, first + k] += trees.value[node, k]


def predict(forest: Any, X: Any, executor: Blocks | None = None) -> Floats:
    """The forest's sums, before any link.

    Args:
        forest: Any object with the arrays of ``core.forest.Forest``.
        X: Encoded rows (rows, features).
        executor: Threads to use; the same bits with any number of them.

    Returns:
        float64 (rows, outputs), base included.
    """
    trees, rows = pack(forest), matrix(X)
    out = np.repeat(trees.base[None, :], len(rows), axis=0)
    parts = [slice(0, len(rows))] if executor is None else blocks(len(rows), executor, _ROWS)
    run(lambda part: add_leaves(trees, rows[part], out[part]), parts, executor)
    return out
