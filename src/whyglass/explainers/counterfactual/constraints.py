"""What may change: the caller's constraints, read once and held as hard facts by every rung of the search."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core.errors import InputError, nearest
from whyglass.core.schema import Column, Schema, write_number

Array = NDArray[np.float64]
Bits = NDArray[np.bool_]
PARAMETERS: dict[str, Any] = {
    "immutable": None,
    "increase_only": (),
    "decrease_only": (),
    "ranges": {},
    "allowed": {},
    "implications": (),
    "costs": {},
}


@dataclass(frozen=True)
class Literal:
    """One condition on one column: a number between two ends (both inside), or one of some categories.

    Attributes:
        column: Its position.
        low: Smallest number.
        high: Largest number.
        codes: Codes of the categories; None for a number.
        missing: Whether a missing value satisfies it, and for categories one never seen.
    """

    column: int
    low: float = -math.inf
    high: float = math.inf
    codes: frozenset[int] | None = None
    missing: bool = False

    def holds(self, values: Array) -> Bits:
        """Which encoded values of the column satisfy it."""
        gone = np.isnan(values)
        if self.codes is None:
            return np.asarray(np.where(gone, self.missing, (values >= self.low) & (values <= self.high)))
        known = ~gone & (values >= 0)
        return np.asarray(np.where(known, np.isin(values, list(self.codes)), self.missing))

    def denied(self, column: Column) -> list[Literal]:
        """Conditions of which one holds exactly where this one does not."""
        if self.codes is not None:
            rest = frozenset(range(len(column.categories))) - self.codes
            return [Literal(self.column, codes=rest, missing=not self.missing)]
        parts = [(-math.inf, np.nextafter(self.low, -math.inf)), (np.nextafter(self.high, math.inf), math.inf)]
        ends = [Literal(self.column, float(low), float(high)) for low, high in parts if math.isfinite(low) or math.isfinite(high)]
        return ends if self.missing else [*ends, Literal(self.column, math.inf, -math.inf, missing=True)]


Clause = tuple[Literal, ...]


@dataclass(frozen=True, eq=False)
class Facts:
    """The constraints of one call.

    Attributes:
        schema: The columns.
        free: bool (columns,), whether a column may change at all.
        direction: int (columns,), 1 for up only, -1 for down only, 0 for both.
        ranges: Column -> (low, high), both inside.
        moves: Column -> code of the row's category -> codes it may become.
        clauses: Each a set of conditions of which one must hold.
        weights: float64 (columns,), what a step costs, relative.
        words: One entry a constraint.
    """

    schema: Schema
    free: Bits
    direction: NDArray[np.int64]
    ranges: Mapping[int, tuple[float, float]]
    moves: Mapping[int, Mapping[int, frozenset[int]]]
    clauses: tuple[Clause, ...]
    weights: Array
    words: tuple[str, ...]

    def within(self, column: int, values: Array) -> Bits:
        """Which values lie in the column's range; a missing one does."""
        low, high = self.ranges.get(column, (-math.inf, math.inf))
        return np.asarray(np.isnan(values) | ((values >= low) & (values <= high)))

    def allows(self, column: int, own: float, values: Array) -> Bits:
        """Which values a row with ``own`` there may have instead, or keep.

        A value that is missing stays, or becomes any value where there is no direction; none becomes missing.
        """
        gone = np.isnan(values)
        same = gone if math.isnan(own) else values == own
        allowed = ~gone & self.within(column, values)
        way = self.direction[column]
        if not self.free[column] or (way and math.isnan(own)):
            allowed &= same
        elif way:
            allowed &= values >= own if way > 0 else values <= own
        if column in self.moves:
            to = self.moves[column].get(int(own) if own >= 0 else -1, frozenset())
            allowed &= same | np.isin(values, list(to))
        return np.asarray(allowed | (same & self.within(column, values)))

    def obeys(self, case: Array, rows: Array) -> Bits:
        """Which encoded rows (rows, columns) a case may become."""
        fine = np.ones(len(rows), np.bool_)
        for column in range(rows.shape[1]):
            fine &= self.allows(column, float(case[column]), rows[:, column])
        return fine & self.keeps_clauses(rows)

    def keeps_clauses(self, rows: Array) -> Bits:
        """Which rows satisfy a condition of every clause."""
        fine = np.ones(len(rows), np.bool_)
        for clause in self.clauses:
            fine &= np.logical_or.reduce([literal.holds(rows[:, literal.column]) for literal in clause])
        return fine


def read_facts(schema: Schema, params: Mapping[str, Any]) -> Facts:
    """Read the constraints among a method's parameters.

    Raises:
        InputError: If a column or category is unknown, a range is turned round, a column is to rise and fall, or a form is wrong.
    """
    given = {name: PARAMETERS[name] if params.get(name) is None else params[name] for name in PARAMETERS}
    held = [c.name for c in schema.columns if c.role == "protected"] if given["immutable"] is None else given["immutable"]
    fixed = _columns(schema, held, "immutable")
    rises, falls = (_directed(schema, given[name], name) for name in ("increase_only", "decrease_only"))
    both = [schema[j].name for j in sorted(rises & falls)]
    if both:
        msg = f"{both[0]!r} stands in increase_only and in decrease_only. To hold it, name it in immutable."
        raise InputError(msg)
    width = len(schema)
    free = np.array([j not in fixed for j in range(width)])
    direction = np.array([(j in rises) - (j in falls) for j in range(width)], np.int64)
    ranges = {_at(schema, name, "ranges"): _range(schema, name, ends) for name, ends in _mapping(given["ranges"], "ranges").items()}
    allowed = _mapping(given["allowed"], "allowed")
    moves = {_at(schema, name, "allowed"): _moves(schema, name, steps) for name, steps in allowed.items()}
    clauses, said = _implications(schema, given["implications"])
    weights = _weights(schema, _mapping(given["costs"], "costs"))
    words = _words(schema, fixed, direction, ranges)
    words += [f"{schema[j].title} changes only as allowed" for j in moves] + said
    words += [f"{schema[j].title} costs {write_number(float(weights[j]))} times as much" for j in range(width) if weights[j] != 1]
    return Facts(schema, free, direction, ranges, moves, tuple(clauses), weights, tuple(words))


def _words(schema: Schema, fixed: set[int], direction: NDArray[np.int64], ranges: Mapping[int, tuple[float, float]]) -> list[str]:
    held = [f"{schema[j].title} stays" for j in sorted(fixed)]
    ways = [f"{column.title} only {'rises' if way > 0 else 'falls'}" for column, way in zip(schema.columns, direction, strict=True) if way]
    ends = []
    for j, (low, high) in ranges.items():
        column = schema[j]
        parts = [f"from {column.write(low)}"] if math.isfinite(low) else []
        parts += [f"to {column.write(high)}"] if math.isfinite(high) else []
        ends.append(f"{column.title} {' '.join(parts)}")
    return held + ways + ends


def _columns(schema: Schema, names: Any, where: str) -> set[int]:
    if isinstance(names, str):
        names = [names]
    if not isinstance(names, Sequence | set | frozenset) or isinstance(names, bytes):
        msg = f"{where}={names!r} is no list of column names."
        raise InputError(msg)
    return {_at(schema, name, where) for name in names}


def _at(schema: Schema, name: Any, where: str) -> int:
    if name not in schema.names:
        msg = f"{where} names {name!r}, which is no column. {nearest(str(name), schema.names)}"
        raise InputError(msg)
    return schema.index(name)


def _directed(schema: Schema, names: Any, where: str) -> set[int]:
    found = _columns(schema, names, where)
    for j in sorted(found):
        if schema[j].kind == "categorical" and not schema[j].ordered:
            name = schema[j].name
            msg = f"{where} names {name!r}, whose categories have no order. Say which moves are allowed: allowed={{{name!r}: ...}}."
            raise InputError(msg)
    return found


def _mapping(given: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        msg = f"{where}={given!r} is no mapping from column names."
        raise InputError(msg)
    return given


def _number(given: Any, where: str) -> float:
    try:
        value = math.nan if isinstance(given, bool | str) else float(given)
    except (TypeError, ValueError):
        value = math.nan
    if math.isnan(value):
        msg = f"{where} has {given!r} where a number is wanted."
        raise InputError(msg)
    return value


def _range(schema: Schema, name: str, ends: Any) -> tuple[float, float]:
    where = f"ranges[{name!r}]"
    if schema[name].kind == "categorical":
        msg = f"{where}: {name!r} holds categories. Say which moves are allowed: allowed={{{name!r}: ...}}."
        raise InputError(msg)
    if not isinstance(ends, tuple | list) or len(ends) != 2:
        msg = f"{where}={ends!r} is no pair (low, high); None leaves an end open."
        raise InputError(msg)
    low = -math.inf if ends[0] is None else _number(ends[0], where)
    high = math.inf if ends[1] is None else _number(ends[1], where)
    if low > high:
        msg = f"{where}={ends!r} holds nothing: {write_number(low)} is above {write_number(high)}."
        raise InputError(msg)
    return low, high


def _code(column: Column, value: Any, where: str) -> int:
    if value in column.categories:
        return column.categories.index(value)
    written = [column.write(code) for code in range(len(column.categories))]
    if str(value) in written:
        return written.index(str(value))
    msg = f"{where} names {value!r}, which {column.name!r} never holds. {nearest(str(value), written)}"
    raise InputError(msg)


def _codes(column: Column, values: Any, where: str) -> frozenset[int]:
    several = isinstance(values, Sequence | set | frozenset) and not isinstance(values, str | bytes)
    return frozenset(_code(column, value, where) for value in (values if several else [values]))


def _moves(schema: Schema, name: str, steps: Any) -> dict[int, frozenset[int]]:
    column, where = schema[name], f"allowed[{name!r}]"
    if column.kind != "categorical":
        msg = f"{where}: {name!r} holds numbers. Bound them by ranges={{{name!r}: (low, high)}}."
        raise InputError(msg)
    return {_code(column, old, where): _codes(column, new, where) for old, new in _mapping(steps, where).items()}


def _literal(schema: Schema, name: Any, wanted: Any, where: str) -> Literal:
    at = _at(schema, name, where)
    if schema[at].kind == "categorical":
        return Literal(at, codes=_codes(schema[at], wanted, where))
    if not isinstance(wanted, tuple | list):
        value = _number(wanted, where)
        return Literal(at, value, value)
    if len(wanted) != 2:
        msg = f"{where}: {name!r} is to be {wanted!r}, which is neither a number nor a pair (low, high)."
        raise InputError(msg)
    low, high = (openly if end is None else _number(end, where) for end, openly in zip(wanted, (-math.inf, math.inf), strict=True))
    if low > high:
        msg = f"{where}: {name!r} between {low:g} and {high:g} holds nothing."
        raise InputError(msg)
    return Literal(at, low, high)


def _implications(schema: Schema, given: Any) -> tuple[list[Clause], list[str]]:
    """``[({"Education": "Doctorate"}, {"Age": (25, None)}), ...]``: where all of the first holds, so must all of the second."""
    form = "implications is a list of pairs of conditions, such as [({'Education': 'Doctorate'}, {'Age': (25, None)})]"
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise InputError(f"{form}; {given!r} is none.")
    clauses: list[Clause] = []
    words = []
    for pair in given:
        if not isinstance(pair, tuple | list) or len(pair) != 2 or not all(isinstance(part, Mapping) and part for part in pair):
            raise InputError(f"{form}; {pair!r} is no such pair.")
        first, second = ([_literal(schema, name, wanted, "implications") for name, wanted in part.items()] for part in pair)
        unless = tuple(literal for condition in first for literal in condition.denied(schema[condition.column]))
        clauses += [(*unless, condition) for condition in second]
        words.append(f"where {_told(schema, first)}, {_told(schema, second)}")
    return clauses, words


def _told(schema: Schema, conditions: list[Literal]) -> str:
    parts = []
    for c in conditions:
        column = schema[c.column]
        if c.codes is not None:
            parts.append(f"{column.title} is {' or '.join(column.write(code) for code in sorted(c.codes))}")
        elif c.low == c.high:
            parts.append(f"{column.title} is {column.write(c.low)}")
        elif math.isinf(c.high):
            parts.append(f"{column.title} is at least {column.write(c.low)}")
        elif math.isinf(c.low):
            parts.append(f"{column.title} is at most {column.write(c.high)}")
        else:
            parts.append(f"{column.title} is {column.write(c.low)} to {column.write(c.high)}")
    return " and ".join(parts)


def _weights(schema: Schema, given: Mapping[str, Any]) -> Array:
    weights = np.ones(len(schema))
    for name, cost in given.items():
        value = _number(cost, f"costs[{name!r}]")
        if not 0 < value < math.inf:
            msg = f"costs[{name!r}]={cost!r} is not a number above 0. To hold a column, name it in immutable."
            raise InputError(msg)
        weights[_at(schema, name, "costs")] = value
    return weights
