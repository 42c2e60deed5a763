"""Shapley values of any model from pairs of opposite coalitions, with a standard error on each value."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask, least_evaluations
from whyglass.core.attribution import Attribution
from whyglass.core.errors import InputError
from whyglass.explainers.shapley import designs
from whyglass.explainers.shapley.answers import Found, answer
from whyglass.explainers.shapley.estimate import MOST_SCALED, Estimate, estimate, prepare
from whyglass.explainers.shapley.players import Play, Rows, answers, each_block, set_up, timed

Array = NDArray[np.float64]
_PILOT = 8  # pairs timed before a time budget is shared out
_DEAR = 20_000  # model rows for one row explained; a cheap model answers about as many in the time that scales take
_FIRST = 128  # evaluations after which a row is first looked at when an error is asked for; then after twice as many


def explain(ask: Ask) -> Attribution:
    """Explain rows of any model within ``ask.budget``: never more evaluations a row than it says, no column and all columns included.

    The coalitions depend on the seed, the number of players and the budget only, and every row's values on its own answers
    only, so a batch gives each row what it would get alone. ``params["tolerance"]`` is an asked standard error, in the units
    of the outputs: a row is done with as soon as none of its values has a larger one; ``fidelity["evaluations"]`` says after
    how many. Under a time budget the number of evaluations is chosen once, after timing a few, and kept in the provenance;
    rows that time does not reach say so in their status. Values add up to the prediction exactly. When the budget holds every
    coalition, the values are exact; where the answers are additive but for rounding, they are exact but for rounding, and
    ``fidelity["additive"]`` is 1. ``fidelity["agrees"]`` is 0 where the intervals of some value and of plain order-1
    regression are further apart than chance allows: then trust neither. ``params["groups"]`` makes columns play together.

    Where a row takes 20,000 model rows or more and at most 2,048 evaluations, it also gets a scale for each player, which brings
    values nearer by a fifth on networks and trees, and far nearer where few players share terms.

    Pairs and regression after Musco & Witter 2025; that only the odd part of a game matters, after OddSHAP (ICML 2026).

    Raises:
        InputError: If the budget is smaller than about twice the number of players, or ``tolerance`` is no positive number.
        UnsupportedError: If the model cannot answer in the space asked for.

    Cost: the model's, and up to about 4,000 evaluations one factorisation of as many pairs for each kind of game met.
    """
    tolerance = _tolerance(ask)
    play = set_up(ask)
    play, most = _evaluations(play)
    design = designs.make(play.who.count, most, ask.seed)
    shape = (len(ask.data), play.who.count, len(play.game.names))
    kept = _Kept(np.full(shape, np.nan), np.full(shape, np.nan), *np.full((3, shape[0]), np.nan))
    stages = _stages(play, design, tolerance)
    each_block(play, stages[0].evaluations, lambda rows: _block(play, rows, stages, tolerance, kept))
    found = Found(
        values=kept.values,
        base=play.nothing,
        predictions=play.said,
        names=play.game.names,
        space=play.game.space,
        unknown=play.unknown,
        std_errors=None if design.complete and tolerance is None else kept.errors,
        status=play.status,
        params={"evaluations": design.evaluations, "kernel": _kernel(play, design)},
        fidelity={"evaluations": kept.evaluations, "additive": kept.additive, "agrees": kept.agrees},
        groups=play.who.groups,
    )
    return answer(ask, "shap.sampled", found)


@dataclass(frozen=True, eq=False)
class _Kept:
    """Answers of all rows: values and errors (rows, players, outputs), the rest (rows,)."""

    values: Array
    errors: Array
    evaluations: Array
    additive: Array
    agrees: Array

    def take(self, play: Play, rows: Rows, design: designs.Design, found: Estimate) -> NDArray[np.bool_]:
        """Keep an estimate of some rows, whose games stand row by row; returns the rows that are exact but for rounding."""
        shape = (play.who.count, len(rows), len(play.kept))
        at = np.ix_(rows, np.arange(play.who.count), play.kept)
        self.values[at] = found.values.reshape(shape).transpose(1, 0, 2)
        self.errors[at] = found.errors.reshape(shape).transpose(1, 0, 2)
        additive = np.asarray(found.additive.reshape(shape[1:]).all(axis=1))
        self.evaluations[rows], self.additive[rows] = design.evaluations, additive
        self.agrees[rows] = found.agrees.reshape(shape[1:]).all(axis=1)
        return additive


def _block(play: Play, rows: Rows, stages: list[designs.Design], tolerance: float | None, kept: _Kept) -> None:
    """Explain some rows, going on with those whose errors are too large; one that fails on the way keeps what it has but says so."""
    seen = np.zeros((len(rows), 0, len(play.kept)))
    for design in stages:
        more = design.coalitions[seen.shape[1] :]
        said = answers(play, rows, np.concatenate([more, ~more]))[:, :, play.kept]
        seen = np.concatenate([seen, said[:, : len(more)] - said[:, len(more) :]], axis=1)
        good = np.array([int(row) not in play.status for row in rows], dtype=np.bool_)
        rows, seen = rows[good], seen[good]
        if not len(rows):
            return
        gain = (play.said[rows] - play.nothing[rows])[:, play.kept]
        games = seen.transpose(1, 0, 2).reshape(seen.shape[1], gain.size)
        exact = kept.take(play, rows, design, estimate(design, games, gain.reshape(-1), scaled=_scaled(play, design)))
        if tolerance is not None:
            worst = kept.errors[np.ix_(rows, np.arange(play.who.count), play.kept)].max(axis=(1, 2))
            open_rows = ~(exact | (worst <= tolerance))
            rows, seen = rows[open_rows], seen[open_rows]
            if not len(rows):
                return


def _kernel(play: Play, design: designs.Design) -> str:
    if design.complete:
        return "every coalition"
    return "odd-kernel process, players scaled" if _scaled(play, design) else "odd-kernel process"


def _scaled(play: Play, design: designs.Design) -> bool:
    """Whether a row's model calls cost so much that a scale for each player, for as much again, is worth it."""
    return design.evaluations * play.masker.repeats >= _DEAR and len(design.coalitions) <= MOST_SCALED


def _stages(play: Play, design: designs.Design, tolerance: float | None) -> list[designs.Design]:
    """The designs to go through: the whole one, or ever larger parts of it where an error is asked for."""
    if tolerance is None:
        return [design]
    sizes = [max(_FIRST, least_evaluations(play.who.count))]
    while 2 * sizes[-1] < design.evaluations:
        sizes.append(2 * sizes[-1])
    return [*(designs.make(play.who.count, size, play.ask.seed) for size in sizes if size < design.evaluations), design]


def _evaluations(play: Play) -> tuple[Play, int]:
    """The evaluations each row gets: the budget's, or as many as the time left allows, at least what a design needs."""
    ask, players = play.ask, play.who.count
    most: int = min(ask.budget.evaluations, 2**players)
    if ask.budget.deadline is None:
        return play, most
    least = least_evaluations(players)
    if not len(play.rows):
        return play, least
    trial = designs.make(players, max(least, min(2 * _PILOT, most)), ask.seed)
    play, one = timed(play, np.concatenate([trial.coalitions, ~trial.coalitions]))
    for _ in range(2):  # what the first time prepares takes some of the time left, and need not be prepared for the second
        left = max(ask.budget.deadline - time.monotonic(), 0.0)
        most = max(least, min(most, int(0.7 * left / (one * len(play.rows)))))
        prepare(designs.make(players, most, ask.seed))
    return play, most


def _tolerance(ask: Ask) -> float | None:
    given: Any = ask.params.get("tolerance")
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float | np.number) or not 0 < given < np.inf:
        msg = f"tolerance={given!r} is not a standard error above 0, in the units of the outputs."
        raise InputError(msg)
    return float(given)
