"""Exact interventional Shapley values of a forest of any depth, against any number of background rows.

Unknown columns take their values from a background row, and the answer is the mean over all of them. ``background_segments``
tells how one walk over a tree serves all rows and all background rows, ``background_leaf`` what a leaf gives. Work is done
once per class of rows that fail the same conditions of a path, and classes saturate: a row costs less the more rows are
explained together.

Trees with a path of more than 63 players (deeper than 63 levels, that is) are walked pair by pair instead.
"""

from __future__ import annotations

import itertools
import threading
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from whyglass.kernels.background_leaf import beta_table, weights
from whyglass.kernels.background_segments import Rules, Scene, walk_trees
from whyglass.kernels.background_wide import walk_wide
from whyglass.kernels.bits import BITS
from whyglass.kernels.forest import Blocks, Floats, Ints, Trees, matrix, pack, run
from whyglass.kernels.tree_plan import is_mirrored

MOST_ROWS = 4096  # rows walked together
MOST_BACKGROUND = 32 * BITS  # background rows walked together
MOST_BYTES = 64_000_000  # of scratch for one thread; the stack of segments is not filled, so far less is touched
_MOST_CELLS = 1_000_000  # sums of one block of rows: rows x outputs x targets
_PARTS = 16  # parts the trees are cut into, whatever the number of threads: their sums are added in order


class Shape(NamedTuple):
    """What a walk needs to know about a forest and its players.

    Attributes:
        trees: The packed arrays, one value a leaf where the second output is the first, negated.
        mirrored: Whether it is.
        levels: Edges on the longest path.
        leaves: How many leaves end at each level.
    """

    trees: Trees
    mirrored: bool
    levels: int
    leaves: tuple[int, ...]


_shapes: WeakKeyDictionary[Any, Shape] = WeakKeyDictionary()


def _by_level(trees: Trees) -> list[NDArray[np.intp]]:
    """The nodes of every level, roots first."""
    levels, nodes = [], trees.roots.astype(np.intp)
    while len(nodes):
        levels.append(nodes)
        inner = nodes[trees.feature[nodes] >= 0]
        nodes = np.concatenate([trees.left[inner], trees.right[inner]]).astype(np.intp)
    return levels


def shape_of(forest: Any) -> Shape:
    """Look at a forest once; some milliseconds."""
    if forest not in _shapes:
        trees = pack(forest)
        mirrored = is_mirrored(trees)
        lean = trees._replace(value=np.ascontiguousarray(trees.value[:, :1])) if mirrored else trees
        by_level = _by_level(trees)
        leaves = tuple(int(np.count_nonzero(trees.feature[nodes] < 0)) for nodes in by_level)
        _shapes[forest] = Shape(lean, mirrored, len(by_level), leaves)
    return _shapes[forest]


def share_of_leaves(forest: Any, level: int) -> float:
    """The part of a forest's leaves that ends at a level or above it."""
    leaves = shape_of(forest).leaves
    return sum(leaves[: level + 1]) / max(sum(leaves), 1)


def most_distinct(trees: Trees, players: Ints, count: int) -> Ints:
    """int32 (trees,): the most players on a path of each tree, or ``count`` where no path can hold more than a mask."""
    if count <= BITS:
        return np.full(len(trees.roots), count, np.int32)
    seen = np.zeros((len(trees.feature), -(-count // 64)), np.uint64)
    tree = np.searchsorted(trees.roots, np.arange(len(trees.feature)), side="right") - 1
    for nodes in _by_level(trees):
        inner = nodes[trees.feature[nodes] >= 0]
        player = players[trees.feature[inner]]
        here = seen[inner]
        here[np.arange(len(inner)), player // 64] |= np.uint64(1) << (player % 64).astype(np.uint64)
        seen[trees.left[inner]] = seen[trees.right[inner]] = here
    held = np.unpackbits(seen.view(np.uint8), axis=1).sum(axis=1, dtype=np.int32)
    most = np.zeros(len(trees.roots), np.int32)
    np.maximum.at(most, tree, held)
    return most


def _live(trees: Trees, leaves: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
    """1 where a leaf that is asked for lies at or below a node."""
    if leaves is None:
        return np.ones(len(trees.feature), np.uint8)
    live = (np.asarray(leaves, np.bool_) & (trees.feature < 0)).astype(np.uint8)
    for nodes in reversed(_by_level(trees)):
        inner = nodes[trees.feature[nodes] >= 0]
        live[inner] = live[trees.left[inner]] | live[trees.right[inner]]
    return live


class _Job(NamedTuple):
    """One call: the forest, its rules, the background in chunks, and what is to be filled."""

    shape: Shape
    rules: Rules
    beta: Floats
    chunks: list[Floats]
    X: Floats
    out: Floats
    outputs: int


def _rules(shape: Shape, players: Ints, leaves: NDArray[np.bool_] | None, *, pairs: bool) -> Rules:
    trees, count = shape.trees, int(players.max(initial=-1)) + 1
    distinct = most_distinct(trees, players, count)
    narrow = (distinct <= BITS).astype(np.uint8)
    slots = int(distinct[narrow == 1].max(initial=1))
    slots = min(slots, shape.levels, BITS)
    return Rules(players, count, _live(trees, leaves), narrow, shape.levels, pairs, count > 3 * slots, slots)


def _targets(rules: Rules) -> int:
    """Sums a row and output, a multiple of four."""
    return -(-(rules.count**2 if rules.pairs else rules.count) // 4) * 4


def _rows_together(rules: Rules, words: int, width: int, outputs: int) -> int:
    """Rows of a block, such that neither its stack nor its sums outgrow their bounds."""
    targets = _targets(rules)
    segment = 45 + 8 * words + (0 if rules.direct else 8 * width * targets)
    fits = min(MOST_BYTES // ((rules.levels + 2) * segment), _MOST_CELLS // max(1, targets * outputs))
    return max(64, min(MOST_ROWS, fits // 64 * 64))


def _parts(rows: int, size: int, trees: int) -> list[tuple[slice, list[slice]]]:
    """Blocks of rows, each cut again into as many shares as the trees are cut into parts: a share stands for one part."""
    found = []
    for start in range(0, rows, size):
        stop = min(start + size, rows)
        count = max(1, min(_PARTS, trees, stop - start))
        cuts = [start + (stop - start) * part // count for part in range(count + 1)]
        found.append((slice(start, stop), [slice(a, b) for a, b in itertools.pairwise(cuts)]))
    return found


def _spans(trees: Trees, count: int) -> list[tuple[int, int]]:
    """Cut the trees into so many spans of about equally many nodes."""
    ends = np.append(trees.roots[1:], len(trees.feature))
    cuts = np.searchsorted(ends, len(trees.feature) * np.arange(1, count) / count, side="right")
    edges = [0, *(int(c) for c in cuts), len(trees.roots)]
    return list(itertools.pairwise(edges))


def _walk(job: _Job, block: slice, span: tuple[int, int]) -> Floats:
    """The sums of some trees for a block of rows: (rows, outputs, targets)."""
    rules, rows = job.rules, np.ascontiguousarray(job.X[block].T)
    sums = np.zeros((rows.shape[1], job.outputs, _targets(rules)))
    for chunk in job.chunks:
        scene = Scene(job.shape.trees, rules, weights(), job.beta, rows, chunk, sums, 0)
        walk_trees(scene, *span)
        if len(job.beta):
            walk_wide(scene, *span)
    return sums


def _finish(job: _Job, block: slice, sums: Floats) -> None:
    """From the sums of all trees to values, or to the convention of interaction values."""
    sums /= sum(chunk.shape[1] for chunk in job.chunks)
    if not job.rules.pairs:
        job.out[block] = sums[:, :, : job.rules.count].transpose(0, 2, 1)
        return
    count = job.rules.count
    whole = sums[:, :, : count * count].reshape(*sums.shape[:2], count, count)
    single = np.einsum("rkii->rki", whole).copy()
    half = np.triu(whole, 1) / 2
    half += half.swapaxes(2, 3)
    np.einsum("rkii->rki", half)[:] = single - half.sum(axis=3)
    job.out[block] = half.transpose(0, 2, 3, 1)


def _all_blocks(job: _Job, executor: Blocks | None, size: int) -> None:
    """Walk every block with every part of the trees; the parts of a block are added in order by whoever ends last."""
    blocks = _parts(len(job.X), size, len(job.shape.trees.roots))
    where = {share.start: (at, part) for at, (_, shares) in enumerate(blocks) for part, share in enumerate(shares)}
    spans = {count: _spans(job.shape.trees, count) for count in {len(shares) for _, shares in blocks}}
    waiting: dict[int, dict[int, Floats]] = {}
    lock = threading.Lock()

    def one(share: slice) -> None:
        at, part = where[share.start]
        block, shares = blocks[at]
        sums = _walk(job, block, spans[len(shares)][part])
        with lock:
            done = waiting.setdefault(at, {})
            done[part] = sums
            if len(done) < len(shares):
                return
            del waiting[at]
        total = done[0]
        for later in range(1, len(shares)):
            total += done[later]
        _finish(job, block, total)

    run(one, [share for _, shares in blocks for share in shares], executor)


def _explain(forest: Any, X: Any, background: Any, executor: Blocks | None, options: tuple[Any, Any, bool]) -> Floats:
    players, leaves, pairs = options
    rows, unknown = matrix(X), matrix(background)
    if len(unknown) == 0:
        msg = "The background has no rows."
        raise ValueError(msg)
    shape = shape_of(forest)
    who = np.arange(int(forest.n_features), dtype=np.int32) if players is None else np.require(players, np.int32, ["C", "W"])
    rules = _rules(shape, who, leaves, pairs=pairs)
    outputs = 1 if shape.mirrored else len(shape.trees.base)
    out = np.zeros((len(rows), *[rules.count] * (2 if pairs else 1), outputs))
    if rules.count and len(rows) and len(shape.trees.roots):
        count = -(-len(unknown) // MOST_BACKGROUND)
        chunks = [np.ascontiguousarray(chunk.T) for chunk in np.array_split(unknown, count)]
        words = -(-chunks[0].shape[1] // BITS)
        size = _rows_together(rules, words, shape.trees.value.shape[1], outputs)
        beta = beta_table(rules.levels + 2 if (rules.narrow == 0).any() else 0)
        job = _Job(shape, rules, beta, chunks, rows, out, outputs)
        _all_blocks(job, executor, size)
    return np.concatenate([out, -out], axis=-1) if shape.mirrored else out


def values(
    forest: Any,
    X: Any,
    background: Any,
    executor: Blocks | None = None,
    *,
    players: Any = None,
    leaves: NDArray[np.bool_] | None = None,
) -> Floats:
    """Exact interventional Shapley values of the forest's sums.

    Args:
        forest: Any object with the arrays of ``core.forest.Forest``.
        X: Encoded rows (rows, features).
        background: Encoded rows that stand for "unknown" (rows, features); all of them count.
        executor: Threads to use; the same bits with any number of them.
        players: int32 (features,), the player of each column; each column its own when None.
        leaves: bool (nodes,), the leaves to count; all of them when None.

    Returns:
        float64 (rows, players, outputs); they add up to ``forest.predict`` less its mean over the background.

    Raises:
        ValueError: If the background has no rows.

    Cost: about 8 ms for one row, 1 ms a row in thousands, for 50 unlimited trees of 1,600 leaves and 100 background rows.
    Memory: at most ``MOST_BYTES`` of scratch a thread, and 16 times 8 MB of sums for each block of rows under way.
    """
    return _explain(forest, X, background, executor, (players, leaves, False))


def interactions(
    forest: Any,
    X: Any,
    background: Any,
    executor: Blocks | None = None,
    *,
    players: Any = None,
    leaves: NDArray[np.bool_] | None = None,
) -> Floats:
    """Exact interventional Shapley interaction values: half of a pair's index on each side, main effects on the diagonal.

    Args:
        forest: Any object with the arrays of ``core.forest.Forest``.
        X: Encoded rows (rows, features).
        background: Encoded rows that stand for "unknown" (rows, features); all of them count.
        executor: Threads to use; the same bits with any number of them.
        players: int32 (features,), the player of each column; each column its own when None.
        leaves: bool (nodes,), the leaves to count; all of them when None.

    Returns:
        float64 (rows, players, players, outputs), symmetric; rows add up to ``values``.

    Raises:
        ValueError: If the background has no rows.
    """
    return _explain(forest, X, background, executor, (players, leaves, True))
