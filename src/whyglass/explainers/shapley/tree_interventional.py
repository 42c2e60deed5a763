"""Exact interventional Shapley values of a tree ensemble in the space it adds up in."""

from __future__ import annotations

from dataclasses import replace

from whyglass.core.ask import Ask
from whyglass.core.attribution import Attribution
from whyglass.explainers.shapley import sampled, tree_enumerated
from whyglass.kernels import enumerate_forest


def explain(ask: Ask) -> Attribution:
    """Explain rows against background rows, in the space that the trees add up in."""
    forest = ask.model.trees()
    within = replace(ask, space=forest.space)
    few = len(enumerate_forest.players(forest)) <= enumerate_forest.MOST_COLUMNS
    return tree_enumerated.explain(within) if few else sampled.explain(within)
