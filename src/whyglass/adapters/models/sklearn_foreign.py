"""Another library's tree ensemble as the last step of a scikit-learn pipeline: read by that library's own adapter."""

from __future__ import annotations

from typing import Any

import numpy as np

from whyglass.adapters.models.sklearn_trees import NO_BITS, Grove
from whyglass.core import registry
from whyglass.core.errors import UnsupportedError
from whyglass.core.model import Model
from whyglass.core.row import Row
from whyglass.core.wanted import Wanted

# these take what a sparse table leaves out for missing, not for zero
_SPARSE_IS_MISSING = ("xgboost.",)


def find(estimator: Any) -> Row | None:
    """The adapter of another library that knows this estimator, None when there is none."""
    name = f"{type(estimator).__module__}.{type(estimator).__qualname__}"
    for row in registry.rows("models"):
        if row.name not in ("sklearn", "callable") and any(prefix and name.startswith(prefix) for prefix in row.takes):
            return row
    return None


def read(estimator: Any, row: Row, *, sparse: bool) -> tuple[Grove, str]:
    """The trees over the columns that the estimator sees, and what a person would call it.

    Args:
        estimator: The fitted last step.
        row: Its adapter.
        sparse: Whether the steps before it hand over a sparse table.

    Raises:
        UnsupportedError: If its own adapter cannot read its trees, or they hold category sets of their own.
    """
    if sparse and type(estimator).__module__.startswith(_SPARSE_IS_MISSING):
        msg = f"{type(estimator).__name__} takes the zeros of a sparse table for missing values. Use OneHotEncoder(sparse_output=False)."
        raise UnsupportedError(msg)
    wrapped: Model = registry.resolve(row)(estimator, Wanted())
    if "trees" not in wrapped.can:
        reason = wrapped.provenance.get("refused", {}).get("trees", "its adapter reads no trees")
        raise UnsupportedError(str(reason))
    forest = wrapped.trees()
    if (forest.category_start >= 0).any():
        msg = f"{type(estimator).__name__} splits on category codes of its own, which the steps before it make."
        raise UnsupportedError(msg)
    grove = Grove(
        roots=forest.roots,
        feature=forest.feature,
        threshold=forest.threshold,
        left=forest.left,
        right=forest.right,
        missing_left=forest.missing_left,
        category=np.full(len(forest.feature), -1, dtype=np.int32),
        bitsets=NO_BITS,
        cover=forest.cover,
        value=forest.value,
        tree_output=forest.tree_output,
        base=forest.base,
        link=forest.link,
        space=forest.space,
        single=False,
    )
    return grove, wrapped.kind
