"""From a model's sum to its prediction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

SPACES = {"sigmoid": "probability", "softmax": "probability", "exp": "value"}
"""Where a link leads; the identity stays in the space of the sum."""


def sigmoid(margins: Matrix) -> Matrix:
    """The logistic function, without overflow for any margin."""
    small = np.exp(-np.abs(margins))
    return np.where(margins >= 0, 1.0, small) / (1.0 + small)


def through(margins: Matrix, link: str) -> Matrix:
    """Predictions of sums.

    Args:
        margins: float64 (rows, outputs).
        link: "identity", "sigmoid", "softmax" or "exp".

    Returns:
        float64 (rows, outputs); a single sum behind a sigmoid gives two columns, the negative class first.
    """
    if link == "sigmoid":
        return both_classes(sigmoid(margins)) if margins.shape[1] == 1 else sigmoid(margins)
    if link == "softmax":
        shares = np.exp(margins - margins.max(axis=1, keepdims=True, initial=-np.inf))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))
    return np.exp(margins) if link == "exp" else margins


def both_classes(positive: Matrix) -> Matrix:
    """Probabilities of both classes from the positive one's (rows, 1)."""
    return np.concatenate([1.0 - positive, positive], axis=1)
