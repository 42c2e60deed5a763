"""Branch and bound over rules, held to every rule there is."""

import itertools

import numpy as np
import pytest

from whyglass.kernels.bitsets import Conditions, best_rules, count_each, pack

COLUMN = np.array([0, 0, 1, 1, 2, 3, 4, 4, 5], np.int32)
SIDE = np.array([0, 1, 0, 0, 2, 2, 1, 1, 2], np.int32)
ASKED = np.array([0.8, 0.9, 0.97])
LEAST = 3


def table(seed, rows=150):
    rng = np.random.default_rng(seed)
    masks = rng.random((len(COLUMN), rows)) < 0.6
    return masks, masks[:3].sum(axis=0) + 1.5 * rng.random(rows) > 2


def allowed(rule, columns):
    sides = {}
    for c in rule:
        sides.setdefault(COLUMN[c], []).append(SIDE[c])
    return len(sides) <= columns and all(len(s) == 1 or sorted(s) == [0, 1] for s in sides.values())


def by_definition(masks, good, split, asked, columns, *, part=0.5):
    """Rows of the first table covered by the best rule, over all rules; ``part`` is what the first table has of the precision."""
    best = -1
    for size in range(1, 2 * columns + 1):
        for rule in itertools.combinations(range(len(masks)), size):
            inside = masks[list(rule)].all(axis=0)
            parts = [slice(0, split)] + [slice(split, None)] * (split < masks.shape[1])
            if not allowed(rule, columns) or inside[:split].sum() < LEAST:
                continue
            shares = [(inside & good)[p].sum() / max(inside[p].sum(), 1e-9) for p in parts]
            share = shares[0] if len(shares) == 1 else part * shares[0] + (1 - part) * shares[1]
            if share >= asked:
                best = max(best, int(inside[:split].sum()))
    return best


def packed(masks, good, split):
    parts = [slice(0, split)] + [slice(split, None)] * (split < masks.shape[1])
    sets = np.concatenate([pack(masks[:, p]) for p in parts], axis=1)
    right = np.concatenate([pack(good[None, p])[0] for p in parts])
    return Conditions(sets, right, np.array([-(-split // 64)]), COLUMN, SIDE)


@pytest.mark.parametrize("split", [150, 90], ids=["one table", "two tables"])
@pytest.mark.parametrize("columns", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_no_rule_that_passes_covers_more(seed, columns, split):
    masks, good = table(seed)
    found = best_rules(packed(masks, good, split), ASKED, columns=columns, visits=10**6, least=LEAST, kept=2)
    for level, asked in enumerate(ASKED):
        assert found.rows[level, 0] == by_definition(masks, good, split, asked, columns)
        for rule, rows in zip(found.rules[level], found.rows[level], strict=True):
            if rows >= 0:
                inside = masks[rule[rule >= 0]].all(axis=0)[:split]
                assert inside.sum() == rows
                assert allowed(rule[rule >= 0], columns)


@pytest.mark.parametrize("part", [0.15, 0.8, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_first_table_has_the_part_of_the_precision_that_it_is_given(seed, part):
    masks, good = table(seed)
    good[90:] |= np.random.default_rng(seed).random(60) < 0.5  # the tables disagree
    found = best_rules(packed(masks, good, 90), ASKED, columns=2, visits=10**6, least=LEAST, weigh=np.array([0.0, part]))
    truth = [by_definition(masks, good, 90, asked, 2, part=part) for asked in ASKED]
    assert found.rows[:, 0].tolist() == truth
    assert truth != [by_definition(masks, good, 90, asked, 2, part=1.15 - part) for asked in ASKED], "another part gives other rules"


def test_a_search_that_sees_other_answers_finds_other_rules():
    masks, good = table(1)
    found = best_rules(packed(masks, ~good, 150), ASKED, columns=2, visits=10**6, least=LEAST)
    assert found.rows[0, 0] != by_definition(masks, good, 150, ASKED[0], 2)


def test_a_limit_of_visits_holds():
    masks, good = table(0)
    found = best_rules(packed(masks, good, 150), np.array([1.1]), columns=3, visits=40, least=1)
    assert found.visited[0] == 40
    assert (found.rows == -1).all()


def test_counts_are_those_of_the_masks():
    masks, good = table(3)
    conditions = packed(masks, good, 90)
    out = np.zeros((len(masks), 4), np.int64)
    count_each(conditions.sets, conditions.good, 2, out)
    both = masks & good
    assert out.tolist() == np.stack([masks[:, :90].sum(1), both[:, :90].sum(1), masks[:, 90:].sum(1), both[:, 90:].sum(1)], axis=1).tolist()


def test_no_conditions_give_no_rules():
    none = Conditions(np.zeros((0, 3), np.uint64), np.zeros(3, np.uint64), np.array([3]), COLUMN[:0], SIDE[:0])
    assert (best_rules(none, ASKED, columns=2, visits=10, least=1).rows == -1).all()
