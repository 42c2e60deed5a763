"""Permutation importance: how much worse predictions get when a column, or a group of columns, says nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask
from whyglass.core.attribution import Attribution
from whyglass.core.errors import InputError, nearest
from whyglass.core.forest import Forest
from whyglass.core.outcomes import class_positions, missing
from whyglass.core.provenance import Provenance
from whyglass.core.schema import Dataset
from whyglass.explainers.effects.engine import Engine, set_up
from whyglass.explainers.shapley.grouping import Grouping, grouping

Array = NDArray[np.float64]
Loss = Callable[[Array, Array], Array]
_LEAST = 2  # rows, so that a value can be handed on
_ULPS = 16 * np.finfo(np.float64).eps  # by which an answer may be off that is added up in another order
SURE = 1e-15  # probabilities below count as this much, so that one certain mistake is not infinitely bad
REPEATS = 5
_COUNTS = ("is none", "is one")
_POINTS = 1 << 14  # values asked about in one walk down the trees


@dataclass(frozen=True)
class Metric:
    """A loss that is a mean over rows.

    Attributes:
        name: How it is called in the answer.
        task: What it is for.
        loss: (outcomes, float64 (..., outputs)) -> float64 (...); outcomes are class positions or values, one a row.
    """

    name: str
    task: str
    loss: Loss


def _own(y: Array, said: Array) -> Array:
    """The probability of each row's recorded class: (rows, ..., outputs) -> (rows, ...), laid out in memory as it came."""
    own = said[..., 0]
    for k in range(1, said.shape[-1]):
        own = np.where((y == k).reshape(-1, *[1] * (said.ndim - 2)), said[..., k], own)
    return own


def _beside(y: Array, said: Array) -> Array:
    return y.reshape(-1, *[1] * (said.ndim - 2))


def _brier(y: Array, p: Array) -> Array:
    """Squared distance from the recorded outcome, over all classes; of two classes, which err alike, over one."""
    return np.asarray(((p**2).sum(axis=-1) - 2 * _own(y, p) + 1) / (2 if p.shape[-1] == 2 else 1))


METRICS = {
    "log_loss": Metric("log loss", "classification", lambda y, p: -np.log(np.maximum(_own(y, p), SURE))),
    "brier": Metric("Brier score", "classification", _brier),
    "error": Metric("share wrong", "classification", lambda y, p: (p.argmax(axis=-1) != _beside(y, p)).astype(np.float64)),
    "squared_error": Metric("squared error", "regression", lambda y, p: (p[..., 0] - _beside(y, p)) ** 2),
    "absolute_error": Metric("absolute error", "regression", lambda y, p: np.abs(p[..., 0] - _beside(y, p))),
}


def explain(ask: Ask) -> Attribution:
    """One global row: for each column how much the loss rises when its values are handed to other rows, with standard errors.

    Breiman 2001; Fisher, Rudin & Dominici 2019. For single columns of tree ensembles the average over all permutations is worked
    out without drawing any: each row is asked about at every value that the trees can tell apart, weighted by how many rows have it.
    Groups of columns and other models are permuted ``repeats`` times. The error is that over the rows, as those whose outcome is
    predicted and as those whose values are handed on. A rise too small to be told from rounding is 0. Fewer than two rows say
    nothing: the status says so, and every number is NaN.

    ``metric``: "log_loss" (the default), "brier" (of two classes the mean squared error of one class's probability, of more the sum
    over the classes, as scikit-learn's ``brier_score_loss``) or "error" for classes; "squared_error" (the default) or
    "absolute_error" for numbers.

    Raises:
        InputError: If no outcome is recorded, or the metric, ``repeats`` or ``target`` does not fit.

    Cost: trees: rows x distinct thresholds; else ``repeats`` x columns model rows for each row.
    """
    engine, metric, players = _set_up(ask)
    y, rows = _outcomes(ask, engine, metric)
    repeats = _repeats(ask)
    matrix = ask.data.matrix[rows]
    said = engine.ask_rows(matrix)[:, None]
    now = metric.loss(y, said)[:, 0]
    good = np.isfinite(now)
    matrix, y, now, said = matrix[good], y[good], now[good], said[good]
    if len(now) < _LEAST:
        return _too_few(ask, metric, players, len(now))
    rounding = np.abs(metric.loss(y, said * (1 + _ULPS))[:, 0] - now).mean() + _ULPS * np.abs(now).mean()
    values, errors = np.zeros(players.count), np.full(players.count, np.nan)
    unanswered: dict[str, int] = {}
    alone = [columns[0] for _, columns in players.members if len(columns) == 1 and engine.forest is not None]
    worked_out = _every_permutation(engine, metric, matrix, (y, now), alone)
    for player, (_, columns) in enumerate(players.members):
        if len(columns) == 1 and columns[0] in worked_out:
            received, given = worked_out[columns[0]]
        else:
            received, given = _drawn(engine, metric, matrix, y, (list(columns), repeats, player))
        fine = np.isfinite(received) & np.isfinite(given)
        if not fine.all():
            unanswered[players.members[player][0]] = int((~fine).sum())
        values[player], errors[player] = _rise(received[fine], given[fine], now[fine]) if fine.any() else (np.nan, np.nan)
    values[np.abs(values) <= rounding], errors[errors <= rounding] = 0.0, 0.0
    exact = engine.forest is not None and not players.given
    params = {"rows": len(now), "permutations": "all" if exact else repeats, **({"rows_unanswered": unanswered} if unanswered else {})}
    note = f"values of the {len(now):,} rows" + (", all permutations" if exact else f", {repeats} permutations")
    return _answer(ask, metric, players, (values, errors, float(now.mean())), (params, note, "ok"))


def _answer(
    ask: Ask, metric: Metric, players: Grouping, numbers: tuple[Array, Array, float], words: tuple[dict[str, Any], str, str]
) -> Attribution:
    """One global row of values, errors and the loss; what else it takes to make it again, what stands for "unknown", the status."""
    (values, errors, loss), (params, note, status) = numbers, words
    return Attribution(
        values=values[None, :, None],
        base_values=np.full((1, 1), loss),
        predictions=np.full((1, 1), loss),
        dataset=Dataset(ask.data.schema, np.full((1, len(ask.data.schema)), np.nan), frame=ask.data.frame),
        output_names=(metric.name,),
        space="log_loss" if metric.name == "log loss" else "value",
        exact=False,
        additive=False,
        std_errors=errors[None, :, None],
        groups=players.groups,
        status=(status,),
        background_note=note,
        provenance=Provenance("permutation", params={"metric": metric.name, **params}, seed=ask.seed, model_hash=ask.model.model_hash),
    )


def _too_few(ask: Ask, metric: Metric, players: Grouping, rows: int) -> Attribution:
    """The answer where there is no other row whose values could be handed on."""
    status = f"at least two rows with an outcome that the model answers are needed to hand values on; there {_COUNTS[rows]}"
    blank = np.full(players.count, np.nan)
    return _answer(ask, metric, players, (blank, blank.copy(), np.nan), ({"rows": rows}, "", status))


def _rise(received: Array, given: Array, now: Array) -> tuple[float, float]:
    """How much the loss rises, and its standard error."""
    each = received + given - given.mean() - now
    return (received - now).mean(), each.std(ddof=1) / np.sqrt(len(each)) if len(each) > 1 else np.nan


def _set_up(ask: Ask) -> tuple[Engine, Metric, Grouping]:
    task = ask.model.task
    asked = ask.params.get("metric") or ("log_loss" if task == "classification" else "squared_error")
    known = [name for name, metric in METRICS.items() if metric.task == task]
    if asked not in known:
        msg = f"metric={asked!r} does not measure a {task}. {nearest(str(asked), known)}"
        raise InputError(msg)
    if ask.target is not None:
        msg = f"The loss speaks of all outputs at once: leave target={ask.target!r} out."
        raise InputError(msg)
    if ask.space not in (None, "probability", "value"):
        msg = f"The loss is one of predictions, not of {ask.space!r}: leave space= out."
        raise InputError(msg)
    return set_up(ask), METRICS[asked], grouping(ask)


def _outcomes(ask: Ask, engine: Engine, metric: Metric) -> tuple[Array, NDArray[np.intp]]:
    """Recorded outcomes as numbers, and the rows that have one."""
    if ask.data.y is None:
        msg = "Nothing says how wrong a prediction is: pass y=, the recorded outcomes of the rows."
        raise InputError(msg)
    if metric.task == "classification":
        y = class_positions(ask.data, ask.model.outputs)
    else:
        try:
            y = np.array([np.nan if missing(v) else float(v) for v in np.asarray(ask.data.y).reshape(-1).tolist()], dtype=np.float64)
        except (TypeError, ValueError) as error:
            msg = f"y holds what is no number, and the model predicts one: {error}."
            raise InputError(msg) from error
    rows = np.sort(engine.rows)
    rows = rows[np.isfinite(y[rows])]
    if not len(rows) and len(ask.data):
        msg = "No row has both a recorded outcome and values that the model can answer."
        raise InputError(msg)
    return y[rows], rows


def _repeats(ask: Ask) -> int:
    given = ask.params.get("repeats", REPEATS)
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < 1:
        msg = f"repeats={given!r} is not a whole number from 1 up."
        raise InputError(msg)
    return int(given)


def _every_permutation(
    engine: Engine, metric: Metric, matrix: Array, known: tuple[Array, Array], columns: list[int]
) -> dict[int, tuple[Array, Array]]:
    """For each column: mean loss of each row over all values of the column, and of each value over all rows.

    ``known`` are the outcomes and the losses of the rows as they are.
    """
    y, now = known
    apart = {column: _told_apart(engine, matrix[:, column], column) for column in columns}
    alike = [column for column, (points, _) in apart.items() if len(points) <= 1]
    found = {column: (now, np.full(len(now), now.mean() if len(now) else np.nan)) for column in alike}
    for together in _walks({column: len(points) for column, (points, _) in apart.items() if column not in found}):
        sums = _Sums(metric, y, [apart[column] for column in together])
        engine.along(matrix, {column: apart[column][0] for column in together}, sums.take)
        found.update(zip(together, sums.answers(), strict=True))
    return found


def _walks(points: dict[int, int]) -> list[list[int]]:
    """Columns for each walk down the trees: as many as have ``_POINTS`` points together, at least one."""
    walks: list[list[int]] = []
    room = 0
    for column, count in points.items():
        if not walks or count > room:
            walks.append([])
            room = _POINTS
        walks[-1].append(column)
        room -= count
    return walks


class _Sums:
    """Losses of every row at every value of some columns, summed over either as blocks of rows come in, from any thread."""

    def __init__(self, metric: Metric, y: Array, columns: list[tuple[Array, NDArray[np.intp]]]) -> None:
        self.metric, self.y, self.columns = metric, y, columns
        self.shares = [np.bincount(at, minlength=len(points)) / max(1, len(at)) for points, at in columns]
        self.received = np.zeros((len(columns), len(y)))
        self.parts: dict[int, list[Array]] = {}

    def take(self, part: slice, said: Array) -> None:
        """Take in what is predicted of a block: (rows, points of all columns, outputs)."""
        sums, at = [], 0
        for place, shares in enumerate(self.shares):
            losses = self.metric.loss(self.y[part], said[:, at : at + len(shares)])
            self.received[place, part] = losses @ shares
            sums.append(losses.sum(axis=0))
            at += len(shares)
        self.parts[part.start] = sums

    def answers(self) -> list[tuple[Array, Array]]:
        """(received, given) of each column, one number a row; blocks are added in row order."""
        found = []
        for place, (points, at) in enumerate(self.columns):
            whole = sum((self.parts[start][place] for start in sorted(self.parts)), np.zeros(len(points)))
            found.append((self.received[place], (whole / max(1, len(self.y)))[at]))
        return found


def _told_apart(engine: Engine, values: Array, column: int) -> tuple[Array, NDArray[np.intp]]:
    """One value for each set of values between which no tree tells, and the set of every row."""
    forest: Forest | None = engine.forest
    nodes = np.zeros(0, np.intp) if forest is None else np.flatnonzero(forest.feature == column)
    if forest is None or (forest.category_start[nodes] >= 0).any():
        keys = values
    else:
        keys = np.searchsorted(np.unique(forest.threshold[nodes]), values, side="left").astype(np.float64)
        keys[np.isnan(values)] = np.nan
    _, first, at = np.unique(keys, return_index=True, return_inverse=True, equal_nan=True)
    return values[first], at.reshape(-1)


def _drawn(engine: Engine, metric: Metric, matrix: Array, y: Array, how: tuple[list[int], int, int]) -> tuple[Array, Array]:
    """The same from some permutations: mean loss of each row over what it was given, and of each row over whom it gave to.

    NaN for a row that the model never answered with another's values, or whose values it never answered with.
    """
    columns, repeats, player = how
    received, given, answered, handed = np.zeros((4, len(matrix)))
    for repeat in range(repeats):
        order = np.random.default_rng([engine.ask.seed, player, repeat]).permutation(len(matrix))
        moved = matrix.copy()
        moved[:, columns] = matrix[order][:, columns]
        losses = metric.loss(y, engine.ask_rows(moved)[:, None])[:, 0]
        good = np.isfinite(losses)
        received[good] += losses[good]
        given[order[good]] += losses[good]
        answered += good
        handed[order] += good
    answered[answered == 0], handed[handed == 0] = np.nan, np.nan
    return received / answered, given / handed
