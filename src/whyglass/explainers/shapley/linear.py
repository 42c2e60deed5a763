"""Exact Shapley values of a linear model in its sum: what each column adds, less what it adds on average."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask
from whyglass.core.attribution import Attribution
from whyglass.core.errors import InputError, UnsupportedError
from whyglass.core.forest import Linear
from whyglass.explainers.shapley.answers import Found, answer, output_names
from whyglass.explainers.shapley.grouping import Grouping, grouping

Array = NDArray[np.float64]


def contributions(linear: Linear, X: Array) -> Array:
    """What each column adds to the sum: float64 (rows, features, outputs); NaN where the model refuses a missing value."""
    filled = np.where(np.isnan(X), linear.missing, X)
    with np.errstate(invalid="ignore"):  # an infinity times an unused coefficient is reported by row, not as a warning
        added = filled[:, :, None] * linear.coefficients.T
    for column, table in linear.tables.items():
        codes, known = X[:, column], table.shape[1] - 2
        missing = np.isnan(codes)
        seen = ~missing & (codes >= 0) & (codes < known)
        at = np.where(missing, known, np.where(seen, np.nan_to_num(codes), known + 1)).astype(np.intp)
        added[:, column, :] = table[:, at].T
    return added


def explain(ask: Ask) -> Attribution:
    """Explain rows by a linear model's coefficients; the background enters only through what it makes each column add on average.

    Groups of columns add what their columns add, and no two act together: all interactions are nil.

    Strumbelj & Kononenko 2014. Cost: one multiplication a value; the model is never called.

    Raises:
        InputError: If neither a background nor wrapped data says what is average, or every row of it has missing values
            that the model refuses.
        UnsupportedError: If another space is asked for than the one the model adds up in.
    """
    linear = ask.model.linear()
    if ask.space not in (None, linear.space):
        msg = (
            f"A linear model's closed form adds up in {linear.space} space, not {ask.space!r}. Ask for 'shap.enumerated' or 'shap.sampled'."
        )
        raise UnsupportedError(msg)
    rows, unknown = _average_of(ask)
    average = contributions(linear, rows)
    average = average[~np.isnan(average).any(axis=(1, 2))]
    if not len(average):
        msg = "Every background row has missing values, which this model refuses."
        raise InputError(msg)
    mean = average.mean(axis=0)
    added, who = contributions(linear, ask.data.matrix), grouping(ask)
    values = _of_players(added - mean, who)
    found = Found(
        values=values,
        base=linear.intercept + mean.sum(axis=0),
        predictions=linear.intercept + added.sum(axis=1),
        names=output_names(ask.model, linear.n_outputs),
        space=linear.space,
        unknown=unknown,
        status=_refused(ask, added),
        interactions=np.einsum("rpo,pq->rpqo", values, np.eye(who.count)) if ask.params.get("interactions") else None,
        groups=who.groups,
    )
    return answer(ask, "shap.linear", found)


def _of_players(values: Array, who: Grouping) -> Array:
    """A group's value is the sum of its columns', since nothing in a sum acts together."""
    if not who.given:
        return values
    return np.stack([values[:, list(columns)].sum(axis=1) for _, columns in who.members], axis=1)


def _average_of(ask: Ask) -> tuple[Array, str]:
    if ask.background is not None:
        given = ask.background.note or f"the {len(ask.background):,} background rows given"
        return ask.background.matrix, f"the mean of {given}"
    if ask.model.data is None or not len(ask.model.data):
        msg = f"{ask.model.name} was wrapped without rows, so nothing says what is average. Pass background=, or wrap(model, X_train)."
        raise InputError(msg)
    return ask.model.data.matrix, f"the mean of all {len(ask.model.data):,} {ask.model.rows_are}"


def _refused(ask: Ask, added: Array) -> dict[int, str]:
    bad: dict[int, str] = {}
    for row, column in np.argwhere(np.isnan(added).any(axis=2)):
        bad.setdefault(int(row), f"{ask.data.schema.names[column]!r} is missing or infinite, which the model refuses")
    return bad
