"""What mattered around a case: LIME's coefficients beside its contributions, asked of the model or given to ``show``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core import registry
from whyglass.core.agreement import check_pair, check_spaces
from whyglass.core.attribution import Attribution
from whyglass.core.errors import InputError, UnsupportedError
from whyglass.core.explanation import Explanation
from whyglass.core.model import Model
from whyglass.core.once import Once
from whyglass.core.view import Answer
from whyglass.views.subject import Subject

Array = NDArray[np.float64]
QUARTILES = (0.25, 0.5, 0.75)
PATIENCE = "10s"  # where each prediction may cost
MOST_NODES = 2_000_000  # beyond it a walk over all trees takes longer than a look
STEPS, ERROR_STEPS = 1_000, 250  # what the largest coefficient and the largest error of a table are written in
ASKED = ("n_samples", "n_features", "kernel_width", "sampling")


def is_lime(result: Explanation) -> bool:
    """Whether a result holds LIME's coefficients of rows."""
    return isinstance(result, Attribution) and not result.additive and result.provenance.method == "lime"


def pair(results: Sequence[Explanation], *, with_model: bool) -> tuple[list[Explanation], Attribution | None]:
    """Of results given to ``show`` the LIME one that goes beside the others, if it has something to go beside.

    Raises:
        InputError: If contributions and coefficients are not of the same rows, columns and model.
    """
    limes = [r for r in results if isinstance(r, Attribution) and is_lime(r)]
    rest = [r for r in results if not is_lime(r)]
    if len(limes) != 1 or not (rest or with_model):
        return list(results), None
    for other in rest:
        if isinstance(other, Attribution) and other.additive:
            if other.space == "log_loss":
                msg = "Contributions to the log loss have no LIME result beside them: LIME explains what the model says."
                raise InputError(msg)
            check_pair(other, limes[0])
    return (rest, limes[0]) if all(isinstance(r, Attribution) and r.additive for r in rest) else (list(results), None)


@dataclass(frozen=True, eq=False)
class Around:
    """LIME beside the contributions of one workbench.

    Attributes:
        subject: What the workbench is about.
        given: The LIME result given to ``show``, or None.
    """

    subject: Subject
    given: Attribution | None = None
    _once: Once = field(default_factory=Once)

    def __post_init__(self) -> None:
        if self.given is None or self.subject.ask is not None:
            return
        if self.subject.result is not None:
            check_spaces(self.subject.result, self.given)

    @property
    def live(self) -> bool:
        """Whether the model can be asked."""
        model = self.subject.model
        known = {row.name for row in registry.rows("methods")} if self.subject.ask is not None else set()
        return "lime" in known and model is not None and model.data is not None and len(model.data) > 0

    def offered(self) -> dict[str, Any] | None:
        """What the page must know: who answers, and where the bins of numbers end; None when there is nothing to show."""
        if not self.live and self.given is None:
            return None
        return {"source": "asked" if self.given is None else "given", "edges": edges_of(self.subject.model)}

    def of_row(self, row: Array, args: Mapping[str, Any]) -> Answer:
        """The coefficients of one encoded row (1, columns): those given, where they are of this very row, else asked of the model.

        ``args`` may hold ``output`` (position; the shown one) and ``space`` ("margin" for the one in which the model adds up).

        Raises:
            InputError: If there is no such output.
            UnsupportedError: If the model cannot be asked, or not about this row.
        """
        name, space = self._output(args.get("output")), self._space(args.get("space"))
        there = self._given_at(row, name, space)
        if there is not None:
            return Answer(_document(*there, given=True))
        if not self.live or self.subject.ask is None:
            msg = "This model cannot be asked for that."
            raise UnsupportedError(msg)
        asked: dict[str, Any] = {"method": "lime", "space": space, "target": name, "params": self._params(space)}
        if self.given is not None:
            asked["seed"] = self.given.provenance.seed
        model = self.subject.model
        compiled = model is not None and "trees" in model.can
        answer: Attribution = self.subject.ask(self.subject.rows(row), budget=None if compiled else PATIENCE, **asked)
        if answer.status[0] != "ok":
            raise UnsupportedError(answer.status[0])
        return Answer(_document(answer, 0, 0, given=False))

    def table(self, ids: NDArray[np.intp]) -> dict[str, NDArray[Any]] | None:
        """What the given result says of shown rows, for a page without Python; None when that is nothing.

        Columns ``id``, coefficients ``w0`` ... as int16 steps, standard errors ``e0`` ... as uint8 steps (rounded up, 255 unknown),
        ``t0`` ... 1 where the rank by size is not certain, ``r`` the held-out R squared, and in ``step``, ``error_step`` and ``draws``
        one constant each.
        """
        if self.given is None or self.given.space != self.subject.space:
            return None
        name = self._output(None)
        at = [self._given_at(self.subject.shown.matrix[[i]], name, self.subject.space) for i in ids]
        carried = [(int(i), *there[1:]) for i, there in zip(ids, at, strict=True) if there is not None]
        if not carried:
            return None
        found, rows, outputs = (np.array(part, dtype=np.intp) for part in zip(*carried, strict=True))
        values = self.given.values[rows, :, outputs[0]]
        step = float(np.abs(values).max(initial=0.0)) / STEPS or 1.0
        columns: dict[str, NDArray[Any]] = {"id": found.astype(np.int32)}
        columns.update({f"w{j}": np.rint(values[:, j] / step).astype(np.int16) for j in range(values.shape[1])})
        tied = ties_of(self.given)
        if tied is not None:
            columns.update({f"t{j}": tied[rows, j, outputs[0]].astype(np.uint8) for j in range(values.shape[1])})
        columns["r"] = fit_of(self.given)[rows, outputs[0]].astype(np.float32)
        columns["step"] = np.full(len(rows), step)
        columns["draws"] = np.full(len(rows), draws_of(self.given), dtype=np.int32)
        if self.given.std_errors is not None:
            errors = self.given.std_errors[rows, :, outputs[0]]
            error_step = float(np.nan_to_num(errors).max(initial=0.0)) / ERROR_STEPS or 1.0
            steps = np.where(np.isfinite(errors), np.ceil(np.nan_to_num(errors) / error_step), 255).astype(np.uint8)
            columns.update({f"e{j}": steps[:, j] for j in range(values.shape[1])})
            columns["error_step"] = np.full(len(rows), error_step)
        return columns

    def freeze(self, frozen: dict[str, Any], tables: dict[str, bytes], ids: NDArray[np.intp]) -> None:
        """Give a report what the given result says of its rows; without one it carries nothing."""
        found = self.table(ids)
        frozen["surrogate"] = None if found is None else self.offered()
        if found is not None:
            tables["surrogate"] = registry.load("frames", "stream")(found)
            frozen["quantisation"] = {**(frozen["quantisation"] or {}), "coefficients": f"at most 1/{2 * STEPS:,} of the largest"}

    def call(self) -> str:
        """The Python that asks for the given result again, as a further argument of ``show``; empty without one."""
        if self.given is None:
            return ""
        given, width = self.given.provenance.params, 0.75 * math.sqrt(len(self.given.feature_names))
        said = [f"{name}={given[name]!r}" for name in ASKED if given.get(name) not in (None, "pool", width)]
        said += [f"seed={self.given.provenance.seed}"] if self.given.provenance.seed else []
        return ", ".join([', wg.explain(model, X_test, method="lime"', f'space="{self.given.space}"', *said]) + ")"

    def _output(self, given: Any) -> str:
        model, result = self.subject.model, self.subject.result
        names = model.outputs if model is not None else result.output_names if result is not None else ()
        at = self.subject.output if given is None else given
        if isinstance(at, bool) or not isinstance(at, int) or not 0 <= at < len(names):
            msg = f"There is no output {at!r}; they are numbered from 0 to {len(names) - 1}."
            raise InputError(msg)
        return names[at]

    def _space(self, given: Any) -> str:
        model = self.subject.model
        if given != "margin" or model is None or not model.can & {"trees", "linear"}:
            return self.subject.space
        return str((model.trees() if "trees" in model.can else model.linear()).space)

    def _params(self, space: str) -> dict[str, Any]:
        """Those of the given result, so that one answer can stand beside the other; else no sampling where that is quick."""
        exact = self._exact(space)
        if self.given is None:
            return {"sampling": "exact"} if exact else {}
        params = self.given.provenance.params
        asked = {name: params[name] for name in ASKED if params.get(name) is not None}
        return {k: v for k, v in asked.items() if exact or (k, v) != ("sampling", "exact")}

    def _exact(self, space: str) -> bool:
        model = self.subject.model
        if model is None or "trees" not in model.can:
            return False
        forest = model.trees()
        return forest.space == space and len(forest.feature) <= MOST_NODES

    def _given_at(self, row: Array, name: str, space: str) -> tuple[Attribution, int, int] | None:
        given = self.given
        if given is None or given.space != space or name not in given.output_names:
            return None
        at = self._once.get("index", self._index).get(_key(row))
        return None if at is None else (given, at, given.output_names.index(name))

    def _index(self) -> dict[bytes, int]:
        """Where the given result speaks of which encoded row."""
        given = self.given
        if given is None:
            return {}
        return {_key(given.dataset.matrix[at]): at for at, status in enumerate(given.status) if status == "ok"}


def edges_of(model: Model | None) -> list[list[float] | None]:
    """Where the bins of each column of numbers end: the quartiles of the training rows, as LIME takes them; null for categories."""
    if model is None or model.data is None or not len(model.data):
        return []
    found: list[list[float] | None] = []
    for j, column in enumerate(model.data.schema.columns):
        values = model.data.matrix[:, j]
        known = values[np.isfinite(values)]
        numbers = column.kind != "categorical" and len(known) > 0
        found.append([float(e) for e in np.unique(np.quantile(known, QUARTILES))] if numbers else None)
    return found


def _key(row: Array) -> bytes:
    """A row's values as bytes: zeros without sign, every missing value alike."""
    plain = np.asarray(row, dtype=np.float64).reshape(-1) + 0.0
    return bytes(np.where(np.isnan(plain), np.nan, plain).tobytes())


def fit_of(result: Attribution) -> Array:
    """Held-out R squared of every row and output."""
    shape = result.base_values.shape
    measured = result.fidelity.get("r2")
    return np.full(shape, np.nan) if measured is None else np.broadcast_to(measured.reshape(len(result), -1), shape)


def ties_of(result: Attribution) -> NDArray[np.bool_] | None:
    """Per row, column and output whether the rank by size is not told apart from a neighbour's; None where nothing says."""
    measured = result.fidelity.get("tied")
    return None if measured is None or measured.shape != result.values.shape else measured == 1


def draws_of(result: Attribution) -> int:
    """How many perturbations the result rests on: 0 where none was drawn, -1 where nothing says."""
    drawn = (result.provenance.params.get("perturbations") or {}).get("drawn")
    return drawn if isinstance(drawn, int) else 0 if result.exact else -1


def _document(result: Attribution, row: int, output: int, *, given: bool) -> dict[str, Any]:
    errors = None if result.std_errors is None else result.std_errors[row, :, output]
    tied = ties_of(result)
    return {
        "values": _list(result.values[row, :, output]),
        "errors": None if errors is None else _list(errors),
        "tied": None if tied is None else tied[row, :, output].tolist(),
        "r2": _list(fit_of(result)[row, [output]])[0],
        "draws": draws_of(result),
        "given": given,
    }


def _list(values: Array) -> list[float | None]:
    return [float(v) if math.isfinite(v) else None for v in values]
