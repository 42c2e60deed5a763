"""Shapley values of any model by paired leverage-score sampling, with a standard error on each value."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask, least_evaluations
from whyglass.core.attribution import Attribution
from whyglass.explainers.shapley import designs
from whyglass.explainers.shapley.answers import Found, answer
from whyglass.explainers.shapley.games import RowError, coalition_answers
from whyglass.explainers.shapley.players import Play, each_row, set_up

Array = NDArray[np.float64]
_PILOT = 8  # pairs timed before a time budget is shared out


def explain(ask: Ask) -> Attribution:
    """Explain rows of any model within ``ask.budget``: never more evaluations a row than it says, no column and all columns included.

    The coalitions depend on the seed, the number of columns and the budget only, so a batch gives each row what it would
    get alone. Under a time budget the number of evaluations is chosen once, after timing a few, and kept in the
    provenance; rows that time does not reach say so in their status. Values add up to the prediction exactly. When the
    budget holds every coalition, the values are exact. Musco & Witter 2025.

    Raises:
        InputError: If the budget is smaller than about twice the number of columns.
    """
    players = len(ask.data.schema)
    play = set_up(ask)
    design = designs.make(players, _evaluations(play), ask.seed)

    def one(case: Array, gain: Array) -> tuple[Array, Array]:
        return design.values(_differences(play, case, design), gain)

    values, errors = each_row(play, one)
    found = Found(
        values=values,
        base=play.nothing,
        predictions=play.said,
        names=play.game.names,
        space=play.game.space,
        unknown=play.unknown,
        std_errors=None if design.complete else errors,
        status=play.status,
        params={"evaluations": design.evaluations},
    )
    return answer(ask, "shap.sampled", found)


def _differences(play: Play, case: Array, design: designs.Design) -> Array:
    """v(S) - v(not S) of every pair."""
    if not len(design.coalitions):
        return np.zeros((0, len(play.game.names)))
    both = np.concatenate([design.coalitions, ~design.coalitions])
    said = coalition_answers(play.ask, play.game, play.masker, case, both)
    return said[: len(design.coalitions)] - said[len(design.coalitions) :]


def _evaluations(play: Play) -> int:
    """The evaluations each row gets: the budget's, or as many as the time left allows, at least what a design needs."""
    ask, players = play.ask, play.masker.players
    most: int = min(ask.budget.evaluations, 2**players)
    if ask.budget.deadline is None or not len(play.rows):
        return most
    least = least_evaluations(players)
    trial = designs.make(players, max(least, min(2 * _PILOT, most)), ask.seed)
    start = time.monotonic()
    try:
        _differences(play, ask.data.matrix[play.rows[0]], trial)
    except RowError:
        return least
    one = (time.monotonic() - start) / trial.evaluations
    left = max(ask.budget.deadline - time.monotonic(), 0.0)
    return max(least, min(most, int(0.7 * left / (max(one, 1e-9) * len(play.rows)))))
