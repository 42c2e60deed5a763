"""Reads linear and generalised linear models of scikit-learn over the user's own columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from whyglass.adapters.models.sklearn_wires import Floats, Wire
from whyglass.core.errors import UnsupportedError
from whyglass.core.forest import Linear
from whyglass.core.schema import Schema

_REGRESSORS = frozenset({
    "ARDRegression", "BayesianRidge", "ElasticNet", "ElasticNetCV", "HuberRegressor", "Lars", "LarsCV", "Lasso", "LassoCV", "LassoLars",
    "LassoLarsCV", "LassoLarsIC", "LinearRegression", "LinearSVR", "MultiTaskElasticNet", "MultiTaskElasticNetCV", "MultiTaskLasso",
    "MultiTaskLassoCV", "OrthogonalMatchingPursuit", "OrthogonalMatchingPursuitCV", "PassiveAggressiveRegressor", "QuantileRegressor",
    "Ridge", "RidgeCV", "SGDRegressor", "TheilSenRegressor",
})  # fmt: skip
_LOGS = frozenset({"PoissonRegressor", "GammaRegressor", "TweedieRegressor"})
_LOGISTIC = frozenset({"LogisticRegression", "LogisticRegressionCV", "LinearDiscriminantAnalysis"})
_SCORES = frozenset({"LinearSVC", "Perceptron", "PassiveAggressiveClassifier", "RidgeClassifier", "RidgeClassifierCV", "SGDClassifier"})


def is_linear(estimator: Any) -> bool:
    """Whether this is one of the linear models read here."""
    return type(estimator).__module__.startswith("sklearn.") and type(estimator).__name__ in _REGRESSORS | _LOGS | _LOGISTIC | _SCORES


def read(estimator: Any, wires: Sequence[Wire], schema: Schema, task: str) -> Linear:
    """The model over the user's own columns.

    Args:
        estimator: The fitted last step.
        wires: What feeds each of its columns.
        schema: The user's columns.
        task: "classification" or "regression".

    Raises:
        UnsupportedError: If it is no linear model, or a step before it is no straight line.
    """
    if not is_linear(estimator):
        msg = f"{type(estimator).__name__} is no linear model."
        raise UnsupportedError(msg)
    link, space = _link(estimator, task)
    weights = estimator.coef_.toarray() if hasattr(estimator.coef_, "toarray") else estimator.coef_
    weights = np.atleast_2d(np.asarray(weights, dtype=np.float64))
    intercept = np.broadcast_to(np.asarray(estimator.intercept_, dtype=np.float64).ravel(), (len(weights),)).copy()
    if weights.shape[1] != len(wires):
        msg = f"{type(estimator).__name__} has {weights.shape[1]} coefficients, but {len(wires)} columns reach it."
        raise UnsupportedError(msg)
    return _spread(weights, intercept, wires, schema, (link, space))


def _link(estimator: Any, task: str) -> tuple[str, str]:
    name = type(estimator).__name__
    binary = len(getattr(estimator, "classes_", ())) == 2
    if name in _REGRESSORS:
        return "identity", "value"
    if name in _LOGS:
        identity = name == "TweedieRegressor" and (estimator.link == "identity" or (estimator.link == "auto" and estimator.power <= 0))
        return ("identity", "value") if identity else ("exp", "margin")
    if task == "regression":
        return "identity", "value"
    if name in _LOGISTIC:
        if not binary and getattr(estimator, "multi_class", "auto") == "ovr":
            msg = f"{name} fits one model a class and rescales their answers, which is no linear model with a link."
            raise UnsupportedError(msg)
        return ("sigmoid" if binary else "softmax"), "margin"
    if name == "SGDClassifier" and estimator.loss == "log_loss" and binary:
        return "sigmoid", "margin"
    msg = f"{name} has no linear form whose link gives its answer. wrap(..., task='regression') explains its decision score."
    raise UnsupportedError(msg)


def _spread(weights: Floats, intercept: Floats, wires: Sequence[Wire], schema: Schema, kind: tuple[str, str]) -> Linear:
    outputs, columns = len(weights), len(schema)
    coefficients = np.zeros((outputs, columns))
    gone = np.zeros((outputs, columns))
    categories = {place: len(column.categories) for place, column in enumerate(schema.columns) if column.kind == "categorical"}
    tables = {place: np.zeros((outputs, count + 2)) for place, count in categories.items()}
    for weight, wire in zip(weights.T, wires, strict=True):
        if wire.category:
            tables[wire.source] += weight[:, None] * wire.table[None, :]
            continue
        if np.isnan(wire.slope) or np.isnan(wire.offset):
            name = schema.columns[wire.source].name
            msg = f"{type(wire.stages[-1].step).__name__} bends column {name!r}, so that it is no straight line."
            raise UnsupportedError(msg)
        coefficients[:, wire.source] += weight * wire.slope
        intercept = intercept + weight * wire.offset
        gone[:, wire.source] += weight * (wire.missing - wire.offset)
    return Linear(coefficients, intercept, _stand_in(coefficients, gone, schema), tables, *kind)


def _stand_in(coefficients: Floats, gone: Floats, schema: Schema) -> Floats:
    """The number that NaN stands for in each column, so that the coefficient times it is what NaN contributes."""
    missing = np.zeros(coefficients.shape[1])
    for place in range(coefficients.shape[1]):
        weight, wanted = coefficients[:, place], gone[:, place]
        if np.isnan(wanted).any():
            missing[place] = np.nan
            continue
        biggest = int(np.argmax(np.abs(weight)))
        value = wanted[biggest] / weight[biggest] if weight[biggest] != 0 else 0.0
        if not np.allclose(weight * value, wanted, rtol=1e-9, atol=1e-12 * (1.0 + np.abs(weight).max())):
            msg = f"A missing {schema.columns[place].name!r} counts in its own way for each output, which no single number can stand for."
            raise UnsupportedError(msg)
        missing[place] = value
    return missing
