"""What an ONNX graph takes and answers, and whether it is nothing but one tree ensemble over its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from whyglass.adapters.models.onnx_trees import OPERATORS, Nodes, read
from whyglass.core.errors import ModelError, UnsupportedError

TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(int16)": np.int16,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
}
FLOAT, DOUBLE = 1, 11  # element types, as the format counts them
NUMBERS = {"tensor(float)": True, "tensor(double)": False, "tensor(int64)": True, "tensor(int32)": True}  # type -> compared as float32
ANSWERS = ("seq(map(", "tensor(float", "tensor(double", "tensor(int", "tensor(uint", "tensor(bool")


@dataclass(frozen=True)
class Input:
    """One input of a graph: some of the table's columns.

    Attributes:
        name: As the graph calls it.
        kind: Its type, such as "tensor(float)".
        columns: Places of its columns among those of all inputs.
        flat: Whether it takes (rows,) rather than (rows, columns).
    """

    name: str
    kind: str
    columns: range
    flat: bool


def inputs(session: Any, columns: int | None) -> tuple[Input, ...]:
    """The inputs of a graph over a table.

    Args:
        session: An ``onnxruntime.InferenceSession``.
        columns: How many columns the data has, None when there is none.

    Raises:
        ModelError: If an input is no table column or table, or the number of columns cannot be told.
    """
    given = session.get_inputs()
    found: list[Input] = []
    start = 0
    for one in given:
        shape = list(one.shape)
        if one.type not in TYPES or not 1 <= len(shape) <= 2:
            takes = ", ".join(f"{g.name}: {g.type} {list(g.shape)}" for g in given)
            msg = f"This ONNX model takes {takes}. A table has rows and columns, so each input must be (rows, columns) or (rows,)."
            raise ModelError(msg)
        width = 1 if len(shape) == 1 else shape[1]
        if not isinstance(width, int):
            if columns is None:
                msg = f"The ONNX model does not say how many columns its input {one.name!r} has. Pass rows: wrap(model, X)."
                raise ModelError(msg)
            width = columns if len(given) == 1 else 1
        found.append(Input(one.name, one.type, range(start, start + width), len(shape) == 1))
        start += width
    return tuple(found)


def output(session: Any) -> tuple[str, bool]:
    """The output that holds probabilities or values, and whether a label stands beside it.

    Raises:
        ModelError: If there are labels in words only.
    """
    given = session.get_outputs()
    for beginning in ANSWERS:
        for one in given:
            if one.type.startswith(beginning):
                return one.name, len(given) > 1 and any(o.type in ("tensor(int64)", "tensor(string)") for o in given if o is not one)
    answers = ", ".join(f"{g.name}: {g.type}" for g in given)
    msg = f"This ONNX model answers {answers}. Wanted probabilities or numbers: export it with them."
    raise ModelError(msg)


def classes(graph: Any) -> tuple[str, ...]:
    """Names of the classes, where an operator of the graph holds them."""
    for node in reversed(graph.node):
        held = attributes(node)
        for key in ("classlabels_strings", "classlabels_int64s", "classlabels_ints"):
            if len(held.get(key, ())):
                return tuple(str(v) for v in held[key])
    return ()


def attributes(node: Any) -> dict[str, Any]:
    """A node's attributes: text decoded, tensors as arrays."""
    found: dict[str, Any] = {}
    for attribute in node.attribute:
        value = onnx.helper.get_attribute_value(attribute)
        if isinstance(value, onnx.TensorProto):
            value = numpy_helper.to_array(value)
        elif isinstance(value, bytes):
            value = value.decode()
        elif isinstance(value, (list, tuple)) or hasattr(value, "extend"):
            value = [v.decode() if isinstance(v, bytes) else v for v in value]
        found[attribute.name] = value
    return found


@dataclass(frozen=True, eq=False)
class Found:
    """A tree operator and what reaches it.

    Attributes:
        nodes: Its trees.
        columns: Column of the operator's input -> place among the columns of all inputs.
        single: Whether values are rounded to float32 before they are compared.
    """

    nodes: Nodes
    columns: tuple[int, ...]
    single: bool


def find_trees(graph: Any, taken: Sequence[Input], answer: str) -> Found:
    """The one tree ensemble that the graph's answer is.

    Raises:
        UnsupportedError: If anything beside changes of type stands before or after the trees; the operator is named.
        ModelError: If the trees are damaged.
    """
    operators = [node.op_type for node in graph.node]
    if not set(operators) & set(OPERATORS):
        said = ", ".join(dict.fromkeys(operators[:8])) or "no operators"
        msg = f"the graph holds no tree ensemble, but {said}"
        raise UnsupportedError(msg)
    made = {name: (node, place) for node in graph.node for place, name in enumerate(node.output)}
    node, place = _follow(answer, made)
    if node.op_type == "TreeEnsembleClassifier" and place != 1:
        msg = "its answer is a label, which is no sum over trees"
        raise UnsupportedError(msg)
    columns = _sources(node.input[0], made, {one.name: one for one in taken})
    if len({single for _, single in columns}) > 1:
        msg = "some of its columns are rounded to float32 before the trees and others are not"
        raise UnsupportedError(msg)
    return Found(read(node.op_type, attributes(node)), tuple(c for c, _ in columns), columns[0][1])


def _follow(name: str, made: Mapping[str, tuple[Any, int]]) -> tuple[Any, int]:
    """From the answer back to the tree operator, through changes of type only."""
    while name in made:
        node, place = made[name]
        if node.op_type in OPERATORS:
            return node, place
        if node.op_type not in ("Identity", "ZipMap") and not (node.op_type == "Cast" and attributes(node)["to"] in (FLOAT, DOUBLE)):
            msg = f"its trees are followed by {node.op_type}, so that its answer is no sum over trees"
            raise UnsupportedError(msg)
        name = node.input[0]
    msg = "its answer does not come from its trees"
    raise UnsupportedError(msg)


def _sources(name: str, made: Mapping[str, tuple[Any, int]], taken: Mapping[str, Input]) -> list[tuple[int, bool]]:
    """(column, rounded to float32) of every column of a tensor, left to right."""
    if name in taken:
        one = taken[name]
        if one.kind not in NUMBERS or one.flat:
            msg = f"its input {name!r} of {one.kind} reaches the trees in another form"
            raise UnsupportedError(msg)
        return [(column, NUMBERS[one.kind]) for column in one.columns]
    node = made[name][0] if name in made else None
    if node is not None and node.op_type == "Identity":
        return _sources(node.input[0], made, taken)
    if node is not None and node.op_type == "Cast" and attributes(node)["to"] in (FLOAT, DOUBLE):
        single = attributes(node)["to"] == FLOAT
        return [(column, single or before) for column, before in _sources(node.input[0], made, taken)]
    joins = node is not None and (node.op_type == "FeatureVectorizer" or (node.op_type == "Concat" and attributes(node)["axis"] in (1, -1)))
    if node is not None and joins:
        return [part for source in node.input for part in _sources(source, made, taken)]
    said = "a constant" if node is None else node.op_type
    msg = f"what reaches its trees has gone through {said}"
    raise UnsupportedError(msg)


def feed(taken: Sequence[Input], columns: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The columns of a table as the graph's inputs.

    Raises:
        ModelError: If a column is of another type than the graph takes.
    """
    given: dict[str, NDArray[Any]] = {}
    for one in taken:
        parts = [_typed(columns[place], one) for place in one.columns]
        given[one.name] = parts[0] if one.flat else np.ascontiguousarray(np.column_stack(parts))
    return given


def _typed(column: NDArray[Any], one: Input) -> NDArray[Any]:
    wanted = np.dtype(TYPES[one.kind])
    if wanted.kind == "O":
        return np.array(["" if v is None or v != v else str(v) for v in column.tolist()], dtype=object)  # noqa: PLR0124  (NaN)
    try:
        numbers = np.asarray(column, dtype=np.float64)
    except (TypeError, ValueError):
        msg = f"The ONNX input {one.name!r} takes numbers ({one.kind}); the column holds {column.dtype}."
        raise ModelError(msg) from None
    if wanted.kind in "iub":
        with np.errstate(invalid="ignore", over="ignore"):
            whole = numbers.astype(wanted)
        if not bool((whole == numbers).all()):
            msg = f"The ONNX input {one.name!r} takes {one.kind}; the column holds {numbers[whole != numbers][0]!r}."
            raise ModelError(msg)
        return whole
    with np.errstate(over="ignore"):
        return numbers.astype(wanted)
