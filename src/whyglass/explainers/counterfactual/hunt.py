"""One row's search through a tree ensemble: projections, greedy reverts, then branch and bound until proven or out of budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from whyglass.explainers.counterfactual.constraints import Facts
from whyglass.explainers.counterfactual.fields import Field, case_of, clauses_of
from whyglass.explainers.counterfactual.targets import Goal, demands
from whyglass.kernels import box_company, box_descent, box_parts, box_search, box_steps
from whyglass.kernels.box_parts import Case, Problem, Wanted

Array = NDArray[np.float64]
_SEEDS = 6  # projections that are reverted greedily
_SLICE = 4  # boxes worked on between two looks at the clock
_ROOM = 64 * 2**20  # bytes of open boxes that one row may hold
_AIMS = 8  # goals laid over one field
_BOUNDED = 3  # rival classes that bound boxes
_NEARER = 1e-9  # what is nearer by less is taken to be as near
_STAGES = (0.4, 0.6, 0.8, 1.0)  # shares of the nearest distance known, up to which is searched in turn
_BLIND = [1.0, 2.0, 4.0, 8.0, np.inf]  # distances where nothing is known
SLACK = 1e-7  # sums nearer than this to a boundary are left to the user's model


@dataclass(frozen=True)
class Lead:
    """A row to ask the model about.

    Attributes:
        row: float64 (columns,), encoded.
        distance: From the case.
        bound: No row nearer than this is wanted, as far as the search knows.
        cells: int64 (columns,).
    """

    row: Array
    distance: float
    bound: float
    cells: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Aim:
    """A goal over a field.

    Attributes:
        field: The forest over cells.
        goal: The goal.
        wanted: What each leaf gives towards the goal, and what is enough.
        regions: int64, the regions that hold a training row and are answered as wanted.
    """

    field: Field
    goal: Goal
    wanted: Wanted
    regions: NDArray[np.int64]


def aim_of(field_: Field, goal: Goal) -> Aim:
    """Lay a goal over the forest's leaves; kept for the last few goals. Cost: nodes x demands."""
    while len(field_.aims) >= _AIMS:
        field_.aims.pop(next(iter(field_.aims)))
    if goal not in field_.aims:
        field_.aims[goal] = _lay(field_, goal)
    made: Aim = field_.aims[goal]
    return made


def _lay(field_: Field, goal: Goal) -> Aim:
    forest = field_.forest
    weights, aims = demands(goal, forest)
    reached = (field_.margins - forest.base) @ weights.T >= aims - SLACK
    order = np.argsort(reached.sum(axis=0), kind="stable")
    weights, aims = weights[order], aims[order]
    value = forest.value
    if (forest.tree_output < 0).all():
        gain = weights @ value.T
    else:
        sizes = np.diff(np.append(forest.roots, len(forest.feature)))
        gain = weights[:, np.repeat(np.maximum(forest.tree_output, 0), sizes)] * value[:, 0]
    gain = np.ascontiguousarray(gain, np.float64)
    for line in gain:
        box_steps.hand_up(field_.steps, line)
    wanted = Wanted(gain, aims - SLACK, np.array([min(_BOUNDED, len(aims))], np.int64))
    return Aim(field_, goal, wanted, np.flatnonzero(reached.all(axis=1)).astype(np.int64))


@dataclass(eq=False)
class Hunt:
    """The search for one row, for one counterfactual after the other.

    Attributes:
        aim: The goal.
        facts: The constraints.
        row: float64 (columns,), encoded.
        plausible: Whether only rows count that have company: training rows that share enough of their leaves.
        stays: Columns changed by each counterfactual found so far; the next must leave one of each alone.
        dead: Points that the model answers otherwise than the forest.
        lead: The nearest found by the present search.
        proven_none: Whether it showed that there is nothing.
        late: Whether there was no time to search.
        worked: Boxes worked on so far.
    """

    aim: Aim
    facts: Facts
    row: Array
    plausible: bool
    stays: list[NDArray[np.int64]] = field(default_factory=list)
    dead: list[NDArray[np.int64]] = field(default_factory=list)
    proven_none: bool = False
    late: bool = False
    worked: int = 0

    def __post_init__(self) -> None:
        self.lead: Lead | None = None

    @cached_property
    def _placed(self) -> tuple[Case, Array]:
        """What the row may become over cells, and the values that cells stand for; laid out when the search begins."""
        return case_of(self.aim.field, self.facts, self.row)

    def start(self, go_on: Callable[[], bool]) -> None:
        """Find by projections and greedy reverts, the first whatever ``go_on`` says; ``lead`` is None where they find nothing."""
        field_ = self.aim.field
        self._guests = field_.guests(plausible=self.plausible)
        self._problem = self._pose()
        self._work = box_parts.work_for(field_.steps, field_.deep, self._guests)
        self.lead, self.proven_none, self.late = None, False, False
        seeds = _SEEDS // 2 if self.plausible else _SEEDS  # twice the work each
        least = np.full(seeds, np.inf)
        costs = box_search.price_regions(self._problem, self._work, field_.regions, self.aim.regions, least)
        order = np.argsort(costs, kind="stable")[: min(seeds, int(np.isfinite(costs).sum()))]
        for region in self.aim.regions[order]:
            self._revert(int(region))
            if not go_on():
                return
        if self.plausible:
            self._polish()

    def give_up(self) -> None:
        """Find nothing, for want of time."""
        self.lead, self.proven_none, self.late = None, False, True

    def _open(self, store: box_search.Store, limit: float) -> None:
        """The box to begin with: everything that the row may become below a limit."""
        work, field_ = self._work, self.aim.field
        work.money[box_parts.LIMIT] = limit
        work.best[:] = -1
        store.counts[:] = 0
        everything = box_steps.whole(field_.steps, field_.edges)
        box_search.open_regions(self._problem, store, work, everything, np.zeros(1, np.int64))
        self._forget_what_is_far(work)
        if self.plausible:
            box_company.invite(self._problem, work)

    def _forget_what_is_far(self, work: box_parts.Work) -> None:
        """Leave only the leaves that the case reaches below the limit: the box under work is everything it may become."""
        wanted = self.aim.wanted
        near = np.full(wanted.gain.shape, -np.inf)
        for gain, reached in zip(wanted.gain, near, strict=True):
            box_parts.hand_up_reached(self._problem, work, gain, reached)
        self._problem = self._problem._replace(wanted=wanted._replace(gain=near))

    def _pose(self) -> Problem:
        dead = np.array(self.dead, np.int64).reshape(-1, len(self.row))
        case, _ = self._placed
        keeps = [s[[bool(self.facts.allows(j, self.row[j], self.row[j : j + 1])[0]) for j in s]] for s in self.stays]
        clauses = clauses_of(self.aim.field, self.facts.clauses, keeps, case.own)
        return Problem(self.aim.field.steps, self.aim.wanted, case, clauses, dead, self._guests)

    def _revert(self, region: int) -> None:
        """Take the row into a region that is answered as wanted, and back again as far as it stays so.

        It is taken back without regard to company first; where it has none then, it is taken back in that of the region's own row.
        """
        field_, work = self.aim.field, self._work
        if self.plausible:
            box_search.settle_region(self._problem, work, field_.regions, region)
            box_descent.descend(self._problem._replace(company=field_.guests(plausible=False)), work)
            self._invite_all()
            if box_descent.is_wanted(self._problem, work):
                self._descend()
                return
            work.order[0], work.invited[0] = field_.hosts[region], 1
        box_search.settle_region(self._problem, work, field_.regions, region)
        self._descend()

    def _polish(self) -> None:
        """Revert further, in any company: until now it may have been that of one region's own row."""
        if self.lead is not None:
            self._work.at[:] = self.lead.cells
            self._invite_all()
            self._descend()

    def _invite_all(self) -> None:
        self._work.order[:] = np.arange(len(self._work.order))
        self._work.invited[0] = len(self._work.order)

    def _descend(self) -> None:
        cost = box_descent.descend(self._problem, self._work)
        if cost < (np.inf if self.lead is None else self.lead.distance):
            self.lead = self._here(cost, 0.0)

    def _here(self, cost: float, bound: float) -> Lead:
        """The point under work as a row."""
        cells, (case, values) = self._work.at.copy(), self._placed
        row = self.row.copy()
        for column, cell in enumerate(cells):
            category = self.aim.field.steps.codes[column] >= 0
            if category:
                row[column] = self.row[column] if cell == case.own[column] else float(cell)
            elif cell >= 0:
                row[column] = values[case.first[column] + cell]
        return Lead(row, cost, bound, cells)

    def prove(self, boxes: int, hopeful: int, go_on: Callable[[], bool]) -> None:
        """Search until nothing nearer than ``lead`` can be there, or the budget is spent.

        What is near is searched whole before what is far: under a low limit few leaves are within reach of a box, so that most are
        ruled out at once, and each limit passed is a bound.

        Args:
            boxes: How many boxes may be worked on.
            hopeful: How many at most before the first limit is passed, four times as many before the next, and so on.
            go_on: Asked between slices of work.
        """
        floor, store, worked = 0.0, box_search.store_for(self.aim.field.steps, _ROOM), self.worked
        for stage, limit in enumerate(self._limits()):
            self._open(store, limit)
            status = box_search.UNFINISHED
            while status == box_search.UNFINISHED and boxes > 0 and (go_on() or not self.worked):
                part = min(_SLICE, boxes)
                before = int(store.counts[box_search.EXPANDED])
                status = box_search.search(self._problem, store, self._work, part)
                done = int(store.counts[box_search.EXPANDED]) - before
                boxes -= max(1, done)
                self.worked += done
                if self.lead is not None and self.worked - worked >= hopeful << (2 * stage):
                    break
            cost = float(self._work.money[box_parts.COST])
            if status == box_search.FOUND:
                self.lead = self._here(cost, cost)
                return
            if status != box_search.EXHAUSTED:
                self._bounded(max(floor, self._floor(store, cost)))
                return
            floor = limit
        self._bounded(np.inf)
        self.proven_none = self.lead is None

    def _limits(self) -> list[float]:
        """Distances below which is searched, one after the other."""
        if self.lead is None:
            return _BLIND
        return [share * (self.lead.distance - _NEARER) for share in _STAGES]

    def _bounded(self, floor: float) -> None:
        """Nothing is nearer than that."""
        if self.lead is not None:
            self.lead = replace(self.lead, bound=min(self.lead.distance, floor))

    @staticmethod
    def _floor(store: box_search.Store, cost: float) -> float:
        """A lower bound on what is still open."""
        if store.counts[box_search.STORED] < 0:
            return cost
        return float(store.cost[store.slots[0, 1]]) if store.counts[box_search.OPEN] else np.inf

    def refuse(self, lead: Lead) -> None:
        """The model answers this row otherwise than the forest: search on without it."""
        self.dead.append(lead.cells)

    def exclude(self, lead: Lead) -> None:
        """The next counterfactual must leave alone one of the columns that this one changes."""
        same = (lead.row == self.row) | (np.isnan(lead.row) & np.isnan(self.row))
        self.stays.append(np.flatnonzero(~same))
