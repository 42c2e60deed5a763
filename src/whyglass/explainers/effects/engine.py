"""What the model says of every row at every point of some columns' grids: forests by one walk, other models in large batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask
from whyglass.core.errors import UnsupportedError
from whyglass.core.forest import Forest
from whyglass.core.rescue import rescue
from whyglass.explainers.effects.unanswered import Unanswered
from whyglass.explainers.links import sigmoid, through
from whyglass.explainers.shapley.answers import OUT_OF_TIME, problems, usable
from whyglass.explainers.shapley.games import Game, game_of
from whyglass.kernels import aside, partial_dependence

Array = NDArray[np.float64]
Consume = Callable[[slice, Array], None]
OPAQUE_ROWS = 1_000  # rows drawn where every point costs a call of the user's model
NOT_DRAWN = f"not among the {OPAQUE_ROWS:,} rows drawn"
_CELLS = 2_000_000  # numbers in one call of a model
_TOGETHER = 1 << 15  # numbers linked at a time: they stay in the cache
_PIECE = 4_032  # rows between two looks at the clock, where one runs
_PIECES = 8  # as many at once where none does


@dataclass(frozen=True, eq=False)
class Engine:
    """A model set up to be asked about moved rows.

    Attributes:
        ask: What was asked.
        game: The model in the space asked for.
        forest: The trees and the link from their sums, where they can be walked; else None.
        link: The link.
        rows: Positions of the rows that take part.
        status: Rows that do not, and why.
        lacking: What is drawn -> how many answers it lacks of rows that are answered elsewhere along it, of how many rows, and why.
    """

    ask: Ask
    game: Game
    forest: Forest | None
    link: str
    rows: NDArray[np.intp]
    status: dict[int, str]
    lacking: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether rows take part, and every one that could: none is left out for want of time or calls."""
        return len(self.rows) > 0 and not {OUT_OF_TIME, NOT_DRAWN} & set(self.status.values())

    @property
    def notes(self) -> dict[str, Any]:
        """What the provenance says of answers that are missing."""
        return {"unanswered": dict(self.lacking)} if self.lacking else {}

    @property
    def matrix(self) -> Array:
        """The rows that take part, encoded."""
        return self.ask.data.matrix[self.rows]

    @property
    def keep(self) -> list[int]:
        """Positions of the outputs asked for."""
        outputs = len(self.game.names)
        return list(self.ask.outputs) if self.ask.outputs and outputs == len(self.ask.model.outputs) else list(range(outputs))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the outputs asked for."""
        return tuple(self.game.names[k] for k in self.keep)

    @property
    def statuses(self) -> tuple[str, ...]:
        """One entry for each explained row."""
        said = ["ok"] * len(self.ask.data)
        for row, reason in self.status.items():
            said[row] = reason
        return tuple(said)

    def linked(self, sums: Array) -> Array:
        """Predictions from a forest's sums, float64 (sums, cells, rows) -> (outputs, cells, rows)."""
        if self.link == "identity":
            return sums
        said = np.empty((self.game.width, *sums.shape[1:]))
        step = max(1, _TOGETHER // max(1, sums.shape[2]))
        for at in range(0, sums.shape[1], step):
            part = sums[:, at : at + step]
            if self.link == "sigmoid" and len(sums) == 1 and len(said) == 2:
                said[1, at : at + step] = sigmoid(part[0])
                np.subtract(1.0, said[1, at : at + step], out=said[0, at : at + step])
            else:
                said[:, at : at + step] = through(part.reshape(len(sums), -1).T, self.link, len(said)).T.reshape(len(said), *part.shape[1:])
        return said

    def curves(self, grids: Mapping[int, Array], consume: Consume) -> None:
        """Ask about every row at the points of every column.

        Args:
            grids: Column -> points.
            consume: Called with the rows of a block (places among ``rows``) and float64 (rows, cells, outputs), the columns' points
                one after the other; NaN where the model fails.
        """
        cells = sum(map(len, grids.values()))
        if not grids:
            return
        if self.forest is not None and cells:
            ready, matrix = partial_dependence.prepare(self.forest, grids), self.matrix
            for piece in self._pieces(self._piece):
                partial_dependence.curves(ready, matrix[piece], self._curve(piece.start, consume), self.ask.executor)
            return
        sizes = {self.ask.data.schema.names[j]: len(points) for j, points in grids.items()}
        self._each(sizes, lambda rows: np.concatenate([_at(rows, j, points) for j, points in grids.items()], axis=1), consume)

    def surfaces(self, grids: Mapping[int, Array], consume: Consume) -> None:
        """Ask about every row at every pair of points of two columns: blocks of float64 (rows, points, points, outputs)."""
        (a, first), (b, second) = grids.items()
        shape = (len(first), len(second))
        if self.forest is not None and shape[0] and shape[1]:
            ready, matrix = partial_dependence.prepare(self.forest, grids), self.matrix
            for piece in self._pieces(self._piece):
                partial_dependence.surfaces(ready, matrix[piece], self._surface(piece.start, consume), self.ask.executor)
            return

        def moved(rows: Array) -> Array:
            out = np.repeat(_at(rows, a, first), shape[1], axis=1)
            out[:, :, b] = np.tile(second, shape[0])
            return out

        both = " x ".join(self.ask.data.schema.names[j] for j in grids)
        width = self.game.width
        self._each({both: shape[0] * shape[1]}, moved, lambda part, said: consume(part, said.reshape(len(said), *shape, width)))

    def _curve(self, start: int, consume: Consume) -> Consume:
        """Take a block of sums (sums, cells, rows) of the rows from ``start`` on as predictions (rows, cells, outputs)."""
        return lambda part, sums: consume(slice(part.start + start, part.stop + start), self.linked(sums).transpose(2, 1, 0))

    def _surface(self, start: int, consume: Consume) -> Consume:
        """The same of sums (rows, points, points, sums)."""
        return lambda part, sums: consume(slice(part.start + start, part.stop + start), self._linked_last(sums))

    def _linked_last(self, sums: Array) -> Array:
        """Predictions from a forest's sums: float64 (..., sums) -> (..., outputs)."""
        if self.link == "identity":
            return sums
        return through(sums.reshape(-1, sums.shape[-1]), self.link, self.game.width).reshape(*sums.shape[:-1], -1)

    def beside(self, columns: Sequence[int], others: Callable[[slice], Array], consume: Consume) -> None:
        """What the trees predict of the rows with one column at one of two other values.

        Args:
            columns: The columns that are asked about.
            others: Gives the two values of a block of rows (places among ``rows``): float64 (rows, columns, 2), NaN where
                nothing is asked.
            consume: Called with the rows of a block and float64 (rows, columns, 2, outputs).

        Raises:
            UnsupportedError: If the model has no trees to walk.
        """
        forest, matrix = self._walked(), self.matrix
        for part in self._pieces(self._piece):
            consume(part, self._linked_last(aside.sums(forest, matrix[part], columns, others(part), self.ask.executor)))

    def along(self, matrix: Array, grids: Mapping[int, Array], consume: Consume) -> None:
        """What the trees predict of any rows at the points of columns, as ``curves`` gives it.

        Raises:
            UnsupportedError: If the model has no trees to walk.
        """
        ready = partial_dependence.prepare(self._walked(), grids)
        partial_dependence.curves(ready, matrix, self._curve(0, consume), self.ask.executor)

    def _walked(self) -> Forest:
        if self.forest is None:
            msg = f"{self.ask.model.name} has no trees to walk."
            raise UnsupportedError(msg)
        return self.forest

    def ask_rows(self, matrix: Array) -> Array:
        """What the model says of rows of any kind: float64 (rows, outputs), NaN where it fails."""
        return rescue(self.game.predict, matrix, self.game.width)[0]

    def ask_corners(self, moved: Array, places: NDArray[np.intp], lost: Unanswered) -> Array:
        """What the model says of rows moved to several places each: float64 (corners, rows, columns) -> (corners, rows, outputs).

        ``places`` among ``rows`` say whose they are; ``lost`` hears of rows that lack an answer at some corner.
        """
        said, failed = rescue(self.game.predict, moved.reshape(-1, moved.shape[-1]), self.game.width)
        said = said.reshape(*moved.shape[:2], self.game.width)
        worst = np.argmin(np.isfinite(said).all(axis=2), axis=0)  # the first corner without an answer
        own = {r: failed[c * len(worst) + r] for r, c in enumerate(worst.tolist()) if c * len(worst) + r in failed} if failed else {}
        lost.take(places, said[worst, np.arange(len(worst))], own)
        return said

    def note(self, name: str, lost: Unanswered) -> None:
        """Say what one curve lacks: of rows that the model never answered along it in their status."""
        for row, reason in lost.rows.items():
            self.status.setdefault(int(self.rows[row]), reason)
        if lost.rest:
            self.lacking[name] = lost.rest

    @property
    def _piece(self) -> int:
        return _PIECE if self.ask.budget.deadline is not None else _PIECES * _PIECE

    def _each(self, sizes: Mapping[str, int], moved: Callable[[Array], Array], consume: Consume) -> None:
        """Blocks of as many rows as one call may hold, one call each; ``sizes`` are the cells of what is drawn, one after the other."""
        width, cells = len(self.ask.data.schema), sum(sizes.values())
        matrix = self.matrix
        lost = [Unanswered(len(matrix)) for _ in sizes]
        ends = [0, *np.cumsum(list(sizes.values())).tolist()]
        for part in self._pieces(max(1, _CELLS // max(1, cells * width))):
            rows = moved(matrix[part])
            said, failed = rescue(self.game.predict, rows.reshape(-1, width), self.game.width)
            said = said.reshape(len(rows), cells, self.game.width)
            if not np.isfinite(said).all():
                for one, (a, b) in zip(lost, pairwise(ends), strict=True):
                    at = (np.arange(len(rows))[:, None] * cells + np.arange(a, b)).ravel()
                    own = {k: failed[int(place)] for k, place in enumerate(at) if int(place) in failed} if failed else {}
                    one.take(np.repeat(np.arange(part.start, part.stop), b - a), said[:, a:b].reshape(len(at), -1), own)
            else:
                for one in lost:
                    one.answered[part] = True
            consume(part, said)
        for name, one in zip(sizes, lost, strict=True):
            self.note(name, one)

    def _pieces(self, size: int) -> Iterator[slice]:
        """Blocks of rows while there is time; rows that it does not reach say so."""
        for part in self.ask.executor.blocks(len(self.rows), size):
            self.ask.executor.check()
            if not self.ask.budget.left():
                self.status.update(dict.fromkeys(self.rows[part.start :].tolist(), OUT_OF_TIME))
                return
            yield part


def set_up(ask: Ask) -> Engine:
    """Make a model ready: the space asked for, and the rows that take part.

    Raises:
        UnsupportedError: If the model cannot answer in the space asked for.
    """
    if ask.space == "log_loss":
        msg = "Curves are about what the model says; ask for 'probability', 'margin' or 'value' space, or for method='permutation'."
        raise UnsupportedError(msg)
    game = game_of(ask)
    forest = ask.model.trees() if "trees" in ask.model.can and game.compiled else None
    link = "identity" if forest is None or game.space == forest.space else forest.link
    rows, status = usable(ask), problems(ask)
    rng = np.random.default_rng(ask.seed)
    if not game.compiled and len(rows) > OPAQUE_ROWS:
        drawn = np.sort(rng.permutation(rows)[:OPAQUE_ROWS])
        status.update(dict.fromkeys(np.setdiff1d(rows, drawn).tolist(), NOT_DRAWN))
        rows = drawn
    if ask.budget.deadline is not None:
        rows = rng.permutation(rows)  # whatever time allows is then a fair sample
    return Engine(ask, game, forest, link, rows, status)


def _at(rows: Array, column: int, points: Array) -> Array:
    """Each row at every point of a column: float64 (rows, points, columns)."""
    out = np.repeat(rows[:, None, :], len(points), axis=1)
    out[:, :, column] = points
    return out
