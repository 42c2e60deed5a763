"""Exact interventional Shapley values of a tree ensemble through its link: every coalition of the columns that the trees test."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask
from whyglass.core.attribution import Attribution
from whyglass.core.errors import InputError, UnsupportedError
from whyglass.core.forest import Forest
from whyglass.explainers.links import linked_space
from whyglass.explainers.shapley.answers import OUT_OF_TIME, Found, answer, output_names, unknown_rows, usable
from whyglass.explainers.shapley.games import NO_OUTCOME, recorded_classes
from whyglass.explainers.shapley.grouping import Grouping, grouping
from whyglass.kernels import enumerate_forest
from whyglass.kernels.enumerate_forest import Enumerated, Extra

Array = NDArray[np.float64]
_PILOT = 16  # background rows timed before a time budget is shared out


@dataclass(frozen=True, eq=False)
class Plan:
    """One call, made ready.

    Attributes:
        ask: What was asked.
        forest: The trees.
        link: From their sum to the space asked for.
        space: That space.
        who: The players.
        background: Rows that stand for "unknown", in seeded order.
        labels: Position of each row's recorded class; None unless the loss is asked for.
        interactions: Whether they are asked for.
    """

    ask: Ask
    forest: Forest
    link: str
    space: str
    who: Grouping
    background: Array
    labels: NDArray[np.intp] | None
    interactions: bool

    def one(self, row: int, first: int) -> Enumerated:
        """The answer for one row against so many background rows."""
        label = -1 if self.labels is None else int(self.labels[row])
        extra = Extra(label, self.interactions)
        x, players = self.ask.data.matrix[row], self.who.players
        return enumerate_forest.values(self.forest, x, self.background, self.link, first, players=players, extra=extra)

    @property
    def outputs(self) -> int:
        """How many outputs an answer of the kernel has."""
        return self.forest.n_outputs if self.labels is None else 1


def explain(ask: Ask) -> Attribution:
    """Explain rows against background rows, by every coalition of the players whose columns the trees test.

    ``space="log_loss"`` explains how wrong the model is about each row's recorded class, averaged over the background.
    ``params["first"]`` uses only so many background rows, drawn in seeded order, and gives standard errors for the answer
    over all of them; a time budget chooses that number. Interactions come from the same coalitions. The model is never
    called. Cost a row: background rows x (leaves met + players x 2^players).

    Raises:
        InputError: If ``first`` is not a positive number, or the loss is asked for and no row has a recorded outcome.
        UnsupportedError: If the trees test more than 14 players, or cannot give the space asked for.
    """
    forest, who = ask.model.trees(), grouping(ask)
    link, space = _link(ask, forest)
    tested = enumerate_forest.players_tested(forest, who.players)
    if len(tested) > enumerate_forest.MOST_COLUMNS:
        what = "groups and columns" if who.given else "columns"
        msg = f"The trees test {len(tested)} {what}; all their coalitions are enumerated up to {enumerate_forest.MOST_COLUMNS}."
        raise UnsupportedError(msg)
    background, unknown = unknown_rows(ask)
    background = background[np.random.default_rng(ask.seed).permutation(len(background))]
    labels = recorded_classes(ask) if space == "log_loss" else None
    plan = Plan(ask, forest, link, space, who, background, labels, bool(ask.params.get("interactions")))
    rows = usable(ask)
    first = first_rows(ask, len(background))
    if ask.budget.deadline is not None and len(rows):
        first = min(first, _affordable(plan, rows))
    found = _all_rows(plan, rows, first)
    if labels is None and link == "sigmoid" and forest.n_outputs == 1 and len(ask.model.outputs) == 2:
        found = _both_classes(found)
    names = ("log loss",) if labels is not None else output_names(ask.model, found.values.shape[2])
    said = {"first": first, "kernel": "enumeration"}
    return answer(
        ask,
        "shap.tree.enumerated",
        replace(found, names=names, space=space, unknown=unknown + used(first, len(background)), params=said, groups=who.groups),
    )


def used(first: int, whole: int) -> str:
    """How many background rows an answer made use of, where it is not all of them."""
    return f" ({first:,} of them used)" if first < whole else ""


def _link(ask: Ask, forest: Forest) -> tuple[str, str]:
    """The link to go through and the space it leads to."""
    linked = linked_space(forest.link, forest.space, ask.model.task)
    if ask.space in (None, forest.space):
        return "identity", forest.space
    if ask.space == linked:
        return forest.link, linked
    if ask.space == "log_loss" and (linked == "probability" or ask.model.task != "classification"):
        return forest.link, "log_loss"
    spaces = dict.fromkeys((forest.space, linked, "log_loss" if linked == "probability" else linked))
    msg = f"{ask.model.name} can be explained in {' or '.join(spaces)} space, not {ask.space!r}."
    raise UnsupportedError(msg)


def first_rows(ask: Ask, whole: int) -> int:
    """How many background rows to use, as asked.

    Raises:
        InputError: If ``first`` is not a positive number.
    """
    given: Any = ask.params.get("first")
    if given is None:
        return whole
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < 1:
        msg = f"first={given!r} is not a positive number of background rows."
        raise InputError(msg)
    return min(int(given), whole)


def _affordable(plan: Plan, rows: NDArray[np.intp]) -> int:
    """How many background rows each explained row can have within the time left."""
    ask, whole, start = plan.ask, len(plan.background), time.monotonic()
    plan.one(int(rows[0]), _PILOT)
    one = (time.monotonic() - start) / min(_PILOT, whole)
    left = max((ask.budget.deadline or start) - time.monotonic(), 0.0)
    share = 0.8 * left * min(ask.executor.workers, len(rows)) / (len(rows) * max(one, 1e-9))
    return max(2, min(whole, int(share)))


def _all_rows(plan: Plan, rows: NDArray[np.intp], first: int) -> Found:
    ask, players = plan.ask, plan.who.count
    shape = (len(ask.data), players, plan.outputs)
    values, errors = np.full(shape, np.nan), np.full(shape, np.nan)
    base, predictions = np.full((shape[0], shape[2]), np.nan), np.full((shape[0], shape[2]), np.nan)
    pairs = np.full((shape[0], players, players, shape[2]), np.nan) if plan.interactions else None
    status: dict[int, str] = {}

    def block(part: slice) -> None:
        for row in rows[part]:
            if plan.labels is not None and plan.labels[row] < 0:
                status[int(row)] = NO_OUTCOME
                continue
            if not ask.budget.left():
                status[int(row)] = OUT_OF_TIME
                continue
            one = plan.one(int(row), first)
            values[row], errors[row], base[row], predictions[row] = one.values, one.std_errors, one.base, one.prediction
            if pairs is not None:
                pairs[row] = one.interactions

    size = max(1, min(16, len(rows) // (4 * ask.executor.workers)))
    ask.executor.map(block, ask.executor.blocks(len(rows), size))
    exact = first >= len(plan.background)
    return Found(values, base, predictions, (), "", "", None if exact else errors, status, interactions=pairs)


def _both_classes(found: Found) -> Found:
    errors, pairs = found.std_errors, found.interactions
    return replace(
        found,
        values=np.concatenate([-found.values, found.values], axis=2),
        base=np.concatenate([1.0 - found.base, found.base], axis=1),
        predictions=np.concatenate([1.0 - found.predictions, found.predictions], axis=1),
        std_errors=None if errors is None else np.concatenate([errors, errors], axis=2),
        interactions=None if pairs is None else np.concatenate([-pairs, pairs], axis=3),
    )
