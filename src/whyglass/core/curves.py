"""Curves: how the model responds to a column, or to two, at large or row by row."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from whyglass.core import registry
from whyglass.core.container import plain
from whyglass.core.errors import InputError, nearest
from whyglass.core.explanation import Arrays, Explanation, read_provenance, read_rows, read_status
from whyglass.core.schema import Column, Dataset, count_of, schema_to_json

Array = NDArray[np.float64]
Key = str | tuple[str, str]
KINDS = ("pdp", "ice", "ale")
_PARTS = ("values", "std_errors", "extrapolation", "strength", "measured")
_ROUNDING = 16 * np.finfo(np.float64).eps  # as a share of a curve's values: a smaller move is none
_SHOWN = 5  # columns, and as many pairs, named when curves are printed
_REASONS = 3  # why rows are left out, the most frequent first
_FEWEST = 2  # rows that a step needs for its error to be known
_FAR = 0.05  # share of the rows from which on it is said that a point leaves the data


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Curves(Explanation):
    """How predictions move along columns.

    Attributes:
        kind: "pdp" (average over rows), "ice" (each row), or "ale" (accumulated local effects, centred).
        keys: The columns drawn, and the pairs (a, b).
        points: Key -> encoded grid: float64 (points,), or for a pair a tuple of two such arrays.
        values: Key -> float64 (points, outputs) for pdp and ale, (rows, points, outputs) for ice; (points_a, points_b, outputs)
            for a pair.
        std_errors: Key -> like ``values``, over the rows as a sample of all rows, NaN where too few rows were measured to know; empty
            for ice, which has none.
        extrapolation: Column -> float64 (points,), the share of rows that a point moves to where there is no row like them; pdp only.
        strength: Pair -> float64 (outputs,), Friedman's H statistic: the root of the share of the joint effect's spread that is
            interaction; 0 for two columns that simply add up, 1 where all is interaction.
        measured: Key -> float64 (points - 1,), rows whose change was measured on each step from a point to the next; float64
            (points_a - 1, points_b - 1) for a pair; ale only.
        output_names: One per output.
        space: What ``values`` are.
        dataset: The rows averaged over.
        exact: Whether the values are exact for these rows: all of them took part, and no step of an ale curve is without rows.
        status: One entry a row: "ok", or why there is a curve that the row has no part in.
    """

    ROW_FIELDS: ClassVar[tuple[str, ...]] = ("dataset", "status", "values")

    kind: str
    keys: tuple[Key, ...]
    points: dict[Key, Any]
    values: dict[Key, Array]
    output_names: tuple[str, ...]
    space: str
    dataset: Dataset
    exact: bool = True
    std_errors: dict[Key, Array] = field(default_factory=dict)
    extrapolation: dict[Key, Array] = field(default_factory=dict)
    strength: dict[Key, Array] = field(default_factory=dict)
    measured: dict[Key, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            msg = f"Curves are {', '.join(KINDS)}, not {self.kind!r}."
            raise InputError(msg)
        for key in self.keys:
            shape = self._shape(key)
            if key not in self.values or self.values[key].shape != shape:
                given = self.values[key].shape if key in self.values else None
                msg = f"Curves.values[{key!r}] has shape {given}, wanted {shape}."
                raise InputError(msg)
        if not self.status:
            object.__setattr__(self, "status", ("ok",) * len(self.dataset))

    def _shape(self, key: Key) -> tuple[int, ...]:
        points = tuple(len(p) for p in self.points[key]) if isinstance(key, tuple) else (len(self.points[key]),)
        rows = (len(self.dataset),) if self.kind == "ice" else ()
        return (*rows, *points, len(self.output_names))

    @property
    def view_name(self) -> str:
        """The view that shows them."""
        return "curves"

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that have a curve of their own."""
        return tuple(key for key in self.keys if isinstance(key, str))

    @property
    def grid(self) -> dict[Key, Any]:
        """Key -> where the curve was asked: numbers, or category names; a tuple of two arrays for a pair."""
        return {key: self._own(key) for key in self.keys}

    def _own(self, key: Key) -> Any:
        if isinstance(key, tuple):
            return tuple(_decode(self.dataset.schema[name], part) for name, part in zip(key, self.points[key], strict=True))
        return _decode(self.dataset.schema[key], self.points[key])

    def __getitem__(self, key: Any) -> Any:
        """Rows of individual curves; the other kinds are about all rows at once.

        Raises:
            InputError: If these are averages.
        """
        if self.kind != "ice":
            msg = (
                f"{self.kind} curves are averages over {len(self)} rows and cannot be cut by row. {nearest(str(key), map(str, self.keys))}"
            )
            raise InputError(msg)
        return super().__getitem__(key)

    def to_frame(self, kind: str | None = None) -> Any:
        """One line a point and output.

        Columns: feature, value, with, with_value (for pairs), row (for ice), output, effect, std_error, and extrapolated: the share
        of the rows that the point moves to where no known row is like them (pdp of single columns).
        """
        lines: list[tuple[Any, ...]] = []
        for key in self.keys:
            own = self._own(key)
            names = key if isinstance(key, tuple) else (key, "")
            errors, away = self.std_errors.get(key), self.extrapolation.get(key)
            for index in np.ndindex(self.values[key].shape):
                at = index[1:] if self.kind == "ice" else index
                second = own[1][at[1]] if isinstance(key, tuple) else None
                first = own[0][at[0]] if isinstance(key, tuple) else own[at[0]]
                row = index[0] if self.kind == "ice" else -1
                error = np.nan if errors is None else float(errors[index])
                effect = float(self.values[key][index])
                moved = np.nan if away is None else float(away[at[0]])
                output = self.output_names[at[-1]]
                lines.append((names[0], str(first), names[1], "" if second is None else str(second), row, output, effect, error, moved))
        heads = ("feature", "value", "with", "with_value", "row", "output", "effect", "std_error", "extrapolated")
        types: tuple[Any, ...] = (object, object, object, object, np.int64, object, np.float64, np.float64, np.float64)
        columns: Arrays = {h: np.array([line[i] for line in lines], dtype=t) for i, (h, t) in enumerate(zip(heads, types, strict=True))}
        return registry.load("frames", "builder")(columns, kind or self.dataset.frame)

    def __repr__(self) -> str:
        words = {"pdp": "partial dependence", "ice": "individual curves", "ale": "accumulated local effects"}[self.kind]
        used = sum(state == "ok" for state in self.status)
        some = f"measured on {used:,} of them" if 0 < used < len(self) else "estimated" if used else "nothing measured"
        trust = "exact for these rows" if self.exact else some
        shown: list[Key] = [*self.features[:_SHOWN], *[key for key in self.keys if isinstance(key, tuple)][:_SHOWN]]
        drawn = "1 column or pair" if len(self.keys) == 1 else f"{len(self.keys):,} columns or pairs"
        lines = [f"Curves: {words} of {drawn} over {count_of(len(self), 'row')}, in {self.space} space, {trust}"]
        lines += [f"  {' x '.join(key) if isinstance(key, tuple) else key}: {self._moves(key)}" for key in shown]
        if len(self.keys) > len(shown):
            lines.append(f"  and {len(self.keys) - len(shown)} more")
        reasons = Counter(state for state in self.status if state != "ok").most_common()
        lines += [f"  {count_of(rows, 'row')}: {reason}" for reason, rows in reasons[:_REASONS]]
        return "\n".join(lines if len(reasons) <= _REASONS else [*lines, "  and further reasons; see .status"])

    def _moves(self, key: Key) -> str:
        """How far one key's curve goes, and what must be known to read it."""
        if not self.output_names:
            return ""
        said = self.values[key][..., -1]
        if not np.isfinite(said).any():
            return "no row could be asked" + self._lacking(key)
        if self.kind == "ice":
            said = said[np.isfinite(said).any(axis=1)]
            span = float((np.fmax.reduce(said, axis=1) - np.fmin.reduce(said, axis=1)).max())
        else:
            span = float(np.ptp(said[np.isfinite(said)]))
        span = 0.0 if span <= _ROUNDING * np.nanmax(np.abs(said), initial=0.0) else span
        how = f"of one row by at most {span:.3g}" if self.kind == "ice" else f"by {span:.3g}"
        return f"moves {self.output_names[-1]} {how}{self._beyond(key)}{self._lacking(key)}"

    def _lacking(self, key: Key) -> str:
        """What was not measured: steps without rows, and answers that the model did not give."""
        name, counts = " x ".join(key) if isinstance(key, tuple) else key, self.measured.get(key)
        lost = self.provenance.params.get("unanswered", {}).get(name)
        words = f"; {count_of(lost['answers'], 'answer')} missing, of {count_of(lost['rows'], 'row')}: {lost['reason']}" if lost else ""
        few = 0 if counts is None else int((counts < _FEWEST).sum())
        if counts is None or not few or not counts.any():
            return words
        parts, empty = "cells" if isinstance(key, tuple) else "steps", int((counts == 0).sum())
        rows = sum(state == "ok" for state in self.status)
        drawn = "drawn like the nearest other" if isinstance(key, tuple) else "drawn flat"
        none = f"{empty:,} of {counts.size:,} {parts} hold no row and are {drawn}" if empty else ""
        one = f"{few - empty:,} of {counts.size:,} {parts} hold a single row" if few > empty else ""
        known = "" if isinstance(key, tuple) else ", so the error there is not known"
        return f"{words}; measured on {count_of(rows, 'row')}: {' and '.join(filter(None, (none, one)))}{known}"

    def _beyond(self, key: Key) -> str:
        """What else must be known to read a key's values."""
        if key in self.strength:
            return f", H statistic {self.strength[key][-1]:.2f} (0: they add up, 1: all interaction)"
        away = self.extrapolation.get(key)
        if away is None or not len(away) or not away.max() >= _FAR:
            return ""
        own, far, worst = self._own(key), int((away >= _FAR).sum()), int(np.argmax(away))
        point = str(own[worst]) if own.dtype == object else f"{own[worst]:.4g}"
        where = f"at {point}" if far == 1 else f"most at {point}, {_FAR:.0%} or more at {far} of {len(away)} points"
        return f"; {away[worst]:.0%} of the rows are taken where no row is like them ({where}): there the model guesses"

    def to_wire(self) -> tuple[dict[str, Any], Arrays]:
        """The result as JSON and named arrays."""
        meta = {
            "kind": "Curves",
            "curves": self.kind,
            "keys": [list(key) if isinstance(key, tuple) else key for key in self.keys],
            "output_names": list(self.output_names),
            "space": self.space,
            "exact": self.exact,
            "status": list(self.status),
            "provenance": plain(self.provenance.to_dict()),
            "schema": schema_to_json(self.dataset.schema),
            "frame": self.dataset.frame,
        }
        arrays: Arrays = {"matrix": self.dataset.matrix}
        for at, key in enumerate(self.keys):
            grids = self.points[key] if isinstance(key, tuple) else (self.points[key],)
            arrays.update({f"points.{at}.{i}": grid for i, grid in enumerate(grids)})
            for name in _PARTS:
                if key in getattr(self, name):
                    arrays[f"{name}.{at}"] = getattr(self, name)[key]
        return meta, arrays

    @classmethod
    def from_wire(cls, meta: dict[str, Any], arrays: Arrays) -> Curves:
        """Rebuild from ``to_wire``.

        Raises:
            InputError: If a part is missing or does not fit.
        """
        try:
            dataset = read_rows(meta, arrays["matrix"])
            keys: tuple[Key, ...] = tuple((str(k[0]), str(k[1])) if isinstance(k, list) else str(k) for k in meta["keys"])
            points: dict[Key, Any] = {}
            for at, key in enumerate(keys):
                both = isinstance(key, tuple)
                points[key] = (arrays[f"points.{at}.0"], arrays[f"points.{at}.1"]) if both else arrays[f"points.{at}.0"]
            parts: dict[str, dict[Key, Array]] = {
                name: {key: arrays[f"{name}.{at}"] for at, key in enumerate(keys) if f"{name}.{at}" in arrays} for name in _PARTS
            }
            return cls(
                kind=str(meta["curves"]),
                keys=keys,
                points=points,
                output_names=tuple(str(n) for n in meta["output_names"]),
                space=str(meta["space"]),
                exact=bool(meta["exact"]),
                dataset=dataset,
                status=read_status(meta, len(dataset)),
                provenance=read_provenance(meta["provenance"]),
                **parts,
            )
        except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
            if isinstance(error, InputError):
                raise
            msg = f"These are not whole Curves: {type(error).__name__}: {error}."
            raise InputError(msg) from error


def _decode(column: Column, points: Array) -> NDArray[Any]:
    """Grid points as the column holds them: numbers, or the categories themselves."""
    if column.kind != "categorical":
        return points
    own = [column.categories[int(code)] if 0 <= code < len(column.categories) else None for code in points]
    return np.array(own, dtype=object)
