"""What compiled code does in few instructions and Python does not: counting and finding bits of int64 words, adding four numbers."""

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


def add_four(to: Any, at: int, of: Any, start: int) -> None:
    """Add four numbers of one contiguous array to four of another, both counted from their beginnings."""
    to.reshape(-1)[at : at + 4] += of.reshape(-1)[start : start + 4]


@intrinsic  # type: ignore[untyped-decorator]
def _add_lanes(_: Any, to: Any, at: Any, of: Any, start: Any) -> Any:  # noqa: ARG001
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def places(array: int, offset: int) -> list[Any]:
            data = context.make_array(signature.args[array])(context, builder, arguments[array]).data
            first = builder.gep(data, [arguments[offset]])
            return [builder.gep(first, [context.get_constant(types.intp, lane)]) for lane in range(4)]

        into = places(0, 1)
        totals = [builder.fadd(builder.load(a), builder.load(b)) for a, b in zip(into, places(2, 3), strict=True)]
        for total, place in zip(totals, into, strict=True):
            builder.store(total, place)
        return context.get_dummy_value()

    return types.void(to, types.int64, of, types.int64), emit


@overload(add_four, inline="always")  # type: ignore[untyped-decorator]
def _add_four(to: Any, at: Any, of: Any, start: Any) -> Any:  # noqa: ARG001
    def call(to: Any, at: Any, of: Any, start: Any) -> Any:
        _add_lanes(to, at, of, start)

    return call
