"""To and from shap: its plots and tools take a ``shap.Explanation``; our views take one as an Attribution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import shap
from numpy.typing import NDArray

from whyglass.adapters import frames
from whyglass.core.attribution import Attribution
from whyglass.core.errors import InputError
from whyglass.core.model import Model
from whyglass.core.provenance import Provenance
from whyglass.core.schema import Dataset

Floats = NDArray[np.float64]
NEAR = 1e-3  # how far values may miss a prediction and still be said to add up to it; float32 libraries miss by about 1e-5
WITHIN = 1.959964  # standard errors either way hold 95 %
METHOD = "shap.Explanation"


def explanation(result: Attribution, *, interactions: bool = False) -> Any:
    """An Attribution as a ``shap.Explanation``.

    Args:
        result: What to hand over.
        interactions: Whether to hand over the interaction values in place of the values.

    Returns:
        Values of shape (rows, features), or (rows, features, outputs) when there are several outputs; interactions have the features
        twice. ``data`` holds numbers, as shap's plots colour by them (NaN for a group of columns); ``display_data`` holds what a person
        reads: category names, not codes. Estimates carry ``error_std``, their standard errors, and as ``lower_bounds`` and
        ``upper_bounds`` their 95 % interval, which shap's waterfall draws.

    Raises:
        InputError: If interactions are asked for and the result has none.
    """
    if interactions and result.interactions is None:
        msg = "This result has no interactions. Ask for them: explain(model, X, interactions=True)."
        raise InputError(msg)
    one = len(result.output_names) == 1
    values, errors = (result.interactions, None) if interactions else (result.values, result.std_errors)
    data, shown = _columns(result)
    bounds = (None, None) if errors is None else (result.values - WITHIN * errors, result.values + WITHIN * errors)

    def flat(array: Floats | None) -> Floats | None:
        return None if array is None else array[..., 0] if one else array

    return shap.Explanation(
        values=flat(values),
        base_values=flat(result.base_values),
        data=data,
        display_data=shown,
        feature_names=list(result.feature_names),
        output_names=None if one else list(result.output_names),
        error_std=flat(errors),
        lower_bounds=flat(bounds[0]),
        upper_bounds=flat(bounds[1]),
        compute_time=result.provenance.seconds,
    )


def _columns(result: Attribution) -> tuple[Floats, NDArray[np.object_]]:
    """What each feature was: a number, and as a person reads it. A group of columns has no number, and reads as all of them."""
    matrix = result.dataset.matrix
    written = matrix.astype(object)
    for j, column in enumerate(result.schema.columns):
        if column.kind != "numeric":
            written[:, j] = [column.write(value) for value in matrix[:, j]]
    if result.groups is None:
        return np.array(matrix), written
    data = np.full((len(matrix), len(result.groups)), np.nan)
    shown = np.empty(data.shape, dtype=object)
    for p, (_, members) in enumerate(result.groups):
        if len(members) == 1:
            data[:, p], shown[:, p] = matrix[:, members[0]], written[:, members[0]]
            continue
        columns = [result.schema[j] for j in members]
        shown[:, p] = [", ".join(c.write(v) for c, v in zip(columns, row, strict=True)) for row in matrix[:, list(members)]]
    return data, shown


@dataclass(frozen=True, eq=False)
class Arrays:
    """The arrays of an Explanation with all their axes.

    Attributes:
        values: float64 (rows, features, outputs).
        base: float64 (rows, outputs).
        errors: Like ``values``, or None.
        pairs: float64 (rows, features, features, outputs), or None.
    """

    values: Floats
    base: Floats
    errors: Floats | None
    pairs: Floats | None

    def ordered(self, order: list[int]) -> Arrays:
        """With the features in this order."""
        pairs = None if self.pairs is None else self.pairs[:, order][:, :, order]
        return Arrays(self.values[:, order], self.base, None if self.errors is None else self.errors[:, order], pairs)

    @property
    def total(self) -> Floats:
        """What the values add up to: float64 (rows, outputs)."""
        return np.asarray(self.base + self.values.sum(axis=1))


def attribution(
    given: Any, *, model: Model | None = None, data: Any = None, y: Any = None, space: str | None = None, exact: bool = False
) -> Attribution:
    """A ``shap.Explanation`` as an Attribution.

    Args:
        given: Values of a table: (rows, features) or (rows, features, outputs), interaction values with the features twice, or one row
            of these.
        model: The wrapped model, which tells the columns, the outputs and the space, and keeps the views alive.
        data: The explained rows in any frame; those of the Explanation when None.
        y: Recorded outcomes of these rows.
        space: What the values add up to; found out with a model, "value" otherwise.
        exact: Whether the values are known to be exact.

    Raises:
        InputError: If it is no Explanation of a table, its arrays do not fit each other, or ``exact`` is said of values that do not add
            up to what the model predicts.
    """
    if not isinstance(given, shap.Explanation):
        hint = "what explainer(X) gives; explainer.shap_values(X) gives bare arrays, without base values and names"
        msg = f"from_shap was given a {type(given).__name__}; wanted a shap.Explanation: {hint}."
        raise InputError(msg)
    arrays = _arrays(given)
    order = _order(given, arrays.values.shape[1], model)
    rows = _rows(given, arrays.values.shape[:2], model, (data, y), order)
    arrays = arrays.ordered(order)
    count = arrays.values.shape[2]
    found, predictions = _checked(arrays.total, rows, model)
    if space is not None and found is not None and space != found:
        msg = f"These values add up to the {found} that {model.name if model else 'the model'} predicts, not to its {space}."
        raise InputError(msg)
    additive = model is None or found is not None or space == "log_loss"
    if exact and not additive:
        off = "" if predictions is None else f": they miss it by up to {float(np.nanmax(np.abs(arrays.total - predictions))):.3g}"
        msg = f"These values do not add up to what the model predicts{off}. Exact values would; leave exact= out."
        raise InputError(msg)
    seconds = given.compute_time
    known = np.asarray(np.isfinite(arrays.values).all(axis=(1, 2))).tolist()
    return Attribution(
        values=arrays.values,
        base_values=arrays.base,
        predictions=arrays.total if additive or predictions is None else predictions,
        dataset=rows,
        output_names=_output_names(given, count, model),
        space=space or found or "value",
        exact=exact,
        additive=additive,
        std_errors=None if exact else arrays.errors,
        interactions=arrays.pairs,
        status=tuple("ok" if fine else "shap has no values for this row" for fine in known),
        provenance=Provenance(
            METHOD,
            params={"space": space},
            seconds=float(seconds) if seconds is not None and math.isfinite(seconds) else 0.0,
            versions={"shap": shap.__version__},
            model_hash="" if model is None else model.model_hash,
            data_hash=rows.content_hash(),
        ),
        background_note="what shap's explainer was given",
        model=model,
    )


def _arrays(given: Any) -> Arrays:
    """Give every array all of its axes.

    Raises:
        InputError: If their shapes do not fit each other.
    """
    try:
        values = np.asarray(given.values, dtype=np.float64)
        base = np.asarray(given.base_values, dtype=np.float64) if given.base_values is not None else None
    except (TypeError, ValueError) as error:
        msg = f"The values are ragged or no numbers, as those of texts are: {error}. from_shap takes tables."
        raise InputError(msg) from error
    if base is None:
        msg = "The Explanation has no base_values, so what its values are counted from is unknown. Set them to explainer.expected_value."
        raise InputError(msg)
    alone = _alone(given, values, base)
    if alone:
        values = values[None]
    if values.ndim not in (2, 3, 4) or (values.ndim == 4 and values.shape[1] != values.shape[2]):
        msg = f"The values have shape {np.shape(given.values)}; wanted (rows, features) or (rows, features, outputs)."
        raise InputError(msg)
    pairs = None
    if values.ndim == 4 or _are_pairs(values, base, alone):
        pairs = values if values.ndim == 4 else values[..., None]
        values = pairs.sum(axis=2)
    values = values if values.ndim == 3 else values[..., None]
    errors = None if pairs is not None else _errors(given.error_std, values.shape)
    return Arrays(values.copy(), _base(base, len(values), values.shape[2], alone=alone), errors, None if pairs is None else pairs.copy())


def _alone(given: Any, values: Floats, base: Floats) -> bool:
    """Whether it is one row, without an axis for rows."""
    if values.ndim <= 1:
        return True
    if given.data is not None:
        return len(getattr(given.data, "shape", None) or np.shape(given.data)) == 1
    names = 0 if given.feature_names is None else len(given.feature_names)
    return values.shape[0] == names != values.shape[1] and base.ndim < 2 and base.size in (1, values.shape[1])


def _are_pairs(values: Floats, base: Floats, alone: bool) -> bool:
    """Whether the last two axes are both features: as many, symmetric, and not as many outputs as there are base values."""
    if values.ndim != 3 or values.shape[1] != values.shape[2]:
        return False
    rows, _, last = values.shape
    outputs = base.ndim > 0 and base.shape[-1] == last > 1 and (alone or base.ndim == 2 or last != rows)
    return not outputs and bool(np.allclose(values, values.transpose(0, 2, 1), atol=1e-6, equal_nan=True))


def _base(base: Floats, rows: int, outputs: int, *, alone: bool) -> Floats:
    """Base values as (rows, outputs), from one number, one a row, one an output, or all."""
    shape = (rows, outputs)
    if base.ndim == 1 and base.size == rows and outputs == 1 and not alone:
        base = base[:, None]
    fits = base.size == 1 or base.shape in (shape, (1, outputs), (outputs,))
    if not fits:
        msg = f"The base values have shape {base.shape}, the values are of {rows} rows and {outputs} outputs; wanted one for each output."
        raise InputError(msg)
    return np.broadcast_to(base.reshape(()) if base.size == 1 else base, shape).copy()


def _errors(given: Any, shape: tuple[int, ...]) -> Floats | None:
    """Standard errors of the shape of the values, or None."""
    if given is None or np.asarray(given).dtype == object:
        return None
    found = np.asarray(given, dtype=np.float64)
    if found.size != math.prod(shape):
        msg = f"error_std has shape {found.shape}, the values have shape {shape}; wanted one for each."
        raise InputError(msg)
    return found.reshape(shape).copy()


def _order(given: Any, features: int, model: Model | None) -> list[int]:
    """Where the model's columns stand among those of the Explanation: as they come, unless the names say otherwise."""
    names, columns = _names(given, features), () if model is None else model.schema.names
    if names is None or sorted(names) != sorted(columns) or len(set(names)) < len(names):
        return list(range(features))
    return [names.index(column) for column in columns]


def _rows(given: Any, shape: tuple[int, int], model: Model | None, said: tuple[Any, Any], order: list[int]) -> Dataset:
    """The explained rows: those given beside, else those of the Explanation, their categories as they are displayed."""
    data, y = said
    if data is not None:
        rows = frames.read(data, schema=None if model is None else model.schema, y=y)
    elif model is not None:
        rows = frames.read(_table(given, shape)[:, order], schema=model.schema, y=y)
    else:
        rows = frames.read(_table(given, shape), feature_names=_names(given, shape[1]), y=y)
    if (len(rows), len(rows.schema)) != shape:
        of = "data" if data is not None else "model" if model is not None else "Explanation"
        msg = f"The values are of {shape[0]} rows and {shape[1]} features, the {of} has {len(rows)} rows and {len(rows.schema)} columns."
        raise InputError(msg)
    return rows


def _names(given: Any, features: int) -> list[str] | None:
    names = given.feature_names
    if names is None:
        return None
    if len(names) != features or not all(isinstance(name, str | int | float | np.generic) for name in names):
        msg = f"feature_names has {len(names)} entries for {features} features; from_shap takes tables, with one name a column."
        raise InputError(msg)
    return [str(name) for name in names]


def _table(given: Any, shape: tuple[int, int]) -> NDArray[Any]:
    """The facts: numbers, and where a column is displayed as text, that text."""
    data, shown = (_two(given, name, shape) for name in ("data", "display_data"))
    if data is None:
        return np.full(shape, np.nan) if shown is None else shown
    if data.dtype.kind in "biuf" and shown is None:
        return data
    table = data.astype(object)
    for j in range(shape[1]):
        if shown is not None and any(isinstance(value, str) for value in shown[:, j]):
            gone = [isinstance(value, float) and math.isnan(value) for value in data[:, j].tolist()]
            table[:, j] = [None if missing else value for value, missing in zip(shown[:, j], gone, strict=True)]
    try:
        return table.astype(np.float64)
    except (TypeError, ValueError):
        return table


def _two(given: Any, name: str, shape: tuple[int, int]) -> NDArray[Any] | None:
    found = getattr(given, name)
    if found is None:
        return None
    found = found.toarray() if hasattr(found, "toarray") else found.to_numpy() if hasattr(found, "to_numpy") else np.asarray(found)
    found = found[None] if found.ndim == 1 else found
    if found.shape != shape:
        msg = f"The Explanation's {name} has shape {found.shape}, its values are of {shape[0]} rows and {shape[1]} features."
        raise InputError(msg)
    return np.asarray(found)


def _checked(total: Floats, rows: Dataset, model: Model | None) -> tuple[str | None, Floats | None]:
    """Which of the model's spaces the values add up to, if any, and what it predicts."""
    if model is None:
        return None, None
    said = model.predict_matrix(rows.matrix)
    count = total.shape[1]
    plain = "probability" if model.task == "classification" else "value"
    if count == 1 and said.shape[1] == 2:
        said = said[:, 1:]
    if count != said.shape[1]:
        return None, None
    if _near(total, said):
        return plain, said
    with np.errstate(over="ignore"):
        linked = np.exp(total - total.max(axis=1, keepdims=True)) if count > 1 else 1.0 / (1.0 + np.exp(-total))
    linked = linked / linked.sum(axis=1, keepdims=True) if count > 1 else linked
    if plain == "probability" and _near(linked, said):
        return "margin", said
    return None, said


def _near(found: Floats, said: Floats) -> bool:
    """Whether they are equal up to rounding, in the rows that have both."""
    both = np.isfinite(found).all(axis=1) & np.isfinite(said).all(axis=1)
    return bool((np.abs(found - said)[both] <= NEAR * np.maximum(1.0, np.abs(said[both]))).all())


def _output_names(given: Any, count: int, model: Model | None) -> tuple[str, ...]:
    names, unnamed = given.output_names, tuple(f"Output {k}" for k in range(count))
    if isinstance(names, str) and count == 1:
        return (names,)
    listed = names is not None and not isinstance(names, str) and len(names) == count
    found = tuple(str(name) for name in names) if listed else unnamed
    if found != unnamed:  # what shap calls outputs that it was given no names for
        return found
    known = () if model is None else model.outputs
    if count == len(known):
        return known
    if count == 1:
        return known[1:] if len(known) == 2 else ("prediction",)
    return unnamed
