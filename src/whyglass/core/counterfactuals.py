"""Counterfactuals: the smallest changes found under which the model would say something else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from whyglass.core import registry
from whyglass.core.container import plain
from whyglass.core.errors import InputError
from whyglass.core.explanation import Arrays, Explanation, read_provenance, read_rows, read_status
from whyglass.core.schema import Dataset, Schema, count_of, schema_to_json

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Counterfactual:
    """One row near the explained one for which the model says what was wanted.

    Attributes:
        encoded: float64 (columns,), the row, encoded by the schema.
        case: float64 (columns,), the explained row, encoded.
        distance: Sum of |change| / training standard deviation over numeric columns, plus 1 for each changed category, each
            times the column's cost where costs were given.
        prediction: float64 (outputs,), what the model says of it.
        valid: Whether the model, asked about this very row, says what was wanted.
        proven: Whether no nearer row exists under the constraints on the grid of values seen in training.
        gap: How much nearer an undiscovered one could be, in units of distance; 0 when proven, inf when nothing is known.
        plausibility: A share and what it is a share of, in words: "of the trees put it in one leaf with the same training row", or
            "of the training rows lie in thinner surroundings".
        schema: The columns.
        frame: The caller's kind of frame.
    """

    encoded: Array
    case: Array
    distance: float
    prediction: Array
    valid: bool
    proven: bool
    gap: float
    plausibility: tuple[float, str]
    schema: Schema
    frame: str = "numpy"

    @property
    def row(self) -> Any:
        """The row in the caller's kind of frame, with its columns and types."""
        return registry.load("frames", "writer")(self.encoded[None, :], self.schema, self.frame)

    @property
    def changed(self) -> tuple[int, ...]:
        """Positions of the columns that differ from the explained row."""
        same = (self.encoded == self.case) | (np.isnan(self.encoded) & np.isnan(self.case))
        return tuple(int(j) for j in np.flatnonzero(~same))

    @property
    def changes(self) -> dict[str, tuple[Any, Any]]:
        """Column -> (from, to), in the column's own values; None for missing."""
        return {self.schema.names[j]: (self._own(j, self.case[j]), self._own(j, self.encoded[j])) for j in self.changed}

    def _own(self, at: int, value: float) -> Any:
        column = self.schema[at]
        if np.isnan(value):
            return None
        if column.kind == "categorical":
            return column.categories[int(value)] if 0 <= value < len(column.categories) else None
        return int(value) if column.integer and float(value).is_integer() else float(value)

    def __str__(self) -> str:
        words = [
            f"{self.schema[j].title} {self.schema[j].write(self.case[j])} → {self.schema[j].write(self.encoded[j])}" for j in self.changed
        ]
        return ", ".join(words) or "no change"

    def __repr__(self) -> str:
        trust = "proven nearest" if self.proven else f"nearest found, gap {self.gap:.2g}"
        return f"Counterfactual: {self}; distance {self.distance:.2f}, {trust}"


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Counterfactuals(Explanation):
    """For each explained row up to k counterfactuals, nearest first.

    Attributes:
        cases: One tuple of counterfactuals a row; empty where none was found.
        target: What was wanted: an output's name, or a range in words.
        notes: One entry a row: empty, or why there are fewer than asked for, such as "none exists under these constraints".
        dataset: The explained rows.
        output_names: Names of the entries of ``prediction``.
        constraints: What was held fixed or bounded, in words, one entry a constraint.
        status: One entry a row: "ok", or why it could not be asked about.
        background_note: What the grid of values and the measure of distance come from, and what counts as plausible, in words.
    """

    ROW_FIELDS: ClassVar[tuple[str, ...]] = ("cases", "notes", "dataset", "status")
    UNCOMPARED: ClassVar[frozenset[str]] = frozenset({"provenance", "model", "cases"})

    cases: tuple[tuple[Counterfactual, ...], ...]
    target: str
    notes: tuple[str, ...]
    dataset: Dataset
    output_names: tuple[str, ...]
    constraints: tuple[str, ...] = ()
    background_note: str = ""

    def __post_init__(self) -> None:
        for name in ("cases", "notes"):
            if len(getattr(self, name)) != len(self.dataset):
                msg = f"Counterfactuals.{name} has {len(getattr(self, name))} entries for {len(self.dataset)} rows."
                raise InputError(msg)
        if not self.status:
            object.__setattr__(self, "status", ("ok",) * len(self.dataset))

    @property
    def view_name(self) -> str:
        """The view that shows them."""
        return "counterfactuals"

    def __getitem__(self, key: Any) -> Any:
        """The list of one row's counterfactuals (an int), or the Counterfactuals of several (a slice, a list, a mask)."""
        part = super().__getitem__(key)
        return list(part.cases[0]) if isinstance(key, int | np.integer) else part

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Counterfactuals) or super().__eq__(other) is not True:
            return False
        ours, theirs = self._arrays(), other._arrays()
        return all(np.array_equal(ours[name], theirs[name], equal_nan=ours[name].dtype.kind == "f") for name in ours)

    __hash__ = None

    def to_frame(self, kind: str | None = None) -> Any:
        """One line a counterfactual: explained row, rank, distance, valid, proven, gap, changes in words, then every column's value."""
        flat = [(row, rank, c) for row, found in enumerate(self.cases) for rank, c in enumerate(found)]
        columns: Arrays = {
            "row": np.array([row for row, _, _ in flat], dtype=np.int64),
            "rank": np.array([rank for _, rank, _ in flat], dtype=np.int64),
            "distance": np.array([c.distance for _, _, c in flat], dtype=np.float64),
            "valid": np.array([c.valid for _, _, c in flat], dtype=np.bool_),
            "proven": np.array([c.proven for _, _, c in flat], dtype=np.bool_),
            "gap": np.array([c.gap for _, _, c in flat], dtype=np.float64),
            "changes": np.array([str(c) for _, _, c in flat], dtype=object),
        }
        for j, name in enumerate(self.dataset.schema.names):
            values = [c._own(j, c.encoded[j]) for _, _, c in flat]  # noqa: SLF001  (one column's values of our own record)
            numeric = self.dataset.schema[j].kind == "numeric"
            own = np.array([np.nan if v is None else v for v in values], dtype=np.float64) if numeric else np.array(values, dtype=object)
            columns[name if name not in columns else f"{name} (2)"] = own
        return registry.load("frames", "builder")(columns, kind or self.dataset.frame)

    def __repr__(self) -> str:
        found = sum(bool(c) for c in self.cases)
        size = count_of(len(self), "row")
        lines = [f"Counterfactuals: {size}, {found} with a change that leads to {self.target} ({self.provenance.method})"]
        lines += [f"  held: {'; '.join(self.constraints)}"] if self.constraints else []
        for row, (cases, note, status) in enumerate(zip(self.cases[:3], self.notes, self.status, strict=False)):
            if status != "ok" or not cases:
                lines.append(f"  row {row}: {status if status != 'ok' else note}")
                continue
            lines.append(f"  row {row}: {repr(cases[0]).removeprefix('Counterfactual: ')}")
        return "\n".join(lines)

    def _arrays(self) -> Arrays:
        flat = [(row, c) for row, found in enumerate(self.cases) for c in found]
        width, outputs = len(self.dataset.schema), len(self.output_names)
        return {
            "of": np.array([row for row, _ in flat], dtype=np.int64),
            "encoded": np.array([c.encoded for _, c in flat], dtype=np.float64).reshape(-1, width),
            "prediction": np.array([c.prediction for _, c in flat], dtype=np.float64).reshape(-1, outputs),
            "numbers": np.array([[c.distance, c.gap, c.plausibility[0]] for _, c in flat], dtype=np.float64).reshape(-1, 3),
            "flags": np.array([[c.valid, c.proven] for _, c in flat], dtype=np.bool_).reshape(-1, 2),
        }

    def to_wire(self) -> tuple[dict[str, Any], Arrays]:
        """The result as JSON and named arrays."""
        meta = {
            "kind": "Counterfactuals",
            "target": self.target,
            "notes": list(self.notes),
            "constraints": list(self.constraints),
            "output_names": list(self.output_names),
            "status": list(self.status),
            "background_note": self.background_note,
            "provenance": plain(self.provenance.to_dict()),
            "schema": schema_to_json(self.dataset.schema),
            "frame": self.dataset.frame,
            "plausibility": [c.plausibility[1] for found in self.cases for c in found],
        }
        return meta, {"matrix": self.dataset.matrix, **self._arrays()}

    @classmethod
    def from_wire(cls, meta: dict[str, Any], arrays: Arrays) -> Counterfactuals:
        """Rebuild from ``to_wire``.

        Raises:
            InputError: If a part is missing or does not fit.
        """
        try:
            dataset = read_rows(meta, arrays["matrix"])
            cases: list[list[Counterfactual]] = [[] for _ in range(len(dataset))]
            parts = (arrays["of"], arrays["encoded"], arrays["prediction"], arrays["numbers"], arrays["flags"], meta["plausibility"])
            if arrays["encoded"].shape[1] != len(dataset.schema) or arrays["prediction"].shape[1] != len(meta["output_names"]):
                msg = "the counterfactual rows do not fit the columns or the outputs."
                raise InputError(msg)
            for of, encoded, prediction, (distance, gap, share), (valid, proven), kind in zip(*parts, strict=True):
                at = range(len(dataset))[int(of)]
                trust = (float(share), str(kind))
                numbers = (float(distance), prediction, bool(valid), bool(proven), float(gap))
                cases[at].append(Counterfactual(encoded, dataset.matrix[at], *numbers, trust, dataset.schema, dataset.frame))
            return cls(
                cases=tuple(tuple(found) for found in cases),
                target=str(meta["target"]),
                notes=tuple(str(n) for n in meta["notes"]),
                constraints=tuple(str(c) for c in meta["constraints"]),
                dataset=dataset,
                output_names=tuple(str(n) for n in meta["output_names"]),
                status=read_status(meta, len(dataset)),
                provenance=read_provenance(meta["provenance"]),
                background_note=str(meta["background_note"]),
            )
        except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
            if isinstance(error, InputError):
                raise
            msg = f"These are not whole Counterfactuals: {type(error).__name__}: {error}."
            raise InputError(msg) from error
