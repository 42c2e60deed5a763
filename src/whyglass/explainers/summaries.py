"""Global answers made of local ones: how much each column matters, how its values spread, and what it depends on.

Every function takes an Attribution and one output, leaves out the rows that could not be explained, and asks the model nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from whyglass.core.attribution import Attribution
from whyglass.core.errors import InputError

Array = NDArray[np.float64]
_ROUNDING = 1e-9  # of the column's mean size: a smaller interaction is none
_BINS = 8  # quantile bins of a numeric column when interaction partners are compared


@dataclass(frozen=True, eq=False)
class Importance:
    """How much each column moves predictions.

    Attributes:
        mean: float64 (features,), mean of |value| over the rows.
        low: float64 (features,), lower end of the interval for that mean over more such rows; never below zero.
        high: float64 (features,).
        order: int64 (features,), columns from the strongest to the weakest.
        rows: Rows that entered.
    """

    mean: Array
    low: Array
    high: Array
    order: NDArray[np.intp]
    rows: int


@dataclass(frozen=True, eq=False)
class Swarm:
    """The values of every row with where the row stands in each column, for a beeswarm.

    Attributes:
        rows: int64 (shown,), positions of the rows.
        values: float64 (shown, features).
        rank: float64 (shown, features), 0 for the column's smallest value among the rows, 1 for its largest, ties in the
            middle of their places; NaN where missing.
    """

    rows: NDArray[np.intp]
    values: Array
    rank: Array


@dataclass(frozen=True, eq=False)
class Dependence:
    """One column's values against what they did.

    Attributes:
        rows: int64 (explained,), positions of the rows.
        x: float64 (explained,), encoded values of the column.
        values: float64 (explained,).
        strength: float64 (features,), how much each other column changes this one's effect; zero for the column itself. By
            "interactions" the mean size of the pair's exact interaction, in the values' own unit; by "spread" the share of the
            spread left at equal x that the column accounts for.
        partner: The column with the largest strength, or None when no column has more than chance or rounding would give it.
        by: "interactions" where the exact pairs are known, else "spread": a guess from the values themselves.
    """

    rows: NDArray[np.intp]
    x: Array
    values: Array
    strength: Array
    partner: int | None
    by: str


def importance(why: Attribution, output: int = -1, confidence: float = 0.95) -> Importance:
    """Mean |value| of each column with a normal interval for the mean; one row has no interval (NaN).

    Raises:
        InputError: If ``confidence`` is no probability.
    """
    if not 0 < confidence < 1:
        msg = f"confidence={confidence!r} is not between 0 and 1."
        raise InputError(msg)
    size = np.abs(why.values[explained(why), :, output])
    count = len(size)
    if count == 0:
        none = np.full(size.shape[1], np.nan)
        return Importance(none, none, none, np.arange(size.shape[1]), 0)
    mean = size.mean(axis=0)
    half = np.full_like(mean, np.nan)
    if count > 1:
        half = NormalDist().inv_cdf((1 + confidence) / 2) * size.std(axis=0, ddof=1) / math.sqrt(count)
    return Importance(mean, np.maximum(mean - half, 0), mean + half, np.argsort(-mean, kind="stable"), count)


def beeswarm(why: Attribution, output: int = -1, most: int = 2000, seed: int = 0) -> Swarm:
    """Values and ranks of at most ``most`` rows, drawn with the seed where there are more."""
    rows = explained(why)
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).permutation(rows)[:most])
    X = why.dataset.matrix[rows]
    rank = np.stack([_ranks(X[:, j]) for j in range(X.shape[1])], axis=1) if X.shape[1] else np.zeros_like(X)
    return Swarm(rows, why.values[rows, :, output], rank)


def dependence(why: Attribution, feature: str | int, output: int = -1) -> Dependence:
    """A column's values against the column, and the strongest interaction partner.

    Where the answer holds exact interactions (``explain(..., interactions=True)``), they say it. Else the rule is: rows are put
    in bins of the column (its categories, or quantile bins), and the bin's mean value is taken away; what is left is
    interaction. A partner's strength is the share of that spread which bins of the partner account for within each bin of the
    column, less what as many random bins would (adjusted R squared), never below zero.

    Raises:
        InputError: If there is no such column.
    """
    column = why.schema.index(feature) if isinstance(feature, str) else range(len(why.schema))[feature]
    rows = explained(why)
    X, values = why.dataset.matrix[rows], why.values[rows, column, output]
    if why.interactions is not None:
        strength = 2 * np.abs(why.interactions[rows, column, :, output]).mean(axis=0) if len(rows) else np.zeros(X.shape[1])
        strength[column] = 0.0
        known = len(rows) > 0 and strength.max() > _ROUNDING * np.abs(values).mean()
        return Dependence(rows, X[:, column], values, strength, int(np.argmax(strength)) if known else None, "interactions")
    kinds = [c.kind == "categorical" for c in why.schema.columns]
    own = _bins(X[:, column], kinds[column])
    strength = np.zeros(X.shape[1])
    for other in range(X.shape[1]):
        if other != column:
            strength[other] = _share(values, own, _bins(X[:, other], kinds[other]))
    partner = int(np.argmax(strength)) if strength.size and strength.max() > 0 else None
    return Dependence(rows, X[:, column], values, strength, partner, "spread")


def explained(why: Attribution) -> NDArray[np.intp]:
    """Positions of the rows that have values."""
    return np.array([row for row, status in enumerate(why.status) if status == "ok"], dtype=np.intp)


def _ranks(x: Array) -> Array:
    known = ~np.isnan(x)
    distinct, place, counts = np.unique(x[known], return_inverse=True, return_counts=True)
    out = np.full(len(x), np.nan)
    if len(distinct):
        middle = np.cumsum(counts) - (counts + 1) / 2
        span = middle[-1] - middle[0]
        out[known] = ((middle - middle[0]) / span if span > 0 else np.full(len(distinct), 0.5))[place]
    return out


def _bins(x: Array, categorical: bool) -> NDArray[np.int64]:
    """The bin of every value: its category, or one of a few quantile bins; missing values have their own."""
    known = ~np.isnan(x)
    out = np.full(len(x), -1, np.int64)
    distinct = np.unique(x[known])
    if categorical or len(distinct) <= _BINS:
        out[known] = np.searchsorted(distinct, x[known])
    else:
        cuts = np.unique(np.quantile(x[known], np.arange(1, _BINS) / _BINS))
        out[known] = np.searchsorted(cuts, x[known], side="left")
    return out + 1


def _share(values: Array, own: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """Adjusted share of the spread within ``own`` that cells of (own, other) account for."""
    inside, bins = _spread_within(values, own)
    cells = own * (int(other.max(initial=0)) + 1) + other
    left, count = _spread_within(values, cells)
    free, left_free = len(values) - bins, len(values) - count
    if left_free <= 0 or inside <= 1e-24 * max(1.0, float((values**2).sum())):
        return 0.0
    return max(0.0, 1.0 - (left / left_free) / (inside / free))


def _spread_within(values: Array, groups: NDArray[np.int64]) -> tuple[float, int]:
    """Sum of squares around the group means, and how many groups there are."""
    _, place, counts = np.unique(groups, return_inverse=True, return_counts=True)
    means = np.bincount(place, values, minlength=len(counts)) / counts if len(counts) else counts.astype(np.float64)
    return float(((values - means[place]) ** 2).sum()), len(counts)
