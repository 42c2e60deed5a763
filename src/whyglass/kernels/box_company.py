"""Who keeps a point company: the training rows that fall into the leaves that the point reaches, and how many of its leaves they share."""

from __future__ import annotations

from whyglass.kernels.box_parts import LIMIT, Problem, Work, hand_up_reached, leaf_price
from whyglass.kernels.box_steps import LEAF
from whyglass.kernels.forest import Ints
from whyglass.kernels.jit import compiled, inlined
from whyglass.kernels.leaf_boxes import Longs

FRONT = 8  # rows tried first: those that kept company last


@inlined
def _shares(leaves: Ints, row: int, spot: Ints, least: int) -> int:
    """How many leaves a training row shares with a point; -1 when fewer than ``least``."""
    trees = spot.shape[0]
    common = trees
    for tree in range(trees):
        if leaves[row, tree] != spot[tree]:
            common -= 1
            if common < least:
                return -1
    return int(common)


@compiled
def company_of(leaves: Ints, points: Ints, without: Longs, out: Longs) -> None:
    """Write for each point, given by its leaves (points, trees), the most leaves that it shares with one training row.

    Args:
        leaves: Leaves of training rows (rows, trees).
        points: Leaves of the points.
        without: A training row that does not count for each point, -1 for none.
        out: int64 (points,).
    """
    for point in range(points.shape[0]):
        most = 0
        for row in range(leaves.shape[0]):
            if row != without[point]:
                most = max(most, _shares(leaves, row, points[point], most + 1))
        out[point] = most


@inlined
def _to_front(work: Work, place: int) -> None:
    """Try this row first from now on, and those that were first next."""
    row = work.order[place]
    last = min(place, FRONT - 1)
    work.order[place] = work.order[last]
    for at in range(last, 0, -1):
        work.order[at] = work.order[at - 1]
    work.order[0] = row


@compiled
def has_company(problem: Problem, work: Work) -> bool:
    """Whether a training row among those invited shares enough leaves with the point whose leaves stand in ``work.trees``."""
    least = problem.company.least[0]
    if least == 0:
        return True
    for tree in range(work.spot.shape[0]):
        work.spot[tree] = problem.steps.nodes[work.trees[tree], LEAF]
    for place in range(work.invited[0]):
        if _shares(problem.company.leaves, work.order[place], work.spot, least) >= 0:
            _to_front(work, place)
            return True
    return False


@inlined
def _meets(problem: Problem, work: Work, row: int) -> bool:
    """Whether a row has enough leaves that were marked."""
    leaves = problem.company.leaves
    common, least = leaves.shape[1], problem.company.least[0]
    for tree in range(leaves.shape[1]):
        if work.inside[leaves[row, tree]] == 0:
            common -= 1
            if common < least:
                return False
    return True


@compiled
def invite(problem: Problem, work: Work) -> None:
    """Invite the training rows that may keep company to a point of the box that was last walked by ``hand_up_reached``."""
    work.invited[0] = 0
    for row in range(work.order.shape[0]):
        if _meets(problem, work, row):
            work.order[work.invited[0]] = row
            work.invited[0] += 1


@compiled
def may_have_company(problem: Problem, work: Work) -> bool:
    """Whether one of those invited may keep a point of the box under work company; its prices are settled."""
    if problem.company.least[0] == 0:
        return True
    front = min(FRONT, work.invited[0])
    for place in range(front):
        if _reaches(problem, work, work.order[place]):
            _to_front(work, place)
            return True
    if front < work.invited[0]:
        hand_up_reached(problem, work, problem.wanted.gain[0], work.reached)
        for place in range(front, work.invited[0]):
            if _meets(problem, work, work.order[place]):
                _to_front(work, place)
                return True
    return False


@inlined
def _reaches(problem: Problem, work: Work, row: int) -> bool:
    """Whether the box under work reaches enough leaves of a row below the limit."""
    leaves = problem.company.leaves
    common, least = leaves.shape[1], problem.company.least[0]
    for tree in range(leaves.shape[1]):
        if not leaf_price(problem, work, leaves[row, tree]) < work.money[LIMIT]:
            common -= 1
            if common < least:
                return False
    return True
