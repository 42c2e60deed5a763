"""Fresh rows under a rule: columns inside it redrawn from training values that satisfy it, all others from one training row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask
from whyglass.core.rules import Predicate
from whyglass.explainers.anchors.question import Goal
from whyglass.explainers.anchors.world import World
from whyglass.explainers.pool import said_of
from whyglass.explainers.shapley.games import Game

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Look:
    """Rows to ask about for one rule of one case.

    Attributes:
        rows: float64 (draws, columns).
        goal: What the model is to say of them.
    """

    rows: Array
    goal: Goal


@dataclass(frozen=True)
class Seen:
    """What came of a look.

    Attributes:
        hits: Rows of which the model said it.
        draws: Rows asked about; 0 when time ran out before all of them were.
        silent: Rows without a finite answer; they count as misses.
    """

    hits: int
    draws: int
    silent: int = 0


def inside(world: World, predicate: Predicate) -> Array:
    """The training values of a column that satisfy a predicate, with the frequency that they have."""
    values = world.ordered[predicate.at]
    if predicate.column.kind != "categorical" and not predicate.missing:
        start = np.searchsorted(values, predicate.low, side="left" if predicate.low_closed else "right")
        stop = np.searchsorted(values, predicate.high, side="right" if predicate.high_closed else "left")
        return values[start:stop]
    codes = predicate.codes
    if codes and not predicate.missing and len(codes) == codes[-1] - codes[0] + 1:
        return values[np.searchsorted(values, codes[0]) : np.searchsorted(values, codes[-1], side="right")]
    every = world.data.matrix[:, predicate.at]
    return every[predicate.mask(every)]


def under(world: World, rule: Sequence[Predicate], count: int, rng: np.random.Generator, base: Array | None = None) -> Array:
    """Draw rows under a rule.

    Args:
        world: The training rows.
        rule: At most one predicate a column, each satisfied by some training value.
        count: How many rows.
        rng: Where the draws come from.
        base: float64 (columns,), a row that all other columns are taken from, in place of a training row a draw.

    Returns:
        float64 (count, columns).
    """
    matrix = world.data.matrix
    rows = matrix[rng.integers(0, len(matrix), count)] if base is None else np.repeat(base[None, :], count, axis=0)
    for predicate in rule:
        values = _values(world, predicate)
        rows[:, predicate.at] = values[rng.integers(0, len(values), count)]
    return rows


def _values(world: World, predicate: Predicate) -> Array:
    """What ``under`` draws a column from; a lone value, or missing, is not looked for among the training rows."""
    if predicate.missing and not predicate.codes and predicate.operator == "is missing":
        return np.array([np.nan])
    if len(predicate.codes) == 1 and not predicate.missing:
        return np.array([float(predicate.codes[0])])
    return inside(world, predicate)


def ask_about(ask: Ask, game: Game, looks: Sequence[Look]) -> list[Seen]:
    """Ask the model about the rows of all looks together."""
    if not looks:
        return []
    said, _, done = said_of(ask, game, np.concatenate([look.rows for look in looks]))
    found, at = [], 0
    for look in looks:
        part = said[at : at + len(look.rows)]
        at += len(look.rows)
        silent = int((~np.isfinite(part).all(axis=1)).sum())
        found.append(Seen(int(look.goal.met(part).sum()), len(part), silent) if at <= done else Seen(0, 0))
    return found
