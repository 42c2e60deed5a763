"""Bounds and cuts by themselves: held to scipy's, and to what people find round."""

import numpy as np
import pytest
from scipy.stats import beta, binom

from whyglass.core.schema import Column
from whyglass.explainers.anchors.bounds import at_least, fewest, lower, shown, upper
from whyglass.explainers.anchors.cuts import cuts, round_between

PAIRS = [(0, 10), (1, 10), (9, 10), (10, 10), (470, 500), (1999, 2048), (3, 2048)]


@pytest.mark.parametrize(("hits", "draws"), PAIRS)
@pytest.mark.parametrize("error", [0.025, 0.002])
def test_bounds_are_those_of_clopper_and_pearson(hits, draws, error):
    low = beta.ppf(error, hits, draws - hits + 1) if hits else 0.0
    high = beta.ppf(1 - error, hits + 1, draws - hits) if hits < draws else 1.0
    assert lower(hits, draws, error) == pytest.approx(low, abs=1e-10)
    assert upper(hits, draws, error) == pytest.approx(high, abs=1e-10)
    assert abs(lower(hits + (hits < draws), draws, error) - low) > 1e-6 or hits == draws, "one hit more must be seen"


@pytest.mark.parametrize("share", [0.3, 0.95])
def test_tails_are_those_of_the_binomial(share):
    for hits, draws in PAIRS[1:]:
        assert at_least(hits, draws, share) == pytest.approx(binom.sf(hits - 1, draws, share), abs=1e-11)
        assert shown(hits, draws, 0.01, share) == (lower(hits, draws, 0.01) >= share)


def test_the_fewest_draws_are_just_enough():
    few = fewest(0.01, 0.95)
    assert shown(few, few, 0.01, 0.95)
    assert not shown(few - 1, few - 1, 0.01, 0.95)


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (39.0, 40.0, 40.0),
        (5013.0, 5178.0, 5100.0),
        (0.1234, 0.1311, 0.13),
        (-3.0, 2.0, 0.0),
        (6849.0, 7298.0, 7000.0),
        (-42.7, -41.2, -42.0),
    ],
)
def test_a_cut_is_told_by_the_roundest_number(low, high, told):
    found = round_between(low, high)
    assert low <= found <= high
    assert found == pytest.approx(told)


def test_cuts_split_the_rows_that_they_say():
    rng = np.random.default_rng(0)
    for values in (rng.normal(size=500), rng.integers(0, 5, 500).astype(float), np.where(rng.random(500) < 0.9, 0.0, rng.random(500))):
        found = cuts(Column("x"), values, None, 0)
        assert 1 <= len(found) <= 10
        sides = [np.array([cut.under(v) for v in values]).sum() for cut in found]
        assert sides == sorted(set(sides)), "every cut splits the rows in another place"
    assert cuts(Column("x"), np.full(50, 3.0), None, 0) == ()
    assert cuts(Column("x"), np.full(50, np.nan), None, 0) == ()
