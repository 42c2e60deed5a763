"""Bounds and cuts by themselves: held to scipy's, and to what people find round."""

import numpy as np
import pytest
from scipy.stats import beta, binom

from whyglass.core.schema import Column
from whyglass.explainers.anchors import belief
from whyglass.explainers.anchors.belief import Trial, believed, chances
from whyglass.explainers.anchors.bounds import at_least, fewest, lower, shown, upper
from whyglass.explainers.anchors.candidates import Candidate
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


TRIALS = [(0.97, 60, 64), (0.99, 0, 0), (0.95, 300, 320), (0.98, 64, 64), (0.9, 0, 0)]


def by_linear_algebra(own):
    """The posterior of the whole vector of odds: normal, with one part in common and one of each candidate's own."""
    told = np.array([np.log(share / (1 - share)) for share, _, _ in TRIALS])
    prior = np.full((len(told), len(told)), belief.OFF[1] ** 2) + own**2 * np.eye(len(told))
    seen = [k for k, (_, _, draws) in enumerate(TRIALS) if draws]
    share = np.array([(TRIALS[k][1] + 0.5) / (TRIALS[k][2] + 1) for k in seen])
    noise = np.diag(1 / (np.array([TRIALS[k][2] for k in seen]) * np.maximum(share * (1 - share), 0.01)))
    gain = prior[:, seen] @ np.linalg.inv(prior[np.ix_(seen, seen)] + noise)
    mean = told + belief.OFF[0]
    return mean + gain @ (np.log(share / (1 - share)) - mean[seen]), np.sqrt(np.diag(prior - gain @ prior[seen]))


def test_what_is_believed_of_candidates_is_the_posterior():
    trials = [Trial(Candidate((), 0.1, share), hits, draws) for share, hits, draws in TRIALS]
    middle, spread = believed(trials)
    true = by_linear_algebra(belief.OWN)
    assert middle == pytest.approx(true[0], abs=1e-9)
    assert spread == pytest.approx(true[1], abs=1e-9)
    assert abs(middle - by_linear_algebra(2 * belief.OWN)[0]).max() > 1e-3, "another spread must be seen"
    chance = chances(trials, 0.96, 500)
    assert ((chance > 0) & (chance < 1)).all()
    assert chance.argmax() == middle.argmax()
