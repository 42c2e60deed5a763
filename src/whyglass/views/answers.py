"""What the workbench can be asked while it is looked at: tables, predictions, curves, explanations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core import registry
from whyglass.core.ask import least_evaluations
from whyglass.core.attribution import Attribution
from whyglass.core.errors import InputError, UnsupportedError, nearest
from whyglass.core.once import Once
from whyglass.core.view import Action, Answer, Turn
from whyglass.views import interactions, panels
from whyglass.views.rows import pack_cases, pack_matrix
from whyglass.views.subject import Subject
from whyglass.views.surrogates import Around

Array = NDArray[np.float64]
STEPS = 1_000  # int16 steps that the largest contribution of a table is written in
COARSE_TO_FINE = (64, 256, 1024, 2048)
MOST_ROWS_A_CALL = 100_000


@dataclass(eq=False)
class Answers:
    """The actions of one workbench."""

    subject: Subject
    around: Around | None = None
    _once: Once = field(default_factory=Once)

    def actions(self) -> dict[str, Action]:
        """What the page may call, by name."""
        found = {"table": Action(self.table)}
        if self.subject.model is not None:
            found["predict"] = Action(self.predict, lane="predict")
            found["curves"] = Action(self.curves, lane="curves")
            found["explain"] = Action(self.explain, lane="explain")
            found["interactions"] = Action(self.interactions, lane="interactions")
        if any(panels.offered(self.subject).values()):
            found["flips"] = Action(self.flips, lane="flips")
            found["rule"] = Action(self.rule, lane="rule")
            found["effect"] = Action(self.effect, lane="effect")
        if self.around is not None and self.around.offered() is not None:
            found["surrogate"] = Action(self.surrogate, lane="surrogate")
        return found

    def table(self, args: Mapping[str, Any], turn: Turn) -> Answer:  # noqa: ARG002  (every action takes a turn)
        """One table by name, as an Arrow stream; "cases:start:stop" for a range of rows."""
        return Answer(None, (self.table_bytes(str(args.get("name", ""))),))

    def table_bytes(self, name: str) -> bytes:
        """The bytes of a table; all but ranges of cases are made once."""
        if name.startswith("cases:"):
            return self._cases(name)
        makers: dict[str, Callable[[], bytes]] = {
            "model": self._model,
            "background": self._background,
            "sample": lambda: pack_values(*self.subject.sampled()),
            "map": lambda: stream(dict(zip("xy", self.subject.map_points(), strict=True))),
            "interactions": lambda: stream(interactions.together(self.subject).pack()),
        }
        if name not in makers:
            msg = f"There is no table {name!r}. {nearest(name, [*makers, 'cases:0:100'])}"
            raise InputError(msg)
        made: bytes = self._once.get(name, makers[name])
        return made

    def _cases(self, name: str) -> bytes:
        shown = self.subject.shown
        try:
            start, stop = (int(part) for part in name.split(":")[1:])
        except ValueError as error:
            msg = f"{name!r} is not of the form 'cases:start:stop'."
            raise InputError(msg) from error
        if not 0 <= start <= stop <= len(shown) or stop - start > MOST_ROWS_A_CALL:
            msg = f"Rows {start} to {stop} were asked for; there are {len(shown)}, and at most {MOST_ROWS_A_CALL:,} travel at once."
            raise InputError(msg)
        return stream(pack_cases(shown, np.arange(start, stop), self.subject.output))

    def _model(self) -> bytes:
        if self.subject.page is None:
            msg = "This model does not travel into the page."
            raise UnsupportedError(msg)
        return self.subject.page[0]

    def _background(self) -> bytes:
        if self.subject.background is None:
            msg = "There are no background rows."
            raise UnsupportedError(msg)
        return stream(pack_matrix(self.subject.shown.schema, self.subject.background.matrix))

    def predict(self, args: Mapping[str, Any], turn: Turn) -> Answer:  # noqa: ARG002
        """Predictions of encoded rows: ``{"p": [[...]]}``."""
        return Answer({"p": plain(self.subject.predict(self._read(args.get("rows"))))})

    def curves(self, args: Mapping[str, Any], turn: Turn) -> Answer:
        """The shown output along the grid of every column, all else as in the row, in one model call."""
        row = self._read([args.get("row")])[0]
        grids = [self.subject.grid(j) for j in range(len(row))]
        ends = np.cumsum([len(g) for g in grids])
        batch = np.repeat(row[None, :], int(ends[-1]) if len(ends) else 0, axis=0)
        for j, (grid, end) in enumerate(zip(grids, ends, strict=True)):
            batch[end - len(grid) : end, j] = grid
        if turn.cancelled:
            return Answer({"curves": []})
        answers = self.subject.predict(batch)[:, self.subject.output]
        return Answer({"curves": [plain(part) for part in np.split(answers, ends[:-1])]})

    def explain(self, args: Mapping[str, Any], turn: Turn) -> Answer:
        """Contributions of one encoded row: where they are estimated, coarse first, then finer."""
        row = self._read([args.get("row")])
        if args.get("space") == "margin":
            return _document(self.subject.explain(row, space=None, background=None))
        last = Answer(None)
        for budget in (None,) if self.subject.quick else _budgets(len(self.subject.shown.schema)):
            if turn.cancelled:
                break
            answer = self.subject.explain(row, budget=budget)
            last = _document(answer)
            if answer.exact:
                break
            turn.progress(last)
        return last

    def interactions(self, args: Mapping[str, Any], turn: Turn) -> Answer:  # noqa: ARG002
        """The strongest pairs of one encoded row, and their space."""
        return Answer(interactions.of_row(self.subject, self._read([args.get("row")])))

    def flips(self, args: Mapping[str, Any], turn: Turn) -> Answer:
        """The smallest changes of one encoded row that flip what the model says, under ``locks``."""
        return panels.flips(self.subject, self._read([args.get("row")]), args, turn)

    def rule(self, args: Mapping[str, Any], turn: Turn) -> Answer:  # noqa: ARG002
        """The rule behind what the model says of one encoded row."""
        return panels.rule(self.subject, self._read([args.get("row")]))

    def effect(self, args: Mapping[str, Any], turn: Turn) -> Answer:  # noqa: ARG002
        """What the model says on average, and of one encoded row, as one column moves."""
        return panels.effect(self.subject, self._read([args.get("row")]), args.get("column"))

    def surrogate(self, args: Mapping[str, Any], turn: Turn) -> Answer:  # noqa: ARG002
        """LIME's coefficients of one encoded row."""
        if self.around is None:
            msg = "This model cannot be asked for that."
            raise UnsupportedError(msg)
        return self.around.of_row(self._read([args.get("row")]), args)

    def _read(self, given: Any) -> Array:
        return read_rows(given, len(self.subject.shown.schema))


def read_rows(given: Any, width: int) -> Array:
    """Encoded rows as a page sends them: lists of numbers, null for missing.

    Raises:
        InputError: If they are none, or too many.
    """
    if not isinstance(given, list) or len(given) > MOST_ROWS_A_CALL:
        msg = f"Rows must be a list of at most {MOST_ROWS_A_CALL:,} encoded rows."
        raise InputError(msg)
    try:
        numbers = [[math.nan if v is None else float(v) for v in row] for row in given]
        return np.array(numbers, dtype=np.float64).reshape(len(given), width)
    except (TypeError, ValueError) as error:
        msg = f"Every row must hold {width} numbers or nulls."
        raise InputError(msg) from error


def _budgets(columns: int) -> list[int]:
    """Coarse to fine, from the least that so many columns can be sampled with."""
    least = least_evaluations(columns)
    return [b for b in COARSE_TO_FINE if b > least] or [least, 4 * least]


def _document(answer: Attribution) -> Answer:
    if answer.status[0] != "ok":
        raise UnsupportedError(answer.status[0])
    return Answer(
        {
            "values": plain(answer.values[0, :, 0]),
            "errors": None if answer.std_errors is None else plain(answer.std_errors[0, :, 0]),
            "base": float(answer.base_values[0, 0]),
            "prediction": float(answer.predictions[0, 0]),
            "exact": answer.exact,
            "space": answer.space,
            "evaluations": int(answer.provenance.params.get("evaluations") or 0),
            "method": answer.provenance.method,
        }
    )


def pack_values(ids: NDArray[np.intp], values: Array, note: str) -> bytes:
    """Contributions as int16 steps: columns ``id``, ``s0`` ..., and in ``step`` and ``exact`` one constant each.

    The quantisation error is half a step: at most 1/2,000 of the largest contribution.
    """
    finite = np.nan_to_num(values)
    step = (float(np.abs(finite).max(initial=0.0)) or 1.0) / STEPS
    columns: dict[str, NDArray[Any]] = {"id": ids.astype(np.int32)}
    columns.update({f"s{j}": np.rint(finite[:, j] / step).astype(np.int16) for j in range(values.shape[1])})
    columns["step"] = np.full(len(ids), step, dtype=np.float64)
    columns["exact"] = np.full(len(ids), note == "exact", dtype=np.uint8)
    return stream(columns)


def stream(columns: Mapping[str, NDArray[Any]]) -> bytes:
    """Columns as an Arrow IPC stream."""
    packed: bytes = registry.load("frames", "stream")(columns)
    return packed


def plain(array: Array) -> Any:
    """Nested lists with null for what is not a number."""
    if array.ndim == 1:
        return [float(v) if math.isfinite(v) else None for v in array]
    return [plain(row) for row in array]
