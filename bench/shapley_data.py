"""Models and games of the Shapley races: the same for every part, made once in a process."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import xgboost
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.neural_network import MLPClassifier

COLUMNS = 12


@dataclass(frozen=True)
class Scale:
    """How large everything is: the full races, or small ones that only show that it runs."""

    quick: bool

    @property
    def trees(self) -> int:
        return 40 if self.quick else 500

    def bagged(self, full: int) -> int:
        return full // 10 if self.quick else full

    def rows(self, full: int) -> int:
        return max(2, full // 40) if self.quick else full

    @property
    def turns(self) -> int:
        return 2 if self.quick else 5


@functools.cache
def table(rows: int = 20_000, columns: int = COLUMNS, informative: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """make_classification, rounded to float32 so that libraries that store float32 see the same numbers."""
    X, y = make_classification(rows, columns, n_informative=informative, n_redundant=2, class_sep=0.6, random_state=0)
    return X.astype(np.float32).astype(np.float64), y


@functools.cache
def xgb(trees: int) -> Any:
    X, y = table()
    told = {"max_depth": 6, "eta": 0.1, "objective": "binary:logistic", "nthread": 1, "tree_method": "hist"}
    return xgboost.train(told, xgboost.DMatrix(X, y), trees)


@functools.cache
def lgb(trees: int, columns: int = COLUMNS, informative: int = 8, objective: str = "binary") -> Any:
    X, y = table(columns=columns, informative=informative)
    told = {"num_leaves": 31, "learning_rate": 0.1, "objective": objective, "num_threads": 1, "verbose": -1}
    return lightgbm.train(told, lightgbm.Dataset(X, y), trees)


@functools.cache
def forest(trees: int, depth: int | None) -> Any:
    X, y = table()
    return RandomForestClassifier(trees, max_depth=depth, random_state=0, n_jobs=1).fit(X, y)


def leaves(fitted: Any) -> str:
    """Size of a forest in words."""
    trees = [e.tree_ for e in fitted.estimators_]
    return f"{np.mean([t.n_leaves for t in trees]):.0f} leaves a tree, depth up to {max(t.max_depth for t in trees)}"


@dataclass(frozen=True, eq=False)
class BlackBox:
    """A function that nobody can look into, the rows that stand for "unknown", the rows explained, and the truth.

    Attributes:
        kind: In two words.
        name: In words.
        f: float64 (rows, columns) -> (rows,).
        background: float64 (background rows, columns).
        rows: float64 (rows, columns).
        exact: float64 (rows, columns), Shapley values.
    """

    kind: str
    name: str
    f: Callable[[np.ndarray], np.ndarray]
    background: np.ndarray
    rows: np.ndarray
    exact: np.ndarray


@functools.cache
def network(rows: int) -> BlackBox:
    """A (64, 32) network, 14 columns, 20 background rows, probability; the truth by all 16,384 coalitions."""
    X, y = table(columns=14, informative=10)
    centre, scale = X.mean(axis=0), X.std(axis=0)
    net = MLPClassifier((64, 32), random_state=0, max_iter=200, early_stopping=True).fit((X - centre) / scale, y)

    def f(rows: np.ndarray) -> np.ndarray:
        return np.asarray(net.predict_proba((rows - centre) / scale)[:, 1])

    background, shown = X[:20], X[1_000 : 1_000 + rows]
    name = "neural network (64, 32), 14 columns, 20 background rows, probability"
    return BlackBox("neural network", name, f, background, shown, enumerated(f, background, shown))


@functools.cache
def boosted(rows: int) -> BlackBox:
    """Boosted trees behind a function, 12 columns, 10 background rows, margin; the truth by all 4,096 coalitions."""
    model = lgb(200)
    X, _ = table()

    def f(rows: np.ndarray) -> np.ndarray:
        return np.asarray(model.predict(rows, raw_score=True, num_threads=1))

    background, shown = X[:10], X[1_000 : 1_000 + rows]
    name = "LightGBM 200 x 31 leaves as a black box, 12 columns, 10 background rows"
    return BlackBox("boosted trees as a black box", name, f, background, shown, enumerated(f, background, shown))


@functools.cache
def wide(rows: int) -> BlackBox:
    """Boosted trees behind a function, 40 columns, 20 background rows, margin; the truth by shap's interventional values."""
    import shap

    model = lgb(200, 40, 20)
    X, _ = table(columns=40, informative=20)

    def f(rows: np.ndarray) -> np.ndarray:
        return np.asarray(model.predict(rows, raw_score=True, num_threads=1))

    background, shown = X[:20], X[1_000 : 1_000 + rows]
    masker = shap.maskers.Independent(background, max_samples=len(background))
    truth = shap.TreeExplainer(model, masker, feature_perturbation="interventional").shap_values(shown, check_additivity=False)
    gap = np.abs(truth.sum(axis=1) - (f(shown) - f(background).mean())).max()
    if gap > 1e-5:
        msg = f"the exact values of the 40-column game do not add up: {gap}"
        raise ValueError(msg)
    name = "LightGBM 200 x 31 leaves as a black box, 40 columns, 20 background rows"
    return BlackBox("boosted trees as a black box", name, f, background, shown, truth)


def filled(f: Callable[[np.ndarray], np.ndarray], background: np.ndarray, row: np.ndarray, coalitions: np.ndarray) -> np.ndarray:
    """What ``f`` says for each coalition of one row, averaged over the background."""
    out = np.empty(len(coalitions))
    for start in range(0, len(coalitions), 1_024):
        known = coalitions[start : start + 1_024]
        rows = np.where(known[:, None, :], row, background[None, :, :])
        out[start : start + 1_024] = f(rows.reshape(-1, len(row))).reshape(len(known), -1).mean(axis=1)
    return out


def bits(players: int) -> np.ndarray:
    """All coalitions, coalition c at row c."""
    return (np.arange(2**players)[:, None] >> np.arange(players)) & 1 == 1


def enumerated(f: Callable[[np.ndarray], np.ndarray], background: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Shapley values by definition."""
    players = rows.shape[1]
    known = bits(players)
    size = known.sum(axis=1)
    binomial = np.array([1.0, *np.cumprod((players - 1 - np.arange(players - 1)) / (1 + np.arange(players - 1)))])
    out = np.empty(rows.shape)
    for at, row in enumerate(rows):
        v = filled(f, background, row, known)
        for player in range(players):
            without = np.flatnonzero(~known[:, player])
            out[at, player] = ((v[without | (1 << player)] - v[without]) / (players * binomial[size[without]])).sum()
    return out
