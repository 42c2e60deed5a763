"""Named bytes in one block: how tables travel between Python and a page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from whyglass.core.errors import InputError

_ALIGN = 8
_HEADER_LIMIT = 1 << 24


def pack(tables: Mapping[str, bytes]) -> bytes:
    """Put named bytes into one block, each starting at a multiple of 8 so that a page can look at it without a copy.

    Args:
        tables: Bytes by name; order is kept.

    Returns:
        uint32 (little endian) header length H, H bytes of JSON ``{"name": [offset, length]}``, then the tables;
        offsets count from the end of the header.
    """
    places: dict[str, list[int]] = {}
    parts: list[bytes] = []
    offset = 0
    for name, table in tables.items():
        places[name] = [offset, len(table)]
        fill = -len(table) % _ALIGN
        parts += [table, bytes(fill)]
        offset += len(table) + fill
    header = json.dumps(places, separators=(",", ":"), ensure_ascii=False).encode()
    header += b" " * (-(4 + len(header)) % _ALIGN)
    return b"".join([len(header).to_bytes(4, "little"), header, *parts])


def unpack(block: bytes | memoryview) -> dict[str, bytes]:
    """Read what ``pack`` wrote.

    Raises:
        InputError: If the block is cut short or its header does not describe it.
    """
    view = memoryview(block).cast("B")
    size = int.from_bytes(view[:4], "little")
    if len(view) < 4 or size > min(_HEADER_LIMIT, len(view) - 4):
        msg = f"This block of {len(view)} bytes is cut short or is not one of ours."
        raise InputError(msg)
    try:
        places = json.loads(bytes(view[4 : 4 + size]))
        body = view[4 + size :]
        return {str(name): _slice(body, place) for name, place in places.items()}
    except (ValueError, AttributeError, TypeError) as error:
        msg = f"The header of this block cannot be read: {error}"
        raise InputError(msg) from error


def _slice(body: memoryview, place: Sequence[int]) -> bytes:
    offset, length = place
    if type(offset) is not int or type(length) is not int or offset < 0 or length < 0 or offset + length > len(body):
        raise ValueError(f"a table at {place} does not lie inside its {len(body)} bytes")
    return bytes(body[offset : offset + length])


def pack_message(message: Mapping[str, Any], buffers: Sequence[bytes] = ()) -> bytes:
    """One message and the bytes beside it as one block."""
    return pack({"message": to_json(message).encode(), **{str(i): bytes(b) for i, b in enumerate(buffers)}})


def unpack_message(block: bytes | memoryview) -> tuple[dict[str, Any], list[bytes]]:
    """Read what ``pack_message`` wrote.

    Raises:
        InputError: If the block holds no message.
    """
    tables = unpack(block)
    try:
        message = json.loads(tables.pop("message"))
        buffers = [tables[str(i)] for i in range(len(tables))]
    except (KeyError, ValueError, RecursionError) as error:
        msg = f"This block holds no message: {error}"
        raise InputError(msg) from error
    if not isinstance(message, dict):
        msg = f"A message is a JSON object, not {type(message).__name__}."
        raise InputError(msg)
    return message, buffers


def to_json(value: Any) -> str:
    """JSON text of a value that may hold NumPy scalars and arrays; NaN and infinities, which JSON lacks, become null."""
    return json.dumps(plain(value), separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def plain(value: Any) -> Any:
    """The value in JSON's own types: NumPy scalars and arrays become numbers and lists, NaN and infinities None.

    Raises:
        InputError: If something in it has no JSON form.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset | range):
        return [plain(item) for item in value]
    if callable(getattr(value, "tolist", None)):
        return plain(value.tolist())
    msg = f"A {type(value).__name__} cannot be sent to a page; it has no JSON form."
    raise InputError(msg)
