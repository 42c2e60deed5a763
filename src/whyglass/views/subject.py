"""What a workbench is about: the rows, the model, and what can be derived from both."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Budget, least_evaluations
from whyglass.core.attribution import Attribution
from whyglass.core.errors import UnsupportedError
from whyglass.core.model import Model
from whyglass.core.once import Once
from whyglass.core.rescue import rescue
from whyglass.core.schema import Dataset
from whyglass.views.embedding import FlatMap, flat_map
from whyglass.views.rows import Shown

Array = NDArray[np.float64]
SAMPLE_ROWS = 600
SLOW_SAMPLE_ROWS = 60
SLOW_EVALUATIONS = 256
SLOW_SECONDS = 20.0
LANDMARKS = 500
ENUMERABLE_COLUMNS = 14


class Asker(Protocol):
    """The facade's way to explain encoded rows."""

    def __call__(self, rows: Dataset, **options: Any) -> Any:
        """Explain these rows: what the method gives. Options are those of ``explain``, with ``background`` a Dataset."""


@dataclass(frozen=True, eq=False)
class Subject:
    """What a workbench is about.

    Attributes:
        shown: The rows.
        model: The wrapped model, or None when only a saved result is looked at.
        ask: Explains encoded rows; None without a model.
        background: The rows that stand for "unknown".
        output: Position of the shown output.
        space: Display space: "probability" or "value".
        result: What was given to ``show``.
        page: The page form of the model as (bytes, meta), or None.
    """

    shown: Shown
    model: Model | None
    ask: Asker | None
    background: Dataset | None
    output: int
    space: str
    result: Attribution | None
    page: tuple[bytes, dict[str, Any]] | None
    _once: Once = field(default_factory=Once)

    @property
    def once(self) -> Once:
        """What was worked out once and for all."""
        return self._once

    @property
    def quick(self) -> bool:
        """Whether exact display-space values cost milliseconds a row."""
        return self.model is not None and "trees" in self.model.can and len(self.shown.schema) <= ENUMERABLE_COLUMNS

    @property
    def target(self) -> str | None:
        """The shown output's name."""
        return None if self.model is None else self.model.outputs[self.output]

    def rows(self, matrix: Array) -> Dataset:
        """Encoded rows as a Dataset of this schema."""
        return Dataset(self.shown.schema, matrix, frame=self.shown.parts[0].frame)

    def predict(self, matrix: Array) -> Array:
        """What the model says of encoded rows: (rows, outputs), NaN for a row it fails on."""
        if self.model is None:
            msg = "Without a model nothing new can be predicted."
            raise UnsupportedError(msg)
        return rescue(self.model.predict_matrix, matrix, len(self.model.outputs), give_up=True)[0]

    def explain(self, matrix: Array, **options: Any) -> Attribution:
        """Explain encoded rows in display space, for the shown output."""
        if self.ask is None:
            msg = "Without a model nothing new can be explained."
            raise UnsupportedError(msg)
        asked = {"space": self.space, "background": self.background, "target": self.target, **options}
        found: Attribution = self.ask(self.rows(matrix), **asked)
        return found

    def grid(self, column: int, most: int = 64) -> Array:
        """Where a what-if control of this column may stop, encoded."""
        known = self.shown.schema[column]
        stops = np.arange(len(known.categories), dtype=float) if known.kind == "categorical" else np.array(known.grid, dtype=float)
        return stops if len(stops) <= most else stops[np.unique(np.linspace(0, len(stops) - 1, most).astype(int))]

    def sample_ids(self, most: int) -> NDArray[np.intp]:
        """Seeded held-out rows (any rows where none is held out), ascending; a smaller sample lies inside a larger one."""
        pool = np.flatnonzero(self.shown.split == 1)
        pool = pool if len(pool) else np.arange(len(self.shown))
        return np.sort(np.random.default_rng(0).permutation(pool)[:most])

    def sampled(self) -> tuple[NDArray[np.intp], Array, str]:
        """Contributions of sampled rows to the shown output: ids, (rows, columns), "exact", "sampled" or "none"."""
        found: tuple[NDArray[np.intp], Array, str] = self._once.get("sampled", self._sample)
        return found

    def _sample(self) -> tuple[NDArray[np.intp], Array, str]:
        given = self.given()
        if given is not None:
            ids, values, note = given
            # Without a model nothing else can be shown of a row, so none of them is left out.
            rows = np.sort(np.random.default_rng(0).permutation(len(ids))[: len(ids) if self.ask is None else SAMPLE_ROWS])
            return ids[rows], values[rows], note
        if self.ask is None:
            return np.empty(0, dtype=np.intp), np.empty((0, len(self.shown.schema))), "none"
        if self.quick:
            return _told(self.sample_ids(SAMPLE_ROWS), self.sample_explained())
        return self.contributions(self.sample_ids(SLOW_SAMPLE_ROWS))

    def sample_explained(self) -> Attribution:
        """The sampled rows in display space, interactions included: where exact values cost milliseconds these cost next to nothing."""
        found: Attribution = self._once.get("sample explained", self._explain_sample)
        return found

    def _explain_sample(self) -> Attribution:
        return self.explain(self.shown.matrix[self.sample_ids(SAMPLE_ROWS)], params={"interactions": True})

    def given(self) -> tuple[NDArray[np.intp], Array, str] | None:
        """What the result given to ``show`` says of the shown rows, like ``sampled``; None when it is in another space."""
        result, first = self.result, self.shown.parts[0]
        if result is None or result.space != self.space or len(first) != len(result):
            return None
        if first.content_hash() != result.dataset.content_hash():
            return None
        explained = np.array([row for row, status in enumerate(result.status) if status == "ok"], dtype=np.intp)
        column = min(self.output, result.values.shape[2] - 1)
        return explained, result.values[explained, :, column], "exact" if result.exact else "sampled"

    def contributions(self, ids: NDArray[np.intp]) -> tuple[NDArray[np.intp], Array, str]:
        """Contributions of shown rows to the shown output, like ``sampled``.

        Rows that cannot be explained are left out, and so are those that ``SLOW_SECONDS`` do not reach where each costs
        model calls.
        """
        given = self.given()
        if given is not None and np.isin(ids, given[0]).all():
            carried = np.isin(given[0], ids)
            return given[0][carried], given[1][carried], given[2]
        answer = self.explain(self.shown.matrix[ids], **({} if self.quick else {"budget": self._slow_budget()}))
        return _told(ids, answer)

    def _slow_budget(self) -> Budget:
        return Budget(max(SLOW_EVALUATIONS, least_evaluations(len(self.shown.schema))), time.monotonic() + SLOW_SECONDS)

    def map_points(self, ids: NDArray[np.intp] | None = None) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        """A place for every shown row, or for these: cases explained alike lie together."""
        rows = np.arange(len(self.shown)) if ids is None else ids
        found: FlatMap = self._once.get("map", lambda: flat_map(self._likeness(self.sample_ids(LANDMARKS))))
        return found.place(self._likeness(rows))

    def _likeness(self, ids: NDArray[np.intp]) -> Array:
        """What rows are compared by: their exact contributions where those cost no model call, else their values."""
        if self.ask is not None and self.model is not None and self.model.can & {"trees", "linear"}:
            own = self.model.data is not None or "trees" in self.model.can
            answer: Attribution = self.ask(self.rows(self.shown.matrix[ids]), background=None if own else self.background)
            return np.nan_to_num(answer.values[:, :, min(self.output, answer.values.shape[2] - 1)])
        return _standardised(self.shown)[ids]


def _told(ids: NDArray[np.intp], answer: Attribution) -> tuple[NDArray[np.intp], Array, str]:
    """Of these rows those that could be explained, their contributions, and how they were found."""
    there = np.array([status == "ok" for status in answer.status], dtype=bool)
    return ids[there], answer.values[there, :, 0], "exact" if answer.exact else "sampled"


def _standardised(shown: Shown) -> Array:
    """Numbers by their spread, categories as 0/1 columns: how alike rows are, where no explanation is at hand."""
    pieces: list[Array] = []
    for j, column in enumerate(shown.schema.columns):
        values = shown.matrix[:, j]
        if column.kind == "categorical" and not column.ordered:
            pieces += [(values == code).astype(float) for code in range(min(len(column.categories), 20))]
            continue
        finite = values[np.isfinite(values)]
        spread = float(finite.std()) if len(finite) else 0.0
        pieces.append(np.nan_to_num((values - finite.mean()) / spread, posinf=0.0, neginf=0.0) if spread else np.zeros(len(values)))
    return np.column_stack(pieces) if pieces else np.zeros((len(shown), 1))
