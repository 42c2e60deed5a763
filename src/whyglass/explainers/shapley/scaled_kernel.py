"""The odd-kernel process with a scale for each player: how much of one row's game is about them.

In most games few players share terms. Here the variance of a term is a product over its players of their scales, so that the
elementary symmetric polynomials of ``odd_kernel`` become weighted ones, by Newton's identities from power sums; a game about
six of twenty players is soon seen to be one. Scales climb the likelihood of the first observations times a log-normal prior
around 1, by the signs of the gradient (Riedmiller & Braun 1993): a fixed number of steps, no draw. They are kept where the
last observations, which they were not fitted to, bear them out. Every row has its own, so its design is factorised for it alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whyglass.explainers.shapley.odd_kernel import (
    ORDERS,
    ROUNDING,
    SUBSET,
    Shares,
    late_likelihood,
    late_of,
    prior_variance,
    surprises,
    white_weights,
)

Array = NDArray[np.float64]
_STEPS = 8
_FIRST_STEP, _LEAST_STEP, _MOST_STEP = 0.4, 0.01, 2.0
_FASTER, _SLOWER = 1.5, 0.4
_FURTHEST = 4.0  # that the logarithm of a scale may be from 0


@dataclass(frozen=True, eq=False)
class Scaled:
    """What one choice of scales makes of one game.

    Attributes:
        values: float64 (players,), posterior means of the Shapley values.
        errors: float64 (players,), their posterior standard deviations.
        likelihood: Logarithm of that of the last observations given all others, to which the scales were not fitted.
    """

    values: Array
    errors: Array
    likelihood: float


def polynomials(signs: Array, others: Array, scales: Array, order: int) -> list[Array]:
    """Elementary symmetric polynomials 0 .. ``order`` of the scaled products of signs, each float64 (signs, others)."""
    odd = {k: (signs * scales**k) @ others.T for k in range(1, order + 1, 2)}
    even = {k: float((scales**k).sum()) for k in range(2, order + 1, 2)}
    found = [np.ones_like(odd[1]), odd[1]]
    for k in range(2, order + 1):
        whole = found[k - 1] * odd[1]
        for i in range(2, k + 1):
            if i % 2:
                whole += found[k - i] * odd[i]
            else:
                whole -= found[k - i] * even[i]
        whole /= k
        found.append(whole)
    return found


def covariance(signs: Array, scales: Array, share: Shares) -> Array:
    """Covariance of the observations, float64 (pairs, pairs), each of variance 1."""
    whole, weights = polynomials(signs, signs, scales, _top(share)), _weights(scales, share)
    found = np.zeros((len(signs), len(signs)))
    for order, weight in weights.items():
        found += weight * whole[order]
    found[np.diag_indices_from(found)] += share[-1] + ROUNDING
    return found


def with_values(signs: Array, scales: Array, share: Shares) -> Array:
    """Covariance of the observations with the Shapley values, float64 (pairs, players)."""
    found, without = share[-1] * white_weights(signs), _without(signs, scales, _top(share))
    for order, weight in _weights(scales, share).items():
        found += weight * 2 / order * signs * scales * without[order - 1]
    return found


def value_variance(scales: Array, share: Shares) -> Array:
    """Variance of each Shapley value before anything is seen, float64 (players,)."""
    found = np.full(len(scales), prior_variance(len(scales), (0.0, 0.0, 0.0, 0.0, share[-1])))
    without = _without(np.ones((1, len(scales))), scales, _top(share))
    for order, weight in _weights(scales, share).items():
        found += weight * 4 / order**2 * scales * without[order - 1][0]
    return found


def _top(share: Shares) -> int:
    return max(order for order, power in zip(ORDERS, share, strict=False) if power)


def _norms(scales: Array, order: int) -> list[float]:
    one = np.ones((1, len(scales)))
    return [float(term[0, 0]) for term in polynomials(one, one, scales, order)]


def _weights(scales: Array, share: Shares) -> dict[int, float]:
    """Weight of each order's polynomial, so that its terms have their share of the variance."""
    norms = _norms(scales, _top(share))
    return {order: power / norms[order] for order, power in zip(ORDERS, share, strict=False) if power}


def _without(signs: Array, scales: Array, order: int) -> list[Array]:
    """Polynomials 0 .. ``order - 1`` of the scaled signs of all players but one, for each: float64 (pairs, players)."""
    whole, own = polynomials(signs, np.ones((1, signs.shape[1])), scales, order), signs * scales
    found = [np.ones_like(own)]
    for k in range(1, order):
        found.append(whole[k] - own * found[-1])
    return found


def slope(signs: Array, seen: Array, scales: Array, share: Shares) -> Array:
    """Gradient of the log-likelihood by the logarithms of the scales, with the variance at its best: float64 (players,)."""
    top, weights = _top(share), _weights(scales, share)
    terms, norms = polynomials(signs, signs, scales, top), _norms(scales, top)
    inverse = np.linalg.inv(covariance(signs, scales, share))
    solved = inverse @ seen
    pull = np.outer(solved, solved) * (len(seen) / (seen @ solved)) - inverse
    found = np.zeros(len(scales))
    for less in range(top):
        # leaving a player out of a polynomial alternates between lower ones, with a power of its scale each
        lower = [(weight, order - 1 - less) for order, weight in weights.items() if order > less]
        inner = pull * sum(weight * terms[k] for weight, k in lower)
        if less % 2:
            found -= scales**less * inner.sum()
        else:
            found += scales**less * np.einsum("np,np->p", signs, inner @ signs)
    for order, weight in weights.items():
        share_of = sum((-scales) ** less * norms[order - 1 - less] for less in range(order)) / norms[order]
        found -= share_of * weight * (pull * terms[order]).sum()
    return np.asarray(0.5 * scales * found)


def fit(signs: Array, seen: Array, share: Shares) -> Array:
    """Scales that make the observations of one game likely: float64 (players,), of geometric mean 1.

    Args:
        signs: float64 (pairs, players).
        seen: float64 (pairs,).
        share: The shares of the orders.
    """
    at, before = np.zeros(signs.shape[1]), np.zeros(signs.shape[1])
    step = np.full(len(at), _FIRST_STEP)
    for _ in range(_STEPS):
        steep = slope(signs, seen, np.exp(at), share) - at
        turned = steep * before
        step = np.clip(step * np.where(turned > 0, _FASTER, np.where(turned < 0, _SLOWER, 1.0)), _LEAST_STEP, _MOST_STEP)
        at = np.clip(at + np.sign(steep) * step * np.minimum(1.0, np.abs(steep)), -_FURTHEST, _FURTHEST)
        at -= at.mean()
        before = steep
    return np.exp(at)


def posterior(signs: Array, seen: Array, share: Shares) -> Scaled:
    """Posterior of the Shapley values of one game, with scales of its own.

    Args:
        signs: float64 (1 + pairs, players), all players first.
        seen: float64 (1 + pairs,).
        share: The shares of the orders, as chosen with equal scales.
    """
    count, players = signs.shape
    late = late_of(count)
    part = slice(0, min(SUBSET + 1, count - late))
    scales = fit(signs[part], seen[part], share)
    cross = with_values(signs, scales, share)
    wanted = np.concatenate([cross, np.eye(count)[:, count - late :]], axis=1)
    solved = np.linalg.solve(covariance(signs, scales, share), wanted)
    variance = float(seen[part] @ np.linalg.solve(covariance(signs[part], scales, share), seen[part])) / part.stop
    inner, log_det = surprises(solved[:, players:])
    found = float(late_likelihood(inner @ seen[:, None], log_det, np.array([variance]))[0])
    variance = max(variance, float(((inner @ seen) ** 2).mean()))
    variance *= part.stop / max(part.stop - players, part.stop / 2)  # what as many scales took from them
    left = value_variance(scales, share) - np.einsum("np,np->p", solved[:, :players], cross)
    return Scaled(solved[:, :players].T @ seen, np.sqrt(np.maximum(left, 0.0) * variance), found)
