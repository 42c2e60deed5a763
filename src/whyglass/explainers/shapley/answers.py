"""How an answer is put together: which rows can be explained, what outputs are called, and what a failed row looks like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask
from whyglass.core.attribution import Attribution, Groups
from whyglass.core.background import default_background
from whyglass.core.errors import ModelError
from whyglass.core.model import Model
from whyglass.core.provenance import Provenance

Array = NDArray[np.float64]
OUT_OF_TIME = "the time budget ran out before this row"


@dataclass(frozen=True, eq=False)
class Found:
    """What a method found, for every row asked about; ``answer`` takes the arrays over and blanks rows that are not "ok".

    Attributes:
        values: float64 (rows, features, outputs).
        base: float64 (rows, outputs) or (outputs,).
        predictions: float64 (rows, outputs).
        names: One per output.
        space: What the values add up to.
        unknown: What stands for "unknown", in words.
        std_errors: Like ``values``; None when the values are exact.
        status: Row -> why it could not be explained; rows not named are "ok".
        params: What else it takes to make the answer again.
        fidelity: Further measures, one entry a row.
        interactions: float64 (rows, features, features, outputs), or None.
        groups: The players, where columns were grouped.
    """

    values: Array
    base: Array
    predictions: Array
    names: tuple[str, ...]
    space: str
    unknown: str
    std_errors: Array | None = None
    status: Mapping[int, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    fidelity: Mapping[str, Array] = field(default_factory=dict)
    interactions: Array | None = None
    groups: Groups | None = None


def problems(ask: Ask) -> dict[int, str]:
    """Rows that the reader of the frame already found unusable."""
    return {row: problem for row, problem in enumerate(ask.data.problems) if problem}


def usable(ask: Ask) -> NDArray[np.intp]:
    """Positions of the rows that can be asked about."""
    fine = np.ones(len(ask.data), np.bool_)
    fine[list(problems(ask))] = False
    return np.flatnonzero(fine)


def spread(ask: Ask, rows: NDArray[np.intp], found: Array) -> Array:
    """Put the answers of some rows at their places, NaN elsewhere."""
    if len(rows) == len(ask.data):
        return found
    out = np.full((len(ask.data), *found.shape[1:]), np.nan)
    out[rows] = found
    return out


def output_names(model: Model, count: int) -> tuple[str, ...]:
    """What the outputs of a sum are called: a lone sum of a binary classifier speaks of the positive class.

    Raises:
        ModelError: If the number of sums fits neither.
    """
    if count == len(model.outputs):
        return model.outputs
    if count == 1 and len(model.outputs) == 2:
        return model.outputs[1:]
    msg = f"{model.name} adds up {count} outputs, but predicts {len(model.outputs)}: {list(model.outputs)}."
    raise ModelError(msg)


def unknown_rows(ask: Ask) -> tuple[Array, str]:
    """The rows that stand for "unknown", and how they are spoken of."""
    if ask.background is not None:
        rows = ask.background.matrix
        if ask.background.note:
            return rows, ask.background.note
        return rows, f"the {len(rows):,} background rows given" if len(rows) != 1 else "the background row given"
    rows = default_background(ask.model, ask.seed).matrix
    whole = len(ask.model.data or ())
    if len(rows) == whole:
        return rows, f"all {whole:,} {ask.model.rows_are}"
    return rows, f"{len(rows):,} of {whole:,} {ask.model.rows_are}, drawn with seed {ask.seed}"


def answer(ask: Ask, method: str, found: Found) -> Attribution:
    """The result: only the outputs asked for, and NaN where a row could not be explained."""
    rows = len(ask.data)
    base = np.broadcast_to(found.base, (rows, found.base.shape[-1])).copy()
    values, predictions, errors, pairs = found.values, found.predictions, found.std_errors, found.interactions
    status = {**found.status, **problems(ask)}
    lost = list(status)
    for array in (values, predictions, base, errors, pairs):
        if array is not None:
            array[lost] = np.nan
    names = found.names
    if ask.outputs and len(names) == len(ask.model.outputs):
        keep = list(ask.outputs)
        values, base, predictions = values[:, :, keep], base[:, keep], predictions[:, keep]
        errors = None if errors is None else errors[:, :, keep]
        pairs = None if pairs is None else pairs[..., keep]
        names = tuple(names[k] for k in keep)
    return Attribution(
        values=values,
        base_values=base,
        predictions=predictions,
        dataset=ask.data,
        output_names=names,
        space=found.space,
        exact=errors is None,
        provenance=Provenance(method, params={"unknown": found.unknown, **found.params}, seed=ask.seed, model_hash=ask.model.model_hash),
        std_errors=errors,
        interactions=pairs,
        groups=found.groups,
        fidelity=dict(found.fidelity),
        status=tuple(status.get(row, "ok") for row in range(rows)) if status else ("ok",) * rows,
        background_note=found.unknown,
        model=ask.model,
    )
