"""Shapley values from pairs of opposite coalitions by a Gaussian process over the odd part of the game.

What is seen of a pair is u(S) = (v(S) - v(not S)) / 2: the odd part of the game, all that the Shapley values depend on.
Written in products of signs, u is a sum of terms of 1, 3, 5, ... players. A priori all terms of one order are independent
with one variance, so the covariance of two observations depends on how many signs they share, and is an elementary
symmetric polynomial of the products of their signs: no term is ever listed, and any order costs the same. What the higher
orders add is a variance of its own at every coalition; seen once, it is known there, so that a complete design leaves no
doubt. A Shapley value is linear in the terms (2 / order of each): its posterior mean is one row of weights times the
observations, and its posterior variance is the squared standard error. Weights depend on the design and on the shares of
the orders alone; a row chooses the shares by the marginal likelihood of its own observations, with its own scale.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whyglass.explainers.shapley.designs import Bits, Design

Array = NDArray[np.float64]
Shares = tuple[float, ...]
ORDERS = (1, 3, 5, 7)
_FEW_PLAYERS = 20  # up to here order 7 can be told from the rest
SUBSET = 160  # pairs that the shares are chosen by: more of them improve no answer by a tenth, and cost with the cube
_LATE = 64  # pairs beyond the subset that the scale is checked by
ROUNDING = 1e-11  # added to every observation's variance, so that the covariance can be inverted
_THIRD = (1e-4, 1e-3, 1e-2, 0.05, 0.25, 1.5)  # variance of order 3 for each of order 1
_DECAY = (0.003, 0.03, 0.2, 1.0)  # of each higher order for each of the one before
_NEARLY = ((1e-8, 0.2), (1e-6, 0.2))  # both, for games that are additive but for a float32 model's rounding
_REST = 0.1  # of all still higher orders for each of the last


def shares(players: int) -> tuple[Shares, ...]:
    """The shares of the variance that a row can choose from: one each for orders 1, 3, 5 and 7, then all others."""
    found = []
    for third, decay in (*_NEARLY, *itertools.product(_THIRD, _DECAY)):
        powers = [1.0, third, third * decay, third * decay**2 if players <= _FEW_PLAYERS else 0.0]
        powers = [p if order <= players else 0.0 for p, order in zip(powers, ORDERS, strict=True)]
        whole = [*powers, _REST * min(p for p in powers if p > 0)]
        found.append(tuple(p / sum(whole) for p in whole))
    return tuple(dict.fromkeys(found))


def symmetric(sums: Array, count: int, order: int) -> list[Array]:
    """Elementary symmetric polynomials of 0 .. ``order`` of ``count`` signs that add up to ``sums``."""
    found = [np.ones_like(sums), sums]
    for k in range(2, order + 1):
        found.append((sums * found[-1] - (count - k + 2) * found[-2]) / k)
    return found


def covariance(signs: Array, share: Shares) -> Array:
    """Covariance of the observations, float64 (pairs, pairs), each of variance 1."""
    found = _shared(signs @ signs.T, share, signs.shape[1])
    found[np.diag_indices_from(found)] += share[-1] + ROUNDING
    return found


def _shared(sums: Array, share: Shares, players: int) -> Array:
    """Covariance of different observations whose products of signs add up to ``sums``."""
    steps = np.arange(-players, players + 1, dtype=np.float64)
    terms = symmetric(steps, players, ORDERS[-1])
    by_sum = np.zeros_like(steps)
    for order, power in zip(ORDERS, share, strict=False):
        if power:
            by_sum += power / math.comb(players, order) * terms[order]
    return np.asarray(by_sum[sums.astype(np.intp) + players])


def with_values(signs: Array, share: Shares) -> Array:
    """Covariance of the observations with the Shapley values, float64 (pairs, players)."""
    players = signs.shape[1]
    terms = symmetric(signs.sum(axis=1)[:, None] - signs, players - 1, ORDERS[-1])
    found = share[-1] * white_weights(signs)
    for order, power in zip(ORDERS, share, strict=False):
        if power:
            found += power / math.comb(players, order) * 2 / order * signs * terms[order - 1]
    return np.asarray(found)


def prior_variance(players: int, share: Shares) -> float:
    """Variance of a Shapley value before anything is seen."""
    found = share[-1] * 4 / players**2 * sum(1 / math.comb(players - 1, s) for s in range(players))
    for order, power in zip(ORDERS, share, strict=False):
        if power:
            found += power * 4 / order**2 * math.comb(players - 1, order - 1) / math.comb(players, order)
    return found


def white_weights(signs: Array) -> Array:
    """Weight of each observation in each Shapley value when all coalitions are seen, float64 (pairs, players)."""
    players = signs.shape[1]
    size = (signs.sum(axis=1).astype(np.intp) + players) // 2
    return np.asarray(signs * _whole_weights(players)[size[:, None], (signs > 0).astype(np.intp)])


def _whole_weights(players: int) -> Array:
    """Weight of u(S) in the Shapley value of a player outside (column 0) and inside (column 1), by size, when all are seen."""
    found = np.zeros((players + 1, 2))
    for size in range(players + 1):
        if size < players:
            found[size, 0] = 2 / (players * math.comb(players - 1, size))
        if size:
            found[size, 1] = 2 / (players * math.comb(players - 1, size - 1))
    return found


@dataclass(frozen=True, eq=False)
class Weights:
    """What one choice of shares makes of the observations.

    Attributes:
        mean: float64 (players, 1 + pairs), weights of the observations in each value.
        error: float64 (players,), standard errors where an observation has variance 1.
        late: float64 (late, 1 + pairs), maps the observations to the surprises of the last of them, each of variance 1 if
            the shares and the scale are right; no rows where the shares were chosen by all of them.
        log_det: Logarithm of the determinant of their covariance, at scale 1.
    """

    mean: Array
    error: Array
    late: Array
    log_det: float


class Posterior(NamedTuple):
    """What the process makes of several games.

    Attributes:
        values: float64 (players, games), means of the Shapley values; they add up to twice the first observation but for
            rounding.
        errors: float64 (players, games), their standard deviations.
        shares: The shares of the orders that each game chose.
        likelihood: float64 (games,), logarithm of that of the last observations given all others; 0 where none is left.
    """

    values: Array
    errors: Array
    shares: list[Shares]
    likelihood: Array


@dataclass(frozen=True, eq=False)
class Process:
    """The process on one design; what it works out is kept, since it depends on no game.

    Attributes:
        design: The pairs.
        signs: float64 (1 + pairs, players), all players first, then one coalition of each pair.
    """

    design: Design
    signs: Array
    _weights: dict[Shares, Weights] = field(default_factory=dict)

    def choose(self, seen: Array) -> tuple[list[Shares], Array]:
        """The shares that make each game's first observations most likely, and its scale.

        Args:
            seen: float64 (1 + pairs, games).

        Returns:
            The shares and the variance of an observation of each game.
        """
        part = seen[: SUBSET + 1]
        chances = _chances(self.signs[: len(part)].astype(np.int8).tobytes(), self.design.players)
        scales = np.stack([np.einsum("ng,ng->g", part, inverse @ part) for _, inverse, _ in chances]) / len(part)
        logs = np.array([log for _, _, log in chances])
        with np.errstate(divide="ignore"):
            likelihood = -0.5 * len(part) * np.log(scales) - 0.5 * logs[:, None]
        best = likelihood.argmax(axis=0)
        return [chances[k][0] for k in best.tolist()], scales[best, np.arange(seen.shape[1])]

    def weights(self, share: Shares) -> Weights:
        """The weights of one choice of shares: one factorisation, the first time."""
        if share not in self._weights:
            cross = with_values(self.signs, share)
            count, players = cross.shape
            late = late_of(count)
            solved = np.linalg.solve(covariance(self.signs, share), np.concatenate([cross, np.eye(count)[:, count - late :]], axis=1))
            mean, last = solved[:, :players], solved[:, players:]
            left = prior_variance(players, share) - np.einsum("np,np->p", mean, cross)
            self._weights[share] = Weights(np.ascontiguousarray(mean.T), np.sqrt(np.maximum(left, 0.0)), *surprises(last))
        return self._weights[share]

    def values(self, seen: Array) -> Posterior:
        """Posterior of the Shapley values of several games.

        The scale is what the observations that chose the shares say, or the later ones where those surprise more: shares
        chosen by a few observations may fit them better than all the others.

        Args:
            seen: float64 (1 + pairs, games), u of all players and of each pair.
        """
        values, errors = np.zeros((2, self.design.players, seen.shape[1]))
        chosen, scale = self.choose(seen)
        likelihood = np.zeros(seen.shape[1])
        for share in dict.fromkeys(chosen):
            games = np.array([share == other for other in chosen])
            weights, part = self.weights(share), seen[:, games]
            variance = scale[games]
            if len(weights.late):
                surprise = weights.late @ part
                likelihood[games] = late_likelihood(surprise, weights.log_det, variance)
                variance = np.maximum(variance, (surprise**2).mean(axis=0))
            values[:, games] = weights.mean @ part
            errors[:, games] = weights.error[:, None] * np.sqrt(variance)
        return Posterior(values, errors, chosen, likelihood)

    def expected(self, seen: Array, coalitions: Bits) -> Array:
        """Posterior means of u for further coalitions: float64 (coalitions, games)."""
        signs, found = 2.0 * coalitions - 1.0, np.zeros((len(coalitions), seen.shape[1]))
        chosen, _ = self.choose(seen)
        for share in dict.fromkeys(chosen):
            games = np.array([share == other for other in chosen])
            solved = np.linalg.solve(covariance(self.signs, share), seen[:, games])
            for start in range(0, len(signs), len(self.signs)):
                part = slice(start, start + len(self.signs))
                found[part, games] = _shared(signs[part] @ self.signs.T, share, self.design.players) @ solved
        return found


def late_of(count: int) -> int:
    """How many of so many observations, the last, what is chosen by the others is tested by."""
    return min(_LATE, max(count - 1 - SUBSET, count // 4))


def surprises(last: Array) -> tuple[Array, float]:
    """The map to the surprises of the last observations, (late, pairs), and the log-determinant of their covariance.

    Args:
        last: float64 (pairs, late), the last columns of the inverse of the covariance of all.
    """
    count, late = last.shape
    if not late:
        return np.zeros((0, count)), 0.0
    corner = last[count - late :]
    root = np.linalg.cholesky((corner + corner.T) / 2)
    return np.asarray(np.linalg.solve(root, last.T)), -2.0 * float(np.log(np.diag(root)).sum())


def late_likelihood(surprise: Array, log_det: float, variance: Array) -> Array:
    """Log-likelihoods of the last observations given all others, but for a constant: float64 (games,).

    Args:
        surprise: float64 (late, games).
        log_det: Of their covariance at scale 1.
        variance: float64 (games,), of an observation.
    """
    return np.asarray(-0.5 * ((surprise**2).sum(axis=0) / variance + len(surprise) * np.log(variance) + log_det))


@lru_cache(maxsize=8)
def _chances(signs: bytes, players: int) -> tuple[tuple[Shares, Array, float], ...]:
    """Every choice of shares, the inverse of the covariance it leads to, and the logarithm of its determinant."""
    each = np.frombuffer(signs, np.int8).reshape(-1, players).astype(np.float64)
    found = []
    for share in shares(players):
        whole = covariance(each, share)
        found.append(
            (share, np.asarray(np.linalg.inv(whole), dtype=np.float64), 2.0 * float(np.log(np.diag(np.linalg.cholesky(whole))).sum()))
        )
    return tuple(found)


@lru_cache(maxsize=8)
def process(design: Design) -> Process:
    """The process of a design, kept for the next call."""
    return Process(design, np.concatenate([np.ones((1, design.players)), design.signs]))
