"""pandas 2 and 3 DataFrames."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types

from whyglass.adapters import frames_out as out
from whyglass.adapters.frames_raw import Floats, Raw, factorise, from_microseconds, from_objects, is_missing, to_microseconds
from whyglass.core.errors import InputError
from whyglass.core.schema import Column, Schema


def open_frame(X: Any) -> pd.DataFrame:
    """The frame itself.

    Raises:
        InputError: If it is a Series.
    """
    if not isinstance(X, pd.DataFrame):
        hint = "For one row give X.to_frame().T, for one column X.to_frame()."
        raise InputError(f"X is a pandas {type(X).__name__}; wanted a DataFrame. {hint}")
    return X


def names(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """(name, label mark) of every column; labels that are no text are spelt as Python literals."""
    return [(c, "") if isinstance(c, str) else (repr(c), out.LITERAL) if _literal(c) else (str(c), "") for c in frame.columns.tolist()]


def _literal(label: Any) -> bool:
    if isinstance(label, tuple):
        return all(isinstance(v, (str, int, float)) for v in label)
    return isinstance(label, (int, float, bool)) and not is_missing(label)


def column(frame: pd.DataFrame, place: int, name: str) -> Raw:
    """One column."""
    return series(frame.iloc[:, place], name)


def series(values: Any, name: str) -> Raw:
    """One Series."""
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return Raw(
            name, f"category[{dtype.categories.dtype}]", "categorical", codes=values.cat.codes.to_numpy().astype(np.intp),
            values=tuple(dtype.categories.tolist()), declared=True, ordered=bool(dtype.ordered),
        )  # fmt: skip
    if types.is_bool_dtype(dtype):
        flags = values.to_numpy(dtype=np.float64, na_value=np.nan)
        codes = np.where(np.isnan(flags), -1, flags).astype(np.intp)
        return Raw(name, str(dtype), "categorical", codes=codes, values=(False, True), declared=True)
    if types.is_complex_dtype(dtype):
        raise InputError(f"Column {name!r} holds complex numbers; wanted real numbers, text, categories or dates.")
    if types.is_numeric_dtype(dtype):
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        return Raw(name, str(dtype), numbers=numbers, whole=types.is_integer_dtype(dtype))
    return _others(values, name)


def _others(values: Any, name: str) -> Raw:
    dtype = values.dtype
    if types.is_datetime64_any_dtype(dtype):
        naive = values if getattr(dtype, "tz", None) is None else values.dt.tz_convert("UTC").dt.tz_localize(None)
        return Raw(name, str(dtype), "time", from_microseconds(naive.to_numpy(dtype="datetime64[us]")))
    if types.is_timedelta64_dtype(dtype):
        return Raw(name, str(dtype), "numeric", from_microseconds(values.to_numpy(dtype="timedelta64[us]")))
    return _values(values, name)


def _values(values: Any, name: str) -> Raw:
    try:
        codes, unique = pd.factorize(values)
    except TypeError:
        factorise(name, values.tolist())
        raise
    if values.dtype != object:
        return Raw(name, _text_type(values.dtype), "categorical", codes=codes.astype(np.intp), values=tuple(unique.tolist()))
    gone = np.flatnonzero(codes < 0)
    marker = values.iloc[int(gone[0])] if len(gone) else np.nan
    return from_objects(name, codes.astype(np.intp), unique.tolist(), marker)


def _text_type(dtype: Any) -> str:
    """Pandas writes its own text type kept in Arrow and Arrow's text type alike."""
    if isinstance(dtype, pd.StringDtype) and str(dtype) == "string":
        return f"string[{dtype.storage}]"
    return "utf8[pyarrow]" if isinstance(dtype, pd.ArrowDtype) and str(dtype) == "string[pyarrow]" else str(dtype)


def writer(schema: Schema) -> Callable[[Floats], pd.DataFrame]:
    """How to write encoded rows as a DataFrame with the columns and dtypes of the schema."""
    labels = pd.Index([out.label_of(c) for c in schema.columns], tupleize_cols=True)
    kinds = {out.plain(c) for c in schema.columns}
    if len(kinds) == 1 and all(c.kind == "numeric" for c in schema.columns) and (dtype := _plain_number(next(iter(kinds)))) is not None:
        return lambda matrix: pd.DataFrame(out.numbers(matrix, dtype), columns=labels, copy=False)
    makers = [maker(c) for c in schema.columns]

    def write(matrix: Floats) -> pd.DataFrame:
        arrays = {i: make(np.ascontiguousarray(matrix[:, i])) for i, make in enumerate(makers)}
        frame = pd.DataFrame(arrays, index=pd.RangeIndex(len(matrix)), copy=False)
        frame.columns = labels
        return frame

    return write


def _plain_number(dtype: str) -> np.dtype[Any] | None:
    try:
        found = np.dtype(dtype)
    except TypeError:
        return None
    return found if found.kind in "iuf" else None


def maker(column: Column) -> Callable[[Floats], Any]:
    """How one column's encoded values become a pandas array."""
    text = out.plain(column)
    if column.kind == "categorical":
        return _category_maker(column, text)
    number = _plain_number(text)
    dtype = _dtype(text)
    if number is not None or dtype is None:
        return lambda values: out.numbers(values, number or np.dtype(np.float64))
    if text.startswith("object"):
        return lambda values: _objects(out.objects(values, text, _marker(text)))
    if column.kind == "time":
        return lambda values: _moments(values, dtype)
    if types.is_timedelta64_dtype(dtype):
        return lambda values: to_microseconds(values, "timedelta64[us]").astype(dtype)
    return lambda values: _nullable(values, dtype)


def _category_maker(column: Column, text: str) -> Callable[[Floats], Any]:
    categories, count = column.categories, len(column.categories)
    if text.startswith("category") or (dtype := _dtype(text)) is None:
        index = _index(categories, text.removeprefix("category[").removesuffix("]"))
        target = pd.CategoricalDtype(index, ordered=column.ordered)
        return lambda values: pd.Categorical.from_codes(out.codes(values, count), dtype=target)
    if text.startswith("object"):
        table = out.table(categories, _marker(text))
        return lambda values: _objects(table[out.places(values, count)])
    if text == "bool":
        return _booleans
    if (number := _plain_number(text)) is not None:
        known = np.array([*categories, out.unseen(categories) if count else 0, np.nan], dtype=np.float64)
        return lambda values: out.numbers(known[out.places(values, count)], number)
    return _extension_maker(categories, dtype)


def _booleans(values: Floats) -> Any:
    place = out.places(values, 2)
    return place.astype(bool) if bool((place < 2).all()) else _objects(out.table((False, True), np.nan)[place])


def _extension_maker(categories: tuple[Any, ...], dtype: Any) -> Callable[[Floats], Any]:
    """Text, nullable booleans and the like: a small array of the values, taken from by position."""
    count = len(categories)
    strings = types.is_string_dtype(dtype)
    known_unseen = strings or (types.is_numeric_dtype(dtype) and not types.is_bool_dtype(dtype))
    words: list[Any] = [*categories, out.unseen(categories)] if known_unseen else list(categories)
    known = pd.array(words, dtype=dtype)

    def take(values: Floats) -> Any:
        place = out.places(values, count)
        place[place == count + 1] = -1
        if not known_unseen:
            place[place == count] = -1
        return known.take(place, allow_fill=True)

    return take


def _objects(values: NDArray[Any]) -> Any:
    """An object column stays one: pandas 3 would make text of it."""
    return pd.Series(values, dtype=object, copy=False)


def _index(categories: tuple[Any, ...], dtype: str) -> Any:
    known = None if dtype == "category" else _dtype(dtype)
    if known is None or isinstance(known, pd.IntervalDtype):
        return pd.Index(list(categories))
    return pd.Index(list(categories), dtype=known)


def _dtype(text: str) -> Any:
    """The pandas dtype of that name; None when pandas has none."""
    try:
        return types.pandas_dtype("object" if text.startswith("object") else text)
    except TypeError:
        return None


def _marker(text: str) -> Any:
    return {"NA": pd.NA, "NaT": pd.NaT}.get(text.partition("|")[2], out.marker(text))


def _moments(values: Floats, dtype: Any) -> Any:
    index = pd.DatetimeIndex(to_microseconds(values))
    zone = getattr(dtype, "tz", None)
    if zone is not None:
        index = index.tz_localize("UTC").tz_convert(zone)
    return index.astype(dtype).array


def _nullable(values: Floats, dtype: Any) -> Any:
    gone = np.isnan(values)
    kept = np.where(gone, 0.0, values)
    if types.is_integer_dtype(dtype):
        whole = kept.astype(np.int64)
        if not bool((whole == kept).all()):
            dtype = "Float64"
        else:
            kept = whole
    if not gone.any():
        return pd.array(kept, dtype=dtype)
    if isinstance(dtype, pd.SparseDtype):
        return pd.arrays.SparseArray(values, dtype=dtype)
    array = pd.array(kept, dtype=dtype)
    array[gone] = pd.NA
    return array


def take(frame: pd.DataFrame, rows: NDArray[np.intp]) -> pd.DataFrame:
    """Rows by position; the index stays."""
    return frame.iloc[rows]


def stack(pieces: list[pd.DataFrame]) -> pd.DataFrame:
    """Frames below each other; the index stays."""
    return pd.concat(pieces)


def assemble(columns: Mapping[str, Any]) -> pd.DataFrame:
    """Named columns as a DataFrame."""
    return pd.DataFrame(dict(columns))


def from_arrow(table: Any) -> pd.DataFrame:
    """A pyarrow Table as a DataFrame; an index that pandas stored in it comes back."""
    frame: pd.DataFrame = table.to_pandas()
    return frame
