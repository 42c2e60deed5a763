"""Why there is no rule: the bin that mixes answers, the imbalance, the column that was left out, or the budget."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from whyglass.core.ask import DEFAULT_EVALUATIONS
from whyglass.core.rules import Predicate, Rule
from whyglass.core.schema import write_number
from whyglass.explainers.anchors.candidates import predicates, tightest
from whyglass.explainers.anchors.draws import Look, ask_about, under
from whyglass.explainers.anchors.hunt import SPENT, Case, Check, found, hunt, least_draws
from whyglass.explainers.anchors.question import Question
from whyglass.explainers.anchors.world import World

_WHOLE = 128  # draws for all columns in their bins
_EACH = 48  # draws for each column alone in its bin
_MIXED = 0.02  # share of answers that a bin must change to be named


def percent(share: float) -> str:
    """A share as people read it; never "0 %" of something, nor "100 %" of nearly all."""
    if 0 < share < 0.01:
        return "less than 1 %"
    return "more than 99 %" if 0.99 < share < 1 else f"{100 * share:.0f} %"


def reasons(question: Question, world: World, cases: Sequence[Case]) -> dict[int, str]:
    """Why each of these cases has no rule: row -> reason. The model is asked about all of them together."""
    said: dict[int, str] = {}
    open_cases = []
    for case in cases:
        plain = _plain(question, world, case)
        if plain:
            said[case.row] = plain
        else:
            open_cases.append(case)
    without = _left_out(question, world, open_cases)
    near = {case.row: _near(question, case) or _strange(world, case) for case in open_cases if case.row not in without}
    mixed, held = _mixed(question, world, [case for case in open_cases if case.row not in without and not near[case.row]])
    for case in open_cases:
        why = without.get(case.row) or near.get(case.row) or mixed.get(case.row) or _imbalance(question, world, case, held.get(case.row))
        said[case.row] = _best(question, case) + why
    return said


def _plain(question: Question, world: World, case: Case) -> str:
    """Reasons that need no further look."""
    model = question.ask.model
    if question.kind == "observational" and len(world.data) < 2:
        return f"rules are looked for in some {model.rows_are} and checked on others, and there is only one row"
    if not len(world.table) or not world.said.size:
        return "the time budget ran out before the model could be asked about training rows"
    if case.late:
        return "the time budget ran out before a rule could be checked"
    if world.problem and not case.good.any():
        return f"the model could not answer about training rows: {world.problem}"
    if not case.goal.met(world.said).any():
        return f"the model says {case.goal.name} for none of the {world.first:,} {model.rows_are} asked about"
    return _too_small(question, case)


def _too_small(question: Question, case: Case) -> str:
    """Whether the budget cannot show the precision whatever comes out."""
    least, budget = least_draws(question, question.error * SPENT[0]), _budget(question)
    if question.kind == "interventional" and not case.checks and case.left < least:
        return (
            f"a budget of {budget:,} draws is too small: a precision of {write_number(question.precision)} takes at least "
            f"{least:,} of them to show with confidence {write_number(question.confidence)}"
        )
    return ""


def _best(question: Question, case: Case) -> str:
    """What the best rule came to."""
    best = case.best
    if best is None or not best.draws:
        return ""
    low, high = best.interval
    silent = f", {best.silent} of them without a finite answer" if best.silent else ""
    told = "rule" if best.predicates else "attempt, without any condition,"
    looks = f"{best.draws:,} {'draws' if question.kind == 'interventional' else 'held-out rows'}{silent}"
    return f"the best {told} holds in {percent(best.share)} of {looks} ({low:.2f} to {high:.2f}, {question.precision:g} was asked); "


def _listed(names: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _strange(world: World, case: Case) -> str:
    """Columns that no condition can hold, because no training row has what the case has there."""
    none = []
    for j in case.columns:
        column, value = world.data.schema[j], float(case.x[j])
        if np.isnan(value) and not np.isnan(world.data.matrix[:, j]).any():
            none.append(f"{column.title}, which is missing here and in no training row")
        elif column.kind == "categorical" and not np.isnan(value) and not (world.ordered[j] == value).any():
            none.append(f"{column.title}, whose category here is in no training row")
    return f"no condition can hold {_listed(none)}" if none else ""


def _near(question: Question, case: Case) -> str:
    """Whether the best rule may well be good enough, and only could not be shown to be."""
    best = case.best
    if best is None or best.share < question.precision:
        return ""
    if question.kind == "observational":
        return "it may reach that, but so few rows do not tell; more training rows would, or draws (precision_kind='interventional')"
    return f"it may reach that, but so near to it {best.draws:,} draws do not tell; a larger budget might (budget={4 * _budget(question)})"


def _budget(question: Question) -> int:
    """Draws a row."""
    ask = question.ask
    return min(ask.budget.evaluations, DEFAULT_EVALUATIONS) if ask.budget.deadline is not None else ask.budget.evaluations


def _left_out(question: Question, world: World, cases: Sequence[Case]) -> dict[int, str]:
    """Whether a rule holds once it may speak of the columns that were left out, which are named."""
    if not question.left_out:
        return {}
    freed = [_freed(question, case) for case in cases]
    hunt(question, world, freed)
    out = {}
    for case, other in zip(cases, freed, strict=True):
        case.left = other.left
        check = found(other, question.precision)
        needed = [] if check is None else [p for p in check.predicates if p.at in question.left_out]
        if check is not None and needed:
            rule = Rule(check.predicates, case.goal.name, check.share, check.interval, question.kind, check.coverage, met=True)
            names = _listed([p.column.title for p in needed])
            out[case.row] = f"no rule holds without {names}, left out here; with it: {rule} ({percent(check.share)})"
    return out


def _freed(question: Question, case: Case) -> Case:
    every = tuple(range(question.columns))
    return Case(case.row, case.x, case.goal, case.good, case.rng, case.left, every, case.late)


def _mixed(question: Question, world: World, cases: Sequence[Case]) -> tuple[dict[int, str], dict[int, float]]:
    """Whether the case's own bins mix answers: all columns held to them, then one after the other moved within its bin.

    Returns:
        The bin to blame, or that several are, for the rows of which this is so; for the others how often the model says the same
        under all bins together.
    """
    looks: list[Look] = []
    asked: list[tuple[Case, list[Predicate]]] = []
    for case in cases:
        schema = world.data.schema
        bins = list(predicates(tightest(world, case.x, case.columns), schema))
        wide = [p for p in bins if p.column.kind != "categorical" and p.operator != "is missing"]
        if case.left < _WHOLE or not question.ask.budget.left():
            continue
        if case.left < _WHOLE + _EACH * len(wide):
            wide = []  # too many columns to look into each
        case.left -= _WHOLE + _EACH * len(wide)
        asked.append((case, wide))
        looks.append(Look(under(world, bins, _WHOLE, case.rng), case.goal))
        looks += [Look(under(world, [p], _EACH, case.rng, base=case.x), case.goal) for p in wide]
    seen = iter(ask_about(question.ask, question.game, looks))
    out, held = {}, {}
    for case, wide in asked:
        whole = next(seen)
        each = [(1.0 - s.hits / s.draws if s.draws else 0.0, p) for p, s in [(p, next(seen)) for p in wide]]
        if not whole.draws:
            continue
        if whole.hits / whole.draws >= question.precision:
            held[case.row] = whole.hits / whole.draws
            continue
        worst, widest = max(each, key=lambda pair: pair[0], default=(0.0, None))
        all_held = f"even with every allowed column held to the row's own bin or category the model says {case.goal.name} in only"
        share = f"{100 * whole.hits / whole.draws:.1f} %"
        if widest is not None and worst >= _MIXED:
            out[case.row] = (
                f"{all_held} {share} of draws: the bin {widest.text} mixes answers most (moved within it alone, {percent(worst)} change)"
            )
        elif question.left_out:
            names = ", ".join(world.data.schema[at].title for at in sorted(question.left_out))
            out[case.row] = f"{all_held} {share} of draws, so that what is left out ({names}) or several bins together decide"
        else:
            out[case.row] = f"{all_held} {share} of draws: the row lies where several bins together mix answers"
    return out, held


def _imbalance(question: Question, world: World, case: Case, held: float | None) -> str:
    """What is left to say: how rare the output is, or that a rule takes more columns than it may have.

    Args:
        question: The question.
        world: The rows.
        case: The case.
        held: How often the model says the same with every column held to its bin, where that is often enough.
    """
    base = case.base(world)
    rows = question.ask.model.rows_are
    few = "one condition is too little" if question.most == 1 else f"{question.most} conditions are too few"
    if base < 0.45:
        return (
            f"the model says {case.goal.name} for {percent(base)} of {rows} only, so that every column left free pulls away from it, "
            f"and {few} to hold it"
        )
    if held is not None and question.most < len(case.columns):
        own = f"with every allowed column held to the row's own bin or category the model says {case.goal.name}"
        return f"{own} in {percent(held)} of draws, but {few} to hold it"
    near = f"the row lies near the border, where {few}"
    return f"{near} (the model says {case.goal.name} for {percent(base)} of {rows})"


def blank(check: Check | None) -> Check:
    """The check to show where there is none."""
    return Check((), 0.5) if check is None else check
