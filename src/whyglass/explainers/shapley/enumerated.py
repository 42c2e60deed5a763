"""Exact Shapley values of any model over few columns: it is asked about every coalition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask
from whyglass.core.attribution import Attribution
from whyglass.core.errors import UnsupportedError
from whyglass.explainers.shapley.answers import Found, answer
from whyglass.explainers.shapley.games import coalition_answers
from whyglass.explainers.shapley.players import each_row, set_up
from whyglass.kernels.enumerate_forest import coalition_weights

MOST_COLUMNS = 11
Array = NDArray[np.float64]


def explain(ask: Ask) -> Attribution:
    """Explain rows of any model exactly: 2^columns evaluations a row, each of as many model rows as the background has.

    Shapley 1953. Values are for the default background of 200 seeded training rows unless one is given.

    Raises:
        UnsupportedError: If there are more than 11 columns, or the budget does not hold 2^columns evaluations.
    """
    players = len(ask.data.schema)
    if players > MOST_COLUMNS:
        msg = f"There are {players} columns; every coalition is asked about up to {MOST_COLUMNS}. Ask for 'shap.sampled'."
        raise UnsupportedError(msg)
    if 2**players > ask.budget.evaluations:
        msg = f"{players} columns have {2**players} coalitions, the budget holds {ask.budget.evaluations}. Raise it, or ask 'shap.sampled'."
        raise UnsupportedError(msg)
    play = set_up(ask)
    coalitions = all_coalitions(players)
    inside, outside = coalition_weights(players)

    def one(case: Array, gain: Array) -> tuple[Array, Array]:
        table = np.zeros((2**players, len(gain)))
        table[-1] = gain
        if players > 1:
            table[1:-1] = coalition_answers(ask, play.game, play.masker, case, coalitions[1:-1]) - play.nothing
        values = coalitions.T.astype(np.float64) @ (inside[:, None] * table) - outside @ table
        return values, np.zeros_like(values)

    values, _ = each_row(play, one)
    found = Found(
        values,
        play.nothing,
        play.said,
        play.game.names,
        play.game.space,
        play.unknown,
        status=play.status,
        params={"evaluations": 2**players},
    )
    return answer(ask, "shap.enumerated", found)


def all_coalitions(players: int) -> NDArray[np.bool_]:
    """Every coalition, bool (2^players, players); bit j of the row's number says whether player j is in."""
    return np.asarray((np.arange(2**players)[:, None] >> np.arange(players)) & 1 == 1)
