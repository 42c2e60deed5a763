"""The figures of the All-cases tab against scikit-learn and brute force."""

import numpy as np
import pytest
from sklearn.metrics import r2_score, roc_auc_score

from whyglass.views import measures


@pytest.mark.parametrize("seed", range(5))
def test_auc_agrees_with_sklearn_ties_included(seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 300).astype(bool)
    score = np.round(rng.random(300) + 0.4 * y, 1)
    area, half = measures.auc(score, y)
    assert area == pytest.approx(roc_auc_score(y, score), abs=1e-12)
    draws = []
    for _ in range(300):
        rows = rng.integers(0, 300, 300)
        draws.append(roc_auc_score(y[rows], score[rows]))
    assert half == pytest.approx(1.96 * np.std(draws), rel=0.25)


def test_sabotage_auc_of_swapped_classes_is_seen():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300).astype(bool)
    score = rng.random(300) + 0.4 * y
    assert measures.auc(score, ~y)[0] != pytest.approx(roc_auc_score(y, score), abs=1e-3)


def test_one_class_has_no_auc():
    assert measures.auc(np.array([0.1, 0.2]), np.array([True, True])) is None


def test_calibration_counts_by_brute_force():
    rng = np.random.default_rng(1)
    score, y = rng.random(500), rng.integers(0, 2, 500).astype(bool)
    for q, (n, k) in enumerate(measures.calibration(score, y)):
        near = (score >= q / 100 - 0.05) & (score < q / 100 + 0.05)
        assert (n, k) == (near.sum(), y[near].sum())


def test_r_squared_agrees_with_sklearn():
    rng = np.random.default_rng(2)
    y = rng.normal(size=200)
    predicted = y + rng.normal(size=200) / 2
    assert measures.r_squared(predicted, y)[0] == pytest.approx(r2_score(y, predicted), abs=1e-12)
    assert measures.r_squared(predicted, np.ones(200)) is None


def test_share_is_wilson():
    p, half = measures.share(90, 100)
    assert p == 0.9
    assert half == pytest.approx(0.0593, abs=2e-3)
    assert measures.share(0, 0) is None


def test_held_out_rows_decide_where_there_are_any():
    predictions = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.8, 0.2]])
    y = np.array([1.0, 1.0, 1.0, 0.0])
    split = np.array([0, 1, 1, 1], dtype=np.uint8)
    figures = measures.measure(predictions, y, split, 1, classes=True)
    assert figures["accuracy"][0] == 1.0
    assert figures["measured_on"] == "held-out"
    assert figures["n_train"] == 1
    everything = measures.measure(predictions, y, np.zeros(4, dtype=np.uint8), 1, classes=True)
    assert everything["accuracy"][0] == 0.75
    assert everything["measured_on"] == "training"
    assert measures.measure(predictions, np.full(4, np.nan), split, 1, classes=True)["rate"] is None
