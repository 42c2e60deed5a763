"""What enumerated and sampled values have in common: who plays, the model asked about many rows at once, the rows that fail."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask
from whyglass.explainers.maskers.tabular import Columns
from whyglass.explainers.shapley.answers import OUT_OF_TIME, unknown_rows, usable
from whyglass.explainers.shapley.games import NO_OUTCOME, Game, average_answer, bad_answer, game_of, predictions, words
from whyglass.explainers.shapley.grouping import Grouping, grouping

Array = NDArray[np.float64]
Bits = NDArray[np.bool_]
Rows = NDArray[np.intp]
CELLS = 400_000  # numbers in one call of the model: from 300,000 on a row costs no less (networks, trees), and any memory holds them
_SHARE = 0.05  # of the time left that one call may take, since it cannot be interrupted
_BLOCK = 64  # rows explained together at most


@dataclass(frozen=True, eq=False)
class Play:
    """A game set up for one call.

    Attributes:
        ask: What was asked.
        game: The model as a game.
        who: The players.
        masker: The background.
        unknown: The background in words.
        rows: Positions of the rows that can be asked about.
        said: float64 (rows, outputs), predictions of all rows, NaN where there is none.
        nothing: float64 (rows, outputs), the answers when no column is known.
        status: Rows that failed so far.
        cells: Numbers in one call of the model.
    """

    ask: Ask
    game: Game
    who: Grouping
    masker: Columns
    unknown: str
    rows: Rows
    said: Array
    nothing: Array
    status: dict[int, str] = field(default_factory=dict)
    cells: int = field(default_factory=lambda: CELLS)

    @property
    def kept(self) -> Rows:
        """Positions of the outputs asked for."""
        asked, outputs = self.ask.outputs, len(self.game.names)
        return np.array(asked if asked and outputs == len(self.ask.model.outputs) else range(outputs), dtype=np.intp)

    @property
    def cost(self) -> int:
        """Numbers that one evaluation of one row takes."""
        return max(1, self.masker.background.size)


def set_up(ask: Ask) -> Play:
    """Ask about the background and the rows themselves: one call each."""
    game, who = game_of(ask), grouping(ask)
    background, unknown = unknown_rows(ask)
    masker = Columns(background, who.players if who.given else None)
    rows = usable(ask)
    status = {}
    if game.labels is not None:
        status = {int(row): NO_OUTCOME for row in rows if game.labels[row] < 0}
        rows = rows[game.labels[rows] >= 0]
    nothing = average_answer(game, masker, len(ask.data))
    said, failed = predictions(game, ask.data.matrix[rows], rows)
    status.update({int(rows[at]): reason for at, reason in failed.items()})
    good = np.array([row for row in rows if int(row) not in status], dtype=np.intp)
    whole = np.full((len(ask.data), len(game.names)), np.nan)
    whole[rows] = said
    return Play(ask, game, who, masker, unknown, good, whole, nothing, status)


def timed(play: Play, coalitions: Bits) -> tuple[Play, float]:
    """Ask about a few coalitions of the first row to find out what one evaluation takes.

    Returns:
        The game with calls short enough for the time left, and the seconds that an evaluation takes.
    """
    start = time.monotonic()
    answers(replace(play, status={}), play.rows[:1], coalitions)
    now = time.monotonic()
    one = max((now - start) / max(len(coalitions), 1), 1e-9)
    left = max((play.ask.budget.deadline or now) - now, 0.0)
    return replace(play, cells=min(CELLS, max(1, int(_SHARE * left / one)) * play.cost)), one


def answers(play: Play, rows: Rows, coalitions: Bits) -> Array:
    """What the model says about rows for every coalition: many rows in one call, or one row in as many calls as it takes.

    Rows that the model fails on, or that time does not reach, are entered in ``play.status``.

    Returns:
        float64 (rows, coalitions, outputs), averaged over the background; NaN for rows that failed.
    """
    out = np.full((len(rows), len(coalitions), len(play.game.names)), np.nan)
    if not len(coalitions):
        return out
    size = max(1, play.cells // play.cost)
    together = max(1, size // len(coalitions))
    asked = False
    for first in range(0, len(rows), together):
        part = slice(first, first + together)
        for start in range(0, len(coalitions), size):
            if asked and not play.ask.budget.left():
                play.status.update(dict.fromkeys(rows[first:].tolist(), OUT_OF_TIME))
                out[first:] = np.nan
                return out
            asked = True
            some = slice(start, start + size)
            out[part, some] = _call(play, rows[part], coalitions[some])
    return out


def _call(play: Play, rows: Rows, coalitions: Bits) -> Array:
    """One call of the model, in halves of the rows where it fails, so that only the bad ones are lost."""
    out = np.full((len(rows), len(coalitions), len(play.game.names)), np.nan)
    waiting = [slice(0, len(rows))]
    while waiting:
        part = waiting.pop()
        these = rows[part]
        try:
            said = play.game.predict(play.masker.fill(play.ask.data.matrix[these], coalitions))
        except Exception as error:  # noqa: BLE001  (a user's model may raise anything; it becomes the status of its row)
            if len(these) == 1:
                play.status.setdefault(int(these[0]), words(error))
            else:
                middle = part.start + len(these) // 2
                waiting += [slice(middle, part.stop), slice(part.start, middle)]
            continue
        said = said.reshape(len(these), len(coalitions), play.masker.repeats, -1)
        out[part] = play.game.average(said, these)
        for row in np.flatnonzero(~np.isfinite(said).all(axis=(1, 2, 3))).tolist():
            play.status.setdefault(int(these[row]), bad_answer(said[row]))
    return out


def each_block(play: Play, evaluations: int, one: Callable[[Rows], None]) -> None:
    """Go through the rows in blocks; on threads when the compiled form answers, since the user's model may not bear them.

    Args:
        play: The game.
        evaluations: How many each row gets: as many rows as one call of the model holds make a block.
        one: Positions of rows -> nothing; it keeps its own answers.
    """
    ask = play.ask
    size = min(_BLOCK, max(1, play.cells // (play.cost * max(evaluations, 1))))

    def block(part: slice) -> None:
        if ask.budget.left():
            one(play.rows[part])
        else:
            play.status.update(dict.fromkeys(play.rows[part].tolist(), OUT_OF_TIME))

    executor = ask.executor if play.game.compiled else replace(ask.executor, threads=1)
    executor.map(block, executor.blocks(len(play.rows), size))
