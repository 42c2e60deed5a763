"""Sums for weighted least squares on "same bin as the case": draws that differ from a case in the same columns count as one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whyglass.kernels.forest import Floats, Ints
from whyglass.kernels.jit import compiled, inlined

Words = NDArray[np.uint64]
Parts = NDArray[np.int8]

_BITS = 64  # columns of which a set fits a word; with more every draw stands for itself


class Draws(NamedTuple):
    """What is drawn and said; the same for all cases.

    Attributes:
        codes: int32 (columns, draws), the bin of every value.
        said: float64 (draws, outputs).
        part: int8 (draws,), 0 for the rows to fit, 1 for those held out, -1 for those left out.
        weight: float64 (columns + 1,), of a draw by the number of columns that differ from the case.
    """

    codes: Ints
    said: Floats
    part: Parts
    weight: Floats


class Groups(NamedTuple):
    """Draws of one case by the set of columns in which they share its bin; made once, filled for each case.

    Attributes:
        keys: uint64 (draws,), the sets as bits.
        slots: int32 (a power of two,), group + 1 by the hash of its set, 0 where free.
        which: int32 (draws,), the group of each draw, -1 for those left out.
        met: int32 (draws, columns + 1), the columns in each group's set, then the intercept's number.
        found: int32 (draws,), how many there are, the intercept included.
        drawn: float64 (draws, 2), draws in each group, fitted and held out.
        sums: float64 (draws, 2, outputs), their answers added up.
        squares: float64 (draws, 2, outputs), and squared.
    """

    keys: Words
    slots: Ints
    which: Ints
    met: Ints
    found: Ints
    drawn: Floats
    sums: Floats
    squares: Floats


class Sums(NamedTuple):
    """The normal equations of every case, fitted and held-out draws apart.

    Attributes:
        gram: float64 (cases, 2, columns + 1, columns + 1), the intercept last.
        cross: float64 (cases, 2, columns + 1, outputs), indicators with answers.
        squares: float64 (cases, 2, outputs), answers squared.
    """

    gram: Floats
    cross: Floats
    squares: Floats


def groups(draws: Draws) -> Groups:
    """Room for the groups of a case."""
    (columns, count), outputs = draws.codes.shape, draws.said.shape[1]
    return Groups(
        np.zeros(count, np.uint64),
        np.zeros(1 << max(4, int(2 * count - 1).bit_length()), np.int32),
        np.zeros(count, np.int32),
        np.zeros((count, columns + 1), np.int32),
        np.zeros(count, np.int32),
        np.zeros((count, 2)),
        np.zeros((count, 2, outputs)),
        np.zeros((count, 2, outputs)),
    )


def moments(draws: Draws, cases: Ints, into: Groups) -> Sums:
    """The normal equations of some cases.

    Args:
        draws: The draws.
        cases: int32 (cases, columns), the bins of each case.
        into: Room to work in.

    Cost: draws x columns a case, and for each group of draws the columns shared, squared.
    """
    count, columns, outputs = len(cases), cases.shape[1], draws.said.shape[1]
    gram = np.zeros((count, 2, columns + 1, columns + 1))
    out = Sums(gram, np.zeros((count, 2, columns + 1, outputs)), np.zeros((count, 2, outputs)))
    add_moments(draws, np.ascontiguousarray(cases), into, out)
    return out._replace(gram=_whole(gram))


def scatter(draws: Draws, cases: Ints, into: Groups, fit: Floats) -> Floats:
    """The squared weighted residuals behind each pair of indicators: the middle of the sandwich of standard errors.

    Args:
        draws: The draws.
        cases: int32 (cases, columns).
        into: Room to work in.
        fit: float64 (cases, outputs, columns + 1), coefficients, the intercept last.

    Returns:
        float64 (cases, outputs, columns + 1, columns + 1).
    """
    found = np.zeros((*fit.shape, fit.shape[2]))
    add_scatter(draws, np.ascontiguousarray(cases), into, np.ascontiguousarray(fit), found)
    return _whole(found)


def _whole(lower: Floats) -> Floats:
    """Symmetric matrices from their lower triangles."""
    return np.asarray(lower + np.tril(lower, -1).swapaxes(-1, -2))


@inlined  # for all draws of a case at once: handing a tuple over counts a reference of every array in it
def _group(draws: Draws, case: Ints, into: Groups) -> int:
    """Find the groups of a case; returns how many there are."""
    columns, count = draws.codes.shape
    into.keys[:] = np.uint64(0)
    for j in range(min(columns, _BITS)):
        for n in range(count):
            into.keys[n] |= np.uint64(draws.codes[j, n] == case[j]) << np.uint64(j)
    into.slots[:] = 0
    known, last = 0, into.slots.shape[0] - 1
    for n in range(count):
        into.which[n] = -1
        if draws.part[n] < 0:
            continue
        key = into.keys[n]
        slot = int((key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20)) & last
        group = known
        while columns <= _BITS and into.slots[slot] != 0:
            first = into.slots[slot] - 1
            if into.keys[first] == key:
                group = into.which[first]
                break
            slot = (slot + 1) & last
        if group == known:
            into.slots[slot] = n + 1
            known += 1
            into.found[group] = n
        into.which[n] = group
    return known


@inlined
def _describe(draws: Draws, case: Ints, known: int, into: Groups) -> None:
    """List the columns of each group's set, whose first draw stands in ``found``."""
    columns = case.shape[0]
    for group in range(known):
        n, count = into.found[group], 0
        for j in range(columns):
            into.met[group, count] = j
            count += 1 if draws.codes[j, n] == case[j] else 0
        into.met[group, count] = columns
        into.found[group] = count + 1


@inlined
def _add(draws: Draws, known: int, into: Groups) -> None:
    """Add up the answers in each group."""
    outputs = draws.said.shape[1]
    into.drawn[:known] = 0.0
    into.sums[:known] = 0.0
    into.squares[:known] = 0.0
    for n in range(draws.said.shape[0]):
        group, part = into.which[n], draws.part[n]
        if group < 0:
            continue
        into.drawn[group, part] += 1.0
        for k in range(outputs):
            said = draws.said[n, k]
            into.sums[group, part, k] += said
            into.squares[group, part, k] += said * said


@compiled
def add_moments(draws: Draws, cases: Ints, into: Groups, out: Sums) -> None:
    """Add up the normal equations of every case; the lower triangle of ``gram`` is written."""
    columns, outputs = cases.shape[1], draws.said.shape[1]
    for c in range(cases.shape[0]):
        known = _group(draws, cases[c], into)
        _describe(draws, cases[c], known, into)
        _add(draws, known, into)
        for group in range(known):
            count = into.found[group]
            for part in range(2):
                weight = draws.weight[columns + 1 - count] * into.drawn[group, part]
                for a in range(count if weight > 0.0 else 0):
                    for b in range(a + 1):
                        out.gram[c, part, into.met[group, a], into.met[group, b]] += weight
                for k in range(outputs):
                    out.squares[c, part, k] += draws.weight[columns + 1 - count] * into.squares[group, part, k]
                    for a in range(count if weight > 0.0 else 0):
                        out.cross[c, part, into.met[group, a], k] += draws.weight[columns + 1 - count] * into.sums[group, part, k]


@compiled
def add_scatter(draws: Draws, cases: Ints, into: Groups, fit: Floats, out: Floats) -> None:
    """Add up what ``scatter`` gives; the lower triangle is written."""
    columns, outputs = cases.shape[1], draws.said.shape[1]
    for c in range(cases.shape[0]):
        known = _group(draws, cases[c], into)
        _describe(draws, cases[c], known, into)
        _add(draws, known, into)
        for group in range(known):
            count = into.found[group]
            weight = draws.weight[columns + 1 - count]
            for k in range(outputs):
                fitted, left = 0.0, 0.0
                for a in range(count):
                    fitted += fit[c, k, into.met[group, a]]
                for part in range(2):
                    left += into.squares[group, part, k] - 2.0 * fitted * into.sums[group, part, k]
                    left += fitted * fitted * into.drawn[group, part]
                left = max(left, 0.0) * weight * weight
                for a in range(count):
                    for b in range(a + 1):
                        out[c, k, into.met[group, a], into.met[group, b]] += left
