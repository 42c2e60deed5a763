"""Exact Shapley values of any model over few columns: it is asked about every coalition."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask
from whyglass.core.attribution import Attribution
from whyglass.core.errors import UnsupportedError
from whyglass.explainers.shapley.answers import Found, answer
from whyglass.explainers.shapley.grouping import grouping
from whyglass.explainers.shapley.players import Rows, answers, each_block, set_up
from whyglass.kernels.enumerate_forest import coalition_weights

MOST_PLAYERS = 14
Array = NDArray[np.float64]


def explain(ask: Ask) -> Attribution:
    """Explain rows of any model exactly: 2^players evaluations a row, each of as many model rows as the background has.

    Shapley 1953. Values are for the default background of 200 seeded training rows unless one is given. Since every
    coalition is known, ``params["interactions"]`` costs no call more: the Shapley interaction index of every pair, half of it on
    each side, main effects on the diagonal (Grabisch & Roubens 1999; Lundberg et al. 2020). ``params["groups"]`` makes
    columns play together.

    Raises:
        UnsupportedError: If there are more than 14 players, or the budget does not hold 2^players evaluations.
    """
    players = grouping(ask).count
    if players > MOST_PLAYERS:
        msg = f"There are {players} players; every coalition is asked about up to {MOST_PLAYERS}. Ask for 'shap.sampled'."
        raise UnsupportedError(msg)
    if 2**players > ask.budget.evaluations:
        msg = f"{players} players have {2**players} coalitions, the budget holds {ask.budget.evaluations}. Raise it, or ask 'shap.sampled'."
        raise UnsupportedError(msg)
    play = set_up(ask)
    coalitions = all_coalitions(players)
    shape = (len(ask.data), players, len(play.game.names))
    values = np.full(shape, np.nan)
    pairs = np.full((shape[0], players, *shape[1:]), np.nan) if ask.params.get("interactions") else None

    def block(rows: Rows) -> None:
        table = np.zeros((len(rows), 2**players, shape[2]))
        table[:, -1] = play.said[rows] - play.nothing[rows]
        if players > 1:
            table[:, 1:-1] = answers(play, rows, coalitions[1:-1]) - play.nothing[rows][:, None]
        values[rows] = shapley(table)
        if pairs is not None:
            pairs[rows] = interactions(table, values[rows])

    each_block(play, 2**players, block)
    found = Found(
        values,
        play.nothing,
        play.said,
        play.game.names,
        play.game.space,
        play.unknown,
        status=play.status,
        params={"evaluations": 2**players, "kernel": "every coalition"},
        interactions=pairs,
        groups=play.who.groups,
    )
    return answer(ask, "shap.enumerated", found)


def all_coalitions(players: int) -> NDArray[np.bool_]:
    """Every coalition, bool (2^players, players); bit j of the row's number says whether player j is in."""
    return np.asarray((np.arange(2**players)[:, None] >> np.arange(players)) & 1 == 1)


def shapley(tables: Array) -> Array:
    """Shapley values, float64 (games, players, outputs), of whole games: float64 (games, 2^players, outputs)."""
    players = tables.shape[1].bit_length() - 1
    inside, outside = coalition_weights(players)
    members = all_coalitions(players).T.astype(np.float64)
    return np.stack([members @ (inside[:, None] * table) - outside @ table for table in tables]) if len(tables) else tables[:, :players]


def interactions(tables: Array, values: Array) -> Array:
    """Shapley interaction indices of order 2, float64 (games, players, players, outputs), as ``Attribution.interactions`` has them.

    Args:
        tables: float64 (games, 2^players, outputs), the answer about every coalition.
        values: float64 (games, players, outputs), the Shapley values: what a player's row adds up to.
    """
    players = values.shape[1]
    found = np.zeros((len(values), players, *values.shape[1:]))
    if players > 1:
        members = all_coalitions(players).astype(np.float64)
        size = members.sum(axis=1).astype(np.intp)
        weight = np.array([1 / ((players - 1) * math.comb(players - 2, s)) for s in range(players - 1)])
        both, none = np.concatenate([[0.0, 0.0], weight])[size], np.concatenate([weight, [0.0, 0.0]])[size]
        one = np.concatenate([[0.0], weight, [0.0]])[size]
        for game, output in np.ndindex(len(values), values.shape[2]):
            said = tables[game, :, output]
            alone = members.T @ (said * (one + none))
            together = members.T @ ((said * (both + 2 * one + none))[:, None] * members)
            found[game, :, :, output] = (said @ none - alone[:, None] - alone[None, :] + together) / 2
    diagonal = np.arange(players)
    found[:, diagonal, diagonal] = 0.0
    found[:, diagonal, diagonal] = values - found.sum(axis=2)
    return found
