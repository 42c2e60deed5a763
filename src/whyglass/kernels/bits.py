"""Bit sets in non-negative int64 words: counting and finding bits in one instruction each."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic, overload

BITS = 63  # a word's sign stays clear, so that plain Python and compiled code see the same number


def count_bits(word: int) -> int:
    """How many bits are set."""
    return int(word).bit_count()


def lowest_bit(word: int) -> int:
    """Position of the lowest bit that is set; the word must not be zero."""
    return (int(word) & -int(word)).bit_length() - 1


@intrinsic  # type: ignore[untyped-decorator]
def _population(_: Any, word: Any) -> Any:  # noqa: ARG001  (numba matches arguments by name)
    def emit(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.int64), emit


@intrinsic  # type: ignore[untyped-decorator]
def _trailing_zeros(_: Any, word: Any) -> Any:  # noqa: ARG001
    def emit(context: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], context.get_constant(types.boolean, 1))

    return types.int64(types.int64), emit


@overload(count_bits, inline="always")  # type: ignore[untyped-decorator]
def _count_bits(word: Any) -> Any:  # noqa: ARG001
    def call(word: Any) -> Any:
        return _population(word)

    return call


@overload(lowest_bit, inline="always")  # type: ignore[untyped-decorator]
def _lowest_bit(word: Any) -> Any:  # noqa: ARG001
    def call(word: Any) -> Any:
        return _trailing_zeros(word)

    return call
