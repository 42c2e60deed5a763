"""The walk that answers for all rows and all background rows at once: rows in segments, background rows in bit sets.

One depth-first walk over a tree carries a permutation of the rows, cut into segments whose rows fail the same players of the
path, and with each segment the set of background rows that pass all of those players ("alive"). A node cuts each segment in
place, once for both children: rows that go left pass the left child and fail the right one. Rows that fail a player already
are not cut on it again. A segment whose set runs empty is dropped with all that lies below. What leaves give is summed per
segment, and reaches the rows when the walk leaves the node where the segment was cut.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whyglass.kernels.background_leaf import (
    MOST_TABLE,
    NODES,
    Leaf,
    Weights,
    Words,
    from_pairs,
    from_table,
    table_pays,
    two_by_two,
    write_flags,
    write_table,
)
from whyglass.kernels.bits import BITS, add_four, count_bits, lowest_bit
from whyglass.kernels.forest import Floats, Ints, Trees, goes_left
from whyglass.kernels.jit import bare, compiled, inlined

START, STOP, MIDDLE, OWNER, ALIVE = range(5)
NODE, STAGE, SLOT, FRESH, SLOTS = range(5)


class Rules(NamedTuple):
    """What stays the same during a call.

    Attributes:
        players: int32 (features,), the player of each column.
        count: how many players there are.
        live: uint8 (nodes,), 1 where a leaf that is asked for lies at or below the node.
        narrow: uint8 (trees,), 1 where no path holds more players than a mask has bits.
        levels: edges on the longest path.
        pairs: whether interactions are asked for.
        direct: whether a leaf adds to the rows at once, because rows have many more players than paths.
        slots: most players on a path.
    """

    players: Ints
    count: int  # type: ignore[assignment]  # a tuple counts too
    live: NDArray[np.uint8]
    narrow: NDArray[np.uint8]
    levels: int
    pairs: bool
    direct: bool
    slots: int


class Scene(NamedTuple):
    """What is walked, with what, and what is filled.

    Attributes:
        trees: The forest.
        rules: What stays the same during a call.
        rule: The Shapley weights.
        beta: float64 (levels + 2, levels + 2), for the walk of wide trees.
        X: float64 (features, rows), feature-major.
        Z: float64 (features, background), feature-major.
        phi: float64 (rows, outputs, targets), sums over the background rows. Targets are the players, or players x players
            with the values on the diagonal, and as many more as make them a multiple of four.
        output: the first output that the tree being walked adds to.
    """

    trees: Trees
    rules: Rules
    rule: Weights
    beta: Floats
    X: Floats
    Z: Floats
    phi: Floats
    output: int


class Work(NamedTuple):
    """Scratch of one call; a stack of segments, level upon level.

    Attributes:
        order: int32 (rows,), the permutation.
        spare: int32 (rows,).
        first: int32 (levels + 2,), first segment of each level.
        segment: int32 (segments, 5): first row, end, first row that goes right, segment that holds the sums, its alive set.
        mask: int64 (segments,), players failed, by slot.
        alive: int64 (segments, words).
        touched: uint8 (segments,), whether the sums have begun.
        sums: float64 (segments, width x targets).
        at: int32 (levels + 1, 5): node, next step, slot of its player, whether the slot is new, slots in use above.
        left: int64 (levels + 1, words), background rows that go left.
        kept: int64 (levels + 1, words), the player's pass set before.
        union: int64 (levels + 2, words), background rows alive in any segment.
        passed: int64 (slots, words), background rows that pass a player so far.
        slot_of: int32 (players,), -1 when the player is not on the path.
        player_of: int32 (slots,).
        fails: int64 (levels + 2, background), players failed by each background row, by slot.
        leaf: scratch for a leaf.
        classes: int32 (4, rows): place in the hash, first segment of a class, next segment of the same class; the hash is apart.
        hash: int32 (power of two,).
    """

    order: Ints
    spare: Ints
    first: Ints
    segment: Ints
    mask: Words
    alive: Words
    touched: NDArray[np.uint8]
    sums: Floats
    at: Ints
    left: Words
    kept: Words
    union: Words
    passed: Words
    slot_of: Ints
    player_of: Ints
    fails: Words
    leaf: Leaf
    place: Ints
    head: Ints
    following: Ints
    hash: Ints


@inlined
def make_work(rules: Rules, rows: int, background: int, cells: int) -> Work:
    """Scratch for blocks of so many rows and background rows."""
    words = (background + 2 * BITS - 1) // (2 * BITS) * 2  # in pairs: loops over them are unrolled once
    levels, segments, padded = rules.levels + 2, (rules.levels + 2) * rows, (rules.slots + 7) // 8 * 8
    buckets = 64
    while buckets < 2 * rows:
        buckets *= 2
    leaf = Leaf(
        np.zeros(background, np.int32),
        np.zeros(background),
        np.zeros((background, padded)),
        np.zeros((padded if rules.pairs else 1, padded)),
        np.zeros(padded),
        np.empty((1 << min(rules.slots, MOST_TABLE), NODES)),
    )
    return Work(
        np.arange(rows).astype(np.int32),
        np.zeros(rows, np.int32),
        np.zeros(levels + 1, np.int32),
        np.empty((segments, 5), np.int32),
        np.empty(segments, np.int64),
        np.empty((segments, words), np.int64),
        np.empty(segments, np.uint8),
        np.empty((1 if rules.direct else segments, cells)),
        np.zeros((levels, 5), np.int32),
        np.zeros((levels, words), np.int64),
        np.zeros((levels, words), np.int64),
        np.zeros((levels, words), np.int64),
        np.zeros((padded, words), np.int64),
        np.full(rules.count, -1, np.int32),
        np.zeros(padded, np.int32),
        np.zeros((levels, background), np.int64),
        leaf,
        np.zeros(rows, np.int32),
        np.zeros(rows, np.int32),
        np.zeros(segments, np.int32),
        np.zeros(buckets, np.int32),
    )


@bare
def cut(scene: Scene, work: Work, node: int, start: int, stop: int) -> int:
    """Bring the rows of a segment that go left to its front; where the others begin."""
    trees, X = scene.trees, scene.X
    feature, low, high = trees.feature[node], start, 0
    order, spare = work.order, work.spare
    if stop - start == 1:
        return start + (1 if goes_left(trees, node, X[feature, order[start]]) else 0)
    plain, threshold = trees.category_start[node] < 0 and not trees.missing_left[node], trees.threshold[node]
    for i in range(start, stop):
        row = order[i]
        value = X[feature, row]
        goes = (1 if value <= threshold else 0) if plain else (1 if goes_left(trees, node, value) else 0)
        order[low] = row
        spare[high] = row
        low += goes
        high += 1 - goes
    for i in range(high):
        order[low + i] = spare[i]
    return low


@bare
def open_node(scene: Scene, work: Work, level: int) -> None:
    """Route background rows and rows at an inner node, and give its player a slot."""
    trees, Z = scene.trees, scene.Z
    node = work.at[level, NODE]
    feature = trees.feature[node]
    player = scene.rules.players[feature]
    slot = work.slot_of[player]
    work.at[level, FRESH] = 0
    if slot < 0:
        slot = work.at[level, SLOTS]
        work.slot_of[player], work.player_of[slot], work.at[level, FRESH] = slot, player, 1
        for w in range(work.passed.shape[1]):
            work.passed[slot, w] = work.union[0, w]
    work.at[level, SLOT] = slot
    for w in range(work.left.shape[1]):
        work.kept[level, w] = work.passed[slot, w]
        word, goes = work.union[level, w], 0
        while word != 0:
            low = word & -word
            word ^= low
            if goes_left(trees, node, Z[feature, w * BITS + lowest_bit(low)]):
                goes |= low
        work.left[level, w] = goes
    for s in range(work.first[level], work.first[level + 1]):
        if (work.mask[s] >> slot) & 1 == 0:
            work.segment[s, MIDDLE] = cut(scene, work, node, work.segment[s, START], work.segment[s, STOP])


@bare
def put(work: Work, to: int, of: int, span: tuple[int, int], alive: int) -> None:
    """Write a segment that keeps its parent's sums when it keeps its rows."""
    segment, (start, stop) = work.segment, span
    whole = stop - start == segment[of, STOP] - segment[of, START]
    segment[to, START], segment[to, STOP], segment[to, ALIVE] = start, stop, alive
    segment[to, OWNER] = segment[of, OWNER] if whole else to
    work.touched[to] = 0


@bare
def still_alive(work: Work, to: int, of: int, slot: int, level: int) -> bool:
    """Into a segment's set: its parent's without the background rows that fail a player; whether any is left."""
    row, some = work.segment[of, ALIVE], 0
    alive, passed, union = work.alive, work.passed, work.union
    for w in range(0, alive.shape[1], 2):
        a, b = alive[row, w] & passed[slot, w], alive[row, w + 1] & passed[slot, w + 1]
        some |= a | b
        alive[to, w], alive[to, w + 1] = a, b
        union[level, w], union[level, w + 1] = union[level, w] | a, union[level, w + 1] | b
    return some != 0


@bare
def join(work: Work, row: int, level: int) -> None:
    """Add a segment's set to the union of its level."""
    alive, union = work.alive, work.union
    for w in range(0, alive.shape[1], 2):
        union[level, w], union[level, w + 1] = union[level, w] | alive[row, w], union[level, w + 1] | alive[row, w + 1]


@bare
def descend(work: Work, level: int, side: int) -> bool:
    """Write the segments of a child; whether there are any."""
    slot = int(work.at[level, SLOT])
    bit, words, below = 1 << slot, work.alive.shape[1], level + 1
    for w in range(words):
        left = work.left[level, w]
        work.passed[slot, w] = work.kept[level, w] & (left if side == 0 else ~left)
        work.union[below, w] = 0
    to = work.first[below]
    for s in range(work.first[level], work.first[below]):
        start, stop, mask = work.segment[s, START], work.segment[s, STOP], work.mask[s]
        if mask & bit:
            if still_alive(work, to, s, slot, below):
                put(work, to, s, (start, stop), to)
                work.mask[to] = mask
                to += 1
            continue
        middle = work.segment[s, MIDDLE]
        begin, end = (start, middle) if side == 0 else (middle, stop)
        if begin < end:
            put(work, to, s, (begin, end), work.segment[s, ALIVE])
            work.mask[to] = mask
            join(work, work.segment[s, ALIVE], below)
            to += 1
        begin, end = (middle, stop) if side == 0 else (start, middle)
        if begin < end and still_alive(work, to, s, slot, below):
            put(work, to, s, (begin, end), to)
            work.mask[to] = mask | bit
            to += 1
    work.first[below + 1] = to
    for w in range(words):
        word, passes = work.union[below, w], work.passed[slot, w]
        while word != 0:
            low = word & -word
            word ^= low
            b = w * BITS + lowest_bit(low)
            work.fails[below, b] = work.fails[level, b] | (0 if passes & low else bit)
    work.at[below, SLOTS] = work.at[level, SLOTS] + work.at[level, FRESH]
    return bool(to > work.first[below])


@bare
def classes_of(work: Work, level: int) -> tuple[int, int]:
    """Chain the segments of a leaf that fail the same players; how many classes, and pairs of a class and a background row."""
    count, pairs, last = 0, 0, work.hash.shape[0] - 1
    for s in range(work.first[level], work.first[level + 1]):
        mask = work.mask[s]
        at = (mask ^ (mask >> 13) ^ (mask >> 29)) & last
        while True:
            known = work.hash[at]
            if known >= count or work.place[known] != at:
                work.hash[at], work.place[count], work.head[count], work.following[s] = count, at, s, -1
                count += 1
                row = work.segment[s, ALIVE]
                for w in range(work.alive.shape[1]):
                    pairs += count_bits(work.alive[row, w])
                break
            if work.mask[work.head[known]] == mask:
                work.following[s] = work.head[known]
                work.head[known] = s
                break
            at = (at + 1) & last
    return count, pairs


@bare
def add(rules: Rules, work: Work, slots: int, out: Floats, value: float) -> None:
    """Add a class's vector, times a leaf's value, to sums by player."""
    if not rules.pairs:
        for j in range(slots):
            out[work.player_of[j]] += value * work.leaf.vector[0, j]
        return
    for j in range(slots):
        q = work.player_of[j]
        for i in range(j + 1):
            p = work.player_of[i]
            out[min(p, q) * rules.count + max(p, q)] += value * work.leaf.vector[i, j]


@bare
def give(scene: Scene, work: Work, level: int, class_: int) -> None:
    """Hand a class's vector to its segments, or at once to their rows."""
    value, rules, phi = scene.trees.value, scene.rules, scene.phi
    node, slots, width, targets = work.at[level, NODE], work.at[level, SLOTS], value.shape[1], phi.shape[2]
    s = work.head[class_]
    while s >= 0:
        if rules.direct:
            for i in range(work.segment[s, START], work.segment[s, STOP]):
                for k in range(width):
                    add(rules, work, slots, phi[work.order[i], scene.output + k], value[node, k])
        else:
            owner = work.segment[s, OWNER]
            if work.touched[owner] == 0:
                work.touched[owner] = 1
                work.sums[owner] = 0.0
            for k in range(width):
                add(rules, work, slots, work.sums[owner, k * targets : (k + 1) * targets], value[node, k])
        s = work.following[s]


@bare
def answer_leaf(scene: Scene, work: Work, level: int) -> None:
    """Add a leaf to all segments that reach it."""
    rule, pairwise = scene.rule, scene.rules.pairs
    slots, union, fails = int(work.at[level, SLOTS]), work.union[level], work.fails[level]
    count, pairs = classes_of(work, level)
    by_table = not pairwise and table_pays(pairs, slots)
    if by_table:
        write_table(work.leaf, rule, union, fails, slots)
    elif not pairwise:
        write_flags(work.leaf, union, fails, slots)
    for class_ in range(count):
        s = work.head[class_]
        mask, alive = work.mask[s], work.alive[work.segment[s, ALIVE]]
        if pairwise:
            two_by_two(work.leaf, rule, (alive, fails), mask, slots)
        elif by_table:
            from_table(work.leaf, rule, mask, slots)
        else:
            from_pairs(work.leaf, rule, (alive, fails), mask, slots)
        give(scene, work, level, class_)


@bare
def close(scene: Scene, work: Work, level: int) -> None:
    """Leave a node: hand the sums of the segments cut for it to their rows, and forget its player if it was new."""
    trees, phi = scene.trees, scene.phi
    targets, width = phi.shape[2], trees.value.shape[1]
    node = work.at[level, NODE]
    if trees.feature[node] >= 0:
        slot = work.at[level, SLOT]
        if work.at[level, FRESH]:
            work.slot_of[work.player_of[slot]] = -1
        else:
            for w in range(work.kept.shape[1]):
                work.passed[slot, w] = work.kept[level, w]
    sums, order, each = work.sums, work.order, phi.shape[1] * targets
    for s in range(work.first[level], work.first[level + 1]):
        if work.touched[s] == 0:
            continue
        of = s * width * targets
        for i in range(work.segment[s, START], work.segment[s, STOP]):
            to = order[i] * each + scene.output * targets
            for j in range(0, width * targets, 4):
                add_four(phi, to + j, sums, of + j)


@bare
def walk_tree(scene: Scene, work: Work, tree: int) -> None:
    """Walk one tree with all rows and background rows."""
    trees, live = scene.trees, scene.rules.live
    level = 0
    work.first[0], work.first[1] = 0, 1
    work.segment[0, START], work.segment[0, STOP], work.segment[0, OWNER], work.segment[0, ALIVE] = 0, scene.X.shape[1], 0, 0
    work.touched[0], work.mask[0] = 0, 0
    work.at[0, NODE], work.at[0, STAGE], work.at[0, SLOTS] = trees.roots[tree], 0, 0
    for w in range(work.alive.shape[1]):
        work.alive[0, w] = work.union[0, w]
    while level >= 0:
        node, stage = work.at[level, NODE], work.at[level, STAGE]
        if stage == 0:
            if trees.feature[node] < 0:
                answer_leaf(scene, work, level)
                stage = 2
            else:
                open_node(scene, work, level)
        if stage == 2:
            close(scene, work, level)
            level -= 1
            continue
        work.at[level, STAGE] = stage + 1
        child = trees.left[node] if stage == 0 else trees.right[node]
        if live[child] and descend(work, level, stage):
            level += 1
            work.at[level, NODE], work.at[level, STAGE] = child, 0


@compiled
def walk_trees(scene: Scene, first: int, end: int) -> None:
    """Add the narrow ones of the trees ``first`` to ``end`` to ``scene.phi``."""
    trees, rules, phi = scene.trees, scene.rules, scene.phi
    background, width = scene.Z.shape[1], trees.value.shape[1]
    work = make_work(rules, scene.X.shape[1], background, width * phi.shape[2])
    for b in range(background):
        work.union[0, b // BITS] |= 1 << (b % BITS)
    for tree in range(first, end):
        if rules.narrow[tree] and rules.live[trees.roots[tree]]:
            output = max(trees.tree_output[tree], 0)
            walk_tree(Scene(trees, rules, scene.rule, scene.beta, scene.X, scene.Z, phi, output), work, tree)
