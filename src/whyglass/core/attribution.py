"""Attribution: how much each column pushed each prediction."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from whyglass.core import registry
from whyglass.core.agreement import check_pair, check_spaces, compare
from whyglass.core.container import plain
from whyglass.core.errors import InputError, nearest
from whyglass.core.explanation import Arrays, Explanation, read_provenance, read_rows, read_status
from whyglass.core.schema import Dataset, Schema, count_of, schema_to_json, write_number

Array = NDArray[np.float64]
ERROR = " std_error"  # what a frame's column of standard errors ends with
RESERVED = frozenset({"status"})
SPACES = ("probability", "margin", "value", "log_loss")
Groups = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Attribution(Explanation):
    """How much each column pushed each prediction.

    Attributes:
        values: float64 (rows, features, outputs), whatever the model class. Where columns were grouped, a feature is a player:
            a group, or a column of its own.
        base_values: float64 (rows, outputs), what is said when nothing is known.
        predictions: float64 (rows, outputs), in ``space``.
        dataset: The explained rows.
        output_names: One per output.
        space: "probability", "margin", "value", or "log_loss" (how wrong the model is on the recorded outcome).
        exact: Whether the values are exact; then ``std_errors`` is None.
        additive: Whether base plus values should give the prediction.
        std_errors: Like ``values``, or None when exact.
        interactions: float64 (rows, features, features, outputs) or None: what pairs do together (Shapley interaction index), half of
            it on either side of the diagonal, which holds what a feature does alone; each line adds up to the feature's value.
        fidelity: Method-specific measures of trust, each an array with one entry a row; some go on by (features and) outputs.
        status: One entry a row: "ok", or why it could not be explained (its values are NaN then).
        background_note: What stands for "unknown", in words.
        groups: Name and column positions of every player, in the order of ``values``; None when each column is its own.
    """

    ROW_FIELDS: ClassVar[tuple[str, ...]] = (
        "values",
        "base_values",
        "predictions",
        "dataset",
        "std_errors",
        "interactions",
        "fidelity",
        "status",
    )

    values: Array
    base_values: Array
    predictions: Array
    dataset: Dataset
    output_names: tuple[str, ...]
    space: str
    exact: bool
    additive: bool = True
    std_errors: Array | None = None
    interactions: Array | None = None
    fidelity: dict[str, Array] = field(default_factory=dict)
    background_note: str = ""
    groups: Groups | None = None

    def __post_init__(self) -> None:
        rows, features, outputs = len(self.dataset), len(self.feature_names), len(self.output_names)
        wanted = {"values": (rows, features, outputs), "base_values": (rows, outputs), "predictions": (rows, outputs)}
        if self.std_errors is not None:
            wanted["std_errors"] = (rows, features, outputs)
        if self.interactions is not None:
            wanted["interactions"] = (rows, features, features, outputs)
        for name, shape in wanted.items():
            given = getattr(self, name)
            if given.shape != shape or given.dtype != np.float64:
                kind = "" if given.dtype == np.float64 else f" of float64 (it holds {given.dtype})"
                msg = f"Attribution.{name} has shape {given.shape}, wanted {shape}{kind}."
                raise InputError(msg)
        for name, measured in self.fidelity.items():
            if len(measured) != rows:
                msg = f"Attribution.fidelity[{name!r}] has {len(measured)} entries for {rows} rows."
                raise InputError(msg)
        if not self.status:
            object.__setattr__(self, "status", ("ok",) * rows)

    @property
    def schema(self) -> Schema:
        """The explained columns."""
        return self.dataset.schema

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the explained columns, or of the players where columns were grouped."""
        return self.schema.names if self.groups is None else tuple(name for name, _ in self.groups)

    @property
    def view_name(self) -> str:
        """The view that shows it: a waterfall must end at the prediction."""
        return "workbench" if self.additive else "ranking"

    @property
    def data(self) -> Any:
        """The explained rows in the caller's kind of frame."""
        if self.dataset.source is not None:
            return self.dataset.source
        return registry.load("frames", "writer")(self.dataset.matrix, self.schema, self.dataset.frame)

    def output(self, name: str) -> Array:
        """The values of one output: float64 (rows, features).

        Raises:
            InputError: If there is no such output; the nearest is offered.
        """
        if name not in self.output_names:
            msg = f"There is no output {name!r}. {nearest(name, self.output_names)}"
            raise InputError(msg)
        return self.values[:, :, self.output_names.index(name)]

    def top(self, k: int = 5) -> list[list[tuple[str, float]]]:
        """The ``k`` strongest columns of each row for its last output, as (name, value), strongest first."""
        last = self._last()
        return [[(self.feature_names[j], float(last[r, j])) for j in columns] for r, columns in enumerate(_strongest(last, k))]

    def _last(self) -> Array:
        """The values of the last output: float64 (rows, features), 0 where there is none."""
        return np.nan_to_num(self.values[:, :, -1]) if self.output_names else np.zeros(self.values.shape[:2])

    def agreement(self, other: Attribution, k: int = 5) -> Any:
        """How far another explanation of the same rows agrees with this one, such as LIME with Shapley values.

        Args:
            other: A result of the same rows, columns and model, in the same space.
            k: How many of the strongest columns of each are compared.

        Returns:
            A frame of the caller's kind, one line per row and common output: row, output, ``k`` (fewer than asked where fewer
            values are not zero), ``shared`` (how many of the k strongest are so in both), ``same_sign`` (how many of the shared
            point the same way), ``rank_correlation`` (Spearman's, of the sizes of all columns; NaN where one side's are equal),
            ``opposite`` (columns that point in opposite ways although both 95% intervals leave out zero and both values are at
            least a twentieth of the row's largest), and status.

        Raises:
            InputError: If the results do not belong together.
        """
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
            msg = f"k={k!r} is not a whole number from 1 up."
            raise InputError(msg)
        outputs = check_pair(self, other)
        check_spaces(self, other)
        found = [compare(*_pair(self, other, name), int(k)) for name in outputs]
        status = [mine if mine != "ok" else theirs for mine, theirs in zip(self.status, other.status, strict=True)]
        good = np.repeat(np.array([s == "ok" for s in status], dtype=bool), len(outputs))

        def column(name: str) -> NDArray[Any]:
            return np.stack([getattr(each, name) for each in found], axis=1).reshape(-1)

        columns: Arrays = {
            "row": np.repeat(np.arange(len(self)), len(outputs)),
            "output": np.tile(np.array(outputs, dtype=object), len(self)),
            **{name: np.where(good, column(name), 0) for name in ("k", "shared", "same_sign")},
            "rank_correlation": np.where(good, column("rank_correlation"), np.nan),
            "opposite": np.where(good, column("opposite"), 0),
            "status": np.repeat(np.array(status, dtype=object), len(outputs)),
        }
        return registry.load("frames", "builder")(columns, self.dataset.frame)

    def to_frame(self, kind: str | None = None) -> Any:
        """One line per row and output: row, output, base value, prediction, one column a feature, status.

        Args:
            kind: "pandas", "polars", "arrow" or "numpy"; the caller's own kind when None.

        Returns:
            A frame of that kind. Standard errors follow as "<feature> std_error" when the values are estimates. Measures of trust
            that there is one of for each output stand before the features under their own name (LIME's "r2"), those of each feature
            behind as "<feature> <measure>" ("Age tied"). A feature named like another column of the frame gets " (2)", " (3)", ...
            behind its name.
        """
        rows, features, outputs = self.values.shape
        columns: Arrays = {
            "row": np.repeat(np.arange(rows), outputs),
            "output": np.tile(np.array(self.output_names, dtype=object), rows),
            "base_value": self.base_values.reshape(-1),
            "prediction": self.predictions.reshape(-1),
            **{name: measured.reshape(-1) for name, measured in self.fidelity.items() if measured.shape == (rows, outputs)},
        }
        behind = {"": self.values} | ({} if self.std_errors is None else {ERROR: self.std_errors})
        behind |= {f" {name}": measured for name, measured in self.fidelity.items() if measured.shape == self.values.shape}
        names = _distinct(self.feature_names, columns, tuple(behind))
        for suffix, given in behind.items():
            flat = given.transpose(0, 2, 1).reshape(rows * outputs, features)
            columns.update({f"{name}{suffix}": flat[:, j] for j, name in enumerate(names)})
        columns["status"] = np.repeat(np.array(self.status, dtype=object), outputs)
        return registry.load("frames", "builder")(columns, kind or self.dataset.frame)

    def __repr__(self) -> str:
        rows, features, outputs = self.values.shape
        trust = "exact" if self.exact else "estimated, errors unknown" if self.std_errors is None else "estimated, with standard errors"
        shape = f"{count_of(rows, 'row')} x {count_of(features, 'feature')} x {count_of(outputs, 'output')}"
        head = f"Attribution: {shape}, in {self.space} space, {trust} ({self.provenance.method})"
        lines = [head] + ([f"  unknown = {self.background_note}"] if self.background_note else [])
        lines += [
            f"  row {row}: {self._row_in_words(row) if self.status[row] == 'ok' else self.status[row]}" for row in range(min(rows, 3))
        ]
        bad = sum(s != "ok" for s in self.status)
        return "\n".join(lines + ([f"  {count_of(bad, 'row')} could not be explained; see .status"] if bad else []))

    def _row_in_words(self, row: int) -> str:
        """The last output's prediction and strongest columns; those whose order is not certain, and how well they fit, where known."""
        if not self.output_names:
            return ""
        values, tied, r2 = self._last()[row], self.fidelity.get("tied"), self.fidelity.get("r2")
        marks = np.zeros(len(values)) if tied is None or tied.shape != self.values.shape else tied[row, :, -1]
        pushes = ", ".join(
            f"{self.feature_names[j]} {'+' if values[j] >= 0 else ''}{write_number(float(values[j]))}{' (tied)' if marks[j] == 1 else ''}"
            for j in _strongest(values[None], 3)[0]
        )
        fit = "" if r2 is None or r2.shape != self.predictions.shape or np.isnan(r2[row, -1]) else f"; held-out R2 {r2[row, -1]:.2f}"
        return f"{self.output_names[-1]} = {write_number(float(self.predictions[row, -1]))}; {pushes}{fit}"

    def to_wire(self) -> tuple[dict[str, Any], Arrays]:
        """The result as JSON and named arrays."""
        meta = {
            "kind": "Attribution",
            "output_names": list(self.output_names),
            "space": self.space,
            "exact": self.exact,
            "additive": self.additive,
            "status": list(self.status),
            "background_note": self.background_note,
            "provenance": plain(self.provenance.to_dict()),
            "schema": schema_to_json(self.schema),
            "frame": self.dataset.frame,
            "groups": None if self.groups is None else [[name, list(columns)] for name, columns in self.groups],
        }
        arrays: Arrays = {
            "values": self.values,
            "base_values": self.base_values,
            "predictions": self.predictions,
            "matrix": self.dataset.matrix,
        }
        for name in ("std_errors", "interactions"):
            if getattr(self, name) is not None:
                arrays[name] = getattr(self, name)
        arrays.update({f"fidelity.{name}": array for name, array in self.fidelity.items()})
        return meta, arrays

    @classmethod
    def from_wire(cls, meta: dict[str, Any], arrays: Arrays) -> Attribution:
        """Rebuild from ``to_wire``.

        Raises:
            InputError: If a part is missing or its shape does not fit.
        """
        try:
            dataset = read_rows(meta, arrays["matrix"])
            if meta["space"] not in SPACES or not all(isinstance(name, str) for name in meta["output_names"]):
                msg = f"space={meta['space']!r} or the outputs {meta['output_names']!r} are none that a result has."
                raise InputError(msg)
            return cls(
                values=arrays["values"],
                base_values=arrays["base_values"],
                predictions=arrays["predictions"],
                dataset=dataset,
                output_names=tuple(meta["output_names"]),
                space=meta["space"],
                exact=bool(meta["exact"]),
                additive=bool(meta["additive"]),
                status=read_status(meta, len(dataset)),
                background_note=str(meta["background_note"]),
                groups=_read_groups(meta.get("groups"), len(dataset.schema)),
                provenance=read_provenance(meta["provenance"]),
                std_errors=arrays.get("std_errors"),
                interactions=arrays.get("interactions"),
                fidelity={name.removeprefix("fidelity."): a for name, a in arrays.items() if name.startswith("fidelity.")},
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            msg = f"This is not a whole Attribution: {type(error).__name__}: {error}."
            raise InputError(msg) from error

    def to_shap(self, *, interactions: bool = False) -> Any:
        """The result as a ``shap.Explanation``, so that shap's plots take it; ``wg.from_shap`` is the way back.

        Args:
            interactions: Whether to hand over the interaction values, (rows, features, features[, outputs]), in place of the values.

        Raises:
            InputError: If interactions are asked for and there are none.
            MissingExtraError: If shap is not installed.
        """
        return registry.load("exports", "shap")(self, interactions=interactions)


def _pair(one: Attribution, two: Attribution, output: str) -> tuple[Array, Array, tuple[Array | None, Array | None]]:
    """Values of one output from both, and their standard errors; NaN counts as 0."""
    both = [(result, result.output_names.index(output)) for result in (one, two)]
    first, second = (np.nan_to_num(result.values[:, :, at]) for result, at in both)
    errors = [None if result.std_errors is None else result.std_errors[:, :, at] for result, at in both]
    return first, second, (errors[0], errors[1])


def _read_groups(given: Any, columns: int) -> Groups | None:
    """Players from their wire form.

    Raises:
        InputError: If they do not share out the columns.
    """
    if given is None:
        return None
    groups = tuple((str(name), tuple(int(j) for j in members)) for name, members in given)
    if sorted(j for _, members in groups for j in members) != list(range(columns)):
        msg = f"the groups {[name for name, _ in groups][:8]} do not share out the {columns} columns."
        raise InputError(msg)
    return groups


def _strongest(values: Array, k: int) -> NDArray[np.intp]:
    """Positions of the ``k`` columns of the largest size in each row of (rows, features), strongest first."""
    return np.argsort(-np.abs(values), axis=1, kind="stable")[:, :k]


def _distinct(names: tuple[str, ...], taken: Arrays, suffixes: tuple[str, ...]) -> list[str]:
    """Frame columns must be unique, with each of the suffixes too: repeated names get " (2)", " (3)", ..."""
    used = set(taken) | RESERVED
    result = []
    for name in map(str, names):
        tries = (name if k == 1 else f"{name} ({k})" for k in itertools.count(1))
        result.append(next(t for t in tries if used.isdisjoint(t + suffix for suffix in suffixes)))
        used |= {result[-1] + suffix for suffix in suffixes}
    return result
