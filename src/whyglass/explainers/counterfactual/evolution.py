"""Counterfactuals of any model: projections, single steps, greedy reverts and crossings, asked about in few large calls."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from whyglass.core.schema import write_number
from whyglass.explainers.counterfactual.density import LEAST, WORDS, Density, density_of
from whyglass.explainers.counterfactual.grid import choices
from whyglass.explainers.counterfactual.question import OUT_OF_TIME, Question
from whyglass.explainers.counterfactual.targets import Goal

Array = NDArray[np.float64]
Rounds = Generator[Array, Array, None]
_CALL = 20_000  # rows of one call; fewer where time is limited
_ROUND = 2_000  # rows of one round of one row at most
_WHOLE = 100_000  # allowed rows up to which all of them are asked about, if the budget reaches so far
_ELITE = 12  # rows that the next round starts from


def by_asking(question: Question) -> None:
    """Answer a question about a model of which nothing is known but its answers: every round of every row goes into one call."""
    ask = question.ask
    asker = _Asker(question)
    usable = np.array([row for row in range(len(ask.data)) if row not in question.status], np.intp)
    said = np.full((len(ask.data), len(ask.model.outputs)), np.nan)
    said[usable] = asker.ask(ask.data.matrix[usable])
    for row in usable[~asker.answered]:
        question.status[int(row)] = OUT_OF_TIME
    density = density_of(question.grid) if question.plausible else None
    if density is not None:
        question.living = f"plausible where {write_number(round(100 * LEAST))} % {WORDS}"
    seekers = {row: Seeker(question, row, goal, density) for row, goal in question.open_rows(said).items()}
    waiting = {row: (seeker, seeker.rounds()) for row, seeker in seekers.items()}
    wanted = {row: next(rounds, None) for row, (_, rounds) in waiting.items()}
    while open_ := {row: rows for row, rows in wanted.items() if rows is not None}:
        answers = asker.ask(np.concatenate(list(open_.values())))
        late, at, wanted = not asker.answered.all(), 0, {}
        for row, rows in open_.items():
            seeker, rounds = waiting[row]
            part = slice(at, at + len(rows))
            at = part.stop
            done = asker.answered[part]
            seeker.late = late
            seeker.learn(rows[done], answers[part][done])
            wanted[row] = None if late else _sent(rounds, answers[part])
    for row, seeker in seekers.items():
        seeker.close(row)


def _sent(rounds: Rounds, said: Array) -> Array | None:
    try:
        return rounds.send(said)
    except StopIteration:
        return None


class _Asker:
    """Asks the model in calls that fit the time left; what there was no time for stays unanswered."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._speed = math.inf  # rows a second
        self.answered = np.zeros(0, np.bool_)

    def ask(self, rows: Array) -> Array:
        """Answers of rows, NaN where the model raised or there was no time (``answered`` is False there)."""
        budget, model = self._question.ask.budget, self._question.ask.model
        out = np.full((len(rows), len(model.outputs)), np.nan)
        self.answered = np.zeros(len(rows), np.bool_)
        at = 0
        while at < len(rows) and budget.left():
            self._question.ask.executor.check()
            size = _CALL
            start = time.monotonic()
            if budget.deadline is not None:
                fitting = 0.8 * (budget.deadline - start) * self._speed
                size = 500 if math.isinf(fitting) else max(1, int(min(size, fitting)))
            part = slice(at, min(at + size, len(rows)))
            out[part], _ = self._question.said_by_model(rows[part])
            self.answered[part] = True
            at = part.stop
            self._speed = max(1.0, (part.stop - part.start) / max(1e-9, time.monotonic() - start))
        return out


@dataclass(eq=False)
class Seeker:
    """One row's search.

    Attributes:
        question: The call.
        at: The row's position.
        goal: What is wanted.
        density: Where training rows are; None when that does not matter.
        whole: Whether every row allowed was asked about.
        late: Whether time ran out.
    """

    question: Question
    at: int
    goal: Goal
    density: Density | None
    whole: bool = False
    late: bool = False
    _asked: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        ask = self.question.ask
        self.case = ask.data.matrix[self.at]
        self._choices = choices(self.question.grid, self.question.facts, self.case)
        self._left = ask.budget.evaluations - 1
        digest = hashlib.blake2b((self.case + 0.0).tobytes(), digest_size=8).digest()
        self._random = np.random.default_rng([ask.seed, int.from_bytes(digest, "little")])
        self._rows = np.zeros((0, len(self.case)))
        self._said = np.zeros((0, len(ask.model.outputs)))
        self._short = np.zeros(0)
        self._far = np.zeros(0)
        self._asked.add((self.case + 0.0).tobytes())

    def learn(self, rows: Array, said: Array) -> None:
        """Keep what the model said."""
        self._rows = np.concatenate([self._rows, rows])
        self._said = np.concatenate([self._said, said])
        self._short = np.concatenate([self._short, self.goal.lacking(said)])
        self._far = np.concatenate([self._far, self._distance(rows)])

    def _distance(self, rows: Array) -> Array:
        return self.question.grid.distance(self.case, rows, self.question.facts.weights)

    def rounds(self) -> Rounds:
        """Yields rows to ask about; what the model says of them comes back through ``learn`` before the next ones."""
        size = math.prod(len(c) for c in self._choices)
        if 0 < size <= min(self._left + 1, _WHOLE):
            self.whole = True
            yield from self._put(np.stack(np.meshgrid(*self._choices, indexing="ij"), axis=-1).reshape(size, -1), size)
            return
        if any(len(c) == 0 for c in self._choices):
            self.whole = True
            return
        share = max(1, min(self._left // 4, _ROUND))
        yield from self._put(self._projected(share), share)
        yield from self._put(self._singles(share), share)
        best, stale = math.inf, 0
        while self._left > 0 and stale < 4:
            room = max(1, min(self._left, max(64, share // 4)))
            yield from self._put(self._bred(4 * room), room)
            now = float(self._far[self._short == 0].min(initial=np.inf))
            stale = 0 if now < best - 1e-12 else stale + 1
            best = min(best, now)

    def _put(self, rows: Array, most: int) -> Rounds:
        """Ask about the first ``most`` of some rows that are allowed, plausible and not asked about yet."""
        rows = rows[self.question.facts.obeys(self.case, rows)] + 0.0
        fresh = []
        for place, key in enumerate(row.tobytes() for row in rows):
            if key not in self._asked:
                self._asked.add(key)
                fresh.append(place)
        rows = rows[fresh]
        if self.density is not None and len(rows):
            rows = rows[: 4 * most]
            rows = rows[self.density.share(rows) >= LEAST]
        rows = rows[: min(most, self._left)]
        if len(rows):
            self._left -= len(rows)
            yield rows

    def _projected(self, count: int) -> Array:
        """Training rows with what may not change put back, the nearest first and then some from all over."""
        rows = self.question.grid.rows.copy()
        for column, own in enumerate(self.case):
            allowed = self.question.facts.allows(column, float(own), rows[:, column])
            keep = self._choices[column]
            rows[~allowed, column] = keep[0] if len(keep) else own
        order = np.argsort(self._distance(rows), kind="stable")
        far = self._random.permutation(len(rows))[:count]
        return np.asarray(rows[np.concatenate([order[:count], far, order[count : 4 * count]])])

    def _singles(self, count: int) -> Array:
        """Rows that differ in one column: of each column as many values as fit, the nearest and then spread over all."""
        each = max(1, count // len(self.case))
        made = []
        for column, known in enumerate(self._choices):
            values = known
            if len(known) > each:
                spread = np.linspace(0, len(known) - 1, each - each // 2).astype(int)
                values = known[np.unique(np.concatenate([np.arange(each // 2), spread]))]
            rows = np.repeat(self.case[None, :], len(values), axis=0)
            rows[:, column] = values
            made.append(rows)
        return np.concatenate(made)

    def _bred(self, count: int) -> Array:
        """Reverts of the best rows, whole and half way, then crossings of them with each other and steps from them."""
        order = np.lexsort((self._far, self._short))[:_ELITE]
        elite = self._rows[order] if len(order) else self.case[None, :]
        made = []
        for row in elite:
            for column in np.flatnonzero(~((row == self.case) | (np.isnan(row) & np.isnan(self.case)))):
                values = self._choices[column]
                place = int(np.flatnonzero(values == row[column])[0]) if (values == row[column]).any() else len(values) - 1
                for nearer in sorted({0, place // 2, 3 * place // 4, place - 1} - {place, -1}):
                    made.append(row.copy())
                    made[-1][column] = values[nearer]
        bred = elite[self._random.integers(len(elite), size=count)]
        mates = elite[self._random.integers(len(elite), size=count)]
        bred = np.where(self._random.random(bred.shape) < 0.3, mates, bred)
        bred = np.where(self._random.random(bred.shape) < 0.15, self.case, bred)
        for at, values in enumerate(self._choices):
            moved = np.flatnonzero(self._random.random(count) < 1.0 / len(self.case))
            bred[moved, at] = values[(len(values) * self._random.random(len(moved)) ** 2).astype(int)]
        bred = bred[np.argsort(self._distance(bred), kind="stable")]
        return np.concatenate([np.array(made).reshape(-1, len(self.case)), self._random.permutation(bred)])

    def close(self, row: int) -> None:
        """Hand over the nearest rows that are as wanted, each changing other facts."""
        question = self.question
        fine = np.flatnonzero(self._short == 0)
        fine = fine[np.lexsort((*self._rows[fine].T, self._far[fine]))]
        bound = 0.0 if self.whole else self._least()
        met: list[frozenset[int]] = []
        for place in fine:
            found = self._rows[place]
            changed = frozenset(np.flatnonzero(~((found == self.case) | (np.isnan(found) & np.isnan(self.case)))).tolist())
            if any(changed >= other for other in met):
                continue
            met.append(changed)
            share = float((self.density or density_of(question.grid)).share(found[None, :])[0])
            nearest = float(self._far[place]) if self.whole and not self.late else bound
            question.add(row, found, self._said[place], nearest, (share, WORDS))
            if len(met) == question.count:
                return
        self._explain(row, len(met))

    def _least(self) -> float:
        """No row is nearer than the cheapest single step, or than the steps that constraints force."""
        forced, cheapest = 0.0, math.inf
        for column, values in enumerate(self._choices):
            rows = np.repeat(self.case[None, :], min(2, len(values)), axis=0)
            rows[:, column] = values[:2]
            far = self._distance(rows)
            forced += float(far.min(initial=math.inf))
            cheapest = min(cheapest, float(far[far > 0].min(initial=math.inf)))
        return max(forced, cheapest)

    def _explain(self, row: int, have: int) -> None:
        question, asked = self.question, len(self._rows)
        if self.late:
            if not have and not asked:
                question.status[row] = OUT_OF_TIME
                return
            none = "no more was found before the time budget ran out" if have else "none was found before the time budget ran out"
        elif self.whole:
            where = " where training rows are (plausible=False looks beyond them)" if question.plausible else ""
            none = f"none exists under these constraints{where}"
        elif not asked:
            none = "none found: the budget is too small to ask about any other row"
        else:
            none = f"none found in {asked:,} rows asked about; others may exist"
        question.notes[row] = f"{have} of {question.count}: {none} that changes other facts" if have else none
