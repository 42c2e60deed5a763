"""The form in which a tree ensemble or a linear model travels into a page, small and with the same routing to the last bit.

A forest becomes a few byte streams that a page decodes in one pass (``frontend/src/parts/forest.ts``):

- nodes in preorder, one number each: 0 for a leaf, else 1 + slot, where a slot is a column tested in one way (by number or
  by category). The left child follows its parent; where the right one begins is where the left subtree ends.
- per inner node one rank: of its threshold among the slot's sorted float64 cut points, so that a value is compared once per
  column and a node compares two small integers; or of its set among the slot's distinct category sets, each one bit a
  category, then one for missing, then one for unseen.
- leaf values as float32 where no prediction can be off by more than ``TOLERANCE``, else as a table of the distinct
  float64 values and an index where that is smaller, else as float64. Numbers of more than one byte are stored byte plane by
  byte plane, which compresses better.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whyglass.core import container
from whyglass.core.forest import Forest, Linear

VERSION = 1
TOLERANCE = 5e-7
MOST_NODES = 2_000_000
MOST_DISTINCT = 65_536
_SLOPES = {"identity": 1.0, "sigmoid": 0.25, "softmax": 0.5, "exp": np.inf}

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class _Slots(NamedTuple):
    """Which columns are tested and how, and what each inner node says in these terms."""

    table: list[list[int]]
    node_slot: Ints
    rank: Ints
    streams: dict[str, bytes]


def pack(model: Forest | Linear) -> tuple[bytes, dict[str, Any]] | None:
    """Put a model into the form that a page evaluates.

    Args:
        model: What the adapter read.

    Returns:
        The bytes (a ``core.container``, complete in itself) and a small JSON description: kind, link, space, outputs,
        error (the most that a prediction in the page can differ, before float64 rounding), trees, nodes. None when a
        forest has more than ``MOST_NODES`` nodes and is better left where it is.

    Cost: one sort of the thresholds of each column, and one pass over the nodes per level of depth.
    """
    if isinstance(model, Linear):
        return _pack_linear(model)
    if len(model.feature) > MOST_NODES:
        return None
    order = _preorder(model)
    feature = model.feature[order]
    leaf = feature < 0
    slots = _slots(model, order[~leaf])
    nodes = np.zeros(len(order), np.int64)
    nodes[~leaf] = slots.node_slot + 1
    sizes = np.diff(np.append(np.flatnonzero(_is_root(model, order)), len(order)))
    values, how = _leaf_values(model, order[leaf], np.repeat(np.arange(model.n_trees), sizes)[leaf])
    head = {
        "version": VERSION,
        "kind": "forest",
        "features": model.n_features,
        "trees": model.n_trees,
        "nodes": len(order),
        "base": [float(b) for b in model.base],
        "link": model.link,
        "space": model.space,
        "slots": slots.table,
        "node_bytes": _width(nodes),
        "rank_bytes": _width(slots.rank),
        **how,
    }
    streams = {
        "nodes": _planes(nodes, _width(nodes)),
        "ranks": _planes(slots.rank, _width(slots.rank)),
        **slots.streams,
        **values,
        "tree_output": np.ascontiguousarray(model.tree_output, "<i2").tobytes(),
    }
    return container.pack({"head": json.dumps(head, allow_nan=False).encode(), **streams}), _about(head, model.n_outputs)


def _about(head: dict[str, Any], outputs: int) -> dict[str, Any]:
    return {"outputs": outputs, **{k: head[k] for k in ("kind", "link", "space", "error", "trees", "nodes") if k in head}}


def _levels(model: Forest) -> list[Ints]:
    levels = [model.roots.astype(np.int64)]
    while len(levels[-1]):
        inner = levels[-1][model.feature[levels[-1]] >= 0]
        levels.append(np.concatenate([model.left[inner], model.right[inner]]).astype(np.int64))
    return levels[:-1]


def _preorder(model: Forest) -> Ints:
    """Node numbers, tree by tree, parent, left subtree, right subtree."""
    size = np.ones(len(model.feature), np.int64)
    levels = _levels(model)
    for level in reversed(levels):
        inner = level[model.feature[level] >= 0]
        size[inner] += size[model.left[inner]] + size[model.right[inner]]
    place = np.zeros(len(model.feature), np.int64)
    place[model.roots] = np.cumsum(size[model.roots]) - size[model.roots]
    for level in levels:
        inner = level[model.feature[level] >= 0]
        place[model.left[inner]] = place[inner] + 1
        place[model.right[inner]] = place[inner] + 1 + size[model.left[inner]]
    reached = np.concatenate(levels) if levels else np.zeros(0, np.int64)
    order = np.zeros(len(reached), np.int64)
    order[place[reached]] = reached
    return order


def _is_root(model: Forest, order: Ints) -> NDArray[np.bool_]:
    root = np.zeros(len(model.feature), np.bool_)
    root[model.roots] = True
    return root[order]


def _slots(model: Forest, inner: Ints) -> _Slots:
    feature = model.feature[inner].astype(np.int64)
    by_category = model.category_start[inner] >= 0
    keys, node_slot = np.unique(feature * 2 + by_category, return_inverse=True)
    rank = np.zeros(len(inner), np.int64)
    table: list[list[int]] = []
    cuts: list[Floats] = []
    sets: list[bytes] = []
    for slot, key in enumerate(keys):
        here = np.flatnonzero(node_slot == slot)
        if key % 2:
            rows = _sets(model, inner[here])
            found, rank[here] = _distinct(np.packbits(rows, axis=1, bitorder="little"))
            sets.append(found.tobytes())
            table.append([int(key // 2), 1, rows.shape[1] - 2, len(found)])
        else:
            points, rank[here] = np.unique(model.threshold[inner[here]], return_inverse=True)
            cuts.append(points)
            table.append([int(key // 2), 0, len(points), 0])
    streams = {
        "cuts": _float_planes(np.concatenate(cuts) if cuts else np.zeros(0), np.float64),
        "sets": b"".join(sets),
        "missing": np.packbits(model.missing_left[inner[~by_category]], bitorder="little").tobytes(),
    }
    return _Slots(table, node_slot, rank, streams)


def _sets(model: Forest, nodes: Ints) -> NDArray[np.bool_]:
    """One row a node: which codes go left, then missing, then unseen."""
    count = model.category_count[nodes][:, None]
    most = int(count.max())
    code = np.arange(most)[None, :]
    word = model.category_start[nodes][:, None] + (code >> 5)
    known = (model.category_bits[np.minimum(word, len(model.category_bits) - 1)] >> (code & 31).astype(np.uint32)) & 1
    unseen = model.unseen_left[nodes][:, None]
    left = np.where(code < count, known.astype(np.bool_), unseen)
    return np.hstack([left, model.missing_left[nodes][:, None], unseen])


def _distinct(rows: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Ints]:
    found, which = np.unique(rows, axis=0, return_inverse=True)
    return found, which.reshape(-1).astype(np.int64)


def _leaf_values(model: Forest, leaves: Ints, tree: Ints) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The streams of the leaf values, and what the head says of them."""
    value = model.value[leaves]
    width = value.shape[1]
    total = None
    if width > 1 and len(value) and np.allclose(value.sum(axis=1), value[0].sum(), rtol=0, atol=1e-13):
        total = float(value[0].sum())  # probabilities of all classes: the first one is what the others leave
        value = value[:, 1:]
    flat = np.ascontiguousarray(value).reshape(-1)
    about = {"width": width, "total": total}
    error = _float32_error(model, value, tree, rest=total is not None)
    if error <= TOLERANCE:
        return {"values": _float_planes(flat, np.float32)}, {**about, "values": "float32", "error": error}
    distinct, index = np.unique(flat, return_inverse=True)
    size = _width(index)
    if len(distinct) <= MOST_DISTINCT and len(distinct) * 8 + len(flat) * size < len(flat) * 8:
        streams = {"values": _float_planes(distinct, np.float64), "index": _planes(index, size)}
        return streams, {**about, "values": "distinct", "index_bytes": size, "error": 0.0}
    return {"values": _float_planes(flat, np.float64)}, {**about, "values": "float64", "error": 0.0}


def _float32_error(model: Forest, value: Floats, tree: Ints, *, rest: bool) -> float:
    """The most that float32 leaves can move a prediction: the worst leaf of every tree, through the link's steepest slope."""
    if not len(value):
        return 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        off = np.abs(value.astype(np.float32).astype(np.float64) - value)
    off = np.where(np.isfinite(off), off, np.inf)
    worst = np.zeros((model.n_trees, value.shape[1]))
    np.maximum.at(worst, tree, off)
    if value.shape[1] == 1 and model.n_outputs > 1 and not rest:
        total = float(np.bincount(model.tree_output, worst[:, 0]).max())
    else:
        total = float(worst.sum(axis=0).sum() if rest else worst.sum(axis=0).max())
    return 0.0 if total == 0 else total * _SLOPES.get(model.link, np.inf)


def _pack_linear(model: Linear) -> tuple[bytes, dict[str, Any]]:
    head = {
        "version": VERSION,
        "kind": "linear",
        "features": model.coefficients.shape[1],
        "intercept": [float(b) for b in model.intercept],
        "link": model.link,
        "space": model.space,
        "tables": [[int(j), table.shape[1] - 2] for j, table in model.tables.items()],
        "error": 0.0,
    }
    streams = {
        "coefficients": np.ascontiguousarray(model.coefficients, "<f8").tobytes(),
        "missing": np.ascontiguousarray(model.missing, "<f8").tobytes(),
        "tables": b"".join(np.ascontiguousarray(table, "<f8").tobytes() for table in model.tables.values()),
    }
    return container.pack({"head": json.dumps(head, allow_nan=False).encode(), **streams}), _about(head, model.n_outputs)


def _width(numbers: Ints) -> int:
    """Bytes that the largest number needs: 1, 2 or 4."""
    most = int(numbers.max()) if len(numbers) else 0
    return 1 if most < 1 << 8 else 2 if most < 1 << 16 else 4


def _planes(numbers: Ints, width: int) -> bytes:
    little = np.ascontiguousarray(numbers, f"<u{width}")
    return little.view(np.uint8).reshape(-1, width).T.tobytes()


def _float_planes(numbers: Floats, kind: type[np.floating[Any]]) -> bytes:
    little = np.ascontiguousarray(numbers, np.dtype(kind).newbyteorder("<"))
    return little.view(np.uint8).reshape(-1, little.itemsize).T.tobytes()
