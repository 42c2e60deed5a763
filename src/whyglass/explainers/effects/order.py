"""An order for categories that have none: those whose rows look alike in the other columns stand side by side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask

Array = NDArray[np.float64]
_MOST_ROWS = 20_000  # seeded rows that likeness is measured on


def by_likeness(ask: Ask, column: int, codes: Array, known: Array) -> Array:
    """Categories along the one line that keeps their distances best.

    The distance of two categories is the sum over the other columns of the largest gap between their distributions (numbers:
    Kolmogorov-Smirnov; categories: total variation); the line is the first axis of classical scaling. Apley & Zhu 2020.

    Args:
        ask: What was asked; the seed draws rows where there are very many.
        column: Position of the column.
        codes: float64 (categories,), those that some row has.
        known: float64 (rows, columns), encoded.
    """
    if len(codes) <= 2:
        return codes
    if len(known) > _MOST_ROWS:
        known = known[np.random.default_rng(ask.seed).permutation(len(known))[:_MOST_ROWS]]
    rows = [np.flatnonzero(known[:, column] == code) for code in codes]
    distance = np.zeros((len(codes), len(codes)))
    for other, about in enumerate(ask.data.schema.columns):
        if other == column:
            continue
        values = known[:, other]
        finite = np.unique(values[np.isfinite(values)])
        if not len(finite):
            continue
        if about.kind == "categorical":
            shares = np.stack([_shares(values[r], finite) for r in rows])
            distance += np.abs(shares[:, None] - shares[None]).sum(axis=2) / 2
        else:
            cuts = finite if len(finite) <= 100 else np.quantile(finite, np.linspace(0, 1, 100))
            curves = np.stack([np.searchsorted(np.sort(values[r]), cuts, side="right") / max(1, len(r)) for r in rows])
            distance += np.abs(curves[:, None] - curves[None]).max(axis=2)
    middle = np.eye(len(codes)) - 1 / len(codes)
    _, axes = np.linalg.eigh(-0.5 * middle @ distance**2 @ middle)
    place = axes[:, -1] * (1.0 if axes[0, -1] <= axes[-1, -1] else -1.0)
    return codes[np.argsort(place, kind="stable")]


def _shares(values: Array, levels: Array) -> Array:
    counts = np.array([(values == level).sum() for level in levels], dtype=np.float64)
    return np.asarray(counts / max(1.0, counts.sum()))
