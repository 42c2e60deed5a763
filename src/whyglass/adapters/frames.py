"""Any table in, the same kind of table out: numpy, pandas, polars, pyarrow.

``Column.dtype`` notation (so that a row can be written back exactly as it came): the type's own name in its library,
with what the name alone does not say added in brackets:

* numpy and pandas: "float64", "int8", "bool", "<U5", "datetime64[ns, Europe/Berlin]", "Int64", "str", "string", ...
* pandas categoricals: "category[<dtype of the categories>]", e.g. "category[str]"; the categories stand in the Column
* object columns: "object" for categories, "object[int]", "object[float]", "object[date]", "object[datetime]" for what is
  really numbers or dates; "|None", "|NA" or "|NaT" is appended when that, and not NaN, marks a missing value
* polars: "Float64", "Enum", "Categorical", "Datetime[us,UTC]", "Duration[us]", "Date", ...
* pyarrow: "double", "dictionary[int8,string]", "timestamp[us,UTC]", "date32[day]", ...
* a trailing "#": the label is no text but the Python literal that ``Column.name`` spells (pandas' integer labels, tuples)

A type that the frame at hand does not know is written as float64, text or that frame's categorical.
"""

from __future__ import annotations

import importlib.util
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.adapters import frames_numpy
from whyglass.adapters.frames_raw import Floats, Raw, encode, infer
from whyglass.core.errors import InputError, nearest
from whyglass.core.schema import Column, Dataset, Schema

FRAMES = ("numpy", "pandas", "polars", "arrow")
_writers: dict[tuple[int, str], tuple[weakref.ref[Schema], Callable[[Floats], Any]]] = {}


def _library(frame: str) -> Any:
    """The file that knows this kind of frame; a foreign library is imported when its first frame arrives."""
    if frame == "numpy":
        return frames_numpy
    if frame == "pandas":
        from whyglass.adapters import frames_pandas  # noqa: PLC0415  (imports pandas)

        return frames_pandas
    if frame == "polars":
        from whyglass.adapters import frames_polars  # noqa: PLC0415  (imports polars)

        return frames_polars
    if frame == "arrow":
        from whyglass.adapters import frames_arrow  # noqa: PLC0415  (imports pyarrow)

        return frames_arrow
    raise InputError(f"There is no kind of frame {frame!r}. {nearest(frame, FRAMES)}")


def kind_of(X: Any) -> str:
    """Which kind of frame this is: "numpy", "pandas", "polars" or "arrow"."""
    modules = {base.__module__.partition(".")[0] for base in type(X).__mro__}
    for module, frame in (("pandas", "pandas"), ("polars", "polars"), ("pyarrow", "arrow")):
        if module in modules:
            return frame
    return "arrow" if hasattr(X, "__arrow_c_stream__") else "numpy"


def read(
    X: Any,
    *,
    schema: Schema | None = None,
    y: Any = None,
    categorical: Sequence[str | int] | None = None,
    protected: Sequence[str | int] | None = None,
    feature_names: Sequence[str] | None = None,
) -> Dataset:
    """Encode a table.

    Args:
        X: (rows, columns) numpy array (numbers or objects), pandas or polars DataFrame, pyarrow Table, list of rows, or
            anything that speaks the Arrow stream protocol. Never written to.
        schema: Read by these columns: by name from a named frame (other columns are ignored), by position from numpy.
            Without it a schema is learnt from X.
        y: The recorded outcome of each row.
        categorical: Names or positions of columns to take as categories whatever their type.
        protected: Names or positions of columns that must not decide.
        feature_names: Names for the columns of a numpy array.

    Returns:
        The encoded table. A row with an infinity has its reason in ``problems``; the value is kept.

    Raises:
        InputError: If X is no table, a column is missing or of another kind than the schema's, or y has another length.
    """
    frame = kind_of(X)
    library = _library(frame)
    table = library.open_frame(X)
    rows = len(table) if frame != "arrow" else table.num_rows
    titles: list[tuple[str, str]] = library.names(table)
    titles = _renamed(titles, feature_names, frame)
    if schema is None:
        if not rows or not titles:
            raise InputError(f"X has {rows} rows and {len(titles)} columns; wanted at least one of each to learn what the columns are.")
        marks = [t[1] for t in titles]
        chosen = _chosen(categorical, titles, "categorical"), _chosen(protected, titles, "protected")
        raws = [library.column(table, i, name) for i, (name, _) in enumerate(titles)]
        columns = [_marked(infer(r, categorical=i in chosen[0], protected=i in chosen[1]), marks[i]) for i, r in enumerate(raws)]
        schema = Schema(tuple(columns))
    else:
        found = _positions(titles, schema, frame)
        raws = [library.column(table, i, c.name) for i, c in zip(found, schema.columns, strict=True)]
    matrix = _encoded(raws, schema, rows)
    return Dataset(schema, matrix, X, frame, _outcome(y, rows), _problems(matrix, schema))


def _marked(column: Column, mark: str) -> Column:
    return replace(column, dtype=column.dtype + mark) if mark else column


def _renamed(titles: list[tuple[str, str]], given: Sequence[str] | None, frame: str) -> list[tuple[str, str]]:
    if given is None:
        return titles
    named = [str(n) for n in given]
    if len(named) != len(titles):
        raise InputError(f"feature_names has {len(named)} names, X has {len(titles)} columns.")
    if frame == "numpy":
        return [(n, "") for n in named]
    if named != [t[0] for t in titles]:
        wrong = next(n for n, t in zip(named, titles, strict=True) if n != t[0])
        raise InputError(f"feature_names says {wrong!r}, but X names its own columns. {nearest(wrong, [t[0] for t in titles])}")
    return titles


def _chosen(wanted: Sequence[str | int] | None, titles: list[tuple[str, str]], what: str) -> set[int]:
    """Positions of the columns named; a number that is itself a label of the frame means that label."""
    if wanted is None:
        return set()
    if isinstance(wanted, (str, int)):
        wanted = [wanted]
    places: dict[str, list[int]] = {}
    for place, (name, _) in enumerate(titles):
        places.setdefault(name, []).append(place)
    result: set[int] = set()
    for key in wanted:
        position = isinstance(key, (int, np.integer)) and not any(mark for _, mark in titles)
        if position:
            if not -len(titles) <= int(key) < len(titles):
                raise InputError(f"{what} names column {key}; X has {len(titles)} columns.")
            result.add(int(key) % len(titles))
            continue
        name = key if isinstance(key, str) else repr(key)
        if name not in places:
            raise InputError(f"{what} names {key!r}, which X has not. {nearest(name, places)}")
        result.update(places[name])
    return result


def _positions(titles: list[tuple[str, str]], schema: Schema, frame: str) -> list[int]:
    if frame == "numpy":
        if len(titles) != len(schema):
            some = ", ".join(schema.names[:8]) + (", …" if len(schema) > 8 else "")
            raise InputError(f"X has {len(titles)} columns, wanted {len(schema)}: {some}.")
        return list(range(len(titles)))
    places: dict[str, list[int]] = {}
    for place in range(len(titles) - 1, -1, -1):
        places.setdefault(titles[place][0], []).append(place)
    given = {name for name, _ in titles}
    missing = [name for name in schema.names if name not in given]
    if missing:
        some = ", ".join(repr(n) for n in missing[:8]) + (f" and {len(missing) - 8} more" if len(missing) > 8 else "")
        raise InputError(f"X lacks {len(missing)} of {len(schema)} columns: {some}. For {missing[0]!r}: {nearest(missing[0], given)}")
    try:
        return [places[name].pop() for name in schema.names]
    except IndexError:
        short = next(n for n in schema.names if schema.names.count(n) > [t[0] for t in titles].count(n))
        raise InputError(f"X has fewer columns named {short!r} than the {schema.names.count(short)} wanted.") from None


def _encoded(raws: Sequence[Raw], schema: Schema, rows: int) -> Floats:
    matrix = np.empty((rows, len(raws)))
    for place, (raw, column) in enumerate(zip(raws, schema.columns, strict=True)):
        matrix[:, place] = encode(raw, column)
    return matrix


def _problems(matrix: Floats, schema: Schema) -> tuple[str, ...]:
    infinite = np.isinf(matrix)
    if not infinite.any():
        return ()
    names = schema.names
    result = [""] * len(matrix)
    for row in np.flatnonzero(infinite.any(axis=1)):
        result[row] = f"{names[int(infinite[row].argmax())]!r} is infinite"
    return tuple(result)


def _outcome(y: Any, rows: int) -> NDArray[Any] | None:
    if y is None:
        return None
    values = y.to_numpy() if hasattr(y, "to_numpy") else np.asarray(y)
    values = np.asarray(values)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 0 or len(values) != rows:
        raise InputError(f"y has shape {values.shape}, X has {rows} rows; wanted one outcome a row.")
    return values


def write(matrix: Floats, schema: Schema, frame: str) -> Any:
    """Encoded rows as the caller's kind of frame, with the dtypes that the schema's frame had.

    Whole-number columns become float64 where a value is missing or no whole number. A category never seen is written as
    the text "never seen before" (numbers: one above the largest), in categorical types as missing.

    Args:
        matrix: float64 (rows, columns).
        schema: The columns; the way to write them is kept for as long as the schema lives.
        frame: "numpy", "pandas", "polars" or "arrow".
    """
    key = (id(schema), frame)
    known = _writers.get(key)
    if known is None or known[0]() is not schema:
        reference = weakref.ref(schema, lambda _: _writers.pop(key, None) and None)
        known = (reference, _library(frame).writer(schema))
        _writers[key] = known
    return known[1](matrix)


def pick(source: Any, rows: Any) -> Any:
    """Rows of the caller's own frame by position; a pandas index is kept."""
    library = _library(kind_of(source))
    places = np.asarray(rows)
    places = np.flatnonzero(places) if places.dtype == bool else places.astype(np.intp)
    return library.take(library.open_frame(source), places)


def opened(X: Any) -> tuple[Any, int]:
    """The frame itself, ready to be read in parts (a LazyFrame collected, a list of rows as an array), and its number of rows.

    Raises:
        InputError: If X is no table.
    """
    kind = kind_of(X)
    table = _library(kind).open_frame(X)
    return table, len(table) if kind != "arrow" else table.num_rows


def join(pieces: Sequence[Any]) -> Any:
    """Frames of one kind and the same columns below each other; a pandas index is kept.

    Raises:
        InputError: If there are none, or they are of several kinds.
    """
    kinds = {kind_of(p) for p in pieces}
    if len(kinds) != 1:
        raise InputError(f"Cannot join {len(pieces)} frames of the kinds {sorted(kinds)}; wanted some, all of one kind.")
    library = _library(kinds.pop())
    return library.stack([library.open_frame(p) for p in pieces])


def best() -> str:
    """The kind of named frame to give when nobody said: pandas, else polars, else pyarrow, whichever is installed."""
    return next((f for f, module in (("pandas", "pandas"), ("polars", "polars")) if importlib.util.find_spec(module)), "arrow")


def build(
    columns: Mapping[str, Any],
    frame: str | None = None,
    *,
    categories: Mapping[str, Sequence[Any]] | None = None,
    ordered: Collection[str] = (),
) -> Any:
    """Named columns as a frame.

    Args:
        columns: Name -> (rows,) array. For a column in ``categories``: codes, negative or NaN for missing.
        frame: "numpy" (object array unless all are numbers), "pandas", "polars" or "arrow"; None takes the best installed.
        categories: Name -> the values that the codes stand for; such a column gets the frame's categorical type.
        ordered: Names of the categorical columns whose order means something.
    """
    frame = frame or best()
    library = _library(frame)
    lengths = {len(v) for v in columns.values()}
    if len(lengths) > 1:
        raise InputError(f"The columns have different lengths: {sorted(lengths)}.")
    made: dict[str, Any] = {}
    for name, values in columns.items():
        if categories is None or name not in categories:
            made[name] = values
            continue
        words = tuple(categories[name])
        known = Column(name, "categorical", dtype=_category_type(frame, name in ordered), categories=words, ordered=name in ordered)
        codes = np.asarray(values, dtype=np.float64)
        if bool((codes >= len(words)).any()):
            raise InputError(f"Column {name!r} has code {np.nanmax(codes):.0f}, but only {len(words)} categories.")
        made[name] = library.maker(known)(np.where(codes < 0, np.nan, codes))
    return library.assemble(made)


def _category_type(frame: str, ordered: bool) -> str:
    return {"numpy": "object", "pandas": "category", "polars": "Enum" if ordered else "Categorical"}.get(frame, "dictionary[int32,string]")


def read_file(path: str | Path, frame: str | None = None) -> Any:
    """A .csv, .parquet, .arrow or .feather file as a frame; the best installed kind when none is named.

    Raises:
        InputError: If the file is missing, too large, corrupt or of another kind.
    """
    return from_arrow(_library("arrow").read_file(path), frame or best())


def read_outcomes(path: str | Path, column: str, frame: str | None = None) -> tuple[Any, NDArray[Any] | None]:
    """The same without one column, and that column's values; None, and every column, where the file has none of that name.

    Raises:
        InputError: As ``read_file``.
    """
    table = _library("arrow").read_file(path)
    if column not in table.column_names:
        return from_arrow(table, frame or best()), None
    recorded = np.asarray(table.column(column).to_numpy(zero_copy_only=False))
    return from_arrow(table.drop_columns([column]), frame or best()), recorded


def from_arrow(table: Any, frame: str) -> Any:
    """A pyarrow Table as this kind of frame."""
    return table if frame == "arrow" else _library(frame).from_arrow(table)
