"""Exact path-dependent Shapley values of a tree ensemble: unknown columns follow the training rows' shares at each node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask
from whyglass.core.attribution import Attribution
from whyglass.core.errors import InputError, UnsupportedError
from whyglass.core.executor import Executor
from whyglass.explainers.shapley.answers import OUT_OF_TIME, Found, answer, output_names, spread, usable
from whyglass.explainers.shapley.grouping import grouping
from whyglass.kernels import forest as sums
from whyglass.kernels import tree_shap, tree_split

Array = NDArray[np.float64]
PIECE, PAIR_PIECE = 256, 32  # rows between two looks at the clock


def explain(ask: Ask) -> Attribution:
    """Explain rows by a tree ensemble's own training weights.

    Any depth, missing values, categories, repeated columns, groups of columns, all outputs; float64. Lundberg et al. 2020,
    by the quadrature walk, by tables, or the leaves split between them: what the sizes make cheaper, named in
    ``provenance.params["kernel"]``. Cost: nodes x rows; the model is never called.

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
    who, rows, pairs = grouping(ask), usable(ask), bool(ask.params.get("interactions", False))
    X, quiet = ask.data.matrix[rows], replace(ask.executor, progress=None)
    chosen = tree_split.split(forest, len(rows), players=who.players, pairs=pairs, hurried=ask.budget.deadline is not None, executor=quiet)
    kernel = tree_split.interactions if pairs else tree_split.values
    found, reached = _within_time(ask, lambda part, executor: kernel(chosen, part, executor), X)
    values = found.sum(axis=2) if pairs else found
    base = tree_shap.base(forest)
    said = sums.predict(forest, X) if chosen.tables is None else base + values.sum(axis=1)
    return answer(
        ask,
        "shap.tree",
        Found(
            values=spread(ask, rows, values),
            base=base,
            predictions=spread(ask, rows, said),
            names=output_names(ask.model, forest.n_outputs),
            space=forest.space,
            unknown="the training rows that reached each node (path-dependent)",
            status=dict.fromkeys(rows[reached:].tolist(), OUT_OF_TIME),
            params={"kernel": chosen.kernel},
            interactions=spread(ask, rows, found) if pairs else None,
            groups=who.groups,
        ),
    )


def _within_time(ask: Ask, kernel: Callable[[Array, Executor], Array], X: Array) -> tuple[Array, int]:
    """The answers, in one go where time is no limit, else piece by piece until it is up; and how many rows were reached."""
    if ask.budget.deadline is None:
        return kernel(X, ask.executor), len(X)
    found = np.full((len(X), *kernel(X[:0], ask.executor).shape[1:]), np.nan)
    for piece in ask.executor.blocks(len(X), PIECE if found.ndim == 3 else PAIR_PIECE):
        if not ask.budget.left():
            return found, piece.start
        found[piece] = kernel(X[piece], ask.executor)
    return found, len(X)
