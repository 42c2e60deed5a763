"""What enumerated and sampled values have in common: the rows gone through, and those that could not be explained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask
from whyglass.explainers.maskers.tabular import Columns
from whyglass.explainers.shapley.answers import OUT_OF_TIME, spread, unknown_rows, usable
from whyglass.explainers.shapley.games import Game, RowError, average_answer, game_of, predictions

Array = NDArray[np.float64]
Explained = tuple[Array, Array]
OneRow = Callable[[Array, Array], Explained]


@dataclass(frozen=True, eq=False)
class Play:
    """A game set up for one call.

    Attributes:
        ask: What was asked.
        game: The model as a game.
        masker: The background.
        unknown: The background in words.
        rows: Positions of the rows that can be asked about.
        said: float64 (rows, outputs), predictions of all rows, NaN where there is none.
        nothing: float64 (outputs,), the answer when no column is known.
        status: Rows that failed so far.
    """

    ask: Ask
    game: Game
    masker: Columns
    unknown: str
    rows: NDArray[np.intp]
    said: Array
    nothing: Array
    status: dict[int, str] = field(default_factory=dict)


def set_up(ask: Ask) -> Play:
    """Ask about the background and the rows themselves: one call each."""
    game = game_of(ask)
    background, unknown = unknown_rows(ask)
    masker = Columns(background)
    rows = usable(ask)
    nothing = average_answer(game, masker)
    said, failed = predictions(game, ask.data.matrix[rows])
    status = {int(rows[at]): reason for at, reason in failed.items()}
    good = np.array([row for row in rows if int(row) not in status], dtype=np.intp)
    return Play(ask, game, masker, unknown, good, spread(ask, rows, said), nothing, status)


def each_row(play: Play, one: OneRow) -> tuple[Array, Array]:
    """Explain the rows one by one; on threads when the compiled form answers, since the user's model may not bear them.

    Args:
        play: The game.
        one: (case, its gain over knowing nothing) -> (values, std_errors), each float64 (features, outputs).

    Returns:
        Values and errors of all rows, NaN where ``play.status`` says why.
    """
    ask = play.ask
    shape = (len(ask.data), play.masker.players, len(play.game.names))
    values, errors = np.full(shape, np.nan), np.full(shape, np.nan)

    def block(part: slice) -> None:
        for row in play.rows[part]:
            if not ask.budget.left():
                play.status[int(row)] = OUT_OF_TIME
                continue
            try:
                values[row], errors[row] = one(ask.data.matrix[row], play.said[row] - play.nothing)
            except RowError as error:
                play.status[int(row)] = str(error)

    executor = ask.executor if play.game.compiled else replace(ask.executor, threads=1)
    executor.map(block, executor.blocks(len(play.rows), 1))
    return values, errors
