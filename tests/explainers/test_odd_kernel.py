"""The odd-kernel process against its definition: every product of signs listed, every coalition known."""

import itertools
import math

import numpy as np
import pytest

from whyglass.explainers.shapley import designs, odd_kernel
from whyglass.explainers.shapley.enumerated import all_coalitions
from whyglass.explainers.shapley.estimate import estimate
from whyglass.kernels import twins

SHARE = (0.5, 0.2, 0.15, 0.1, 0.05)


@pytest.fixture(autouse=True)
def _nothing_broken_is_kept():
    yield
    odd_kernel.process.cache_clear()


def terms(players, share=SHARE):
    """Every odd product of up to 7 signs: which players, and its variance."""
    for order, power in zip(odd_kernel.ORDERS, share, strict=False):
        for members in itertools.combinations(range(players), order):
            yield members, power / math.comb(players, order)


def signs_of(players, seed=0, count=25):
    rng = np.random.default_rng(seed)
    rows = all_coalitions(players)[rng.permutation(2 ** (players - 1))[:count]]
    return 2.0 * rows - 1.0


def by_definition(signs, share=SHARE):
    """Covariance of the observations, theirs with the values, and the values' variance, one term after the other."""
    pairs, players = signs.shape
    seen, cross, value = np.zeros((pairs, pairs)), np.zeros((pairs, players)), np.zeros(players)
    for members, variance in terms(players, share):
        term = signs[:, members].prod(axis=1)
        each = np.isin(np.arange(players), members) * 2 / len(members)
        seen += variance * np.outer(term, term)
        cross += variance * np.outer(term, each)
        value += variance * each**2
    # the rest: its own variance at every pair of coalitions, each of which counts in the values
    whole = 2.0 * all_coalitions(players) - 1.0
    whole = whole[whole[:, 0] > 0]
    size = ((whole > 0).sum(axis=1)).astype(int)
    inside = np.array([0.0] + [2 / (players * math.comb(players - 1, s - 1)) for s in range(1, players + 1)])
    outside = np.array([2 / (players * math.comb(players - 1, s)) for s in range(players)] + [0.0])
    weights = np.where(whole > 0, inside[size][:, None], -outside[size][:, None])
    for k, row in enumerate(signs):
        at = np.flatnonzero((whole == row * row[0]).all(axis=1))[0]
        cross[k] += share[-1] * row[0] * weights[at]
    seen += share[-1] * np.eye(pairs)
    value += share[-1] * (weights**2).sum(axis=0)
    return seen, cross, value


def differences(signs):
    """How far the closed forms are from the definition."""
    seen, cross, value = by_definition(signs)
    return (
        np.abs(odd_kernel.covariance(signs, SHARE) - seen).max(),
        np.abs(odd_kernel.with_values(signs, SHARE) - cross).max(),
        np.abs(odd_kernel.prior_variance(signs.shape[1], SHARE) - value).max(),
    )


@pytest.mark.parametrize("players", [7, 8, 9])
def test_closed_forms_are_the_sums_over_all_terms(players):
    assert max(differences(signs_of(players))) <= 1e-10


@pytest.mark.parametrize("broken", ["symmetric", "_whole_weights", "prior_variance"])
def test_closed_forms_broken_on_purpose_are_caught(monkeypatch, broken):
    right = getattr(odd_kernel, broken)
    wrong = {
        "symmetric": lambda sums, count, order: right(sums, count + 1, order),
        "_whole_weights": lambda players: 1.1 * right(players),
        "prior_variance": lambda players, share: 1.01 * right(players, share),
    }
    monkeypatch.setattr(odd_kernel, broken, wrong[broken])
    assert max(differences(signs_of(8))) > 1e-4


def test_shares_add_up_to_one_and_leave_out_what_there_is_not():
    for players in (3, 5, 12, 40):
        for share in odd_kernel.shares(players):
            assert math.isclose(sum(share), 1.0)
            assert min(share[:4]) >= 0
            assert share[-1] > 0
            assert all(p == 0 for p, order in zip(share, odd_kernel.ORDERS, strict=False) if order > players)


def drawn(players, share, seed):
    """A game drawn from the process itself: its odd part as a table, and its Shapley values."""
    rng = np.random.default_rng(seed)
    whole = 2.0 * all_coalitions(players) - 1.0
    said = np.zeros(len(whole))
    for members, variance in terms(players, share):
        said += rng.normal() * np.sqrt(variance) * whole[:, members].prod(axis=1)
    noise = rng.normal(size=len(whole)) * np.sqrt(share[-1])
    said += (noise - noise[::-1]) / np.sqrt(2)
    return said[:, None], twins.shapley(said[:, None])


def standardised(share, scale=1.0, players=9, games=60):
    """Errors over standard errors of games that keep to the process."""
    found = []
    for game in range(games):
        table, truth = drawn(players, share, game)
        design = designs.make(players, 120, game)
        place = design.coalitions @ (1 << np.arange(players))
        answer = estimate(design, scale * (table[place] - table[::-1][place]), scale * (table[-1] - table[0]))
        found.append((answer.values - scale * truth) / answer.errors)
    return np.array(found)


@pytest.mark.parametrize("share", [(0.9, 0.09, 0.007, 0.002, 0.001), (0.3, 0.4, 0.2, 0.05, 0.05)])
def test_standard_errors_are_the_spread_of_the_errors(share):
    spread = np.sqrt((standardised(share) ** 2).mean())
    assert 0.8 <= spread <= 1.25


def test_a_scale_broken_on_purpose_is_caught(monkeypatch):
    right = odd_kernel.Process.choose

    def wrong(self, seen):
        chosen, scale = right(self, seen)
        return chosen, scale / 4

    monkeypatch.setattr(odd_kernel.Process, "choose", wrong)
    odd_kernel.process.cache_clear()
    assert np.sqrt((standardised((0.9, 0.09, 0.007, 0.002, 0.001)) ** 2).mean()) < 1.25, "the last observations put it right"
    monkeypatch.setattr(odd_kernel, "late_of", lambda _: 0)
    odd_kernel.process.cache_clear()
    assert np.sqrt((standardised((0.9, 0.09, 0.007, 0.002, 0.001)) ** 2).mean()) > 1.5


def test_units_do_not_matter():
    share = (0.9, 0.09, 0.007, 0.002, 0.001)
    small, large = standardised(share, 1e-9, games=4), standardised(share, 1e9, games=4)
    assert np.allclose(small, large, rtol=1e-6)


def test_more_pairs_than_one_process_holds_still_bring_the_values_nearer(monkeypatch):
    monkeypatch.setattr("whyglass.explainers.shapley.estimate.MOST_PAIRS", 127)
    rng = np.random.default_rng(0)
    held, errors = [], {256: [], 1600: []}
    for game in range(8):
        bits = all_coalitions(11).astype(float)
        said = np.tanh(bits @ rng.normal(size=11) + 2 * bits[:, 0] * bits[:, 1] * bits[:, 2] - bits[:, 3] * bits[:, 4])[:, None]
        truth = twins.shapley(said)
        for evaluations, found in errors.items():
            design = designs.make(11, evaluations, game)
            place = design.coalitions @ (1 << np.arange(11))
            answer = estimate(design, said[place] - said[::-1][place], said[-1] - said[0])
            assert np.isclose(answer.values.sum(), (said[-1] - said[0]).sum())
            found.append(np.abs(answer.values - truth).mean())
            if evaluations == 1600:
                held.append(np.abs(answer.values - truth) <= 2 * answer.errors)
    assert np.mean(errors[1600]) < 0.6 * np.mean(errors[256])
    assert np.mean(held) >= 0.9
