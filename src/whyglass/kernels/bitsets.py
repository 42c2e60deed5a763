"""Rules as intersections of bit sets: branch and bound for the ones that hold for most rows among those precise enough."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whyglass.kernels.bits import count_bits
from whyglass.kernels.forest import Floats, Ints
from whyglass.kernels.jit import compiled, inlined

Words = NDArray[np.uint64]
EVEN = np.array([0.0, 0.5])  # no doubt, both tables alike
BOTH = 2  # a condition that leaves no room for another on its column
ALL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)


class Conditions(NamedTuple):
    """The conditions that are true of a case, over two tables of rows laid side by side.

    Attributes:
        sets: uint64 (conditions, words), bit sets of the rows that satisfy each: those of the first table, then the second's.
        good: uint64 (words,), the rows for which the model says the same as of the case.
        first: int64 (1,), how many words belong to the first table; the second may have none.
        column: int32 (conditions,), the column that each speaks of.
        side: int32 (conditions,), 0 for a lower end, 1 for an upper end, ``BOTH`` for neither: a rule has at most one of each a column.
    """

    sets: Words
    good: Words
    first: NDArray[np.int64]
    column: Ints
    side: Ints


class Found(NamedTuple):
    """The best rules for each precision.

    Attributes:
        rules: int32 (precisions, kept, conditions), the conditions of each rule, -1 beyond the last.
        rows: int64 (precisions, kept), rows of the first table that satisfy it, most first; -1 where there is no rule.
        share: float64 (precisions, kept), its precision.
        visited: int64 (1,), rules looked at.
    """

    rules: NDArray[np.int32]
    rows: NDArray[np.int64]
    share: Floats
    visited: NDArray[np.int64]


@inlined
def _counts(inside: Words, good: Words, start: int, stop: int) -> tuple[int, int]:
    """How many bits of a set are there, and how many of them are good."""
    there = right = 0
    for w in range(start, stop):
        there += count_bits(inside[w])
        right += count_bits(inside[w] & good[w])
    return there, right


@inlined
def _keep(found: Found, level: int, rule: Ints, rows: int, share: float) -> None:
    """Put a rule among the best of its precision: by rows, then by precision, then first come."""
    kept = found.rows.shape[1]
    at = kept
    while at > 0 and (rows > found.rows[level, at - 1] or (rows == found.rows[level, at - 1] and share > found.share[level, at - 1])):
        at -= 1
    if at == kept:
        return
    for k in range(kept - 1, at, -1):
        found.rows[level, k], found.share[level, k] = found.rows[level, k - 1], found.share[level, k - 1]
        found.rules[level, k] = found.rules[level, k - 1]
    found.rows[level, at], found.share[level, at] = rows, share
    found.rules[level, at] = -1
    found.rules[level, at, : rule.shape[0]] = rule


@inlined
def _fits(conditions: Conditions, rule: Ints, most: int) -> bool:
    """Whether a rule has at most one condition a side and column, and not too many columns; all but the last one fit already."""
    last, columns = rule[-1], 1
    for k in range(rule.shape[0] - 1):
        other, first = rule[k], True
        if conditions.column[other] == conditions.column[last]:
            if conditions.side[other] + conditions.side[last] != 1:
                return False
            continue
        for m in range(k):
            first = first and conditions.column[rule[m]] != conditions.column[other]
        columns += 1 if first else 0
    return columns <= most


@inlined
def _meet(one: Words, other: Words, good: Words, out: Words) -> tuple[int, int]:
    """Write the rows that two sets share; how many there are, and how many good ones."""
    there = right = 0
    for w in range(one.shape[0]):
        both = one[w] & other[w]
        out[w] = both
        there += count_bits(both)
        right += count_bits(both & good[w])
    return there, right


@inlined
def _worth(conditions: Conditions, last: int, inside: Words, rows: NDArray[np.int64], bar: Floats) -> float:
    """Add a condition to a rule and give its precision; -1 where neither it nor anything longer can cover more than the worst kept.

    Args:
        conditions: The conditions.
        last: The condition to add.
        inside: uint64 (2, words), the rows of the rule without it; then those with it, which are written.
        rows: int64 (2,), what is written: how many there are in either table.
        bar: float64 (5,): doubt, fewest rows of the first table, rows of the worst kept rule, the precision in the first table
            without which none is kept, and that table's part in the precision. What is longer keeps at most the good rows, and needs
            that share of its own.
    """
    first = conditions.first[0]
    added, good = conditions.sets[last], conditions.good
    there, right = _meet(inside[0, :first], added[:first], good[:first], inside[1, :first])
    rows[0] = there
    if there < bar[1] or there < bar[2] or (bar[3] > 0 and right < bar[2] * bar[3]):
        return -1.0
    share = right / (there + bar[0])
    if first < good.shape[0]:
        there, right = _meet(inside[0, first:], added[first:], good[first:], inside[1, first:])
        rows[1] = there
        share = bar[4] * share + (1.0 - bar[4]) * right / (there + bar[0])
    return float(share)


@compiled
def search(conditions: Conditions, asked: Floats, limits: NDArray[np.int64], weigh: Floats, found: Found) -> None:
    """Go through rules depth first, fewer conditions first, leaving out what cannot cover more than the best known.

    A rule's precision is its share of good rows, good / (rows + doubt), a weighted mean of both tables. A rule that is precise enough
    is not made longer: what is longer covers no more. Rules beyond the limit of visits are not looked at.

    Args:
        conditions: The conditions.
        asked: float64 (precisions,), ascending.
        limits: int64 (4,): columns in a rule, conditions in a rule, rules to visit, fewest rows of the first table.
        weigh: float64 (2,): rows added to each count, against rules that few rows speak for; and the first table's part in the precision
            where there are two, above 0.
        found: What is written.
    """
    count, words = conditions.sets.shape
    top, kept, deepest = asked.shape[0] - 1, found.rows.shape[1] - 1, min(limits[1], count)
    part = 1.0 if conditions.first[0] == words else weigh[1]
    bar = np.array([weigh[0], limits[3], 0.0, (asked[top] - 1.0 + part) / part, part])  # should every row of the second table be good
    inside = np.full((deepest + 1, words), ALL, np.uint64)
    rows = np.full((deepest + 1, 2), -1, np.int64)
    rule = np.full(deepest + 1, -1, np.int32)
    for most in range(1, deepest + 1):
        depth = 0
        rule[0] = -1
        while depth >= 0:
            rule[depth] += 1
            if rule[depth] >= count or found.visited[0] >= limits[2]:
                depth -= 1
                continue
            if not _fits(conditions, rule[: depth + 1], limits[0]):
                continue
            found.visited[0] += 1
            bar[2] = found.rows[top, kept]
            share = _worth(conditions, rule[depth], inside[depth : depth + 2], rows[depth + 1], bar)
            adds = rows[depth + 1, 0] != rows[depth, 0] or rows[depth + 1, 1] != rows[depth, 1]
            if depth + 1 == most:
                for level in range(top + 1):
                    if adds and share >= asked[level]:
                        _keep(found, level, rule[: depth + 1], rows[depth + 1, 0], share)
            elif adds and 0 <= share < asked[top]:
                depth += 1
                rule[depth] = rule[depth - 1]


def best_rules(
    conditions: Conditions, asked: Floats, *, columns: int, visits: int, least: int, kept: int = 1, weigh: Floats = EVEN
) -> Found:
    """The rules that hold for most rows of the first table among those that reach each precision.

    Args:
        conditions: The conditions.
        asked: float64 (precisions,), ascending.
        columns: Most columns in a rule.
        visits: Most rules to look at.
        least: Fewest rows of the first table.
        kept: How many rules for each precision.
        weigh: As for ``search``.

    Returns:
        The rules; when fewer than ``visits`` were looked at, none that passes covers more.

    Cost: ``visits`` x words.
    """
    most = 2 * columns
    shape = (len(asked), kept)
    rules = np.full((*shape, most), -1, np.int32)
    found = Found(rules, np.full(shape, -1, np.int64), np.full(shape, np.nan), np.zeros(1, np.int64))
    if len(conditions.sets):
        search(conditions, asked, np.array([columns, most, visits, max(least, 1)], np.int64), weigh, found)
    return found


def pack(masks: NDArray[np.bool_]) -> Words:
    """Bit sets of masks (sets, rows): uint64 (sets, words)."""
    held = np.zeros((len(masks), -(-masks.shape[1] // 64) * 64), np.bool_)
    held[:, : masks.shape[1]] = masks
    return np.packbits(held, axis=1, bitorder="little").view("<u8").astype(np.uint64, copy=False)


@compiled
def count_each(sets: Words, good: Words, first: int, out: NDArray[np.int64]) -> None:
    """How many rows each set has, and how many good ones: first table, then second.

    Args:
        sets: uint64 (sets, words).
        good: uint64 (words,).
        first: Words of the first table.
        out: int64 (sets, 4), what is written: rows and good rows of the first table, then of the second.
    """
    for c in range(sets.shape[0]):
        out[c, 0], out[c, 1] = _counts(sets[c], good, 0, first)
        out[c, 2], out[c, 3] = _counts(sets[c], good, first, sets.shape[1])
