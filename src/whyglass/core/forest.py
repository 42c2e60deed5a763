"""The flat form of a tree ensemble: arrays only, one form for every library, every kernel and the static report."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from whyglass.core.errors import ModelError


@dataclass(frozen=True, eq=False)
class Forest:
    """A tree ensemble over the user's own columns, as flat arrays.

    A row is float64: numbers as they are, categories as their code in the schema, NaN for missing, -1 for a category
    never seen. At a numeric node the row goes left when ``x <= threshold``; at a category node when the bit of its
    code is set in the node's bit set. NaN follows ``missing_left``. A code that is negative or at least
    ``category_count`` follows ``unseen_left``. Library quirks (float32 thresholds, ``<`` instead of ``<=``, scalers in
    a pipeline) are folded into the thresholds by the adapter, so that no kernel needs to know them.

    Attributes:
        roots: int32 (trees,), the root node of each tree. Nodes of one tree are contiguous, parents before children.
        feature: int32 (nodes,), the column tested; -1 marks a leaf.
        threshold: float64 (nodes,).
        left: int32 (nodes,), absolute node numbers; -1 at a leaf.
        right: int32 (nodes,).
        missing_left: bool (nodes,).
        unseen_left: bool (nodes,), used at category nodes only.
        category_start: int32 (nodes,), first 32-bit word of the node's bit set in ``category_bits``; -1 if numeric.
        category_count: int32 (nodes,), how many codes the bit set covers.
        category_bits: uint32 (words,), a set bit sends that code left.
        cover: float64 (nodes,), training weight that reached the node.
        value: float64 (nodes, width), what a leaf adds; width is 1 when ``tree_output`` names the output, else outputs.
            Learning rates and the 1/trees of an averaging forest are already multiplied in.
        tree_output: int32 (trees,), the output that the tree adds to; -1 when its leaves hold a value for every output.
        base: float64 (outputs,), added once.
        n_features: how many columns a row has.
        link: "identity", "sigmoid", "softmax" or "exp": from the sum to the prediction.
        space: what the sum is: "margin", "probability" or "value".
    """

    roots: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    missing_left: NDArray[np.bool_]
    unseen_left: NDArray[np.bool_]
    category_start: NDArray[np.int32]
    category_count: NDArray[np.int32]
    category_bits: NDArray[np.uint32]
    cover: NDArray[np.float64]
    value: NDArray[np.float64]
    tree_output: NDArray[np.int32]
    base: NDArray[np.float64]
    n_features: int
    link: str = "identity"
    space: str = "value"

    def __post_init__(self) -> None:
        nodes = len(self.feature)
        for name in ("threshold", "left", "right", "missing_left", "unseen_left", "category_start", "category_count", "cover", "value"):
            given = len(getattr(self, name))
            if given != nodes:
                msg = f"Forest.{name} has {given} entries, wanted one per node ({nodes})."
                raise ModelError(msg)
        if self.value.ndim != 2 or self.value.shape[1] not in (1, self.n_outputs):
            msg = f"Forest.value has shape {self.value.shape}, wanted (nodes, 1) or (nodes, {self.n_outputs})."
            raise ModelError(msg)
        if nodes and int(self.feature.max()) >= self.n_features:
            msg = f"Forest.feature names column {int(self.feature.max())}, but rows have {self.n_features} columns."
            raise ModelError(msg)

    @property
    def n_outputs(self) -> int:
        """How many outputs a prediction has."""
        return len(self.base)

    @property
    def n_trees(self) -> int:
        """How many trees there are."""
        return len(self.roots)

    def content_hash(self) -> str:
        """Hash of every array, the same for equal forests on any machine."""
        digest = hashlib.blake2b(digest_size=16)
        for field in fields(self):
            item = getattr(self, field.name)
            digest.update(field.name.encode())
            digest.update(np.ascontiguousarray(item).tobytes() if isinstance(item, np.ndarray) else repr(item).encode())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Linear:
    """A linear or generalised linear model over the user's own columns.

    The margin of output k is ``intercept[k] + sum over columns of the column's contribution``, where a numeric column
    contributes ``coefficients[k][j] * x`` (with ``missing[j]`` in place of NaN) and a category column contributes
    ``tables[j][k, code]`` (last entry: a category never seen; the one before: missing).

    Attributes:
        coefficients: float64 (outputs, features), zero for category columns.
        intercept: float64 (outputs,).
        missing: float64 (features,), what NaN stands for (an imputer's value), NaN where NaN is refused.
        tables: per category column, float64 (outputs, categories + 2).
        link: "identity", "sigmoid", "softmax" or "exp".
        space: "margin" or "value".
    """

    coefficients: NDArray[np.float64]
    intercept: NDArray[np.float64]
    missing: NDArray[np.float64]
    tables: dict[int, NDArray[np.float64]]
    link: str = "identity"
    space: str = "value"

    @property
    def n_outputs(self) -> int:
        """How many outputs a prediction has."""
        return len(self.intercept)
