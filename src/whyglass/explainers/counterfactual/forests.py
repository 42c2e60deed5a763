"""Counterfactuals of a tree ensemble: each row hunted over cells by compiled code, the user's model asked once for all rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from whyglass.core.model import Model
from whyglass.core.schema import write_number
from whyglass.explainers.counterfactual.fields import LONELIEST, Field, field_of
from whyglass.explainers.counterfactual.hunt import Hunt, aim_of
from whyglass.explainers.counterfactual.question import OUT_OF_TIME, Question
from whyglass.explainers.links import through
from whyglass.kernels import forest as sums

BOXES = 16  # boxes worked on for each evaluation of the budget; one takes 0.1 to 0.4 ms with 50 trees of depth 10
_TOGETHER = 512  # rows found before the model is asked about them
_REFUSALS = 24  # rows that the model may answer otherwise than its trees before a search is given up
_HOPEFUL = 512  # boxes after which a search of its own accord must have ruled out all that is nearer than 0.4 of what it knows
_SEARCH = 0.7  # the share of a time budget that goes into the search as long as nobody knows how long the model takes
COMPANY = "of the trees put it in one leaf with the same training row"  # what a share of trees means


def fits(model: Model) -> bool:
    """Whether the model's trees give its own outputs, one for one."""
    if "trees" not in model.can:
        return False
    forest = model.trees()
    lone = model.task == "classification" and forest.n_outputs == 1
    return forest.link == "sigmoid" and len(model.outputs) == 2 if lone else len(model.outputs) == forest.n_outputs


def by_trees(question: Question) -> None:
    """Answer a question about a model whose trees are known."""
    ask = question.ask
    forest = ask.model.trees()
    said = through(sums.predict(forest, ask.data.matrix), forest.link, len(ask.model.outputs))
    goals = question.open_rows(said)
    field = field_of(forest, question.grid, ask.data.schema, question.facts)
    if question.plausible:
        share = write_number(round(100 * field.least / max(1, len(field.steps.roots))))
        others = write_number(round(100 * (1 - LONELIEST)))
        question.living = f"plausible where {share} % {COMPANY}, as many as {others} % of the training rows share with another one"
    clock, rows = _Clock(question, len(goals)), list(goals)
    start, together = 0, _TOGETHER if ask.budget.deadline is None else ask.executor.workers
    while start < len(rows):
        part = slice(start, min(start + together, len(rows)))
        hunts = {row: Hunt(aim_of(field, goals[row]), question.facts, ask.data.matrix[row], question.plausible) for row in rows[part]}
        while hunts:
            clock.round(hunts)
            hunts = clock.timed(question, field, hunts)
        if ask.executor.progress is not None:
            ask.executor.progress(part.stop, len(rows))
        start, together = part.stop, min(2 * together, _TOGETHER)


class _Clock:
    """Shares the time left, or the boxes, out among the rows still to be searched for."""

    def __init__(self, question: Question, rows: int) -> None:
        self._question = question
        self._waiting = rows
        self._call = 0.02  # seconds that asking the model took
        self._start = 0.0  # seconds that the first answer of a row took, at most so far
        end, now = question.ask.budget.deadline, time.monotonic()
        self._deadline = end
        self._end = None if end is None else now + _SEARCH * (end - now)

    def timed(self, question: Question, field: Field, hunts: dict[int, Hunt]) -> dict[int, Hunt]:
        """Ask the model about the rows found, and keep as much time free as that took."""
        start = time.monotonic()
        open_ = _asked(question, field, hunts)
        self._call = max(self._call, time.monotonic() - start)
        if self._deadline is not None:
            self._end = self._deadline - 2 * self._call
        return open_

    def round(self, hunts: dict[int, Hunt]) -> None:
        """Search for each of some rows once."""
        executor = replace(self._question.ask.executor, progress=None)
        rows = list(hunts)

        def one(part: slice) -> None:
            for row in rows[part]:
                self._search(row, hunts[row])

        executor.map(one, executor.blocks(len(rows), 1))

    def _search(self, row: int, hunt: Hunt) -> None:
        question = self._question
        missing = question.count - len(question.found[row])
        if not question.found[row] and not hunt.dead:
            self._waiting -= 1
        begun = time.monotonic()
        if self._end is not None and begun + self._start >= self._end:
            hunt.give_up()
            return
        go_on = self._until(self._waiting // question.ask.executor.workers + 1)
        hunt.start(go_on)
        self._start = max(self._start, time.monotonic() - begun)
        budget = question.ask.budget
        boxes = (BOXES * budget.evaluations - hunt.worked) // missing
        hopeful = boxes if budget.given or budget.deadline is not None else _HOPEFUL
        hunt.prove(max(1, boxes), hopeful, go_on)

    def _until(self, waiting: int) -> Callable[[], bool]:
        if self._end is None:
            return lambda: True
        now = time.monotonic()
        end = now + max(0.0, self._end - now) / waiting
        return lambda: time.monotonic() < end


def _asked(question: Question, field: Field, hunts: dict[int, Hunt]) -> dict[int, Hunt]:
    """Ask the model about every row found; the hunts that go on."""
    leads = {row: hunt.lead for row, hunt in hunts.items() if hunt.lead is not None}
    for row, hunt in hunts.items():
        if row not in leads:
            _note(question, row, hunt)
    if not leads:
        return {}
    if not question.ask.budget.left():
        for row in leads:
            _late(question, row)
        return {}
    said, _ = question.said_by_model(np.array([lead.row for lead in leads.values()]))
    shares = field.company(np.array([lead.row for lead in leads.values()]))
    open_ = {}
    for (row, lead), answer, share in zip(leads.items(), said, shares, strict=True):
        hunt = hunts[row]
        if hunt.aim.goal.met(answer[None, :])[0]:
            question.add(row, lead.row, answer, lead.bound, (float(share), COMPANY))
            hunt.exclude(lead)
            if len(question.found[row]) == question.count:
                continue
        else:
            hunt.refuse(lead)
            if len(hunt.dead) >= min(_REFUSALS, question.ask.budget.evaluations):
                question.notes[row] = "the model answers the rows found otherwise than its trees add up to"
                continue
        open_[row] = hunt
    return open_


def _late(question: Question, row: int) -> None:
    if question.found[row]:
        question.notes[row] = f"{len(question.found[row])} of {question.count} when the time budget ran out"
    else:
        question.status[row] = OUT_OF_TIME


def _note(question: Question, row: int, hunt: Hunt) -> None:
    """Why there is nothing, or nothing more."""
    have = len(question.found[row])
    if hunt.late:
        _late(question, row)
        return
    if hunt.proven_none:
        where = " where training rows are (plausible=False looks beyond them)" if question.plausible else ""
        none = f"none exists under these constraints{where}"
    else:
        none = "none found within the budget, and none ruled out"
    question.notes[row] = f"{have} of {question.count}: {none} that changes other facts" if have else none
