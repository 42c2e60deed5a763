"""One call, read once: the target, the constraints, what was found so far; and how the answer is put together."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask
from whyglass.core.counterfactuals import Counterfactual, Counterfactuals
from whyglass.core.errors import InputError
from whyglass.core.provenance import Provenance
from whyglass.core.rescue import rescue
from whyglass.explainers.counterfactual.constraints import PARAMETERS, Facts, read_facts
from whyglass.explainers.counterfactual.grid import Grid, grid_of
from whyglass.explainers.counterfactual.targets import Goal, Target, read_target

Array = NDArray[np.float64]
OUT_OF_TIME = "the time budget ran out before this row"
NOTHING_FREE = "every column is held, so nothing can change"


@dataclass(eq=False)
class Question:
    """One call, read.

    Attributes:
        ask: What was asked.
        grid: The values seen in training.
        facts: The constraints.
        target: What was wanted.
        count: How many counterfactuals a row.
        plausible: Whether to keep to where training rows are.
        found: Per row its counterfactuals.
        notes: Row -> why there are fewer than asked for.
        status: Row -> why it could not be asked about.
        living: What counts as plausible, in words; empty where anything does.
    """

    ask: Ask
    grid: Grid
    facts: Facts
    target: Target
    count: int
    plausible: bool
    found: list[list[Counterfactual]]
    notes: dict[int, str] = field(default_factory=dict)
    status: dict[int, str] = field(default_factory=dict)
    living: str = ""

    def open_rows(self, said: Array) -> dict[int, Goal]:
        """The rows to search for, with their goals; the others get their note or status.

        Args:
            said: float64 (rows, outputs), predictions of the explained rows, NaN where there is none.
        """
        goals = {}
        for row in range(len(self.ask.data)):
            if row in self.status:
                continue
            if not np.isfinite(said[row]).all():
                self.status[row] = "the model does not answer this row with a number"
                continue
            goal = self.target.of(said[row])
            if goal.met(said[row : row + 1])[0]:
                self.notes[row] = f"the model says {self.target.name(goal)} already"
            elif not self.facts.free.any():
                self.notes[row] = NOTHING_FREE
            else:
                goals[row] = goal
        return goals

    def said_by_model(self, rows: Array) -> tuple[Array, dict[int, Exception]]:
        """What the user's own model says of encoded rows, in one call where it answers them all: NaN and why where it raises."""
        return rescue(self.ask.model.predict_matrix, rows, len(self.ask.model.outputs))

    def add(self, row: int, encoded: Array, said: Array, bound: float, plausibility: tuple[float, str]) -> None:
        """Keep a row that the model answered as wanted; no other one is nearer than ``bound``, but for those that earlier ones rule out.

        Where an earlier one turns out to lie farther away, it will stand behind this one and rules out nothing for it.
        """
        data = self.ask.data
        case = data.matrix[row]
        distance = float(self.grid.distance(case, encoded[None, :], self.facts.weights)[0])
        behind = [each.distance - each.gap for each in self.found[row] if each.distance > distance]
        gap = max(0.0, distance - min([bound, *behind]))
        proven = gap <= 1e-9
        numbers = (distance, said, True, proven, 0.0 if proven else gap)
        self.found[row].append(Counterfactual(encoded, case, *numbers, plausibility, data.schema, data.frame))


def read(ask: Ask) -> Question:
    """Read a call.

    Raises:
        InputError: If the target, a constraint or a parameter cannot be used.
    """
    params = ask.params
    count, plausible = params.get("k", 1), params.get("plausible", True)
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
        msg = f"k={count!r} is not a number of counterfactuals: 1, 2, ..."
        raise InputError(msg)
    if not isinstance(plausible, bool | np.bool_):
        msg = f"plausible={plausible!r} is neither True nor False."
        raise InputError(msg)
    target = read_target(ask.model, ask.target)
    facts = read_facts(ask.data.schema, params)
    status = {row: problem for row, problem in enumerate(ask.data.problems) if problem}
    return Question(ask, grid_of(ask.model), facts, target, int(count), bool(plausible), [[] for _ in range(len(ask.data))], {}, status)


def answer(question: Question, how: str) -> Counterfactuals:
    """The result of a call."""
    ask, grid = question.ask, question.grid
    rows = range(len(ask.data))
    defaults = {**PARAMETERS, "k": 1, "plausible": True}
    params = {**defaults, "search": how}
    note = f"values seen in {grid.seen:,} {ask.model.rows_are}; distance in their standard deviations, 1 for another category"
    note += f"; {question.living}" if question.living else ""
    return Counterfactuals(
        cases=tuple(tuple(sorted(found, key=lambda c: c.distance)) for found in question.found),
        target=question.target.words,
        notes=tuple(question.notes.get(row, "") for row in rows),
        dataset=ask.data,
        output_names=ask.model.outputs,
        constraints=question.facts.words,
        status=tuple(question.status.get(row, "ok") for row in rows),
        provenance=Provenance("counterfactual", params=params, seed=ask.seed, model_hash=ask.model.model_hash),
        background_note=note,
        model=ask.model,
    )
