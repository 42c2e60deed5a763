"""ONNX models: tree ensembles become a forest, any other graph over a table is a function.

The graph is run by onnxruntime on one thread, so that its answers do not depend on the machine. Its trees are offered only
when nothing but changes of type stands before and after them, and when they answer as the graph does on rows that lie on
the borders of their splits. A file holds no training weights: rows of ``wrap`` are counted instead.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from whyglass.adapters.models import boosting, callable, compared, onnx_graph, onnx_trees, routing  # noqa: A004  (the adapter of that name)
from whyglass.adapters.models.boosting import Floats
from whyglass.adapters.models.onnx_graph import Input
from whyglass.core.errors import ModelError, UnsupportedError
from whyglass.core.forest import Forest
from whyglass.core.model import Model
from whyglass.core.schema import Column, Dataset, Schema
from whyglass.core.wanted import Wanted

CHECKED = 50  # rows that trees and graph are both asked about
COUNTED = 2**24  # (row, tree) pairs walked for training weights at most


@dataclass(frozen=True, eq=False)
class OnnxModel:
    """A graph that is asked in the caller's kind of frame.

    Attributes:
        session: The onnxruntime session.
        taken: Its inputs.
        order: For each column that the graph takes, which of the user's columns it is.
        answer: Name of the output that is read.
        classes_: Names of the classes, or None.
    """

    session: Any
    taken: tuple[Input, ...]
    order: tuple[int, ...]
    answer: str
    classes_: NDArray[np.object_] | None

    def __call__(self, frame: Any) -> Floats:
        """The graph's answers, float64 (rows, outputs)."""
        kind = type(frame).__module__.partition(".")[0]
        if kind in {"polars", "pyarrow"}:
            frame, kind = frame.to_pandas(), "pandas"
        columns = [frame.iloc[:, i].to_numpy() if kind == "pandas" else np.asarray(frame)[:, i] for i in self.order]
        [answer] = self.session.run([self.answer], onnx_graph.feed(self.taken, columns))
        if isinstance(answer, list):
            labels = list(answer[0]) if answer else []
            answer = [[row[label] for label in labels] for row in answer]
        numbers = np.asarray(answer, dtype=np.float64)
        return numbers.reshape(len(frame), -1)


def adapt(estimator: Any, wanted: Wanted) -> Model:
    """Wrap an ONNX model over a table: the bytes of a file, an ``onnx.ModelProto`` or an ``onnxruntime.InferenceSession``.

    Args:
        estimator: The model; it takes one tensor (rows, columns), or one input a column.
        wanted: What ``wrap`` was told.

    Returns:
        A model with "predict", and "trees" where they are exact; why not stands in ``provenance["refused"]``.

    Raises:
        ModelError: If it is no ONNX model, or takes something else than a table.
    """
    session, proto, raw = _open(estimator)
    taken = onnx_graph.inputs(session, None if wanted.data is None else len(wanted.data.schema))
    answer, _ = onnx_graph.output(session)
    data = wanted.data if wanted.data is not None else _blank(taken, wanted)
    order = _order(taken, data)
    names = onnx_graph.classes(proto.graph) if proto is not None else ()
    asked = OnnxModel(session, taken, order, answer, np.array(names, dtype=object) if names else None)
    wrapped = callable.adapt(asked, replace(wanted, data=data))
    refused = {"linear": "an ONNX graph is not read as a linear model", "grad": "an ONNX graph gives no gradients"}
    spent = {key: int(wrapped.provenance[key]) for key in ("wrap_calls", "wrap_rows")}
    abilities, said, trees = dict(wrapped.abilities), {}, 0
    try:
        held = _trees(asked, proto, wrapped, None if wanted.data is None else wanted.data.matrix, spent)
        abilities["trees"] = held.trees
        said, trees = held.said, held.forest.n_trees
    except (UnsupportedError, ModelError) as error:
        refused["trees"] = str(error)
    return replace(
        wrapped,
        name="OnnxModel",
        kind=_kind(proto, trees),
        abilities=abilities,
        data=wanted.data,
        model_hash=hashlib.blake2b(raw + data.schema.content_hash().encode(), digest_size=16).hexdigest(),
        provenance={"library": f"onnxruntime {onnxruntime.__version__}", "output": answer, "refused": refused, **spent, **said},
    )


def _kind(proto: Any, trees: int) -> str:
    if trees:
        return f"tree ensemble in ONNX, {trees:,} tree{'s' if trees > 1 else ''}"
    return "an ONNX graph" if proto is None else f"an ONNX graph of {len(proto.graph.node):,} operators"


def _open(estimator: Any) -> tuple[Any, Any, bytes]:
    """The session, the parsed model (None when a session does not show it), and bytes that identify it.

    Raises:
        ModelError: If it is no ONNX model.
    """
    if isinstance(estimator, onnxruntime.InferenceSession):
        # no public name for what a session was made from
        raw, path = getattr(estimator, "_model_bytes", None), getattr(estimator, "_model_path", None)
        if raw is None and path and Path(path).is_file():
            raw = Path(path).read_bytes()
        parsed = None if raw is None else onnx.load_model_from_string(raw)
        return estimator, parsed, raw or repr([(i.name, i.type, i.shape) for i in estimator.get_inputs()]).encode()
    raw = estimator if isinstance(estimator, bytes) else estimator.SerializeToString(deterministic=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        parsed = onnx.load_model_from_string(raw)
        session = onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # both libraries have exceptions of their own, without a common root
        msg = f"This is no ONNX model that onnxruntime runs: {str(error).strip().splitlines()[0]}"
        raise ModelError(msg) from error
    return session, parsed, raw


def _names(taken: tuple[Input, ...]) -> tuple[str, ...]:
    """The graph's own names of its columns, empty when it has none."""
    return tuple(one.name for one in taken) if len(taken) > 1 and all(len(one.columns) == 1 for one in taken) else ()


def _blank(taken: tuple[Input, ...], wanted: Wanted) -> Dataset:
    """One row of zeros over the columns that the graph takes.

    Raises:
        UnsupportedError: If it takes text, as no categories are known.
    """
    if any(one.kind == "tensor(string)" for one in taken):
        msg = "The ONNX model takes text, and does not say which categories there are. Pass its training rows: wrap(model, X)."
        raise UnsupportedError(msg)
    count = taken[-1].columns.stop if taken else 0
    titles = wanted.feature_names or _names(taken) or tuple(f"x{i}" for i in range(count))
    if len(titles) != count:
        msg = f"feature_names has {len(titles)} names, the ONNX model takes {count} columns."
        raise ModelError(msg)
    return Dataset(Schema(tuple(Column(name=n) for n in titles)), np.zeros((1, count)))


def _order(taken: tuple[Input, ...], data: Dataset) -> tuple[int, ...]:
    """For each column that the graph takes, which of the user's columns it is: by name where all names are known, else by place.

    Raises:
        ModelError: If there are more or fewer columns than it takes.
    """
    count = taken[-1].columns.stop if taken else 0
    if count != len(data.schema):
        msg = f"The ONNX model takes {count} columns; the data has {len(data.schema)}."
        raise ModelError(msg)
    # converters spell names without signs, such as "hours per week" as "hours_per_week"
    names, own = ([re.sub(r"[\W_]", "", n) for n in held] for held in (_names(taken), data.schema.names))
    if names and len(set(names)) == count and sorted(names) == sorted(own):
        return tuple(own.index(n) for n in names)
    return tuple(range(count))


@dataclass(frozen=True, eq=False)
class _Held:
    """A forest that answers as the graph does.

    Attributes:
        forest: Without training weights, unless the file has them.
        rows: Rows to count in their place, or None.
        said: What stands in the model's provenance.
    """

    forest: Forest
    rows: Floats | None
    said: dict[str, Any]

    def trees(self) -> Forest:
        """The forest with its weights."""
        return self.forest if self.rows is None else replace(self.forest, cover=routing.counts(self.forest, self.rows))


def _trees(asked: OnnxModel, proto: Any, wrapped: Model, rows: Floats | None, spent: dict[str, int]) -> _Held:
    """The graph's trees, checked against it.

    Raises:
        UnsupportedError: If the graph is no plain tree ensemble, or its trees answer otherwise than it does.
        ModelError: If its trees are damaged.
    """
    if proto is None:
        msg = "the session does not show the graph that it was made from"
        raise UnsupportedError(msg)
    found = onnx_graph.find_trees(proto.graph, asked.taken, asked.answer)
    columns = [asked.order[c] for c in found.columns]
    raw, codes = onnx_trees.to_raw(found.nodes, columns, wrapped.schema, single=found.single)
    weighed = onnx_trees.weighed(raw)
    if not weighed and rows is None:
        msg = "its file holds no training weight per node: pass its training rows, wrap(model, X)"
        raise UnsupportedError(msg)
    forest = _both_sides(boosting.to_forest(raw, codes), len(wrapped.outputs))
    forest = _checked(forest, found.nodes.other, asked, wrapped, spent)
    if weighed or rows is None:
        return _Held(forest, None, {"weights": "as written in the file"})
    most = max(1000, COUNTED // max(forest.n_trees, 1))
    counted = rows[np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.intp))]
    said = {"weights": f"the file holds none: {len(counted):,} rows that wrap was given are counted at each node instead"}
    return _Held(forest, counted, said)


def _both_sides(forest: Forest, outputs: int) -> Forest:
    """A sum that is one class's probability, made to give both; of two sums that are each other's negative, the second.

    Raises:
        UnsupportedError: If the trees have another number of outputs than the model.
    """
    if forest.n_outputs == 1 and outputs == 2 and forest.link == "identity":
        value, base = np.hstack([-forest.value, forest.value]), np.array([1.0 - forest.base[0], forest.base[0]])
        return replace(forest, value=value, base=base, tree_output=np.full(forest.n_trees, -1, np.int32), space="probability")
    mirrored = forest.n_outputs == 2 and forest.link == "sigmoid" and bool(forest.base[0] == -forest.base[1])
    if mirrored and forest.value.shape[1] == 2 and bool((forest.value[:, 0] == -forest.value[:, 1]).all()):
        forest = replace(forest, value=forest.value[:, 1:], base=forest.base[1:], tree_output=np.zeros(forest.n_trees, np.int32))
    given = 2 if forest.n_outputs == 1 and outputs == 2 and forest.link == "sigmoid" else forest.n_outputs
    if given != outputs:
        msg = f"its trees have {forest.n_outputs} outputs, its answers {outputs}"
        raise UnsupportedError(msg)
    return forest


def _checked(forest: Forest, other: str, asked: OnnxModel, wrapped: Model, spent: dict[str, int]) -> Forest:
    """The forest, or the forest with the other link: what answers as the graph does on the borders of splits.

    Raises:
        UnsupportedError: If both disagree with it by more than float32 sums can.
    """
    rows = _edges(forest, asked, wrapped)
    answer = compared.ask(wrapped, rows)
    spent["wrap_calls"], spent["wrap_rows"] = spent["wrap_calls"] + 1, spent["wrap_rows"] + len(rows)
    for one in (forest, replace(forest, link=other)) if other else (forest,):
        if compared.agrees(one, rows, answer):
            return one
    raise UnsupportedError(compared.DISAGREE)


def _edges(forest: Forest, asked: OnnxModel, wrapped: Model) -> Floats:
    """Rows of the data whose values are moved onto thresholds, beside them, and to missing, where the graph can take that."""
    data = wrapped.data
    matrix = np.zeros((1, forest.n_features)) if data is None else data.matrix
    rng = np.random.default_rng(0)
    rows = np.array(matrix[rng.integers(len(matrix), size=CHECKED)])
    kinds = {asked.order[place]: one.kind for one in asked.taken for place in one.columns}
    for place, column in enumerate(wrapped.schema.columns):
        if column.kind == "categorical":
            rows[:, place] = rng.integers(0, max(len(column.categories), 1), CHECKED)
            continue
        limits = np.unique(forest.threshold[(forest.feature == place) & np.isfinite(forest.threshold)])
        if not len(limits) or not kinds[place].startswith(("tensor(float)", "tensor(double)")):
            continue
        limits = np.concatenate([limits, np.nextafter(limits, np.inf)])
        moved = rng.random(CHECKED) < 0.5
        rows[moved, place] = rng.choice(limits, int(moved.sum()))
        rows[rng.random(CHECKED) < 0.1, place] = np.nan
    return rows
