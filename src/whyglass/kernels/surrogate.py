"""Sums for weighted least squares on "same bin as the case", from bit sets: a draw's weight depends on how many bins it shares only."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whyglass.kernels.bits import count_bits
from whyglass.kernels.forest import Floats, Ints
from whyglass.kernels.jit import compiled, inlined

Words = NDArray[np.uint64]
Parts = NDArray[np.int8]

PARTS = 5  # that the draws are shared out to, so that each can be held out once
_WORD = 64
_HALVES = (
    (32, 0x00000000FFFFFFFF),
    (16, 0x0000FFFF0000FFFF),
    (8, 0x00FF00FF00FF00FF),
    (4, 0x0F0F0F0F0F0F0F0F),
    (2, 0x3333333333333333),
    (1, 0x5555555555555555),
)
_SHIFTS = np.array([shift for shift, _ in _HALVES], np.int64)
_MASKS = np.array([mask for _, mask in _HALVES], np.uint64)


class Draws(NamedTuple):
    """What is drawn and said; the same for all cases.

    Attributes:
        codes: int32 (columns, draws), the bin of every value.
        said: float64 (outputs, draws).
        part: int8 (draws,), from 0 to ``PARTS`` - 1, -1 for those left out.
        weight: float64 (columns + 1,), of a draw by the number of columns that differ from the case.
    """

    codes: Ints
    said: Floats
    part: Parts
    weight: Floats


class Room(NamedTuple):
    """Where the draws of one case are sorted; made once, filled for each case. The intercept is a column that every draw shares.

    Attributes:
        keys: uint64 (sets, draws), the columns in which a draw shares the case's bin, 64 to a set.
        shared: int32 (draws,), how many they are, the intercept not counted.
        order: int32 (draws,), draws by part and by how many columns they share.
        start: int32 (parts * (columns + 1) + 1,), where each part and number begins in ``order``.
        words: uint64 (words, sets * 64), for 64 draws of one part and number and each column, which of them share it.
        scale: float64 (words,), the weight of these draws.
        half: int8 (words,), their part.
        line: float64 (draws,), to work in.
    """

    keys: Words
    shared: Ints
    order: Ints
    start: Ints
    words: Words
    scale: Floats
    half: Parts
    line: Floats


class Sums(NamedTuple):
    """The normal equations of every case, the parts of the draws apart.

    Attributes:
        gram: float64 (cases, parts, columns + 1, columns + 1), the intercept last.
        cross: float64 (cases, outputs, parts, columns + 1), indicators with answers.
        squares: float64 (cases, outputs, parts), answers squared.
    """

    gram: Floats
    cross: Floats
    squares: Floats


def room(draws: Draws) -> Room:
    """Room for the draws of a case."""
    columns, count = draws.codes.shape
    sets, most = columns // _WORD + 1, count // _WORD + PARTS * (columns + 1)
    return Room(
        np.zeros((sets, count), np.uint64),
        np.zeros(count, np.int32),
        np.zeros(count, np.int32),
        np.zeros(PARTS * (columns + 1) + 1, np.int32),
        np.zeros((most, sets * _WORD), np.uint64),
        np.zeros(most),
        np.zeros(most, np.int8),
        np.zeros(count),
    )


def moments(draws: Draws, cases: Ints, into: Room) -> Sums:
    """The normal equations of some cases.

    Args:
        draws: The draws.
        cases: int32 (cases, columns), the bins of each case.
        into: Room to work in.

    Cost: draws x columns a case, and draws / 64 x columns^2.
    """
    count, columns, outputs = len(cases), cases.shape[1], len(draws.said)
    out = Sums(
        np.zeros((count, PARTS, columns + 1, columns + 1)),
        np.zeros((count, outputs, PARTS, columns + 1)),
        np.zeros((count, outputs, PARTS)),
    )
    add_moments(draws, np.ascontiguousarray(cases), into, out)
    return out


def scatter(draws: Draws, cases: Ints, into: Room, fit: Floats) -> Floats:
    """The squared weighted residuals of the draws that share each column.

    Args:
        draws: The draws.
        cases: int32 (cases, columns).
        into: Room to work in.
        fit: float64 (cases, outputs, columns + 1), coefficients, the intercept last.

    Returns:
        float64 (cases, outputs, columns + 1).
    """
    found = np.zeros((*fit.shape[:2], 1, fit.shape[2]))
    add_scatter(draws, np.ascontiguousarray(cases), into, np.ascontiguousarray(fit), found)
    return found[:, :, 0]


@inlined  # for all draws of a case at once: handing a tuple over counts a reference of every array in it
def _match(draws: Draws, case: Ints, into: Room) -> None:
    """Find the columns that each draw shares."""
    columns, count = draws.codes.shape
    one = np.uint64(1)
    into.keys[:] = np.uint64(0)
    for j in range(columns):
        keys, bit = into.keys[j >> 6], np.uint64(j & 63)
        for n in range(count):
            keys[n] |= np.uint64(draws.codes[j, n] == case[j]) << bit
    into.shared[:] = 0
    for s in range(into.keys.shape[0]):
        for n in range(count):
            into.shared[n] += count_bits(int(into.keys[s, n]))
    keys, bit = into.keys[columns >> 6], one << np.uint64(columns & 63)
    for n in range(count):
        keys[n] |= bit


@inlined
def _sort(draws: Draws, into: Room) -> None:
    """Order the draws by part and by how many columns they share."""
    columns, count = draws.codes.shape
    into.start[:] = 0
    for n in range(count):
        if draws.part[n] >= 0:
            into.start[int(draws.part[n]) * (columns + 1) + into.shared[n] + 1] += 1
    for at in range(1, into.start.shape[0]):
        into.start[at] += into.start[at - 1]
    for n in range(count):
        if draws.part[n] >= 0:
            at = int(draws.part[n]) * (columns + 1) + into.shared[n]
            into.order[into.start[at]] = n
            into.start[at] += 1
    for at in range(into.start.shape[0] - 1, 0, -1):
        into.start[at] = into.start[at - 1]
    into.start[0] = 0


@inlined
def _pack(draws: Draws, into: Room) -> int:
    """Turn sets of columns for each draw into sets of draws for each column; returns how many words there are."""
    columns, used = draws.codes.shape[0], 0
    for at in range(into.start.shape[0] - 1):
        for first in range(into.start[at], into.start[at + 1], _WORD):
            into.half[used] = at // (columns + 1)
            into.scale[used] = draws.weight[columns - at % (columns + 1)]
            into.words[used] = np.uint64(0)
            for n in range(first, min(first + _WORD, into.start[at + 1])):
                for s in range(into.keys.shape[0]):
                    into.words[used, s * _WORD + n - first] = into.keys[s, into.order[n]]
            used += 1
    for w in range(used):
        for first in range(0, into.words.shape[1], _WORD):
            _transpose(into.words, w, first)
    return used


@inlined
def _transpose(words: Words, w: int, at: int) -> None:
    """Swap rows and columns of a square of 64 x 64 bits, in place, halves of halves at a time."""
    for level in range(_SHIFTS.shape[0]):
        step, mask = _SHIFTS[level], _MASKS[level]
        shift = np.uint64(step)
        for first in range(at, at + _WORD, 2 * step):
            for k in range(first, first + step):
                swapped = ((words[w, k] >> shift) ^ words[w, k + step]) & mask
                words[w, k + step] ^= swapped
                words[w, k] ^= swapped << shift


@inlined
def _count(used: int, into: Room, gram: Floats) -> None:
    """Add up the weights of the draws that share each pair of columns."""
    size = gram.shape[1]
    for w in range(used):
        scale, part = into.scale[w], into.half[w]
        for a in range(size):
            one = into.words[w, a]
            if one != 0:
                for b in range(a + 1):
                    gram[part, a, b] += scale * count_bits(int(one & into.words[w, b]))
    for part in range(gram.shape[0]):
        for a in range(size):
            for b in range(a):
                gram[part, b, a] = gram[part, a, b]


@compiled
def add_moments(draws: Draws, cases: Ints, into: Room, out: Sums) -> None:
    """Add up the normal equations of every case."""
    columns, count = draws.codes.shape
    for c in range(cases.shape[0]):
        _match(draws, cases[c], into)
        _sort(draws, into)
        _count(_pack(draws, into), into, out.gram[c])
        for k in range(draws.said.shape[0]):
            for n in range(count):
                into.line[n] = draws.weight[columns - into.shared[n]] * draws.said[k, n]
                if draws.part[n] >= 0:
                    out.squares[c, k, draws.part[n]] += into.line[n] * draws.said[k, n]
            _credit(draws, into, out.cross[c, k])


@compiled
def add_scatter(draws: Draws, cases: Ints, into: Room, fit: Floats, out: Floats) -> None:
    """Add up what ``scatter`` gives."""
    for c in range(cases.shape[0]):
        _match(draws, cases[c], into)
        for k in range(draws.said.shape[0]):
            _residuals(draws, cases[c], into, k, fit[c, k])
            _credit(draws, into, out[c, k])


@inlined
def _residuals(draws: Draws, case: Ints, into: Room, k: int, fit: Floats) -> None:
    """Squared weighted residuals of all draws, 0 for those left out."""
    columns, count = draws.codes.shape
    line, said = into.line, draws.said[k]
    for n in range(count):
        line[n] = said[n] - fit[columns]
    for j in range(columns):
        codes, own, value = draws.codes[j], case[j], fit[j]
        if value != 0.0:
            for n in range(count):
                line[n] -= value if codes[n] == own else 0.0
    for n in range(count):
        line[n] = (line[n] * draws.weight[columns - into.shared[n]]) ** 2 if draws.part[n] >= 0 else 0.0


@inlined
def _credit(draws: Draws, into: Room, out: Floats) -> None:
    """Add the numbers in ``line`` to the columns that each draw shares: float64 (parts, columns + 1)."""
    one, columns, last = np.uint64(1), out.shape[1], out.shape[0] - 1
    for n in range(into.line.shape[0]):
        if draws.part[n] >= 0:
            value, part = into.line[n], min(draws.part[n], last)
            for s in range(into.keys.shape[0]):
                key, first = into.keys[s, n], s * _WORD
                for j in range(min(_WORD, columns - first)):
                    out[part, first + j] += value * np.float64((key >> np.uint64(j)) & one)
