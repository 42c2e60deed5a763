"""What every result has in common: frozen, comparable, indexable, saved without pickle, never drawing itself."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from whyglass.core import registry
from whyglass.core.errors import InputError, nearest
from whyglass.core.provenance import Provenance
from whyglass.core.schema import Dataset, schema_from_json

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Explanation:
    """Base of the closed family of results.

    A subclass is a frozen dataclass with the names of its row-aligned fields in ``ROW_FIELDS`` and a wire form (``to_wire``,
    ``from_wire``).

    Attributes:
        status: One entry a row: "ok", or why it could not be explained.
        provenance: How it was made.
        model: The wrapped model, for ``show``; not part of the saved result.
    """

    ROW_FIELDS: ClassVar[tuple[str, ...]] = ()
    UNCOMPARED: ClassVar[frozenset[str]] = frozenset({"provenance", "model"})

    status: tuple[str, ...] = ()
    provenance: Provenance = field(default_factory=lambda: Provenance("unknown"))
    model: Any = None

    def __len__(self) -> int:
        return len(self.status)

    def __getitem__(self, key: Any) -> Self:
        """One row (an int) or several (a slice, a list, a mask); always the same type."""
        size = len(self)
        if isinstance(key, int | np.integer):
            if not -size <= key < size:
                msg = f"Row {int(key)} was asked for; there are {size} rows, numbered 0 to {size - 1}."
                raise IndexError(msg)
            rows = np.array([int(key) % size])
        elif isinstance(key, slice):
            rows = np.arange(size)[key]
        else:
            try:
                rows = np.arange(size)[np.asarray(key)]
            except IndexError as error:
                msg = f"Rows are chosen by a number, a slice, a list of numbers or a mask of {size} entries: {error}."
                raise InputError(msg) from error
        changes = {name: _take(getattr(self, name), rows) for name in self.ROW_FIELDS}
        return replace(self, **changes)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(_same(getattr(self, f.name), getattr(other, f.name)) for f in fields(self) if f.name not in self.UNCOMPARED)

    __hash__ = None  # type: ignore[assignment]

    def save(self, path: str | Path, **options: Any) -> Path:
        """Write the result; the extension chooses the form.

        Args:
            path: ".arrow" (whole; what ``wg.load`` reads), ".json" (whole, as text), ".parquet" (the flat frame) or
                ".html" (the live view in one file).
            **options: For ".html" those of ``wg.show``, such as ``embed_model=False``.

        Returns:
            The path written.

        Raises:
            InputError: If the extension is none of these or takes no options, or ".html" is asked of a result that has no view.
                Nothing is written then.
        """
        target = Path(path)
        known = [row.name for row in registry.rows("formats")]
        if target.suffix[1:] not in known:
            msg = f"Cannot tell the form of {target.name!r} from its extension. {nearest(target.suffix[1:], known)}"
            raise InputError(msg)
        if target.suffix == ".html":
            if not self.view_name:
                msg = f"{self.undrawn} Save it as .arrow, .json or .parquet."
                raise InputError(msg)
            registry.load("views", "show")(self, **options).save(target)
        elif options:
            msg = f"{target.suffix} takes no options; {min(options)!r} was given."
            raise InputError(msg)
        else:
            registry.load("formats", target.suffix[1:])(self, target)
        return target

    @property
    def view_name(self) -> str:
        """The row of the views table that shows it; empty when none does."""
        return ""

    @property
    def undrawn(self) -> str:
        """Why none does, in words."""
        return f"A {type(self).__name__} of {self.provenance.method!r} has no view of its own."

    def _repr_mimebundle_(self, **options: Any) -> Any:
        if not self.view_name:
            return {"text/plain": repr(self)}
        return registry.load("views", "show")(self)._repr_mimebundle_(**options)

    def to_wire(self) -> tuple[dict[str, Any], Arrays]:
        """The result as JSON and named arrays."""
        raise NotImplementedError

    @classmethod
    def from_wire(cls, meta: dict[str, Any], arrays: Arrays) -> Self:
        """Rebuild from ``to_wire``."""
        raise NotImplementedError

    def with_provenance(self, **changes: Any) -> Self:
        """The same result with some provenance entries replaced."""
        return replace(self, provenance=replace(self.provenance, **changes))


def _take(item: Any, rows: NDArray[np.intp]) -> Any:
    if item is None:
        return None
    if isinstance(item, dict):
        return {name: _take(part, rows) for name, part in item.items()}
    if isinstance(item, tuple):
        return tuple(item[int(r)] for r in rows)
    if isinstance(item, np.ndarray):
        return item[rows]
    return item.take(rows)


def _same(one: Any, two: Any) -> bool:
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(_same(one[k], two[k]) for k in one)
    if isinstance(one, tuple) and isinstance(two, tuple):
        return len(one) == len(two) and all(_same(a, b) for a, b in zip(one, two, strict=True))
    if isinstance(one, np.ndarray) and isinstance(two, np.ndarray):
        return one.shape == two.shape and bool(np.array_equal(one, two, equal_nan=one.dtype.kind == "f"))
    if hasattr(one, "content_hash") and hasattr(two, "content_hash"):
        return bool(one.content_hash() == two.content_hash())
    return bool(one == two)


def read_rows(meta: dict[str, Any], matrix: NDArray[Any]) -> Dataset:
    """Rebuild explained rows from their wire form: ``meta["schema"]``, ``meta["frame"]`` and the encoded matrix.

    Raises:
        InputError: If the matrix does not fit the columns.
    """
    rows = Dataset(schema_from_json(meta["schema"]), matrix, frame=str(meta["frame"]))
    if matrix.ndim != 2 or matrix.shape[1] != len(rows.schema) or matrix.dtype != np.float64:
        msg = f"the rows have shape {matrix.shape} of {matrix.dtype} for {len(rows.schema)} columns."
        raise InputError(msg)
    return rows


def read_status(meta: dict[str, Any], rows: int) -> tuple[str, ...]:
    """The status entries of a result.

    Raises:
        InputError: If there is not one for each row.
    """
    status = tuple(str(s) for s in meta["status"])
    if len(status) != rows:
        msg = f"status has {len(status)} entries for {rows} rows."
        raise InputError(msg)
    return status


def read_provenance(document: dict[str, Any]) -> Provenance:
    """Rebuild a Provenance from its JSON form; unknown keys of newer versions are dropped.

    Raises:
        TypeError: If a part is of another type than a Provenance has there.
    """
    blank = Provenance("")
    found = Provenance(**{f.name: document[f.name] for f in fields(Provenance) if f.name in document})
    for f in fields(Provenance):
        kind = type(getattr(blank, f.name))
        if not isinstance(getattr(found, f.name), int | float if kind is float else kind):
            raise TypeError(f"provenance.{f.name} is no {kind.__name__}")
    return found
