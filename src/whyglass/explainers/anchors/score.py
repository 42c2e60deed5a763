"""How well a rule of the user's own holds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from whyglass.core.ask import DEFAULT_EVALUATIONS
from whyglass.core.errors import InputError
from whyglass.core.rules import Rule
from whyglass.explainers.anchors.bounds import fewest
from whyglass.explainers.anchors.draws import inside, under
from whyglass.explainers.anchors.hunt import LOWER_END, Check
from whyglass.explainers.anchors.question import Goal, Question
from whyglass.explainers.anchors.world import World
from whyglass.explainers.pool import said_of


def score(question: Question, world: World, goals: Mapping[int, Goal]) -> dict[int, Rule]:
    """Score the rule that was given for what the model says of each row: row -> rule.

    The same draws serve all rows, since the rule is the same; they follow from the rule and the seed. One look is taken, so the whole
    permitted error is that look's.

    Raises:
        InputError: If no training value satisfies one of its conditions.
    """
    given, ask = question.rule or (), question.ask
    for predicate in given:
        if question.kind == "interventional" and not len(inside(world, predicate)):
            msg = f"No training value of {predicate.feature} satisfies {predicate.text!r}, so there is nothing to draw rows from."
            raise InputError(msg)
    blank = Rule(given, "", 0.0, (0.0, 1.0), question.kind, 0.0, met=False, schema=world.data.schema)
    if question.kind == "interventional":
        most = min(ask.budget.evaluations, DEFAULT_EVALUATIONS) if ask.budget.deadline is not None else ask.budget.evaluations
        digest = hashlib.blake2b(repr([p.to_json() for p in given]).encode(), digest_size=16).digest()
        rng = np.random.default_rng([ask.seed, *np.frombuffer(digest, np.uint32).tolist()])
        said, problem, done = said_of(ask, question.game, under(world, given, most, rng))
        said = said[:done]
    else:
        said, problem = world.held_said[blank.mask_matrix(world.held)], world.problem
    coverage = float(blank.mask_matrix(world.data.matrix).mean())
    holds = blank.mask_matrix(ask.data.matrix)
    silent = int((~np.isfinite(said).all(axis=1)).sum())
    known: dict[Goal, Check] = {}
    made = {}
    for row, goal in goals.items():
        if goal not in known:
            known[goal] = Check(given, question.error, int(goal.met(said).sum()), len(said), silent)
        check = known[goal]
        met = check.met(question.precision)
        reason = "" if met else _why(question, check, problem)
        if not holds[row]:
            reason = f"{reason}{'; ' if reason else ''}the row itself does not satisfy it"
        made[row] = Rule(given, goal.name, check.share, check.interval, question.kind, coverage, met, reason, world.data.schema)
    return made


def _why(question: Question, check: Check, problem: str) -> str:
    what = "draws" if question.kind == "interventional" else "held-out rows"
    least = fewest(LOWER_END * check.error, question.precision)
    if check.draws < least:
        return f"{check.draws:,} {what} are too few: a precision of {question.precision:g} takes at least {least:,} to show"
    low, high = check.interval
    silent = f"; {check.silent:,} had no finite answer ({problem})" if check.silent else ""
    told = f"it holds in {check.hits:,} of {check.draws:,} {what}, so between {low:.3f} and {high:.3f}"
    return f"{told}; {question.precision:g} was asked{silent}"
