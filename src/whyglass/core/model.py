"""A wrapped model: what it can do, over which columns, with which outputs. Explainers ask for capabilities, never classes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core import registry
from whyglass.core.errors import ModelError, UnsupportedError, nearest
from whyglass.core.forest import Forest, Linear
from whyglass.core.once import Once
from whyglass.core.schema import Dataset, Schema

Matrix = NDArray[np.float64]
_SHOWN = 8  # outputs named when a model is printed


class Calls:
    """How often the user's model was called, and with how many rows; safe to count from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.calls = 0
        self.rows = 0

    def count(self, rows: int) -> None:
        """Record one call with this many rows."""
        with self._lock:
            self.calls += 1
            self.rows += rows

    def snapshot(self) -> tuple[int, int]:
        """(calls, rows) so far."""
        with self._lock:
            return self.calls, self.rows


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """Any model plus the data that gives it a schema.

    Attributes:
        name: The class of the wrapped model, as its library calls it.
        kind: What a person would call it, such as "gradient-boosted trees, 90 trees".
        task: "classification" or "regression".
        outputs: Name of each column of a prediction: the classes, or the target.
        schema: The user's own columns.
        abilities: Capability -> function. "predict" takes a frame of the caller's kind and gives (rows, outputs);
            "trees" takes nothing and gives a Forest; "linear" gives a Linear.
        data: What was given to ``wrap``, encoded; None when nothing was.
        model_hash: Content hash of the model.
        provenance: What ``wrap`` itself did, e.g. calls made while checking the compiled predictor.
    """

    name: str
    kind: str
    task: str
    outputs: tuple[str, ...]
    schema: Schema
    abilities: Mapping[str, Callable[..., Any]]
    data: Dataset | None = None
    frame: str = "numpy"
    model_hash: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)
    counter: Calls = field(default_factory=Calls)
    _once: Once = field(default_factory=Once)

    def __repr__(self) -> str:
        names = ", ".join(self.outputs[:_SHOWN]) + (f" and {len(self.outputs) - _SHOWN} more" if len(self.outputs) > _SHOWN else "")
        rows = "without rows" if self.data is None else f"with {len(self.data):,} {self.rows_are}"
        return (
            f"Model: {self.name} ({self.kind}), {self.task} over {len(self.schema)} columns, wrapped {rows}\n"
            f"  outputs: {names}\n"
            f"  can: {', '.join(sorted(self.can))}"
        )

    @property
    def rows_are(self) -> str:
        """What ``data`` holds, in words: the training rows, or what ``explain`` was given when nothing else was."""
        return str(self.provenance.get("rows_are", "training rows"))

    @property
    def can(self) -> frozenset[str]:
        """The capabilities: "predict", "trees", "linear", "grad", "embed", "per_example_grad", "refit"."""
        return frozenset(self.abilities)

    def ability(self, name: str) -> Callable[..., Any]:
        """The function behind a capability.

        Raises:
            UnsupportedError: If the model cannot do that; what it can do is listed.
        """
        if name not in self.abilities:
            msg = f"{self.name} cannot give {name!r}. {nearest(name, self.can)}"
            raise UnsupportedError(msg)
        return self.abilities[name]

    def trees(self) -> Forest:
        """The flat forest, read once."""
        forest: Forest = self._once.get("trees", self.ability("trees"))
        return forest

    def linear(self) -> Linear:
        """Coefficients over the user's own columns, read once."""
        linear: Linear = self._once.get("linear", self.ability("linear"))
        return linear

    def predict(self, X: Any) -> Matrix:
        """Predict rows given in any frame: float64 (rows, outputs), probabilities for classifiers.

        Raises:
            InputError: If columns are missing or of the wrong kind.
            ModelError: If the model answers with the wrong shape.
        """
        data = self.encode(X)
        return self.predict_matrix(data.matrix)

    def encode(self, X: Any, y: Any = None) -> Dataset:
        """Read a frame by this model's schema."""
        read: Callable[..., Dataset] = registry.load("frames", "reader")
        return read(X, schema=self.schema, y=y)

    def predict_matrix(self, matrix: Matrix) -> Matrix:
        """Predict encoded rows by asking the user's model in the caller's kind of frame; counted.

        Args:
            matrix: float64 (rows, columns), encoded by the schema.

        Returns:
            float64 (rows, outputs).

        Raises:
            ModelError: If the answer has the wrong number of rows or outputs.
        """
        if len(matrix) == 0:
            return np.empty((0, len(self.outputs)))
        write: Callable[..., Any] = registry.load("frames", "writer")
        frame = write(matrix, self.schema, self.frame)
        self.counter.count(len(matrix))
        answer = np.asarray(self.ability("predict")(frame), dtype=np.float64)
        if answer.ndim == 1:
            answer = answer[:, None]
        if answer.shape != (len(matrix), len(self.outputs)):
            wanted = f"({len(matrix)}, {len(self.outputs)}): one row each, outputs {list(self.outputs)}"
            msg = f"{self.name} answered with shape {answer.shape}, wanted {wanted}."
            raise ModelError(msg)
        return answer
