"""Anchors of any model over a table: one rule a row, or how well a rule of the user's own holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import DEFAULT_EVALUATIONS, Ask
from whyglass.core.provenance import Provenance
from whyglass.core.rules import Rule, Rules
from whyglass.explainers.anchors.blame import blank, reasons
from whyglass.explainers.anchors.candidates import by_help
from whyglass.explainers.anchors.hunt import Case, Check, found, hunt
from whyglass.explainers.anchors.question import Goal, Question, read
from whyglass.explainers.anchors.score import score
from whyglass.explainers.anchors.world import World, world_of
from whyglass.explainers.pool import training_rows
from whyglass.explainers.shapley.answers import OUT_OF_TIME, problems, usable
from whyglass.explainers.shapley.games import predictions

Array = NDArray[np.float64]
_CELLS = 8_000_000  # numbers that the draws of the cases hunted together may take


def explain(ask: Ask) -> Rules:
    """Find for every row a rule that is true of it and under which the model keeps saying the same.

    Args:
        ask: The question. Its parameters: ``precision`` (0.95) that a rule must reach, ``confidence`` (0.95) of the interval,
            ``precision_kind``: "interventional" (columns inside the rule are redrawn, each on its own, from training values that
            satisfy it, all others together from one random training row) or "observational" (training rows that satisfy the rule,
            none of which had a part in finding it); ``max_predicates`` (5 columns), ``exclude`` ("protected", or names of columns
            that no rule may speak of), ``rule`` (see ``given.read_rule``; scored in place of a search), and for a regression
            ``band``: the rule keeps the prediction within so much of the row's own (half a standard deviation of the predictions
            of training rows when None); the ends are moved inwards, by less than a tenth of that, to numbers that can be read.

    Returns:
        One rule a row: the one of largest coverage found among those whose lower bound reaches the precision. Where there is none,
        ``met`` is False, ``reason`` says why, and the predicates are those of the best one found. A rule without conditions that is
        met says that the model says this whatever the facts.

    Raises:
        InputError: If a parameter cannot be used, or the model was wrapped without rows.
        UnsupportedError: If a space is asked for that the model does not answer in.

    Cost: 21,384 model rows once a model ("observational": up to 65,536), then at most ``budget`` draws a row, of all rows together in a
    few large calls; a search of at most 50,000 rules as bit sets.
    Paper: Ribeiro, Singh & Guestrin 2018, AAAI.
    """
    training_rows(ask.model)
    question = read(ask)
    rows = usable(ask)
    said, failed = predictions(question.game, ask.data.matrix[rows], rows)
    status = {**problems(ask), **{int(rows[at]): reason for at, reason in failed.items()}}
    world, known = world_of(ask, question.game, question.kind)
    width = question.width(world.said[: world.first])
    goals = {int(row): question.goal(said[at], width) for at, row in enumerate(rows) if int(row) not in status}
    own = {int(row): said[at] for at, row in enumerate(rows)}
    made = _search(question, world, goals, own, status) if question.rule is None else score(question, world, goals)
    empty = [Rule((), "", 0.0, (0.0, 1.0), question.kind, 0.0, met=False, reason=status.get(row, "")) for row in range(len(ask.data))]
    rules = tuple(replace(made.get(row, empty[row]), schema=ask.data.schema) for row in range(len(ask.data)))
    return Rules(
        rules=rules,
        dataset=ask.data,
        status=tuple(status.get(row, "ok") for row in range(len(ask.data))),
        provenance=Provenance("anchors", params=_told(question, world, width, known=known), seed=ask.seed),
        background_note=_note(question, world),
        model=ask.model,
    )


def _told(question: Question, world: World, width: float, *, known: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "precision": question.precision,
        "confidence": question.confidence,
        "precision_kind": question.kind,
        "max_predicates": question.most,
        "left_out": [world.data.schema[at].name for at in sorted(question.left_out)],
        "training": {
            "model_calls": world.calls[0],
            "model_rows": world.calls[1],
            "made": "in an earlier call" if known else "in this call",
        },
    }
    return {**told, "band": width} if question.ask.model.task != "classification" else told


def _note(question: Question, world: World) -> str:
    rows = f"{len(world.data):,} {question.ask.model.rows_are}"
    if question.kind == "observational":
        return f"precision over {len(world.held):,} of {rows} that had no part in finding the rule; coverage over all of them"
    return f"precision over draws: columns of the rule from values of {rows} that satisfy it, all others from one row; coverage over them"


def _search(question: Question, world: World, goals: dict[int, Goal], own: dict[int, Array], status: dict[int, str]) -> dict[int, Rule]:
    ask = question.ask
    draws = min(ask.budget.evaluations, DEFAULT_EVALUATIONS) if ask.budget.deadline is not None else ask.budget.evaluations
    columns = tuple(j for j in range(question.columns) if j not in question.left_out)
    good: dict[Goal, NDArray[np.bool_]] = {}
    made: dict[int, Rule] = {}
    rows = list(goals)
    size = max(1, min(256, _CELLS // (draws * max(1, question.columns))))
    for part in _parts(len(rows), size, growing=ask.budget.deadline is not None):
        ask.executor.check()
        cases = []
        for row in rows[part]:
            goal = goals[row]
            if not ask.budget.left():
                status[row] = OUT_OF_TIME
                continue
            if goal not in good:
                good[goal] = goal.met(world.said)
            x = ask.data.matrix[row]
            cases.append(Case(row, x, goal, good[goal], _stream(ask.seed, x), draws, columns))
            if goal.ranged:
                del good[goal]
        made.update(_rules(question, world, cases, own))
    return made


def _parts(rows: int, size: int, *, growing: bool) -> Iterator[slice]:
    """Blocks of rows; where time is short the first ones are small, so that what there is time for is finished."""
    start, count = 0, 2 if growing else size
    while start < rows:
        stop = min(rows, start + min(count, size))
        yield slice(start, stop)
        start, count = stop, min(count * 2, 32) if growing else size


def _stream(seed: int, x: Array) -> np.random.Generator:
    """Draws that follow from the row's own content and the seed, wherever the row stands."""
    digest = hashlib.blake2b(np.where(np.isnan(x), np.nan, x + 0.0).tobytes(), digest_size=16).digest()
    return np.random.default_rng([seed, *np.frombuffer(digest, np.uint32).tolist()])


def _rules(question: Question, world: World, cases: Sequence[Case], own: dict[int, Array]) -> dict[int, Rule]:
    """The rules of some cases, hunted together."""
    other = {case.row: _says_other(question, world, case.goal, own[case.row]) for case in cases}
    hunted = [case for case in cases if not other[case.row] and case.goal.met(world.said).any()]
    hunt(question, world, hunted)
    passed = {case.row: found(case, question.precision) for case in hunted}
    why = reasons(question, world, [case for case in cases if passed.get(case.row) is None and not other[case.row]])
    made = {}
    for case in cases:
        check = passed.get(case.row)
        reason = "" if check is not None else other[case.row] or why[case.row]
        made[case.row] = _rule(question, world, case, blank(check or case.best), met=check is not None, reason=reason)
    return made


def _says_other(question: Question, world: World, goal: Goal, said: Array) -> str:
    """Where another output was asked about than the one predicted."""
    if goal.met(said[None, :])[0]:
        return ""
    model = question.ask.model
    never = len(world.said) > 0 and not goal.met(world.said).any()
    also = f"; it says {goal.name} for none of the {world.first:,} {model.rows_are} asked about either" if never else ""
    return f"the model says {model.outputs[int(said.argmax())]} of this row, so no rule that is true of it is one for {goal.name}{also}"


def _rule(question: Question, world: World, case: Case, check: Check, *, met: bool, reason: str) -> Rule:
    rule = Rule(
        by_help(world, check.predicates, case.good),
        case.goal.name,
        check.share,
        check.interval,
        question.kind,
        0.0,
        met=met,
        reason=reason,
        schema=world.data.schema,
    )
    known = check.draws > 0 or len(check.predicates) > 0
    return replace(rule, coverage=float(rule.mask_matrix(world.data.matrix).mean()) if known else 0.0)
