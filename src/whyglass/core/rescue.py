"""One bad row never fails a batch: a model is asked in one call, and in halves where that call fails."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
PATIENCE = 200  # failing calls without one row answered, after which the fault is not in a row


def rescue(
    predict: Callable[[Matrix], Matrix], matrix: Matrix, outputs: int, *, give_up: bool = False
) -> tuple[Matrix, dict[int, Exception]]:
    """Predict every row that can be: where the model raises on a batch, it is halved until the bad rows stand alone.

    Args:
        predict: Encoded rows -> float64 (rows, outputs).
        matrix: float64 (rows, columns), encoded.
        outputs: Width of an answer.
        give_up: Whether to raise when not one row can be answered, after at most ``PATIENCE`` failing calls.

    Returns:
        float64 (rows, outputs), NaN for rows the model raises on, and what it raised for each of them.

    Raises:
        Exception: What the model raised first, when ``give_up`` is set and it answers nothing.

    Cost: one call when all is well; about 2 log2(rows) calls more for each bad row.
    """
    found = np.full((len(matrix), outputs), np.nan)
    failed: dict[int, Exception] = {}
    first: Exception | None = None
    failures = answered = 0
    waiting = [slice(0, len(matrix))] if len(matrix) else []
    while waiting:
        part = waiting.pop()
        size = part.stop - part.start
        try:
            found[part] = predict(matrix[part])
            answered += size
        except Exception as error:  # noqa: BLE001  (a user's model may raise anything; it is handed back beside its row)
            first, failures = first or error, failures + 1
            if size == 1:
                failed[part.start] = error
            else:
                middle = part.start + size // 2
                waiting += [slice(middle, part.stop), slice(part.start, middle)]
        if give_up and first is not None and not answered and (failures > PATIENCE or not waiting):
            raise first
    return found, failed
