"""What a search over boxes of cells is made of: moves and their prices, demands on the sums, clauses, and one box under work."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whyglass.kernels.box_steps import CUT, FEATURE, GONE, LEAF, LEFT, RIGHT, SET, Regions, Steps, land
from whyglass.kernels.forest import Floats, Ints
from whyglass.kernels.jit import compiled, inlined
from whyglass.kernels.leaf_boxes import Flags, Longs, Words


class Case(NamedTuple):
    """What a move costs from one row.

    Attributes:
        own: int64 (columns,), the row's cells.
        first: int64 (columns + 1,), where each column's prices start.
        price: float64, of each cell of a numeric column (inf where it may not go), one number for a category column.
        nexts: int32 (prices, 2), the first cell from there up that may be gone to, and from there down; FAR or -1 for none.
        mask: uint64, the category cells that may be gone to, laid out like a box's sets.
    """

    own: Longs
    first: Longs
    price: Floats
    nexts: Ints
    mask: Words


class Clauses(NamedTuple):
    """Conditions that must hold: of each clause at least one literal, a box in one column.

    Attributes:
        start: int64 (clauses + 1,).
        literals: int64 (literals, 5): column, first and last cell, whether missing is inside, where its set starts in ``words``.
        words: uint64.
    """

    start: Longs
    literals: Longs
    words: Words


class Wanted(NamedTuple):
    """What the sums must reach.

    Attributes:
        gain: float64 (demands, nodes), what a leaf gives to a demand; at an inner node the most that a leaf below gives.
        aim: float64 (demands,), what the leaves of a row must add up to at least.
        bounded: int64 (1,), how many of the demands, the first ones, are used to bound boxes.
    """

    gain: Floats
    aim: Floats
    bounded: Longs


class Company(NamedTuple):
    """The training rows of which one must share leaves with a point.

    Attributes:
        leaves: int32 (rows, trees), the leaf that each falls into.
        least: int64 (1,), in how many trees; 0 where it does not matter.
    """

    leaves: Ints
    least: Longs


class Problem(NamedTuple):
    """One search; ``dead`` are points (rows of cells) that are not to be found."""

    steps: Steps
    wanted: Wanted
    case: Case
    clauses: Clauses
    dead: NDArray[np.int64]
    company: Company


class Work(NamedTuple):
    """One box under work, and what a walk keeps of it.

    Attributes:
        box: int32 (columns, 3), as in ``Regions``.
        words: uint64.
        price: float64 (columns,), what the box costs at least in each column.
        money: float64 (2,): what it costs in all, and what it must stay below.
        trail: int64 (levels, 5): node, stage, and the column's box before the node narrowed it.
        kept: float64 (levels, 2): the column's price and the whole cost before.
        kept_words: uint64 (levels, words).
        spare: uint64, room for two sets.
        trees: int64 (trees,), the point's leaves, by node.
        best: int32 (trees + 1,): the leaf of each tree that gives most, by node, and to which demand; -1 for not known.
        point: int64 (columns,), the cheapest cell of each column as last settled.
        at: int64 (columns,), the point under work.
        score: float64 (columns, 4): gains up, down and sideways that the point misses, and the largest one sideways.
        cut: int64 (columns, 3): the nearest cut up and down, and the entry of the largest gain sideways.
        hull: The part of the box that is taken out, one box.
        order: int32 (rows,), the training rows that may keep the point company first, those that did last at the very front.
        invited: int64 (1,), how many they are.
        spot: int32 (trees,), the point's leaves.
        inside: uint8 (leaves,), whether a walk reached each; none where nobody asks.
        reached: float64 (nodes,), room for such a walk.
    """

    box: Ints
    words: Words
    price: Floats
    money: Floats
    trail: Longs
    kept: Floats
    kept_words: Words
    spare: Words
    trees: Longs
    best: Ints
    point: Longs
    at: Longs
    score: Floats
    cut: Longs
    hull: Regions
    order: Ints
    invited: Longs
    spot: Ints
    inside: Flags
    reached: Floats


COST, LIMIT = range(2)


def work_for(steps: Steps, deep: int, company: Company) -> Work:
    """Room for one box under work; ``deep`` nodes on the longest path."""
    minded = int(company.least[0]) > 0
    columns, words = len(steps.codes), int(steps.offsets[-1])
    widest = int(np.diff(steps.offsets).max(initial=1))
    return Work(
        np.zeros((columns, 3), np.int32),
        np.zeros(words, np.uint64),
        np.zeros(columns),
        np.full(2, np.inf),
        np.zeros((deep + 1, 5), np.int64),
        np.zeros((deep + 1, 2)),
        np.zeros((deep + 1, widest), np.uint64),
        np.zeros(2 * widest, np.uint64),
        np.zeros(len(steps.roots), np.int64),
        np.full(len(steps.roots) + 1, -1, np.int32),
        np.zeros(columns, np.int64),
        np.zeros(columns, np.int64),
        np.zeros((columns, 4)),
        np.zeros((columns, 3), np.int64),
        Regions(np.zeros((1, columns, 3), np.int32), np.zeros((1, words), np.uint64)),
        np.arange(len(company.leaves) if minded else 0, dtype=np.int32),
        np.zeros(1, np.int64),
        np.zeros(len(steps.roots), np.int32),
        np.zeros(len(steps.start) - 1 if minded else 0, np.uint8),
        np.zeros(len(steps.nodes) if minded else 0),
    )


@inlined
def cheapest_number(case: Case, column: int, low: int, high: int) -> int:
    """The cheapest cell of an interval of a numeric column; -1 where none may be gone to."""
    own, first = case.own[column], case.first[column]
    found, price = -1, np.inf
    if low <= own <= high:
        found, price = own, case.price[first + own]
        if price == 0.0:
            return int(found)
    above = max(low, own + 1)
    if above <= high:
        above = case.nexts[first + above, 0]
        if above <= high and case.price[first + above] < price:
            found, price = above, case.price[first + above]
    below = min(high, own - 1)
    if below >= low:
        below = case.nexts[first + below, 1]
        if below >= low and case.price[first + below] < price:
            found, price = below, case.price[first + below]
    return int(found) if price < np.inf else -1


@inlined
def has(words: Words, first: int, cell: int) -> bool:
    """Whether a set holds a cell."""
    return bool((words[first + (cell >> 6)] >> np.uint64(cell & 63)) & np.uint64(1) != 0)


@inlined
def first_of(words: Words, first: int, stop: int) -> int:
    """The first cell of a set; -1 when it is empty."""
    for word in range(first, stop):
        if words[word] != 0:
            cell, rest = 0, words[word]
            while rest & np.uint64(1) == 0:
                rest >>= np.uint64(1)
                cell += 1
            return (word - first) * 64 + cell
    return -1


@inlined
def settle(problem: Problem, work: Work, column: int) -> float:
    """What the box under work costs at least in one column, inf when it is empty there; its cheapest cell goes into the point."""
    case, offsets = problem.case, problem.steps.offsets
    own, first = case.own[column], offsets[column]
    if offsets[column + 1] > first:
        if has(work.words, first, own):
            work.point[column] = own
            return 0.0
        found = first_of(work.words, first, offsets[column + 1])
        work.point[column] = found
        return case.price[case.first[column]] if found >= 0 else np.inf
    if own < 0 and work.box[column, 2] != 0:
        work.point[column] = -1
        return 0.0
    found = -1
    if work.box[column, 0] <= work.box[column, 1]:
        found = cheapest_number(case, column, work.box[column, 0], work.box[column, 1])
    work.point[column] = found
    return case.price[case.first[column] + found] if found >= 0 else np.inf


@compiled
def settle_all(problem: Problem, work: Work) -> float:
    """What the box under work costs at least, and its cheapest point."""
    total = 0.0
    for column in range(problem.case.own.shape[0]):
        work.price[column] = settle(problem, work, column)
        total += work.price[column]
    work.money[0] = total
    return total


@inlined
def settle_point(problem: Problem, work: Work) -> None:
    """Write the cheapest point of the box under work to ``work.at``."""
    settle_all(problem, work)
    for column in range(work.at.shape[0]):
        work.at[column] = work.point[column]


@inlined
def _keep(problem: Problem, work: Work, level: int, column: int) -> None:
    """Note the box as it is, before a node narrows its column."""
    offsets = problem.steps.offsets
    work.trail[level, 2], work.trail[level, 3] = work.box[column, 0], work.box[column, 1]
    work.trail[level, 4] = work.box[column, 2]
    work.kept[level, 0], work.kept[level, 1] = work.price[column], work.money[0]
    for word in range(offsets[column], offsets[column + 1]):
        work.kept_words[level, word - offsets[column]] = work.words[word]


@inlined
def _widen(problem: Problem, work: Work, level: int, column: int) -> None:
    """The box as it was before a node narrowed its column."""
    offsets = problem.steps.offsets
    work.box[column, 0], work.box[column, 1] = work.trail[level, 2], work.trail[level, 3]
    work.box[column, 2] = work.trail[level, 4]
    work.price[column], work.money[0] = work.kept[level, 0], work.kept[level, 1]
    for word in range(offsets[column], offsets[column + 1]):
        work.words[word] = work.kept_words[level, word - offsets[column]]


@inlined
def _narrow(problem: Problem, work: Work, node: int, left: bool) -> bool:
    """Narrow the box to one side of a node; whether anything cheap enough is left of it."""
    steps = problem.steps
    column, start = steps.nodes[node, FEATURE], steps.nodes[node, SET]
    if start >= 0:
        first = steps.offsets[column]
        for word in range(first, steps.offsets[column + 1]):
            inside = steps.sets[start + word - first]
            work.words[word] &= inside if left else ~inside
    else:
        if left:
            work.box[column, 1] = min(work.box[column, 1], steps.nodes[node, CUT])
        else:
            work.box[column, 0] = max(work.box[column, 0], steps.nodes[node, CUT] + 1)
        if (steps.nodes[node, GONE] != 0) != left:
            work.box[column, 2] = 0
    before = work.price[column]
    now = settle(problem, work, column)
    if now == np.inf:
        return False
    work.price[column] = now
    work.money[0] += now - before
    return bool(now == before or work.money[0] < work.money[1])


@inlined
def leaf_price(problem: Problem, work: Work, leaf: int) -> float:
    """What the part of the box under work that lies in a leaf costs at least; inf where there is none, or none below the limit."""
    steps, case = problem.steps, problem.case
    total = work.money[0]
    for e in range(steps.start[leaf], steps.start[leaf + 1]):
        column = steps.entries[e, 0]
        own, first, now = case.own[column], steps.entries[e, 4], np.inf
        if first >= 0:
            at, stop = steps.offsets[column], steps.offsets[column + 1]
            if has(work.words, at, own) and has(steps.words, first, own):
                now = 0.0
            else:
                for word in range(stop - at):
                    if work.words[at + word] & steps.words[first + word] != 0:
                        now = case.price[case.first[column]]
                        break
        elif own < 0 and work.box[column, 2] != 0 and steps.entries[e, 3] != 0:
            now = 0.0
        else:
            low, high = max(work.box[column, 0], steps.entries[e, 1]), min(work.box[column, 1], steps.entries[e, 2])
            found = cheapest_number(case, column, low, high) if low <= high else -1
            if found >= 0:
                now = case.price[case.first[column] + found]
        total += now - work.price[column]
        if not total < work.money[1]:
            return np.inf
    return float(total)


@inlined
def best_leaf(problem: Problem, work: Work, gain: Floats, root: int) -> int:
    """The leaf of one tree that gives most of those the box reaches below the limit; -1 for none. The point is left undefined."""
    steps = problem.steps
    most, found, level = -np.inf, -1, 0
    work.trail[0, 0], work.trail[0, 1] = root, 0
    while level >= 0:
        node, stage = work.trail[level, 0], work.trail[level, 1]
        column = steps.nodes[node, FEATURE]
        if column < 0:
            if gain[node] > most:
                most, found = gain[node], node
            level -= 1
            continue
        if stage == 0:
            _keep(problem, work, level, column)
        else:
            _widen(problem, work, level, column)
        if stage == 2 or gain[node] <= most:
            level -= 1
            continue
        work.trail[level, 1] = stage + 1
        left = (gain[steps.nodes[node, LEFT]] >= gain[steps.nodes[node, RIGHT]]) == (stage == 0)
        child = steps.nodes[node, LEFT] if left else steps.nodes[node, RIGHT]
        if gain[child] > most and _narrow(problem, work, node, left):
            level += 1
            work.trail[level, 0], work.trail[level, 1] = child, 0
    return found


@compiled
def hand_up_reached(problem: Problem, work: Work, gain: Floats, reached: Floats) -> None:
    """Give each node reached the most that a leaf gives which the box under work reaches below the limit; mark these leaves."""
    steps, minded = problem.steps, work.inside.shape[0] > 0
    work.inside[:] = 0
    settle_all(problem, work)
    for tree in range(steps.roots.shape[0]):
        level = 0
        work.trail[0, 0], work.trail[0, 1] = steps.roots[tree], 0
        while level >= 0:
            node, stage = work.trail[level, 0], work.trail[level, 1]
            column = steps.nodes[node, FEATURE]
            if column < 0:
                reached[node] = gain[node]
                if minded:
                    work.inside[steps.nodes[node, LEAF]] = 1
                level -= 1
                continue
            if stage == 0:
                _keep(problem, work, level, column)
            else:
                _widen(problem, work, level, column)
            if stage == 2:
                reached[node] = max(reached[steps.nodes[node, LEFT]], reached[steps.nodes[node, RIGHT]])
                level -= 1
                continue
            work.trail[level, 1] = stage + 1
            if _narrow(problem, work, node, stage == 0):
                level += 1
                work.trail[level, 0], work.trail[level, 1] = steps.nodes[node, LEFT if stage == 0 else RIGHT], 0


@compiled
def bound(problem: Problem, work: Work, demand: int) -> bool:
    """Whether the box might hold a point that meets a demand; the best leaves are kept.

    The best leaf of a box around this one is the best of this one too where it is still within reach.
    """
    steps, gain, trees = problem.steps, problem.wanted.gain[demand], problem.steps.roots.shape[0]
    if work.best[trees] != demand:
        work.best[:] = -1
        work.best[trees] = demand
    hope = -problem.wanted.aim[demand] + 1e-12
    for tree in range(trees):
        leaf = work.best[tree]
        hope += gain[leaf if leaf >= 0 else steps.roots[tree]]
    for tree in range(trees):
        leaf = work.best[tree]
        if leaf >= 0 and leaf_price(problem, work, steps.nodes[leaf, LEAF]) < work.money[1]:
            continue
        hope -= gain[leaf if leaf >= 0 else steps.roots[tree]]
        leaf = best_leaf(problem, work, gain, steps.roots[tree])
        if leaf < 0:
            return False
        work.best[tree] = leaf
        hope += gain[leaf]
        if hope < 0.0:
            return False
    return True


@compiled
def worst_demand(problem: Problem, work: Work) -> int:
    """The demand that the point under work misses by most, those that bound boxes first; -1 when it meets all. Its leaves are kept."""
    steps, wanted = problem.steps, problem.wanted
    for tree in range(steps.roots.shape[0]):
        work.trees[tree] = land(steps, steps.roots[tree], work.at)
    worst, least = -1, 0.0
    for demand in range(wanted.aim.shape[0]):
        slack = -wanted.aim[demand]
        for tree in range(steps.roots.shape[0]):
            slack += wanted.gain[demand, work.trees[tree]]
        if slack < 0.0 and (worst < 0 or (slack < least and (demand < wanted.bounded[0] or worst >= wanted.bounded[0]))):
            worst, least = demand, slack
    return worst


@inlined
def literal_holds(problem: Problem, at: int, cell: int) -> bool:
    """Whether a cell lies in a literal's box."""
    clauses = problem.clauses
    if clauses.literals[at, 4] >= 0:
        return has(clauses.words, clauses.literals[at, 4], cell)
    if cell < 0:
        return bool(clauses.literals[at, 3] != 0)
    return bool(clauses.literals[at, 1] <= cell <= clauses.literals[at, 2])


@inlined
def broken_clause(problem: Problem, point: Longs) -> int:
    """A clause that a point breaks; -1 when it keeps all."""
    clauses = problem.clauses
    for clause in range(clauses.start.shape[0] - 1):
        holds = False
        for at in range(clauses.start[clause], clauses.start[clause + 1]):
            if literal_holds(problem, at, point[clauses.literals[at, 0]]):
                holds = True
                break
        if not holds:
            return clause
    return -1


@inlined
def is_dead(problem: Problem, point: Longs) -> bool:
    """Whether a point is one not to be found."""
    for row in range(problem.dead.shape[0]):
        same = True
        for column in range(point.shape[0]):
            if problem.dead[row, column] != point[column]:
                same = False
                break
        if same:
            return True
    return False


@inlined
def take_region(problem: Problem, work: Work, regions: Regions, row: int) -> None:
    """Put what the case may reach of a region under work."""
    for column in range(work.at.shape[0]):
        for part in range(3):
            work.box[column, part] = regions.box[row, column, part]
    for word in range(work.words.shape[0]):
        work.words[word] = regions.words[row, word] & problem.case.mask[word]
