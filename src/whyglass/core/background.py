"""The rows that stand for "unknown" when the caller names none: one rule for explainers and views alike."""

from __future__ import annotations

import numpy as np

from whyglass.core.errors import InputError
from whyglass.core.model import Model
from whyglass.core.schema import Dataset

DEFAULT_ROWS = 200


def default_background(model: Model, seed: int = 0, rows: int = DEFAULT_ROWS) -> Dataset:
    """Draw ``rows`` of wrap's X without replacement; all of them when there are fewer.

    Raises:
        InputError: If the model was wrapped without data.
    """
    if model.data is None or len(model.data) == 0:
        msg = f"{model.name} was wrapped without rows, so nothing can stand for 'unknown'. Pass background=, or wrap(model, X_train)."
        raise InputError(msg)
    known = np.flatnonzero([not p for p in model.data.problems]) if model.data.problems else np.arange(len(model.data))
    drawn = np.random.default_rng(seed).permutation(known)[:rows]
    return model.data.take(np.sort(drawn))
