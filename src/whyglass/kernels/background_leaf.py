"""What one leaf gives to a row: over all background rows still alive, pair by pair or from a table over fail masks.

For a row x, a background row z and a leaf let F hold the players of the path whose conditions x fails, G those that z fails.
The pair counts where F and G are disjoint; then every coalition with all of G in and all of F out reaches the leaf. With
a = |G| and c = |F| a player of G gets (a - 1)! c! / (a + c)!, a player of F loses a! (c - 1)! / (a + c)!.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whyglass.kernels.bits import BITS, count_bits, lowest_bit
from whyglass.kernels.forest import Floats, Ints
from whyglass.kernels.jit import bare

Words = NDArray[np.int64]

NODES = 8  # quadrature nodes of a leaf's table: exact up to 16 players on the path, and one vector register wide
MOST_TABLE = 14  # players on a path up to which a leaf may get a table (1 MB)
_TABLE_COST = 0.12  # cost of one table entry and player, in pairs of a row class and a background row
_SIZE = BITS + 2


class Weights(NamedTuple):
    """Shapley weights of (a, c), each float64 (65, 65), and the quadrature rule that splits them into factors of a and of c.

    Attributes:
        gain: of a player that the row satisfies and the background row fails.
        loss: of a player that the background row satisfies and the row fails.
        both_in: interaction of two players of the first kind.
        both_out: of two of the second kind.
        mixed: of one of each kind, without its minus sign.
        power: float64 (65, nodes), t^a.
        gain_rule: float64 (65, nodes), weight x (1 - t)^c / t.
        loss_rule: float64 (65, nodes), weight x (1 - t)^(c - 1).
    """

    gain: Floats
    loss: Floats
    both_in: Floats
    both_out: Floats
    mixed: Floats
    power: Floats
    gain_rule: Floats
    loss_rule: Floats


class Leaf(NamedTuple):
    """Scratch for one leaf.

    Attributes:
        near: int32 (background,), background rows alive for one class.
        weight: float64 (background,), their weights.
        flag: float64 (background, slots), 1 where a background row fails the player in a slot.
        vector: float64 (slots, slots), what the class gets: values on the diagonal, pairs above it.
        cross: float64 (slots,), weight of pairs of one kind each.
        table: float64 (2^slots, nodes).
    """

    near: Ints
    weight: Floats
    flag: Floats
    vector: Floats
    cross: Floats
    table: Floats


def beta_table(size: int) -> Floats:
    """float64 (size, size): p! q! / (p + q + 1)!, the integral of t^p (1 - t)^q over [0, 1]."""
    p = np.arange(size, dtype=float)
    table = np.empty((size, size))
    table[:, :1] = 1 / (p[:, None] + 1)
    for q in range(1, size):
        table[:, q] = table[:, q - 1] * q / (p + q + 1)
    return table


@cache
def weights() -> Weights:
    """The weights of every (a, c) that a mask can hold."""
    table = beta_table(_SIZE)

    def beta(p: int, q: int) -> Floats:
        """Row a, column c: (a - p)! (c - q)! / (a - p + c - q + 1)!, zero where a < p or c < q."""
        shifted = np.zeros((_SIZE, _SIZE))
        shifted[p:, q:] = table[: _SIZE - p, : _SIZE - q]
        return shifted

    x, w = np.polynomial.legendre.leggauss(NODES)
    t, w = (x + 1) / 2, w / 2
    power = t ** np.arange(_SIZE)[:, None]
    rest = (1 - t) ** np.arange(_SIZE)[:, None]
    return Weights(
        beta(1, 0),
        beta(0, 1),
        beta(2, 0),
        beta(0, 2),
        beta(1, 1),
        power,
        w * rest / t,
        w * rest / (1 - t),
    )


@bare
def write_flags(leaf: Leaf, alive: Words, fails: Words, slots: int) -> None:
    """Write fail masks of the background rows alive as numbers."""
    padded = (slots + 7) // 8 * 8
    for w in range(alive.shape[0]):
        word = alive[w]
        while word != 0:
            b = w * BITS + lowest_bit(word)
            word &= word - 1
            mask = fails[b]
            for j in range(padded):
                leaf.flag[b, j] = (mask >> j) & 1


@bare
def count_pairs(leaf: Leaf, rule: Weights, alive: Words, fails: Words, mask: int) -> tuple[int, float]:
    """List the background rows alive for a class with their weights; how many they are, and what failed players lose."""
    failed = count_bits(mask)
    found, lost = 0, 0.0
    for w in range(alive.shape[0]):
        word = alive[w]
        while word != 0:
            b = w * BITS + lowest_bit(word)
            word &= word - 1
            a = count_bits(fails[b])
            leaf.near[found] = b
            leaf.weight[found] = rule.gain[a, failed]
            lost += rule.loss[a, failed]
            found += 1
    return found, lost


@bare
def from_pairs(leaf: Leaf, rule: Weights, background: tuple[Words, Words], mask: int, slots: int) -> None:
    """Values of a class, background row by background row, into the first row of ``leaf.vector``."""
    found, lost = count_pairs(leaf, rule, background[0], background[1], mask)
    flag = leaf.flag
    for j in range(0, slots, 8):
        v0, v1, v2, v3, v4, v5, v6, v7 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for n in range(found):
            b, w = leaf.near[n], leaf.weight[n]
            v0 += w * flag[b, j]
            v1 += w * flag[b, j + 1]
            v2 += w * flag[b, j + 2]
            v3 += w * flag[b, j + 3]
            v4 += w * flag[b, j + 4]
            v5 += w * flag[b, j + 5]
            v6 += w * flag[b, j + 6]
            v7 += w * flag[b, j + 7]
        out = leaf.vector[0]
        out[j], out[j + 1], out[j + 2], out[j + 3] = v0, v1, v2, v3
        out[j + 4], out[j + 5], out[j + 6], out[j + 7] = v4, v5, v6, v7
    for j in range(slots):
        if (mask >> j) & 1:
            leaf.vector[0, j] = -lost


@bare
def table_pays(pairs: int, slots: int) -> bool:
    """Whether a table over all masks of a path is cheaper than so many pairs."""
    return slots <= MOST_TABLE and pairs > _TABLE_COST * slots * (1 << slots)


@bare
def write_table(leaf: Leaf, rule: Weights, alive: Words, fails: Words, slots: int) -> None:
    """For every set U of players and node t: the sum of t^|G| over the background rows alive with G within U."""
    table, size = leaf.table, 1 << slots
    table[:size] = 0.0
    for w in range(alive.shape[0]):
        word = alive[w]
        while word != 0:
            b = w * BITS + lowest_bit(word)
            word &= word - 1
            a = count_bits(fails[b])
            for q in range(NODES):
                table[fails[b], q] += rule.power[a, q]
    for j in range(slots):
        half = 1 << j
        for start in range(0, size, 2 * half):
            for at in range(start, start + half):
                for q in range(NODES):
                    table[at + half, q] += table[at, q]


@bare
def from_table(leaf: Leaf, rule: Weights, mask: int, slots: int) -> None:
    """Values of a class from the table, into the first row of ``leaf.vector``."""
    table, failed = leaf.table, count_bits(mask)
    within = ((1 << slots) - 1) & ~mask
    lost = 0.0
    for q in range(NODES):
        lost += rule.loss_rule[failed, q] * table[within, q]
    for j in range(slots):
        bit = 1 << j
        if mask & bit:
            leaf.vector[0, j] = -lost
        else:
            total = 0.0
            for q in range(NODES):
                total += rule.gain_rule[failed, q] * (table[within, q] - table[within ^ bit, q])
            leaf.vector[0, j] = total


@bare
def pairs_out(leaf: Leaf, mask: int, slots: int, lost: float, out: float) -> None:
    """Into ``leaf.vector`` what players that a class fails lose, and their pairs with one another and with all others."""
    vector, cross = leaf.vector, leaf.cross
    for j in range(slots):
        failed = (mask >> j) & 1
        if failed:
            vector[j, j] = -lost
        for i in range(j):
            if failed and (mask >> i) & 1:
                vector[i, j] = out
            elif failed:
                vector[i, j] = -cross[i]
            elif (mask >> i) & 1:
                vector[i, j] = -cross[j]


@bare
def two_by_two(leaf: Leaf, rule: Weights, background: tuple[Words, Words], mask: int, slots: int) -> None:
    """Values of a class on the diagonal of ``leaf.vector`` and interaction indices above it."""
    vector, cross, failed, lost, out = leaf.vector, leaf.cross, count_bits(mask), 0.0, 0.0
    alive, fails = background
    vector[:slots, :slots] = 0.0
    cross[:slots] = 0.0
    for w in range(alive.shape[0]):
        word = alive[w]
        while word != 0:
            b = w * BITS + lowest_bit(word)
            word &= word - 1
            a, rest = count_bits(fails[b]), fails[b]
            lost += rule.loss[a, failed]
            out += rule.both_out[a, failed]
            while rest != 0:
                j = lowest_bit(rest)
                rest &= rest - 1
                vector[j, j] += rule.gain[a, failed]
                cross[j] += rule.mixed[a, failed]
                others = rest
                while others != 0:
                    vector[j, lowest_bit(others)] += rule.both_in[a, failed]
                    others &= others - 1
    pairs_out(leaf, mask, slots, lost, out)
