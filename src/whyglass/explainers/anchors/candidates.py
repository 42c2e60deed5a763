"""The conditions true of a case, and the rules made of them that look promising."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whyglass.core.rules import Predicate
from whyglass.core.schema import Schema
from whyglass.explainers.anchors.world import LOWER, UPPER, WHOLE, Condition, World
from whyglass.kernels.bitsets import Conditions, Found, Words, best_rules, count_each

Array = NDArray[np.float64]
Bits = NDArray[np.bool_]
_VISITS = 50_000
_CONDITIONS = 24  # most promising ones that are combined with each other
_LEAST = 0.004  # share of the searched training rows that a rule must hold for
_DOUBT = 1.0  # rows added to each count
_PART = 0.15  # of the word on a rule's precision that training rows as they are have; the perturbed ones are nearer to draws under a rule
_WORSE = 3.0  # standard errors by which the rows that a condition keeps out must be worse, for the condition to stay
_WIDER = 0.3  # share by which a rule must widen for a condition to be let go
_KEPT = 2  # rules for each precision
_WEIGH = np.array([_DOUBT, _PART])


@dataclass(frozen=True)
class Candidate:
    """A rule worth a look.

    Attributes:
        rule: Its conditions.
        coverage: Share of the searched training rows.
        share: Precision among the rows of the table.
    """

    rule: tuple[Condition, ...]
    coverage: float
    share: float


@dataclass(frozen=True, eq=False)
class Shelf:
    """The conditions true of one case, laid out for the search, the most promising first.

    Attributes:
        conditions: The conditions.
        packed: As the kernel takes them.
        first: Training rows of the table.
    """

    conditions: tuple[Condition, ...]
    packed: Conditions
    first: int

    def best(self, asked: Sequence[float], columns: int) -> list[list[Candidate]]:
        """The rules of largest coverage for each of several precisions, ascending; the same rule may stand in several."""
        least = min(max(2, round(_LEAST * self.first)), 40)
        found = best_rules(self.packed, np.array(asked), columns=columns, visits=_VISITS, least=least, kept=_KEPT, weigh=_WEIGH)
        return [[self._candidate(found, level, k) for k in range(_KEPT) if found.rows[level, k] >= 0] for level in range(len(asked))]

    def _candidate(self, found: Found, level: int, k: int) -> Candidate:
        rule = tuple(self.conditions[c] for c in found.rules[level, k] if c >= 0)
        return Candidate(rule, found.rows[level, k] / self.first, float(found.share[level, k]))


def trimmed(world: World, candidate: Candidate, good: Words) -> Candidate:
    """A rule without the conditions that chance may have put there: those whose absence lets in many rows that are no worse.

    Args:
        world: The rows.
        candidate: The rule.
        good: The rows for which the model says the same, as a bit set of the table.

    Returns:
        The rule, shorter or the same.
    """
    rule = list(candidate.rule)
    counts = _without(world, rule, good)
    while len(rule) > 1:
        rows, missed = counts[:, [0, 2]].sum(axis=1), (counts[:, [0, 2]] - counts[:, [1, 3]]).sum(axis=1)
        more, share = rows[1:] - rows[0], missed[1:] / np.maximum(rows[1:], 1)
        spread = np.sqrt(np.maximum(share * (1.0 - share), 1e-9) * (1.0 / max(rows[0], 1) + 1.0 / np.maximum(more, 1)))
        worse = ((missed[1:] - missed[0]) / np.maximum(more, 1) - missed[0] / max(rows[0], 1)) / spread
        worse[more < _WIDER * rows[0]] = np.inf  # so few that hardly anything is lost by keeping them out
        least = int(np.argmin(worse))
        if worse[least] >= _WORSE:
            break
        del rule[least]
        counts = _without(world, rule, good)
    if len(rule) == len(candidate.rule):
        return candidate
    return Candidate(tuple(rule), counts[0, 0] / world.first, float(_precision(world, counts)[0]))


def _precision(world: World, counts: NDArray[np.int64]) -> Array:
    """What the table says of the precision of sets, from ``count_each``'s counts (sets, 4): as the search weighs it."""
    shares = counts[:, [1, 3]] / (counts[:, [0, 2]] + _DOUBT)
    part = _PART if len(world.table) > world.first else 1.0
    return np.asarray(shares @ [part, 1.0 - part])


def _without(world: World, rule: Sequence[Condition], good: Words) -> NDArray[np.int64]:
    """Rows and good rows of a rule, then of what is left of it without each of its conditions: as ``count_each`` gives them."""
    own = np.array([world.set(c) for c in rule])
    sets = [np.bitwise_and.reduce(np.delete(own, k, axis=0), axis=0) for k in range(len(rule))] if len(rule) > 1 else []
    counts = np.zeros((1 + len(sets), 4), np.int64)
    count_each(np.array([np.bitwise_and.reduce(own), *sets]), good, world.blocks, counts)
    return counts


def true_of(world: World, x: Array, columns: Sequence[int]) -> list[Condition]:
    """Every elementary condition that is true of a case and not of every training row."""
    found: list[Condition] = []
    for j in columns:
        value, column = float(x[j]), world.data.schema[j]
        if math.isnan(value):
            found.append(Condition(j, WHOLE))
        elif column.kind == "categorical" and not 0 <= value < len(column.categories):
            continue
        else:
            found += [Condition(j, WHOLE, code=int(value))] if column.kind == "categorical" else []
            known = len(column.categories)
            found += [Condition(j, UPPER if cut.under(value) else LOWER, cut, categories=known) for cut in world.cuts[j]]
    return found


def shelf(world: World, x: Array, good: Bits, columns: Sequence[int]) -> Shelf:
    """Lay out the conditions of a case.

    Args:
        world: The rows.
        x: The case.
        good: bool (rows of the table,), for which the model says the same as of the case.
        columns: The columns that rules may speak of.
    """
    every = true_of(world, x, columns)
    sets = np.array([world.set(c) for c in every], np.uint64).reshape(len(every), world.words)
    right, counts = world.pack(good), np.zeros((len(every), 4), np.int64)
    count_each(sets, right, world.blocks, counts)
    lift = (_precision(world, counts) - good.mean()) * np.sqrt(counts[:, 0])
    order = [int(c) for c in np.argsort(-lift, kind="stable") if counts[c, 0] > 0][:_CONDITIONS]
    kept = tuple(every[c] for c in order)
    packed = Conditions(
        np.ascontiguousarray(sets[order]),
        right,
        np.array([world.blocks], np.int64),
        np.array([c.column for c in kept], np.int32),
        np.array([c.side for c in kept], np.int32),
    )
    return Shelf(kept, packed, world.first)


def predicates(rule: Sequence[Condition], schema: Schema) -> tuple[Predicate, ...]:
    """Conditions as predicates, one a column: two ends of a column become one interval."""
    made: dict[int, Predicate] = {}
    for condition in rule:
        j = condition.column
        known = made.get(j, Predicate(schema[j], j))
        if condition.cut is None:
            codes = () if condition.code < 0 else (condition.code,)
            made[j] = Predicate(schema[j], j, codes=codes, missing=condition.code < 0)
        elif condition.categories:
            allowed = known.codes or range(condition.categories)
            upper = condition.side == UPPER
            made[j] = Predicate(schema[j], j, codes=tuple(code for code in allowed if condition.cut.under(code) == upper))
        elif condition.side == UPPER:
            made[j] = Predicate(schema[j], j, known.low, condition.cut.at, known.low_closed, condition.cut.below)
        else:
            made[j] = Predicate(schema[j], j, condition.cut.at, known.high, not condition.cut.below, known.high_closed)
    return tuple(made.values())


def tightest(world: World, x: Array, columns: Sequence[int]) -> list[Condition]:
    """The narrowest condition on every column: the bin that the case lies in."""
    ends: dict[tuple[int, int], Condition] = {}
    for condition in true_of(world, x, columns):
        key = (condition.column, condition.side)
        if condition.categories:
            continue  # its own category is narrower
        if condition.side == UPPER:
            ends.setdefault(key, condition)  # cuts ascend
        else:
            ends[key] = condition
    return list(ends.values())


def by_help(world: World, rule: tuple[Predicate, ...], good: Bits) -> tuple[Predicate, ...]:
    """The predicates in the order of how much each adds to the precision of those before it, among the rows of the table."""
    masks = [p.mask(world.table[:, p.at]) for p in rule]
    inside, left, order = np.ones(len(world.table), np.bool_), list(range(len(rule))), []
    while left:
        shares = [(int((inside & masks[k] & good).sum()) + 1) / (int((inside & masks[k]).sum()) + 2) for k in left]
        best = left[int(np.argmax(shares))]
        inside &= masks[best]
        left.remove(best)
        order.append(best)
    return tuple(rule[k] for k in order)
