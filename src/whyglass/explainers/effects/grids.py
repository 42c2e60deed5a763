"""Where columns are asked: which of them, and at which points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask
from whyglass.core.errors import InputError, nearest
from whyglass.core.schema import Column

Array = NDArray[np.float64]
PAIR_POINTS = 25  # of a numeric column of a pair, where the caller does not say
MOST_CATEGORIES = 1_000  # the most frequent ones of a column that has more


def columns_of(ask: Ask) -> list[int]:
    """Positions of the columns asked about: those of ``params["features"]``, each once, all when it is None.

    Raises:
        InputError: If there is no such column, or an empty list leaves nothing to draw; with pairs it means the pairs alone.
    """
    schema, given = ask.data.schema, ask.params.get("features")
    if given is None:
        return list(range(len(schema)))
    names = [given] if isinstance(given, str) else list(dict.fromkeys(given))
    if not names and not ask.params.get("pairs"):
        msg = "features=[] names no column, and no pairs= are given: there is nothing to draw. Leave features= out to have all columns."
        raise InputError(msg)
    return [_position(ask, name) for name in names]


def pairs_of(ask: Ask) -> list[tuple[int, int]]:
    """Positions of the pairs asked about.

    Raises:
        InputError: If one is no pair of two different columns.
    """
    given = ask.params.get("pairs") or ()
    pairs = []
    for pair in given:
        if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2 or pair[0] == pair[1]:
            msg = f'pairs={given!r} is not a list of pairs of two different columns, such as ("Age", "Hours per week").'
            raise InputError(msg)
        pairs.append((_position(ask, pair[0]), _position(ask, pair[1])))
    return pairs


def _position(ask: Ask, name: Any) -> int:
    schema = ask.data.schema
    if name not in schema.names:
        msg = f"There is no column {name!r}. {nearest(str(name), schema.names)}"
        raise InputError(msg)
    return schema.index(name)


def known_rows(ask: Ask) -> Array:
    """Rows that points are chosen from: wrap's own, so that a row's curve does not depend on the rows asked about beside it."""
    known = ask.model.data
    return known.matrix if known is not None and len(known) else ask.data.matrix


def points_of(ask: Ask, column: int, rows: Array, most: int | None = None) -> Array:
    """The points of one column: the caller's own, every value seen where there are few, else quantiles of the rows.

    Args:
        ask: ``params["grid"]`` is how many at most, or a mapping from columns to their own points.
        column: Its position.
        rows: float64 (rows, columns), encoded.
        most: How many where the caller gives no own points; the caller's number when None.

    Raises:
        InputError: If ``grid`` is no number from 2 up, or its points are none that the column can have.
    """
    about, values = ask.data.schema[column], rows[:, column]
    given = ask.params.get("grid", 100)
    if isinstance(given, Mapping):
        if about.name in given:
            return _own_points(about, given[about.name])
        given = 100
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < 2:
        msg = f"grid={given!r} is neither a number of points from 2 up nor a mapping from columns to their points."
        raise InputError(msg)
    count = int(given) if most is None else min(int(given), most)
    if about.kind == "categorical":
        return _categories(about, values, count if most is not None else MOST_CATEGORIES)
    known = np.sort(values[np.isfinite(values)])
    if not len(known):
        return np.zeros(0)
    first = np.concatenate([[True], known[1:] != known[:-1]])
    if first.sum() <= count:
        return np.asarray(known[first])
    # the smallest value that as large a share of the rows does not exceed
    at = np.ceil(len(known) * np.linspace(0, 1, count) - 1).astype(np.intp).clip(0, len(known) - 1)
    return np.unique(known[at])


def _categories(column: Column, values: Array, most: int) -> Array:
    codes = np.arange(len(column.categories), dtype=np.float64)
    if len(codes) <= most:
        return codes
    seen = values[np.isfinite(values) & (values >= 0)].astype(np.intp)
    return np.sort(np.argsort(-np.bincount(seen, minlength=len(codes)), kind="stable")[:most]).astype(np.float64)


def _own_points(column: Column, given: Any) -> Array:
    listed = list(given)
    if column.kind == "categorical":
        known = list(column.categories)
        unknown = [value for value in listed if value not in known]
        if unknown:
            msg = f"grid: {column.name!r} has no category {unknown[0]!r}. {nearest(str(unknown[0]), map(str, known))}"
            raise InputError(msg)
        return np.array([known.index(value) for value in listed], dtype=np.float64)
    try:
        points = np.unique(np.array(listed, dtype=np.float64))
    except (TypeError, ValueError) as error:
        msg = f"grid: the points of {column.name!r} are numbers, not {listed[:3]!r}."
        raise InputError(msg) from error
    if not len(points) or not np.isfinite(points).all():
        msg = f"grid: the points of {column.name!r} must be finite numbers, at least one of them."
        raise InputError(msg)
    return points
