"""Universal Binary JSON, as far as XGBoost writes it: numbers of trees as arrays, some times faster to read than text."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core.errors import ModelError

_FORMS = {b"i": ">i1", b"U": ">u1", b"I": ">i2", b"l": ">i4", b"L": ">i8", b"d": ">f4", b"D": ">f8"}
_NUMBERS = {mark: np.dtype(form) for mark, form in _FORMS.items()}
_LETTERS = {b"i": ">b", b"U": ">B", b"I": ">h", b"l": ">i", b"L": ">q", b"d": ">f", b"D": ">d"}
_READERS = {mark: struct.Struct(form) for mark, form in _LETTERS.items()}
_CONSTANTS = {b"T": True, b"F": False, b"Z": None, b"N": None}
_DEEPEST = 64
_SHORT, _DEEP = "it is cut short", "it is nested too deep"
_LONG = ord("L")  # how XGBoost marks a length


def loads(raw: bytes, arrays: frozenset[str] = frozenset()) -> Any:
    """Read one value.

    Args:
        raw: All of its bytes.
        arrays: Keys whose values stay NumPy arrays (big-endian, not writable) where they are numbers of one kind.

    Returns:
        dict, str, int, float, bool, None, list.

    Raises:
        ModelError: If the bytes are cut short, go on after the value, or hold what XGBoost does not write.
    """
    reader = _Reader(raw, arrays)
    try:
        value = reader.value(reader.mark(), 0)
    except (struct.error, IndexError, UnicodeDecodeError, ValueError, MemoryError, OverflowError) as error:
        msg = f"This is no XGBoost model saved as UBJ: {error}."
        raise ModelError(msg) from error
    if reader.at != len(raw):
        msg = f"This is no XGBoost model saved as UBJ: {len(raw) - reader.at} bytes follow its end."
        raise ModelError(msg)
    return value


class _Reader:
    """Bytes and how far they are read."""

    def __init__(self, raw: bytes, arrays: frozenset[str]) -> None:
        self.raw, self.at, self.arrays = raw, 0, arrays
        self.kinds: dict[bytes, Callable[[int], Any]] = {b"{": self._object, b"[": self._array}

    def mark(self) -> bytes:
        """The next byte."""
        self.at += 1
        if self.at > len(self.raw):
            raise IndexError(_SHORT)
        return self.raw[self.at - 1 : self.at]

    def value(self, mark: bytes, depth: int) -> Any:
        """The value that a mark announces."""
        if mark in self.kinds:
            if depth > _DEEPEST:
                raise ValueError(_DEEP)
            return self.kinds[mark](depth + 1)
        if mark == b"S":
            return self._text()
        return _CONSTANTS[mark] if mark in _CONSTANTS else self._number(mark)

    def _number(self, mark: bytes) -> Any:
        if mark not in _READERS:
            raise ValueError(f"it holds the mark {mark!r}")
        form = _READERS[mark]
        (value,) = form.unpack_from(self.raw, self.at)
        self.at += form.size
        return value

    def _length(self) -> int:
        raw, at = self.raw, self.at
        if at + 9 <= len(raw) and raw[at] == _LONG:
            length: Any = int.from_bytes(raw[at + 1 : at + 9], "big", signed=True)
            self.at = at + 9
        else:
            length = self._number(self.mark())
        if not isinstance(length, int) or not 0 <= length <= len(self.raw):
            raise ValueError(f"a part has the length {length!r}")
        return length

    def _text(self) -> str:
        length = self._length()
        self.at += length
        if self.at > len(self.raw):
            raise IndexError(_SHORT)
        return self.raw[self.at - length : self.at].decode()

    def _object(self, depth: int) -> dict[str, Any]:
        found = {}
        while self.raw[self.at : self.at + 1] != b"}":
            key = self._text()
            if self.raw[self.at : self.at + 2] == b"[$":
                self.at += 1
                numbers = self._numbers()
                found[key] = numbers if key in self.arrays else numbers.tolist()
            else:
                found[key] = self.value(self.mark(), depth)
        self.at += 1
        return found

    def _array(self, depth: int) -> Any:
        head = self.raw[self.at : self.at + 1]
        if head == b"$":
            return self._numbers().tolist()
        if head == b"#":
            self.at += 1
            return [self.value(self.mark(), depth) for _ in range(self._length())]
        found = []
        while (mark := self.mark()) != b"]":
            found.append(self.value(mark, depth))
        return found

    def _numbers(self) -> NDArray[Any]:
        raw, at = self.raw, self.at
        form = _NUMBERS.get(raw[at + 1 : at + 2])
        if form is None or raw[at + 2 : at + 3] != b"#":
            raise ValueError(f"it holds an array of {raw[at + 1 : at + 2]!r}")
        self.at = at + 3
        length = self._length()
        found = np.frombuffer(raw, form, length, self.at)
        self.at += length * form.itemsize
        return found
