"""The form in which data sets are shipped, and what a data set is once it is read.

A file is xz-compressed: a little-endian uint32 with the length of the header, the header as UTF-8 JSON, then one byte for
each row of each column: the position in the column's ``values``, or ``missing``.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core import registry


@dataclass(frozen=True, eq=False)
class Bunch:
    """A data set.

    Attributes:
        X: (rows, columns) frame of the kind that was asked for.
        y: (rows,) array of text: the recorded outcome of each row.
        split: (rows,) array of text: "train" or "held out".
        names: Names of the columns of X, for ``feature_names=`` where X is a numpy array.
        protected: Names of the columns that must not decide.
        units: Column name -> how its numbers are written, such as "{} h".
        labels: Words for sentences: "title" of the model, "outcome" and "opposite" (what a row may do), "noun" (what rows
            are), "positive" (the class that "outcome" speaks of).
        licence: Under which terms the data may be used.
        citation: How to cite them.
        description: What a row is, where it comes from and what was changed.
    """

    X: Any
    y: NDArray[Any]
    split: NDArray[Any]
    names: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    licence: str = ""
    citation: str = ""
    description: str = ""

    def __len__(self) -> int:
        return len(self.y)

    def __repr__(self) -> str:
        held_out = int((self.split == "held out").sum())
        return f"Bunch({len(self):,} rows, {held_out:,} held out; X: {type(self.X).__name__}; {self.licence})"


@dataclass(frozen=True, eq=False)
class Columns:
    """Columns as they are shipped.

    Attributes:
        numbers: Name -> (rows,) int64.
        codes: Name -> (rows,) int16, -1 for missing.
        categories: Name -> what the codes stand for.
        ordered: Names of the categories whose order means something.
        names: All names in order.
    """

    numbers: dict[str, NDArray[np.int64]]
    codes: dict[str, NDArray[np.int16]]
    categories: dict[str, tuple[str, ...]]
    ordered: tuple[str, ...]
    names: tuple[str, ...]

    def text(self, name: str) -> NDArray[Any]:
        """A column of categories as an array of text."""
        return np.array(self.categories[name])[self.codes[name]]

    def frame(self, names: tuple[str, ...], as_frame: str | None) -> Any:
        """Some of the columns as a frame, built by the frames table."""
        build = registry.load("frames", "builder")
        columns = {n: self.numbers[n] if n in self.numbers else self.codes[n] for n in names}
        return build(columns, as_frame, categories={n: self.categories[n] for n in names if n in self.categories}, ordered=self.ordered)


def read(name: str) -> Columns:
    """Read a shipped data set by its file name."""
    payload = lzma.decompress(resources.files(__package__).joinpath(name).read_bytes())
    start = 4 + int.from_bytes(payload[:4], "little")
    header = json.loads(payload[4:start])
    rows, missing = header["rows"], header["missing"]
    table = np.frombuffer(payload, dtype=np.uint8, offset=start).reshape(len(header["columns"]), rows)
    numbers, codes, categories = {}, {}, {}
    for column, places in zip(header["columns"], table, strict=True):
        if column["kind"] == "number":
            numbers[column["name"]] = np.array(column["values"], dtype=np.int64)[places]
        else:
            codes[column["name"]] = np.where(places == missing, np.int16(-1), places.astype(np.int16))
            categories[column["name"]] = tuple(column["values"])
    ordered = tuple(c["name"] for c in header["columns"] if c["ordered"])
    return Columns(numbers, codes, categories, ordered, tuple(c["name"] for c in header["columns"]))
