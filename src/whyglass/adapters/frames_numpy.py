"""numpy 2-D arrays, numeric or object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.adapters import frames_out as out
from whyglass.adapters.frames_raw import Floats, Raw, factorise, from_microseconds, from_objects, shown, to_microseconds
from whyglass.core.errors import InputError
from whyglass.core.schema import Column, Schema


def open_frame(X: Any) -> NDArray[Any]:
    """Any array-like as a 2-D array.

    Raises:
        InputError: If it is no table of numbers, text or dates.
    """
    if hasattr(X, "toarray"):
        raise InputError(f"X is a sparse {type(X).__name__}; wanted a dense table. Give X.toarray().")
    if isinstance(X, np.ma.MaskedArray):
        X = np.ma.filled(X.astype(object if X.dtype.kind in "USO" else float), np.nan)
    try:
        array = np.asarray(X) if hasattr(X, "dtype") else np.asarray(_rows(X))
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"X is no table: {error}. Wanted a 2-D array or a frame.") from None
    if array.ndim != 2:
        hint = " For one row give X[None, :]." if array.ndim == 1 else ""
        raise InputError(f"X has {array.ndim} dimension(s), shape {array.shape}; wanted a table (rows, columns).{hint}")
    if array.dtype.kind not in "biufOUSMm":
        raise InputError(f"X has dtype {array.dtype}; wanted numbers, text, dates or objects.")
    return array


def _rows(X: Any) -> Any:
    if not isinstance(X, (list, tuple)):
        raise InputError(f"X is {shown(X)}; wanted a numpy array, pandas or polars frame, or pyarrow Table.")
    mixed = any(isinstance(v, (str, type(None))) for row in X[:100] if isinstance(row, (list, tuple)) for v in row)
    return np.array(X, dtype=object) if mixed else X


def names(frame: NDArray[Any]) -> list[tuple[str, str]]:
    """(name, label mark) of every column."""
    return [(f"x{i}", "") for i in range(frame.shape[1])]


def column(frame: NDArray[Any], place: int, name: str) -> Raw:
    """One column."""
    values = frame[:, place]
    return array_column(name, values)


def array_column(name: str, values: NDArray[Any]) -> Raw:
    """A 1-D array of any type."""
    dtype, kind = str(values.dtype), values.dtype.kind
    if kind in "iuf":
        return Raw(name, dtype, numbers=values.astype(np.float64), whole=kind in "iu")
    if kind == "b":
        return Raw(name, dtype, "categorical", codes=values.astype(np.intp), values=(False, True), declared=True)
    if kind in "Mm":
        return Raw(name, dtype, "time" if kind == "M" else "numeric", from_microseconds(values))
    if kind in "US":
        unique, codes = np.unique(values, return_inverse=True)
        return Raw(name, dtype, "categorical", codes=codes.astype(np.intp), values=tuple(unique.tolist()))
    return from_objects(name, *factorise(name, values.tolist()))


def writer(schema: Schema) -> Callable[[Floats], NDArray[Any]]:
    """How to write encoded rows: the dtype they came in as, objects where the columns differ in kind."""
    kinds = {out.plain(c) for c in schema.columns}
    if len(kinds) == 1 and all(c.kind == "numeric" for c in schema.columns) and np.dtype(_number_type(next(iter(kinds)))).kind in "iuf":
        dtype = np.dtype(_number_type(next(iter(kinds))))
        return lambda matrix: out.numbers(matrix, dtype)
    makers = [maker(c) for c in schema.columns]
    dtypes = {_number_type(k) for k in kinds}
    same = kinds.pop() if len(kinds) == 1 else ""
    numeric = bool(dtypes) and "" not in dtypes

    def write(matrix: Floats) -> NDArray[Any]:
        arrays = [make(np.ascontiguousarray(matrix[:, i])) for i, make in enumerate(makers)]
        if (same and not same.startswith("object")) or numeric:
            return np.column_stack(arrays) if arrays else matrix.copy()
        result = np.empty(matrix.shape, dtype=object)
        for i, array in enumerate(arrays):
            # nanoseconds would become whole numbers among objects, microseconds become datetimes
            result[:, i] = array.astype(f"{array.dtype.kind}8[us]") if array.dtype.kind in "Mm" else array
        return result

    return write


def _number_type(dtype: str) -> str:
    """The numpy number type of that name, "" when there is none."""
    try:
        return dtype if np.dtype(dtype).kind in "iufb" else ""
    except TypeError:
        return ""


def maker(column: Column) -> Callable[[Floats], NDArray[Any]]:
    """How one column's encoded values become a 1-D array."""
    dtype = out.plain(column)
    missing = out.marker(dtype)
    if column.kind == "categorical":
        return _category_maker(column, dtype, missing)
    if dtype.startswith("object"):
        return lambda values: out.objects(values, dtype, missing)
    if dtype.startswith(("datetime64", "timedelta64")):
        target = np.dtype(dtype)
        return lambda values: to_microseconds(values, "datetime64[us]" if target.kind == "M" else "timedelta64[us]").astype(target)
    number = np.dtype(_number_type(dtype) or "float64")
    return lambda values: out.numbers(values, number)


def _category_maker(column: Column, dtype: str, missing: Any) -> Callable[[Floats], NDArray[Any]]:
    categories = column.categories
    count = len(categories)
    if dtype == "bool":
        lookup = out.table(categories, missing)

        def flags(values: Floats) -> NDArray[Any]:
            place = out.places(values, count)
            return place.astype(bool) if bool((place < 2).all()) else lookup[place]

        return flags
    if _number_type(dtype):
        known = np.array([*categories, out.unseen(categories) if count else 0, np.nan], dtype=np.float64)
        return lambda values: out.numbers(known[out.places(values, count)], np.dtype(dtype))
    if dtype.startswith(("<U", ">U", "|S", "S", "U")):
        text = np.array([*categories, out.UNSEEN, "nan"])
        return lambda values: text[out.places(values, count)]
    lookup = out.table(categories, missing)
    return lambda values: lookup[out.places(values, count)]


def take(frame: NDArray[Any], rows: NDArray[np.intp]) -> NDArray[Any]:
    """Rows by position."""
    return frame[rows]


def stack(pieces: list[NDArray[Any]]) -> NDArray[Any]:
    """Arrays below each other."""
    return np.concatenate(pieces)


def assemble(columns: dict[str, Any]) -> NDArray[Any]:
    """Named columns side by side; objects when they differ in kind."""
    arrays = [np.asarray(v) for v in columns.values()]
    if arrays and not all(a.dtype.kind in "biuf" for a in arrays):
        arrays = [a.astype(object) for a in arrays]
    return np.column_stack(arrays) if arrays else np.empty((0, 0))


def from_arrow(table: Any) -> NDArray[Any]:
    """A pyarrow Table as an array, objects when the columns differ in kind."""
    return assemble({name: table.column(i).to_numpy() for i, name in enumerate(table.column_names)})
