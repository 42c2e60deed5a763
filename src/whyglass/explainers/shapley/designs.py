"""Which coalitions to ask about when there are too many: pairs of opposites, without replacement, stratified by size.

The Shapley values solve a weighted least-squares problem over all coalitions; the leverage score of a coalition of size s
is 1 / C(d, s), so every size deserves the same number of samples (Musco & Witter 2025). Asking about S and its complement
together cancels the even part of the game, which says nothing about Shapley values: what is left is a regression of
v(S) - v(not S) on the signs of S. Sizes with few coalitions are asked about in full and add no sampling error.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import least_evaluations
from whyglass.core.errors import InputError

Array = NDArray[np.float64]
Bits = NDArray[np.bool_]
_ENUMERABLE = 4096  # strata up to this many pairs are listed and drawn from; larger ones are drawn until distinct


@dataclass(frozen=True, eq=False)
class Design:
    """A sample of pairs and the linear map from their differences to Shapley values; one for all rows of a call.

    Attributes:
        coalitions: bool (pairs, players), one half of each pair.
        strata: slices of ``coalitions`` with the same size.
        populations: How many pairs each stratum has in all.
        solve: float64 (players, pairs).
        leverage: float64 (pairs,), how much of its own residual each pair absorbs.
    """

    coalitions: Bits
    strata: tuple[slice, ...]
    populations: tuple[int, ...]
    solve: Array
    leverage: Array

    @property
    def evaluations(self) -> int:
        """Evaluations a row, no column and all columns included."""
        return 2 * len(self.coalitions) + 2

    @property
    def complete(self) -> bool:
        """Whether every coalition is in, so that the values are exact."""
        return all(s.stop - s.start == n for s, n in zip(self.strata, self.populations, strict=True))

    def values(self, differences: Array, gain: Array) -> tuple[Array, Array]:
        """Shapley values and their standard errors.

        Args:
            differences: float64 (pairs, outputs), v(S) - v(not S).
            gain: float64 (outputs,), v(all) - v(none): what the values add up to, to the last bit but rounding.

        Returns:
            float64 (players, outputs) each. The errors come from the spread of each stratum's weighted residuals, inflated
            for the share of themselves that they absorbed in the fit, with the finite-population correction.
        """
        players = self.coalitions.shape[1]
        signs = 2.0 * self.coalitions - 1.0
        even = gain / players
        values = even + self.solve @ (differences - signs.sum(axis=1)[:, None] * even)
        residuals = (differences - signs @ values) / np.maximum(1.0 - self.leverage, 1e-2)[:, None]
        variance = np.zeros_like(values)
        for part, population in zip(self.strata, self.populations, strict=True):
            count = part.stop - part.start
            if count < population:
                shares = self.solve[:, part, None] * residuals[part]
                centred = shares - shares.mean(axis=1, keepdims=True)
                variance += (1 - count / population) * count / (count - 1) * (centred**2).sum(axis=1)
        return values, np.sqrt(variance)


def make(players: int, evaluations: int, seed: int) -> Design:
    """Draw a design of at most so many evaluations.

    Raises:
        InputError: If the budget cannot tell the players apart.
    """
    if evaluations < least_evaluations(players):
        msg = f"A budget of {evaluations} evaluations cannot tell {players} columns apart; give at least {least_evaluations(players)}."
        raise InputError(msg)
    rng = np.random.default_rng(seed)
    sizes = range(1, players // 2 + 1)
    populations = tuple(_pairs(players, size) for size in sizes)
    counts = allocate(players, (evaluations - 2) // 2)
    parts = [_draw(players, size, count, rng) for size, count in zip(sizes, counts, strict=True)]
    coalitions = np.concatenate(parts) if parts else np.zeros((0, players), np.bool_)
    stops = list(itertools.accumulate(counts))
    strata = tuple(slice(stop - count, stop) for stop, count in zip(stops, counts, strict=True))
    weights = np.repeat([_weight(players, size) / count for size, count in zip(sizes, counts, strict=True)], counts)
    solve, leverage = _solver(coalitions, weights)
    return Design(coalitions, strata, populations, solve, leverage)


def _pairs(players: int, size: int) -> int:
    whole = math.comb(players, size)
    return whole // 2 if 2 * size == players else whole


def _weight(players: int, size: int) -> float:
    """Weight of all pairs of one size in the regression whose solution is the Shapley values."""
    return (players - 1) / (size * (players - size)) * (0.5 if 2 * size == players else 1.0)


def allocate(players: int, pairs: int) -> list[int]:
    """Pairs for each size 1 .. players // 2: by leverage, at least two, at most all there are."""
    sizes = range(1, players // 2 + 1)
    most = [_pairs(players, size) for size in sizes]
    share = [1.0 if 2 * size == players else 2.0 for size in sizes]
    counts = [min(2, n) for n in most]
    pairs = min(pairs, sum(most))
    while (left := pairs - sum(counts)) > 0:
        open_sizes = [k for k, n in enumerate(most) if counts[k] < n]
        whole = sum(share[k] for k in open_sizes)
        given = [min(int(left * share[k] / whole), most[k] - counts[k]) for k in open_sizes]
        if not any(given):
            given = [1 if at < left else 0 for at in range(len(open_sizes))]
        for k, more in zip(open_sizes, given, strict=True):
            counts[k] += more
    return counts


def _draw(players: int, size: int, count: int, rng: np.random.Generator) -> Bits:
    """Distinct coalitions of one size; of two opposites of half size, the one with the first player."""
    population, half = _pairs(players, size), 2 * size == players
    if population <= max(_ENUMERABLE, 2 * count):
        free, picks = (range(1, players), size - 1) if half else (range(players), size)
        listed = np.zeros((population, players), np.bool_)
        for at, members in enumerate(itertools.combinations(free, picks)):
            listed[at, list(members)] = True
        listed[:, 0] |= half
        return np.asarray(listed[np.sort(rng.permutation(population)[:count])])
    found = np.zeros((0, players), np.bool_)
    while len(found) < count:
        order = rng.random((count, players)).argsort(axis=1)
        drawn = order < size
        if half:
            drawn ^= ~drawn[:, :1]
        both = np.concatenate([found, drawn])
        _, first = np.unique(np.packbits(both, axis=1), axis=0, return_index=True)
        found = both[np.sort(first)]
    return found[:count]


def _solver(coalitions: Bits, weights: Array) -> tuple[Array, Array]:
    """Least squares under the constraint that the values add up: (players, pairs) map, and leverages."""
    players = coalitions.shape[1]
    signs = 2.0 * coalitions - 1.0
    if players == 1:
        return np.zeros((1, 0)), np.zeros(0)
    # columns span the vectors that add up to zero
    basis = np.linalg.qr(np.eye(players) - 1.0 / players)[0][:, : players - 1]
    root = np.sqrt(weights / weights.max())
    scaled = root[:, None] * (signs @ basis)
    inverse = np.linalg.pinv(scaled)
    return basis @ (inverse * root), np.asarray((scaled * inverse.T).sum(axis=1))
