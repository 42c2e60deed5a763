"""Counterfactuals of any model over a table: which rung of the ladder answers, and what is handed out."""

from __future__ import annotations

from whyglass.core.ask import Ask
from whyglass.core.counterfactuals import Counterfactuals
from whyglass.explainers.counterfactual.evolution import by_asking
from whyglass.explainers.counterfactual.forests import by_trees, fits
from whyglass.explainers.counterfactual.question import answer, read


def explain(ask: Ask) -> Counterfactuals:
    """Find the nearest rows for which the model says what was wanted.

    Raises:
        InputError: If the target, a constraint or a parameter cannot be used.
    """
    question = read(ask)
    if fits(ask.model):
        by_trees(question)
        return answer(question, "branch and bound over the cells of the trees")
    by_asking(question)
    return answer(question, "local and evolutionary search, in batches")
