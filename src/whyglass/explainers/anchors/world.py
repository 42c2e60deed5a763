"""What rules are looked for in: training rows and the shared pool, with what the model says of them, once a model."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask
from whyglass.core.model import Model
from whyglass.core.schema import Dataset
from whyglass.explainers.anchors.cuts import Cut, cuts
from whyglass.explainers.pool import kept, pool_of, said_of, training_rows
from whyglass.explainers.shapley.games import Game
from whyglass.kernels.bitsets import Words, pack

Array = NDArray[np.float64]
Bits = NDArray[np.bool_]
SEARCHED = 8192  # training rows that rules are looked for in
POOLED = 5000  # as LIME, which shares them
MIXED = 8192  # rows of which only a part of the columns is redrawn, as under a rule
PARTS = (0.3, 0.9)  # least and largest such part
CHECKED = 65_536  # training rows asked about where rules are checked on training rows
LOWER, UPPER, WHOLE = 0, 1, 2


@dataclass(frozen=True)
class Condition:
    """One elementary condition: an end of a numeric column, a category, or that the value is missing.

    Attributes:
        column: Position of the column.
        side: ``LOWER``, ``UPPER`` or ``WHOLE``.
        cut: The cut, for an end; of an ordered category a cut between its codes.
        code: The category, -1 for missing; for ``WHOLE``.
        categories: How many the column has, for an end of an ordered one; others than these satisfy neither end.
    """

    column: int
    side: int
    cut: Cut | None = None
    code: int = -1
    categories: int = 0

    def mask(self, matrix: Array) -> Bits:
        """Which rows satisfy it."""
        values = matrix[:, self.column]
        if self.cut is None:
            return np.asarray(np.isnan(values) if self.code < 0 else values == self.code)
        with np.errstate(invalid="ignore"):
            known = (values >= 0) & (values < self.categories) if self.categories else True
            if self.side == UPPER:
                return np.asarray((values <= self.cut.at if self.cut.below else values < self.cut.at) & known)
            return np.asarray((values > self.cut.at if self.cut.below else values >= self.cut.at) & known)


@dataclass(frozen=True, eq=False)
class World:
    """The rows.

    Attributes:
        data: The training rows that can be used.
        table: float64 (rows, columns), the training rows that rules are looked for in, then those of the pool.
        said: float64 (rows, outputs), what the model says of them; NaN where it says nothing.
        first: How many of them are training rows.
        held: float64 (rows, columns), training rows that rules are checked on; none where rules are checked on draws.
        held_said: float64 (rows, outputs).
        cuts: Per column where it may be cut; none for categories without an order.
        ordered: Per column its known values, ascending; what values inside a rule are drawn from.
        problem: What the model did with rows it could not answer; empty when it answered all.
        whole: Whether time sufficed to ask about all of them.
        calls: Calls of the user's model for it, and rows.
    """

    data: Dataset
    table: Array
    said: Array
    first: int
    held: Array
    held_said: Array
    cuts: tuple[tuple[Cut, ...], ...]
    ordered: tuple[Array, ...]
    problem: str
    whole: bool
    calls: tuple[int, int]
    _sets: dict[Condition, Words] = field(default_factory=dict, repr=False)

    @property
    def blocks(self) -> int:
        """Words of the bit sets that belong to training rows."""
        return -(-self.first // 64)

    @property
    def words(self) -> int:
        """Words of a bit set."""
        return self.blocks - (-(len(self.table) - self.first) // 64)

    def pack(self, mask: Bits) -> Words:
        """A mask over the table as a bit set, each part in words of its own."""
        return np.concatenate([pack(mask[None, : self.first])[0], pack(mask[None, self.first :])[0]])

    def set(self, condition: Condition) -> Words:
        """The rows of the table that satisfy a condition, as a bit set; made once."""
        if condition not in self._sets:
            self._sets[condition] = self.pack(condition.mask(self.table))
        return self._sets[condition]


class _Cut(Exception):  # noqa: N818  (an outcome, not a fault)
    """Time ran out, so that what there is is not kept."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world


def world_of(ask: Ask, game: Game, kind: str) -> tuple[World, bool]:
    """The rows for a kind of precision, and whether they were there already, so that nothing was asked for them now.

    Cost: 8,192 training rows and the pool's 5,000 asked about, once a model; for observational precision up to 65,536 rows.
    """
    fresh: list[World] = []

    def make() -> World:
        fresh.append(_made(ask, game, kind))
        if not fresh[0].whole:
            raise _Cut(fresh[0])
        return fresh[0]

    try:
        return kept(ask.model, f"anchors {kind}", make), not fresh
    except _Cut as cut:
        return cut.world, False


def _made(ask: Ask, game: Game, kind: str) -> World:
    model = ask.model
    data = training_rows(model)
    before = model.counter.snapshot()
    order = np.random.default_rng(0).permutation(len(data))
    share = 0.5 if kind == "interventional" else 0.9
    count = min(len(data), SEARCHED if kind == "interventional" else CHECKED)
    said, problem, done = said_of(ask, game, data.matrix[order[:count]], share=share * 0.5)
    asked = data.matrix[order[:done]]
    said, whole = said[:done], done == count
    parts = [slice(0, done)]
    if kind == "observational":
        parts = [slice(0, min(done // 2, SEARCHED)), slice(min(done // 2, SEARCHED), done)]
    table, spoken = asked[parts[0]], said[parts[0]]
    if kind == "interventional":
        pool, _ = pool_of(replace(ask, seed=0), game, POOLED)
        table, spoken = np.concatenate([table, pool.rows]), np.concatenate([spoken, pool.said])
        whole, problem = whole and pool.whole, problem or pool.problem
        if whole:  # where time ran out already there is none for more
            mixed = _mixed(data.matrix, MIXED)
            more, trouble, done = said_of(ask, game, mixed, share=0.3)
            table, spoken = np.concatenate([table, mixed[:done]]), np.concatenate([spoken, more[:done]])
            whole, problem = done == MIXED, problem or trouble
    after = model.counter.snapshot()
    places, ordered = kept(model, "anchors columns", lambda: _columns(model, data))
    return World(
        data=data,
        table=table,
        said=spoken,
        first=parts[0].stop,
        held=asked[parts[-1]] if kind == "observational" else asked[:0],
        held_said=said[parts[-1]] if kind == "observational" else said[:0],
        cuts=places,
        ordered=ordered,
        problem=problem,
        whole=whole,
        calls=(after[0] - before[0], after[1] - before[1]),
    )


def _columns(model: Model, data: Dataset) -> tuple[tuple[tuple[Cut, ...], ...], tuple[Array, ...]]:
    """Per column where it may be cut, and its known values in order; the model is not asked."""
    forest = model.trees() if "trees" in model.can else None
    places = tuple(cuts(column, data.matrix[:, j], forest, j) for j, column in enumerate(data.schema.columns))
    return places, tuple(np.sort(v[~np.isnan(v)]) for v in data.matrix.T)


def _mixed(matrix: Array, count: int) -> Array:
    """Training rows with a part of their columns redrawn, each on its own: float64 (count, columns)."""
    rng = np.random.default_rng(0)
    part = rng.uniform(*PARTS, size=(count, 1))
    fresh = np.take_along_axis(matrix, rng.integers(0, len(matrix), (count, matrix.shape[1])), axis=0)
    return np.where(rng.random((count, matrix.shape[1])) < part, fresh, matrix[rng.integers(0, len(matrix), count)])
