"""Rules: conditions on columns under which the model keeps saying the same."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from whyglass.core import registry
from whyglass.core.container import plain
from whyglass.core.errors import InputError
from whyglass.core.explanation import Arrays, Explanation, read_provenance, read_rows, read_status
from whyglass.core.schema import Column, Dataset, Schema, count_of, schema_to_json

PRECISION_KINDS = ("interventional", "observational")
_NUMBERS = ("precision", "low", "high", "coverage")


@dataclass(frozen=True)
class Predicate:
    """One condition on one column, in the encoded units of the schema.

    Attributes:
        column: The column it speaks of.
        at: Its position in the schema.
        low: Values must lie above; -inf when there is no lower end.
        high: Values must lie below; inf when there is no upper end.
        low_closed: Whether ``low`` itself is allowed.
        high_closed: Whether ``high`` itself is allowed.
        codes: The categories allowed, by code; used for category columns only.
        missing: Whether a missing value satisfies it.
    """

    column: Column
    at: int
    low: float = -math.inf
    high: float = math.inf
    low_closed: bool = False
    high_closed: bool = True
    codes: tuple[int, ...] = ()
    missing: bool = False

    @property
    def feature(self) -> str:
        """Name of the column."""
        return self.column.name

    @property
    def operator(self) -> str:
        """One of "=", "in", "<", "<=", ">", ">=", "between", "is missing"; of categories without an order only "=", "in", "is missing"."""
        if self.column.kind == "categorical":
            return self._category_operator()
        if self.low == self.high:
            return "="
        if math.isinf(self.low) and math.isinf(self.high):
            return "is missing"
        if math.isinf(self.low):
            return "<=" if self.high_closed else "<"
        if math.isinf(self.high):
            return ">=" if self.low_closed else ">"
        return "between"

    def _category_operator(self) -> str:
        if len(self.codes) < 2:
            return "=" if self.codes else "is missing"
        first, last = self.codes[0], self.codes[-1]
        count = len(self.column.categories)
        if not self.column.ordered or self.codes != tuple(range(first, last + 1)) or len(self.codes) == count:
            return "in"
        return "<=" if first == 0 else ">=" if last == count - 1 else "between"

    def _told(self) -> tuple[int, ...]:
        """The codes that the operator names: the end of an ordered run, both ends of one inside, or all of them."""
        ends = {"<=": self.codes[-1:], ">=": self.codes[:1], "between": (self.codes[:1] + self.codes[-1:])}
        return ends.get(self.operator, self.codes)

    @property
    def value(self) -> Any:
        """What the operator compares with, in the column's own values: one value, or several for "in" and "between"."""
        if self.column.kind == "categorical":
            names = tuple(self.column.categories[code] for code in self._told())
            return names[0] if len(names) == 1 else names
        ends = tuple(end for end in (self.low, self.high) if math.isfinite(end))
        return None if not ends else ends[0] if len(ends) == 1 or self.low == self.high else ends

    @property
    def text(self) -> str:
        """The condition as a person reads it, in real units and category names."""
        title, operator = self.column.title, self.operator
        if operator == "is missing":
            return f"{title} is missing"
        if self.column.kind == "categorical":
            words = [self.column.write(code) for code in self._told()]
            signs = {"<=": "at most", ">=": "at least", "between": "from", "=": "="}
            body = f"{title} {signs.get(operator, 'in')} {(' to ' if operator == 'between' else ', ').join(words)}"
        elif operator == "between":
            low, high = self.column.write(self.low), self.column.write(self.high)
            body = f"{low} {'≤' if self.low_closed else '<'} {title} {'≤' if self.high_closed else '<'} {high}"
        else:
            sign = {"<=": "≤", ">=": "≥"}.get(operator, operator)
            body = f"{title} {sign} {self.column.write(self.low if math.isfinite(self.low) else self.high)}"
        return f"{body} (or missing)" if self.missing else body

    def mask(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which encoded values of the column satisfy it."""
        if self.column.kind == "categorical":
            inside = np.isin(values, np.array(self.codes, dtype=np.float64))
        else:
            with np.errstate(invalid="ignore"):
                above = values >= self.low if self.low_closed else values > self.low
                below = values <= self.high if self.high_closed else values < self.high
            bounded = math.isfinite(self.low) or math.isfinite(self.high)
            inside = above & below if bounded else np.zeros(len(values), np.bool_)
        return np.asarray(inside | (np.isnan(values) & self.missing))

    def to_json(self) -> dict[str, Any]:
        """The condition as JSON; an open end is null."""
        return {
            "at": self.at,
            "low": None if math.isinf(self.low) else self.low,
            "high": None if math.isinf(self.high) else self.high,
            "low_closed": self.low_closed,
            "high_closed": self.high_closed,
            "codes": list(self.codes),
            "missing": self.missing,
        }

    @classmethod
    def from_json(cls, entry: dict[str, Any], schema: Schema) -> Predicate:
        """Rebuild from ``to_json``."""
        at = range(len(schema))[int(entry["at"])]
        codes = tuple(range(len(schema[at].categories))[int(code)] for code in entry["codes"])
        low = -math.inf if entry["low"] is None else float(entry["low"])
        high = math.inf if entry["high"] is None else float(entry["high"])
        return cls(schema[at], at, low, high, bool(entry["low_closed"]), bool(entry["high_closed"]), codes, bool(entry["missing"]))


@dataclass(frozen=True, repr=False)
class Rule:
    """IF these conditions hold THEN the model says this output, with this precision.

    Attributes:
        predicates: The conditions, in the order in which they were found to help most; empty when there is no rule.
        output: What the model says of the explained row, and of most rows that satisfy the rule.
        precision: Share of rows under the rule for which the model says ``output``.
        precision_interval: (low, high) for that share, at the confidence asked for, after all looks that were taken.
        precision_kind: "interventional" or "observational": which rows it is a share of.
        coverage: Share of training rows that satisfy the conditions.
        met: Whether the lower end of the interval reaches the precision asked for.
        reason: Why not, when it does not.
        schema: The columns.
    """

    predicates: tuple[Predicate, ...]
    output: str
    precision: float
    precision_interval: tuple[float, float]
    precision_kind: str
    coverage: float
    met: bool
    reason: str = ""
    schema: Schema = field(default_factory=lambda: Schema(()), repr=False)

    def __str__(self) -> str:
        if not self.predicates:
            return self.reason or f"whatever the facts, {self.output}"
        return f"IF {' AND '.join(p.text for p in self.predicates)} THEN {self.output}"

    def __repr__(self) -> str:
        if not self.predicates and not self.met:
            return f"Rule: {self}"
        low, high = self.precision_interval
        trust = f"precision {self.precision:.2f} ({low:.2f} to {high:.2f}), coverage {self.coverage:.2f}"
        return f"Rule: {self}; {trust}{'' if self.met else f'; not met: {self.reason}'}"

    def mask(self, X: Any) -> NDArray[np.bool_]:
        """Which rows of a frame satisfy every condition: bool (rows,).

        Args:
            X: Rows in any frame, with the columns the model was wrapped with.

        Raises:
            InputError: If columns are missing or of the wrong kind.
        """
        read = registry.load("frames", "reader")
        return self.mask_matrix(read(X, schema=self.schema).matrix)

    def mask_matrix(self, matrix: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which encoded rows (rows, columns) satisfy every condition."""
        inside = np.ones(len(matrix), np.bool_)
        for predicate in self.predicates:
            inside &= predicate.mask(matrix[:, predicate.at])
        return inside


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Rules(Explanation):
    """One rule for each explained row.

    Attributes:
        rules: One a row; a row that could not be explained has an empty rule whose ``reason`` says why.
        dataset: The explained rows.
        status: One entry a row: "ok", or why no rule could be looked for.
        background_note: What rows precision and coverage speak of, in words.
    """

    ROW_FIELDS: ClassVar[tuple[str, ...]] = ("rules", "dataset", "status")

    rules: tuple[Rule, ...]
    dataset: Dataset
    background_note: str = ""

    def __post_init__(self) -> None:
        if len(self.rules) != len(self.dataset):
            msg = f"Rules.rules has {len(self.rules)} entries for {len(self.dataset)} rows."
            raise InputError(msg)
        if not self.status:
            object.__setattr__(self, "status", ("ok",) * len(self.rules))

    @property
    def view_name(self) -> str:
        """The view that shows them."""
        return "rules"

    def __getitem__(self, key: Any) -> Any:
        """The Rule of one row (an int), or the Rules of several (a slice, a list, a mask)."""
        part = super().__getitem__(key)
        return part.rules[0] if isinstance(key, int | np.integer) else part

    def to_frame(self, kind: str | None = None) -> Any:
        """One line a row: rule, output, precision with its interval and kind, coverage, met, reason, status."""
        columns: Arrays = {
            "row": np.arange(len(self)),
            "rule": np.array([str(r) if r.predicates else "" for r in self.rules], dtype=object),
            "output": np.array([r.output for r in self.rules], dtype=object),
            "precision": np.array([r.precision for r in self.rules], dtype=np.float64),
            "precision_low": np.array([r.precision_interval[0] for r in self.rules], dtype=np.float64),
            "precision_high": np.array([r.precision_interval[1] for r in self.rules], dtype=np.float64),
            "precision_kind": np.array([r.precision_kind for r in self.rules], dtype=object),
            "coverage": np.array([r.coverage for r in self.rules], dtype=np.float64),
            "met": np.array([r.met for r in self.rules], dtype=np.bool_),
            "reason": np.array([r.reason for r in self.rules], dtype=object),
            "status": np.array(self.status, dtype=object),
        }
        return registry.load("frames", "builder")(columns, kind or self.dataset.frame)

    def __repr__(self) -> str:
        met = sum(r.met for r in self.rules)
        lines = [f"Rules: {count_of(len(self), 'row')}, {met} with a rule that reaches the precision asked for ({self.provenance.method})"]
        lines += [f"  {self.background_note}"] if self.background_note else []
        for row, (rule, status) in enumerate(zip(self.rules[:3], self.status, strict=False)):
            lines.append(f"  row {row}: {repr(rule).removeprefix('Rule: ') if status == 'ok' else status}")
        return "\n".join(lines)

    def to_wire(self) -> tuple[dict[str, Any], Arrays]:
        """The result as JSON and named arrays."""
        meta = {
            "kind": "Rules",
            "status": list(self.status),
            "background_note": self.background_note,
            "provenance": plain(self.provenance.to_dict()),
            "schema": schema_to_json(self.dataset.schema),
            "frame": self.dataset.frame,
            "rules": [
                {
                    "predicates": [p.to_json() for p in r.predicates],
                    "output": r.output,
                    "precision_kind": r.precision_kind,
                    "met": r.met,
                    "reason": r.reason,
                }
                for r in self.rules
            ],
        }
        numbers = [[r.precision, *r.precision_interval, r.coverage] for r in self.rules]
        return meta, {"numbers": np.array(numbers, dtype=np.float64).reshape(-1, len(_NUMBERS)), "matrix": self.dataset.matrix}

    @classmethod
    def from_wire(cls, meta: dict[str, Any], arrays: Arrays) -> Rules:
        """Rebuild from ``to_wire``.

        Raises:
            InputError: If a part is missing or does not fit.
        """
        try:
            dataset = read_rows(meta, arrays["matrix"])
            rules = []
            for entry, numbers in zip(meta["rules"], arrays["numbers"], strict=True):
                precision, low, high, coverage = (float(v) for v in numbers)
                rules.append(
                    Rule(
                        tuple(Predicate.from_json(p, dataset.schema) for p in entry["predicates"]),
                        str(entry["output"]),
                        precision,
                        (low, high),
                        str(entry["precision_kind"]),
                        coverage,
                        bool(entry["met"]),
                        str(entry["reason"]),
                        dataset.schema,
                    )
                )
            return cls(
                rules=tuple(rules),
                dataset=dataset,
                status=read_status(meta, len(dataset)),
                provenance=read_provenance(meta["provenance"]),
                background_note=str(meta["background_note"]),
            )
        except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
            if isinstance(error, InputError):
                raise
            msg = f"These are not whole Rules: {type(error).__name__}: {error}."
            raise InputError(msg) from error
