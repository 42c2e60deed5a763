"""The nearest cell that a forest answers as wanted: best-first branch and bound over boxes of cells, with a proof or a bound."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from whyglass.kernels.box_company import has_company, may_have_company
from whyglass.kernels.box_parts import (
    Problem,
    Work,
    bound,
    broken_clause,
    has,
    is_dead,
    settle,
    settle_point,
    take_region,
    worst_demand,
)
from whyglass.kernels.box_steps import FAR, LEAF, Regions, Steps, narrow_region
from whyglass.kernels.forest import Floats, Ints
from whyglass.kernels.jit import compiled, inlined
from whyglass.kernels.leaf_boxes import Longs, Words

EXHAUSTED, FOUND, UNFINISHED, FULL = range(4)
OPEN, STORED, FREE, ORDER, EXPANDED = range(5)


class Store(NamedTuple):
    """The open boxes, and a heap over them.

    Attributes:
        box: int32 (room, columns, 3), as in ``Regions``.
        words: uint64 (room, words).
        cost: float64 (room,).
        best: int32 (room, trees + 1): the best leaves' nodes as last found, in this box or one around it, and for which demand.
        slots: int64 (room, 3): when each box was opened; the heap; the places that are free again.
        counts: int64 (5,).
    """

    box: Ints
    words: Words
    cost: Floats
    best: Ints
    slots: Longs
    counts: Longs


def store_for(steps: Steps, most: int) -> Store:
    """Room for open boxes, of at most that many bytes."""
    columns, words, trees = len(steps.codes), int(steps.offsets[-1]), len(steps.roots)
    room = max(1024, most // (12 * columns + 8 * words + 4 * trees + 36))
    return Store(
        np.zeros((room, columns, 3), np.int32),
        np.zeros((room, words), np.uint64),
        np.zeros(room),
        np.zeros((room, trees + 1), np.int32),
        np.zeros((room, 3), np.int64),
        np.zeros(5, np.int64),
    )


@inlined
def before(store: Store, one: int, two: int) -> bool:
    """Whether a box comes first: the cheaper, else the younger."""
    if store.cost[one] != store.cost[two]:
        return bool(store.cost[one] < store.cost[two])
    return bool(store.slots[one, 0] > store.slots[two, 0])


@compiled
def push(problem: Problem, store: Store, work: Work) -> None:
    """Keep the box under work open, unless it is empty, too dear, or there is no room (``counts[STORED]`` is -1 then)."""
    total = 0.0
    for column in range(problem.case.own.shape[0]):
        total += settle(problem, work, column)
    if not total < work.money[1]:
        return
    counts = store.counts
    if counts[FREE] > 0:
        counts[FREE] -= 1
        slot = store.slots[counts[FREE], 2]
    elif 0 <= counts[STORED] < store.cost.shape[0]:
        slot = counts[STORED]
        counts[STORED] += 1
    else:
        counts[STORED] = -1
        return
    for column in range(work.at.shape[0]):
        for part in range(3):
            store.box[slot, column, part] = work.box[column, part]
    for word in range(work.words.shape[0]):
        store.words[slot, word] = work.words[word]
    for tree in range(work.best.shape[0]):
        store.best[slot, tree] = work.best[tree]
    store.cost[slot], store.slots[slot, 0] = total, counts[ORDER]
    counts[ORDER] += 1
    at = counts[OPEN]
    counts[OPEN] += 1
    store.slots[at, 1] = slot
    while at > 0 and before(store, slot, store.slots[(at - 1) >> 1, 1]):
        store.slots[at, 1] = store.slots[(at - 1) >> 1, 1]
        at = (at - 1) >> 1
        store.slots[at, 1] = slot


@inlined
def drop(store: Store) -> None:
    """Take the cheapest box off the heap."""
    counts = store.counts
    store.slots[counts[FREE], 2] = store.slots[0, 1]
    counts[FREE] += 1
    counts[OPEN] -= 1
    size = counts[OPEN]
    last, at = store.slots[size, 1], 0
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and before(store, store.slots[child + 1, 1], store.slots[child, 1]):
            child += 1
        if not before(store, store.slots[child, 1], last):
            break
        store.slots[at, 1] = store.slots[child, 1]
        at = child
    store.slots[at, 1] = last


@inlined
def load(problem: Problem, store: Store, work: Work, slot: int) -> None:
    """Put a box under work, with its cheapest point at ``work.at``."""
    for column in range(work.at.shape[0]):
        for part in range(3):
            work.box[column, part] = store.box[slot, column, part]
    for word in range(work.words.shape[0]):
        work.words[word] = store.words[slot, word]
    for tree in range(work.best.shape[0]):
        work.best[tree] = store.best[slot, tree]
    settle_point(problem, work)


@compiled
def push_interval(problem: Problem, store: Store, work: Work, column: int, part: Longs) -> None:
    """Open the part of the box under work that lies in ``part``: a numeric column's first and last cell, and whether missing is in."""
    low, high, missing = work.box[column, 0], work.box[column, 1], work.box[column, 2]
    work.box[column, 0], work.box[column, 1] = max(low, part[0]), min(high, part[1])
    work.box[column, 2] = missing if part[2] != 0 else 0
    push(problem, store, work)
    work.box[column, 0], work.box[column, 1], work.box[column, 2] = low, high, missing


@compiled
def push_set(problem: Problem, store: Store, work: Work, column: int, codes: Words) -> None:
    """Open the part of the box under work whose category is one of a set."""
    first, stop = problem.steps.offsets[column], problem.steps.offsets[column + 1]
    widest = work.spare.shape[0] // 2
    for word in range(first, stop):
        work.spare[widest + word - first] = work.words[word]
        work.words[word] &= codes[word - first]
    push(problem, store, work)
    for word in range(first, stop):
        work.words[word] = work.spare[widest + word - first]


@inlined
def split_set(problem: Problem, store: Store, work: Work, column: int) -> None:
    """Open what is in the set at the head of ``work.spare``, and what is not."""
    width = problem.steps.offsets[column + 1] - problem.steps.offsets[column]
    push_set(problem, store, work, column, work.spare)
    for word in range(width):
        work.spare[word] = ~work.spare[word]
    push_set(problem, store, work, column, work.spare)


@compiled
def split_clause(problem: Problem, store: Store, work: Work, clause: int) -> None:
    """Open the box once for each literal of a clause that its cheapest point breaks."""
    clauses = problem.clauses
    part = np.empty(3, np.int64)
    for at in range(clauses.start[clause], clauses.start[clause + 1]):
        column = clauses.literals[at, 0]
        if clauses.literals[at, 4] >= 0:
            push_set(problem, store, work, column, clauses.words[clauses.literals[at, 4] :])
        else:
            part[0], part[1], part[2] = clauses.literals[at, 1], clauses.literals[at, 2], clauses.literals[at, 3]
            push_interval(problem, store, work, column, part)


@compiled
def hull_of_point(problem: Problem, work: Work) -> None:
    """Take the point under work out."""
    steps, hull = problem.steps, work.hull
    hull.words[0, :] = 0
    for column in range(work.at.shape[0]):
        cell, first = work.at[column], steps.offsets[column]
        if steps.offsets[column + 1] > first:
            hull.words[0, first + (cell >> 6)] = np.uint64(1) << np.uint64(cell & 63)
        elif cell >= 0:
            hull.box[0, column, 0], hull.box[0, column, 1], hull.box[0, column, 2] = cell, cell, 0
        else:
            hull.box[0, column, 0], hull.box[0, column, 1], hull.box[0, column, 2] = 1, 0, 1


@compiled
def hull_of_leaves(problem: Problem, work: Work) -> None:
    """Take out all that falls into the same leaves as the point under work, noted in ``work.spot``."""
    for column in range(work.at.shape[0]):
        for part in range(3):
            work.hull.box[0, column, part] = work.box[column, part]
    for word in range(work.words.shape[0]):
        work.hull.words[0, word] = work.words[word]
    for tree in range(work.spot.shape[0]):
        narrow_region(problem.steps, work.spot[tree], work.hull, 0)


@compiled
def split_hull(problem: Problem, store: Store, work: Work) -> None:
    """Open all of the box but ``work.hull``, piece by piece: what is outside in one column, and inside in those before it."""
    steps = problem.steps
    part = np.empty(3, np.int64)
    for column in range(work.at.shape[0]):
        first, stop = steps.offsets[column], steps.offsets[column + 1]
        if stop > first:
            for word in range(stop - first):
                work.spare[word] = ~work.hull.words[0, first + word]
            push_set(problem, store, work, column, work.spare)
            for word in range(first, stop):
                work.words[word] &= work.hull.words[0, word]
            continue
        low, high, missing = work.hull.box[0, column, 0], work.hull.box[0, column, 1], work.hull.box[0, column, 2]
        outside = 1 - missing
        if low <= high:
            part[0], part[1], part[2] = high + 1, work.box[column, 1], 0
            push_interval(problem, store, work, column, part)
            part[0], part[1], part[2] = 0, low - 1, outside
        else:
            part[0], part[1], part[2] = 0, work.box[column, 1], outside
        push_interval(problem, store, work, column, part)
        work.box[column, 0], work.box[column, 1] = max(low, work.box[column, 0]), min(high, work.box[column, 1])
        work.box[column, 2] = work.box[column, 2] if missing != 0 else 0


@inlined
def weigh(problem: Problem, work: Work, e: int, more: float) -> None:
    """Count a bound of a best leaf against its column where the point is outside."""
    steps = problem.steps
    column = steps.entries[e, 0]
    cell, score = work.at[column], work.score[column]
    if steps.entries[e, 4] >= 0:
        if not has(steps.words, steps.entries[e, 4], cell):
            score[2] += more
            if more > score[3]:
                score[3], work.cut[column, 2] = more, e
    elif cell < 0:
        score[2] += 0.0 if steps.entries[e, 3] != 0 else more
    elif cell < steps.entries[e, 1]:
        score[0] += more
        work.cut[column, 0] = min(work.cut[column, 0], steps.entries[e, 1] - 1)
    elif cell > steps.entries[e, 2]:
        score[1] += more
        work.cut[column, 1] = max(work.cut[column, 1], steps.entries[e, 2])


@compiled
def blame(problem: Problem, work: Work, demand: int) -> int:
    """The column that keeps the point from the best leaves by most, each tree weighed by what it would gain; -1 for none."""
    steps, gain = problem.steps, problem.wanted.gain[demand]
    for column in range(work.at.shape[0]):
        work.cut[column, 0], work.cut[column, 1] = FAR, -1
        for part in range(4):
            work.score[column, part] = 0.0
    for tree in range(steps.roots.shape[0]):
        more = gain[work.best[tree]] - gain[work.trees[tree]]
        if more <= 0.0:
            continue
        leaf = steps.nodes[work.best[tree], LEAF]
        for e in range(steps.start[leaf], steps.start[leaf + 1]):
            weigh(problem, work, e, more)
    found, most = -1, 0.0
    for column in range(work.at.shape[0]):
        score = work.score[column, 0] + work.score[column, 1] + work.score[column, 2]
        if score > most:
            found, most = column, score
    return found


@compiled
def split_column(problem: Problem, store: Store, work: Work, column: int) -> None:
    """Open both sides of the cut that parts the point from the best leaves in one column."""
    steps = problem.steps
    first, stop = steps.offsets[column], steps.offsets[column + 1]
    if stop > first:
        for word in range(stop - first):
            work.spare[word] = steps.words[steps.entries[work.cut[column, 2], 4] + word]
        split_set(problem, store, work, column)
        return
    part = np.empty(3, np.int64)
    if work.at[column] < 0:
        part[0], part[1], part[2] = 1, 0, 1
        push_interval(problem, store, work, column, part)
        part[0], part[1], part[2] = 0, work.box[column, 1], 0
    else:
        up = work.score[column, 0] >= work.score[column, 1]
        cut = work.cut[column, 0] if up else work.cut[column, 1]
        part[0], part[1], part[2] = 0, cut, 1
        push_interval(problem, store, work, column, part)
        part[0], part[1], part[2] = cut + 1, work.box[column, 1], 1
    push_interval(problem, store, work, column, part)


@compiled
def search(problem: Problem, store: Store, work: Work, quota: int) -> int:
    """Work on the cheapest open boxes, at most ``quota`` of them.

    Returns:
        FOUND: ``work.at`` is the cheapest point that meets every demand and clause and has company, and its box stays open;
        EXHAUSTED: there is none below the limit; UNFINISHED: the quota is spent; FULL: there was no room for a box.
        ``work.money[COST]`` is a lower bound.
    """
    for _ in range(quota):
        if store.counts[OPEN] == 0:
            return EXHAUSTED
        slot = store.slots[0, 1]
        if store.cost[slot] >= work.money[1]:
            return EXHAUSTED
        load(problem, store, work, slot)
        store.counts[EXPANDED] += 1
        clause = broken_clause(problem, work.at)
        dead = clause < 0 and is_dead(problem, work.at)
        demand = -1 if clause >= 0 else worst_demand(problem, work)
        alone = clause < 0 and demand < 0 and not dead
        if alone and has_company(problem, work):
            return FOUND
        drop(store)
        if clause >= 0:
            split_clause(problem, store, work, clause)
        elif alone:
            hull_of_leaves(problem, work)
            split_hull(problem, store, work)
        elif (dead or bound(problem, work, min(demand, problem.wanted.bounded[0] - 1))) and may_have_company(problem, work):
            divide(problem, store, work, demand)
        if store.counts[STORED] < 0:
            return FULL
    return UNFINISHED


@inlined
def divide(problem: Problem, store: Store, work: Work, demand: int) -> None:
    """Split a box whose cheapest point is not wanted."""
    column = -1
    if 0 <= demand < problem.wanted.bounded[0]:
        column = blame(problem, work, demand)
    if column >= 0:
        split_column(problem, store, work, column)
    else:
        hull_of_point(problem, work)
        split_hull(problem, store, work)


@compiled
def open_regions(problem: Problem, store: Store, work: Work, regions: Regions, rows: Longs) -> None:
    """Open the boxes of some rows."""
    for row in rows:
        take_region(problem, work, regions, row)
        push(problem, store, work)


@compiled
def price_regions(problem: Problem, work: Work, regions: Regions, rows: Longs, least: Floats) -> Floats:
    """What each of some regions costs at least, without regard to clauses; inf for one dearer than the dearest of ``least``.

    Args:
        problem: The search.
        work: Room.
        regions: Boxes over cells.
        rows: Which of them.
        least: The cheapest prices so far, ascending, as many as are wanted; filled with inf, and with prices here. Empty: all are.
    """
    costs = np.full(rows.shape[0], np.inf)
    size = least.shape[0]
    for at in range(rows.shape[0]):
        total = price_region(problem, work, regions, rows[at], least[size - 1] if size > 0 else np.inf)
        costs[at] = total
        place = size - 1
        while place >= 0 and total < least[place]:
            if place + 1 < size:
                least[place + 1] = least[place]
            least[place] = total
            place -= 1
    return costs


@inlined
def price_region(problem: Problem, work: Work, regions: Regions, row: int, limit: float) -> float:
    """What a region costs at least; inf from ``limit`` on."""
    offsets, total = problem.steps.offsets, 0.0
    for column in range(work.at.shape[0]):
        for part in range(3):
            work.box[column, part] = regions.box[row, column, part]
        for word in range(offsets[column], offsets[column + 1]):
            work.words[word] = regions.words[row, word] & problem.case.mask[word]
        total += settle(problem, work, column)
        if total >= limit:
            return np.inf
    return total


@compiled
def settle_region(problem: Problem, work: Work, regions: Regions, row: int) -> None:
    """Write the cheapest point of a region to ``work.at``."""
    take_region(problem, work, regions, row)
    settle_point(problem, work)
