"""How far curves leave the data: the share of rows that a point moves to where there are no rows like them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask

Array = NDArray[np.float64]
_BINS = 10  # quantile bins of a numeric column, fewer where known rows are few
_EXPECTED = 3.0  # rows that must be expected where two values meet by chance, before their absence says anything
_CHANCE = 0.05  # association below which no column is a partner
_LEVELS = 50  # categories told apart, the most frequent ones; the others are one
_MOST_ROWS = 5_000  # seeded rows that the shares are taken over
_PARTNER_ROWS = 2_000  # seeded rows that partners are chosen on


def shares(ask: Ask, matrix: Array, grids: Mapping[int, Array]) -> dict[int, Array]:
    """For every column and point the share of rows for which no known row has both that value and the row's partner value.

    The partner is the column that moves most with the one moved: the largest Cramér's V between their bins (categories, or ten
    quantile bins). Known rows are wrap's own, else the rows asked about. A value and a partner value that few known rows would have
    together if the columns had nothing to do with each other are not counted: that no row has both then says nothing.

    Args:
        ask: What was asked.
        matrix: float64 (rows, columns), the rows moved.
        grids: Column -> points.

    Returns:
        Column -> float64 (points,).
    """
    known = matrix if ask.model.data is None or not len(ask.model.data) else ask.model.data.matrix
    rng = np.random.default_rng(ask.seed)
    known = known if len(known) <= 4 * _MOST_ROWS else known[rng.permutation(len(known))[: 4 * _MOST_ROWS]]
    moved = matrix if len(matrix) <= _MOST_ROWS else matrix[rng.permutation(len(matrix))[:_MOST_ROWS]]
    kinds = [c.kind == "categorical" for c in ask.data.schema.columns]
    bins = max(2, min(_BINS, int(np.sqrt(len(known) / _BINS))))
    cuts = [_cuts(known[:, j], kinds[j], bins) for j in range(known.shape[1])]
    places = np.stack([_place(known[:, j], c) for j, c in enumerate(cuts)], axis=1) if cuts else np.zeros((len(known), 0), np.intp)
    strength = _cramer(places[:_PARTNER_ROWS])
    found = {}
    for column, points in grids.items():
        partner = int(np.argmax(strength[column]))
        if strength[column, partner] <= _CHANCE or not len(moved):
            found[column] = np.zeros(len(points))
            continue
        sizes = len(cuts[column]) + 2, len(cuts[partner]) + 2
        counts = np.zeros(sizes)
        np.add.at(counts, (places[:, column], places[:, partner]), 1.0)
        own = counts.sum(axis=1, keepdims=True)
        expected = own * counts.sum(axis=0) / max(1, len(known))
        empty = (counts == 0) & ((expected >= _EXPECTED) | (own == 0))
        rows = np.bincount(_place(moved[:, partner], cuts[partner]), minlength=sizes[1]) / len(moved)
        found[column] = empty[_place(points, cuts[column])] @ rows
    return found


def _cuts(values: Array, categorical: bool, bins: int) -> Array:
    """Ends of the bins: values up to one belong to its bin."""
    known = np.sort(values[np.isfinite(values)])
    first = np.concatenate([[True], known[1:] != known[:-1]])[: len(known)]
    if categorical or first.sum() <= bins:
        distinct, counts = known[first], np.diff(np.flatnonzero(np.append(first, True)))
        return np.sort(distinct[np.argsort(-counts, kind="stable")[:_LEVELS]])
    return np.unique(np.quantile(known, np.arange(1, bins) / bins))


def _place(values: Array, cuts: Array) -> NDArray[np.intp]:
    """Bin of every value; the last is for missing ones."""
    return np.where(np.isnan(values), len(cuts) + 1, np.searchsorted(cuts, values, side="left"))


def _cramer(places: NDArray[np.intp]) -> Array:
    """Cramér's V of every two columns of bins, with the bias of small tables taken away (Bergsma 2013); zero on the diagonal.

    All cross tables at once: one product of the rows' indicators.
    """
    n, columns = places.shape
    if n < 2 or columns < 2:
        return np.zeros((columns, columns))
    starts = np.concatenate([[0], np.cumsum(places.max(axis=0) + 1)])
    marks = np.zeros((n, int(starts[-1])), np.float32)
    marks[np.arange(n)[:, None], places + starts[:-1]] = 1.0
    counts = (marks.T @ marks).astype(np.float64)
    own = np.diag(counts)
    expected = np.outer(own, own) / n
    terms = np.divide((counts - expected) ** 2, expected, out=np.zeros_like(counts), where=expected > 0)
    chi = np.add.reduceat(np.add.reduceat(terms, starts[:-1], axis=0), starts[:-1], axis=1)
    levels = np.add.reduceat((own > 0).astype(np.float64), starts[:-1])
    free = np.outer(levels - 1, levels - 1)
    corrected = levels - (levels - 1) ** 2 / (n - 1)
    least = np.minimum.outer(corrected, corrected) - 1
    phi = np.maximum(0.0, chi / n - free / (n - 1))
    strength = np.sqrt(np.divide(phi, least, out=np.zeros_like(phi), where=least > 1e-12))
    np.fill_diagonal(strength, 0.0)
    return np.asarray(strength)
