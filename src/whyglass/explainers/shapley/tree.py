"""Exact path-dependent Shapley values of a tree ensemble: unknown columns follow the training rows' shares at each node."""

from __future__ import annotations

from whyglass.core.ask import Ask
from whyglass.core.attribution import Attribution
from whyglass.core.errors import InputError, UnsupportedError
from whyglass.explainers.shapley.answers import Found, answer, output_names, spread, usable
from whyglass.kernels import forest as sums
from whyglass.kernels import tree_shap


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
    X = ask.data.matrix[rows]
    found = Found(
        values=spread(ask, rows, tree_shap.values(forest, X, ask.executor)),
        base=tree_shap.base(forest),
        predictions=spread(ask, rows, sums.predict(forest, X)),
        names=output_names(ask.model, forest.n_outputs),
        space=forest.space,
        unknown="the training rows that reached each node (path-dependent)",
    )
    return answer(ask, "shap.tree", found)
