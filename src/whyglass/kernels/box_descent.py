"""Greedy reverts: a point that is answered as wanted is moved back towards the row, column by column, as far as it stays so."""

from __future__ import annotations

import numpy as np

from whyglass.kernels.box_parts import Problem, Work, broken_clause, is_dead, worst_demand
from whyglass.kernels.jit import compiled, inlined

_LOOKS = 64  # cells tried between a column's own and its present one


@compiled
def is_wanted(problem: Problem, work: Work) -> bool:
    """Whether the point under work meets every demand and clause and is not dead."""
    return bool(broken_clause(problem, work.at) < 0 and worst_demand(problem, work) < 0 and not is_dead(problem, work.at))


@inlined
def move_price(problem: Problem, column: int, cell: int) -> float:
    """What a column costs at a cell."""
    case = problem.case
    if cell == case.own[column]:
        if cell < 0 or problem.steps.offsets[column + 1] > problem.steps.offsets[column]:
            return 0.0
        return float(case.price[case.first[column] + cell])
    if problem.steps.offsets[column + 1] > problem.steps.offsets[column]:
        return float(case.price[case.first[column]])
    return float(case.price[case.first[column] + cell])


@inlined
def _back(problem: Problem, work: Work, column: int) -> int:
    """The cell nearest to the row's own, among those tried, that keeps ``work.at`` wanted; the present one where there is none."""
    now, own = work.at[column], problem.case.own[column]
    number = problem.steps.offsets[column + 1] == problem.steps.offsets[column]
    step = 1
    if number and own >= 0:
        span = now - own
        step = max(1, abs(span) // _LOOKS) * (1 if span > 0 else -1)
    cell = own
    while cell != now:
        if move_price(problem, column, cell) < np.inf:
            work.at[column] = cell
            if is_wanted(problem, work):
                break
        if not number or own < 0 or abs(now - cell) <= abs(step):
            cell = now
            break
        cell += step
    work.at[column] = now
    return int(cell)


@compiled
def descend(problem: Problem, work: Work) -> float:
    """Revert ``work.at`` greedily, the largest saving first, until no single revert keeps it wanted.

    Returns:
        What the point costs then; inf when it was not wanted to begin with.
    """
    columns = work.at.shape[0]
    if not is_wanted(problem, work):
        return np.inf
    while True:
        most, chosen, cell = 0.0, -1, 0
        for column in range(columns):
            now = move_price(problem, column, work.at[column])
            if now == 0.0:
                continue
            back = _back(problem, work, column)
            saved = now - move_price(problem, column, back)
            if saved > most:
                most, chosen, cell = saved, column, back
        if chosen < 0:
            break
        work.at[chosen] = cell
    total = 0.0
    for column in range(columns):
        total += move_price(problem, column, work.at[column])
    return total
