"""The way out to shap: its plots and tools take a ``shap.Explanation``."""

from __future__ import annotations

from typing import Any

import numpy as np
import shap

from whyglass.core.attribution import Attribution


def explanation(result: Attribution) -> Any:
    """An Attribution as a ``shap.Explanation``.

    Args:
        result: What to hand over.

    Returns:
        Values of shape (rows, features), or (rows, features, outputs) when there are several outputs. ``data`` holds numbers, as
        its plots colour by them; ``display_data`` holds what a person reads: category names, not codes.
    """
    one = len(result.output_names) == 1
    matrix = result.dataset.matrix
    shown = matrix.astype(object)
    for j, column in enumerate(result.schema.columns):
        if column.kind == "categorical":
            shown[:, j] = [column.write(value) for value in matrix[:, j]]
    errors = result.std_errors
    return shap.Explanation(
        values=result.values[:, :, 0] if one else result.values,
        base_values=result.base_values[:, 0] if one else result.base_values,
        data=np.array(matrix),
        display_data=shown,
        feature_names=list(result.feature_names),
        output_names=None if one else list(result.output_names),
        error_std=errors[:, :, 0] if one and errors is not None else errors,
    )
