"""Answers that other libraries gave, taken in as ours."""

from __future__ import annotations

from typing import Any

from whyglass.core import registry
from whyglass.core.attribution import SPACES, Attribution
from whyglass.core.errors import InputError, nearest
from whyglass.core.model import Model
from whyglass.facade import wrap


def from_shap(
    explanation: Any, *, model: Any = None, data: Any = None, y: Any = None, space: str | None = None, exact: bool = False
) -> Attribution:
    """Take in a ``shap.Explanation`` of a table, so that the views, files and tools here take it.

    >>> why = wg.from_shap(shap.TreeExplainer(clf)(X), model=model)
    >>> wg.show(why)

    Args:
        explanation: What shap's ``explainer(X)`` gave: values (rows, features) or (rows, features, outputs), interaction values, or one
            row of these.
        model: What ``wrap`` gave, or a bare estimator. It tells the columns, the outputs and the space, and keeps the views alive;
            the values are held against what it predicts, and ``additive`` says whether they add up to that within 0.1 %.
        data: The explained rows in any frame, for an Explanation that holds none, or to keep the frame's kinds and categories.
        y: Recorded outcomes of these rows.
        space: "probability", "margin", "value" or "log_loss": what the values add up to. None: found out with a model, else "value".
        exact: Say so when shap's explainer was an exact one (TreeExplainer, LinearExplainer, ExactExplainer): an Explanation does not.

    Returns:
        An Attribution. ``std_errors`` are the Explanation's ``error_std`` where it has them; shap's PermutationExplainer fills these,
        when asked for error_bounds, with the spread over its permutations, which is wider than a standard error.

    Raises:
        InputError: If it is no Explanation of a table, its arrays do not fit each other, or ``exact`` is said of values that do not add
            up to what the model predicts.
        MissingExtraError: If shap is not installed.
    """
    if space not in (None, *SPACES):
        msg = f"space={space!r} is not known. {nearest(str(space), SPACES)}"
        raise InputError(msg)
    wrapped = model if model is None or isinstance(model, Model) else wrap(model, data, y)
    found: Attribution = registry.load("imports", "shap")(explanation, model=wrapped, data=data, y=y, space=space, exact=exact)
    return found
