"""From a model's sum to its prediction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def linked_space(link: str, space: str, task: str) -> str:
    """Where a link leads: the identity stays in the space of the sum, a regression's prediction is a value."""
    if link == "identity":
        return space
    return "probability" if task == "classification" else "value"


def sigmoid(margins: Matrix) -> Matrix:
    """The logistic function, without overflow for any margin."""
    small = np.exp(-np.abs(margins))
    return np.where(margins >= 0, 1.0, small) / (1.0 + small)


def through(margins: Matrix, link: str, outputs: int) -> Matrix:
    """Predictions of sums.

    Args:
        margins: float64 (rows, sums).
        link: "identity", "sigmoid", "softmax" or "exp".
        outputs: How many outputs a prediction has.

    Returns:
        float64 (rows, outputs); a single sum behind a sigmoid gives two classes, the negative one first, where two are wanted.
    """
    if link == "sigmoid":
        return both_classes(sigmoid(margins)) if margins.shape[1] == 1 and outputs == 2 else sigmoid(margins)
    if link == "softmax":
        shares = np.exp(margins - margins.max(axis=1, keepdims=True, initial=-np.inf))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))
    return np.exp(margins) if link == "exp" else margins


def both_classes(positive: Matrix) -> Matrix:
    """Probabilities of both classes from the positive one's (rows, 1)."""
    return np.concatenate([1.0 - positive, positive], axis=1)
