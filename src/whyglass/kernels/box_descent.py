"""Greedy reverts: a point that is answered as wanted is moved back towards the row, column by column, as far as it stays so."""

from __future__ import annotations

import numpy as np

from whyglass.kernels.box_company import has_company
from whyglass.kernels.box_parts import Problem, Work, broken_clause, is_dead, worst_demand
from whyglass.kernels.jit import compiled, inlined

_LOOKS = 24  # cells tried between a column's own and its present one


@compiled
def is_wanted(problem: Problem, work: Work) -> bool:
    """Whether the point under work meets every demand and clause, is not dead and has company."""
    if broken_clause(problem, work.at) >= 0 or worst_demand(problem, work) >= 0:
        return False
    return bool(not is_dead(problem, work.at) and has_company(problem, work))


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
        if _is_wanted_at(problem, work, column, cell):
            break
        if not number or own < 0 or abs(now - cell) <= abs(step):
            cell = now
            break
        cell += step
    return int(cell)


@inlined
def _is_wanted_at(problem: Problem, work: Work, column: int, cell: int) -> bool:
    """Whether the point under work stays wanted with another cell in one column."""
    if not move_price(problem, column, cell) < np.inf:
        return False
    now = work.at[column]
    work.at[column] = cell
    fine = is_wanted(problem, work)
    work.at[column] = now
    return fine


@inlined
def _price_of_point(problem: Problem, work: Work) -> float:
    total = 0.0
    for column in range(work.at.shape[0]):
        total += move_price(problem, column, work.at[column])
    return total


@inlined
def _revert_whole(problem: Problem, work: Work) -> None:
    """Try each column once, the dearest first: back to the row's own cell where the point stays wanted."""
    columns = work.at.shape[0]
    tried = np.zeros(columns, np.uint8)
    for _ in range(columns):
        most, chosen = 0.0, -1
        for column in range(columns):
            price = move_price(problem, column, work.at[column])
            if tried[column] == 0 and price > most:
                most, chosen = price, column
        if chosen < 0:
            break
        tried[chosen] = 1
        if _is_wanted_at(problem, work, chosen, problem.case.own[chosen]):
            work.at[chosen] = problem.case.own[chosen]


@compiled
def descend(problem: Problem, work: Work) -> float:
    """Revert ``work.at`` greedily until no single revert keeps it wanted: whole columns first, then parts, the largest saving first.

    Returns:
        What the point costs then; inf when it was not wanted to begin with.
    """
    if not is_wanted(problem, work):
        return np.inf
    _revert_whole(problem, work)
    while True:
        most, chosen, cell = 0.0, -1, 0
        for column in range(work.at.shape[0]):
            now = move_price(problem, column, work.at[column])
            if now <= most:
                continue
            back = _back(problem, work, column)
            saved = now - move_price(problem, column, back)
            if saved > most:
                most, chosen, cell = saved, column, back
        if chosen < 0:
            return _price_of_point(problem, work)
        work.at[chosen] = cell
