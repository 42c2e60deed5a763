"""Which columns act together: the strongest pairs of a table of cases, small enough to travel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core.attribution import Attribution
from whyglass.core.errors import UnsupportedError
from whyglass.views.subject import SAMPLE_ROWS, Subject

Array = NDArray[np.float64]
MOST_COLUMNS = 12
MOST_ROWS = 2_000
MOST_NUMBERS = 4_000_000  # rows x columns x columns that are worked out at once
STEPS = 127  # int8 steps that the largest index of a table is written in
STRONGEST = 8  # pairs of one case that travel


@dataclass(frozen=True, eq=False)
class Together:
    """What pairs of columns add beyond what each of them adds alone.

    Attributes:
        ids: (rows,) positions among the shown rows, ascending.
        columns: (k,) column positions, the weightiest first.
        values: float64 (rows, k, k), symmetric, the whole index of a pair at each place (both halves); nil on the diagonal.
        exact: Whether they are exact.
    """

    ids: NDArray[np.intp]
    columns: NDArray[np.intp]
    values: Array
    exact: bool

    def take(self, ids: NDArray[np.intp]) -> Together:
        """Only these of the shown rows."""
        kept = np.isin(self.ids, ids)
        return replace(self, ids=self.ids[kept], values=self.values[kept])

    def pack(self) -> dict[str, NDArray[Any]]:
        """Columns ``id``, one ``i{a}_{b}`` a pair as int8 steps, the weightier column first and pairs in that order, ``step``, ``exact``.

        The quantisation error is half a step: at most 1/254 of the largest index.
        """
        step = (float(np.abs(self.values).max(initial=0.0)) or 1.0) / STEPS
        packed: dict[str, NDArray[Any]] = {"id": self.ids.astype(np.int32)}
        for k, first in enumerate(self.columns):
            for m in range(k + 1, len(self.columns)):
                packed[f"i{first}_{self.columns[m]}"] = np.rint(self.values[:, k, m] / step).astype(np.int8)
        packed["step"] = np.full(len(self.ids), step)
        packed["exact"] = np.full(len(self.ids), self.exact, dtype=np.uint8)
        return packed


def offered(subject: Subject) -> dict[str, str] | None:
    """Where interactions come from ("given" with the result, or "asked" of Python) and their space; None when there are none."""
    if _fits(subject):
        return {"source": "given", "space": str(subject.result.space) if subject.result else ""}
    if subject.ask is not None and subject.model is not None and "trees" in subject.model.can and len(subject.shown.schema) > 1:
        return {"source": "asked", "space": subject.space if _in_display_space(subject) else "margin"}
    return None


def together(subject: Subject, ids: NDArray[np.intp] | None = None) -> Together:
    """The interactions of the result given to ``show``, or of sampled rows.

    Args:
        subject: What the workbench is about.
        ids: Of the given result's rows, only these where it has any of them; a seeded sample when None.

    Raises:
        UnsupportedError: If there are none and the model cannot give them.
    """
    result = subject.result
    if _fits(subject) and result is not None and result.interactions is not None:
        most = min(len(result), SAMPLE_ROWS if subject.ask is not None else MOST_ROWS)
        rows = np.empty(0, dtype=np.intp) if ids is None else ids[ids < len(result)]
        rows = rows if len(rows) else np.sort(np.random.default_rng(0).permutation(len(result))[:most])
        part = result[rows]
        return strongest(rows, part, _one_output(subject, part))
    if offered(subject) is None:
        msg = "The interactions of this model are not known."
        raise UnsupportedError(msg)
    if subject.quick:
        found = subject.sample_explained()
        return strongest(subject.sample_ids(SAMPLE_ROWS), found, _one_output(subject, found))
    chosen = subject.sample_ids(min(SAMPLE_ROWS, max(1, MOST_NUMBERS // len(subject.shown.schema) ** 2)))
    answer = _ask(subject, subject.shown.matrix[chosen])
    return strongest(chosen, answer, _one_output(subject, answer))


def of_row(subject: Subject, row: Array) -> dict[str, Any]:
    """The strongest pairs of one encoded row (1, columns): [first column, second column, what both add together], and their space.

    Raises:
        UnsupportedError: If the model cannot give them, or not for this row.
    """
    answer = _ask(subject, row)
    if answer.status[0] != "ok":
        raise UnsupportedError(answer.status[0])
    values = _whole(_one_output(subject, answer))[0]
    first, second = np.triu_indices(len(values), 1)
    order = np.argsort(-np.abs(values[first, second]), kind="stable")[:STRONGEST]
    return {"space": answer.space, "pairs": [[int(first[k]), int(second[k]), float(values[first[k], second[k]])] for k in order]}


def strongest(ids: NDArray[np.intp], answer: Attribution, interactions: Array) -> Together:
    """The pairs of the weightiest columns, for the rows that could be explained.

    Args:
        ids: (rows,) what the rows of ``answer`` are called.
        answer: Where the weights and states of the rows come from.
        interactions: float64 (rows, columns, columns), shap's convention.
    """
    there = np.array([status == "ok" for status in answer.status], dtype=bool)
    # Main effects on the diagonal: a row of the table sums to what the column added.
    weight = np.abs(interactions[there].sum(axis=2)).mean(axis=0) if there.any() else np.zeros(interactions.shape[1])
    columns = np.argsort(-weight, kind="stable")[:MOST_COLUMNS]
    return Together(ids[there], columns, _whole(interactions[there])[:, columns][:, :, columns], answer.exact)


def _fits(subject: Subject) -> bool:
    """Whether the result given to ``show`` carries interactions of the first rows shown."""
    result, first = subject.result, subject.shown.parts[0]
    if result is None or result.interactions is None or result.interactions.shape[1] < 2 or len(first) != len(result):
        return False
    return first.content_hash() == result.dataset.content_hash()


def _in_display_space(subject: Subject) -> bool:
    if subject.quick or subject.model is None:
        return True
    return str(subject.model.trees().space) == subject.space


def _ask(subject: Subject, matrix: Array) -> Attribution:
    options: dict[str, Any] = {} if _in_display_space(subject) else {"space": None, "background": None}
    return subject.explain(matrix, params={"interactions": True}, **options)


def _one_output(subject: Subject, answer: Attribution) -> Array:
    """The interactions of the shown output."""
    given = answer.interactions
    if given is None:
        msg = f"{answer.provenance.method} gave no interactions."
        raise UnsupportedError(msg)
    names, target = answer.output_names, subject.target
    return np.asarray(given[..., names.index(target) if target in names else min(subject.output, len(names) - 1)])


def _whole(interactions: Array) -> Array:
    """Both halves of each pair at each of its places, nil for a column with itself."""
    whole = np.nan_to_num(interactions + interactions.transpose(0, 2, 1))
    diagonal = np.arange(whole.shape[1])
    whole[:, diagonal, diagonal] = 0.0
    return whole
