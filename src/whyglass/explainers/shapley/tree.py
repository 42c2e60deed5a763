"""Exact path-dependent Shapley values of a tree ensemble: unknown columns follow the training rows' shares at each node."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask
from whyglass.core.attribution import Attribution
from whyglass.core.errors import InputError, UnsupportedError
from whyglass.core.forest import Forest
from whyglass.explainers.shapley.answers import OUT_OF_TIME, Found, answer, output_names, spread, usable
from whyglass.kernels import forest as sums
from whyglass.kernels import tree_shap

PIECE = 256  # rows between two looks at the clock


def explain(ask: Ask) -> Attribution:
    """Explain rows by a tree ensemble's own training weights.

    Any depth, missing values, categories, repeated columns, all outputs; float64. Lundberg et al. 2020, by the quadrature
    kernel. Cost: nodes x rows; the model is never called.

    Raises:
        InputError: If a background is given, which this method has no use for.
        UnsupportedError: If another space is asked for than the one the trees add up in.
    """
    forest = ask.model.trees()
    if ask.background is not None:
        msg = "Path-dependent values take no background. Ask for 'shap.tree.interventional', or leave the background out."
        raise InputError(msg)
    if ask.space not in (None, forest.space):
        msg = f"Path-dependent values add up in {forest.space} space, not {ask.space!r}. Ask for 'shap.tree.interventional' instead."
        raise UnsupportedError(msg)
    rows = usable(ask)
    values, late = _within_time(ask, forest, rows)
    found = Found(
        values=spread(ask, rows, values),
        base=tree_shap.base(forest),
        predictions=spread(ask, rows, sums.predict(forest, ask.data.matrix[rows])),
        names=output_names(ask.model, forest.n_outputs),
        space=forest.space,
        unknown="the training rows that reached each node (path-dependent)",
        status=dict.fromkeys(late, OUT_OF_TIME),
    )
    return answer(ask, "shap.tree", found)


def _within_time(ask: Ask, forest: Forest, rows: NDArray[np.intp]) -> tuple[NDArray[np.float64], list[int]]:
    """The values, in one go where time is no limit, else piece by piece until it is up; and the rows not reached."""
    X = ask.data.matrix[rows]
    if ask.budget.deadline is None:
        return tree_shap.values(forest, X, ask.executor), []
    values = np.full((len(rows), X.shape[1], forest.n_outputs), np.nan)
    for piece in ask.executor.blocks(len(rows), PIECE):
        if not ask.budget.left():
            return values, [int(row) for row in rows[piece.start :]]
        values[piece] = tree_shap.values(forest, X[piece], ask.executor)
    return values, []
