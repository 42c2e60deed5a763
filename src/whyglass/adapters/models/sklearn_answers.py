"""What an estimator answers: task, names of the outputs, and the function that asks it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_clusterer, is_outlier_detector
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from whyglass.adapters.models.sklearn_columns import Given
from whyglass.adapters.models.sklearn_probe import typical_row
from whyglass.core import registry
from whyglass.core.errors import ModelError
from whyglass.core.wanted import Wanted

Ask = Callable[[Any], Any]


@dataclass(frozen=True, eq=False)
class Answer:
    """How an estimator is asked and what comes back.

    Attributes:
        task: "classification" or "regression".
        outputs: One name a column of the answer.
        predict: From a frame of the caller's kind to float64 (rows, outputs).
        remark: Words to add to the model's kind.
        calls: How many one-row calls were made to find this out.
    """

    task: str
    outputs: tuple[str, ...]
    predict: Ask
    remark: str = ""
    calls: int = 0


def check(estimator: Any) -> None:
    """See that an estimator can be asked.

    Raises:
        ModelError: If it has no predict, or is not fitted.
    """
    name = type(estimator).__name__
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        fitted = False
    except TypeError as error:
        msg = f"{name} is no estimator: {error}"
        raise ModelError(msg) from None
    else:
        # a Gaussian process answers from its prior before it has seen anything
        fitted = get_tags(estimator).requires_fit or getattr(estimator, "n_features_in_", None) is not None
    if not fitted:
        msg = f"This {name} is not fitted. Call fit(X, y) first, then wrap it."
        raise ModelError(msg)
    if not hasattr(estimator, "predict"):
        takes = "classifiers, regressors, outlier detectors and clusterers"
        msg = f"{name} has no predict, so there is nothing to explain. wrap takes {takes}."
        raise ModelError(msg)


def find(estimator: Any, last: Any, given: Given, wanted: Wanted) -> Answer:
    """How to ask the estimator, and what its answers are called.

    Raises:
        ModelError: If it predicts several targets of classes at once, or the names given do not fit.
    """
    labelled = is_classifier(estimator) or hasattr(estimator, "classes_")
    if is_outlier_detector(estimator):
        answer = _strangeness(estimator)
    elif is_clusterer(estimator) or (hasattr(estimator, "predict_proba") and not labelled):
        answer = _groups(estimator, last)
    elif labelled:
        answer = _classes(estimator, wanted)
    else:
        answer = Answer("regression", (), estimator.predict)
    if wanted.task == "classification" and answer.task == "regression":
        msg = f"{type(estimator).__name__} predicts numbers; it cannot be wrapped with task='classification'."
        raise ModelError(msg)
    ask = _Asker(answer.predict, given.frame, given.quiet)
    outputs, calls = answer.outputs, 0
    if not outputs:
        outputs, calls = _value_names(ask, estimator, given), 1
    if wanted.outputs is not None:
        if len(wanted.outputs) != len(outputs):
            msg = f"outputs names {len(wanted.outputs)}, but {type(estimator).__name__} has {len(outputs)}: {list(outputs)}."
            raise ModelError(msg)
        outputs = wanted.outputs
    return Answer(answer.task, outputs, ask, answer.remark, calls)


@dataclass(frozen=True, eq=False)
class _Asker:
    """Asks in the caller's kind of frame."""

    ask: Ask
    frame: str
    quiet: bool

    def __call__(self, frame: Any) -> np.ndarray[Any, Any]:
        given = frame.to_pandas() if self.frame == "arrow" else frame
        if self.quiet:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="X (does not have valid|has) feature names")
                answer = self.ask(given)
        else:
            answer = self.ask(given)
        numbers = np.asarray(answer, dtype=np.float64)
        return numbers[:, None] if numbers.ndim == 1 else numbers


def _value_names(ask: Ask, estimator: Any, given: Given) -> tuple[str, ...]:
    write: Callable[..., Any] = registry.load("frames", "writer")
    row = typical_row(given.schema, given.data)
    try:
        answer = ask(write(row[None, :], given.schema, given.frame))
    except (ValueError, TypeError, KeyError) as error:
        msg = f"{type(estimator).__name__} cannot predict a row of these columns: {error}"
        raise ModelError(msg) from error
    width = answer.shape[1]
    return ("prediction",) if width == 1 else tuple(f"prediction {i}" for i in range(width))


def _strangeness(estimator: Any) -> Answer:
    score = estimator.score_samples if hasattr(estimator, "score_samples") else estimator.decision_function
    return Answer("regression", ("anomaly score",), lambda X: -np.asarray(score(X), dtype=np.float64), " (higher is stranger)")


def _groups(estimator: Any, last: Any) -> Answer:
    if hasattr(estimator, "predict_proba"):
        count = int(last.n_components)
        return Answer("classification", tuple(f"component {i}" for i in range(count)), estimator.predict_proba)
    labels = np.unique(getattr(last, "subcluster_labels_", last.labels_))
    labels = labels[labels >= 0]

    def member(X: Any) -> Any:
        return np.asarray(estimator.predict(X))[:, None] == labels[None, :]

    return Answer("classification", tuple(f"cluster {i}" for i in labels), member, " (1 for its cluster, 0 for the others)")


def _classes(estimator: Any, wanted: Wanted) -> Answer:
    classes = getattr(estimator, "classes_", None)
    if classes is None or isinstance(classes, list) or np.asarray(classes).ndim != 1:
        msg = f"{type(estimator).__name__} predicts several targets of classes at once. Wrap one of them, e.g. its .estimators_[0]."
        raise ModelError(msg)
    if wanted.task == "regression":
        if not hasattr(estimator, "decision_function"):
            msg = f"{type(estimator).__name__} has no decision score; wrap it with task='classification'."
            raise ModelError(msg)
        width = 1 if len(classes) <= 2 else len(classes)
        names = (f"score of {classes[-1]}",) if width == 1 else tuple(f"score of {c}" for c in classes)
        return Answer("regression", names, estimator.decision_function, " (decision score)")
    names = tuple(str(c) for c in classes)
    if hasattr(estimator, "predict_proba"):
        return Answer("classification", names, estimator.predict_proba)

    def says(X: Any) -> Any:
        return np.asarray(estimator.predict(X))[:, None] == np.asarray(classes)[None, :]

    return Answer("classification", names, says, " (says a class, no probability)")
