"""A tree ensemble as a field of cells: its leaf boxes, where its columns are cut, and the regions that hold a training row."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core.forest import Forest
from whyglass.core.schema import Schema
from whyglass.explainers.counterfactual.constraints import Facts, Literal
from whyglass.explainers.counterfactual.grid import Grid
from whyglass.kernels import box_company, box_steps, leaf_boxes
from whyglass.kernels import forest as sums
from whyglass.kernels.box_parts import Case, Clauses, Company

Array = NDArray[np.float64]
_KEPT = 4  # fields of one forest, for different cuts
_LEAF_CELLS = 20_000_000  # rows x trees of the table that says which training rows share a leaf; rows beyond are left out
_ASKED = 400  # training rows asked how many leaves they share with another one
LONELIEST = 0.05  # share of training rows that may have less company than a plausible row


@dataclass(frozen=True, eq=False)
class Field:
    """A forest over cells.

    Attributes:
        forest: The forest.
        grid: The values seen in training.
        edges: Per column where it is cut.
        steps: The forest over cells.
        deep: Nodes on the longest path.
        regions: The leaf regions that hold a training row, each once.
        hosts: int64 (regions,), a row of ``leaves`` that lies in each.
        margins: float64 (regions, sums), what the forest adds up to there, base included.
        leaves: int32 (rows, trees), the leaves of training rows.
        least: The number of trees in which a plausible row shares its leaf with one training row: all but the loneliest of the
            training rows share as many with another one.
        aims: What goals come to over this field, by goal.
    """

    forest: Forest
    grid: Grid
    edges: tuple[Array, ...]
    steps: box_steps.Steps
    deep: int
    regions: box_steps.Regions
    hosts: NDArray[np.int64]
    margins: Array
    leaves: NDArray[np.int32]
    least: int
    aims: dict[Any, Any] = field(default_factory=dict)

    def cells(self, rows: Array) -> NDArray[np.int64]:
        """Cells of encoded rows."""
        return box_steps.cells(rows, self.edges, self.steps.codes)

    def company(self, rows: Array) -> Array:
        """For each row the largest share of the trees in which one and the same training row falls into its leaf."""
        found = np.zeros((len(rows), len(self.steps.roots)), np.int32)
        box_steps.leaves_of(self.steps, self.cells(rows), found)
        most = np.zeros(len(rows), np.int64)
        box_company.company_of(self.leaves, found, np.full(len(rows), -1), most)
        return most / max(1, len(self.steps.roots))

    def guests(self, *, plausible: bool) -> Company:
        """The training rows that a search minds: those that may keep a row company, or none where that does not matter."""
        if plausible:
            return Company(self.leaves, np.array([self.least], np.int64))
        return Company(self.leaves[:0], np.zeros(1, np.int64))


def field_of(forest: Forest, grid: Grid, schema: Schema, facts: Facts) -> Field:
    """The field of a forest, cut also where a constraint between columns is; made once for the same cuts.

    Cost: the leaf boxes, then training rows x trees x depth.
    """
    ends: dict[int, set[float]] = {}
    for literal in [literal for clause in facts.clauses for literal in clause if literal.codes is None]:
        under = float(np.nextafter(literal.low, -np.inf))
        ends.setdefault(literal.column, set()).update(v for v in (under, literal.high) if np.isfinite(v))
    key = (id(forest), tuple(sorted((column, tuple(sorted(values))) for column, values in ends.items())))
    known: dict[Any, Field] = grid.kept.setdefault("fields", {})
    if key not in known:
        while len(known) >= _KEPT:
            known.pop(next(iter(known)))
        known[key] = _make(forest, grid, schema, ends)
    return known[key]


def _make(forest: Forest, grid: Grid, schema: Schema, ends: dict[int, set[float]]) -> Field:
    counts = np.array([len(c.categories) if c.kind == "categorical" else -1 for c in schema.columns], np.int32)
    boxes = leaf_boxes.build(forest, counts)
    cuts = box_steps.column_edges(forest, boxes.codes)
    edges = tuple(np.union1d(cut, np.array(sorted(ends.get(column, ())))) for column, cut in enumerate(cuts))
    steps = box_steps.steps_of(forest, boxes, edges)
    points = box_steps.cells(grid.rows, edges, steps.codes)
    _, first, alike = np.unique(points, axis=0, return_index=True, return_counts=True)
    order = np.argsort(first, kind="stable")[: max(1, _LEAF_CELLS // max(1, len(steps.roots)))]
    points, rows = points[first[order]], grid.rows[first[order]]
    regions = box_steps.whole(steps, edges, len(points))
    leaves = np.zeros((len(points), len(steps.roots)), np.int32)
    box_steps.leaves_of(steps, points, leaves)
    box_steps.narrow_regions(steps, leaves, regions)
    _, hosts = np.unique(leaves, axis=0, return_index=True)
    hosts = np.sort(hosts)
    return Field(
        forest,
        grid,
        edges,
        steps,
        leaf_boxes.depth(sums.pack(forest)),
        box_steps.Regions(regions.box[hosts], regions.words[hosts]),
        hosts.astype(np.int64),
        sums.predict(forest, rows[hosts]),
        leaves,
        _least(leaves, alike[order].astype(np.int64)),
    )


def _least(leaves: NDArray[np.int32], counts: NDArray[np.int64]) -> int:
    """In how many trees all but the loneliest training rows share a leaf with one other; rows alike are each other's company."""
    rows = np.repeat(np.arange(len(leaves)), counts)
    if len(rows) > _ASKED:
        rows = rows[np.sort(np.random.default_rng(0).permutation(len(rows))[:_ASKED])]
    most = np.zeros(len(rows), np.int64)
    without = np.where(counts[rows] > 1, -1, rows)
    box_company.company_of(leaves, np.ascontiguousarray(leaves[rows]), without, most)
    return max(1, int(np.quantile(most, LONELIEST, method="lower"))) if len(most) else 1


def case_of(field: Field, facts: Facts, row: Array) -> tuple[Case, Array]:
    """What a row may become and what that costs, over cells; and the value that each cell stands for.

    Returns:
        The case, and float64 like its prices: the allowed value of the cell nearest to the row's own, NaN where there is none.
    """
    grid, codes = field.grid, field.steps.codes
    own = field.cells(row[None, :])[0]
    mask = np.zeros(int(field.steps.offsets[-1]), np.uint64)
    prices, values = [], []
    for column, value in enumerate(row):
        weight = facts.weights[column]
        if codes[column] >= 0:
            _mask(mask[field.steps.offsets[column] :], grid, facts, column, (float(value), int(own[column])))
            prices.append(np.array([weight]))
            values.append(np.full(1, np.nan))
        else:
            price, stands = _prices(field, facts, column, float(value), int(own[column]))
            prices.append(price)
            values.append(stands)
    first = np.concatenate([[0], np.cumsum([len(p) for p in prices])]).astype(np.int64)
    nexts = np.concatenate([_nexts(price) for price in prices])
    return Case(own, first, np.concatenate(prices), nexts, mask), np.concatenate(values)


def _mask(words: NDArray[np.uint64], grid: Grid, facts: Facts, column: int, own: tuple[float, int]) -> None:
    value, cell = own
    codes = grid.values[column]
    for code in codes[facts.allows(column, value, codes)].astype(np.int64):
        words[code >> 6] |= np.uint64(1 << (int(code) & 63))
    if facts.allows(column, value, np.array([value]))[0]:
        words[cell >> 6] |= np.uint64(1 << (cell & 63))


def _prices(field: Field, facts: Facts, column: int, value: float, cell: int) -> tuple[Array, Array]:
    """Of each cell of a numeric column the cheapest allowed value and its price."""
    grid = field.grid
    size = len(field.edges[column]) + 1
    price, stands = np.full(size, np.inf), np.full(size, np.nan)
    seen = grid.values[column]
    seen = seen[facts.allows(column, value, seen)]
    middle = grid.middle[column] if np.isnan(value) else value
    far = np.abs(seen - middle)
    order = np.argsort(-far, kind="stable")  # the nearest of a cell is written last
    at = np.searchsorted(field.edges[column], seen[order], side="left")
    stands[at] = seen[order]
    price[at] = 1.0 if np.isnan(value) else far[order] / grid.scale[column]
    if cell >= 0 and facts.allows(column, value, np.array([value]))[0]:
        stands[cell], price[cell] = value, 0.0
    return price * facts.weights[column], stands


def _nexts(price: Array) -> NDArray[np.int32]:
    """For each cell the first that may be gone to from there up, and down."""
    places, reached = np.arange(len(price)), np.isfinite(price)
    up = np.minimum.accumulate(np.where(reached, places, box_steps.FAR)[::-1])[::-1]
    down = np.maximum.accumulate(np.where(reached, places, -1))
    return np.stack([up, down], axis=1).astype(np.int32)


def clauses_of(field: Field, clauses: tuple[tuple[Literal, ...], ...], stays: list[NDArray[np.int64]], own: NDArray[np.int64]) -> Clauses:
    """The constraints between columns, and for each set of columns in ``stays`` that one of them keeps its own cell.

    Args:
        field: The field.
        clauses: The constraints.
        stays: Sets of columns.
        own: int64 (columns,), the row's cells.
    """
    rows: list[list[tuple[int, int, int, int, list[int]]]] = [[_literal(field, literal) for literal in clause] for clause in clauses]
    rows += [[_own(field, int(column), int(own[column])) for column in columns] for columns in stays]
    flat = [literal for clause in rows for literal in clause]
    words: list[int] = []
    literals = np.zeros((len(flat), 5), np.int64)
    for at, (*numbers, held) in enumerate(flat):
        literals[at] = [*numbers, len(words) if held else -1]
        words.extend(held)
    start = np.concatenate([[0], np.cumsum([len(clause) for clause in rows])]).astype(np.int64)
    return Clauses(start, literals, np.array(words, np.uint64))


def _literal(field: Field, literal: Literal) -> tuple[int, int, int, int, list[int]]:
    column = literal.column
    if literal.codes is not None:
        count = int(field.steps.codes[column])
        inside = [*literal.codes, *([count, count + 1] if literal.missing else [])]
        return column, 0, 0, 0, _set(field, column, inside)
    edges = field.edges[column]
    low = 0 if np.isneginf(literal.low) else int(np.searchsorted(edges, literal.low, side="left"))
    high = len(edges) if np.isposinf(literal.high) else int(np.searchsorted(edges, literal.high, side="left"))
    if literal.low > literal.high:
        low, high = 1, 0
    return column, low, high, int(literal.missing), []


def _own(field: Field, column: int, cell: int) -> tuple[int, int, int, int, list[int]]:
    if field.steps.codes[column] >= 0:
        return column, 0, 0, 0, _set(field, column, [cell])
    return (column, 1, 0, 1, []) if cell < 0 else (column, cell, cell, 0, [])


def _set(field: Field, column: int, inside: list[int]) -> list[int]:
    words = [0] * int(field.steps.offsets[column + 1] - field.steps.offsets[column])
    for cell in inside:
        words[cell >> 6] |= 1 << (cell & 63)
    return words
