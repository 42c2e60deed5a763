"""Accumulated local effects: local differences added up along a column, so that no row is moved out of its own neighbourhood."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask
from whyglass.core.curves import Curves, Key
from whyglass.core.provenance import Provenance
from whyglass.explainers.effects.engine import Engine, set_up
from whyglass.explainers.effects.grids import PAIR_POINTS, columns_of, known_rows, pairs_of, points_of
from whyglass.explainers.effects.order import by_likeness
from whyglass.explainers.effects.unanswered import Unanswered
from whyglass.explainers.shapley.answers import OUT_OF_TIME

Array = NDArray[np.float64]
Places = NDArray[np.intp]
_LEAST = 2  # rows of a step, for its error to be known
_ROWS = 200_000  # moved rows in one call
_ULPS = 4 * np.finfo(np.float64).eps  # by which one difference of answers may be off, as a share of the answers
_MOST_CATEGORIES = 100  # the most frequent ones of a column that has more


def explain(ask: Ask) -> Curves:
    """Curves of accumulated local effects, centred on zero over the rows, with standard errors; surfaces for pairs.

    Apley & Zhu 2020. Edges of a numeric column's bins are its quantiles; each row is asked about at the two edges of its own bin.
    Categories stand in the order of their likeness in the other columns (in their own where they have one), and each row is
    asked about at its neighbours there. A pair's surface is what the two columns do together beyond their own curves.

    The grid is that of the known rows, so few rows leave steps without any. Such a step is drawn flat (a pair's cell like the nearest
    measured one) and the curves are then not exact. The error of a point is NaN where no step beside it has two rows; elsewhere a
    step of fewer counts with the spread of the nearest that has two. Where no row is measured at all, everything is NaN.

    Raises:
        InputError: If a column, a pair or the grid is not understood.
        UnsupportedError: If the model cannot answer in the space asked for.

    Cost: for trees one walk beside each row's own path for all columns, a few predictions; else two model rows for each row and
    column. Four for each row and pair.
    """
    engine, known = set_up(ask), known_rows(ask)
    schema, pairs = ask.data.schema, pairs_of(ask)
    found = _Found(engine)
    found.curves([_axis(ask, j, points_of(ask, j, known), known) for j in columns_of(ask)])
    for a, b in pairs:
        both = tuple(_axis(ask, j, points_of(ask, j, known, PAIR_POINTS), known) for j in (a, b))
        found.surface((schema.names[a], schema.names[b]), both[0], both[1])
    return found.result()


@dataclass(frozen=True, eq=False)
class _Axis:
    """A column cut into steps.

    Attributes:
        column: Its position.
        points: float64 (points,), the ends of the steps: edges of bins, or categories in the order in which they are gone through.
        category: Whether the points are categories.
    """

    column: int
    points: Array
    category: bool

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return max(0, len(self.points) - 1)

    def moves(self, values: Array) -> Iterator[tuple[Places, Places]]:
        """(rows, the step of each) for every way in which rows take part: a number in its own bin, a category up and down."""
        if not self.steps:
            return
        if not self.category:
            rows = np.flatnonzero(np.isfinite(values))
            yield rows, np.searchsorted(self.points[1:-1], values[rows], side="left")
            return
        where = np.full(int(self.points.max()) + 1, -1, np.intp)
        where[self.points.astype(np.intp)] = np.arange(len(self.points))
        codes = np.where(np.isfinite(values) & (values >= 0) & (values < len(where)), values, -1).astype(np.intp)
        places = np.where(codes >= 0, where[codes], -1)
        up = np.flatnonzero((places >= 0) & (places < self.steps))
        yield up, places[up]
        down = np.flatnonzero(places > 0)
        yield down, places[down] - 1

    def ends(self, values: Array) -> Array:
        """The values at the ends of each row's steps, float64 (rows, 2): the one before and the one after; NaN where it takes none."""
        found = np.full((len(values), 2), np.nan)
        for up, (rows, step) in enumerate(self.moves(values)):
            if up == 0:
                found[rows, 1] = self.points[step + 1]
            if up == 1 or not self.category:
                found[rows, 0] = self.points[step]
        return found

    def weights(self, values: Array) -> Array:
        """Share of the rows at every point: a number counts half at each end of its bin."""
        counts = np.zeros(len(self.points))
        if self.category:
            for at, point in enumerate(self.points):
                counts[at] = (values == point).sum()
        else:
            for _, step in self.moves(values):
                inside = np.bincount(step, minlength=self.steps) / 2
                counts[:-1] += inside
                counts[1:] += inside
        return np.asarray(counts / max(1.0, counts.sum()))


def _axis(ask: Ask, column: int, points: Array, known: Array) -> _Axis:
    about = ask.data.schema[column]
    if about.kind != "categorical":
        return _Axis(column, points, category=False)
    seen = points[np.isin(points, known[:, column])]
    if len(seen) > _MOST_CATEGORIES:
        counts = (known[:, column][:, None] == seen).sum(axis=0)
        seen = np.sort(seen[np.argsort(-counts, kind="stable")[:_MOST_CATEGORIES]])
    return _Axis(column, seen if about.ordered else by_likeness(ask, column, seen, known), category=True)


@dataclass(eq=False)
class _Found:
    """Curves as they come."""

    engine: Engine
    points: dict[Key, object] = field(default_factory=dict)
    values: dict[Key, Array] = field(default_factory=dict)
    errors: dict[Key, Array] = field(default_factory=dict)
    measured: dict[Key, Array] = field(default_factory=dict)
    largest: float = 0.0

    def curves(self, axes: list[_Axis]) -> None:
        """Columns: the mean difference of each step, added up and centred; the error of that sum over the rows."""
        matrix, outputs = self.engine.matrix, len(self.engine.game.names)
        sums = [_Steps(axis.steps, outputs) for axis in axes]
        if self.engine.forest is not None:
            self._beside(axes, sums)
        else:
            for axis, found in zip(axes, sums, strict=True):
                lost = Unanswered(len(matrix))
                for there, step in axis.moves(matrix[:, axis.column]):
                    for part in self._blocks(there, 2):
                        found.add(part.start, step[part], self._change(there[part], [(axis, step[part])], lost))
                self.engine.note(self.engine.ask.data.schema.names[axis.column], lost)
        for axis, found in zip(axes, sums, strict=True):
            name = self.engine.ask.data.schema.names[axis.column]
            count, mean, error = found.merged()
            added = _adding(axis.weights(matrix[:, axis.column])) if axis.steps else np.zeros((len(axis.points), 0))
            values, errors = added @ mean, np.sqrt(added**2 @ error**2)
            values[np.abs(values) <= self._rounding(axis.steps)] = 0.0
            errors[errors <= self._rounding(axis.steps)] = 0.0
            if axis.steps:
                errors[_unsupported(count)] = np.nan
            if not (count.sum() if axis.steps else self._there(axis)):
                values[:], errors[:] = np.nan, np.nan
            self.points[name], self.measured[name] = axis.points, count
            self.values[name], self.errors[name] = self._kept(values), self._kept(errors)

    def _beside(self, axes: list[_Axis], sums: list[_Steps]) -> None:
        """The changes of all columns from one walk down the trees."""
        matrix = self.engine.matrix

        def take(part: slice, said: Array) -> None:
            rows = matrix[part]
            own = self.engine.ask_rows(rows) if any(axis.category for axis in axes) else said[:, 0, 0]
            self._seen(own)
            self._seen(said)
            for at, axis in enumerate(axes):
                for up, (there, step) in enumerate(axis.moves(rows[:, axis.column])):
                    after = said[there, at, 1] if up == 0 else own[there]
                    before = own[there] if axis.category and up == 0 else said[there, at, 0]
                    sums[at].add(part.start, step, after - before)

        def others(part: slice) -> Array:
            return np.stack([axis.ends(matrix[part, axis.column]) for axis in axes], axis=1)

        if axes:
            self.engine.beside([axis.column for axis in axes], others, take)

    def surface(self, key: tuple[str, str], first: _Axis, second: _Axis) -> None:
        """One pair: mean second difference of each cell, added up, less what each column does alone."""
        matrix, outputs = self.engine.matrix, len(self.engine.game.names)
        shape = (len(first.points), len(second.points))
        total, count = np.zeros((first.steps, second.steps, outputs)), np.zeros((first.steps, second.steps))
        lost = Unanswered(len(matrix))
        for rows, step in first.moves(matrix[:, first.column]):
            for inner, other in second.moves(matrix[rows, second.column]):
                for part in self._blocks(rows[inner], 4):
                    one, two = step[inner[part]], other[part]
                    change = self._change(rows[inner[part]], [(first, one), (second, two)], lost)
                    good = np.isfinite(change).all(axis=1)
                    np.add.at(total, (one[good], two[good]), change[good])
                    np.add.at(count, (one[good], two[good]), 1.0)
        self.engine.note(" x ".join(key), lost)
        mean = _filled(total / np.maximum(count, 1)[:, :, None], count)
        added = np.zeros((*shape, outputs))
        if first.steps and second.steps:
            added[1:, 1:] = mean.cumsum(axis=0).cumsum(axis=1)
        values = _beyond(added, count)
        values[np.abs(values) <= self._rounding(first.steps + second.steps)] = 0.0
        if not (count.sum() if count.size else self._there(first, second)):
            values[:] = np.nan
        self.points[key], self.measured[key] = (first.points, second.points), count
        self.values[key] = self._kept(values)

    def _blocks(self, places: Places, corners: int) -> Iterator[slice]:
        """Parts of some rows for one call each, while there is time; rows that it does not reach say so."""
        size = _ROWS // corners
        for at in range(0, len(places), size):
            if not self.engine.ask.budget.left():
                for row in self.engine.rows[places[at:]].tolist():
                    self.engine.status.setdefault(row, OUT_OF_TIME)
                return
            yield slice(at, min(at + size, len(places)))

    def _there(self, *axes: _Axis) -> bool:
        """Whether a row that took part has values in these columns."""
        part = [row not in self.engine.status for row in self.engine.rows.tolist()]
        return bool(np.isfinite(self.engine.matrix[part][:, [axis.column for axis in axes]]).all(axis=1).any())

    def _seen(self, said: Array) -> None:
        """Note how large answers are."""
        self.largest = max(self.largest, float(np.abs(said).max(initial=0.0, where=np.isfinite(said))))

    def _rounding(self, steps: int) -> float:
        """What sums of so many steps may be off by."""
        return _ULPS * self.largest * max(1, steps)

    def _change(self, rows: Places, steps: list[tuple[_Axis, Places]], lost: Unanswered) -> Array:
        """Difference of the answers at the ends of each row's step (of one column), or of the corners of its cell (of two)."""
        base = self.engine.matrix[rows]
        corners: list[tuple[float, Array]] = [(1.0, base)]
        for axis, step in steps:
            moved = []
            for sign, matrix in corners:
                for end, direction in ((1, 1.0), (0, -1.0)):
                    there = matrix.copy()
                    there[:, axis.column] = axis.points[step + end]
                    moved.append((sign * direction, there))
            corners = moved
        said = self.engine.ask_corners(np.stack([matrix for _, matrix in corners]), rows, lost)
        self._seen(said)
        return np.asarray(np.einsum("c,crk->rk", np.array([sign for sign, _ in corners]), said))

    def _kept(self, values: Array) -> Array:
        return values[..., self.engine.keep]

    def result(self) -> Curves:
        """The curves."""
        engine, ask = self.engine, self.engine.ask
        return Curves(
            kind="ale",
            keys=tuple(self.points),
            points=dict(self.points),
            values=self.values,
            std_errors=self.errors,
            output_names=engine.names,
            space=engine.game.space,
            dataset=ask.data,
            measured=self.measured,
            exact=engine.whole and all((count > 0).all() for count in self.measured.values()),
            status=engine.statuses,
            provenance=Provenance("ale", params={"rows": len(engine.rows), **engine.notes}, seed=ask.seed, model_hash=ask.model.model_hash),
        )


class _Steps:
    """Mean change of each step and its standard error, from blocks of rows merged in row order."""

    def __init__(self, steps: int, outputs: int) -> None:
        self.steps, self.outputs = steps, outputs
        self.parts: list[tuple[int, Array, Array, Array]] = []

    def add(self, start: int, step: Places, change: Array) -> None:
        """Take in the changes (rows, outputs) of rows at these steps; what the model could not answer is left out."""
        good = np.isfinite(change).all(axis=1)
        step, change = step[good], change[good]
        total, square = np.zeros((self.steps, self.outputs)), np.zeros((self.steps, self.outputs))
        for k in range(self.outputs):
            total[:, k] = np.bincount(step, change[:, k], self.steps)
            square[:, k] = np.bincount(step, change[:, k] ** 2, self.steps)
        self.parts.append((start, np.bincount(step, minlength=self.steps).astype(np.float64), total, square))

    def merged(self) -> tuple[Array, Array, Array]:
        """Rows of each step, float64 (steps,); mean and error, float64 (steps, outputs): a step without rows changes nothing.

        A step of one row has the spread of the nearest with two or more; one without rows is off by as much as a change there is large.
        NaN where no step has two.
        """
        count, total, square = np.zeros((self.steps, 1)), np.zeros((self.steps, self.outputs)), np.zeros((self.steps, self.outputs))
        for _, more, sums, squares in sorted(self.parts, key=lambda part: part[0]):
            count, total, square = count + more[:, None], total + sums, square + squares
        n = np.maximum(count, 1)
        mean = total / n
        variance = np.maximum(square / n - mean**2, 0) * np.divide(n, n - 1, out=np.full_like(n, np.nan), where=n > 1)
        full, thin = np.flatnonzero(count[:, 0] >= _LEAST), np.flatnonzero(count[:, 0] < _LEAST)
        if len(full) and len(thin):
            near = full[np.argmin(np.abs(thin[:, None] - full), axis=1)]
            variance[thin] = np.where(count[thin] > 0, variance[near], (square / n)[near])
        return count[:, 0], mean, np.sqrt(variance / n)


def _unsupported(count: Array) -> NDArray[np.bool_]:
    """Points with no step beside them that has rows enough to know its error."""
    thin = np.concatenate([[True], count < _LEAST, [True]])
    return np.asarray(thin[:-1] & thin[1:])


def _adding(weights: Array) -> Array:
    """float64 (points, steps): from mean differences to their sums up to each point, centred on zero over the rows."""
    sums = np.tri(len(weights), max(0, len(weights) - 1), -1)
    return np.asarray(sums - weights @ sums)


def _filled(mean: Array, count: Array) -> Array:
    """Cells without rows take the value of the nearest cell that has some."""
    empty = np.argwhere(count == 0)
    there = np.argwhere(count > 0)
    if not len(there):
        return np.zeros_like(mean)
    out = mean.copy()
    size = np.maximum(np.array(count.shape, dtype=np.float64), 1)
    for cell in empty:
        nearest = there[np.argmin((((there - cell) / size) ** 2).sum(axis=1))]
        out[tuple(cell)] = mean[tuple(nearest)]
    return out


def _beyond(surface: Array, count: Array) -> Array:
    """The surface without the accumulated effects of either column alone, and centred over the rows (Apley & Zhu 2020, 2.2)."""
    if not count.size:
        return surface
    out = surface.copy()
    for axis in (0, 1):
        steps = np.diff(surface, axis=axis)
        middle = (steps[:, 1:] + steps[:, :-1]) / 2 if axis == 0 else (steps[1:] + steps[:-1]) / 2
        weight = count[:, :, None]
        whole = weight.sum(axis=1 - axis)
        alone = np.divide((weight * middle).sum(axis=1 - axis), whole, out=np.zeros_like(middle.sum(axis=1 - axis)), where=whole > 0)
        added = np.concatenate([np.zeros((1, alone.shape[-1])), alone.cumsum(axis=0)])
        out -= added[:, None] if axis == 0 else added[None]
    cells = (out[1:, 1:] + out[1:, :-1] + out[:-1, 1:] + out[:-1, :-1]) / 4
    return np.asarray(out - (count[:, :, None] * cells).sum(axis=(0, 1)) / max(1.0, float(count.sum())))
