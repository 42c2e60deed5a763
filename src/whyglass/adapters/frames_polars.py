"""polars DataFrames."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from whyglass.adapters import frames_out as out
from whyglass.adapters.frames_raw import Floats, Raw, factorise, from_objects, to_microseconds
from whyglass.core.errors import InputError
from whyglass.core.schema import Column, Schema


def open_frame(X: Any) -> pl.DataFrame:
    """The frame itself; a LazyFrame is collected.

    Raises:
        InputError: If it is a Series.
    """
    if isinstance(X, pl.LazyFrame):
        return X.collect()
    if not isinstance(X, pl.DataFrame):
        raise InputError(f"X is a polars {type(X).__name__}; wanted a DataFrame. For one column give X.to_frame().")
    return X


def names(frame: pl.DataFrame) -> list[tuple[str, str]]:
    """(name, label mark) of every column."""
    return [(c, "") for c in frame.columns]


def column(frame: pl.DataFrame, place: int, name: str) -> Raw:
    """One column."""
    return series(frame.to_series(place), name)


def series(values: pl.Series, name: str) -> Raw:
    """One Series."""
    dtype = values.dtype
    if dtype.is_numeric():
        return Raw(name, _name(dtype), numbers=_floats(values.cast(pl.Float64)), whole=dtype.is_integer())
    if dtype == pl.Boolean:
        codes = values.cast(pl.Int8).fill_null(-1).to_numpy().astype(np.intp)
        return Raw(name, "Boolean", "categorical", codes=codes, values=(False, True), declared=True)
    if dtype.is_temporal():
        return _time(values, name)
    if isinstance(dtype, pl.Enum):
        return _enum(values, name, "Enum", declared=True)
    if isinstance(dtype, (pl.String, pl.Categorical)):
        text = values.cast(pl.String)
        unique = text.drop_nulls().unique().sort()
        return _enum(text.cast(pl.Enum(unique)), name, _name(dtype), declared=False)
    if isinstance(dtype, (pl.Object, pl.Null)):
        return from_objects(name, *factorise(name, values.to_list()))
    raise _unreadable(name, dtype)


def _time(values: pl.Series, name: str) -> Raw:
    dtype = values.dtype
    if isinstance(dtype, (pl.Date, pl.Datetime)):
        return Raw(name, _name(dtype), "time", _floats(values.dt.epoch("us").cast(pl.Float64)) / 1e6)
    if isinstance(dtype, pl.Duration):
        return Raw(name, _name(dtype), numbers=_floats(values.dt.total_microseconds().cast(pl.Float64)) / 1e6)
    raise _unreadable(name, dtype)


def _unreadable(name: str, dtype: Any) -> InputError:
    return InputError(f"Column {name!r} is {dtype}; wanted numbers, text, categories or dates.")


def _name(dtype: Any) -> str:
    if isinstance(dtype, pl.Datetime):
        return f"Datetime[{dtype.time_unit},{dtype.time_zone or ''}]"
    if isinstance(dtype, pl.Duration):
        return f"Duration[{dtype.time_unit}]"
    return str(dtype.base_type().__name__)


def _floats(values: pl.Series) -> Floats:
    return values.fill_null(float("nan")).to_numpy().astype(np.float64)


def _enum(values: pl.Series, name: str, dtype: str, *, declared: bool) -> Raw:
    categories = tuple(values.dtype.categories)  # type: ignore[attr-defined]
    codes = values.to_physical().cast(pl.Int64).fill_null(-1).to_numpy().astype(np.intp)
    return Raw(name, dtype, "categorical", codes=codes, values=categories, declared=declared, ordered=declared)


def writer(schema: Schema) -> Callable[[Floats], pl.DataFrame]:
    """How to write encoded rows as a DataFrame with the columns and dtypes of the schema."""
    makers = [maker(c) for c in schema.columns]

    def write(matrix: Floats) -> pl.DataFrame:
        return pl.DataFrame([make(np.ascontiguousarray(matrix[:, i])) for i, make in enumerate(makers)])

    return write


def maker(column: Column) -> Callable[[Floats], pl.Series]:
    """How one column's encoded values become a Series."""
    name, text = column.name, out.plain(column)
    if column.kind == "categorical":
        return _category_maker(column, text)
    if column.kind == "time" or text.startswith("Duration"):
        target = _time_type(text)
        kind = "timedelta64[us]" if text.startswith("Duration") else "datetime64[us]"
        return lambda values: _moments(pl.Series(name, to_microseconds(values, kind)), target)
    dtype = _number_type(text)
    return lambda values: _numbers(name, values, dtype)


def _number_type(text: str) -> Any:
    found = getattr(pl, text, None)
    known = isinstance(found, type) and issubclass(found, pl.DataType) and found.is_numeric() and found != pl.Decimal
    return found if known else pl.Float64


def _time_type(text: str) -> Any:
    head, _, rest = text.removesuffix("]").partition("[")
    if head == "Date":
        return pl.Date
    if head == "Duration":
        return pl.Duration(rest or "us")  # type: ignore[arg-type]
    unit, _, zone = rest.partition(",")
    return pl.Datetime(unit if unit in {"ms", "us", "ns"} else "us", zone or None)  # type: ignore[arg-type]


def _moments(values: pl.Series, target: Any) -> pl.Series:
    zone = getattr(target, "time_zone", None)
    return (values.dt.replace_time_zone("UTC").dt.convert_time_zone(zone) if zone else values).cast(target)


def _numbers(name: str, values: Floats, dtype: Any) -> pl.Series:
    if not dtype.is_integer():
        return pl.Series(name, values.copy(), nan_to_null=True).cast(dtype)
    gone = np.isnan(values)
    kept = np.where(gone, 0.0, values)
    if not bool((kept == np.floor(kept)).all()):
        return pl.Series(name, values.copy(), nan_to_null=True)
    made = pl.Series(name, kept.astype(np.int64)).cast(dtype)
    return made if not gone.any() else made.zip_with(pl.Series(~gone), pl.Series(name, [None], dtype=dtype))


def _category_maker(column: Column, text: str) -> Callable[[Floats], pl.Series]:
    name, categories, count = column.name, column.categories, len(column.categories)
    if out.flags(categories):
        known = pl.Series(name, [*categories, None, None], dtype=pl.Boolean)
    elif text == "Enum" and all(isinstance(c, str) for c in categories):
        known = pl.Series(name, [*categories, None, None], dtype=pl.Enum(list(categories)))
    elif categories and all(isinstance(c, (int, float)) and not isinstance(c, bool) for c in categories):
        known = pl.Series(name, [*categories, out.unseen(categories), None], strict=False).cast(_number_type(text))
    else:
        dtype = pl.Categorical if text == "Categorical" else pl.String
        known = pl.Series(name, [*map(str, categories), out.UNSEEN, None], dtype=pl.String).cast(dtype)
    return lambda values: known.gather(out.places(values, count).astype(np.uint32))


def take(frame: pl.DataFrame, rows: NDArray[np.intp]) -> pl.DataFrame:
    """Rows by position."""
    return frame[rows]


def stack(pieces: list[pl.DataFrame]) -> pl.DataFrame:
    """Frames below each other."""
    return pl.concat(pieces)


def assemble(columns: Mapping[str, Any]) -> pl.DataFrame:
    """Named columns as a DataFrame."""
    return pl.DataFrame({k: v.tolist() if isinstance(v, np.ndarray) and v.dtype == object else v for k, v in columns.items()})


def from_arrow(table: Any) -> pl.DataFrame:
    """A pyarrow Table as a DataFrame."""
    return pl.DataFrame(pl.from_arrow(table))
