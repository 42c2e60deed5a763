"""Races on tree ensembles: path-dependent, interventional, interactions, large and small batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import shap
import xgboost
from harness import seconds, table, take_turns
from shapley_data import COLUMNS, Scale, forest, leaves, lgb, xgb
from shapley_data import table as data
from shapley_race import HEAD, Explain, Peer, Race, run, settle
from woodelf import WoodelfExplainer

import whyglass as wg

ONE = wg.Executor(threads=1)
FLOAT32 = 2e-5  # XGBoost computes its own values in float32


def _ours(model: Any, output: int, method: str = "shap.tree", **options: Any) -> Explain:
    def explain(rows: np.ndarray) -> np.ndarray:
        return wg.explain(model, rows, method=method, executor=ONE, **options).values[:, :, output]

    return explain


def _shap(explainer: Any, output: int | None) -> Explain:
    def explain(rows: np.ndarray) -> np.ndarray:
        values = np.asarray(explainer.shap_values(rows, check_additivity=False))
        return values if output is None else values[:, :, output]

    return explain


def _shap_own(booster: Any) -> Any:
    """shap's own C++ on a booster, which it otherwise hands back to XGBoost; its trees and covers are the booster's."""
    explainer = shap.TreeExplainer(booster)
    explainer.model.model_type = "internal"
    return explainer


def _boundless(background: np.ndarray) -> Any:
    """All rows of the background: a bare table would be cut to 100 of them."""
    return shap.maskers.Independent(background, max_samples=len(background))


def _page(races: list[Race], scale: Scale, note: str) -> str:
    lines, said = [], [note]
    for race in races:
        more, sentence = run(race, scale.turns)
        lines += more
        said += [sentence] if sentence else []
    return f"{table(HEAD, lines)}\n\n{' '.join(said)}"


def _ensembles(scale: Scale) -> tuple[Any, Any, Any, Any]:
    """The four models: boosting of two kinds, a shallow and a deep forest."""
    return xgb(scale.trees), lgb(scale.trees), forest(scale.bagged(100), 10), forest(scale.bagged(50), None)


def _xgboost_version() -> tuple[int, ...]:
    return tuple(int(part) for part in xgboost.__version__.split(".")[:2])


def trees(quick: bool) -> str:
    scale = Scale(quick)
    X, _ = data()
    many, few = scale.rows(10_000), scale.rows(200)
    booster, light, shallow, deep = _ensembles(scale)

    def native_xgb(rows: np.ndarray) -> np.ndarray:
        return booster.predict(xgboost.DMatrix(rows, nthread=1), pred_contribs=True)[:, :COLUMNS]

    def native_lgb(rows: np.ndarray) -> np.ndarray:
        return light.predict(rows, pred_contrib=True, num_threads=1)[:, :COLUMNS]

    def case(name: str, model: Any, rows: int, peers: list[Peer]) -> Race:
        output = 0 if model in (booster, light) else 1
        wrapped, bare = wg.wrap(model, X[:200]), _ours(model, output)
        return Race(name, X[:rows], _ours(wrapped, output), peers, {"from the bare model on": lambda: bare(X[:rows])})

    def shap_on(model: Any, few: int, asked: float) -> list[Peer]:
        return [Peer("shap C++", _shap(shap.TreeExplainer(model), 1), few, asked, tolerance=1e-10)]

    # from 3.4 on xgboost computes them by quadrature, and less was asked
    asked = 80 if _xgboost_version() < (3, 4) else 60
    on_xgb = [
        Peer("shap C++", _shap(_shap_own(booster), None), few, 80, tolerance=FLOAT32),
        Peer("xgboost native", native_xgb, few, asked, tolerance=FLOAT32),
    ]
    on_lgb = [Peer("lightgbm pred_contrib", native_lgb, few, 12, tolerance=1e-10)]
    found = [
        case(f"XGB {scale.trees} x depth 6 path-dependent", booster, many, on_xgb),
        case(f"LGB {scale.trees} x 31 leaves", light, many, on_lgb),
        case(f"RF {scale.bagged(100)} x depth 10", shallow, scale.rows(4_000), shap_on(shallow, scale.rows(100), 15)),
        case(f"RF {scale.bagged(50)} unlimited", deep, scale.rows(2_000), shap_on(deep, scale.rows(40), 25)),
    ]
    note = (
        f"make_classification, 20,000 rows, {COLUMNS} columns; forest of depth 10: {leaves(shallow)}; unlimited forest: {leaves(deep)}. "
        "Wrapping the model and making shap's TreeExplainer are outside the time, checking and encoding rows inside. For XGBoost shap is "
        "made to use its own C++ (it hands the work to xgboost otherwise). whyglass on the same batch with everything that happens once "
        "(reading the model, making tables):"
    )
    return _page(found, scale, note)


def interventional(quick: bool) -> str:
    scale = Scale(quick)
    X, _ = data()
    booster, _, shallow, deep = _ensembles(scale)

    def case(name: str, model: Any, known: int, rows: int, peer: tuple[int, float]) -> Race:
        background = X[-known:]
        margin = model is booster
        few, asked = peer
        made: dict[str, Any] = {}

        def setup() -> None:
            made["it"] = shap.TreeExplainer(model, _boundless(background), feature_perturbation="interventional", model_output="raw")

        setup()
        ours = _ours(
            model, 0 if margin else 1, "shap.tree.interventional", background=background, **({"space": "margin"} if margin else {})
        )

        def theirs(rows: np.ndarray) -> np.ndarray:
            return _shap(made["it"], None if margin else 1)(rows)

        return Race(f"{name}, {known:,} background rows", X[:rows], ours, [Peer("shap", theirs, few, asked, setup, 1e-7)])

    big, full = scale.rows(1_000), scale.rows(4_000)
    found = [
        case(f"interventional, XGB {scale.trees} x 6", booster, big, scale.rows(2_000), (scale.rows(20), 1_500)),
        case("interventional, unlimited forest", deep, 100, full, (scale.rows(60), 55)),
        case("interventional, unlimited forest", deep, big, full, (scale.rows(12), 200)),
        case("interventional, forest depth 10", shallow, big, full, (scale.rows(16), 600)),
    ]
    return _page(
        found,
        scale,
        "Set-up counted on both sides: whyglass starts from the bare model each turn; making shap's TreeExplainer (with a masker that "
        "keeps all background rows) is timed each turn and added to its rows, of which it explains others each turn. shap keeps float32 "
        "values.",
    )


def interactions(quick: bool) -> str:
    scale = Scale(quick)
    X, _ = data()
    booster = xgb(scale.trees)

    def ours(rows: np.ndarray) -> np.ndarray:
        return wg.explain(booster, rows, method="shap.tree", interactions=True, executor=ONE).interactions[..., 0]

    def native(rows: np.ndarray) -> np.ndarray:
        return booster.predict(xgboost.DMatrix(rows, nthread=1), pred_interactions=True)[:, :COLUMNS, :COLUMNS]

    asked = 800 if _xgboost_version() < (3, 4) else None
    peers = [Peer("xgboost native", native, scale.rows(30), asked, tolerance=FLOAT32)]
    race = Race(f"interactions XGB {scale.trees} x 6", X[: scale.rows(2_000)], ours, peers)
    return _page(
        [race], scale, "Set-up counted: whyglass starts from the bare model each turn, xgboost makes its DMatrix of the rows each turn."
    )


def woodelf(quick: bool) -> str:
    scale = Scale(quick)
    X, _ = data()
    booster = xgb(scale.trees)
    names = [f"f{i}" for i in range(COLUMNS)]
    rows, background = X[: scale.rows(10_000)], X[-scale.rows(1_000) :]

    def theirs(known: np.ndarray | None) -> Explain:
        table = None if known is None else pd.DataFrame(known, columns=names)
        return lambda rows: WoodelfExplainer(booster, table).shap_values(pd.DataFrame(rows, columns=names), verbose=False)

    def peer(known: np.ndarray | None) -> list[Peer]:
        return [Peer("woodelf-explainer", theirs(known), len(rows), 10, tolerance=1e-4 if known is None else FLOAT32)]

    both = _ours(booster, 0, "shap.tree.interventional", background=background, space="margin")
    found = [
        Race(f"XGB {scale.trees} x 6 path-dependent, incl. set-up", rows, _ours(booster, 0), peer(None)),
        Race(f"XGB {scale.trees} x 6 interventional, {len(background):,} background rows, incl. set-up", rows, both, peer(background)),
    ]
    return _page(
        found,
        scale,
        "Both sides start from the bare booster each turn; woodelf-explainer reads data frames, which it is given made. Its path-dependent "
        "values are off by some 1e-5 (xgboost itself and whyglass agree to 5e-06), so that race allows 1e-4.",
    )


def small(quick: bool) -> str:
    scale = Scale(quick)
    X, _ = data()
    booster, light, shallow, deep = _ensembles(scale)
    models = {
        f"XGB {scale.trees} x depth 6": (booster, 0),
        f"LGB {scale.trees} x 31 leaves": (light, 0),
        f"RF {scale.bagged(100)} x depth 10": (shallow, 1),
        f"RF {scale.bagged(50)} unlimited": (deep, 1),
    }
    lines = []
    for name, (model, output) in models.items():
        ours, theirs = _ours(wg.wrap(model, X[:200]), output), _shap(shap.TreeExplainer(model), output or None)
        for count in (1, 10, 50):
            rows = X[:count]
            ours(rows)
            settle()
            turns = take_turns({"whyglass": lambda o=ours, r=rows: o(r), "shap": lambda t=theirs, r=rows: t(r)}, scale.turns)
            cells = [seconds(turns.median(side)) for side in ("whyglass", "shap")]
            lines.append([name, str(count), *cells, f"{turns.ratio('shap', 'whyglass'):.1f}x"])
    return (
        f"{table(['model', 'rows', 'whyglass', 'shap', 'ratio'], lines)}\n\nPath-dependent, one call, the model wrapped and the explainer "
        "made before. shap hands boosters to their own libraries."
    )
