"""Partial dependence and individual curves: a column moved along its grid, all else of every row as it is."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask
from whyglass.core.curves import Curves, Key
from whyglass.core.errors import InputError
from whyglass.core.provenance import Provenance
from whyglass.explainers.effects.engine import Engine, set_up
from whyglass.explainers.effects.extrapolation import shares
from whyglass.explainers.effects.grids import PAIR_POINTS, columns_of, known_rows, pairs_of, points_of
from whyglass.explainers.effects.moments import Moments

Array = NDArray[np.float64]
_MOST_BYTES = 2 << 30  # of individual curves


def explain(ask: Ask) -> Curves:
    """Average curves ("pdp") over the rows asked about, of columns and of pairs, with standard errors and Friedman's H statistic.

    Friedman 2001; Friedman & Popescu 2008. Trees are walked once for all points of all columns, and the answer is exact for the
    rows; other models are asked rows x points times, of at most 1,000 seeded rows.

    A point that the model answers for no row is NaN; a row that it does not answer at some other point is left out of that curve, which
    the printed curves and ``provenance.params["unanswered"]`` say. A row that it answers nowhere along a curve has that in its status.

    Raises:
        InputError: If a column, a pair or the grid is not understood.
        UnsupportedError: If the model cannot answer in the space asked for.

    Cost: for trees some predictions a row, and points x outputs: 3 for the 328 points of a census table's 11 columns, 20 for 6,000
    points of 60 columns (forest of 50 trees, depth 10; predictions of its own library); else points x rows model rows.
    """
    engine, known = set_up(ask), known_rows(ask)
    grids, pairs = _within_budget(engine, {j: points_of(ask, j, known) for j in columns_of(ask)}), pairs_of(ask)
    moments = Moments([len(points) for points in grids.values()])
    engine.curves(grids, lambda part, block: moments.add(part.start, block))
    found = _Found(engine)
    for (j, points), answer in zip(grids.items(), moments.merged(), strict=True):
        found.add(ask.data.schema.names[j], points, *(answer or (None, None)))
    for pair in pairs:
        _pair(engine, pair, found)
    extrapolation: dict[Key, Array] = {ask.data.schema.names[j]: s for j, s in shares(ask, engine.matrix, grids).items()}
    return found.curves("pdp", extrapolation, mean_of=len(engine.rows))


def individual(ask: Ask) -> Curves:
    """Each row's own curve ("ice").

    Goldstein et al. 2015. Cost as for ``explain``; memory rows x points x outputs x 8 bytes.

    Raises:
        InputError: If the curves would take more than 2 GiB, or an argument is not understood.
        UnsupportedError: If pairs are asked for, or the model cannot answer in the space asked for.
    """
    if ask.params.get("pairs"):
        msg = "Individual curves are of single columns; pairs are averaged: ask for method='pdp'."
        raise InputError(msg)
    engine, known = set_up(ask), known_rows(ask)
    grids = _within_budget(engine, {j: points_of(ask, j, known) for j in columns_of(ask)})
    cells, rows = sum(map(len, grids.values())), len(ask.data)
    size = 8 * cells * rows * engine.game.width
    if size > _MOST_BYTES:
        msg = f"{rows:,} rows x {cells:,} points take {size / 2**30:.1f} GiB of curves. Ask about fewer rows, features= or a smaller grid=."
        raise InputError(msg)
    whole = np.full((rows, cells, engine.game.width), np.nan)

    def keep(part: slice, block: Array) -> None:
        whole[engine.rows[part]] = block

    engine.curves(grids, keep)
    found, at = _Found(engine), 0
    for j, points in grids.items():
        found.add(ask.data.schema.names[j], points, whole[:, at : at + len(points)], None)
        at += len(points)
    return found.curves("ice", {})


@dataclass(eq=False)
class _Found:
    """Curves as they come."""

    engine: Engine
    points: dict[Key, Any] = field(default_factory=dict)
    values: dict[Key, Array] = field(default_factory=dict)
    errors: dict[Key, Array] = field(default_factory=dict)
    strength: dict[Key, Array] = field(default_factory=dict)

    def add(self, key: Key, points: Any, values: Array | None, errors: Array | None) -> None:
        """Take in one key's values; None where no row took part."""
        shape = tuple(len(p) for p in points) if isinstance(points, tuple) else (len(points),)
        blank = np.full((*shape, len(self.engine.game.names)), np.nan)
        self.points[key] = points
        self.values[key] = (blank if values is None else values)[..., self.engine.keep]
        if errors is not None:
            self.errors[key] = errors[..., self.engine.keep]

    def curves(self, kind: str, extrapolation: dict[Key, Array], mean_of: int | None = None) -> Curves:
        """The result."""
        ask, engine = self.engine.ask, self.engine
        said = {"rows": mean_of} if mean_of is not None else {}
        walked = "trees walked once" if engine.forest is not None else "model asked at every point"
        return Curves(
            kind=kind,
            keys=tuple(self.points),
            points=dict(self.points),
            values=self.values,
            std_errors=self.errors,
            strength=self.strength,
            extrapolation=extrapolation,
            output_names=engine.names,
            space=engine.game.space,
            dataset=ask.data,
            exact=engine.whole,
            status=engine.statuses,
            provenance=Provenance(kind, params={"kernel": walked, **said, **engine.notes}, seed=ask.seed, model_hash=ask.model.model_hash),
        )


def _within_budget(engine: Engine, grids: dict[int, Array]) -> dict[int, Array]:
    """Fewer points where each costs the user's model an evaluation and the budget a row does not hold them all."""
    cells, most = sum(map(len, grids.values())), engine.ask.budget.evaluations
    if engine.forest is not None or cells <= most:
        return grids
    each = most // max(1, len(grids))
    if each < 2:
        msg = f"A budget of {most} evaluations a row cannot draw {len(grids)} columns. Raise it, or name fewer features=."
        raise InputError(msg)
    return {j: p if len(p) <= each else p[np.unique(np.linspace(0, len(p) - 1, each).round().astype(int))] for j, p in grids.items()}


def _pair(engine: Engine, pair: tuple[int, int], found: _Found) -> None:
    """One pair's surface, and how much of it is interaction."""
    ask, names = engine.ask, engine.ask.data.schema.names
    grids = {j: points_of(ask, j, known_rows(ask), PAIR_POINTS) for j in pair}
    moments = Moments([len(grids[pair[0]])])
    engine.surfaces(grids, lambda part, block: moments.add(part.start, block))
    answer = moments.merged()[0]
    key = (names[pair[0]], names[pair[1]])
    found.add(key, tuple(grids.values()), *(answer or (None, None)))
    if answer is not None:
        weights = _weights(engine.matrix, grids)
        found.strength[key] = _interaction(found.values[key], weights)


def _weights(matrix: Array, grids: dict[int, Array]) -> Array:
    """Share of the rows nearest to each pair of points: float64 (points, points)."""
    places = []
    for j, points in grids.items():
        middle = (points[1:] + points[:-1]) / 2
        places.append(np.searchsorted(middle, np.nan_to_num(matrix[:, j], nan=math.inf), side="left").clip(0, len(points) - 1))
    known = ~np.isnan(matrix[:, list(grids)]).any(axis=1)
    counts = np.zeros(tuple(len(p) for p in grids.values()))
    np.add.at(counts, (places[0][known], places[1][known]), 1.0)
    return np.asarray(counts / max(1.0, counts.sum()))


def _interaction(surface: Array, weights: Array) -> Array:
    """Friedman's H: root of the share of the centred surface that the two columns' own curves leave unexplained, weighted by rows."""
    one, two = weights.sum(axis=1), weights.sum(axis=0)
    centred = surface - np.einsum("ab,abk->k", weights, surface)
    first = np.einsum("b,abk->ak", two, centred)
    second = np.einsum("a,abk->bk", one, centred)
    first, second = first - one @ first, second - two @ second
    left = np.einsum("ab,abk->k", weights, (centred - first[:, None] - second[None, :]) ** 2)
    whole = np.einsum("ab,abk->k", weights, centred**2)
    rounding = (1e-12 * np.abs(surface).max(axis=(0, 1), initial=0.0)) ** 2
    share = np.divide(left, whole, out=np.zeros_like(left), where=whole > rounding)
    return np.asarray(np.sqrt(np.where(np.isfinite(whole), share, np.nan)))
