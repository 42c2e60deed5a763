"""Results as Arrow and Parquet files. Nothing in them is code; a damaged or hostile file is an InputError.

The ``.arrow`` file holds one row: a column for each array of the result, a list of its values in C order. The schema's
metadata entry "whyglass" is JSON: ``{"whyglass": 1, "meta": {...}, "shapes": {name: [...]}}``; "whyglass-digest" is the
BLAKE2b-128 of that text and of every array's bytes, so that a damaged file is never taken for a result.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from whyglass.core.errors import InputError
from whyglass.core.explanation import Arrays, Explanation
from whyglass.core.wire import from_wire, write_whole

KEY = b"whyglass"
DIGEST = b"whyglass-digest"
LARGEST = 8 << 30
LARGEST_META = 256 << 20
ALLOWED = {
    pa.float64(),
    pa.float32(),
    pa.int64(),
    pa.int32(),
    pa.int16(),
    pa.int8(),
    pa.uint64(),
    pa.uint32(),
    pa.uint16(),
    pa.uint8(),
    pa.bool_(),
}


def save_arrow(thing: Explanation, path: str | Path) -> None:
    """Write a whole result as an Arrow IPC file: all of it or nothing.

    Args:
        thing: Any result with ``to_wire``.
        path: Where to; an existing file is replaced only by a complete one.

    Raises:
        InputError: If the folder does not exist or an array is of a type that results do not have.
    """
    meta, arrays = thing.to_wire()
    columns, shapes = [], {}
    for name, array in arrays.items():
        if array.dtype.kind not in "fiub":
            raise InputError(f"Array {name!r} of the result has type {array.dtype}; only numbers are saved.")
        flat = pa.array(np.ascontiguousarray(array).reshape(-1))
        columns.append(pa.LargeListArray.from_arrays(pa.array([0, len(flat)], pa.int64()), flat))
        shapes[name] = list(array.shape)
    text = json.dumps({"whyglass": 1, "meta": meta, "shapes": shapes}, allow_nan=False)
    digest = _digest(text.encode(), arrays)
    fields = [pa.field(name, column.type, nullable=False) for name, column in zip(arrays, columns, strict=True)]
    table = pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata={KEY: text, DIGEST: digest}))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(table)
    write_whole(Path(path), sink.getvalue().to_pybytes())


def load_arrow(path: str | Path) -> Any:
    """Read what ``save_arrow`` wrote.

    Raises:
        InputError: If the file is missing, damaged, too large, written by a newer version or no result at all.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    if path.stat().st_size > LARGEST:
        raise InputError(f"{path.name} has {path.stat().st_size:,} bytes; at most {LARGEST:,} are read.")
    try:
        with pa.OSFile(str(path), "rb") as source, pa.ipc.open_file(source) as reader:
            document = _document(reader.schema, path.name)
            table = reader.read_all()
            table.validate(full=True)
        return from_wire(document["meta"], _checked(table, document["shapes"], path.name))
    except InputError:
        raise
    except (
        pa.ArrowException,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        MemoryError,
        OverflowError,
        RecursionError,
    ) as error:
        raise InputError(f"{path.name} is damaged or not a saved whyglass result: {type(error).__name__}: {error}.") from error


def _document(schema: Any, name: str) -> dict[str, Any]:
    text = (schema.metadata or {}).get(KEY)
    if text is None:
        raise InputError(f"{name} is an Arrow file, but holds no whyglass result.")
    if len(text) > LARGEST_META:
        raise InputError(f"{name} describes itself in {len(text):,} bytes; at most {LARGEST_META:,} are read.")
    document: dict[str, Any] = json.loads(text)
    if document["whyglass"] != 1:
        raise InputError(f"{name} was written by a newer version (format {document['whyglass']!r}); this one reads format 1.")
    return document


def _checked(table: Any, shapes: dict[str, Any], name: str) -> Arrays:
    arrays = _arrays(table, shapes)
    if _digest(table.schema.metadata[KEY], arrays) != table.schema.metadata.get(DIGEST, b"").decode():
        raise InputError(f"{name} is damaged: its content does not match its checksum.")
    return arrays


def _arrays(table: Any, shapes: dict[str, Any]) -> Arrays:
    if set(shapes) != set(table.column_names) or len(shapes) != table.num_columns or table.num_rows != 1:
        raise InputError(f"the arrays {table.column_names} are not those announced: {sorted(shapes)}.")
    return {name: _array(table.column(name), name, shapes[name]) for name in shapes}


def _array(column: Any, name: str, shape: Any) -> NDArray[Any]:
    if not pa.types.is_large_list(column.type) or column.type.value_type not in ALLOWED:
        raise InputError(f"array {name!r} has type {column.type}, which no result has.")
    flat = column.combine_chunks()
    flat = (flat.chunk(0) if isinstance(flat, pa.ChunkedArray) else flat).flatten()
    sizes = [int(s) for s in shape]
    if flat.null_count or any(s < 0 for s in sizes) or math.prod(sizes) != len(flat):
        raise InputError(f"array {name!r} of shape {sizes} does not fit its {len(flat)} values.")
    return np.array(flat.to_numpy(zero_copy_only=False)).reshape(sizes)


def _digest(text: bytes, arrays: Arrays) -> str:
    digest = hashlib.blake2b(text, digest_size=16)
    for name in sorted(arrays):
        digest.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def save_parquet(thing: Any, path: str | Path) -> None:
    """Write the flat frame of a result as Parquet, its provenance as metadata: all of it or nothing.

    Args:
        thing: Any result with ``to_frame(kind)`` and ``to_wire``.
        path: Where to.

    Raises:
        InputError: If the folder does not exist.
    """
    table = thing.to_frame("arrow")
    meta, _ = thing.to_wire()
    table = table.replace_schema_metadata({KEY: json.dumps({"whyglass": 1, "meta": meta}, allow_nan=False)})
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink, compression="zstd")
    write_whole(Path(path), sink.getvalue().to_pybytes())
