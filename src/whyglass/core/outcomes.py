"""Recorded outcomes as numbers: positions of classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core.errors import InputError
from whyglass.core.schema import Dataset


def class_positions(part: Dataset, names: Sequence[str]) -> NDArray[np.float64]:
    """Positions of the recorded classes; NaN for one that the model does not know.

    Where none is known by name, whole numbers (and booleans) are taken as positions, as for a model whose 0 and 1 were given names.

    Args:
        part: Rows with what was recorded of them.
        names: The classes.

    Raises:
        InputError: If outcomes were recorded and the model knows none of them.
    """
    if part.y is None:
        return np.full(len(part), np.nan)
    given = np.asarray(part.y).tolist()
    known = {name: float(code) for code, name in enumerate(names)}
    codes = np.array([known.get(_class_name(v), math.nan) for v in given], dtype=np.float64)
    there = [v for v in given if not missing(v)]
    if np.isfinite(codes).any() or not there:
        return codes
    if all(isinstance(v, int | float) and v in range(len(names)) for v in there):
        return np.array([math.nan if missing(v) else float(v) for v in given], dtype=np.float64)
    some = ", ".join(repr(v) for v in list(dict.fromkeys(map(str, there)))[:4])
    msg = f"y holds {some}, of which the model predicts none: {', '.join(map(repr, names[:12]))}."
    raise InputError(msg)


def missing(value: Any) -> bool:
    """Whether an outcome was not recorded."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and math.isnan(value))


def _class_name(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
