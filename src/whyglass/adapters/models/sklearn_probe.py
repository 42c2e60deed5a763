"""Asks fitted preprocessing steps what they make of a few chosen rows: every category once, one never seen, one missing.

The rows are written in the caller's kind of frame and sent through the real steps, so that infrequent categories,
``drop='first'``, unknown values and imputed categories need no second implementation here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.utils import check_array

from whyglass.adapters.models.sklearn_wires import Floats, Wire
from whyglass.core import registry
from whyglass.core.errors import UnsupportedError
from whyglass.core.schema import Column, Dataset, Schema

_REFUSALS = (ValueError, TypeError, KeyError, AttributeError)


@dataclass(frozen=True, eq=False)
class Front:
    """Everything before the last step.

    Attributes:
        steps: Fitted transformers, in order.
        schema: The user's columns.
        frame: The caller's kind of frame.
    """

    steps: tuple[Any, ...]
    schema: Schema
    frame: str

    def __call__(self, matrix: Floats) -> Floats:
        """What the last step sees of encoded rows: float64 (rows, its columns)."""
        here = self.hand_over(matrix)
        here = here.toarray() if hasattr(here, "toarray") else here
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seen: Floats = check_array(here, dtype=np.float64, ensure_all_finite=False, ensure_min_features=0)
        return seen

    def hand_over(self, matrix: Floats) -> Any:
        """The table, sparse or not, that the last step is given for encoded rows."""
        write: Callable[..., Any] = registry.load("frames", "writer")
        here: Any = write(matrix, self.schema, self.frame)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            for step in self.steps:
                here = step.transform(here)
        return here


def start_types(schema: Schema) -> list[np.dtype[Any]]:
    """The number type of each column as it is handed to the model; float64 for those that hold no plain numbers."""
    return [_start(column) for column in schema.columns]


def _start(column: Column) -> np.dtype[Any]:
    try:
        dtype = np.dtype(column.dtype.removesuffix("#").lower())
    except TypeError:
        return np.dtype(np.float64)
    return dtype if dtype.kind in "iuf" and column.kind == "numeric" else np.dtype(np.float64)


def fill(front: Front, wires: Sequence[Wire], data: Dataset | None) -> list[Wire]:
    """The wires with what categories and missing values give.

    Raises:
        UnsupportedError: If the steps do something else to a sample of the data than the wires say.
    """
    schema = front.schema
    typical = typical_row(schema, data)
    size = max([1, *(len(c.categories) for c in schema.columns)])
    codes = np.tile(typical, (size, 1))
    for place, column in enumerate(schema.columns):
        if column.categories:
            codes[:, place] = np.arange(size) % len(column.categories)
    unseen = np.array([[-1.0 if c.kind == "categorical" else t for c, t in zip(schema.columns, typical, strict=True)]])
    missing = np.full((1, len(schema)), np.nan)
    answers = [_ask(front, wires, typical, block) for block in (codes, unseen, missing)]
    filled = []
    for place, wire in enumerate(wires):
        if wire.category:
            known = len(schema.columns[wire.source].categories)
            table = np.concatenate((answers[0][:known, place], answers[1][:, place], answers[2][:, place]))
            filled.append(replace(wire, table=table))
        else:
            filled.append(replace(wire, missing=float(answers[2][0, place])))
    if data is not None and front.steps:
        _compare(front, filled, data)
    return filled


def typical_row(schema: Schema, data: Dataset | None) -> Floats:
    """One row that the model should accept: first categories, and numbers from the middle of what was seen."""
    row = np.array([0.0 if c.kind == "categorical" else 1.0 if np.isnan(c.minimum) else c.minimum for c in schema.columns])
    if data is not None and len(data):
        for place, column in enumerate(schema.columns):
            seen = data.matrix[:, place]
            seen = seen[np.isfinite(seen)]
            if column.kind == "numeric" and len(seen):
                row[place] = np.sort(seen)[len(seen) // 2]
    return row


def _ask(front: Front, wires: Sequence[Wire], typical: Floats, block: Floats) -> Floats:
    """What the last step sees of some rows; where the steps refuse them together, each value on its own."""
    try:
        seen = front(block)
    except _REFUSALS:
        return _ask_alone(front, wires, typical, block)
    if seen.shape[1] != len(wires):
        msg = f"The steps give {seen.shape[1]} columns where whyglass followed {len(wires)}."
        raise UnsupportedError(msg)
    return seen


def _ask_alone(front: Front, wires: Sequence[Wire], typical: Floats, block: Floats) -> Floats:
    answer = np.full((len(block), len(wires)), np.nan)
    sources = np.array([w.source for w in wires], dtype=np.int64)
    for source in np.unique(sources):
        mine = np.flatnonzero(sources == source)
        values, first = np.unique(block[:, source], return_index=True)
        for value, row in zip(values, first, strict=True):
            one = typical.copy()
            one[source] = value
            try:
                answer[row, mine] = front(one[None, :])[0, mine]
            except _REFUSALS:
                # the model refuses such a row, so that no tree ever routes it
                continue
    return answer


def _compare(front: Front, wires: Sequence[Wire], data: Dataset) -> None:
    finite = np.flatnonzero(~np.isinf(data.matrix).any(axis=1))[:100]
    sample = data.matrix[finite]
    if not len(sample):
        return
    try:
        seen = front(sample)
    except _REFUSALS:
        # rows that the pipeline itself refuses prove nothing about the wires
        return
    starts = start_types(front.schema)
    for place, wire in enumerate(wires):
        values = sample[:, wire.source]
        gone = np.isnan(values)
        if wire.category:
            count = len(wire.table) - 2
            code = np.where(gone, count + 1, np.where((values < 0) | (values >= count), count, values)).astype(np.int64)
            wanted = wire.table[code]
        else:
            wanted = np.where(gone, wire.missing, wire.carry(np.where(gone, 0.0, values), starts[wire.source]))
        if not np.array_equal(wanted, seen[:, place], equal_nan=True):
            msg = f"The steps turn column {front.schema.columns[wire.source].name!r} into something else than whyglass expected."
            raise UnsupportedError(msg)
