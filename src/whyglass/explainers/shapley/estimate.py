"""From what a sample of pairs says to Shapley values: exactly where it can be, else by the odd-kernel process, with errors."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from whyglass.explainers.shapley.designs import Design
from whyglass.explainers.shapley.odd_kernel import process
from whyglass.explainers.shapley.scaled_kernel import posterior

Array = NDArray[np.float64]
MOST_PAIRS = 2047  # pairs that one process holds: a budget of 4,096; its cost grows with their cube
MOST_SCALED = 1023  # pairs that a process of one row's own is worth: a budget of 2,048
_NIL = 1e-9  # a residual of order 1 that is this small a part of the largest answer is rounding
_BY_CHANCE = 0.01  # of the games may be said to disagree although nothing is wrong


@dataclass(frozen=True, eq=False)
class Estimate:
    """Shapley values of several games.

    Attributes:
        values: float64 (players, games).
        errors: Their standard errors, float64 (players, games).
        additive: bool (games,), whether what was seen is additive but for rounding, so that the values are too.
        agrees: bool (games,), whether the intervals of all values meet those of the order-1 regression, intervals being so wide
            that one game in a hundred would miss by chance.
    """

    values: Array
    errors: Array
    additive: NDArray[np.bool_]
    agrees: NDArray[np.bool_]


def estimate(design: Design, differences: Array, gain: Array, *, scaled: bool = False) -> Estimate:
    """Estimate the Shapley values.

    Args:
        design: The pairs asked about.
        differences: float64 (pairs, games), v(S) - v(not S).
        gain: float64 (games,), v(all) - v(none): what the values add up to.
        scaled: Whether each game may have a scale for each player, up to ``MOST_SCALED`` pairs: nearer values for about ten
            times the work.
    """
    plain, spread, largest = design.values(differences, gain)
    nil = largest <= _NIL * np.maximum(np.abs(differences).max(axis=0, initial=0.0), np.abs(gain))
    values, errors, agrees = plain.copy(), spread, np.ones(len(gain), np.bool_)
    rest = np.flatnonzero(~nil)
    if len(rest) and not design.complete:
        seen = np.concatenate([gain[None, rest], differences[:, rest]]) / 2
        found, error = _large(design, seen) if len(differences) > MOST_PAIRS else _posterior(design, seen, scaled=scaled)
        found += (gain[rest] - found.sum(axis=0)) / design.players
        widths = NormalDist().inv_cdf(1 - _BY_CHANCE / 2 / design.players)
        agrees[rest] = (np.abs(found - plain[:, rest]) <= widths * (error + spread[:, rest])).all(axis=0)
        errors = errors.copy()
        values[:, rest], errors[:, rest] = found, error
    return Estimate(values, errors, nil, agrees)


def prepare(design: Design) -> None:
    """Work out what does not depend on any game, so that the first row does not wait for it."""
    pairs = len(design.coalitions)
    if not design.complete:
        estimate(design, np.random.default_rng(0).normal(size=(pairs, 1)) + design.signs[:, :1], np.ones(1))


def _posterior(design: Design, seen: Array, *, scaled: bool) -> tuple[Array, Array]:
    """Values and errors by the process, with scales for the players where they are asked for and borne out."""
    whole = process(design)
    values, errors, shares, likelihood = whole.values(seen)
    if not scaled or len(design.coalitions) > MOST_SCALED:
        return values, errors
    for game, share in enumerate(shares):
        before = seen[:, game - 1] if game else None
        if before is not None and np.allclose(seen[:, game], -before, rtol=1e-9, atol=1e-12 * np.abs(before).max()):
            values[:, game], errors[:, game] = -values[:, game - 1], errors[:, game - 1]  # the other class of two
            continue
        own = posterior(whole.signs, seen[:, game], share)
        if own.likelihood > likelihood[game]:
            values[:, game], errors[:, game] = own.values, own.errors
    return values, errors


def _large(design: Design, seen: Array) -> tuple[Array, Array]:
    """Values from more pairs than one process holds: the first of them predict the others, whose surprises correct the values.

    What the surprises add up to is a second estimate of what the process does not know: each size's pairs stand for those of
    their size that the process has not seen. The two are weighed by their variances.
    """
    first = Design(design.coalitions[:MOST_PAIRS], design.size[:MOST_PAIRS])
    begun = process(first)
    values, errors, *_ = begun.values(seen[: MOST_PAIRS + 1])
    surprise = 2 * (seen[MOST_PAIRS + 1 :] - begun.expected(seen[: MOST_PAIRS + 1], design.coalitions[MOST_PAIRS:]))
    weights, size = design.weights[MOST_PAIRS:], design.size[MOST_PAIRS:]
    added, variance = np.zeros_like(values), np.zeros_like(values)
    for each, population in enumerate(design.populations, 1):
        part = size == each
        count, left = int(part.sum()), population - int(first.counts[each - 1])
        if count:
            shares = weights[part].T[:, :, None] * surprise[None, part]
            added += left / count * shares.sum(axis=1)
            if 1 < count < left:
                variance += left**2 / count * (1 - count / left) * shares.var(axis=1, ddof=1)
    trust = np.where(variance.sum(axis=0) > 0, (errors**2).sum(axis=0) / ((errors**2).sum(axis=0) + variance.sum(axis=0)), 1.0)
    return values + trust * added, np.sqrt((1 - trust) ** 2 * errors**2 + trust**2 * variance)
