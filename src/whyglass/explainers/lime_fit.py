"""The local surrogate: ridge, forward selection, standard errors and held-out fit, all from the sums of the normal equations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whyglass.kernels import surrogate

Array = NDArray[np.float64]
Codes = NDArray[np.int32]
Bits = NDArray[np.bool_]

RIDGE = 1.0  # LIME's penalty, beside sums of weights
_NOTHING = 1e-12  # share of the weight below which an indicator does not vary
_TOLD_APART = 1.96  # standard errors between two sizes whose order is taken as known


@dataclass(frozen=True, eq=False)
class Surrogates:
    """One weighted linear model for each case and output.

    Attributes:
        values: float64 (cases, columns, outputs), coefficients of "same bin as the case".
        base: float64 (cases, outputs), intercepts.
        errors: float64 (cases, columns, outputs), NaN where no draw shares the case's bin; zeros for known coefficients.
        r2: float64 (cases, outputs), weighted, on the draws held out; NaN where the answers do not vary.
        tied: float64 (cases, columns, outputs), 1 where the rank by size is not told apart from the next or the one before.
    """

    values: Array
    base: Array
    errors: Array
    r2: Array
    tied: Array


@dataclass(frozen=True, eq=False)
class Sums:
    """The normal equations of some cases, centred.

    Attributes:
        gram: float64 (cases, columns, columns), weighted covariances of the indicators times the weight.
        cross: float64 (cases, columns, outputs), with the answers.
        share: float64 (cases, columns), weighted share of draws that share the bin.
        mean: float64 (cases, outputs), weighted mean answer.
        weight: float64 (cases, 1), sums of weights.
    """

    gram: Array
    cross: Array
    share: Array
    mean: Array
    weight: Array


def fit(draws: surrogate.Draws, cases: Codes, most: int | None) -> Surrogates:
    """Fit the surrogates of some cases; where two outputs have a constant sum, one is fitted and the other is its mirror.

    Args:
        draws: The draws.
        cases: int32 (cases, columns), the bins of each case.
        most: Columns to keep by forward selection; None keeps all.

    Cost: draws x (columns + shared columns^2) a case, and columns^3.
    """
    used = draws.said[draws.part >= 0]
    if draws.said.shape[1] != 2 or np.ptp(used.sum(axis=1)) > _NOTHING:
        return _fit(draws, cases, most)
    one = _fit(draws._replace(said=np.ascontiguousarray(draws.said[:, 1:])), cases, most)
    total = float(used[0].sum())
    return Surrogates(
        np.concatenate([-one.values, one.values], axis=2),
        np.concatenate([total - one.base, one.base], axis=1),
        *(np.repeat(part, 2, axis=-1) for part in (one.errors, one.r2, one.tied)),
    )


def _fit(draws: surrogate.Draws, cases: Codes, most: int | None) -> Surrogates:
    """Fit every output.

    The fit that is reported uses all draws; ``r2`` is that of a fit, selection included, on the fitted part only, measured on the
    part held out. Standard errors are those of weighted least squares under any variance (sandwich), not below those under
    equal variance, and hold the pull of the ridge towards zero as well.
    """
    draws, centre = _about_mean(draws)
    into = surrogate.groups(draws)
    gram, cross, squares = surrogate.moments(draws, cases, into)
    trial, trial_base, _, _ = _solve(_centred(gram[:, 0], cross[:, 0]), most)
    r2 = _fidelity(gram[:, 1], cross[:, 1], squares[:, 1], trial, trial_base)
    sums = _centred(gram.sum(axis=1), cross.sum(axis=1))
    values, base, inverse, kept = _solve(sums, most)
    both = np.concatenate([values, base[:, None]], axis=1).transpose(0, 2, 1)
    variance = _variance(surrogate.scatter(draws, cases, into, both), sums, inverse, values, kept)
    errors = np.sqrt(np.diagonal(variance, axis1=2, axis2=3)).transpose(0, 2, 1)
    tied = ties(values, variance)
    errors = np.where((sums.share <= 0)[:, :, None], np.nan, errors)
    return Surrogates(values, base + centre, errors, r2, tied)


def measure(draws: surrogate.Draws, cases: Codes, values: Array, base: Array) -> Array:
    """Weighted R squared of given coefficients on all draws: float64 (cases, outputs)."""
    draws, centre = _about_mean(draws)
    gram, cross, squares = surrogate.moments(draws, cases, surrogate.groups(draws))
    return _fidelity(gram.sum(axis=1), cross.sum(axis=1), squares.sum(axis=1), values, base - centre)


def _about_mean(draws: surrogate.Draws) -> tuple[surrogate.Draws, Array]:
    """The draws with answers about their mean, so that sums of squares keep their digits; and the mean."""
    used = draws.part >= 0
    centre = draws.said[used].mean(axis=0)
    return draws._replace(said=np.where(used[:, None], draws.said - centre, 0.0)), centre


def ties(values: Array, variance: Array) -> Array:
    """Columns whose rank by size is not told apart from a neighbour's: float64 (cases, columns, outputs), 1 or 0.

    Args:
        values: float64 (cases, columns, outputs).
        variance: float64 (cases, outputs, columns, columns), covariances of the coefficients.
    """
    sizes, signs = np.abs(values).transpose(0, 2, 1), np.sign(values).transpose(0, 2, 1)
    order = np.argsort(-sizes, axis=2, kind="stable")
    one, two = order[:, :, :-1], order[:, :, 1:]
    at = np.arange(values.shape[0])[:, None, None], np.arange(values.shape[2])[None, :, None]
    between = variance[(*at, one, one)] + variance[(*at, two, two)] - 2 * signs[(*at, one)] * signs[(*at, two)] * variance[(*at, one, two)]
    close = sizes[(*at, one)] - sizes[(*at, two)] < _TOLD_APART * np.sqrt(np.maximum(between, 0.0))
    marked = np.zeros(sizes.shape)
    np.put_along_axis(marked, one, close.astype(np.float64), axis=2)
    ahead = np.zeros(sizes.shape)
    np.put_along_axis(ahead, two, close.astype(np.float64), axis=2)
    return np.ascontiguousarray(np.maximum(marked, ahead).transpose(0, 2, 1))


def _centred(gram: Array, cross: Array) -> Sums:
    """Sums about the weighted means; indicators that do not vary are taken out."""
    weight = np.maximum(gram[:, -1, -1], np.finfo(np.float64).tiny)[:, None]
    share, mean = gram[:, -1, :-1] / weight, cross[:, -1] / weight
    centred = gram[:, :-1, :-1] - share[:, :, None] * gram[:, -1, None, :-1]
    with_answers = cross[:, :-1] - share[:, :, None] * cross[:, -1, None, :]
    varies = np.diagonal(centred, axis1=1, axis2=2) > _NOTHING * weight
    centred = np.where(varies[:, :, None] & varies[:, None, :], centred, 0.0)
    return Sums(centred, np.where(varies[:, :, None], with_answers, 0.0), share, mean, weight)


def _solve(sums: Sums, most: int | None) -> tuple[Array, Array, Array, Bits]:
    """Ridge coefficients, intercepts, the inverse behind them, and which columns were kept, (cases, outputs or 1, columns)."""
    cases, columns = sums.share.shape
    kept = np.ones((cases, 1, columns), np.bool_)
    if most is not None and most < columns:
        kept = _forward(sums, most)
    both = kept[:, :, :, None] & kept[:, :, None, :]
    inverse = np.linalg.inv(np.where(both, sums.gram[:, None], 0.0) + RIDGE * np.eye(columns))
    right = np.where(kept, sums.cross.transpose(0, 2, 1), 0.0)
    values = np.einsum("ckab,ckb->cak", np.broadcast_to(inverse, (*right.shape, columns)), right)
    base = sums.mean - np.einsum("ca,cak->ck", sums.share, values)
    return np.asarray(values), np.asarray(base), np.asarray(inverse, np.float64), np.asarray(kept)


def _forward(sums: Sums, most: int) -> Bits:
    """The columns that forward selection keeps: in each step the one that adds most to the fit, the kept ones swept out."""
    cases, columns = sums.share.shape
    outputs = sums.cross.shape[2]
    left = np.repeat(sums.gram[:, None], outputs, axis=1)
    cross = sums.cross.transpose(0, 2, 1).copy()
    kept = np.zeros((cases, outputs, columns), np.bool_)
    c, k = np.arange(cases)[:, None], np.arange(outputs)[None, :]
    for _ in range(most):
        spread = np.diagonal(left, axis1=2, axis2=3) + RIDGE
        best = np.argmax(np.where(kept, -1.0, cross**2 / spread), axis=2)
        kept[c, k, best] = True
        column, size = left[c, k, :, best], spread[c, k, best][:, :, None]
        cross -= column * cross[c, k, best][:, :, None] / size
        left -= column[:, :, :, None] * column[:, :, None, :] / size[:, :, :, None]
    return kept


def _fidelity(gram: Array, cross: Array, squares: Array, values: Array, base: Array) -> Array:
    """Weighted R squared from the sums of some draws; NaN where the answers do not vary."""
    both = np.concatenate([values, base[:, None]], axis=1)
    missed = squares - 2 * np.einsum("cak,cak->ck", both, cross) + np.einsum("cak,cab,cbk->ck", both, gram, both)
    weight = np.maximum(gram[:, -1, -1], np.finfo(np.float64).tiny)[:, None]
    spread = squares - cross[:, -1] ** 2 / weight
    varies = spread > _NOTHING * np.maximum(squares, weight * np.finfo(np.float64).tiny)
    return np.where(varies, 1.0 - missed / np.where(varies, spread, 1.0), np.nan)


def _variance(scatter: Array, sums: Sums, inverse: Array, values: Array, kept: Bits) -> Array:
    """Covariances of the coefficients: float64 (cases, outputs, columns, columns)."""
    share, corner = sums.share[:, None, :], scatter[:, :, -1, -1]
    edge = scatter[:, :, -1, :-1]
    middle = scatter[:, :, :-1, :-1] - share[..., None] * edge[:, :, None, :] - edge[..., None] * share[:, :, None, :]
    middle += corner[:, :, None, None] * share[..., None] * share[:, :, None, :]
    found = inverse @ middle @ inverse
    spread = np.diagonal(sums.gram, axis1=1, axis2=2)[:, None, :]
    varies = (spread > 0) & kept
    # what equal residual variance would give: with few draws in the case's bin, their own residuals are too small a sample
    equal = np.where(varies, corner[..., None] / sums.weight[:, None] * spread / (spread + RIDGE) ** 2, 0.0)
    own = np.diagonal(found, axis1=2, axis2=3)
    pull = np.where(varies, RIDGE * values.transpose(0, 2, 1) / np.where(varies, spread, 1.0), 0.0)
    extra = np.where(varies, np.maximum(equal - own, 0.0) + pull**2, -own)
    return found + extra[..., None] * np.eye(values.shape[1])
