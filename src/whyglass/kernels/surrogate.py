"""Sums for weighted least squares on "same bin as the case": one pass over coded draws for each case, nothing spread out in memory."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whyglass.kernels.forest import Floats, Ints
from whyglass.kernels.jit import compiled, inlined

Longs = NDArray[np.int64]
Parts = NDArray[np.int8]


class Draws(NamedTuple):
    """What is drawn and said; the same for all cases.

    Attributes:
        codes: int32 (draws, columns), the bin of every value.
        said: float64 (draws, outputs).
        part: int8 (draws,), 0 for the rows to fit, 1 for those held out, -1 for those left out.
        weight: float64 (columns + 1,), of a draw by the number of columns that differ from the case.
    """

    codes: Ints
    said: Floats
    part: Parts
    weight: Floats


@inlined
def _same(draws: Draws, case: Ints, draw: int, met: Longs) -> int:
    """List the columns in which a draw shares the case's bin, the intercept last; returns how many, the intercept not counted."""
    found, columns = 0, case.shape[0]
    for j in range(columns):
        met[found] = j
        found += 1 if draws.codes[draw, j] == case[j] else 0
    met[found] = columns
    return found


@compiled
def add_moments(draws: Draws, cases: Ints, gram: Floats, cross: Floats, squares: Floats) -> None:
    """Add up the normal equations of every case, fitted and held-out draws apart.

    Args:
        draws: The draws.
        cases: int32 (cases, columns).
        gram: float64 (cases, 2, columns + 1, columns + 1), the intercept last; the lower triangle is written.
        cross: float64 (cases, 2, columns + 1, outputs), indicators with answers.
        squares: float64 (cases, 2, outputs), answers squared.
    """
    columns, outputs = cases.shape[1], draws.said.shape[1]
    met = np.zeros(columns + 1, np.int64)
    for c in range(cases.shape[0]):
        for n in range(draws.codes.shape[0]):
            part = draws.part[n]
            if part < 0:
                continue
            found = _same(draws, cases[c], n, met)
            weight = draws.weight[columns - found]
            for a in range(found + 1):
                for b in range(a + 1):
                    gram[c, part, met[a], met[b]] += weight
            for k in range(outputs):
                said = draws.said[n, k]
                squares[c, part, k] += weight * said * said
                for a in range(found + 1):
                    cross[c, part, met[a], k] += weight * said


@compiled
def add_scatter(draws: Draws, cases: Ints, fit: Floats, scatter: Floats) -> None:
    """Add up the squared weighted residuals behind each pair of indicators: the middle of the sandwich of standard errors.

    Args:
        draws: The draws.
        cases: int32 (cases, columns).
        fit: float64 (cases, outputs, columns + 1), coefficients, the intercept last.
        scatter: float64 (cases, outputs, columns + 1, columns + 1); the lower triangle is written.
    """
    columns, outputs = cases.shape[1], draws.said.shape[1]
    met = np.zeros(columns + 1, np.int64)
    for c in range(cases.shape[0]):
        for n in range(draws.codes.shape[0]):
            if draws.part[n] < 0:
                continue
            found = _same(draws, cases[c], n, met)
            weight = draws.weight[columns - found]
            for k in range(outputs):
                left = draws.said[n, k]
                for a in range(found + 1):
                    left -= fit[c, k, met[a]]
                left *= weight
                left *= left
                for a in range(found + 1):
                    for b in range(a + 1):
                        scatter[c, k, met[a], met[b]] += left
