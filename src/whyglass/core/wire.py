"""Results as JSON text. The Arrow form lives in adapters, since it needs a foreign library."""

from __future__ import annotations

import base64
import json
import math
import secrets
from pathlib import Path
from typing import Any

import numpy as np

from whyglass.core.attribution import Attribution
from whyglass.core.counterfactuals import Counterfactuals
from whyglass.core.curves import Curves
from whyglass.core.errors import InputError, nearest
from whyglass.core.explanation import Arrays, Explanation
from whyglass.core.rules import Rules

KINDS: dict[str, type[Explanation]] = {kind.__name__: kind for kind in (Attribution, Rules, Counterfactuals, Curves)}
LIMIT = 1 << 31


def from_wire(meta: dict[str, Any], arrays: Arrays) -> Any:
    """Rebuild a result of any kind.

    Raises:
        InputError: If the kind is unknown or a part is missing.
    """
    kind = str(meta.get("kind"))
    if kind not in KINDS:
        msg = f"The file holds a {kind!r}, which this version does not know. {nearest(kind, KINDS)}"
        raise InputError(msg)
    return KINDS[kind].from_wire(meta, arrays)


def write_whole(path: Path, content: bytes) -> None:
    """Write all of a file or nothing: beside it first, then renamed into place.

    Raises:
        InputError: If the folder does not exist or cannot be written to, or the path is a folder.
    """
    if not path.parent.is_dir():
        msg = f"There is no folder {path.parent} to write {path.name} into."
        raise InputError(msg)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        msg = f"{str(path)!r} cannot be written: {error.strerror or error}."
        raise InputError(msg) from error
    finally:
        beside.unlink(missing_ok=True)


def save_json(thing: Explanation, path: Path) -> None:
    """Write a result as JSON; arrays as base64 of little-endian bytes, so that every bit survives.

    Raises:
        InputError: If the file cannot be written there.
    """
    meta, arrays = thing.to_wire()
    packed = {}
    for name, array in arrays.items():
        little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
        packed[name] = {"dtype": little.dtype.str, "shape": list(array.shape), "data": base64.b64encode(little.tobytes()).decode()}
    write_whole(path, json.dumps({"whyglass": 1, "meta": meta, "arrays": packed}, allow_nan=False).encode())


def load_json(path: Path) -> Any:
    """Read what ``save_json`` wrote.

    Raises:
        InputError: If the file is not that, is damaged or is larger than 2 GiB.
    """
    if path.stat().st_size > LIMIT:
        msg = f"{path.name} is larger than {LIMIT:,} bytes; results of that size are saved as .arrow."
        raise InputError(msg)
    try:
        document = json.loads(path.read_bytes())
        if document["whyglass"] != 1:
            msg = f"{path.name} was written by a newer version (format {document['whyglass']!r}); this one reads format 1."
            raise InputError(msg)
        arrays = {str(name): _unpack(entry) for name, entry in document["arrays"].items()}
        return from_wire(document["meta"], arrays)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError, MemoryError) as error:
        if isinstance(error, InputError):
            raise
        msg = f"{path.name} is not a saved whyglass result: {type(error).__name__}: {error}."
        raise InputError(msg) from error


def _unpack(entry: dict[str, Any]) -> np.ndarray[Any, Any]:
    dtype = np.dtype(entry["dtype"])
    if dtype.kind not in "fiub":
        msg = f"arrays of type {dtype} are not allowed in a result."
        raise InputError(msg)
    raw = base64.b64decode(entry["data"], validate=True)
    shape = tuple(int(s) for s in entry["shape"])
    if math.prod(shape) * dtype.itemsize != len(raw) or any(s < 0 for s in shape):
        msg = f"an array of shape {shape} does not fit its {len(raw)} bytes."
        raise InputError(msg)
    return np.frombuffer(raw, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=True)
