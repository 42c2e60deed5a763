"""Follows the user's columns through fitted preprocessing steps: which of them feeds each column of the last step.

A step that works column by column has one function in ``_STEPS``; it says which wires leave it. A step that mixes
columns ends the walk with its reason, and the pipeline is then explained as a function of the user's columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from whyglass.adapters.models.sklearn_wires import Stage, Wire
from whyglass.core.errors import UnsupportedError

Wires = list[Wire]


class Walk:
    """One walk through the steps of a pipeline.

    Attributes:
        categories: For each of the user's columns that meets an encoder, the values that encoders know.
    """

    def __init__(self) -> None:
        self.categories: dict[int, list[Any]] = {}

    def through(self, step: Any, wires: Wires) -> Wires:
        """The wires that leave a fitted step.

        Raises:
            UnsupportedError: If the step mixes columns, or does to one column what cannot be mapped back.
        """
        if step is None or isinstance(step, str):
            return [] if step == "drop" else wires
        name = type(step).__name__
        handler = _STEPS.get(name) if type(step).__module__.startswith("sklearn.") else None
        if handler is None and type(step).__module__.startswith("sklearn.") and hasattr(step, "get_support"):
            handler = _select
        if handler is None:
            msg = f"{name} mixes columns or is not known to work column by column."
            raise UnsupportedError(msg)
        return handler(self, step, wires)

    def knows(self, wire: Wire, values: Sequence[Any]) -> Wire:
        """Note the values that an encoder knows of the column behind a wire."""
        if wire.stages or wire.direction == 0:
            before = type(wire.stages[-1].step).__name__ if wire.stages else "A missing-value indicator"
            msg = f"{before} comes before an encoder of the same column."
            raise UnsupportedError(msg)
        self.categories.setdefault(wire.source, []).extend(values)
        return replace(wire, category=True, dtype=np.dtype(np.float64))


def _chain(walk: Walk, step: Any, wires: Wires) -> Wires:
    for _, part in step.steps:
        wires = walk.through(part, wires)
    return wires


def _columns(walk: Walk, step: Any, wires: Wires) -> Wires:
    places = step._transformer_to_input_indices  # noqa: SLF001  (column names resolved at fit; the public attribute keeps them as given)
    leaving: Wires = []
    for name, part, _ in step.transformers_:
        inside = [wires[i] for i in places.get(name, ())]
        if inside:
            leaving.extend(walk.through(part, inside))
    weights = step.transformer_weights
    if weights:
        msg = "ColumnTransformer has transformer_weights."
        raise UnsupportedError(msg)
    return leaving


def _union(walk: Walk, step: Any, wires: Wires) -> Wires:
    if step.transformer_weights:
        msg = "FeatureUnion has transformer_weights."
        raise UnsupportedError(msg)
    return [wire for _, part in step.transformer_list for wire in walk.through(part, list(wires))]


def _common(wires: Wires) -> np.dtype[Any]:
    """The type that a block of columns has in common when it becomes one array of floats."""
    dtype = np.result_type(*[w.dtype for w in wires]) if wires else np.dtype(np.float64)
    return dtype if dtype.kind == "f" else np.dtype(np.float64)


def _scaled(step: Any, wires: Wires, slope: Any, offset: Any) -> Wires:
    dtype = _common(wires)
    return [wire.through(Stage(step, len(wires), i, i, dtype), float(slope[i]), float(offset[i])) for i, wire in enumerate(wires)]


def _standard(_walk: Walk, step: Any, wires: Wires) -> Wires:
    ones, zeros = np.ones(len(wires)), np.zeros(len(wires))
    scale = ones if step.scale_ is None else step.scale_
    mean = step.mean_ if step.with_mean else zeros
    return _scaled(step, wires, 1.0 / scale, -mean / scale)


def _min_max(_walk: Walk, step: Any, wires: Wires) -> Wires:
    slope = np.full(len(wires), np.nan) if step.clip else step.scale_
    return _scaled(step, wires, slope, step.min_)


def _max_abs(_walk: Walk, step: Any, wires: Wires) -> Wires:
    clip = getattr(step, "clip", False)
    slope = np.full(len(wires), np.nan) if clip else 1.0 / step.scale_
    return _scaled(step, wires, slope, np.zeros(len(wires)))


def _robust(_walk: Walk, step: Any, wires: Wires) -> Wires:
    scale = np.ones(len(wires)) if step.scale_ is None else step.scale_
    centre = np.zeros(len(wires)) if step.center_ is None else step.center_
    return _scaled(step, wires, 1.0 / scale, -centre / scale)


def _bent(_walk: Walk, step: Any, wires: Wires) -> Wires:
    """A rising step that is no straight line."""
    if getattr(step, "method", "") == "box-cox":
        msg = "PowerTransformer(method='box-cox') has no value for zero and below."
        raise UnsupportedError(msg)
    nan = np.full(len(wires), np.nan)
    return _scaled(step, wires, nan, nan)


def _binned(walk: Walk, step: Any, wires: Wires) -> Wires:
    if step.encode != "ordinal":
        if all(w.category for w in wires):
            return [w for w, n in zip(wires, step.n_bins_, strict=True) for _ in range(n)]
        msg = "KBinsDiscretizer spreads one number over several columns; encode='ordinal' can be looked through."
        raise UnsupportedError(msg)
    return _bent(walk, step, wires)


def _function(_walk: Walk, step: Any, wires: Wires) -> Wires:
    function = step.func
    inner = getattr(function, "func", function)
    if function is None or getattr(inner, "__module__", "").startswith("sklearn.utils"):
        return wires
    if function is np.negative and not step.kw_args:
        return _scaled(step, wires, -np.ones(len(wires)), np.zeros(len(wires)))
    msg = f"FunctionTransformer({getattr(inner, '__name__', inner)}) is a function that whyglass cannot see into."
    raise UnsupportedError(msg)


def _select(_walk: Walk, step: Any, wires: Wires) -> Wires:
    return [wire for wire, kept in zip(wires, step.get_support(), strict=True) if kept]


def _imputed(_walk: Walk, step: Any, wires: Wires) -> Wires:
    if not _is_missing(step.missing_values) and not all(w.category for w in wires):
        msg = f"SimpleImputer takes {step.missing_values!r} for missing, which is a number in between others."
        raise UnsupportedError(msg)
    kept = np.ones(len(wires), dtype=bool)
    if step.strategy != "constant" and not step.keep_empty_features:
        kept = np.array([not _is_missing(v) for v in step.statistics_])
    leaving = [wire for wire, k in zip(wires, kept, strict=True) if k]
    return leaving + (_flags(step.indicator_, wires) if step.add_indicator else [])


def _indicated(_walk: Walk, step: Any, wires: Wires) -> Wires:
    if not _is_missing(step.missing_values) and not all(w.category for w in wires):
        msg = f"MissingIndicator takes {step.missing_values!r} for missing, which is a number in between others."
        raise UnsupportedError(msg)
    return _flags(step, wires)


def _flags(indicator: Any, wires: Wires) -> Wires:
    chosen = [wires[int(i)] for i in indicator.features_]
    return [w if w.category else replace(w, stages=(), slope=0.0, offset=0.0, direction=0, dtype=np.dtype(bool)) for w in chosen]


def _is_missing(value: Any) -> bool:
    return value is None or value != value or type(value).__name__ == "NAType"  # noqa: PLR0124  (NaN differs from itself)


def _known(categories: Any) -> list[Any]:
    return [v for v in categories.tolist() if not _is_missing(v)]


def _one_hot(walk: Walk, step: Any, wires: Wires) -> Wires:
    counts = step._n_features_outs  # noqa: SLF001  (drop and infrequent categories taken into account)
    return [
        known
        for wire, values, count in zip(wires, step.categories_, counts, strict=True)
        for known in [walk.knows(wire, _known(values))] * int(count)
    ]


def _ordinal(walk: Walk, step: Any, wires: Wires) -> Wires:
    return [walk.knows(wire, _known(values)) for wire, values in zip(wires, step.categories_, strict=True)]


def _target(walk: Walk, step: Any, wires: Wires) -> Wires:
    if step.target_type_ == "multiclass":
        copies = len(step.classes_)
        return [w for wire, values in zip(wires, step.categories_, strict=True) for w in [walk.knows(wire, _known(values))] * copies]
    return _ordinal(walk, step, wires)


_STEPS: dict[str, Callable[[Walk, Any, Wires], Wires]] = {
    "Pipeline": _chain,
    "ColumnTransformer": _columns,
    "FeatureUnion": _union,
    "StandardScaler": _standard,
    "MinMaxScaler": _min_max,
    "MaxAbsScaler": _max_abs,
    "RobustScaler": _robust,
    "PowerTransformer": _bent,
    "QuantileTransformer": _bent,
    "KBinsDiscretizer": _binned,
    "FunctionTransformer": _function,
    "SimpleImputer": _imputed,
    "MissingIndicator": _indicated,
    "OneHotEncoder": _one_hot,
    "OrdinalEncoder": _ordinal,
    "TargetEncoder": _target,
}
