"""Sampled Shapley values: near the truth by as much as they say, within the budget, the same for a row and its batch."""

import math
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import whyglass as wg
from whyglass.core.ask import least_evaluations
from whyglass.core.errors import InputError
from whyglass.explainers.shapley import designs
from whyglass.explainers.shapley.enumerated import all_coalitions
from whyglass.explainers.shapley.estimate import estimate
from whyglass.kernels import twins


def table_of_game(players, seed):
    """A game with main effects and interactions up to order four."""
    rng = np.random.default_rng(seed)
    bits = all_coalitions(players).astype(float)
    said = bits @ rng.normal(size=players)
    for order, count in ((2, 12), (3, 8), (4, 4)):
        for _ in range(count):
            said += rng.normal() * bits[:, rng.permutation(players)[:order]].prod(axis=1)
    return np.tanh(said / 2)[:, None] + 0.1 * said[:, None]


def sample(table, design):
    """The estimate for a game whose every answer is known."""
    place = design.coalitions @ (1 << np.arange(design.coalitions.shape[1]))
    return estimate(design, table[place] - table[len(table) - 1 - place], table[-1] - table[0])


def regression(table, design):
    place = design.coalitions @ (1 << np.arange(design.coalitions.shape[1]))
    return design.values(table[place] - table[len(table) - 1 - place], table[-1] - table[0])[:2]


def coverage(players, evaluations, widen=1.0, plain=False):
    held = []
    for game in range(6):
        table = table_of_game(players, game)
        truth = twins.shapley(table)
        for seed in range(25 if plain else 8):
            design = designs.make(players, evaluations, seed)
            if plain:
                values, errors = regression(table, design)
            else:
                found = sample(table, design)
                values, errors = found.values, found.errors
            held.append(np.abs(values - truth) <= 2 * widen * errors)
    return np.mean(held)


@pytest.mark.parametrize("plain", [False, True], ids=["process", "regression"])
@pytest.mark.parametrize(("players", "evaluations"), [(8, 60), (10, 80), (10, 300), (11, 600)])
def test_two_standard_errors_hold_the_truth_as_often_as_they_should(players, evaluations, plain):
    least = 0.85 if plain else 0.9
    assert least <= coverage(players, evaluations, plain=plain) <= 0.995


@pytest.mark.parametrize("plain", [False, True], ids=["process", "regression"])
def test_errors_made_too_small_on_purpose_are_caught(plain):
    assert coverage(10, 80, widen=0.4, plain=plain) < 0.85


def test_a_weight_broken_on_purpose_is_caught(monkeypatch):
    table = table_of_game(9, 1)
    truth = twins.shapley(table)

    def bias():
        designs.make.cache_clear()
        return np.abs(np.mean([regression(table, designs.make(9, 200, seed))[0] for seed in range(60)], axis=0) - truth).max()

    right = bias()
    monkeypatch.setattr(designs, "_weight", lambda *_: 1.0)
    assert bias() > 5 * right
    designs.make.cache_clear()


@pytest.mark.parametrize("players", range(1, 9))
def test_a_budget_that_holds_every_coalition_is_exact(players):
    table = table_of_game(players, 3) if players >= 4 else np.random.default_rng(0).normal(size=(2**players, 2))
    design = designs.make(players, 2**players, seed=5)
    assert design.complete
    assert design.evaluations == 2**players
    found = sample(table, design)
    assert np.abs(found.values - twins.shapley(table)).max() <= 1e-12
    assert found.errors.max() <= 1e-12
    assert found.agrees.all()


@settings(max_examples=60, deadline=None)
@given(players=st.integers(1, 40), extra=st.integers(0, 700), seed=st.integers(0, 99))
def test_designs_keep_their_promises(players, extra, seed):
    budget = least_evaluations(players) + extra
    design = designs.make(players, budget, seed)
    assert design.evaluations <= budget
    both = np.concatenate([design.coalitions, ~design.coalitions])
    assert len(np.unique(both, axis=0)) == len(both), "no coalition is asked about twice"
    assert np.array_equal(design.coalitions.sum(axis=1), design.size)
    assert np.all(design.counts >= np.minimum(2, np.array(design.populations, dtype=float)))
    assert np.array_equal(np.bincount(design.size, minlength=players // 2 + 1)[1:], design.counts)
    gain = np.array([1.5])
    noise = np.random.default_rng(seed).normal(size=(len(design.coalitions), 1))
    assert math.isclose(design.values(noise, gain)[0].sum(), 1.5, abs_tol=1e-9)
    assert math.isclose(estimate(design, noise, gain).values.sum(), 1.5, abs_tol=1e-9)
    shorter = designs.make(players, max(least_evaluations(players), budget // 2), seed)
    assert np.array_equal(shorter.coalitions, design.coalitions[: len(shorter.coalitions)]), "a larger budget goes on"


def test_every_coalition_of_a_size_has_its_number():
    for players, size in ((7, 3), (9, 1), (6, 5), (12, 6)):
        listed = designs.unrank(players, size, np.arange(math.comb(players, size)))
        assert len(np.unique(listed, axis=0)) == len(listed)
        assert np.all(listed.sum(axis=1) == size)


def test_sizes_with_more_coalitions_than_can_be_shuffled_are_drawn_until_distinct():
    design = designs.make(44, 3000, 2)
    assert max(design.populations) > designs._SHUFFLED
    assert design.counts.min() >= 35
    share = design.coalitions[design.size == 20].mean(axis=0)
    assert np.abs(share - 20 / 44).max() < 0.25


def test_a_budget_that_is_too_small_says_what_is_needed():
    with pytest.raises(InputError, match="give at least 66"):
        designs.make(30, 40, 0)


def wide(columns=16, rows=80):
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(rows, columns)), columns=[f"c{j}" for j in range(columns)])


def test_the_budget_is_a_hard_cap_and_counts_are_true():
    X, asked = wide(), []

    def model(frame):
        asked.append(len(frame))
        return frame.to_numpy() @ np.arange(16.0) + np.sin(frame["c0"] * frame["c1"]).to_numpy()

    wrapped = wg.wrap(model, X, task="regression")
    asked.clear()
    why = wg.explain(wrapped, X[:3], budget=200, background=X[:20])
    assert why.provenance.method == "shap.sampled"
    assert why.provenance.model_rows == sum(asked)
    assert why.provenance.model_calls == len(asked)
    assert sum(asked) <= 3 * 200 * 20
    assert sum(asked) >= 3 * 190 * 20
    assert not why.exact
    assert why.std_errors.shape == why.values.shape


def test_a_time_budget_is_kept_and_can_be_repeated():
    X = wide()

    def slow(frame):
        time.sleep(len(frame) * 2e-6)
        return frame.to_numpy() @ np.arange(16.0)

    wrapped = wg.wrap(slow, X, task="regression")
    start = time.monotonic()
    why = wg.explain(wrapped, X[:4], budget="2s")
    assert time.monotonic() - start < 5.0
    assert set(why.status) == {"ok"}
    again = wg.explain(wrapped, X[:4], budget=why.provenance.params["evaluations"])
    assert np.array_equal(again.values, why.values)


def test_rows_that_time_does_not_reach_say_so():
    X = wide()

    def slow(frame):
        time.sleep(0.03)
        return frame["c0"].to_numpy()

    why = wg.explain(wg.wrap(slow, X, task="regression"), X[:60], budget="900ms")
    late = [s != "ok" for s in why.status]
    assert any(late)
    assert not all(late)
    assert all("time budget" in s for s in why.status if s != "ok")
    assert np.isnan(why.values[late]).all()


def test_time_that_is_too_short_for_every_coalition_gives_estimates():
    X = wide(columns=9)

    def slow(frame):
        time.sleep(len(frame) * 2e-5)
        return np.tanh(frame.to_numpy() @ np.arange(9.0))

    why = wg.explain(wg.wrap(slow, X, task="regression"), X[:2], budget="1500ms")
    assert why.provenance.method == "shap.sampled"
    assert set(why.status) == {"ok"}
    assert not why.exact


def test_a_model_that_fails_on_a_mixture_loses_only_that_row():
    X = wide(columns=9)

    def picky(frame):
        a, b = frame["c0"].to_numpy(), frame["c1"].to_numpy()
        return np.where((a == 50) & (b != 60), np.nan, a + b)

    rows = X[:3].copy()
    rows.iloc[1, :2] = [50.0, 60.0]
    why = wg.explain(wg.wrap(picky, X, task="regression"), rows, budget=100)
    assert why.status == ("ok", "the model answered NaN", "ok")
    timed = wg.explain(wg.wrap(picky, X, task="regression"), rows[1:2], budget="5s")
    assert timed.status == ("the model answered NaN",)


def test_a_linear_game_has_no_sampling_error():
    X = wide()
    why = wg.explain(wg.wrap(lambda f: f.to_numpy() @ np.arange(16.0), X, task="regression"), X[:3], budget=300)
    wanted = (X[:3].to_numpy() - X.to_numpy().mean(axis=0)) * np.arange(16.0)
    assert np.abs(why.values[:, :, 0] - wanted).max() <= 1e-9
    assert why.std_errors.max() <= 1e-9
