"""How good the model is on the rows shown: figures with the half width of their 95% interval."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Measured = list[float] | None


def auc(scores: Array, positive: NDArray[np.bool_]) -> Measured:
    """Area under the ROC curve, ties counted half, with DeLong's 95% half width.

    Paper: DeLong, DeLong, Clarke-Pearson 1988, Biometrics 44.
    """
    m, n = int(positive.sum()), int((~positive).sum())
    if m == 0 or n == 0:
        return None
    ranks = _midranks(scores)
    above, below = ranks[positive], ranks[~positive]
    area = (above.sum() - m * (m + 1) / 2) / (m * n)
    v10 = (above - _midranks(scores[positive])) / n
    v01 = 1 - (below - _midranks(scores[~positive])) / m
    variance = (v10.var(ddof=1) / m if m > 1 else 0.0) + (v01.var(ddof=1) / n if n > 1 else 0.0)
    return [float(area), 1.96 * math.sqrt(variance)]


def _midranks(values: Array) -> Array:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middle: Array = ends - (counts - 1) / 2
    return middle[inverse]


def share(hits: int, total: int) -> Measured:
    """A share with the half width of its Wilson 95% interval."""
    if total == 0:
        return None
    p, z = hits / total, 1.96
    half = z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return [p, half]


def r_squared(predicted: Array, y: Array) -> Measured:
    """Share of the variance explained, with a 95% half width from 200 seeded bootstrap draws."""
    if len(y) < 3 or float(np.var(y)) == 0:
        return None
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(200):
        rows = rng.integers(0, len(y), len(y))
        spread = float(np.var(y[rows]))
        if spread > 0:
            draws.append(1 - float(np.mean((y[rows] - predicted[rows]) ** 2)) / spread)
    return [1 - float(np.mean((y - predicted) ** 2)) / float(np.var(y)), 1.96 * float(np.std(draws)) if draws else 0.0]


def calibration(scores: Array, positive: NDArray[np.bool_]) -> list[list[int]]:
    """For each whole percentage: how many rows were scored within five points of it, and how many had the outcome."""
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    hits = np.concatenate([[0], np.cumsum(positive[order])])
    centres = np.arange(101) / 100
    low = np.searchsorted(ranked, centres - 0.05, side="left")
    high = np.searchsorted(ranked, centres + 0.05, side="right")
    return [[int(h - l), int(hits[h] - hits[l])] for l, h in zip(low, high, strict=True)]


def measure(predictions: Array, y: Array, split: NDArray[np.uint8], output: int, classes: bool) -> dict[str, Any]:
    """The figures of the head of the All-cases tab, on held-out rows where there are any recorded."""
    known = ~np.isnan(y) & ~np.isnan(predictions).any(axis=1)
    held_out = known & (split == 1)
    used = held_out if held_out.any() else known
    figures: dict[str, Any] = {
        "n_train": int((split == 0).sum()),
        "n_test": int((split == 1).sum()),
        "measured_on": "held-out" if held_out.any() else "training",
        "n_measured": int(used.sum()),
        "rate": None,
        "calibration": None,
    }
    if not used.any():
        return figures
    if classes:
        score, positive = predictions[used, output], y[used] == output
        decided = np.argmax(predictions[used], axis=1) if predictions.shape[1] > 1 else (score >= 0.5).astype(int)
        right = int((decided == y[used]).sum()) if predictions.shape[1] > 1 else int(((score >= 0.5) == positive).sum())
        figures.update(
            auc=auc(score, positive),
            accuracy=share(right, int(used.sum())),
            rate=float((y[known] == output).mean()),
            calibration=calibration(score, positive),
        )
    else:
        figures["r2"] = r_squared(predictions[used, output], y[used])
        figures["error"] = [float(np.abs(predictions[used, output] - y[used]).mean()), 0.0]
    return figures
