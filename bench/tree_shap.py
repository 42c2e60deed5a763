"""Exact path-dependent tree SHAP: whyglass against shap and the boosters' own, one thread each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import shap
import xgboost
from harness import Job, seconds, table, take_turns
from sklearn.ensemble import RandomForestClassifier

import whyglass as wg

COLUMNS = 20
ONE = wg.Executor(threads=1)


@dataclass
class Race:
    """One model, what is explained, and who else explains it."""

    name: str
    model: Any
    rows: np.ndarray
    peers: dict[str, Job]
    tolerance: float
    output: int = 0


def _data(rows: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, COLUMNS))
    X[rng.random(X.shape) < 0.02] = np.nan
    Z = np.nan_to_num(X)
    y = (Z[:, 0] * Z[:, 1] + np.sin(2 * Z[:, 2]) + 0.5 * Z[:, 3] + 0.3 * rng.normal(size=rows) > 0).astype(int)
    return X, y


def races(quick: bool) -> list[Race]:
    X, y = _data(2_000 if quick else 20_000)
    Z = np.nan_to_num(X)
    trees = 50 if quick else 500
    few, many = (20, 100) if quick else (200, 1_000)

    booster = xgboost.train({"max_depth": 6, "eta": 0.1, "objective": "binary:logistic", "nthread": 1}, xgboost.DMatrix(X, y), trees)
    lgb = lightgbm.train(
        {"num_leaves": 31, "learning_rate": 0.1, "objective": "binary", "num_threads": 1, "verbose": -1}, lightgbm.Dataset(X, y), trees
    )
    shallow = RandomForestClassifier(100, max_depth=10, random_state=0, n_jobs=2).fit(Z, y).set_params(n_jobs=1)
    deep = RandomForestClassifier(50, random_state=0, n_jobs=2).fit(Z, y).set_params(n_jobs=1)

    def shap_values(model: Any, rows: np.ndarray) -> Job:
        explainer = shap.TreeExplainer(model)
        return lambda: explainer.shap_values(rows, check_additivity=False)

    rows = X[:many]
    matrix = xgboost.DMatrix(rows)
    return [
        Race(
            f"XGBoost {trees} trees, depth 6",
            booster,
            rows,
            {"xgboost itself": lambda: booster.predict(matrix, pred_contribs=True), "shap": shap_values(booster, rows)},
            1e-3,
        ),
        Race(
            f"LightGBM {trees} trees, 31 leaves",
            lgb,
            rows,
            {"lightgbm itself": lambda: lgb.predict(rows, pred_contrib=True, num_threads=1), "shap": shap_values(lgb, rows)},
            1e-8,
        ),
        Race("Random forest 100 trees, depth 10", shallow, Z[:few], {"shap": shap_values(shallow, Z[:few])}, 1e-8, 1),
        Race("Random forest 50 trees, unlimited", deep, Z[:few], {"shap": shap_values(deep, Z[:few])}, 1e-8, 1),
    ]


def _agree(race: Race, ours: np.ndarray) -> float:
    """Largest difference to any peer; the race is void when they do not answer the same question."""
    worst = 0.0
    for peer in race.peers.values():
        theirs = np.asarray(peer())
        theirs = theirs[:, :, race.output] if theirs.ndim == 3 else theirs[:, :COLUMNS]
        worst = max(worst, float(np.abs(theirs - ours[:, :, race.output]).max()))
    if worst > race.tolerance:
        msg = f"{race.name}: the answers differ by {worst}"
        raise ValueError(msg)
    return worst


def measure(quick: bool) -> str:
    lines = []
    for race in races(quick):
        model = wg.wrap(race.model, race.rows)

        def ours(model: Any = model, rows: np.ndarray = race.rows) -> Any:
            return wg.explain(model, rows, method="shap.tree", executor=ONE)

        worst = _agree(race, ours().values)
        turns = take_turns({"whyglass": ours, **race.peers}, 3 if quick else 5)
        per_row = 1 / len(race.rows)
        for peer in race.peers:
            times = [seconds(turns.median(name) * per_row) for name in ("whyglass", peer)]
            lines.append(
                [
                    race.name,
                    f"{len(race.rows):,}",
                    times[0],
                    f"{peer} {times[1]}",
                    f"**{turns.ratio(peer, 'whyglass'):.1f}x**",
                    f"{worst:.0e}",
                ]
            )
    head = ["model", "rows", "whyglass, per row", "peer, per row", "peer / whyglass", "largest difference"]
    note = (
        f"{COLUMNS} columns, 2 % missing (forests: none), one thread each, CPU time, median of turns. Making whyglass' `Model` and shap's "
        "`TreeExplainer` is outside the time; checking the rows, encoding them and building the result is inside whyglass' time."
    )
    return f"{note}\n\n{table(head, lines)}"
