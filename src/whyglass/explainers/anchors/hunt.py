"""The hunt for a rule: candidates tried on some draws, the best of them held to other draws, every look paid for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from whyglass.core.rules import Predicate
from whyglass.explainers.anchors.belief import Trial, chances
from whyglass.explainers.anchors.bounds import fewest, lower, shown, upper
from whyglass.explainers.anchors.candidates import Candidate, predicates, shelf, trimmed
from whyglass.explainers.anchors.draws import Look, Seen, ask_about, under
from whyglass.explainers.anchors.question import Goal, Question
from whyglass.explainers.anchors.world import Condition, World

Array = NDArray[np.float64]
Bits = NDArray[np.bool_]
MISSES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.42, 0.35, 0.28, 0.22, 0.16, 0.1, 0.06, 0.03)  # of the candidates, in those that are permitted
NEAR = (0.5, 0.6, 0.7, 0.8, 0.9)  # of the precision, for the best rule where none is near it
TRIED = (4, 64)  # candidates that are tried before the first check, and draws each
TRIAL_SHARE = 0.35  # of the draws that trials may use
SPENT = (0.45, 0.25, 0.18, 0.12)  # of the permitted error, for the rules that are checked one after the other
LOOKS = ((0.15, 0.03), (0.4, 0.12), (1.0, 0.85))  # after which part of a check's draws it may end, and that look's part of its error
CHECK_SHARE = 0.9  # of the draws left that one check may use
LOWER_END = 0.9  # of the permitted error that the lower end of an interval gets: it is the one that a rule is held to
SMALL = 0.002  # coverage added to every candidate's, so that a rule for very few rows is still weighed by its chance
SURE = 1.5  # power of the chance to pass: a check that fails costs draws too
HOPE = 0.5  # standard errors that a check may lack, on its way, of what it needs
UNLIKELY = 0.03  # chance below which no further check is begun
HELD_RULES = 4  # rules checked on held-out rows
_LEAST_TRY = 8
_NONE = 1e-12  # stands for no chance at all, so that one candidate is still tried to say how near it comes


@dataclass(eq=False)
class Check:
    """A rule held to draws that had no part in finding it.

    Attributes:
        predicates: The rule.
        hits: Draws of which the model said the same.
        draws: All of them.
        error: Permitted probability that the interval misses the truth, this look's share of it.
        silent: Draws without a finite answer.
        coverage: Share of the searched training rows.
        trial: The candidate that it holds to account.
    """

    predicates: tuple[Predicate, ...]
    error: float
    hits: int = 0
    draws: int = 0
    silent: int = 0
    coverage: float = 0.0
    trial: Trial | None = None

    def met(self, precision: float) -> bool:
        """Whether the lower bound reaches it."""
        return self.draws > 0 and shown(self.hits, self.draws, LOWER_END * self.error, precision)

    @property
    def share(self) -> float:
        """What came out."""
        return self.hits / self.draws if self.draws else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Bounds for the true share."""
        if not self.draws:
            return 0.0, 1.0
        high = upper(self.hits, self.draws, (1.0 - LOWER_END) * self.error)
        return lower(self.hits, self.draws, LOWER_END * self.error), high


@dataclass(eq=False)
class Case:
    """One row on its way to a rule; nothing in it depends on any other row.

    Attributes:
        row: Its position among the rows asked about.
        x: The row.
        goal: What the model says of it.
        good: bool (rows of the table,), rows of which the model says the same.
        rng: Its draws.
        left: Draws that it may still use.
        columns: The columns that its rule may speak of.
        late: Whether time ran out.
        trials: The candidates.
        checks: Rules that were held to draws of their own.
    """

    row: int
    x: Array
    goal: Goal
    good: Bits
    rng: np.random.Generator
    left: int
    columns: tuple[int, ...]
    late: bool = False
    trials: dict[tuple[Condition, ...], Trial] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)

    @property
    def best(self) -> Check | None:
        """The check that came out best."""
        return max(self.checks, key=lambda c: c.interval[0], default=None)

    def base(self, world: World) -> float:
        """Share of the searched training rows of which the model says the same."""
        return float(self.good[: world.first].mean()) if world.first else 0.0


def found(case: Case, precision: float) -> Check | None:
    """The check that was passed, the one with the largest coverage."""
    passed = [check for check in case.checks if check.met(precision)]
    return max(passed, key=lambda c: c.coverage, default=None)


def hunt(question: Question, world: World, cases: Sequence[Case]) -> None:
    """Look for a rule for every case; the model is asked about all of them together, a few times."""
    _each(question, cases, lambda case: _first(question, world, case))
    if question.kind == "observational":
        _each(question, cases, lambda case: _hold_to_rows(question, world, case))
        return
    _try(question, world, cases)
    for spent in SPENT:
        _check(question, world, cases, question.error * spent)


def _each(question: Question, cases: Sequence[Case], work: Callable[[Case], None]) -> None:
    """Work on every case, on threads, as long as time allows."""

    def block(part: slice) -> None:
        for case in cases[part]:
            case.late = case.late or not question.ask.budget.left()
            if not case.late:
                work(case)

    question.ask.executor.map(block, question.ask.executor.blocks(len(cases), 16))


def _first(question: Question, world: World, case: Case) -> None:
    """The candidates that the table gives, and the rule without conditions where the model mostly says the same anyway."""
    laid = shelf(world, case.x, case.good, case.columns)
    allowed, base = 1.0 - question.precision, case.base(world)
    if base >= question.precision:
        case.trials[()] = Trial(Candidate((), 1.0, base))
    found = {c.rule: c for step in laid.best([1.0 - miss * allowed for miss in MISSES], question.most) for c in step}
    for candidate in found.values():
        short = trimmed(world, candidate, laid.packed.good)
        case.trials.setdefault(short.rule, Trial(short))
    if not case.trials:  # nothing will pass, so that one rule is enough to say how near it comes
        near = [c for step in laid.best([part * question.precision for part in NEAR], question.most) for c in step][-1:]
        case.trials = {c.rule: Trial(trimmed(world, c, laid.packed.good)) for c in near}


def _try(question: Question, world: World, cases: Sequence[Case]) -> None:
    """Try the most promising candidates of every case on a few draws, which also tell how far the table is off."""
    looks, waiting = [], []
    for case in cases:
        error = question.error * SPENT[0]
        draws = int(CHECK_SHARE * case.left)
        every = list(case.trials.values())
        room = min(int(TRIAL_SHARE * case.left), case.left - 2 * least_draws(question, error))
        count = min(TRIED[1], room // max(1, min(TRIED[0], len(every))))
        if case.late or count < _LEAST_TRY or not every:
            continue
        worth = _worth(question, case, every, draws, error * LOOKS[-1][1])
        for at in np.argsort(-worth, kind="stable")[: TRIED[0]]:
            rule = predicates(every[at].candidate.rule, world.data.schema)
            looks.append(Look(under(world, rule, count, case.rng), case.goal))
            waiting.append((case, every[at]))
            case.left -= count
    for (case, trial), seen in zip(waiting, ask_about(question.ask, question.game, looks), strict=True):
        trial.hits, trial.draws = seen.hits, seen.draws
        case.late = case.late or not seen.draws


def _worth(question: Question, case: Case, trials: Sequence[Trial], draws: int, error: float) -> Array:
    """Coverage that a check of each candidate may be expected to add, its chance weighed up; 0 where it cannot or hardly will.

    Args:
        question: The question.
        case: The case.
        trials: Candidates.
        draws: Draws that a check may use.
        error: Permitted probability that its last look misses.
    """
    have = found(case, question.precision)
    covers = np.array([t.candidate.coverage for t in trials])
    chance = np.maximum(chances(trials, min(passing(draws, LOWER_END * error, question.precision), 1.0), draws), _NONE)
    worth = (covers - (have.coverage if have else 0.0) + SMALL) * chance**SURE
    hopeless = chance <= UNLIKELY if case.checks else np.zeros(len(trials), np.bool_)
    return np.where(hopeless | (covers <= (have.coverage if have else -1.0)), 0.0, worth)


def _most_promising(question: Question, case: Case, draws: int, error: float) -> Trial | None:
    """The candidate not checked yet whose check promises most; None where none is likely enough to pass. As for ``_worth``."""
    checked = {id(check.trial) for check in case.checks}
    every = list(case.trials.values())
    if not every:
        return None
    worth = np.where([id(trial) in checked for trial in every], 0.0, _worth(question, case, every, draws, error))
    best = int(np.argmax(worth))
    return every[best] if worth[best] > 0 else None


@lru_cache(maxsize=1024)
def passing(draws: int, error: float, precision: float) -> float:
    """The smallest share of hits that shows a precision; more than 1 where none does."""
    if draws < 1 or not shown(draws, draws, error, precision):
        return 1.1
    low, high = 0, draws
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if shown(middle, draws, error, precision) else (middle, high)
    return high / draws


def least_draws(question: Question, error: float) -> int:
    """How many draws a check takes at least that may miss with this probability."""
    return fewest(LOWER_END * error * LOOKS[-1][1], question.precision)


def _check(question: Question, world: World, cases: Sequence[Case], error: float) -> None:
    """Hold the most promising candidate of every case to fresh draws: one that covers more than the rule there is."""
    running: list[tuple[Case, Check, int]] = []
    for case in cases:
        if case.late:
            continue
        least = least_draws(question, error)
        draws = int(CHECK_SHARE * case.left) if CHECK_SHARE * case.left >= 2 * least else case.left
        trial = None if draws < least else _most_promising(question, case, draws, error * LOOKS[-1][1])
        if trial is not None:
            rule = predicates(trial.candidate.rule, world.data.schema)
            case.checks.append(Check(rule, error, coverage=trial.candidate.coverage, trial=trial))
            running.append((case, case.checks[-1], draws))
    for part, share in LOOKS:
        looks = []
        for case, check, draws in running:
            count = max(1, int(part * draws) - check.draws)
            looks.append(Look(under(world, check.predicates, count, case.rng), case.goal))
            case.left -= count
            check.error = error * share
        for (case, check, _), seen in zip(running, ask_about(question.ask, question.game, looks), strict=True):
            add(case, check, seen)
        running = [one for one in running if _may_still_pass(question, *one, error)]


def _may_still_pass(question: Question, case: Case, check: Check, draws: int, error: float) -> bool:
    """Whether a check is neither passed nor nearly hopeless."""
    if case.late or check.met(question.precision):
        return False
    rest = draws - check.draws
    needed = passing(draws, LOWER_END * error * LOOKS[-1][1], question.precision) * draws - check.hits
    spread = math.sqrt(check.share * (1.0 - check.share) / check.draws)
    return rest > 0 and needed <= rest * (check.share + HOPE * spread)


def add(case: Case, check: Check, seen: Seen) -> None:
    """Count a look; what it says of the candidate also says how far the table is off."""
    check.hits += seen.hits
    check.draws += seen.draws
    check.silent += seen.silent
    if check.trial is not None:
        check.trial.hits += seen.hits
        check.trial.draws += seen.draws
    case.late = case.late or not seen.draws


def _hold_to_rows(question: Question, world: World, case: Case) -> None:
    """Hold the candidates of largest expected coverage to training rows that had no part in the search."""
    right = case.goal.met(world.held_said)
    error, size = question.error / HELD_RULES, len(world.held)
    for _ in range(HELD_RULES):
        trial = _most_promising(question, case, max(1, size // 8), error)
        if trial is None:
            return
        satisfied = np.ones(size, np.bool_)
        for condition in trial.candidate.rule:
            satisfied &= condition.mask(world.held)
        rule = predicates(trial.candidate.rule, world.data.schema)
        case.checks.append(Check(rule, error, coverage=trial.candidate.coverage, trial=trial))
        silent = int((~np.isfinite(world.held_said[satisfied]).all(axis=1)).sum())
        seen = Seen(int((satisfied & right).sum()), int(satisfied.sum()), silent)
        if not seen.draws:
            continue
        add(case, case.checks[-1], seen)
        if case.checks[-1].met(question.precision):
            return
