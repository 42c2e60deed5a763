"""Maps trees over the columns of the last step to trees over the user's own columns, split by split, exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from whyglass.adapters.models.sklearn_trees import Grove
from whyglass.adapters.models.sklearn_wires import Floats, Wire, crossings
from whyglass.core.forest import Forest


def fold(grove: Grove, wires: Sequence[Wire], starts: Sequence[np.dtype[np.float64]]) -> Forest:
    """The forest over the user's own columns.

    Args:
        grove: The trees, over the columns of the last step.
        wires: What feeds each of those columns.
        starts: The type of each of the user's columns.

    Returns:
        A forest that takes the same leaf as the pipeline for every row that the pipeline accepts.

    Raises:
        UnsupportedError: If a step on the way is not monotone to the last bit.
    """
    folder = _Folder(grove, len(starts))
    inner = np.flatnonzero(grove.feature >= 0)
    order = inner[np.argsort(grove.feature[inner], kind="stable")]
    columns, first = np.unique(grove.feature[order], return_index=True)
    for column, nodes in zip(columns, np.split(order, first[1:])[: len(columns)], strict=True):
        wire = wires[int(column)]
        if wire.category:
            folder.category(nodes, wire)
        else:
            folder.numeric(nodes, wire, starts[wire.source])
    return folder.forest()


class _Folder:
    def __init__(self, grove: Grove, n_features: int) -> None:
        self.grove = grove
        self.n_features = n_features
        nodes = len(grove.feature)
        self.feature = np.full(nodes, -1, dtype=np.int32)
        self.threshold = np.zeros(nodes)
        self.missing = np.zeros(nodes, dtype=bool)
        self.unseen = np.zeros(nodes, dtype=bool)
        self.swap = np.zeros(nodes, dtype=bool)
        self.start = np.full(nodes, -1, dtype=np.int32)
        self.count = np.zeros(nodes, dtype=np.int32)
        self.words: list[NDArray[np.uint32]] = []
        self.used = 0

    def _left(self, value: Floats, nodes: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Which way values of the last step's column go at these nodes: bool (nodes, values)."""
        grove = self.grove
        missing = grove.missing_left[nodes][:, None]
        if grove.single:
            with np.errstate(over="ignore"):
                value = value.astype(np.float32).astype(np.float64)
        left = value[None, :] <= grove.threshold[nodes][:, None]
        rows = grove.category[nodes]
        if (rows >= 0).any():
            known = (value >= 0) & (value < 256)
            code = np.where(known, value, 0).astype(np.int64)
            bits = (grove.bitsets[np.maximum(rows, 0)][:, code >> 5] >> (code & 31).astype(np.uint32)) & np.uint32(1)
            left = np.where((rows >= 0)[:, None], np.where(known[None, :], bits.astype(bool), missing), left)
        return np.asarray(np.where(np.isnan(value)[None, :], missing, left))

    def category(self, nodes: NDArray[np.intp], wire: Wire) -> None:
        left = self._left(wire.table, nodes)
        codes = left.shape[1] - 2
        size = max(1, -(-codes // 32))
        padded = np.zeros((len(nodes), size * 32), dtype=bool)
        padded[:, :codes] = left[:, :codes]
        self.words.append(np.packbits(padded, axis=1, bitorder="little").view("<u4").astype(np.uint32).ravel())
        self.feature[nodes] = wire.source
        self.start[nodes] = self.used + size * np.arange(len(nodes))
        self.count[nodes] = codes
        self.unseen[nodes], self.missing[nodes] = left[:, -2], left[:, -1]
        self.used += size * len(nodes)

    def numeric(self, nodes: NDArray[np.intp], wire: Wire, start: np.dtype[np.float64]) -> None:
        self.feature[nodes] = wire.source
        self.missing[nodes] = self._left(np.array([wire.missing]), nodes)[:, 0]
        if wire.direction == 0:
            same = self._left(wire.carry(np.zeros(1), start), nodes)[:, 0]
            self.threshold[nodes] = np.where(same, np.inf, -np.inf)
            return
        unique, back = np.unique(self.grove.threshold[nodes], return_inverse=True)
        mapped = crossings(wire, unique, start, single=self.grove.single)
        if wire.direction < 0:
            self.swap[nodes] = True
            self.missing[nodes] = ~self.missing[nodes]
        self.threshold[nodes] = mapped[back]

    def forest(self) -> Forest:
        grove = self.grove
        return Forest(
            roots=grove.roots,
            feature=self.feature,
            threshold=self.threshold,
            left=np.where(self.swap, grove.right, grove.left).astype(np.int32),
            right=np.where(self.swap, grove.left, grove.right).astype(np.int32),
            missing_left=self.missing,
            unseen_left=self.unseen,
            category_start=self.start,
            category_count=self.count,
            category_bits=np.concatenate(self.words) if self.words else np.zeros(0, dtype=np.uint32),
            cover=grove.cover,
            value=grove.value,
            tree_output=grove.tree_output,
            base=grove.base,
            n_features=self.n_features,
            link=grove.link,
            space=grove.space,
        )
