"""Columns on their way in: what every kind of frame is reduced to, and how that becomes a Column and encoded numbers.

Numpy only. ``Raw`` is what ``frames_<library>.column`` gives for one column.
"""

from __future__ import annotations

import datetime as dt
import decimal
import math
import numbers
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from whyglass.core.errors import InputError
from whyglass.core.schema import Column

Floats = NDArray[np.float64]
GRID = 64
GRID_ROWS = 200_000
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, eq=False)
class Raw:
    """One column as a frame has it.

    Attributes:
        name: The column's name.
        dtype: Its type in the notation of ``Column.dtype``.
        kind: "numeric", "time" (seconds since 1970, UTC) or "categorical".
        numbers: float64 values, NaN missing; None for a categorical.
        codes: Positions in ``values``, -1 missing; None for numbers.
        values: What the codes stand for.
        declared: Whether the frame itself declares these values and their order.
        ordered: Whether the frame says that the order means something.
        whole: Whether the type holds whole numbers only.
    """

    name: str
    dtype: str
    kind: Literal["numeric", "time", "categorical"] = "numeric"
    numbers: Floats | None = None
    codes: NDArray[np.intp] | None = None
    values: tuple[Any, ...] = ()
    declared: bool = False
    ordered: bool = False
    whole: bool = False


def is_missing(value: Any) -> bool:
    """Whether a Python value stands for "no value": None, NaN, NaT, pandas.NA."""
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return True
    if isinstance(value, (float, np.floating, decimal.Decimal)):
        return math.isnan(value)
    return isinstance(value, (np.datetime64, np.timedelta64)) and bool(np.isnat(value))


def factorise(name: str, items: Sequence[Any]) -> tuple[NDArray[np.intp], list[Any], Any]:
    """Codes (-1 missing), distinct values in order of appearance, and the first missing marker (NaN when none is missing).

    Raises:
        InputError: If a value cannot be a category, such as a list.
    """
    try:
        distinct = dict.fromkeys(items)
    except TypeError:
        bad = next(v for v in items if getattr(v, "__hash__", None) is None)
        raise InputError(f"Column {name!r} holds {shown(bad)}; wanted numbers, text, categories or dates.") from None
    values: list[Any] = []
    lookup: dict[Any, int] = {}
    markers: list[Any] = []
    for value in distinct:
        if is_missing(value):
            markers.append(value)
            lookup[value] = -1
        else:
            lookup[value] = len(values)
            values.append(value.item() if isinstance(value, np.generic) and not isinstance(value, np.datetime64) else value)
    codes = np.fromiter(map(lookup.__getitem__, items), dtype=np.intp, count=len(items))
    return codes, values, markers[0] if markers else math.nan


def from_objects(name: str, codes: NDArray[np.intp], values: Sequence[Any], marker: Any) -> Raw:
    """A column of Python objects: numbers if all are, dates if all are, else categories."""
    suffix = _suffix(marker)
    if values and all(_is_number(v) for v in values):
        whole = all(isinstance(v, numbers.Integral) for v in values)
        table = np.array([float(v) for v in values] + [math.nan])
        return Raw(name, f"object[{'int' if whole else 'float'}]{suffix}", numbers=table[codes], whole=whole)
    if values and all(isinstance(v, dt.date) for v in values):
        kind = "datetime" if isinstance(values[0], dt.datetime) else "date"
        table = np.array([seconds(v) for v in values] + [math.nan])
        return Raw(name, f"object[{kind}]{suffix}", "time", table[codes])
    return Raw(name, f"object{suffix}", "categorical", codes=codes, values=tuple(values))


def _suffix(marker: Any) -> str:
    if marker is None:
        return "|None"
    return {"NAType": "|NA", "NaTType": "|NaT"}.get(type(marker).__name__, "")


def _is_number(value: Any) -> bool:
    return isinstance(value, (numbers.Real, decimal.Decimal)) and not isinstance(value, (bool, np.bool_))


def seconds(value: dt.date) -> float:
    """Seconds since 1970; a date is its midnight, a time without zone is read as UTC."""
    if not isinstance(value, dt.datetime):
        value = dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    elif value.tzinfo is None:
        value = value.replace(tzinfo=dt.UTC)
    return (value - EPOCH) / dt.timedelta(seconds=1)


def from_microseconds(values: NDArray[Any]) -> Floats:
    """datetime64 or timedelta64 to float seconds, NaT to NaN."""
    unit = "datetime64[us]" if values.dtype.kind == "M" else "timedelta64[us]"
    whole = values.astype(unit).astype(np.int64)
    return np.where(np.isnat(values), np.nan, whole / 1e6)


def to_microseconds(values: Floats, kind: str = "datetime64[us]") -> NDArray[Any]:
    """Float seconds to datetime64[us] or timedelta64[us], NaN to NaT."""
    gone = np.isnan(values)
    whole = np.rint(np.where(gone, 0.0, values) * 1e6).astype(np.int64).astype(kind)
    whole[gone] = np.array("NaT", dtype=kind)
    return whole


def as_categories(raw: Raw) -> Raw:
    """Numbers turned into categories, ascending."""
    if raw.numbers is None:
        return raw
    gone = np.isnan(raw.numbers)
    unique, inverse = np.unique(raw.numbers[~gone], return_inverse=True)
    codes = np.full(len(raw.numbers), -1, dtype=np.intp)
    codes[~gone] = inverse
    whole = bool(np.isfinite(unique).all() and (unique == np.floor(unique)).all())
    values = tuple(int(v) if whole else float(v) for v in unique)
    return replace(raw, kind="categorical", numbers=None, codes=codes, values=values, declared=True)


def infer(raw: Raw, *, categorical: bool = False, protected: bool = False) -> Column:
    """What a column is, learnt from its own values."""
    raw = as_categories(raw) if categorical else raw
    role: Literal["protected", "feature"] = "protected" if protected else "feature"
    if raw.kind == "categorical":
        values = raw.values if raw.declared else tuple(in_order(raw.values))
        return Column(raw.name, "categorical", role, raw.dtype, categories=values, ordered=raw.ordered)
    if raw.numbers is None:
        raise InputError(f"Column {raw.name!r} has no values that whyglass can read.")
    low, high, whole, grid = _range(raw.numbers)
    return Column(raw.name, raw.kind, role, raw.dtype, minimum=low, maximum=high, integer=raw.whole or whole, grid=grid)


def _range(values: Floats) -> tuple[float, float, bool, tuple[float, ...]]:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return math.nan, math.nan, False, ()
    low, high = float(finite.min()), float(finite.max())
    whole = bool((finite == np.floor(finite)).all())
    some = finite if len(finite) <= GRID_ROWS else np.append(finite[:: len(finite) // GRID_ROWS + 1], [low, high])
    unique = np.unique(some)
    if len(unique) > GRID:
        unique = unique[np.rint(np.linspace(0, len(unique) - 1, GRID)).astype(np.intp)]
    return low, high, whole, tuple(unique.tolist())


def in_order(values: Iterable[Any]) -> list[Any]:
    """Ascending where the values can be compared, else by type and text."""
    values = list(values)
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=lambda v: (type(v).__name__, str(v)))


def encode(raw: Raw, column: Column) -> Floats:
    """The column's values as the schema encodes them.

    Raises:
        InputError: If the values are of another kind than the schema's column.
    """
    if column.kind == "categorical":
        return _encode_numbers(raw, column) if raw.codes is None else _encode_codes(raw.codes, raw, column)
    if raw.codes is not None:
        return _encode_as_numbers(raw.codes, raw, column)
    if raw.kind != column.kind:
        raise _wrong(column, _first(raw), _WANTED[column.kind])
    return raw.numbers if raw.numbers is not None else np.empty(0)


_WANTED = {"numeric": "a number", "time": "a date or time"}


def _encode_codes(codes: NDArray[np.intp], raw: Raw, column: Column) -> Floats:
    if raw.values == column.categories:
        return np.where(codes < 0, np.nan, codes)
    lookup = {value: code for code, value in enumerate(column.categories)}
    table = np.array([float(lookup.get(v, -1)) for v in raw.values] + [math.nan])
    unseen = np.flatnonzero(table == -1)
    if len(unseen) and column.categories:
        text = {isinstance(v, str) for v in column.categories}
        for place in unseen:
            if text == {not isinstance(raw.values[place], str)} and (codes == place).any():
                raise _wrong(column, raw.values[place], _one_of(column))
    return table[codes]


def _encode_numbers(raw: Raw, column: Column) -> Floats:
    given = raw.numbers if raw.numbers is not None else np.empty(0)
    gone = np.isnan(given)
    if gone.all():
        return given
    if raw.kind != "numeric" or not all(isinstance(v, bool) or _is_number(v) for v in column.categories):
        raise _wrong(column, _first(raw), _one_of(column))
    known = np.array([float(v) for v in column.categories])
    order = np.argsort(known)
    place = np.searchsorted(known[order], given).clip(max=max(len(known) - 1, 0))
    if not len(known):
        return np.where(gone, np.nan, -1.0)
    code = order[place]
    return np.where(gone, np.nan, np.where(known[code] == given, code, -1.0))


def _encode_as_numbers(codes: NDArray[np.intp], raw: Raw, column: Column) -> Floats:
    """Categories given where numbers are wanted: fine if their values are numbers (or booleans)."""
    table = np.full(len(raw.values) + 1, math.nan)
    for place, value in enumerate(raw.values):
        if column.kind == "numeric" and (_is_number(value) or isinstance(value, bool)):
            table[place] = float(value)
        elif (codes == place).any():
            raise _wrong(column, value, _WANTED[column.kind])
    return table[codes]


def _first(raw: Raw) -> Any:
    given = raw.numbers if raw.numbers is not None else np.empty(0)
    seen = given[~np.isnan(given)]
    if not len(seen):
        return "nothing"
    return (EPOCH + dt.timedelta(seconds=float(seen[0]))).isoformat() if raw.kind == "time" else float(seen[0])


def _one_of(column: Column) -> str:
    some = ", ".join(repr(v) for v in column.categories[:6])
    return f"one of {some}" + (f" and {len(column.categories) - 6} more" if len(column.categories) > 6 else "")


def _wrong(column: Column, value: Any, wanted: str) -> InputError:
    return InputError(f"Column {column.name!r} holds {shown(value)}, wanted {wanted} ({column.kind} column).")


def shown(value: Any) -> str:
    """A value quoted for an error message, shortened, with its type."""
    text = repr(value)
    return f"{text[:60] + '…' if len(text) > 60 else text} ({type(value).__name__})"
