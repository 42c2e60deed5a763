"""Columns on their way out: encoded numbers back to plain numpy values of the type they came in as."""

from __future__ import annotations

import ast
import datetime as dt
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.adapters.frames_raw import EPOCH, Floats
from whyglass.core.schema import Column

LITERAL = "#"
UNSEEN = "never seen before"


def label_of(column: Column) -> Any:
    """The column's label as the frame has it: the name, or the Python literal that the name spells."""
    return ast.literal_eval(column.name) if column.dtype.endswith(LITERAL) else column.name


def plain(column: Column) -> str:
    """The type without the mark for literal labels."""
    return column.dtype.removesuffix(LITERAL)


def places(values: Floats, count: int) -> NDArray[np.intp]:
    """Codes as positions in a table of ``count`` categories followed by [unseen, missing]."""
    out = np.fmax(values, -1.0).astype(np.intp)
    out[(out < 0) | (out >= count)] = count
    out[np.isnan(values)] = count + 1
    return out


def codes(values: Floats, count: int) -> NDArray[np.int32]:
    """Codes with -1 for both missing and unseen, as categorical types want them."""
    out = np.fmax(values, -1.0).astype(np.int32)
    if len(out) and out.max() >= count:
        out[out >= count] = -1
    return out


def numbers(values: Floats, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Cast to the original number type; float64 where a whole-number type cannot hold a value."""
    if dtype.kind == "f":
        return values.astype(dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        out = values.astype(dtype)
    return out if bool((out == values).all()) else values.copy()


def flags(categories: tuple[Any, ...]) -> bool:
    """Whether the categories are True and False."""
    return bool(categories) and all(isinstance(v, bool) for v in categories)


def unseen(categories: tuple[Any, ...]) -> Any:
    """A value that is none of the categories and of their type: text, or one above the largest number."""
    if categories and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in categories):
        return max(categories) + 1
    return UNSEEN


def table(categories: tuple[Any, ...], missing: Any) -> NDArray[np.object_]:
    """Lookup table [categories..., unseen, missing] of Python objects."""
    out = np.empty(len(categories) + 2, dtype=object)
    for place, value in enumerate((*categories, unseen(categories), missing)):
        out[place] = value
    return out


def objects(values: Floats, dtype: str, missing: Any) -> NDArray[np.object_]:
    """Numbers or times as the Python objects they came as: "object[int]", "object[float]", "object[date]", "object[datetime]"."""
    gone = np.isnan(values)
    if dtype.startswith("object[int]") and bool((values[~gone] == np.floor(values[~gone])).all()):
        out = np.where(gone, 0, values).astype(np.int64).astype(object)
    elif dtype.startswith("object[date"):
        moments = [EPOCH + dt.timedelta(seconds=s) for s in np.where(gone, 0.0, values).tolist()]
        day = dtype.startswith("object[date]")
        out = np.empty(len(values), dtype=object)
        out[:] = [m.date() if day else m.replace(tzinfo=None) for m in moments]
    else:
        out = values.astype(object)
    out[gone] = missing
    return out


def marker(dtype: str) -> Any:
    """The missing value of an object column: None, or NaN (pandas' own markers are made by its adapter)."""
    return None if dtype.endswith("|None") else math.nan
