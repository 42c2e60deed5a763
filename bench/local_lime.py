"""LIME: many rows end to end, at equal held-out fidelity on the same draws, and the same answer twice."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from harness import seconds, table, take_turns
from lime.discretize import QuartileDiscretizer
from lime.lime_tabular import LimeTabularExplainer
from local_data import Task, census, wide
from pieces import HEAD
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import whyglass as wg
from whyglass.explainers import lime_fit, pool
from whyglass.kernels import forest, surrogate

ONE = wg.Executor(threads=1)
DRAWS = 5_000
LIME, ALIKE = "lime", "lime, draws as ours"
OURS: dict[str, dict[str, Any]] = {"pool": {}, "exact": {"sampling": "exact"}}
EQUAL = 0.005  # of R squared, between sides that count as equal
NOTE = (
    "{rows} rows, 5,000 draws; forests of {trees} trees, {leaves} leaves. whyglass explains all rows in one call, with new draws predicted "
    "in each turn (for exact values too: their R2 is measured on draws); lime explains other rows in each turn, scaled. `lime` is as it "
    "comes; `lime, draws as ours` has a discretizer, its own point of extension, that draws training values of a bin in place of a normal "
    "distribution cut to it, and is the same question as whyglass's. R2 is weighted by LIME's kernel and measured on {fresh} fresh draws "
    "of one sampler, the same for both sides: against `lime` on lime's, with whyglass's fit made of 5,000 of lime's draws; against `lime, "
    "draws as ours` on whyglass's. A race counts where whyglass's is not lower by more than 0.005. lime is given numbers for categories "
    "and a pipeline of the same trees that takes them so, cheaper than the text that a user has; whyglass reads the data frame and asks "
    "its own predictor, and reports standard errors, ties and R2 of both classes, lime the coefficients of one."
)
APART = (
    "The samplers are the whole difference in fit: a side fits the draws that it was made of best, and lime's code on training values "
    "is where whyglass's is. Where a column is skewed (capital gain: 92 of 100 people have none) lime's draws go where no row is."
)
Fit = tuple[np.ndarray, np.ndarray]  # coefficients (rows, columns) and intercepts (rows,) of the last class


class TrainingValues(QuartileDiscretizer):
    """lime's quartiles, whose draws are training values of the bin: what whyglass draws from."""

    def __init__(self, data: np.ndarray, categorical: list[int], names: list[str]) -> None:
        super().__init__(data, categorical, names, random_state=0)
        self.values = {j: [data[self.lambdas[j](data[:, j]) == b, j] for b in range(len(self.means[j]))] for j in self.to_discretize}

    def get_undiscretize_values(self, feature: int, values: np.ndarray) -> np.ndarray:
        bins = values.ravel()
        found = np.empty(len(bins))
        for b in np.unique(bins):
            here = bins == b
            found[here] = self.random_state.choice(self.values[feature][b], here.sum())
        return found


@dataclass(eq=False)
class Table:
    """A task as lime takes it: categories as whole numbers, and a pipeline of the same forest that takes them so."""

    name: str
    task: Task
    codes: np.ndarray = field(init=False)
    fresh: np.ndarray = field(init=False)
    categorical: list[int] = field(init=False)
    pipeline: Any = field(init=False)

    def __post_init__(self) -> None:
        names = list(self.task.X)
        self.categorical = [names.index(name) for name in self.task.categories]
        self.codes, self.fresh = self._coded(self.task.X), self._coded(self.task.fresh)
        numbers = [j for j in range(len(names)) if j not in self.categorical]
        encode = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), self.categorical), (StandardScaler(), numbers))
        self.pipeline = make_pipeline(encode.fit(self.codes), self.task.pipeline[-1])

    def _coded(self, X: Any) -> np.ndarray:
        text = {name: np.unique(self.task.X[name].to_numpy().astype(str)) for name in self.task.categories}
        columns = [np.searchsorted(text[n], X[n].to_numpy().astype(str)) if n in text else X[n].to_numpy(float) for n in X]
        return np.column_stack(columns).astype(np.float64)

    def explainer(self, alike: bool) -> LimeTabularExplainer:
        names = list(self.task.X)
        bins = TrainingValues(self.codes, self.categorical, names) if alike else "quartile"
        return LimeTabularExplainer(
            self.codes, feature_names=names, categorical_features=self.categorical, discretizer=bins, random_state=0
        )

    def compiled(self, X: np.ndarray) -> np.ndarray:
        """whyglass's own predictor, on lime's codes: categories are sorted on both sides."""
        return forest.predict(self.task.model.trees(), X)


@dataclass(eq=False)
class Draws:
    """Fresh draws of one sampler, the bins of draws and cases, and what the forest says."""

    bins: np.ndarray
    cases: np.ndarray
    said: np.ndarray

    @property
    def weight(self) -> np.ndarray:
        columns = self.bins.shape[1]
        return np.exp(-np.arange(columns + 1) / (2 * 0.75**2 * columns))

    def r2(self, rows: range, fits: list[Fit]) -> list[float]:
        """Weighted R squared of each fit, mean over the rows; the draws that fits were made of are left out."""
        found, bins, said = [], self.bins[DRAWS:], self.said[DRAWS:]
        for at, row in enumerate(rows):
            same = bins == self.cases[row]
            weight = self.weight[(~same).sum(axis=1)]
            about = weight @ (said - weight @ said / weight.sum()) ** 2
            found.append([1 - weight @ (said - base[at] - same @ values[at]) ** 2 / about for values, base in fits])
        return np.mean(found, axis=0).tolist()

    def fitted(self, rows: range, most: int) -> Fit:
        """whyglass's fit on the first of these draws; used for other draws than it is measured on."""
        part = (np.arange(DRAWS) % surrogate.PARTS).astype(np.int8)
        said = np.ascontiguousarray(self.said[None, :DRAWS])
        draws = surrogate.Draws(np.ascontiguousarray(self.bins[:DRAWS].T.astype(np.int32)), said, part, self.weight)
        made = lime_fit.fit(draws, self.cases[rows.start : rows.stop].astype(np.int32), most)
        return made.values[:, :, -1], made.base[:, -1]


def of_lime(at: Table, explainer: Any, count: int) -> Draws:
    """Draws of lime's own sampler."""
    _, drawn = explainer._LimeTabularExplainer__data_inverse(at.fresh[0], count + 1)  # noqa: SLF001  (lime's draws, else out of reach)
    drawn = drawn[1:]  # the first is the case itself
    return Draws(explainer.discretizer.discretize(drawn), explainer.discretizer.discretize(at.fresh), at.compiled(drawn)[:, -1])


def of_ours(at: Table, count: int) -> Draws:
    model = at.task.model
    drawn, bins = pool.draw(model, count, seed=10**6), pool.bins_of(model)
    return Draws(bins.codes(drawn), bins.codes(model.encode(at.task.fresh).matrix), forest.predict(model.trees(), drawn)[:, -1])


def by_lime(at: Table, explainer: Any, rows: range, most: int, predict: Callable[[np.ndarray], np.ndarray]) -> Fit:
    values, base = np.zeros((len(rows), at.codes.shape[1])), np.zeros(len(rows))
    for place, row in enumerate(rows):
        why = explainer.explain_instance(at.fresh[row], predict, num_features=most)
        for column, value in why.as_map()[1]:
            values[place, column] = value
        base[place] = why.intercept[1]
    return values, base


def by_us(at: Table, rows: range, seed: int, **options: Any) -> Fit:
    why = wg.explain(at.task.model, at.task.fresh[rows.start : rows.stop], method="lime", seed=seed, executor=ONE, **options)
    return why.values[:, :, -1], why.base_values[:, -1]


def overlap(one: Fit, other: Fit) -> float:
    """Mean Jaccard index of the five strongest columns."""
    top = [[set(np.argsort(-np.abs(row), kind="stable")[:5].tolist()) for row in side[0]] for side in (one, other)]
    return float(np.mean([len(a & b) / len(a | b) for a, b in zip(*top, strict=True)]))


@dataclass(eq=False)
class Race:
    """One table and number of features. lime explains ``few`` rows a turn, others each turn; whyglass all ``rows``, draws included."""

    at: Table
    most: int
    rows: int
    few: int
    turns: int
    seeds: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def case(self) -> str:
        return f"{self.at.name}, {self.most} features"

    def run(self, measured: dict[str, Draws]) -> tuple[list[list[str]], list[list[str]]]:
        """Lines of both tables: speed, and fidelity."""
        explainers = {LIME: self.at.explainer(alike=False), ALIKE: self.at.explainer(alike=True)}
        fits: dict[str, list[Fit]] = {name: [] for name in (*explainers, *OURS)}
        turn = {name: itertools.count(-1) for name in fits}

        def take(name: str) -> None:
            first = next(turn[name]) * self.few  # the first time warms up, and is not measured
            rows = range(first, first + self.few) if first >= 0 else range(2)
            if name in explainers:
                made = by_lime(self.at, explainers[name], rows, self.most, self.at.pipeline.predict_proba)
            else:
                values, base = by_us(self.at, range(self.rows), next(self.seeds), n_features=self.most, **OURS[name])
                made = values[rows.start : rows.stop], base[rows.start : rows.stop]
            if first >= 0:
                fits[name].append(made)

        jobs: dict[str, Callable[[], object]] = {name: lambda name=name: take(name) for name in fits}
        cpu = take_turns(jobs, self.turns).cpu
        seen = range(self.few * self.turns)
        sides = {name: (np.concatenate([v for v, _ in made]), np.concatenate([b for _, b in made])) for name, made in fits.items()}
        sides["pool, draws as lime's"] = measured["lime"].fitted(seen, self.most)
        on = {name: dict(zip(sides, draws.r2(seen, list(sides.values())), strict=True)) for name, draws in measured.items()}
        lines = [
            self._line("pool", LIME, cpu, on["lime"]["pool, draws as lime's"], on["lime"][LIME]),
            self._line("pool", ALIKE, cpu, on["ours"]["pool"], on["ours"][ALIKE]),
            self._line("exact", ALIKE, cpu, on["ours"]["exact"], on["ours"][ALIKE]),
        ]
        return lines, [[self.case, name, *(f"{on[draws][name]:.4f}" for draws in ("ours", "lime"))] for name in sides]

    def _line(self, ours: str, peer: str, cpu: dict[str, list[float]], us: float, theirs: float) -> list[str]:
        scale, asked = self.rows / self.few, 2 if ours == "exact" else 100
        ratios = sorted(scale * p / o for p, o in zip(cpu[peer], cpu[ours], strict=True))
        reached = statistics.median(ratios)
        return [
            f"{self.case}, {ours}",
            peer,
            f"{asked}x",
            f"**{reached:.3g}x**",
            "yes" if reached >= asked and us >= theirs - EQUAL else "no",
            f"{ratios[0]:.3g}x to {ratios[-1]:.3g}x",
            f"{us:.4f} / {theirs:.4f}",
            f"{self.few * self.turns} of {self.rows}",
            seconds(statistics.median(cpu[ours])),
            seconds(scale * statistics.median(cpu[peer])),
        ]


def again(at: Table, rows: range) -> list[list[str]]:
    """The same rows asked twice."""
    explainer, predict = at.explainer(alike=False), at.pipeline.predict_proba
    twice = [by_lime(at, explainer, rows, 10, predict) for _ in range(2)]
    lines = [[at.name, LIME, f"{overlap(*twice):.3f}"]]
    asked = {
        "pool, asked again": [{"seed": 0}] * 2,
        "pool, another seed": [{"seed": 0}, {"seed": 1}],
        "pool of 50,000, another seed": [{"seed": 0, "n_samples": 50_000}, {"seed": 1, "n_samples": 50_000}],
        "exact, another seed": [{"seed": 0, "sampling": "exact"}, {"seed": 1, "sampling": "exact"}],
    }
    return lines + [[at.name, name, f"{overlap(*(by_us(at, rows, **one) for one in both)):.3f}"] for name, both in asked.items()]


def aside(at: Table, rows: int, few: int) -> str:
    """What the races leave out: set-up on both sides, and lime with whyglass's predictor in place of scikit-learn's."""
    explainer, task = at.explainer(alike=False), at.task
    seed = itertools.count(1)
    jobs = {
        "lime set-up": lambda: at.explainer(alike=False),
        "whyglass set-up": lambda: wg.wrap(task.pipeline, task.X, task.y),
        "lime": lambda: by_lime(at, explainer, range(few), 10, at.compiled),
        "pool": lambda: by_us(at, range(rows), next(seed), n_features=10),
    }
    turns = take_turns(jobs, 1)
    ratio = turns.ratio("lime", "pool") * rows / few
    setups = [seconds(turns.median(f"{side} set-up")) for side in ("lime", "whyglass")]
    return f"{at.name}: set-up lime {setups[0]}, whyglass {setups[1]}; with whyglass's predictor in lime, the pool is {ratio:.3g}x faster."


def lime(quick: bool) -> str:
    depth, trees = (6, 10) if quick else (None, 50)
    people, made_up = Table("census", census(depth, trees)), Table("wide", wide(depth, trees))
    rows, draws = (20, DRAWS + 5_000) if quick else (200, DRAWS + 50_000)
    lines, fidelity, same, asides = [], [], [], []
    for at, few in ((people, (50, 12)), (made_up, (12, 5))):
        measured = {"ours": of_ours(at, draws), "lime": of_lime(at, at.explainer(alike=False), draws)}
        for most, some in zip((10, 5), few, strict=True):
            speed, fits = Race(at, most, rows, 2 if quick else some, 2 if quick else 4).run(measured)
            lines, fidelity = lines + speed, fidelity + fits
        same += again(at, range(2 if quick else 15))
        asides.append(aside(at, rows, 2 if quick else 8))
    head = [*HEAD, "in single turns", "R2, whyglass / peer", "rows of the peer", "whyglass, all rows", "peer, scaled"]
    return "\n\n".join(
        [
            table(head, lines),
            NOTE.format(rows=rows, fresh=f"{draws - DRAWS:,}", trees=trees, leaves=f"{people.task.leaves:,} and {made_up.task.leaves:,}"),
            table(["held-out R2", "side", "on whyglass's draws", "on lime's draws"], fidelity),
            APART,
            "Top five columns of the same rows, asked twice (mean Jaccard index):",
            table(["rows", "side", "overlap"], same),
            " ".join(asides),
        ]
    )
