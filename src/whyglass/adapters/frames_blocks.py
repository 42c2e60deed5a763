"""Tables read block by block: frames in memory, and .parquet, .arrow, .feather and .csv files larger than the memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from whyglass.adapters import frames
from whyglass.core.errors import InputError, nearest
from whyglass.core.schema import Column, Schema

Batches = Callable[[Schema | None, tuple[str, ...]], Iterator[Any]]
ENDINGS = (".parquet", ".arrow", ".feather", ".csv")


@dataclass(frozen=True, eq=False)
class Source:
    """A table that is gone through once, in order.

    Attributes:
        rows: How many rows it has.
        file: Its path; None when it is a frame in memory.
        whole: The frame itself; None when it is a file.
        batches: Opens a file: (the columns wanted, further names) -> record batches; without a schema, all columns.
    """

    rows: int
    file: Path | None
    whole: Any
    batches: Batches

    def sample(self, count: int, without: str | None = None) -> Any:
        """What a schema is learnt from, as a frame of the best kind installed: the first rows, and one for each category after them.

        The column ``without`` is left out.
        """
        size = max(1, min(count, self.rows))
        parts = [slice(start, min(start + size, self.rows)) for start in range(0, self.rows, size)] or [slice(0, 0)]
        with _readable(self.file):
            tables = _cut(self.batches(None, ()), parts)
            first = next(tables)
            words = [field.name for field in first.schema if _is_text(field.type)]
            known = {name: set(_values(first, name)) for name in words}
            pieces = [first, *(_unknown(table, known) for table in (tables if words else ()))]
            table = pa.concat_tables(pieces).unify_dictionaries()
        if without in table.column_names:
            table = table.drop_columns([without])
        return frames.from_arrow(table, frames.best())

    def blocks(self, parts: Sequence[slice], schema: Schema, outcome: str | None = None) -> Iterator[tuple[Any, NDArray[Any] | None]]:
        """Frames of these rows, one after another, and what the column ``outcome`` of the file holds there.

        Args:
            parts: Slices that follow one another from row 0 on.
            schema: The columns needed; others are not read.
            outcome: A column of the file, or None.

        Raises:
            InputError: If the file is damaged, or has no such column.
        """
        if self.file is None:
            for part in parts:
                yield frames.pick(self.whole, np.arange(part.start, part.stop)), None
            return
        with _readable(self.file):
            for table in _cut(self.batches(schema, () if outcome is None else (outcome,)), parts):
                yield table, None if outcome is None else _column(table, outcome, self.file.name)


def open_rows(X: Any) -> Source:
    """A table to be gone through in blocks.

    Args:
        X: Any frame, or the path of a .parquet, .arrow, .feather or .csv file. A file is read batch by batch: .parquet and .arrow
            in as many bytes as their own row groups and batches have, however large the file is.

    Raises:
        InputError: If it is no table, or a file that is missing, of another kind or damaged.
    """
    if not isinstance(X, str | Path):
        whole, rows = frames.opened(X)
        return Source(rows, None, whole, lambda _schema, _more: iter(()))
    path = Path(X)
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise InputError(f"{path.name} cannot be read as a table. {nearest(ending, ENDINGS)}")
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    opener = {".parquet": _parquet, ".csv": _csv}.get(ending, _arrow)
    with _readable(path):
        rows, batches = opener(path)
    return Source(rows, path, None, batches)


def names(path: str | Path) -> list[str]:
    """The names of the columns of a file, whose rows are not read.

    Raises:
        InputError: If it is missing, of another kind or damaged.
    """
    source = open_rows(Path(path))
    with _readable(source.file):
        return list(next(source.batches(None, ())).schema.names)


@contextmanager
def _readable(path: Path | None) -> Iterator[None]:
    """Say which file it is that cannot be read."""
    try:
        yield
    except (pa.ArrowException, OSError, OverflowError) as error:
        name = path.name if path is not None else "X"
        raise InputError(f"{name} cannot be read: {error}") from error


def _cut(batches: Iterator[Any], parts: Sequence[slice]) -> Iterator[Any]:
    """Tables of exactly these sizes from batches of any."""
    held = pa.Table.from_batches([next(batches)])
    for part in parts:
        pieces, missing = [held], part.stop - part.start - held.num_rows
        while missing > 0:
            found = next(batches, None)
            if found is None:
                msg = "The file has fewer rows than it had when it was opened."
                raise InputError(msg)
            pieces.append(pa.Table.from_batches([found]))
            missing -= found.num_rows
        table = pa.concat_tables(pieces)
        yield table.slice(0, part.stop - part.start)
        held = table.slice(part.stop - part.start)


def _is_text(dtype: Any) -> bool:
    test = pa.types
    return bool(test.is_dictionary(dtype) or test.is_string(dtype) or test.is_large_string(dtype) or test.is_string_view(dtype))


def _values(table: Any, name: str) -> list[Any]:
    """The values of a column at their first places, None among them."""
    column = table.column(name).unique()
    return list((column.dictionary_decode() if pa.types.is_dictionary(column.type) else column).to_pylist())


def _unknown(table: Any, known: dict[str, set[Any]]) -> Any:
    """One row for each category that was not met before; ``known`` learns it."""
    rows: list[int] = []
    for name, met in known.items():
        fresh = [value for value in _values(table, name) if value not in met]
        if fresh:
            met.update(fresh)
            column = table.column(name)
            plain = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
            rows += [pc.index(plain, value).as_py() for value in fresh if value is not None]
    return table.take(pa.array(sorted(set(rows)), pa.int64()))


def _column(table: Any, name: str, file: str) -> NDArray[Any]:
    if name not in table.column_names:
        raise InputError(f"{file} has no column {name!r} to take the outcomes from. {nearest(name, table.column_names)}")
    found: NDArray[Any] = np.asarray(table.column(name).to_numpy(zero_copy_only=False))
    return found


def _kept(names: Sequence[str], schema: Schema | None, more: tuple[str, ...]) -> list[str] | None:
    """The columns of a file to read; all of them where none is wanted, so that the message can list them."""
    if schema is None:
        return None
    wanted = {*schema.names, *more}
    return [name for name in dict.fromkeys(names) if name in wanted] if wanted <= set(names) else None


def _parquet(path: Path) -> tuple[int, Batches]:
    from pyarrow import parquet  # noqa: PLC0415  (loaded only for such a file)

    def opened() -> Any:
        return parquet.ParquetFile(path, thrift_string_size_limit=1 << 28, thrift_container_size_limit=1 << 24)

    def batches(schema: Schema | None, more: tuple[str, ...]) -> Iterator[Any]:
        with opened() as file:
            names = _kept(file.schema_arrow.names, schema, more)
            yield _empty(file.schema_arrow, names)
            yield from file.iter_batches(1 << 14, columns=names)

    with opened() as file:
        return file.metadata.num_rows, batches


def _arrow(path: Path) -> tuple[int, Batches]:
    def every(source: Any) -> tuple[Any, Iterator[Any]]:
        magic = source.read(6)
        source.seek(0)
        if magic != b"ARROW1":
            stream = pa.ipc.open_stream(source)
            return stream.schema, iter(stream)
        file = pa.ipc.open_file(source)
        return file.schema, (file.get_batch(i) for i in range(file.num_record_batches))

    def batches(schema: Schema | None, more: tuple[str, ...]) -> Iterator[Any]:
        with pa.memory_map(str(path)) as source:
            form, found = every(source)
            names = _kept(form.names, schema, more)
            yield _empty(form, names)
            for batch in found:
                batch.validate(full=True)
                yield batch if names is None else batch.select(names)

    with pa.memory_map(str(path)) as source:
        return sum(batch.num_rows for batch in every(source)[1]), batches


def _csv(path: Path) -> tuple[int, Batches]:
    from pyarrow import csv  # noqa: PLC0415  (loaded only for such a file)

    def opened(types: dict[str, Any], names: list[str] | None = None) -> Any:
        return csv.open_csv(path, convert_options=csv.ConvertOptions(column_types=types, include_columns=names))

    with opened({}) as file:
        form = file.schema

    def batches(schema: Schema | None, more: tuple[str, ...]) -> Iterator[Any]:
        names = _kept(form.names, schema, more)
        # the first lines tell the types; a whole number there may have a fraction further down
        types = {field.name: pa.float64() for field in form if pa.types.is_integer(field.type)}
        if schema is not None:
            types.update({c.name: t for c in schema.columns if (t := _csv_type(c)) is not None})
        with opened(types, names) as file:
            yield _empty(file.schema, None)
            yield from file

    with opened({form.names[0]: pa.string()}, form.names[:1]) as file:
        return sum(batch.num_rows for batch in file), batches


def _csv_type(column: Column) -> Any:
    """How a column's text must be read, so that every block gets the same type; None leaves it to the first lines."""
    if column.kind == "numeric":
        return pa.float64()
    kinds = {type(v) for v in column.categories}
    if kinds == {str}:
        return pa.string()
    return pa.float64() if kinds and kinds <= {int, float} else None


def _empty(form: Any, names: list[str] | None) -> Any:
    """A batch of no rows: a file may have none at all."""
    kept = form if names is None else pa.schema([field for field in form if field.name in names])
    return pa.RecordBatch.from_pylist([], schema=kept)
