"""Which coalitions to ask about when there are too many: pairs of opposites, without replacement, stratified by size.

The Shapley values solve a weighted least-squares problem over all coalitions; the leverage score of a coalition of size s
is 1 / C(d, s), so every size deserves the same number of samples (Musco & Witter 2025). Asking about S and its complement
together cancels the even part of the game, which says nothing about Shapley values. Sizes with few coalitions are asked
about in full.

The pairs of one seed have one order, whatever the budget: a larger budget goes on where a smaller one stopped, so that an
answer can be refined until it is good enough and is then the answer that the smaller budget would have given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import least_evaluations
from whyglass.core.errors import InputError

Array = NDArray[np.float64]
Bits = NDArray[np.bool_]
Ints = NDArray[np.intp]
_SHUFFLED = 1 << 16  # strata up to this many pairs are shuffled as a whole; larger ones are drawn until distinct
_CHUNK = 1024  # draws at a time there; the same for every budget, so that the order is


@dataclass(frozen=True, eq=False)
class Design:
    """A sample of pairs; one for all rows of a call.

    Attributes:
        coalitions: bool (pairs, players), one half of each pair.
        size: How many players each of them has, at most half of all.
    """

    coalitions: Bits
    size: Ints

    @property
    def players(self) -> int:
        """How many players there are."""
        return int(self.coalitions.shape[1])

    @property
    def evaluations(self) -> int:
        """Evaluations a row, no column and all columns included."""
        return 2 * len(self.coalitions) + 2

    @cached_property
    def counts(self) -> Ints:
        """How many pairs of each size 1 .. players // 2 are in."""
        return np.bincount(self.size, minlength=self.players // 2 + 1)[1:]

    @cached_property
    def populations(self) -> tuple[int, ...]:
        """How many pairs of each size there are."""
        return tuple(pairs_of(self.players, size) for size in range(1, self.players // 2 + 1))

    @property
    def complete(self) -> bool:
        """Whether every coalition is in, so that the values are exact."""
        return all(count == whole for count, whole in zip(self.counts.tolist(), self.populations, strict=True))

    @cached_property
    def signs(self) -> Array:
        """Float64 (pairs, players), +1 for players that are in and -1 for the others."""
        return np.asarray(2.0 * self.coalitions - 1.0, dtype=np.float64)

    @cached_property
    def _solver(self) -> tuple[Array, Array]:
        """Least squares under the constraint that the values add up: (players, pairs) map, and leverages."""
        players = self.players
        if players == 1:
            return np.zeros((1, 0)), np.zeros(0)
        each = np.array([_weight(players, s) / max(n, 1) for s, n in enumerate(self.counts.tolist(), 1)])
        root = np.sqrt(each / each.max())[self.size - 1]
        # columns span the vectors that add up to zero
        basis = np.linalg.qr(np.eye(players) - 1.0 / players)[0][:, : players - 1]
        scaled = root[:, None] * (self.signs @ basis)
        inverse = np.linalg.pinv(scaled.T @ scaled, hermitian=True) @ scaled.T
        return basis @ (inverse * root), np.asarray((scaled * inverse.T).sum(axis=1))

    @cached_property
    def weights(self) -> Array:
        """Weight of each pair's v(S) - v(not S) in the Shapley values when all pairs are seen, float64 (pairs, players)."""
        inside = np.array([0.0] + [1 / (self.players * math.comb(self.players - 1, s - 1)) for s in range(1, self.players + 1)])
        return np.asarray(np.where(self.coalitions, inside[self.size, None], -inside[self.size + 1, None]), dtype=np.float64)

    def values(self, differences: Array, gain: Array) -> tuple[Array, Array, Array]:
        """Shapley values and their standard errors by regression: exact for additive games, and for a complete design.

        Args:
            differences: float64 (pairs, games), v(S) - v(not S).
            gain: float64 (games,), v(all) - v(none): what the values add up to, to the last bit but rounding.

        Returns:
            Values and errors, float64 (players, games) each, and the largest residual of each game, (games,). The errors come
            from the spread of each size's weighted residuals, inflated for the share of themselves that they absorbed in the
            fit, with the finite-population correction.
        """
        solve, leverage = self._solver
        even = gain / self.players
        values = even + solve @ (differences - self.signs.sum(axis=1)[:, None] * even)
        variance, residuals = np.zeros_like(values), differences - self.signs @ values
        largest = np.abs(residuals).max(axis=0, initial=0.0)
        residuals /= np.maximum(1.0 - leverage, 1e-2)[:, None]
        for size, (count, population) in enumerate(zip(self.counts.tolist(), self.populations, strict=True), 1):
            if 1 < count < population:
                part = self.size == size
                weigh, left = solve[:, part], residuals[part]
                spread = weigh**2 @ left**2 - (weigh @ left) ** 2 / count
                variance += (1 - count / population) * count / (count - 1) * np.maximum(spread, 0.0)
        return values, np.sqrt(variance), largest


@lru_cache(maxsize=8)
def make(players: int, evaluations: int, seed: int) -> Design:
    """The design of at most so many evaluations; its pairs are the first of those that a larger budget gives.

    Raises:
        InputError: If the budget cannot tell the players apart.
    """
    if evaluations < least_evaluations(players):
        msg = f"A budget of {evaluations} evaluations cannot tell {players} players apart; give at least {least_evaluations(players)}."
        raise InputError(msg)
    size, turn = _order(players, (evaluations - 2) // 2)
    coalitions = np.zeros((len(size), players), np.bool_)
    for each in np.unique(size).tolist():
        part = size == each
        coalitions[part] = _draw(players, each, int(part.sum()), seed)[turn[part]]
    return Design(coalitions, size)


def pairs_of(players: int, size: int) -> int:
    """How many pairs of opposite coalitions have ``size`` players on their smaller side."""
    whole = math.comb(players, size)
    return whole // 2 if 2 * size == players else whole


def _weight(players: int, size: int) -> float:
    """Weight of all pairs of one size in the regression whose solution is the Shapley values."""
    return (players - 1) / (size * (players - size)) * (0.5 if 2 * size == players else 1.0)


def _order(players: int, pairs: int) -> tuple[Ints, Ints]:
    """Size of each pair asked about, and the how manieth of its size it is: two of each size first, then by leverage."""
    sizes, turns, keys = [], [], []
    for size in range(1, players // 2 + 1):
        turn = np.arange(min(pairs_of(players, size), pairs))
        share = 1.0 if 2 * size == players else 2.0
        sizes.append(np.full(len(turn), size))
        turns.append(turn)
        keys.append(np.where(turn < 2, 0.0, (turn + 1) / share))
    if not sizes:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    first = np.argsort(np.concatenate(keys), kind="stable")[:pairs]
    return np.concatenate(sizes)[first], np.concatenate(turns)[first]


def _draw(players: int, size: int, count: int, seed: int) -> Bits:
    """The first ``count`` distinct coalitions of one size; of two opposites of half size, the one with the first player."""
    rng = np.random.default_rng([seed, players, size])
    population, half = pairs_of(players, size), 2 * size == players
    if population <= _SHUFFLED:
        ranks = rng.permutation(population)[:count]
        if not half:
            return unrank(players, size, ranks)
        rest = unrank(players - 1, size - 1, ranks)
        return np.concatenate([np.ones((len(ranks), 1), np.bool_), rest], axis=1)
    found = np.zeros((0, players), np.bool_)
    while len(found) < count:
        drawn = rng.random((_CHUNK, players)).argsort(axis=1) < size
        if half:
            drawn ^= ~drawn[:, :1]
        both = np.concatenate([found, drawn])
        _, first = np.unique(np.packbits(both, axis=1), axis=0, return_index=True)
        found = both[np.sort(first)]
    return found[:count]


def unrank(players: int, size: int, ranks: Ints) -> Bits:
    """Coalitions of one size by their number in the combinatorial number system: bool (ranks, players)."""
    members = np.zeros((len(ranks), players), np.bool_)
    left, need = ranks.astype(np.int64), np.full(len(ranks), size)
    for player in range(players - 1, -1, -1):
        below = np.array([math.comb(player, k) for k in range(size + 1)])[need]
        taken = (need > 0) & (left >= below)
        members[:, player] = taken
        left -= np.where(taken, below, 0)
        need -= taken
    return members
