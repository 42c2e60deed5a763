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
        r2: float64 (cases, outputs), weighted, every draw held out once; NaN where the answers do not vary.
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
        cross: float64 (cases, outputs, columns), with the answers.
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
    used = draws.said[:, draws.part >= 0]
    if len(draws.said) != 2 or np.ptp(used.sum(axis=0)) > _NOTHING:
        return _fit(draws, cases, most)
    one = _fit(draws._replace(said=draws.said[1:]), cases, most)
    total = float(used[:, 0].sum())
    return Surrogates(
        np.concatenate([-one.values, one.values], axis=2),
        np.concatenate([total - one.base, one.base], axis=1),
        *(np.repeat(part, 2, axis=-1) for part in (one.errors, one.r2, one.tied)),
    )


def _fit(draws: surrogate.Draws, cases: Codes, most: int | None) -> Surrogates:
    """Fit every output.

    The fit that is reported uses all draws; for ``r2`` each part of them is foretold by a fit, selection included, of the others.
    Standard errors are those of weighted least squares under any variance (sandwich; columns are drawn, and
    stay under the kernel, independent, so that its outer part is taken as diagonal), not below those under equal variance, and hold
    the pull of the ridge towards zero as well.
    """
    draws, centre = _about_mean(draws)
    into = surrogate.room(draws)
    gram, cross, squares = surrogate.moments(draws, cases, into)
    whole = gram.sum(axis=1), cross.sum(axis=2), squares.sum(axis=2)
    others = _centred(_flat(whole[0][:, None] - gram), _flat(whole[1][:, None] - cross.swapaxes(1, 2)))
    trial, trial_base, _ = _solve(others, most)
    missed = _missed(_flat(gram), _flat(cross.swapaxes(1, 2)), _flat(squares.swapaxes(1, 2)), trial, trial_base)
    r2 = _fidelity(missed.reshape(len(cases), surrogate.PARTS, -1).sum(axis=1), *whole)
    sums = _centred(*whole[:2])
    values, base, kept = _solve(sums, most)
    both = np.concatenate([values, base[:, :, None]], axis=2)
    variance = _variance(surrogate.scatter(draws, cases, into, both), sums, values, kept, int((draws.part >= 0).sum()))
    errors = np.where((sums.share <= 0)[:, None], np.nan, np.sqrt(variance))
    tied = ties(values, variance)
    values, errors, tied = (np.ascontiguousarray(part.transpose(0, 2, 1)) for part in (values, errors, tied))
    return Surrogates(values, base + centre, errors, r2, tied)


def measure(draws: surrogate.Draws, cases: Codes, values: Array, base: Array) -> Array:
    """Weighted R squared of given coefficients on all draws: float64 (cases, outputs)."""
    draws, centre = _about_mean(draws)
    gram, cross, squares = surrogate.moments(draws, cases, surrogate.room(draws))
    whole = gram.sum(axis=1), cross.sum(axis=2), squares.sum(axis=2)
    return _fidelity(_missed(*whole, values.transpose(0, 2, 1), base - centre), *whole)


def _about_mean(draws: surrogate.Draws) -> tuple[surrogate.Draws, Array]:
    """The draws with answers about their mean, so that sums of squares keep their digits; and the mean."""
    used = draws.part >= 0
    centre = draws.said[:, used].mean(axis=1)
    return draws._replace(said=np.where(used, draws.said - centre[:, None], 0.0)), centre


def _flat(parts: Array) -> Array:
    """The parts of every case as cases of their own."""
    return parts.reshape(-1, *parts.shape[2:])


def ties(values: Array, variance: Array) -> Array:
    """Columns whose rank by size is not told apart from a neighbour's: float64 (cases, outputs, columns), 1 or 0.

    Args:
        values: float64 (cases, outputs, columns).
        variance: Their variances.
    """
    sizes = np.abs(values)
    order = np.argsort(-sizes, axis=2, kind="stable")
    ranked, spread = np.take_along_axis(sizes, order, axis=2), np.take_along_axis(variance, order, axis=2)
    close = ranked[..., :-1] - ranked[..., 1:] < _TOLD_APART * np.sqrt(spread[..., :-1] + spread[..., 1:])
    either = np.zeros(sizes.shape)
    either[..., :-1] = close
    either[..., 1:] = np.maximum(either[..., 1:], close)
    marked = np.zeros(sizes.shape)
    np.put_along_axis(marked, order, either, axis=2)
    return marked


def _centred(gram: Array, cross: Array) -> Sums:
    """Sums about the weighted means; indicators that do not vary are taken out."""
    weight = np.maximum(gram[:, -1, -1], np.finfo(np.float64).tiny)[:, None]
    share, mean = gram[:, -1, :-1] / weight, cross[:, :, -1] / weight
    centred = gram[:, :-1, :-1] - share[:, :, None] * gram[:, -1, None, :-1]
    with_answers = cross[:, :, :-1] - share[:, None] * cross[:, :, -1:]
    varies = np.diagonal(centred, axis1=1, axis2=2) > _NOTHING * weight
    case, column = np.nonzero(~varies)
    centred[case, column] = centred[case, :, column] = 0.0
    with_answers[case, :, column] = 0.0
    return Sums(centred, with_answers, share, mean, weight)


def _solve(sums: Sums, most: int | None) -> tuple[Array, Array, Bits]:
    """Ridge coefficients (cases, outputs, columns), intercepts, and which columns were kept, (cases, outputs or 1, columns)."""
    cases, columns = sums.share.shape
    kept = np.ones((cases, 1, columns), np.bool_)
    if most is not None and most < columns:
        kept = _forward(sums, most)
        some = np.nonzero(kept)[2].reshape(*kept.shape[:2], most)
        left = sums.gram[np.arange(cases)[:, None, None, None], some[..., :, None], some[..., None, :]] + RIDGE * np.eye(most)
        found = np.linalg.solve(left, np.take_along_axis(sums.cross, some, axis=2)[..., None])[..., 0]
        values = np.zeros(kept.shape)
        np.put_along_axis(values, some, found, axis=2)
    else:
        whole = np.linalg.solve(sums.gram + RIDGE * np.eye(columns), sums.cross.transpose(0, 2, 1))
        values = np.asarray(whole.transpose(0, 2, 1), np.float64)
    base = sums.mean - np.einsum("ca,cka->ck", sums.share, values)
    return np.asarray(values), np.asarray(base), np.asarray(kept)


def _forward(sums: Sums, most: int) -> Bits:
    """The columns that forward selection keeps: in each step the one that adds most to the fit, the kept ones swept out."""
    cases, columns = sums.share.shape
    cross = sums.cross.copy()
    outputs = cross.shape[1]
    spread = np.repeat(np.diagonal(sums.gram, axis1=1, axis2=2)[:, None] + RIDGE, outputs, axis=1)
    swept = np.zeros((cases, outputs, most, columns))  # roots of what each step has taken out of the sums
    kept = np.zeros((cases, outputs, columns), np.bool_)
    c, k = np.arange(cases)[:, None], np.arange(outputs)[None, :]
    for step in range(most):
        best = np.argmax(np.where(kept, -1.0, cross**2 / spread), axis=2)
        kept[c, k, best] = True
        before = swept[:, :, :step]
        column = sums.gram[c, best] - np.einsum("cks,cksa->cka", before[c, k, :, best], before)
        root = np.sqrt(spread[c, k, best])[:, :, None]
        swept[:, :, step] = column / root
        cross -= swept[:, :, step] * (cross[c, k, best][:, :, None] / root)
        spread -= swept[:, :, step] ** 2
    return kept


def _missed(gram: Array, cross: Array, squares: Array, values: Array, base: Array) -> Array:
    """Weighted squares of what coefficients miss of some draws: float64 (cases, outputs)."""
    both = np.concatenate([values, base[:, :, None]], axis=2)
    return np.asarray(squares - 2 * np.einsum("cka,cka->ck", both, cross) + np.einsum("cka,cka->ck", both @ gram, both))


def _fidelity(missed: Array, gram: Array, cross: Array, squares: Array) -> Array:
    """Weighted R squared from the sums of some draws; NaN where the answers do not vary."""
    weight = np.maximum(gram[:, -1, -1], np.finfo(np.float64).tiny)[:, None]
    spread = squares - cross[:, :, -1] ** 2 / weight
    varies = spread > _NOTHING * np.maximum(squares, weight * np.finfo(np.float64).tiny)
    return np.where(varies, 1.0 - missed / np.where(varies, spread, 1.0), np.nan)


def _variance(scatter: Array, sums: Sums, values: Array, kept: Bits, draws: int) -> Array:
    """Variances of the coefficients: float64 (cases, outputs, columns)."""
    share, whole = sums.share[:, None], scatter[..., -1:]
    middle = np.maximum(scatter[..., :-1] * (1 - 2 * share) + whole * share**2, 0.0)
    spread = np.diagonal(sums.gram, axis1=1, axis2=2)[:, None]
    # not below what equal residual variance gives: with few draws in the case's bin, their own residuals are too small a sample
    equal = whole * spread / sums.weight[:, None]
    fitted = draws / max(draws - values.shape[2] - 1, 1)
    found = fitted * np.maximum(middle, equal) / (spread + RIDGE) ** 2
    varies = (spread > 0) & kept
    pull = RIDGE * values / np.where(varies, spread, 1.0)
    return np.where(varies, found + pull**2, 0.0)
