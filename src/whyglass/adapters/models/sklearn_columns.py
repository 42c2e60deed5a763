"""Matches the user's columns with those an estimator was fitted on, and makes categories of the numbers it encodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from whyglass.core.errors import ModelError
from whyglass.core.schema import Column, Dataset, Schema
from whyglass.core.wanted import Wanted


@dataclass(frozen=True, eq=False)
class Given:
    """The user's columns and how the estimator knows them.

    Attributes:
        schema: The user's columns.
        data: The encoded training rows, or None.
        frame: The kind of frame the model is asked in.
        order: For each column the estimator was fitted on, which of the user's columns it is.
        quiet: Whether only one of estimator and frame knows names, about which scikit-learn would warn at every call.
    """

    schema: Schema
    data: Dataset | None
    frame: str
    order: tuple[int, ...]
    quiet: bool = False


def match(estimator: Any, wanted: Wanted) -> Given:
    """Find the estimator's columns among the user's.

    Raises:
        ModelError: If columns are missing, too many, or in another order than the estimator accepts.
    """
    fitted = getattr(estimator, "feature_names_in_", None)
    names = None if fitted is None else tuple(str(n) for n in fitted)
    count = getattr(estimator, "n_features_in_", None if names is None else len(names))
    if wanted.data is None:
        return _from_estimator(names, count, wanted)
    data = wanted.data
    if names is None or data.frame == "numpy":
        if count is not None and count != len(data.schema):
            msg = f"{type(estimator).__name__} was fitted with {count} columns, X has {len(data.schema)}."
            raise ModelError(msg)
        if names is not None and wanted.feature_names is None:
            schema = Schema(tuple(replace(c, name=n) for c, n in zip(data.schema.columns, names, strict=True)))
            data = replace(data, schema=schema)
        return Given(data.schema, data, data.frame, tuple(range(len(data.schema))), quiet=(names is None) != (data.frame == "numpy"))
    return _by_name(estimator, names, data)


def _by_name(estimator: Any, names: tuple[str, ...], data: Dataset) -> Given:
    given = data.schema.names
    missing = [n for n in names if n not in given]
    extra = [n for n in given if n not in names]
    takes_any_order = _first_step(estimator) == "ColumnTransformer"
    if missing or (not takes_any_order and given != names):
        problem = f"X lacks {missing[:8]}" if missing else f"X has {extra[:8]} besides" if extra else f"X has the order {list(given)[:8]}"
        msg = f"{type(estimator).__name__} was fitted with the columns {list(names)[:12]}; {problem}."
        raise ModelError(msg)
    return Given(data.schema, data, data.frame, tuple(given.index(n) for n in names))


def _first_step(estimator: Any) -> str:
    while hasattr(estimator, "best_estimator_"):
        estimator = estimator.best_estimator_
    while type(estimator).__name__ == "Pipeline":
        estimator = estimator.steps[0][1]
    return type(estimator).__name__


def _from_estimator(names: tuple[str, ...] | None, count: int | None, wanted: Wanted) -> Given:
    if count is None:
        msg = "The estimator does not say how many columns it was fitted with. Pass its training rows: wrap(model, X)."
        raise ModelError(msg)
    titles = wanted.feature_names or names or tuple(f"x{i}" for i in range(count))
    if len(titles) != count:
        msg = f"feature_names has {len(titles)} names, the estimator was fitted with {count} columns."
        raise ModelError(msg)
    schema = Schema(tuple(Column(name=n) for n in titles))
    return Given(schema, None, "numpy" if names is None else "pandas", tuple(range(count)))


def widen(given: Given, known: Mapping[int, list[Any]]) -> Given:
    """Add to the schema the categories that encoders know; a number that meets an encoder becomes a category.

    Codes that rows already have stay as they are: what is new is put behind.
    """
    columns = list(given.schema.columns)
    matrix = np.empty((0, len(columns))) if given.data is None else given.data.matrix.copy()
    for place, values in known.items():
        column = columns[place]
        if column.kind == "categorical":
            have = set(column.categories)
            more = [v for v in dict.fromkeys(values) if v not in have]
            columns[place] = replace(column, categories=(*column.categories, *more), category_labels=_labels(column, more))
            continue
        seen = np.unique(matrix[~np.isnan(matrix[:, place]), place])
        columns[place] = _as_category(column, values, seen)
        matrix[:, place] = _codes(matrix[:, place], columns[place].categories)
    schema = Schema(tuple(columns))
    data = None if given.data is None else replace(given.data, schema=schema, matrix=matrix)
    return replace(given, schema=schema, data=data)


def _labels(column: Column, more: list[Any]) -> tuple[str, ...]:
    return (*column.category_labels, *(str(v) for v in more)) if column.category_labels else ()


def _as_category(column: Column, values: list[Any], seen: np.ndarray[Any, Any]) -> Column:
    numbers = all(isinstance(v, (int, float)) for v in values)
    if not numbers:
        found = tuple(dict.fromkeys(values))
        return replace(column, kind="categorical", categories=found, dtype="object" if column.dtype == "float64" else column.dtype)
    merged = sorted({float(v) for v in values} | {float(v) for v in seen})
    return replace(column, kind="categorical", categories=tuple(int(v) if column.integer and v.is_integer() else v for v in merged))


def _codes(values: np.ndarray[Any, Any], categories: tuple[Any, ...]) -> np.ndarray[Any, Any]:
    if not all(isinstance(v, (int, float)) for v in categories):
        return np.where(np.isnan(values), np.nan, -1.0)
    known = np.array(categories, dtype=np.float64)
    place = np.searchsorted(known, values).clip(max=max(len(known) - 1, 0))
    return np.where(np.isnan(values), np.nan, np.where(known[place] == values, place, -1.0))
