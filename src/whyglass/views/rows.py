"""The rows that a view shows: parts put under each other, what was recorded, what the model says, packed by column."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core import registry
from whyglass.core.attribution import Attribution
from whyglass.core.errors import InputError
from whyglass.core.model import Model
from whyglass.core.outcomes import class_positions, missing
from whyglass.core.rescue import rescue
from whyglass.core.schema import Column, Dataset, Schema
from whyglass.views.parts import HELD_OUT, TRAIN, together

SPLITS = ("train", "held out")
MISSING_CODE = -2

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Shown:
    """The rows that a view shows.

    Attributes:
        parts: The datasets, one under the other.
        matrix: float64 (rows, columns), all parts.
        split: uint8 (rows,), a position in ``SPLITS``.
        y: float64 (rows,), class position or target; NaN where nothing was recorded.
        predictions: float64 (rows, outputs) in display space; NaN where the model gave none.
    """

    parts: tuple[Dataset, ...]
    matrix: Array
    split: NDArray[np.uint8]
    y: Array
    predictions: Array

    def __len__(self) -> int:
        return len(self.matrix)

    @property
    def schema(self) -> Schema:
        """The columns."""
        return self.parts[0].schema

    def pick(self, ids: list[int]) -> Any:
        """These rows in the caller's own frame, index kept; parts are joined."""
        pieces: list[Any] = []
        start = 0
        wanted = np.asarray(ids, dtype=np.intp)
        for part in self.parts:
            local = wanted[(wanted >= start) & (wanted < start + len(part))] - start
            if len(local) or (part is self.parts[-1] and not pieces):
                pieces.append(_pick(part, local))
            start += len(part)
        return pieces[0] if len(pieces) == 1 else registry.load("frames", "joiner")(pieces)


def _pick(part: Dataset, rows: NDArray[np.intp]) -> Any:
    if part.source is not None:
        return registry.load("frames", "picker")(part.source, rows)
    return registry.load("frames", "writer")(part.matrix[rows], part.schema, part.frame)


def gather(result: Attribution | None, model: Model | None, data: Dataset | None, split: Any, output: int = 0) -> Shown:
    """Decide which rows are shown: the data given, else the explained rows (held out) and wrap's own (train).

    Explained rows that are wrap's own are marked as train and not shown twice.

    Args:
        result: What ``explain`` gave, or None.
        model: The wrapped model, or None.
        data: The rows to show, or None.
        split: Per row of ``data`` what ``SPLITS`` says, or None: all held out.
        output: Which column of a recorded outcome with several is the shown one.

    Raises:
        InputError: If there are no rows, the parts do not belong together, or a recorded outcome is none of the model's.
    """
    parts: tuple[Dataset, ...]
    if data is not None:
        parts, marks = (data,), _split_codes(split, len(data))
    else:
        explained = result.dataset if result is not None else None
        own = model.data if model is not None else None
        parts, marks = together(explained, own)
    strange = next((p for p in parts if model is not None and p.schema.names != model.schema.names), None)
    if strange is not None and model is not None:
        msg = f"The rows have the columns {list(strange.schema.names)[:8]}, {model.name} takes {list(model.schema.names)[:8]}."
        raise InputError(msg)
    matrix = np.concatenate([p.matrix for p in parts])
    outputs = model.outputs if model is not None else (result.output_names if result is not None else ())
    classes = model is not None and model.task == "classification"
    y = np.concatenate([class_positions(p, outputs) if classes else _numbers(p, output) for p in parts])
    if model is not None:
        predictions = rescue(model.predict_matrix, matrix, len(outputs), give_up=True)[0]
    else:
        predictions = np.asarray(result.predictions if result is not None else np.empty((0, 0)))
    return Shown(parts, matrix, marks, y, np.where(np.isfinite(predictions), predictions, np.nan))


def _split_codes(split: Any, rows: int) -> NDArray[np.uint8]:
    if split is None:
        return np.full(rows, HELD_OUT, dtype=np.uint8)
    marks = np.asarray(split)
    if marks.shape != (rows,):
        msg = f"split has shape {marks.shape}, wanted one entry for each of the {rows} rows."
        raise InputError(msg)
    if marks.dtype.kind in "biu":
        return np.where(marks.astype(bool), HELD_OUT, TRAIN).astype(np.uint8)
    words = {str(m) for m in np.unique(marks.astype(str))}
    strange = sorted(words - set(SPLITS) - {"test"})
    if strange:
        msg = f"split holds {strange[0]!r}; wanted 'train' or 'held out'."
        raise InputError(msg)
    return np.where(marks.astype(str) == SPLITS[TRAIN], TRAIN, HELD_OUT).astype(np.uint8)


def _numbers(part: Dataset, output: int) -> Array:
    """The recorded values; of several, that of the shown output."""
    if part.y is None:
        return np.full(len(part), np.nan)
    given = np.asarray(part.y)
    given = given[:, min(output, given.shape[1] - 1)] if given.ndim > 1 and given.shape[1] else given
    try:
        return np.array([math.nan if missing(v) else float(v) for v in given.tolist()], dtype=np.float64)
    except (TypeError, ValueError) as error:
        msg = f"y holds what is no number, and the model predicts one: {error}."
        raise InputError(msg) from error


def pack_column(column: Column, values: Array, *, exact: bool = True) -> NDArray[Any]:
    """The smallest array that holds the values: codes as int8/int16, whole numbers as ints, else floats.

    Without ``exact`` a number with decimals keeps 15 bits after its leading one: it is off by at most 1/65,000 of itself.
    """
    if column.kind == "categorical":
        codes = np.where(np.isnan(values), MISSING_CODE, values)
        return codes.astype(np.int8 if len(column.categories) < 127 else np.int16 if len(column.categories) < 32767 else np.int32)
    if len(values) and np.isfinite(values).all() and (values == np.rint(values)).all() and not np.signbit(values[values == 0]).any():
        for kind in (np.uint8, np.int16, np.int32):
            bounds = np.iinfo(kind)
            if bounds.min <= values.min() and values.max() <= bounds.max:
                return values.astype(kind)
    with np.errstate(over="ignore"):
        short = values.astype(np.float32)
    if not exact and np.array_equal(np.isfinite(short), np.isfinite(values)):
        return _rounded(short)
    return short if np.array_equal(short.astype(np.float64), values, equal_nan=True) else values


def _rounded(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The low byte of every mantissa cleared, to nearest: a quarter less to carry."""
    bits = values.view(np.uint32)
    nearest = ((bits.astype(np.uint64) + 0x80) & 0xFFFFFF00).astype(np.uint32).view(np.float32)
    return np.where(np.isfinite(values) & np.isfinite(nearest), nearest, values)


def pack_matrix(schema: Schema, matrix: Array, *, exact: bool = True) -> dict[str, NDArray[Any]]:
    """Columns ``f0`` to ``fK-1``."""
    return {f"f{j}": pack_column(column, matrix[:, j], exact=exact) for j, column in enumerate(schema.columns)}


def pack_cases(shown: Shown, rows: NDArray[np.intp], output: int, *, exact: bool = True) -> dict[str, NDArray[Any]]:
    """The ``cases`` table of these rows."""
    return {
        **pack_matrix(shown.schema, shown.matrix[rows], exact=exact),
        "p": shown.predictions[rows, output].astype(np.float32),
        "y": shown.y[rows].astype(np.float32),
        "split": shown.split[rows],
        "id": rows.astype(np.int32),
    }
