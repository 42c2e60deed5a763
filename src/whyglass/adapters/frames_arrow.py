"""pyarrow Tables, and the files that they are read from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from whyglass.adapters import frames_out as out
from whyglass.adapters.frames_raw import Floats, Raw, from_microseconds, to_microseconds
from whyglass.core.errors import InputError, nearest
from whyglass.core.schema import Column, Schema

LARGEST = 8 << 30


def open_frame(X: Any) -> Any:
    """The Table: of a Table, a RecordBatch, or anything that gives an Arrow stream of record batches.

    Raises:
        InputError: If it is a single array.
    """
    if isinstance(X, pa.Table):
        return X
    try:
        return pa.table(X)
    except (TypeError, ValueError, pa.ArrowException) as error:
        raise InputError(f"X is {type(X).__name__}; wanted a pyarrow Table: {error}") from None


def names(frame: Any) -> list[tuple[str, str]]:
    """(name, label mark) of every column."""
    return [(c, "") for c in frame.column_names]


def column(frame: Any, place: int, name: str) -> Raw:
    """One column."""
    return array(frame.column(place), name)


def array(values: Any, name: str) -> Raw:
    """One ChunkedArray."""
    dtype = values.type
    test = pa.types
    if test.is_dictionary(dtype):
        values = values.unify_dictionaries().combine_chunks() if values.num_chunks else pa.array([], dtype)
        values = values.chunk(0) if isinstance(values, pa.ChunkedArray) else values
        text = f"dictionary[{dtype.index_type},{dtype.value_type}]"
        return _dictionary(values, name, text, declared=True, ordered=bool(dtype.ordered))
    if test.is_boolean(dtype):
        return Raw(name, "bool", "categorical", codes=_codes(values.cast(pa.int8())), values=(False, True), declared=True)
    if test.is_integer(dtype) or test.is_floating(dtype) or test.is_decimal(dtype):
        return Raw(name, str(dtype), numbers=_floats(values), whole=test.is_integer(dtype))
    if test.is_temporal(dtype):
        return _time(values, name)
    if test.is_string(dtype) or test.is_large_string(dtype) or test.is_string_view(dtype):
        coded = values.cast(pa.large_string()).combine_chunks().dictionary_encode()
        coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
        return _dictionary(coded, name, str(dtype), declared=False, ordered=False)
    if test.is_null(dtype):
        return Raw(name, "null", "categorical", codes=np.full(len(values), -1, dtype=np.intp))
    raise _unreadable(name, dtype)


def _time(values: Any, name: str) -> Raw:
    dtype = values.type
    if pa.types.is_date(dtype) or pa.types.is_timestamp(dtype):
        moments = values.cast(pa.timestamp("us", getattr(dtype, "tz", None)), safe=False)
        return Raw(name, str(dtype).replace(", tz=", ","), "time", _floats(moments.cast(pa.int64())) / 1e6)
    if pa.types.is_duration(dtype):
        return Raw(name, str(dtype), numbers=from_microseconds(values.cast(pa.duration("us"), safe=False).to_numpy()))
    raise _unreadable(name, dtype)


def _unreadable(name: str, dtype: Any) -> InputError:
    return InputError(f"Column {name!r} is {dtype}; wanted numbers, text, categories or dates.")


def _floats(values: Any) -> Floats:
    flat = pc.cast(values, pa.float64(), safe=False)
    result: Floats = np.asarray(flat.to_numpy(), dtype=np.float64)
    return result


def _codes(values: Any) -> NDArray[np.intp]:
    filled = pc.fill_null(values.cast(pa.int64()), -1)
    result: NDArray[np.intp] = np.asarray(filled).astype(np.intp)
    return result


def _dictionary(values: Any, name: str, text: str, *, declared: bool, ordered: bool) -> Raw:
    categories = values.dictionary.to_pylist()
    codes = _codes(values.indices)
    if None in categories or len(set(categories)) < len(categories):
        kept = list(dict.fromkeys(c for c in categories if c is not None))
        table = np.array([-1 if c is None else kept.index(c) for c in categories] + [-1], dtype=np.intp)
        codes, categories = table[codes], kept
    return Raw(name, text, "categorical", codes=codes, values=tuple(categories), declared=declared, ordered=ordered)


def writer(schema: Schema) -> Callable[[Floats], Any]:
    """How to write encoded rows as a Table with the columns and types of the schema."""
    makers = [maker(c) for c in schema.columns]
    titles = list(schema.names)

    def write(matrix: Floats) -> Any:
        return pa.Table.from_arrays([make(matrix[:, i].copy()) for i, make in enumerate(makers)], names=titles)

    return write


def maker(column: Column) -> Callable[[Floats], Any]:
    """How one column's encoded values become an Array."""
    text = out.plain(column)
    if column.kind == "categorical":
        return _category_maker(column, text)
    if column.kind == "time" or text.startswith("duration"):
        kind = "timedelta64[us]" if text.startswith("duration") else "datetime64[us]"
        target = type_of(text) or pa.timestamp("us")
        zone = getattr(target, "tz", None)
        base = pa.timestamp("us", zone) if kind == "datetime64[us]" else pa.duration("us")
        return lambda values: pa.array(to_microseconds(values, kind)).cast(base).cast(target, safe=False)
    dtype = type_of(text)
    if dtype is None or not (pa.types.is_integer(dtype) or pa.types.is_floating(dtype)):
        dtype = pa.float64()
    return lambda values: _numbers(values, dtype)


def _numbers(values: Floats, dtype: Any) -> Any:
    made = pa.array(values, from_pandas=True)
    try:
        return made.cast(dtype, safe=pa.types.is_integer(dtype))
    except pa.ArrowInvalid:
        return made


def _category_maker(column: Column, text: str) -> Callable[[Floats], Any]:
    categories, count = column.categories, len(column.categories)
    if not text.startswith("dictionary") and (text == "null" or out.flags(categories)):
        flags = pa.array([*categories, None, None])
        return lambda values: flags.take(pa.array(out.places(values, count)))
    numeric = bool(categories) and all(isinstance(c, (int, float)) and not isinstance(c, bool) for c in categories)
    plain = type_of(text)
    if plain is not None and not text.startswith("dictionary"):
        known = pa.array([*categories, out.unseen(categories) if numeric else out.UNSEEN, None]).cast(plain)
        return lambda values: known.take(pa.array(out.places(values, count)))
    index, _, value = text.removeprefix("dictionary[").removesuffix("]").partition(",")
    width = type_of(index) or pa.int32()
    words = pa.array(list(categories), type=type_of(value) or (None if categories else pa.string()))

    def write(values: Floats) -> Any:
        codes = out.codes(values, count)
        return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0).cast(width), words, ordered=column.ordered)

    return write


def type_of(text: str) -> Any:
    """The Arrow type of that name in the notation of ``Column.dtype``; None when Arrow has none."""
    head, _, rest = text.removesuffix("]").partition("[")
    if head == "timestamp":
        unit, _, zone = rest.partition(",")
        return pa.timestamp(unit, zone or None)
    try:
        return pa.type_for_alias(text)
    except ValueError:
        return None


def take(frame: Any, rows: NDArray[np.intp]) -> Any:
    """Rows by position."""
    return frame.take(pa.array(rows))


def stack(pieces: list[Any]) -> Any:
    """Tables below each other."""
    return pa.concat_tables(pieces)


def assemble(columns: Mapping[str, Any]) -> Any:
    """Named columns as a Table."""
    return pa.table({k: pa.array(v.tolist() if isinstance(v, np.ndarray) and v.dtype.kind == "O" else v) for k, v in columns.items()})


def read_file(path: str | Path) -> Any:
    """A .csv, .parquet, .arrow or .feather file as a Table.

    Raises:
        InputError: If it is missing, too large, corrupt, or of another kind; the message says which.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in _READERS:
        raise InputError(f"{path.name} cannot be read as a table. {nearest(ending, _READERS)}")
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    if path.stat().st_size > LARGEST:
        raise InputError(f"{path.name} has {path.stat().st_size:,} bytes; at most {LARGEST:,} are read.")
    try:
        table = _READERS[ending](path)
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError) as error:
        raise InputError(f"{path.name} is no readable {ending} file: {error}") from error
    if table.nbytes > LARGEST:
        raise InputError(f"{path.name} holds {table.nbytes:,} bytes; at most {LARGEST:,} are read.")
    return table


def _read_csv(path: Path) -> Any:
    from pyarrow import csv  # noqa: PLC0415  (loaded only for such a file)

    return csv.read_csv(path)


def _read_parquet(path: Path) -> Any:
    from pyarrow import parquet  # noqa: PLC0415  (loaded only for such a file)

    return parquet.ParquetFile(path, thrift_string_size_limit=1 << 28, thrift_container_size_limit=1 << 24).read()


def _read_arrow(path: Path) -> Any:
    with pa.OSFile(str(path), "rb") as source:
        magic = source.read(6)
        source.seek(0)
        opened = pa.ipc.open_file(source) if magic == b"ARROW1" else pa.ipc.open_stream(source)
        return opened.read_all()


_READERS: dict[str, Callable[[Path], Any]] = {".csv": _read_csv, ".parquet": _read_parquet, ".arrow": _read_arrow, ".feather": _read_arrow}
