"""Which kernel gives a forest's path-dependent values: tables, the walk, or the leaves split between them.

The costs below were measured on one core; they only choose between exact answers, so that another machine loses some speed
and nothing else. A table costs its look-ups and the memory they touch, once built; the walk costs its steps times the
quadrature nodes. A handful of rows never pays for tables. Tables are kept with the forest object, as long as all that are
kept stay below ``MOST_BYTES`` together.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from whyglass.kernels import leaf_tables, tree_interactions, tree_shap
from whyglass.kernels.forest import Blocks, Floats, Ints, blocks, matrix, run
from whyglass.kernels.leaf_groups import count_groups, shape_of, uncovered
from whyglass.kernels.leaf_tables import Tables
from whyglass.kernels.tree_plan import Ready, mark_up, prepare, who_plays

MOST_BYTES = leaf_tables.MOST_BYTES  # cells of all tables kept
FEW_ROWS = 50
_ALWAYS_WALKED = 4  # rows: passing over all tables for so few takes longer
_BITS = (7, 8, 9, 10)
_LOOK_UP, _BYTE, _STEP = 0.45e-9, 0.3e-12, 0.36e-9  # seconds a row: a strip; a byte of cells; a step and quadrature node
_BUILD, _GROUP = 1.5e-9, 1e-6  # seconds of making tables: a byte of cells; a group
_PAIRS = 4.5  # what interactions cost the walk, values being 1


class Split(NamedTuple):
    """Who answers for which leaves.

    Attributes:
        tables: The tables; None when the walk answers for all leaves.
        ready: The walk over the other leaves; None when there are none.
        kernel: In words.
    """

    tables: Tables | None
    ready: Ready | None
    kernel: str


class Guess(NamedTuple):
    """What it is expected to cost, in seconds.

    Attributes:
        walk: A row by the walk alone.
        row: A row by tables, and the walk for the rest.
        build: Making the tables.
        bits: Of their groups; 0 when tables never pay.
    """

    walk: float
    row: float
    build: float
    bits: int


Key = tuple[bytes, bool]
_lock = threading.Lock()
_guesses: WeakKeyDictionary[Any, dict[Key, Guess]] = WeakKeyDictionary()
_kept: WeakKeyDictionary[Any, dict[Key, Tables]] = WeakKeyDictionary()


def guess(forest: Any, players: Ints, *, pairs: bool) -> Guess:
    """Weigh groups of several sizes against the walk; done once per forest object. Cost: nodes x depth.

    Args:
        forest: Any object with the arrays of ``core.forest.Forest``.
        players: int32 (features,), the player of each column.
        pairs: Whether interactions are wanted.
    """
    key = (players.tobytes(), pairs)
    known = _guesses.setdefault(forest, {})
    if key not in known:
        known[key] = _weigh(forest, players, pairs)
    return known[key]


def _weigh(forest: Any, players: Ints, pairs: bool) -> Guess:
    ready = prepare(forest, players=players, couples=not pairs)
    trees, plan = ready.trees, ready.plan
    walk = float(np.dot(np.diff(plan.start), plan.order)) * _STEP * (_PAIRS if pairs else 1.0)
    best = Guess(walk, walk, 0.0, 0)
    shape, width = shape_of(trees, players), plan.value.shape[1]
    for bits in _BITS:
        groups, count = count_groups(trees, shape, bits, pairs=pairs)
        strips = count[:, 1:].sum(axis=1) * width
        size = 8.0 * float(np.dot(strips, 2.0**groups.bits))
        needed = uncovered(trees, shape, groups.node)
        mark_up(trees, needed)
        row = _LOOK_UP * float(strips.sum()) + _BYTE * size + walk * float(needed.mean())
        if size > MOST_BYTES or row > best.row:
            break
        best = Guess(walk, row, _BUILD * size + _GROUP * len(groups.node), bits)
    return best


def split(
    forest: Any,
    rows: int,
    *,
    players: Ints | None = None,
    pairs: bool = False,
    hurried: bool = False,
    executor: Blocks | None = None,
) -> Split:
    """Choose who answers, and make what they need.

    Args:
        forest: Any object with the arrays of ``core.forest.Forest``.
        rows: How many rows are to be explained.
        players: int32 (features,), the player of each column; None: each column its own.
        pairs: Whether interactions are wanted.
        hurried: Whether time is short: tables are then used only if they are there.
        executor: Threads to use for that.
    """
    who = who_plays(forest, players)
    key = (who.tobytes(), pairs)
    with _lock:
        tables = _kept.get(forest, {}).get(key)
    if tables is None and rows > FEW_ROWS and not hurried:
        found = guess(forest, who, pairs=pairs)
        if found.bits > 0 and rows * (found.walk - found.row) > found.build:
            tables = leaf_tables.build(forest, players=who, pairs=pairs, bits=found.bits, executor=executor)
            _keep(forest, key, tables)
    if tables is None or rows <= _ALWAYS_WALKED:
        return Split(None, prepare(forest, players=who, couples=not pairs), "quadrature")
    if tables.rest is None:
        return Split(tables, None, "tables")
    return Split(tables, prepare(forest, players=who, leaves=tables.rest, couples=not pairs), "tables + quadrature")


def _keep(forest: Any, key: Key, tables: Tables) -> None:
    """Keep tables as long as the forest lives, the oldest giving way."""
    with _lock:
        _kept.setdefault(forest, {})[key] = tables
        while sum(t.bytes for of in _kept.values() for t in of.values()) > MOST_BYTES:
            oldest = next(iter(_kept))
            of = _kept[oldest]
            if len(of) <= 1:
                del _kept[oldest]
            else:
                of.pop(next(iter(of)))


def values(chosen: Split, X: Any, executor: Blocks | None = None) -> Floats:
    """Exact path-dependent Shapley values of the forest's sums.

    Args:
        chosen: What ``split`` gave.
        X: Encoded rows (rows, features).
        executor: Threads to use; the same bits with any number of them.

    Returns:
        float64 (rows, players, outputs).
    """
    rows, tables, ready = matrix(X), chosen.tables, chosen.ready
    out = np.zeros((len(rows), *_size(chosen)))

    def part(at: slice) -> None:
        if tables is not None:
            leaf_tables.add_block(tables, rows[at], out[at].reshape(at.stop - at.start, -1))
        if ready is not None:
            tree_shap.explain_rows(ready.trees, ready.plan, ready.levels, rows[at], out[at])

    run(part, _blocks(chosen, len(rows), executor), executor)
    return _both(chosen, out)


def interactions(chosen: Split, X: Any, executor: Blocks | None = None) -> Floats:
    """Exact path-dependent Shapley interaction indices of the forest's sums, in shap's convention.

    Args:
        chosen: What ``split`` gave with ``pairs=True``.
        X: Encoded rows (rows, features).
        executor: Threads to use; the same bits with any number of them.

    Returns:
        float64 (rows, players, players, outputs), symmetric; rows sum to the values.
    """
    rows, tables, ready = matrix(X), chosen.tables, chosen.ready
    players, outputs = _size(chosen)
    out = np.zeros((len(rows), players, players, outputs))

    def part(at: slice) -> None:
        if ready is not None:
            tree_interactions.explain_rows(ready.trees, ready.plan, ready.levels, rows[at], out[at])
            tree_interactions.fold(out[at])
        if tables is not None:
            found = np.zeros((at.stop - at.start, leaf_tables.targets(tables)))
            leaf_tables.add_block(tables, rows[at], found)
            leaf_tables.add_square(tables, found, out[at])

    run(part, _blocks(chosen, len(rows), executor), executor)
    return _both(chosen, out)


def _size(chosen: Split) -> tuple[int, int]:
    """Players, and outputs that are kept."""
    if chosen.tables is not None:
        return chosen.tables.players, chosen.tables.outputs
    ready = chosen.ready
    return (0, 0) if ready is None else (ready.players, 1 if ready.mirrored else len(ready.trees.base))


def _blocks(chosen: Split, rows: int, executor: Blocks | None) -> list[slice]:
    return blocks(rows, executor, 512) if chosen.tables is None else leaf_tables.row_blocks(rows, executor)


def _both(chosen: Split, out: Floats) -> Floats:
    """The second of two outputs is the first, negated, where only one is kept."""
    mirrored = chosen.tables.mirrored if chosen.tables is not None else chosen.ready is not None and chosen.ready.mirrored
    return np.concatenate([out, -out], axis=-1) if mirrored else out
