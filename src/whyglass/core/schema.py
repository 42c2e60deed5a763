"""What the columns of a table are: kinds, categories, units, roles. The one place that knows how a value is written."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from whyglass.core.errors import InputError, nearest

Kind = Literal["numeric", "categorical", "text", "image", "time"]
Role = Literal["feature", "target", "protected", "weight", "id"]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: As the user's frame has it.
        kind: "numeric", "categorical", "text", "image" or "time".
        role: "feature", or "protected" for an attribute that must not decide.
        dtype: The frame's own name of its type, so that a row can be written back as it came.
        categories: The known values in code order; empty unless categorical.
        ordered: Whether the categories have an order.
        minimum: Smallest finite value seen, NaN when unknown.
        maximum: Largest finite value seen, NaN when unknown.
        integer: Whether every value seen was a whole number.
        grid: Up to 64 values seen, ascending: where a what-if control may stop.
        label: How the column is called in a sentence; the name when empty.
        unit: A format such as "{} h" or "${}"; empty when the number stands alone.
        category_labels: How each category is written; the category itself when empty.
    """

    name: str
    kind: Kind = "numeric"
    role: Role = "feature"
    dtype: str = "float64"
    categories: tuple[Any, ...] = ()
    ordered: bool = False
    minimum: float = math.nan
    maximum: float = math.nan
    integer: bool = False
    grid: tuple[float, ...] = ()
    label: str = ""
    unit: str = ""
    category_labels: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What a person reads: the label, else the name."""
        return self.label or self.name

    def write(self, value: float) -> str:
        """Write an encoded value as a person would read it: real category names and units, never a code."""
        if math.isnan(value):
            return "missing"
        if self.kind == "categorical":
            code = int(value)
            if not 0 <= code < len(self.categories):
                return "never seen before"
            return self.category_labels[code] if self.category_labels else str(self.categories[code])
        text = write_time(value) if self.kind == "time" else write_number(value)
        return (self.unit or "{}").replace("{}", text)

    def to_json(self) -> dict[str, Any]:
        """The column as JSON for a view; NaN becomes null."""
        numbers = {k: (None if math.isnan(v) else v) for k, v in (("minimum", self.minimum), ("maximum", self.maximum))}
        written = [self.write(code) for code in range(len(self.categories))]
        raw = [v if isinstance(v, str | bool | int | float) else str(v) for v in self.categories]
        return {
            **({} if raw == written else {"values": raw}),
            "name": self.name,
            "title": self.title,
            "kind": self.kind,
            "role": self.role,
            "categories": written,
            "ordered": self.ordered,
            "integer": self.integer,
            "grid": [float(g) for g in self.grid],
            "unit": self.unit,
            **numbers,
        }


@dataclass(frozen=True)
class Schema:
    """The columns of a table, in order."""

    columns: tuple[Column, ...]

    def __len__(self) -> int:
        return len(self.columns)

    def __getitem__(self, key: int | str) -> Column:
        return self.columns[self.index(key) if isinstance(key, str) else key]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names, in order; duplicates are allowed and kept."""
        return tuple(c.name for c in self.columns)

    def index(self, name: str) -> int:
        """Position of a column.

        Raises:
            InputError: If there is no column of that name; the nearest one is offered.
        """
        try:
            return self.names.index(name)
        except ValueError:
            msg = f"There is no column {name!r}. {nearest(name, self.names)}"
            raise InputError(msg) from None

    def update(self, given: Mapping[str, str | Mapping[str, Any]]) -> Schema:
        """A schema with some columns changed, e.g. ``{"age": {"unit": "{} years"}}``; text alone is a unit."""
        known = [f.name for f in fields(Column)]
        changes = {name: {"unit": change} if isinstance(change, str) else change for name, change in given.items()}
        for name, change in changes.items():
            self.index(name)
            for part in change:
                if part not in known:
                    msg = f"A column has no {part!r}. {nearest(part, known)}"
                    raise InputError(msg)
        return Schema(tuple(replace(c, **changes[c.name]) if c.name in changes else c for c in self.columns))

    def content_hash(self) -> str:
        """Hash of names, kinds and categories."""
        text = repr([(c.name, c.kind, c.role, [str(v) for v in c.categories]) for c in self.columns])
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, eq=False)
class Dataset:
    """A table ready to be explained: the encoded matrix beside the caller's own frame, which is never written to.

    Attributes:
        schema: The columns.
        matrix: float64 (rows, columns): numbers, category codes, NaN for missing, -1 for a category never seen.
        source: The caller's frame, untouched.
        frame: Name of the row in the frames table ("numpy", "pandas", "polars", "arrow") that reads and rebuilds it.
        y: The recorded outcome of each row as given, or None.
        problems: Per row "" or why the row cannot be explained (an infinity where none is allowed, say).
        note: How rows that stand for "unknown" are spoken of, where they were chosen and not given; empty otherwise.
    """

    schema: Schema
    matrix: NDArray[np.float64]
    source: Any = None
    frame: str = "numpy"
    y: NDArray[Any] | None = None
    problems: tuple[str, ...] = field(default=())
    note: str = ""

    def __len__(self) -> int:
        return len(self.matrix)

    def take(self, rows: NDArray[np.intp]) -> Dataset:
        """The rows at these positions; the caller's frame is left behind."""
        y = None if self.y is None else self.y[rows]
        problems = tuple(self.problems[int(r)] for r in rows) if self.problems else ()
        return replace(self, matrix=self.matrix[rows], source=None, y=y, problems=problems)

    def content_hash(self) -> str:
        """Hash of the schema and every value."""
        digest = hashlib.blake2b(self.schema.content_hash().encode(), digest_size=16)
        digest.update(repr(self.matrix.shape).encode())
        digest.update(np.ascontiguousarray(self.matrix).tobytes())
        return digest.hexdigest()


def write_time(value: float) -> str:
    """Write seconds since 1970 as a date, with the time of day where it is not midnight."""
    try:
        moment = np.datetime64(round(value), "s").item()
        return f"{moment:%Y-%m-%d}" if value % 86_400 == 0 else f"{moment:%Y-%m-%d %H:%M}"
    except (OverflowError, ValueError, TypeError):
        return write_number(value)


_RAISED = str.maketrans(
    "0123456789",
    "\N{SUPERSCRIPT ZERO}\N{SUPERSCRIPT ONE}\N{SUPERSCRIPT TWO}\N{SUPERSCRIPT THREE}\N{SUPERSCRIPT FOUR}"
    "\N{SUPERSCRIPT FIVE}\N{SUPERSCRIPT SIX}\N{SUPERSCRIPT SEVEN}\N{SUPERSCRIPT EIGHT}\N{SUPERSCRIPT NINE}",
)


def count_of(number: int, thing: str) -> str:
    """Write how many there are: "1 row", "2,000 rows"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def write_number(value: float) -> str:
    """Write a number with at most three significant digits, thousands separated, and a real minus sign."""
    size = abs(value)
    if math.isnan(size):
        return "not a number"
    if math.isinf(size):
        text = "\N{INFINITY}"
    elif value == 0:
        text = "0"
    elif size >= 1000 or (size >= 100 and value == int(value)):
        text = f"{size:,.0f}"
    elif value == int(value):
        text = f"{int(size)}"
    elif size >= 1e-4:
        text = f"{size:.3g}"
    else:
        digits, _, power = f"{size:.1e}".partition("e-")
        text = f"{digits}\N{MULTIPLICATION SIGN}10\N{SUPERSCRIPT MINUS}{str(int(power)).translate(_RAISED)}"
    return f"\N{MINUS SIGN}{text}" if value < 0 else text


def schema_to_json(schema: Schema) -> list[dict[str, Any]]:
    """Every field of every column as JSON; NaN becomes null."""
    numbers = ("minimum", "maximum")
    document = []
    for column in schema.columns:
        entry = {f.name: getattr(column, f.name) for f in fields(column)}
        entry.update({k: None if math.isnan(entry[k]) else entry[k] for k in numbers})
        entry["categories"] = [v if _plain(v) else str(v) for v in column.categories]
        document.append({k: list(v) if isinstance(v, tuple) else v for k, v in entry.items()})
    return document


def _plain(value: Any) -> bool:
    return isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))


def schema_from_json(document: list[dict[str, Any]]) -> Schema:
    """Rebuild a schema from ``schema_to_json``.

    Raises:
        InputError: If a part is of another type than a column has there.
    """
    forms = {f.name: str if f.name == "name" else type(f.default) for f in fields(Column)}
    columns = []
    for entry in document:
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items() if k in forms}
        for name in ("minimum", "maximum"):
            values[name] = math.nan if values.get(name) is None else float(values[name])
        wrong = [k for k, v in values.items() if not isinstance(v, forms[k])]
        column = Column(**values)
        if wrong or not _sound(column):
            msg = f"Column {str(values.get('name'))[:60]!r} is not described as columns are{': ' + wrong[0] if wrong else ''}."
            raise InputError(msg)
        columns.append(column)
    return Schema(tuple(columns))


def _sound(column: Column) -> bool:
    """Whether a column read from a file has the parts that the rest of the code relies on."""
    words = column.category_labels
    return (
        column.kind in get_args(Kind)
        and column.role in get_args(Role)
        and not math.isinf(column.minimum)
        and not math.isinf(column.maximum)
        and all(_plain(v) for v in column.categories)
        and all(isinstance(v, int | float) and math.isfinite(v) for v in column.grid)
        and all(isinstance(v, str) for v in words)
        and len(words) in (0, len(column.categories))
    )
