"""Any function from a frame to (rows,) or (rows, outputs)."""

from __future__ import annotations

import hashlib
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyglass.core import registry
from whyglass.core.errors import InputError, ModelError, nearest
from whyglass.core.model import Model
from whyglass.core.schema import Dataset
from whyglass.core.wanted import Wanted

Floats = NDArray[np.float64]
SAMPLE = 50
MOST_CLASSES = 20
SUM_ERROR = 1e-3
TASKS = ("classification", "regression")


def adapt(estimator: Any, wanted: Wanted) -> Model:
    """Wrap a function.

    It is asked about at most 50 rows of the data once, to see what it answers; if that fails, about each of them alone.
    What that took stands in ``provenance["wrap_calls"]`` and ``["wrap_rows"]``.

    Args:
        estimator: Takes the kind of frame that was given as data (same columns and dtypes), answers (rows,) or (rows, outputs).
        wanted: ``data`` is needed. Without ``task``, answers are probabilities if every row of several sums to 1, or if one
            column lies in [0, 1] and ``data.y`` has two classes. One column of probabilities is that of the second class.

    Returns:
        A Model that can "predict".

    Raises:
        InputError: If there is no data, or the task is unknown.
        ModelError: If the function raises on every sampled row, or answers something else than one row of numbers a row.
    """
    name = named(estimator)
    if wanted.data is None or not len(wanted.data):
        raise InputError(f"{name} is a function: wrap(model, X) needs rows X to know which columns it takes.")
    if wanted.task is not None and wanted.task not in TASKS:
        raise InputError(f"There is no task {wanted.task!r}. {nearest(wanted.task, TASKS)}")
    asker = Asker(estimator, name, wanted.data.frame)
    answer, calls, rows = _sample(asker, wanted.data)
    classes = _classes(estimator, wanted.data)
    task = wanted.task or _task(answer, classes)
    single = task == "classification" and answer.shape[1] == 1
    if task == "classification":
        _check_probabilities(answer, name)
    width = 2 if single else answer.shape[1]
    return Model(
        name=name,
        kind="a function" if isinstance(estimator, (types.FunctionType, types.BuiltinFunctionType)) else f"a {type(estimator).__name__}",
        task=task,
        outputs=_outputs(wanted.outputs, classes, width, task, name),
        schema=wanted.data.schema,
        abilities={"predict": _Probability(asker) if single else asker},
        data=wanted.data,
        frame=wanted.data.frame,
        model_hash=_hash(estimator),
        provenance={
            "refused": {"trees": "A function shows no trees.", "linear": "A function shows no coefficients."},
            "wrap_calls": calls,
            "wrap_rows": rows,
            "model_hash_of": "name, code and plain values it closes over; objects by their type only",
        },
    )


@dataclass(frozen=True, eq=False)
class Asker:
    """Asks the function, and says what was given when it goes wrong."""

    function: Callable[[Any], Any]
    name: str
    frame: str

    def __call__(self, frame: Any) -> Floats:
        """Its answers, float64 (rows, outputs).

        Raises:
            ModelError: If it raises, or answers something else than one row of numbers a row.
        """
        rows = frame.num_rows if self.frame == "arrow" else len(frame)
        try:
            raw = self.function(frame)
        except Exception as error:
            raise ModelError(f"{self.name} raised {type(error).__name__}: {error}. {self._given(frame, rows)}") from error
        answer = self._numbers(raw, frame, rows)
        if rows == 1 and answer.ndim < 2:
            return answer.reshape(1, -1)
        if answer.ndim not in (1, 2) or len(answer) != rows or answer.size == 0:
            wanted = f"wanted ({rows},) or ({rows}, outputs)"
            raise ModelError(f"{self.name} answered with shape {answer.shape}, {wanted}. {self._given(frame, rows)}")
        return answer[:, None] if answer.ndim == 1 else answer

    def _numbers(self, raw: Any, frame: Any, rows: int) -> Floats:
        for step in ("detach", "cpu", "to_numpy", "numpy"):
            raw = getattr(raw, step)() if hasattr(raw, step) and not isinstance(raw, np.ndarray) else raw
        hint = "Give probabilities (predict_proba) or numbers."
        problem = f"{self.name} answered {_short(raw)}, wanted numbers. {hint} {self._given(frame, rows)}"
        try:
            answer = np.asarray(raw)
        except (TypeError, ValueError):
            raise ModelError(problem) from None
        if answer.dtype.kind not in "biufO" or (answer.dtype == object and any(v is None or isinstance(v, str) for v in answer.flat)):
            raise ModelError(problem)
        try:
            return answer.astype(np.float64)
        except (TypeError, ValueError):
            raise ModelError(problem) from None

    def _given(self, frame: Any, rows: int) -> str:
        columns = frame.shape[1]
        return f"It was given a {type(frame).__module__.partition('.')[0]} {type(frame).__name__} of {rows} rows and {columns} columns."


@dataclass(frozen=True, eq=False)
class _Probability:
    """A function that gives the second class's probability, made to give both."""

    ask: Asker

    def __call__(self, frame: Any) -> Floats:
        second = self.ask(frame)
        if second.shape[1] != 1:
            raise ModelError(f"{self.ask.name} answered {second.shape[1]} outputs; on the sampled rows it was one.")
        return np.hstack([1 - second, second])


def _sample(ask: Asker, data: Dataset) -> tuple[Floats, int, int]:
    """What the function answers on some rows, with the calls and rows that it took."""
    write = registry.load("frames", "writer")
    rows = np.unique(np.linspace(0, len(data) - 1, min(SAMPLE, len(data))).astype(np.intp))
    matrix = data.matrix[rows]
    try:
        return ask(write(matrix, data.schema, data.frame)), 1, len(rows)
    except ModelError as error:
        if len(rows) == 1 or error.__cause__ is None:
            raise
        whole = error
    answers = []
    for row in range(len(rows)):
        try:
            answers.append(ask(write(matrix[row : row + 1], data.schema, data.frame)))
        except ModelError:
            continue  # it may fail on one row and be fine on the others
    if not answers or len({a.shape[1] for a in answers}) > 1:
        raise whole
    return np.vstack(answers), 1 + len(rows), 2 * len(rows)


def _classes(estimator: Any, data: Dataset) -> tuple[str, ...]:
    """Names of the classes, from the estimator that a method belongs to, else from a recorded outcome that looks like classes."""
    known = getattr(getattr(estimator, "__self__", None), "classes_", getattr(estimator, "classes_", None))
    if isinstance(known, np.ndarray) and known.ndim == 1:
        return tuple(str(c) for c in known.tolist())
    if data.y is None or data.y.ndim != 1:
        return ()
    values = [v for v in dict.fromkeys(data.y.tolist()) if v is not None and v == v]  # noqa: PLR0124  (NaN is no class)
    named = all(isinstance(v, (str, bool)) for v in values)
    whole = all(isinstance(v, (int, float)) and float(v).is_integer() for v in values)
    if not named and not (whole and len(values) <= MOST_CLASSES):
        return ()
    return tuple(str(int(v) if isinstance(v, float) else v) for v in sorted(values, key=lambda v: (type(v).__name__, v)))


def _task(answer: Floats, classes: tuple[str, ...]) -> str:
    known = answer[np.isfinite(answer).all(axis=1)]
    share = bool(len(known)) and bool(((known >= -SUM_ERROR) & (known <= 1 + SUM_ERROR)).all())  # float32 sums stray a little
    if answer.shape[1] == 1:
        return "classification" if share and len(classes) == 2 else "regression"
    return "classification" if share and bool((np.abs(known.sum(axis=1) - 1) <= SUM_ERROR).all()) else "regression"


def _check_probabilities(answer: Floats, name: str) -> None:
    low, high = np.nanmin(answer, initial=0.0), np.nanmax(answer, initial=0.0)
    if low < -SUM_ERROR or high > 1 + SUM_ERROR:
        raise ModelError(
            f"{name} answered numbers from {low:.4g} to {high:.4g}; with task='classification' wanted probabilities between 0 and 1."
        )


def _outputs(given: tuple[str, ...] | None, classes: tuple[str, ...], width: int, task: str, name: str) -> tuple[str, ...]:
    if given is not None:
        if len(given) != width:
            raise ModelError(f"{name} has {width} outputs, outputs= names {len(given)}: {list(given)}.")
        return given
    if task == "regression":
        return ("prediction",) if width == 1 else tuple(f"prediction {i}" for i in range(width))
    return classes if len(classes) == width else tuple(f"class {i}" for i in range(width))


def named(estimator: Any) -> str:
    """What a function or an object that is called is called in a sentence."""
    name = getattr(estimator, "__qualname__", None) or type(estimator).__qualname__
    return str(name).replace("<locals>.", "").replace("<lambda>", "lambda")


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return f"{text[:60]}{'...' if len(text) > 60 else ''} ({type(value).__name__})"


def _hash(estimator: Any) -> str:
    digest = hashlib.blake2b(digest_size=16)
    _feed(digest, estimator, 4)
    return digest.hexdigest()


def _feed(digest: Any, item: Any, depth: int) -> None:
    """Feed what can be told of an object without running or pickling it."""
    if isinstance(item, np.ndarray) and item.dtype != object:
        digest.update(repr((item.shape, item.dtype.str)).encode() + np.ascontiguousarray(item).tobytes())
    elif isinstance(item, (str, int, float, bool, bytes, type(None))):
        digest.update(repr(item).encode())
    elif isinstance(item, types.CodeType):
        digest.update(item.co_code + repr(item.co_names).encode())
        for constant in item.co_consts:
            _feed(digest, constant, depth)
    elif depth and isinstance(item, (tuple, list)):
        for part in item:
            _feed(digest, part, depth - 1)
    else:
        kind = type(item)
        digest.update(
            f"{kind.__module__}.{kind.__qualname__} {getattr(item, '__module__', '')}.{getattr(item, '__qualname__', '')}".encode()
        )
        cells = [c.cell_contents for c in getattr(item, "__closure__", None) or () if _full(c)]
        for part in (getattr(item, "__code__", None), getattr(item, "__defaults__", None), getattr(item, "__self__", None), *cells):
            if depth and part is not None and not isinstance(part, types.ModuleType):
                _feed(digest, part, depth - 1)


def _full(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018  (an empty cell raises)
    except ValueError:
        return False
    return True
