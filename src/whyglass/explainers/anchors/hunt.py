"""The hunt for a rule: candidates tried on some draws, the best of them held to other draws, every look paid for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from whyglass.core.rules import Predicate
from whyglass.explainers.anchors.bounds import fewest, lower, shown, upper
from whyglass.explainers.anchors.candidates import Candidate, predicates, shelf, trimmed
from whyglass.explainers.anchors.draws import Look, Seen, ask_about, under
from whyglass.explainers.anchors.question import Goal, Question
from whyglass.explainers.anchors.world import Condition, World

Array = NDArray[np.float64]
Bits = NDArray[np.bool_]
MISSES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.42, 0.35, 0.28, 0.22, 0.16, 0.1, 0.06, 0.03)  # of the candidates, in those that are permitted
FIRST = (1, 4, 6, 8, 10, 12)  # those tried first
NEAR = (0.5, 0.6, 0.7, 0.8, 0.9)  # of the precision, for the best rule where none is near it
SECOND = (0.7, 0.55, 0.4, 0.2)  # misses of those tried then, now that it is known how far the table is off
TRIED = (32, 48)  # draws a candidate, in the first and the second trial
MOST_TRIED = 5  # candidates of the second trial
TRIAL_SHARE = 0.35  # of the draws that trials may use
BELIEF = 120.0  # draws that the table's word counts for
SPENT = (0.45, 0.25, 0.18, 0.12)  # of the permitted error, for the rules that are checked one after the other
LOOKS = ((0.2, 0.25), (0.5, 0.3), (1.0, 0.45))  # after which part of a check's draws it may end, and that look's part of its error
CHECK_SHARE = 0.8  # of the draws left that one check may use
LOWER_END = 0.8  # of the permitted error that the lower end of an interval gets: it is the one that a rule is held to
SMALL = 0.002  # coverage added to every candidate's, so that a rule for very few rows is still weighed by its chance
SURE = 3.0  # power of the chance to pass: a check that fails costs draws too
HOPE = 0.5  # standard errors that a check may lack, half way, of what it needs
UNLIKELY = 0.03  # chance below which no further check is begun
HELD_RULES = 4  # rules checked on held-out rows
_LEAST_TRY = 8


@dataclass(eq=False)
class Trial:
    """A candidate and what its trial draws said."""

    candidate: Candidate
    hits: int = 0
    draws: int = 0


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
        trials: Candidates that have or will get draws.
        checks: Rules that were held to draws of their own.
        ladder: Candidates for each of several shares of misses, fewer and fewer; those of largest coverage first.
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
    ladder: list[list[Candidate]] = field(default_factory=list)

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
    budget = {id(case): case.left for case in cases}
    _try(question, world, cases, budget, TRIED[0])
    _each(question, cases, lambda case: _second(question, case))
    _try(question, world, cases, budget, TRIED[1])
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
    allowed = 1.0 - question.precision
    case.ladder = laid.best([1.0 - miss * allowed for miss in MISSES], question.most)
    case.ladder = [[trimmed(world, candidate, laid.packed.good) for candidate in step] for step in case.ladder]
    base = case.base(world)
    if base >= question.precision:
        case.trials[()] = Trial(Candidate((), 1.0, base))
    if not case.trials and not any(case.ladder):  # nothing will pass, so that one rule is enough to say how near it comes
        near = [c for step in laid.best([part * question.precision for part in NEAR], question.most) for c in step]
        case.ladder = [near[-1:]]
    steps = range(len(case.ladder)) if question.kind == "observational" else FIRST
    for step in steps:
        for candidate in case.ladder[step][: 2 if question.kind == "observational" else 1] if step < len(case.ladder) else ():
            case.trials.setdefault(candidate.rule, Trial(candidate))
    if not case.trials:
        case.trials = {c.rule: Trial(c) for c in case.ladder[0][:1]}


def _second(question: Question, case: Case) -> None:
    """More candidates, chosen by how far the table was off in the first trial."""
    shift, allowed = _shift(case), 1.0 - question.precision
    shares = [1.0 - miss * allowed for miss in MISSES]
    for miss in SECOND:
        wanted = _moved(1.0 - miss * allowed, -shift)
        step = next((k for k, share in enumerate(shares) if share >= wanted), len(shares) - 1)
        for candidate in case.ladder[step] if step < len(case.ladder) else ():
            if sum(not trial.draws for trial in case.trials.values()) < MOST_TRIED:
                case.trials.setdefault(candidate.rule, Trial(candidate))


def _trial_draws(case: Case, budget: int, wanted: int) -> int:
    """Draws for each candidate that has none yet."""
    waiting = sum(not trial.draws for trial in case.trials.values())
    spent = budget - case.left
    room = int(TRIAL_SHARE * budget) - spent
    return min(wanted, room // waiting) if waiting else 0


def _try(question: Question, world: World, cases: Sequence[Case], budget: Mapping[int, int], wanted: int) -> None:
    """Try the candidates that have no draws yet."""
    looks, waiting = [], []
    for case in cases:
        count = 0 if case.late else _trial_draws(case, budget[id(case)], wanted)
        if count < _LEAST_TRY:
            continue
        for trial in case.trials.values():
            if not trial.draws:
                rule = predicates(trial.candidate.rule, world.data.schema)
                looks.append(Look(under(world, rule, count, case.rng), case.goal))
                waiting.append((case, trial))
                case.left -= count
    for (case, trial), seen in zip(waiting, ask_about(question.ask, question.game, looks), strict=True):
        trial.hits, trial.draws = seen.hits, seen.draws
        case.late = case.late or not seen.draws


def _moved(share: float, by: float) -> float:
    """A share moved on the scale of its logarithmic odds."""
    inner = min(max(share, 1e-4), 1.0 - 1e-4)
    return 1.0 / (1.0 + math.exp(-(math.log(inner / (1.0 - inner)) + by)))


def _shift(case: Case) -> float:
    """How far the table is off for this case, in logarithmic odds; little is believed of few draws."""
    tried = [t for t in case.trials.values() if t.draws]
    if not tried:
        return 0.0
    draws = sum(t.draws for t in tried)
    hits = sum(t.hits for t in tried)
    told = sum(t.draws * t.candidate.share for t in tried)
    odds = math.log((hits + 1.0) / (draws - hits + 1.0)) - math.log((told + 1.0) / (draws - told + 1.0))
    return odds * draws / (draws + 100.0)


def _most_promising(question: Question, case: Case, draws: int, error: float) -> Trial | None:
    """The candidate of largest expected coverage among those not checked yet; None where none is likely enough to pass.

    Args:
        question: The question.
        case: The case.
        draws: Draws that a check may use.
        error: Permitted probability that its last look misses.
    """
    shift, needed = _shift(case), passing(draws, LOWER_END * error, question.precision)
    best, most = None, 0.0
    for trial in case.trials.values():
        if any(check.trial is trial for check in case.checks):
            continue
        seen = BELIEF + trial.draws
        middle = (BELIEF * _moved(trial.candidate.share, shift) + trial.hits) / seen
        spread = math.sqrt(max(middle * (1.0 - middle), 1e-3) * (1.0 / seen + 1.0 / draws))
        chance = 0.5 * (1.0 + math.erf((middle - needed) / (spread * math.sqrt(2))))
        worth = (trial.candidate.coverage + SMALL) * chance**SURE
        if worth > most and (chance > UNLIKELY or not case.checks):
            best, most = trial, worth
    return best


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
    """Hold the most promising candidate of every case that has no rule yet to fresh draws."""
    running: list[tuple[Case, Check, int]] = []
    for case in cases:
        if case.late or found(case, question.precision) is not None:
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
    needed = passing(draws, LOWER_END * error * LOOKS[-1][1], question.precision)
    spread = math.sqrt(check.share * (1.0 - check.share) / check.draws)
    return check.share + HOPE * spread >= needed


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
