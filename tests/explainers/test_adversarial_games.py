"""Stated errors hold on models people have, and on games made to mislead: two standard errors hold the truth in 90 to 99 %."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.neural_network import MLPClassifier

import whyglass as wg
from whyglass.explainers.shapley import designs
from whyglass.explainers.shapley.estimate import estimate

BUDGETS = (128, 512, 1024)


def parity(order):
    def game(players, rng):
        """The sign of how many of some players are missing; each of them has 2 / order, or nothing where they are even."""
        some = rng.permutation(players)[:order]
        truth = np.zeros(players)
        truth[some] = 2 / order if order % 2 else 0.0
        return lambda bits: (-1.0) ** (order - bits[:, some].sum(axis=1)), truth

    return game


def unanimity(players, rng):
    """Thirty weighted ANDs of 1 to 8 players; each shares its weight out equally."""
    parts = [(rng.normal(), rng.permutation(players)[: rng.integers(1, 9)]) for _ in range(30)]
    truth = np.zeros(players)
    for weight, some in parts:
        truth[some] += weight / len(some)
    return lambda bits: sum(weight * bits[:, some].all(axis=1) for weight, some in parts), truth


def and_of_six(players, rng):
    some = rng.permutation(players)[:6]
    truth = np.zeros(players)
    truth[some] = 1 / 6
    return lambda bits: bits[:, some].all(axis=1).astype(float), truth


def mixed(players, rng):
    """An additive game with one AND of four, so that almost all of it is simple."""
    each, some = rng.normal(size=players), rng.permutation(players)[:4]
    truth = each.copy()
    truth[some] += 2 / 4
    return lambda bits: bits @ each + 2 * bits[:, some].all(axis=1), truth


GAMES = {"parity of 3": parity(3), "parity of 5": parity(5), "parity of 7": parity(7), "unanimity": unanimity, "AND of six": and_of_six}
GAMES["additive but for an AND"] = mixed


def play(game, players, evaluations, count=8, seeds=2):
    """Errors and standard errors of many such games on each of a few designs: float64 (seeds, players, games) each."""
    wrong, stated = [], []
    for seed in range(seeds):
        design = designs.make(players, evaluations, seed)
        games = [game(players, np.random.default_rng([seed, k, players])) for k in range(count)]
        differences = np.stack([f(design.coalitions) - f(~design.coalitions) for f, _ in games], axis=1)
        everyone = np.ones((1, players), bool)
        gain = np.array([float((f(everyone) - f(~everyone))[0]) for f, _ in games])
        found = estimate(design, differences, gain)
        wrong.append(found.values - np.stack([truth for _, truth in games], axis=1))
        stated.append(found.errors)
    return np.array(wrong), np.array(stated)


@pytest.fixture(scope="module")
def adversarial():
    return {(name, players): [play(game, players, b) for b in BUDGETS] for name, game in GAMES.items() for players in (14, 20)}


def held(results, widths=2.0):
    return np.mean([(np.abs(wrong) <= widths * stated + 1e-12).mean() for wrong, stated in results])


@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize("players", [14, 20])
def test_every_kind_of_game_is_inside_its_errors(adversarial, name, players):
    assert held(adversarial[name, players]) >= 0.9


def test_errors_are_not_simply_wide(adversarial):
    everything = [result for results in adversarial.values() for result in results]
    assert 0.9 <= held(everything) <= 0.99
    assert held(everything, widths=0.7) < 0.85, "errors made too small on purpose must be caught"


@pytest.mark.parametrize("players", [14, 20])
def test_more_evaluations_bring_the_values_nearer(adversarial, players):
    for name in GAMES:
        errors = [np.sqrt((wrong**2).mean()) for wrong, _ in adversarial[name, players]]
        assert errors[2] < 0.8 * errors[0], name


@pytest.mark.parametrize("name", ["AND of six", "unanimity", "parity of 3"])
def test_values_are_nearer_than_those_of_regression(adversarial, name):
    (wrong, _), *_ = [adversarial[name, 14][2]]
    plain = []
    for seed in range(2):
        design = designs.make(14, BUDGETS[2], seed)
        for k in range(8):
            f, truth = GAMES[name](14, np.random.default_rng([seed, k, 14]))
            everyone = np.ones((1, 14), bool)
            gain = (f(everyone) - f(~everyone)).astype(float)
            found = design.values((f(design.coalitions) - f(~design.coalitions))[:, None].astype(float), gain)[0]
            plain.append(found[:, 0] - truth)
    assert np.sqrt((wrong**2).mean()) < 0.6 * np.sqrt((np.array(plain) ** 2).mean())


def learn(kind):
    X, y = make_classification(1500, 12, n_informative=8, n_redundant=2, n_clusters_per_class=4, random_state=0)
    frame = pd.DataFrame(X, columns=[f"c{j}" for j in range(12)])
    if kind == "trees":
        fitted = HistGradientBoostingClassifier(max_iter=60, random_state=0).fit(X, y)
    else:
        fitted = MLPClassifier((32, 16), max_iter=400, random_state=0, tol=0.003).fit(X, y)
    asked = wg.wrap(lambda rows: fitted.predict_proba(rows.to_numpy())[:, 1], frame, y, task="regression")
    return asked, frame[1200:1208], frame[:15]


@pytest.mark.parametrize("kind", ["trees", "network"])
def test_two_standard_errors_hold_the_truth_of_models(kind):
    model, rows, background = learn(kind)
    truth = wg.explain(model, rows, background=background, method="shap.enumerated", budget=4096)
    assert truth.exact
    inside = []
    for budget in (200, 800):
        for seed in (0, 1):
            found = wg.explain(model, rows, background=background, method="shap.sampled", budget=budget, seed=seed)
            inside.append(np.abs(found.values - truth.values) <= 2 * found.std_errors)
            assert np.median(found.std_errors) < 0.1 * np.abs(truth.values).mean() * (1 if budget == 800 else 3)
            assert found.fidelity["agrees"].mean() > 0.7
    assert 0.9 <= np.mean(inside) <= 0.99
