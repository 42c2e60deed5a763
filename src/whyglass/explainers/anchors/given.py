"""A rule of the user's own, read: ``{"Hours per week": ("<", 40), "Marital status": "Separated"}``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from whyglass.core.errors import InputError, nearest
from whyglass.core.outcomes import missing
from whyglass.core.rules import Predicate, Rule
from whyglass.core.schema import Column, Schema

FORMS = "a value, None for missing, ('<', value), ('<=', value), ('>', value), ('>=', value), ('between', low, high) or ('in', values)"
_ENDS = ("<", "<=", ">", ">=")
OPERATORS = (*_ENDS, "=", "between", "in", "is missing")


def read_rule(given: Any, schema: Schema) -> tuple[Predicate, ...]:
    """Conditions of a rule, in the order given.

    Args:
        given: A Rule, or a mapping from a column's name to a value (equal to it; None: missing), or to an operator with what it
            compares with: ("<", 40), ("<=", 40), (">", 40), (">=", 40), ("=", 40), ("between", 20, 40) with both ends inside,
            ("in", ["Separated", "Divorced"]), ("is missing",). Of categories that have an order "<", "<=", ">", ">=" and "between"
            compare too: ("<=", "High school").
        schema: The columns.

    Raises:
        InputError: If a column, an operator or a category is not known; the nearest one is offered.
    """
    if isinstance(given, Rule):
        if given.predicates and given.schema.names != schema.names:
            msg = f"The rule speaks of other columns: {', '.join(p.feature for p in given.predicates)}."
            raise InputError(msg)
        return given.predicates
    if not isinstance(given, Mapping) or not given:
        msg = f"rule={given!r} is neither a Rule nor a mapping from columns to conditions; a condition is {FORMS}."
        raise InputError(msg)
    return tuple(_condition(schema.index(name), schema[schema.index(name)], wanted) for name, wanted in given.items())


def _condition(at: int, column: Column, wanted: Any) -> Predicate:
    if isinstance(wanted, tuple | list) and wanted and isinstance(wanted[0], str) and wanted[0] not in column.categories:
        operator, values = str(wanted[0]), tuple(wanted[1:])
    elif isinstance(wanted, tuple | list):
        msg = f"{column.name}: {wanted!r} does not begin with an operator; a condition is {FORMS}."
        raise InputError(msg)
    else:
        operator, values = "=", (wanted,)
    if operator not in OPERATORS:
        msg = f"{column.name}: there is no operator {operator!r}. {nearest(operator, OPERATORS)}"
        raise InputError(msg)
    if operator == "is missing" or (operator == "=" and len(values) == 1 and missing(values[0])):
        return Predicate(column, at, missing=True)
    count = 2 if operator == "between" else 1
    if len(values) != count:
        msg = f"{column.name}: {operator!r} compares with {count} value{'s' * (count > 1)}, {len(values)} given."
        raise InputError(msg)
    return _category(at, column, operator, values) if column.kind == "categorical" else _numeric(at, column, operator, values)


def _category(at: int, column: Column, operator: str, values: tuple[Any, ...]) -> Predicate:
    wanted = values[0]
    if operator not in ("=", "in"):
        return _run(at, column, operator, values)
    alone = operator == "=" or isinstance(wanted, str) or not isinstance(wanted, Iterable)
    codes = sorted({_code(column, name) for name in ((wanted,) if alone else tuple(wanted))})
    if not codes:
        msg = f"{column.name}: 'in' was given no category."
        raise InputError(msg)
    return Predicate(column, at, codes=tuple(codes))


def _run(at: int, column: Column, operator: str, values: tuple[Any, ...]) -> Predicate:
    """The categories on one side of another, or from one to another."""
    if not column.ordered:
        msg = f"{column.name} has categories without an order, so {operator!r} says nothing of it. Use a category, or ('in', categories)."
        raise InputError(msg)
    codes = [_code(column, value) for value in values]
    low = {"<": 0, "<=": 0, ">": codes[0] + 1}.get(operator, codes[0])
    high = {"<": codes[0] - 1, ">": len(column.categories) - 1, ">=": len(column.categories) - 1}.get(operator, codes[-1])
    if low > high:
        msg = (
            f"{column.name}: no category satisfies {(operator, *values)!r}; in order they are {', '.join(map(column.write, _all(column)))}."
        )
        raise InputError(msg)
    return Predicate(column, at, codes=tuple(range(low, high + 1)))


def _all(column: Column) -> range:
    return range(len(column.categories))


def _code(column: Column, name: Any) -> int:
    for names in (column.categories, column.category_labels, tuple(map(str, column.categories))):
        if name in names:
            return names.index(name)
    known = column.category_labels or tuple(map(str, column.categories))
    msg = f"{column.name} has no category {name!r}. {nearest(str(name), known)}"
    raise InputError(msg)


def _numeric(at: int, column: Column, operator: str, values: tuple[Any, ...]) -> Predicate:
    if operator == "in":
        msg = f"{column.name} is a number; use ('between', low, high) in place of 'in'."
        raise InputError(msg)
    ends = [_end(column, value) for value in values]
    if operator == "between" and ends[0] > ends[1]:
        msg = f"{column.name}: between {values[0]!r} and {values[1]!r} lies nothing; the smaller end comes first."
        raise InputError(msg)
    if operator in ("=", "between"):
        return Predicate(column, at, ends[0], ends[-1], low_closed=True, high_closed=True)
    if operator in ("<", "<="):
        return Predicate(column, at, high=ends[0], high_closed=operator == "<=")
    return Predicate(column, at, low=ends[0], low_closed=operator == ">=")


def _end(column: Column, value: Any) -> float:
    """A number in the column's encoded units: seconds since 1970 for a time."""
    try:
        if column.kind == "time" and not isinstance(value, int | float):
            return float(np.datetime64(value, "s").astype(np.int64))
        end = float(value)
    except (TypeError, ValueError, OverflowError):
        end = math.nan
    if not math.isfinite(end) or isinstance(value, bool):
        msg = f"{column.name} cannot be compared with {value!r}; wanted a {'time' if column.kind == 'time' else 'number'}."
        raise InputError(msg)
    return end
