"""What XGBoost and LightGBM have in common: trees in the library's own codes -> a Forest over the user's columns.

NumPy only. A reader fills ``RawTrees`` with the model's own category codes; ``to_forest`` rewrites every category set,
and every threshold on a column that the schema calls categorical, as a bit set over the schema's codes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core.errors import ModelError, UnsupportedError
from whyglass.core.forest import Forest
from whyglass.core.schema import Column, Schema
from whyglass.core.wanted import Wanted

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Bools = NDArray[np.bool_]
BLOCK = 2**24  # booleans held at once while category sets are rewritten
MOST_BITS = 2**32


@dataclass(frozen=True, eq=False)
class RawTrees:
    """Flat trees whose category sets still hold the model's own codes.

    Attributes:
        roots: int32 (trees,).
        feature: int32 (nodes,), -1 at leaves.
        threshold: float64 (nodes,), left when ``x <= threshold``.
        left: int32 (nodes,), absolute.
        right: int32 (nodes,), absolute.
        missing_left: bool (nodes,).
        categorical: bool (nodes,), whether the node tests a category set.
        member_node: int32 (members,), the node of each set member, ascending.
        member_code: int64 (members,), the member in the model's own codes.
        members_left: Whether members of a set go left (LightGBM) or right (XGBoost).
        cover: float64 (nodes,).
        value: float64 (nodes, width).
        tree_output: int32 (trees,).
        base: float64 (outputs,).
        n_features: How many columns the model has.
        link: As in Forest.
        space: As in Forest.
    """

    roots: Ints
    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    missing_left: Bools
    categorical: Bools
    member_node: Ints
    member_code: NDArray[np.int64]
    members_left: bool
    cover: Floats
    value: Floats
    tree_output: Ints
    base: Floats
    n_features: int
    link: str = "identity"
    space: str = "value"


@dataclass(frozen=True, eq=False)
class Header:
    """What a model file says about itself, apart from the trees.

    Attributes:
        objective: As the library names it.
        names: Feature names, empty when it has none.
        categories: Feature -> the category values that its codes 0, 1, ... stand for.
        category_features: Features that the model splits by category sets.
        n_features: How many columns the model has.
        n_classes: 0 for regression, 2 for binary, else the number of classes.
        refused: Why the trees cannot be expressed; empty when they can.
    """

    objective: str
    names: tuple[str, ...]
    categories: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    category_features: frozenset[int] = frozenset()
    n_features: int = 0
    n_classes: int = 0
    refused: str = ""


@contextmanager
def whole(library: str) -> Iterator[None]:
    """Turn what a damaged model file makes the reader stumble over into one sentence.

    Raises:
        ModelError: In place of a missing key, a number that is none, or arrays that do not fit together.
    """
    try:
        yield
    except ModelError:
        raise
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        msg = f"The {library} model is damaged or of an unknown version: {type(error).__name__}: {error}."
        raise ModelError(msg) from error


def checked(raw: RawTrees) -> RawTrees:
    """The trees as given, if every branch stays inside its own tree and no node has two parents.

    Raises:
        ModelError: If not: walking them would leave the arrays or never end.
    """
    nodes = len(raw.feature)
    arrays = (raw.threshold, raw.left, raw.right, raw.missing_left, raw.categorical, raw.cover, raw.value)
    inner = np.flatnonzero(raw.feature >= 0)
    ends = np.append(raw.roots[1:], nodes).astype(np.int64)
    tree = np.searchsorted(raw.roots, inner, side="right") - 1
    children = np.concatenate([raw.left[inner], raw.right[inner]]).astype(np.int64)
    first, last = np.tile(raw.roots[tree], 2), np.tile(ends[tree], 2)
    fits = len(raw.roots) == len(raw.tree_output) and all(len(a) == nodes for a in arrays) and bool((np.diff(raw.roots) > 0).all())
    inside = bool(((children > first) & (children < last)).all()) and bool((raw.feature < raw.n_features).all())
    single = inside and bool((np.bincount(children, minlength=1) <= 1).all())
    named = bool((raw.tree_output < len(raw.base)).all()) and bool((raw.member_code >= 0).all())
    if not (fits and inside and single and named):
        msg = "The model is damaged: a branch, a column or an output of its trees leads outside it."
        raise ModelError(msg)
    return raw


def needs_order(raw: RawTrees) -> bool:
    """Whether a child stands before its parent, or nodes are left that no root leads to."""
    inner = np.flatnonzero(raw.left >= 0)
    late = bool(((raw.left[inner] <= inner) | (raw.right[inner] <= inner)).any())
    return late or len(raw.roots) + 2 * len(inner) < len(raw.feature)


def in_order(raw: RawTrees) -> RawTrees:
    """Drop nodes that pruning cut off and put parents before children, trees kept whole."""
    level = np.full(len(raw.feature), -1, dtype=np.int64)
    frontier, depth = raw.roots.astype(np.int64), 0
    while len(frontier):
        level[frontier] = depth
        inner = frontier[raw.left[frontier] >= 0]
        frontier, depth = np.concatenate([raw.left[inner], raw.right[inner]]).astype(np.int64), depth + 1
    tree = np.searchsorted(raw.roots, np.arange(len(level)), side="right")
    kept = np.flatnonzero(level >= 0)
    order = kept[np.lexsort((kept, level[kept], tree[kept]))]
    place = np.full(len(level) + 1, -1, dtype=np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    alive = place[raw.member_node] >= 0
    node, code = place[raw.member_node[alive]], raw.member_code[alive]
    by_node = np.argsort(node, kind="stable")
    return replace(
        raw, roots=place[raw.roots], feature=raw.feature[order], threshold=raw.threshold[order], left=place[raw.left[order]],
        right=place[raw.right[order]], missing_left=raw.missing_left[order], categorical=raw.categorical[order],
        member_node=node[by_node], member_code=code[by_node], cover=raw.cover[order], value=raw.value[order],
    )  # fmt: skip


def code_values(column: Column, known: tuple[Any, ...] | None, *, splits_by_category: bool) -> Floats | None:
    """The number that the model sees for every schema code of a column, then for a category never seen.

    NaN stands for missing, which is also what a category unknown to the model becomes. None for a column that the
    schema calls numeric: its values reach the model as they are.

    Args:
        column: The user's column.
        known: The category values behind the model's codes, None when the model file does not hold them.
        splits_by_category: Whether the model treats the column as categorical.

    Raises:
        UnsupportedError: If a category has no number that the model could have seen.
    """
    if column.kind != "categorical":
        return None
    dtype = column.dtype.removesuffix("#").lower()
    declared = dtype.startswith(("category", "categorical", "enum", "dictionary"))
    if known is not None and declared:
        place = {value: code for code, value in enumerate(known)}
        text = {str(value): code for code, value in enumerate(known)}
        codes = [place.get(v, text.get(str(v), np.nan)) for v in column.categories]
        return np.array([*codes, np.nan], dtype=np.float64)
    if splits_by_category and declared:
        return np.array([*range(len(column.categories)), np.nan], dtype=np.float64)
    try:
        numbers = [float(v) for v in column.categories]
    except (TypeError, ValueError):
        msg = f"column {column.name!r} holds text categories, but the model has no categories for it: it was trained on other numbers"
        raise UnsupportedError(msg) from None
    booleans = any(isinstance(v, bool) for v in column.categories)
    return np.array([*numbers, np.nan if booleans or declared or not numbers else max(numbers) + 1])


def over_schema(raw: RawTrees, header: Header, schema: Schema) -> Forest:
    """The forest over the user's own columns.

    Raises:
        UnsupportedError: If a column that the trees test holds categories that the model cannot have seen.
    """
    used = set(np.unique(raw.feature).tolist())
    by_set = header.category_features | set(np.unique(raw.feature[raw.categorical]).tolist())
    columns = [
        code_values(c, header.categories.get(i), splits_by_category=i in by_set) if i in used else None
        for i, c in enumerate(schema.columns)
    ]
    return to_forest(raw, columns)


def to_forest(raw: RawTrees, columns: Sequence[Floats | None] | None = None) -> Forest:
    """Rewrite category sets over the schema's codes and drop what kernels need not know.

    Args:
        raw: The trees as the reader found them.
        columns: For each column the numbers that the model sees for its schema codes (see ``code_values``); None
            means that rows hold the model's own numbers.

    Returns:
        The forest, with the nodes in the order in which the reader gave them.
    """
    count = np.zeros(len(raw.feature), dtype=np.int32)
    start = np.full(len(raw.feature), -1, dtype=np.int32)
    unseen_left = np.zeros(len(raw.feature), dtype=np.bool_)
    words: list[NDArray[np.uint32]] = []
    used = 0
    given = columns if columns is not None else [None] * raw.n_features
    for column in np.unique(raw.feature[raw.feature >= 0]).tolist():
        numbers = given[column]
        nodes = np.flatnonzero((raw.feature == column) & (raw.categorical if numbers is None else True))
        if not len(nodes):
            continue
        size = _set_size(raw, nodes)
        if len(nodes) * max(size, 0 if numbers is None else len(numbers)) > MOST_BITS:
            msg = f"column {column} has category codes up to {size:,} in {len(nodes):,} splits, too many to hold as sets"
            raise UnsupportedError(msg)
        step = max(1, BLOCK // max(size + 2, 1 if numbers is None else len(numbers)))
        for first in range(0, len(nodes), step):
            block = nodes[first : first + step]
            goes_left = _goes_left(raw, block, numbers, size)
            bits = _pack(goes_left[:, :-1])
            start[block] = used + np.arange(len(block), dtype=np.int32) * bits.shape[1]
            count[block] = goes_left.shape[1] - 1
            unseen_left[block] = goes_left[:, -1]
            words.append(bits.ravel())
            used += bits.size
    return Forest(
        roots=raw.roots, feature=raw.feature, threshold=np.where(start >= 0, 0.0, raw.threshold), left=raw.left, right=raw.right,
        missing_left=raw.missing_left, unseen_left=unseen_left, category_start=start, category_count=count,
        category_bits=np.concatenate(words) if words else np.zeros(0, dtype=np.uint32), cover=raw.cover, value=raw.value,
        tree_output=raw.tree_output, base=raw.base, n_features=raw.n_features, link=raw.link, space=raw.space,
    )  # fmt: skip


def _members(raw: RawTrees, nodes: NDArray[np.intp]) -> slice:
    return slice(int(np.searchsorted(raw.member_node, nodes[0])), int(np.searchsorted(raw.member_node, nodes[-1], side="right")))


def _set_size(raw: RawTrees, nodes: NDArray[np.intp]) -> int:
    mine = np.isin(raw.member_node, nodes)
    return int(raw.member_code[mine].max()) + 1 if bool(mine.any()) else 0


def _goes_left(raw: RawTrees, nodes: NDArray[np.intp], numbers: Floats | None, size: int) -> Bools:
    """(nodes, codes + 1): whether each code, and last a code never seen, goes left."""
    within = _members(raw, nodes)
    place = np.searchsorted(nodes, raw.member_node[within]).clip(max=len(nodes) - 1)
    mine = nodes[place] == raw.member_node[within]
    member = np.zeros((len(nodes), size + 1), dtype=np.bool_)
    member[place[mine], raw.member_code[within][mine]] = True
    by_set = member if raw.members_left else ~member
    if numbers is None:
        return by_set
    missing = np.isnan(numbers)
    index = np.where(missing | (numbers < 0) | (numbers >= size), size, numbers).astype(np.intp)
    goes_left = np.where(raw.categorical[nodes][:, None], by_set[:, index], numbers[None, :] <= raw.threshold[nodes][:, None])
    return np.where(missing[None, :], raw.missing_left[nodes][:, None], goes_left)


def _pack(goes_left: Bools) -> NDArray[np.uint32]:
    """(nodes, codes) booleans -> (nodes, words), code c at bit c % 32 of word c // 32."""
    width = max(1, -(-goes_left.shape[1] // 32))
    padded = np.zeros((len(goes_left), width * 32), dtype=np.bool_)
    padded[:, : goes_left.shape[1]] = goes_left
    return np.packbits(padded, axis=1, bitorder="little").view("<u4").astype(np.uint32, copy=False)


def check_names(library: str, trained: tuple[str, ...], schema: Schema, *, by_position: bool) -> None:
    """Refuse data whose columns are not those of the model.

    Raises:
        ModelError: If the number, the names or the order differ; what is missing and unexpected is listed.
    """
    given = schema.names
    if by_position and len(trained) == len(given):
        return
    if tuple(trained) == tuple(given):
        return
    missing = [n for n in trained if n not in given]
    extra = [n for n in given if n not in trained]
    if len(given) != len(trained) and by_position:
        msg = f"The {library} model was trained on {len(trained)} columns; the data has {len(given)}."
    elif not missing and not extra:
        msg = f"The {library} model wants its columns in the order {list(trained)}; the data has {list(given)}."
    else:
        msg = f"The {library} model was trained on other columns. Missing: {missing or 'none'}. Not known to the model: {extra or 'none'}."
    raise ModelError(msg)


def schema_of(header: Header, wanted: Wanted) -> Schema:
    """The data's schema, or one made from what the model file says when there is no data."""
    if wanted.data is not None:
        return wanted.data.schema
    names = wanted.feature_names or header.names or tuple(f"x{i}" for i in range(header.n_features))
    columns = []
    for place, name in enumerate(names):
        known = header.categories.get(place)
        if known:
            kind = "str" if all(isinstance(v, str) for v in known) else "float64" if any(isinstance(v, float) for v in known) else "int64"
            columns.append(Column(name, kind="categorical", dtype=f"category[{kind}]", categories=tuple(known)))
        else:
            columns.append(Column(name))
    return Schema(tuple(columns))


def output_names(header: Header, classes: Any, wanted: Wanted, width: int) -> tuple[str, ...]:
    """What each column of a prediction is called: what ``wrap`` was told, the classes, or plain numbers.

    Raises:
        ModelError: If ``wrap`` was told another number of outputs.
    """
    if wanted.outputs is not None:
        if len(wanted.outputs) != width:
            msg = f"outputs names {len(wanted.outputs)} outputs, but the model gives {width}."
            raise ModelError(msg)
        return tuple(wanted.outputs)
    if classes is not None and len(classes) == width:
        return tuple(str(c) for c in classes)
    y = None if wanted.data is None else wanted.data.y
    if header.n_classes and y is not None:
        seen = np.unique(np.asarray(y))
        if len(seen) == width:
            return tuple(str(c) for c in seen)
    if header.n_classes:
        return tuple(str(i) for i in range(width))
    return ("prediction",) if width == 1 else tuple(f"output {i}" for i in range(width))


def softmax(margin: Floats) -> Floats:
    """Probabilities of each row of margins."""
    size = np.exp(margin - margin.max(axis=1, keepdims=True))
    return np.asarray(size / size.sum(axis=1, keepdims=True))


def both_classes(positive: Floats) -> Floats:
    """(rows,) probability of the positive class -> (rows, 2)."""
    flat = np.asarray(positive, dtype=np.float64).reshape(-1)
    return np.column_stack([1.0 - flat, flat])
