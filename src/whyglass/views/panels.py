"""What the panels beside a case ask of the model: the smallest changes that flip it, the rule behind it, a fact's effect at large."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core import registry
from whyglass.core.counterfactuals import Counterfactual, Counterfactuals
from whyglass.core.curves import Curves
from whyglass.core.errors import InputError, UnsupportedError, nearest
from whyglass.core.rules import Rule, Rules
from whyglass.core.schema import Column
from whyglass.core.view import Answer, Turn
from whyglass.views.naming import in_page
from whyglass.views.subject import SAMPLE_ROWS, SLOW_SAMPLE_ROWS, Subject

Array = NDArray[np.float64]
MOST_FLIPS = 3
QUICK_SECONDS, PATIENT_SECONDS, LAST_SECONDS = 0.4, 3.0, 20.0
UNSPENT = 0.6  # a search that took less than this share of its time would find no more in a longer one
RULE_TIME = "10s"  # where each prediction may cost
POINTS, SLOW_POINTS = 60, 20
LOCKS = ("held", "free", "rises", "falls")


def offered(subject: Subject) -> dict[str, bool]:
    """Which panels the live model can fill."""
    model, live = subject.model, subject.ask is not None
    known = {row.name for row in registry.rows("methods")} if live else set()
    ordinary = model is not None and model.data is not None and len(model.data) > 0
    classes = model is not None and model.task == "classification"
    single = model is not None and (len(model.outputs) > 1 if classes else len(model.outputs) == 1)
    return {
        "rules": "anchors" in known and ordinary and single,
        "counterfactuals": "counterfactual" in known and ordinary and single,
        "effects": "pdp" in known and ordinary,
        "influence": False,
        "verdict": False,
    }


def quick(subject: Subject) -> bool:
    """Whether compiled code answers for the model, so that panels may ask by themselves; others wait to be pressed."""
    return subject.model is not None and "trees" in subject.model.can


def _asker(subject: Subject, part: str) -> Any:
    if subject.ask is None or not offered(subject)[part]:
        msg = "This model cannot be asked for that."
        raise UnsupportedError(msg)
    return subject.ask


def flips(subject: Subject, row: Array, args: Mapping[str, Any], turn: Turn) -> Answer:
    """At most three rows near one encoded row (1, columns) of which the model says otherwise, each by other facts, nearest first.

    ``args`` may hold ``locks`` (column position -> one of LOCKS; protected columns are held unless it says otherwise), ``likely``
    and, for a regression, ``line``: the value that is to be crossed. A quick search is followed by a patient one where time cut it
    short.

    Raises:
        InputError: If a lock is not understood.
        UnsupportedError: If the model cannot be asked, or not about this row.
    """
    ask = _asker(subject, "counterfactuals")
    asked = {
        "method": "counterfactual",
        "target": _across(subject, row, args.get("line")),
        "params": {"plausible": bool(args.get("likely", False)), **constraints(subject.shown.schema.columns, args.get("locks"))},
    }
    last = Answer(None)
    for seconds in (QUICK_SECONDS, PATIENT_SECONDS, None if quick(subject) else LAST_SECONDS):
        search = _Search(seconds)
        search.run(partial(ask, subject.rows(row)), asked, turn)
        if turn.cancelled:
            break
        if search.status != "ok":
            if not search.cut_short or seconds == LAST_SECONDS:
                raise UnsupportedError(search.status)
            continue  # compiling its code may have taken the whole of a first search's time
        settled = seconds != QUICK_SECONDS or not search.cut_short or _enough(subject, search.found)
        said = {"found": [flip(subject, case) for case in search.found], "note": in_page(search.note), "against": search.against}
        last = Answer({**said, "settled": settled})
        if settled:
            break
        turn.progress(last)
    return last


@dataclass(eq=False)
class _Search:
    """One counterfactual after the other, each without the facts that those before it change."""

    seconds: float | None
    found: list[Counterfactual] = field(default_factory=list)
    note: str = ""
    against: str = ""
    status: str = "ok"
    cut_short: bool = False

    def run(self, ask: Any, asked: dict[str, Any], turn: Turn) -> None:
        """Search until there are enough, or no more."""
        held = list(asked["params"]["immutable"])
        budget = None if self.seconds is None else f"{round(1000 * self.seconds)}ms"
        while len(self.found) < MOST_FLIPS and not turn.cancelled:
            answer: Counterfactuals = ask(**{**asked, "params": {**asked["params"], "immutable": held}, "budget": budget})
            self.against = answer.background_note
            self.cut_short |= self.seconds is not None and cut_short(answer, self.seconds)
            if answer.status[0] != "ok":
                self.status = "ok" if self.found else answer.status[0]
                return
            self.note = answer.notes[0]
            if not answer.cases[0]:
                return
            case = answer.cases[0][0]
            self.found.append(case)
            held = [*held, *(case.schema[j].name for j in case.changed)]
            if len(set(held)) >= len(case.schema):
                return  # nothing else is free to change


def cut_short(answer: Counterfactuals, seconds: float) -> bool:
    """Whether a longer search than this could find more."""
    return answer.provenance.seconds > UNSPENT * seconds or "time budget" in "".join(answer.notes)


def _enough(subject: Subject, found: list[Counterfactual]) -> bool:
    """Whether nothing is left to find or to prove; where nothing can be proven, whether anything was found."""
    return all(case.proven for case in found) and len(found) == MOST_FLIPS if quick(subject) else bool(found)


def read_locks(columns: Sequence[Column], given: Any) -> dict[str, str]:
    """Locks by column position, as a page holds them, from locks by position or by name.

    Raises:
        InputError: If a column or a lock is not known.
    """
    locks = {} if given is None else given
    if not isinstance(locks, Mapping):
        msg = f"locks must map columns, by name or position, to one of {', '.join(LOCKS)}."
        raise InputError(msg)
    known = {**{column.name: str(j) for j, column in enumerate(columns)}, **{str(j): str(j) for j in range(len(columns))}}
    found = {}
    for key, value in locks.items():
        if str(key) not in known or value not in LOCKS:
            near = nearest(str(key), [column.name for column in columns]) if str(key) not in known else nearest(str(value), LOCKS)
            msg = f"The lock {key!r}: {value!r} is not understood. {near}"
            raise InputError(msg)
        found[known[str(key)]] = str(value)
    return found


def state_reader(columns: Sequence[Column]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """How changes of the state that Python makes are read: locks by name become locks by position."""
    return lambda changes: {**changes, "locks": read_locks(columns, changes["locks"])} if "locks" in changes else changes


def constraints(columns: Sequence[Column], given: Any) -> dict[str, list[str]]:
    """Locks as parameters of the search; protected columns are held unless they say otherwise.

    Raises:
        InputError: If a column or a lock is not known.
    """
    said = {str(j): "held" if column.role == "protected" else "free" for j, column in enumerate(columns)}
    said.update(read_locks(columns, given))
    way = {j: lock for j, lock in said.items() if lock == "held" or has_order(columns[int(j)])}
    return {
        parameter: [columns[int(j)].name for j, lock in way.items() if lock == wanted]
        for parameter, wanted in (("immutable", "held"), ("increase_only", "rises"), ("decrease_only", "falls"))
    }


def has_order(column: Column) -> bool:
    """Whether a fact can rise and fall."""
    return column.kind != "categorical" or column.ordered


def _across(subject: Subject, row: Array, line: Any) -> tuple[float | None, float | None] | None:
    """For a regression the other side of the line; None for classes."""
    if subject.model is None or subject.model.task == "classification":
        return None
    if not isinstance(line, int | float) or not math.isfinite(line):
        msg = "A regression needs the value that is to be crossed: line=."
        raise InputError(msg)
    said = float(subject.predict(row)[0, subject.output])
    return (None, float(line)) if said > line else (float(line), None)


def flip(subject: Subject, case: Counterfactual) -> dict[str, Any]:
    """One counterfactual as a page reads it."""
    share, words = case.plausibility
    classes = len(case.prediction) > 1
    return {
        "changes": [[j, _plain(case.encoded[j])] for j in case.changed],
        "p": _plain(case.prediction[subject.output]),
        "said": int(np.argmax(case.prediction)) if classes else -1,
        "distance": case.distance,
        "proven": case.proven,
        "gap": _plain(case.gap),
        "plausible": [_plain(share), words],
    }


def rule(subject: Subject, row: Array, params: Mapping[str, Any] | None = None) -> Answer:
    """The rule behind what the model says of one encoded row (1, columns); ``params`` are those of "anchors".

    Raises:
        UnsupportedError: If the model cannot be asked, or not about this row.
    """
    ask = _asker(subject, "rules")
    answer: Rules = ask(subject.rows(row), method="anchors", budget=None if quick(subject) else RULE_TIME, params=dict(params or {}))
    if answer.status[0] != "ok":
        raise UnsupportedError(answer.status[0])
    return Answer({**rule_document(answer.rules[0]), "of": answer.background_note})


def rule_document(found: Rule) -> dict[str, Any]:
    """One rule as a page reads it."""
    low, high = found.precision_interval
    numbers = {"precision": found.precision, "low": low, "high": high, "coverage": found.coverage}
    return {
        "predicates": [{**p.to_json(), "text": p.text} for p in found.predicates],
        "output": found.output,
        **{name: _plain(v) for name, v in numbers.items()},
        "kind": found.precision_kind,
        "met": found.met,
        "reason": in_page(found.reason),
    }


def effect(subject: Subject, row: Array, column: Any) -> Answer:
    """One column's partial dependence over sampled rows with its standard errors, and the curve of one encoded row (1, columns).

    Raises:
        InputError: If there is no such column.
        UnsupportedError: If the model cannot be asked, or not about this row.
    """
    ask = _asker(subject, "effects")
    names = subject.shown.schema.names
    if isinstance(column, bool) or not isinstance(column, int) or not 0 <= column < len(names):
        msg = f"There is no column {column!r}; they are numbered from 0 to {len(names) - 1}."
        raise InputError(msg)
    key = names[column]
    fast = quick(subject)
    options = {"space": subject.space, "target": subject.target, "params": {"features": [key], "grid": POINTS if fast else SLOW_POINTS}}

    def at_large() -> Curves:
        ids = subject.sample_ids(SAMPLE_ROWS if fast else SLOW_SAMPLE_ROWS)
        found: Curves = ask(subject.rows(subject.shown.matrix[ids]), method="pdp", **options)
        return found

    large: Curves = subject.once.get(f"effect {column}", at_large)
    own: Curves = ask(subject.rows(row), method="ice", **options)
    if own.status[0] != "ok":
        raise UnsupportedError(own.status[0])
    points = large.points[key]
    same = np.array_equal(points, own.points[key])
    away = large.extrapolation.get(key)
    errors = large.std_errors.get(key)
    return Answer(
        {
            "column": column,
            "points": _list(points),
            "mean": _list(_shown(large, large.values[key], subject)),
            "errors": None if errors is None else _list(_shown(large, errors, subject)),
            "away": None if away is None else _list(away),
            "own": _list(_shown(own, own.values[key][0], subject)) if same else None,
            "rows": sum(status == "ok" for status in large.status),
            "space": large.space,
        }
    )


def _shown(curves: Curves, values: Array, subject: Subject) -> Array:
    """Of (points, outputs) the output that is shown."""
    name = subject.target
    at = curves.output_names.index(name) if name in curves.output_names else min(subject.output, len(curves.output_names) - 1)
    return values[:, at]


def _list(values: Array) -> list[float | None]:
    return [_plain(v) for v in values]


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
