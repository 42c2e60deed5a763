"""A scale for each player: the sums over all terms, the gradient by finite differences, and few players told from many."""

import itertools

import numpy as np
import pandas as pd
import pytest

import whyglass as wg
from whyglass.explainers.shapley import designs, odd_kernel, scaled_kernel
from whyglass.explainers.shapley.enumerated import all_coalitions
from whyglass.explainers.shapley.estimate import estimate

SHARE = (0.5, 0.2, 0.15, 0.1, 0.05)


def setting(players=8, pairs=24, seed=0):
    rng = np.random.default_rng(seed)
    rows = all_coalitions(players)[rng.permutation(2 ** (players - 1))[:pairs]]
    return 2.0 * rows - 1.0, np.exp(0.7 * rng.normal(size=players)), rng.normal(size=pairs)


def by_definition(signs, scales):
    """Covariances one term after the other; the rest of the variance is left to ``odd_kernel``, whose tests hold it."""
    pairs, players = signs.shape
    seen, cross, value = np.zeros((pairs, pairs)), np.zeros((pairs, players)), np.zeros(players)
    for order, power in zip(odd_kernel.ORDERS, SHARE, strict=False):
        terms = [list(m) for m in itertools.combinations(range(players), order)]
        whole = sum(scales[m].prod() for m in terms)
        for members in terms:
            variance = power * scales[members].prod() / whole
            term, each = signs[:, members].prod(axis=1), np.isin(np.arange(players), members) * 2 / order
            seen += variance * np.outer(term, term)
            cross += variance * np.outer(term, each)
            value += variance * each**2
    rest = (0.0, 0.0, 0.0, 0.0, SHARE[-1])
    return (
        seen + SHARE[-1] * np.eye(pairs),
        cross + SHARE[-1] * odd_kernel.white_weights(signs),
        value + odd_kernel.prior_variance(players, rest),
    )


def differences():
    signs, scales, _ = setting()
    seen, cross, value = by_definition(signs, scales)
    return max(
        np.abs(scaled_kernel.covariance(signs, scales, SHARE) - seen).max(),
        np.abs(scaled_kernel.with_values(signs, scales, SHARE) - cross).max(),
        np.abs(scaled_kernel.value_variance(scales, SHARE) - value).max(),
    )


def test_closed_forms_are_the_sums_over_all_terms():
    assert differences() <= 1e-10


@pytest.mark.parametrize("broken", ["_norms", "_without", "white_weights"])
def test_closed_forms_broken_on_purpose_are_caught(monkeypatch, broken):
    right = getattr(scaled_kernel, broken)

    def wrong(*given):
        found = right(*given)
        return 1.01 * found if isinstance(found, np.ndarray) else [1.01 * part for part in found]

    monkeypatch.setattr(scaled_kernel, broken, wrong)
    assert differences() > 1e-4


def test_equal_scales_are_no_scales():
    signs, _, _ = setting(9)
    for scale in (np.ones(9), np.full(9, 3.0)):
        assert np.allclose(scaled_kernel.covariance(signs, scale, SHARE), odd_kernel.covariance(signs, SHARE), atol=1e-12)
        assert np.allclose(scaled_kernel.with_values(signs, scale, SHARE), odd_kernel.with_values(signs, SHARE), atol=1e-12)


def likelihood(signs, seen, logs):
    whole = scaled_kernel.covariance(signs, np.exp(logs), SHARE)
    variance = seen @ np.linalg.solve(whole, seen) / len(seen)
    return -0.5 * len(seen) * np.log(variance) - 0.5 * np.linalg.slogdet(whole)[1]


def gradient_error():
    signs, scales, seen = setting()
    logs, step = np.log(scales), 1e-5
    wanted = [
        (likelihood(signs, seen, logs + step * unit) - likelihood(signs, seen, logs - step * unit)) / (2 * step)
        for unit in np.eye(len(logs))
    ]
    return np.abs(scaled_kernel.slope(signs, seen, scales, SHARE) - wanted).max()


def test_the_gradient_is_that_of_finite_differences():
    assert gradient_error() <= 1e-6


def test_a_gradient_broken_on_purpose_is_caught(monkeypatch):
    right = scaled_kernel._norms
    monkeypatch.setattr(scaled_kernel, "_norms", lambda scales, order: [1.1 * n if k else n for k, n in enumerate(right(scales, order))])
    assert gradient_error() > 1e-4


def play(game, players, evaluations, *, scaled, count=6):
    design = designs.make(players, evaluations, 0)
    everyone, wrong, stated = np.ones((1, players), bool), [], []
    for k in range(count):
        f, truth = game(players, np.random.default_rng([k, players]))
        gain = (f(everyone) - f(~everyone)).astype(float)
        found = estimate(design, (f(design.coalitions) - f(~design.coalitions))[:, None].astype(float), gain, scaled=scaled)
        wrong.append(found.values[:, 0] - truth)
        stated.append(found.errors[:, 0])
    return np.array(wrong), np.array(stated)


def parity_of_five(players, rng):
    some = rng.permutation(players)[:5]
    truth = np.zeros(players)
    truth[some] = 2 / 5
    return lambda bits: (-1.0) ** (5 - bits[:, some].sum(axis=1)), truth


def and_of_six(players, rng):
    some = rng.permutation(players)[:6]
    truth = np.zeros(players)
    truth[some] = 1 / 6
    return lambda bits: bits[:, some].all(axis=1).astype(float), truth


def unanimity(players, rng):
    parts = [(rng.normal(), rng.permutation(players)[: rng.integers(1, 9)]) for _ in range(30)]
    truth = np.zeros(players)
    for weight, some in parts:
        truth[some] += weight / len(some)
    return lambda bits: sum(weight * bits[:, some].all(axis=1) for weight, some in parts), truth


def majority(players, rng):
    """All players alike: scales would only follow chance."""
    return lambda bits: (bits.sum(axis=1) > players / 2).astype(float), np.full(players, 1 / players)


@pytest.mark.parametrize("game", [parity_of_five, and_of_six])
def test_a_game_about_few_of_many_players_is_seen_through(game):
    wrong, stated = play(game, 20, 512, scaled=True)
    plain, _ = play(game, 20, 512, scaled=False)
    assert np.abs(wrong).max() < 0.05 * np.sqrt((plain**2).mean())
    assert (np.abs(wrong) <= 2 * stated).mean() >= 0.9


@pytest.mark.parametrize("game", [unanimity, majority])
@pytest.mark.parametrize("evaluations", [256, 512])
def test_scales_that_do_not_help_do_no_harm(game, evaluations):
    wrong, stated = play(game, 20, evaluations, scaled=True)
    plain, _ = play(game, 20, evaluations, scaled=False)
    assert np.sqrt((wrong**2).mean()) <= 1.05 * np.sqrt((plain**2).mean())
    assert (np.abs(wrong) <= 2 * stated).mean() >= 0.9


def test_scales_that_the_last_observations_do_not_bear_out_would_be_wrong(monkeypatch):
    monkeypatch.setattr(scaled_kernel, "late_likelihood", lambda *_: np.array([np.inf]))
    wrong, _ = play(majority, 20, 512, scaled=True, count=1)
    plain, _ = play(majority, 20, 512, scaled=False, count=1)
    assert np.sqrt((wrong**2).mean()) > 1.5 * np.sqrt((plain**2).mean())


def test_dear_rows_are_given_scales_and_both_classes_the_same_errors():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(150, 16)), columns=[f"c{j}" for j in range(16)])

    def both(rows):
        positive = 1 / (1 + np.exp(-rows["c0"] * rows["c1"] - rows["c2"] * rows["c3"] + rows["c4"]))
        return np.stack([1 - positive, positive], axis=1)

    model = wg.wrap(both, X, task="classification")
    why = wg.explain(model, X[:2], background=X[:100], budget=200)
    assert why.provenance.params["kernel"] == "odd-kernel process, players scaled"
    assert np.allclose(why.values[:, :, 0], -why.values[:, :, 1], atol=1e-9)
    assert np.array_equal(why.std_errors[:, :, 0], why.std_errors[:, :, 1])
    cheap = wg.explain(model, X[:2], background=X[:99], budget=200)
    assert cheap.provenance.params["kernel"] == "odd-kernel process"
    one = wg.explain(model, X[:2], background=X[:100], budget=200, target=model.outputs[1])
    assert np.abs(one.values[:, :, 0] - why.values[:, :, 1]).max() <= 1e-9
    alone = wg.explain(model, X[1:2], background=X[:100], budget=200)
    assert np.abs(alone.values[0] - why.values[1]).max() <= 1e-12
