"""Races of effects: partial dependence and permutation importance beside scikit-learn, accumulated local effects beside effector."""

from __future__ import annotations

import functools
import statistics
from dataclasses import dataclass, replace
from typing import Any

import effector
import numpy as np
import pandas as pd
from effector.axis_partitioning import Fixed
from harness import Turns, seconds, table, take_turns
from local_data import Task, census, wide
from shapley_race import settle, times
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.inspection import partial_dependence, permutation_importance

import whyglass as wg

ONE = wg.Executor(threads=1)
HEAD = ["case", "against", "asked", "reached", "met", "in single turns", "turns", "whyglass", "peer", "answers differ by"]
TURNS = 5
POINTS = 10  # points of a column at which scikit-learn is asked
WITHIN = 1.05  # standard errors so close are called equal
BINS = 20  # effector's default


@dataclass(frozen=True)
class Case:
    """A model to be asked about some rows."""

    name: str
    estimator: Any
    model: Any
    X: pd.DataFrame
    y: np.ndarray

    def probability(self, rows: pd.DataFrame) -> np.ndarray:
        return self.estimator.predict_proba(rows)[:, 1]


def _forest(name: str, task: Task) -> Case:
    return Case(f"{name}, forest 50 x depth 10", task.pipeline, task.model, task.X, task.y)


@functools.cache
def _boosted(trees: int) -> tuple[Any, Any]:
    task = wide(10)
    fitted = HistGradientBoostingClassifier(max_iter=trees, early_stopping=False, random_state=0).fit(task.X, task.y)
    return fitted, wg.wrap(fitted, task.X, task.y)


def _cases(quick: bool, rows: int, *, fresh: bool = False) -> list[Case]:
    """The models with so many of their training rows, or of those held out; fewer where it must be quick."""
    few = 300 if quick else rows
    tasks = [census(10), wide(10), wide(10)]
    parts = [(task.fresh, task.fresh_y) if fresh else (task.X, task.y) for task in tasks]
    return [replace(c, X=X[:few].reset_index(drop=True), y=y[:few]) for c, (X, y) in zip(_models(quick), parts, strict=True)]


@functools.cache
def _models(quick: bool) -> list[Case]:
    trees = 20 if quick else 100
    boosted = Case(f"wide, boosting {trees} x 31 leaves", *_boosted(trees), wide(10).X, wide(10).y)
    return [_forest("census", census(10)), _forest("wide", wide(10)), boosted]


@dataclass(frozen=True)
class Against:
    """A peer: what is asked, and how many times what it does in a turn its whole work would be."""

    name: str
    asked: float
    scale: float = 1.0


def _line(case: Case, peer: Against, turns: Turns, gap: tuple[float, float]) -> list[str]:
    """What a race gave; ``gap``: by how much the answers differ, and by how much they may."""
    ratios = sorted(peer.scale * p / o for p, o in zip(turns.cpu[peer.name], turns.cpu["whyglass"], strict=True))
    reached, void = statistics.median(ratios), not gap[0] <= gap[1]
    return [
        case.name,
        peer.name,
        f"{peer.asked:,.0f}x",
        "void" if void else f"**{times(reached)}**",
        "no" if void or reached < peer.asked else "yes",
        f"{times(ratios[0])} to {times(ratios[-1])}",
        str(len(ratios)),
        seconds(turns.median("whyglass")),
        seconds(peer.scale * turns.median(peer.name)),
        f"{gap[0]:.0e}",
    ]


def _dependence(case: Case, quick: bool) -> tuple[list[str], str]:
    def ours() -> Any:
        return wg.explain(case.model, case.X, method="pdp", executor=ONE)

    found = ours()
    settle()
    asked = {}
    for name in (case.X.columns[0], case.X.columns[-1]):
        points = found.grid[name]
        asked[name] = points[np.unique(np.linspace(0, len(points) - 1, POINTS).astype(int))]

    def theirs() -> dict[str, np.ndarray]:
        how = {"method": "brute", "response_method": "predict_proba", "kind": "average"}
        return {c: partial_dependence(case.estimator, case.X, [c], custom_values={c: p}, **how)["average"][-1] for c, p in asked.items()}

    own = {c: dict(zip(found.grid[c], found.values[c][:, -1], strict=True)) for c in asked}
    gap = max(abs(own[c][p] - v) for c, values in theirs().items() for p, v in zip(asked[c], values, strict=True))
    cells, few = sum(len(points) for points in found.grid.values()), sum(map(len, asked.values()))
    turns = take_turns({"whyglass": ours, "scikit-learn": theirs}, 2 if quick else TURNS)
    line = _line(case, Against("scikit-learn", 200, cells / few), turns, (gap, 1e-12))
    return line, f"{case.name}: {cells:,} points over {case.X.shape[1]} columns, scikit-learn asked at {few} of them"


def dependence(quick: bool) -> str:
    cases = _cases(quick, 10_000)
    lines, said = zip(*(_dependence(case, quick) for case in cases), strict=True)
    note = (
        f"{len(cases[0].X):,} training rows, all columns, at most 100 points each: a category column has as many as categories, a number "
        "with fewer values as many as values. scikit-learn: partial_dependence(method='brute') of the first and the last column on the "
        "same rows, its time scaled by the number of points, which is what it is proportional to; it gives averages only, whyglass "
        "standard errors and extrapolation shares too. Wrapping is outside the time."
    )
    return f"{table(HEAD, list(lines))}\n\n{note} {'; '.join(said)}."


def _permutation(case: Case, quick: bool) -> tuple[list[str], str]:
    def ours() -> Any:
        return wg.explain(case.model, case.X, y=case.y, method="permutation", executor=ONE)

    def theirs(repeats: int = 1, seed: int = 0) -> Any:
        return permutation_importance(case.estimator, case.X, case.y, scoring="neg_log_loss", n_repeats=repeats, random_state=seed)

    found = ours()
    settle()
    drawn = theirs(_seen(quick), seed=1).importances
    spread, error = drawn.std(axis=1, ddof=1), found.std_errors[0, :, 0]
    share = spread**2 / (WITHIN**2 - 1)
    needed = int(np.ceil(share.sum() / (error**2).sum()))
    known = error > 0
    worst = int(np.ceil((share[known] / error[known] ** 2).max()))
    off = ((drawn.mean(axis=1) - found.values[0, :, 0]) / np.maximum(spread, 1e-12) * np.sqrt(len(drawn[0])))[known]
    turns = take_turns({"whyglass": ours, "scikit-learn": theirs}, 2 if quick else TURNS)
    columns = case.X.shape[1]
    # one repeat also predicts the rows once as they are
    line = _line(case, Against("scikit-learn", 5, (1 + needed * columns) / (1 + columns)), turns, (0.0, 1.0))
    line[-1] = f"{np.sqrt((off**2).mean()):.1f} of their standard errors"
    sizes = [np.sqrt(each.mean()) for each in (error**2, error**2 + spread**2 / needed)]
    return line, (
        f"{case.name}: {needed} repeats ({worst} for the column that needs most); "
        f"standard error of the average column {sizes[0]:.1e} here, {sizes[1]:.1e} there"
    )


def _seen(quick: bool) -> int:
    return 4 if quick else 20


def permutation(quick: bool) -> str:
    cases = _cases(quick, 2_000, fresh=True)
    lines, said = zip(*(_permutation(case, quick) for case in cases), strict=True)
    note = (
        f"{len(cases[0].X):,} held-out rows, log loss on both sides. whyglass gives the average over all permutations, so that what is "
        "left is the error from having these rows and no others, which no number of repeats takes away. scikit-learn draws; it is "
        "charged as many repeats as bring its standard error (rows and draws together, root mean square over the columns) within "
        f"{WITHIN - 1:.0%} of that. Its spread from draw to draw is measured on {_seen(quick)} repeats; each turn runs one, scaled by the "
        "number of predictions. 'Answers differ by' compares the mean of those repeats with whyglass, in standard errors of that mean: 1 "
        "is what chance gives. scikit-learn states no error over rows, whyglass does."
    )
    return f"{table(HEAD, list(lines))}\n\n{note} {'; '.join(said)}."


@dataclass(frozen=True)
class _Encoded:
    """A case as effector takes it: numbers only, categories as codes."""

    case: Case

    @functools.cached_property
    def categories(self) -> dict[str, np.ndarray]:
        frame = self.case.X.select_dtypes(object)
        return {name: np.array(sorted(frame[name].unique()), dtype=object) for name in frame}

    @functools.cached_property
    def matrix(self) -> np.ndarray:
        known = self.categories
        columns = [pd.Categorical(v, categories=known[n]).codes if n in known else v for n, v in self.case.X.items()]
        return np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)

    def predict(self, rows: np.ndarray) -> np.ndarray:
        if not self.categories:
            return self.case.probability(pd.DataFrame(rows, columns=self.case.X.columns))
        own = {n: self.categories[n][rows[:, j].astype(int)] if n in self.categories else rows[:, j] for j, n in enumerate(self.case.X)}
        return self.case.probability(pd.DataFrame(own))


def _accumulated(case: Case, quick: bool) -> list[str]:
    encoded, names = _Encoded(case), list(case.X)
    rows, known = encoded.matrix, encoded.categories
    span = rows.max(axis=0) - rows.min(axis=0)
    # ends a little outside, so that no row lies on an edge: there the two differ in which bin is meant
    ends = np.stack([rows.min(axis=0) - 0.00513 * span, rows.max(axis=0) + 0.00377 * span])
    edges = {n: np.linspace(ends[0, j], ends[1, j], BINS + 1) for j, n in enumerate(names) if n not in known}
    schema = {"feature_names": names, "feature_types": ["ordinal" if n in known else "continuous" for n in names], "cat_limit": 100}

    def ours() -> Any:
        return wg.explain(case.model, case.X, method="ale", grid={**edges, **known}, executor=ONE)

    found = ours()
    settle()
    order = {n: [float(list(known[n]).index(c)) for c in found.grid[n]] for n in known}

    def theirs() -> dict[str, np.ndarray]:
        ale = effector.ALE(rows, encoded.predict, nof_instances="all", axis_limits=ends, schema=schema)
        ale.fit(list(edges), centering=False, binning_method=Fixed(nof_bins=BINS))
        for name, levels in order.items():
            ale.fit(name, centering=False, order=levels)
        return {n: ale.eval(n, np.array(order.get(n, edges.get(n))), centering=False) for n in names}

    met = {n: np.histogram(rows[:, j], edges[n])[0] > 0 if n in edges else slice(None) for j, n in enumerate(names)}
    gap = max(float(np.abs(np.diff(v) - np.diff(found.values[n][:, -1]))[met[n]].max()) for n, v in theirs().items())
    turns = take_turns({"whyglass": ours, "effector": theirs}, 2 if quick else TURNS)
    return _line(case, Against("effector", 5), turns, (gap, 1e-9))


def accumulated(quick: bool) -> str:
    cases = _cases(quick, 10_000)
    note = (
        f"{len(cases[0].X):,} training rows, all columns, {BINS} bins of equal width with the same ends on both sides; categories in the "
        "order that whyglass finds (finding it is inside its time), given to effector. effector takes arrays of numbers, so that a "
        "function around the model makes data frames of them; its curves carry no standard error of the mean. Compared are the steps of "
        "the curves over bins that hold rows: the two centre in different ways, and over an empty bin whyglass stays level where effector "
        "goes on as beside it."
    )
    return f"{table(HEAD, [_accumulated(case, quick) for case in cases])}\n\n{note}"
