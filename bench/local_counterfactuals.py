"""Counterfactuals beside DiCE and NICE: time a row, how near, whether they hold when the model is asked again, and what is proven."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import math
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import dice_ml
import numpy as np
import pandas as pd
from harness import seconds, table
from local_data import Task, census, wide
from nice import NICE
from pieces import HEAD

import whyglass as wg

ONE = wg.Executor(threads=1)
OURS, FREE = "whyglass", "whyglass, plausible=False"
RANDOM, GENETIC, SPARSITY, PROXIMITY = "DiCE random", "DiCE genetic", "NICE sparsity", "NICE proximity"
SECOND = "3s"  # wall time given at full depth, so that one second of CPU is there on a busy machine too
Find = Callable[[pd.DataFrame], pd.Series | None]


@dataclass(frozen=True)
class Held:
    """Four constraints: two columns stay, one only rises, one keeps to a range."""

    stay: tuple[str, str]
    rises: str
    ranged: str
    low: float
    high: float

    def asked(self) -> dict[str, Any]:
        return {"immutable": list(self.stay), "increase_only": [self.rises], "ranges": {self.ranged: (self.low, self.high)}}

    def obeys(self, case: pd.Series, row: pd.Series) -> bool:
        same = all(case[name] == row[name] for name in self.stay)
        return bool(same and row[self.rises] >= case[self.rises] and self.low <= row[self.ranged] <= self.high)


@dataclass(frozen=True)
class Ring:
    """One model with its rows; rows outside the range are left out, for no peer can lead them into it."""

    name: str
    task: Task
    held: Held

    def cases(self, count: int) -> pd.DataFrame:
        fresh, held = self.task.fresh, self.held
        return fresh[fresh[held.ranged].between(held.low, held.high)].iloc[:count]

    def distance(self, case: pd.Series, row: pd.Series) -> float:
        steps = sum(abs(case[name] - row[name]) / self.spread[name] for name in self.task.numbers)
        return float(steps + sum(case[name] != row[name] for name in self.task.categories))

    @functools.cached_property
    def spread(self) -> pd.Series:
        return self.task.X[self.task.numbers].std(ddof=0)

    def said(self, row: pd.DataFrame) -> Any:
        return self.task.pipeline.predict(row)[0]

    def same_types(self, row: pd.Series) -> pd.DataFrame:
        """An answer as the model wants its rows."""
        return pd.DataFrame([row])[list(self.task.X)].astype(dict.fromkeys(self.task.numbers, float))


@dataclass
class Score:
    """Of one finder, row by row: CPU seconds, distance (NaN where nothing was found), whether valid and obeying, whether proven."""

    cpu: list[float] = field(default_factory=list)
    far: list[float] = field(default_factory=list)
    valid: list[bool] = field(default_factory=list)
    obeys: list[bool] = field(default_factory=list)
    proven: list[bool] = field(default_factory=list)

    def share(self, what: str) -> float:
        """Of the rows found."""
        found = np.isfinite(self.far)
        return float(np.mean(np.array(getattr(self, what))[found])) if found.any() else 0.0

    def note(self, ring: Ring, case: pd.DataFrame, answer: pd.Series | None) -> None:
        """Ask the model again, and compare with the case."""
        if answer is None:
            self.far.append(math.nan)
            self.valid.append(False)
            self.obeys.append(False)
            return
        row = ring.same_types(answer)
        self.far.append(ring.distance(case.iloc[0], row.iloc[0]))
        self.valid.append(ring.said(row) != ring.said(case))
        self.obeys.append(ring.held.obeys(case.iloc[0], row.iloc[0]))


def _whyglass(ring: Ring, proven: list[bool], **options: Any) -> Find:
    def find(case: pd.DataFrame) -> pd.Series | None:
        made = wg.explain(ring.task.model, case, method="counterfactual", executor=ONE, **ring.held.asked(), **options)[0]
        proven.append(bool(made) and made[0].proven)
        return made[0].row.iloc[0] if made else None

    return find


def _dice(ring: Ring, method: str) -> Find:
    """DiCE takes what may vary and ranges; that a column only rises is given as a range from the row's own value."""
    task, held = ring.task, ring.held
    known = task.X.assign(answer=(task.y == task.pipeline.classes_[1]).astype(int))
    data = dice_ml.Data(dataframe=known, continuous_features=task.numbers, outcome_name="answer")
    finder = dice_ml.Dice(data, dice_ml.Model(model=_Numbered(task.pipeline), backend="sklearn"), method=method)
    most = float(task.X[held.rises].max())

    def find(case: pd.DataFrame) -> pd.Series | None:
        own = float(case[held.rises].iloc[0])
        ranges = {held.rises: [own, max(own, most)], held.ranged: [held.low, held.high]}
        options = {"features_to_vary": [name for name in task.X if name not in held.stay], "permitted_range": ranges, "verbose": False}
        seed = {"random_seed": 0} if method == "random" else {}
        with _quiet():
            try:
                made = finder.generate_counterfactuals(case, total_CFs=1, desired_class="opposite", **options, **seed)
            except Exception as error:
                if "No counterfactuals" not in str(error):
                    raise
                return None
        rows = made.cf_examples_list[0].final_cfs_df
        return None if rows is None or not len(rows) else rows.iloc[0]

    return find


class _Numbered:
    """A pipeline whose classes are 0 and 1, as DiCE wants them."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline

    def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
        return np.asarray(self._pipeline.predict_proba(rows))

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        return self.predict_proba(rows).argmax(axis=1)


def _nice(ring: Ring, optimization: str) -> Find:
    """NICE knows no constraints and takes numbers only: categories are coded for it and decoded before the model is asked."""
    task = ring.task
    order = task.categories + task.numbers
    codes = {name: {value: at for at, value in enumerate(sorted(task.X[name].unique()))} for name in task.categories}
    names = {name: np.array(list(known), dtype=object) for name, known in codes.items()}

    def encode(rows: pd.DataFrame) -> np.ndarray:
        coded = [rows[name].map(codes[name]).to_numpy(float) for name in task.categories]
        return np.column_stack([*coded, *(rows[name].to_numpy(float) for name in task.numbers)])

    def decode(rows: np.ndarray) -> pd.DataFrame:
        frame = pd.DataFrame(np.asarray(rows, float), columns=order)
        for name in task.categories:
            frame[name] = names[name][frame[name].round().astype(int)]
        return frame[list(task.X)]

    known, y = encode(task.X), (task.y == task.pipeline.classes_[1]).astype(int)
    split = len(task.categories)
    with _quiet():
        finder = NICE(
            predict_fn=lambda rows: task.pipeline.predict_proba(decode(rows)),
            X_train=known,
            y_train=y,
            cat_feat=list(range(split)),
            num_feat=list(range(split, len(order))),
            optimization=optimization,
            num_normalization="std",
        )
    return lambda case: decode(finder.explain(encode(case))).iloc[0]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    logging.disable(logging.WARNING)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


def _run(ring: Ring, finders: dict[str, Find], rows: int) -> dict[str, Score]:
    """Every finder on every row in turn; the first row warms them and is not counted."""
    scores = {name: Score() for name in finders}
    cases = ring.cases(rows + 1)
    for at in range(len(cases)):
        case = cases.iloc[[at]]
        for name, find in finders.items() if at % 2 else reversed(finders.items()):
            start = time.process_time()
            answer = find(case)
            spent = time.process_time() - start
            if at:
                scores[name].cpu.append(spent)
                scores[name].note(ring, case, answer)
    return scores


def _race(ring: Ring, rows: int) -> dict[str, Score]:
    proven: dict[str, list[bool]] = {OURS: [], FREE: []}
    finders = {OURS: _whyglass(ring, proven[OURS]), FREE: _whyglass(ring, proven[FREE], plausible=False)}
    finders |= {RANDOM: _dice(ring, "random"), GENETIC: _dice(ring, "genetic")}
    finders |= {SPARSITY: _nice(ring, "sparsity"), PROXIMITY: _nice(ring, "proximity")}
    scores = _run(ring, finders, rows)
    for name, each in proven.items():
        scores[name].proven = each[1:]
    return scores


def _within_a_second(ring: Ring, rows: int) -> list[list[str]]:
    """At full depth: the share of rows whose answer is proven for at most a second of CPU time."""
    lines = []
    for name, options in ((OURS, {}), (FREE, {"plausible": False})):
        proven: list[bool] = []
        score = _run(ring, {name: _whyglass(ring, proven, budget=SECOND, **options)}, rows)[name]
        share = float(np.mean([there and spent <= 1.0 for there, spent in zip(proven[1:], score.cpu, strict=True)]))
        met = _met(share >= 0.5) + (", stretch 70 % too" if share >= 0.7 else "")
        about = f"{_ms(score)} median, valid and obeying {_percent(_holds(score))}"
        lines.append([f"{ring.name}, {rows} rows", f"{name}: proven nearest in 1 s", ">= 50 %, stretch 70 %", _percent(share), met, about])
    return lines


def _lines(ring: Ring, scores: dict[str, Score], rows: int) -> list[list[str]]:
    """What was asked for, against what was reached."""
    case, lines = f"{ring.name}, {rows} rows", []
    for name in (OURS, FREE):
        score = scores[name]
        found, median = int(np.isfinite(score.far).sum()), statistics.median(score.cpu)
        lines.append([case, f"{name}: CPU a row", "<= 50 ms", _ms(score), _met(median <= 0.05), f"{seconds(max(score.cpu))} at most"])
        lines.append([case, f"{name}: valid and obeying", "100 %", _percent(_holds(score)), _met(_holds(score) == 1.0), f"{found} found"])
        proven = float(np.mean(score.proven))
        lines.append([case, f"{name}: proven nearest", ">= 95 %", _percent(proven), _met(proven >= 0.95), ""])
        for peer, most in ((RANDOM, 0.35), (GENETIC, 0.35), (SPARSITY, 0.75), (PROXIMITY, 0.75)):
            both = np.isfinite(score.far) & np.isfinite(scores[peer].far)
            ratio = float(np.mean(np.array(score.far)[both]) / np.mean(np.array(scores[peer].far)[both])) if both.any() else math.nan
            about = f"{int(both.sum())} rows found by both"
            lines.append([case, f"{name} : {peer}, distance", f"<= {most}x", f"{ratio:.2f}x", _met(ratio <= most), about])
    return lines


def _holds(score: Score) -> float:
    found = np.isfinite(score.far)
    return float(np.mean((np.array(score.valid) & np.array(score.obeys))[found])) if found.any() else 0.0


def _ms(score: Score) -> str:
    return seconds(statistics.median(score.cpu))


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _met(fine: bool) -> str:
    return "yes" if fine else "no"


def _each(ring: Ring, scores: dict[str, Score]) -> list[list[str]]:
    lines = []
    for name, score in scores.items():
        far = np.array(score.far)
        found = np.isfinite(far)
        mean = f"{far[found].mean():.2f}" if found.any() else "-"
        shares = [_percent(score.share(what)) for what in ("valid", "obeys")]
        lines.append([ring.name, name, str(int(found.sum())), _ms(score), seconds(max(score.cpu)), mean, *shares])
    return lines


ABOUT = """\
Four constraints everywhere: two columns stay, one only rises, one keeps to a range (census: Gender and Ethnicity, Age, Hours per week in
10 to 60; wide: x0 and x1, x2, x3 between its training deciles). Both forests have 50 trees of depth 10 over one-hot and scaled columns.
Held-out rows, one `explain` call a row with everything that it does, the model's own answer included; rows outside the range are left
out. Distance is whyglass's own measure for all: sum of |change| / standard deviation, plus 1 for another category, means over the rows
that both sides found.

What each side was asked: whyglass and DiCE the same constraints (DiCE takes "only rises" as a range from the row's own value, and one
counterfactual); NICE knows no constraints, so its rows may go where ours may not, which favours it. DiCE minimises another distance
(by median absolute deviation), which counts against it here; NICE measures by standard deviations as we do. No peer promises that an
answer lies where training rows are: plausible=False is the like-for-like race, plausible=True (the default) is held to more than they are.
Validity and constraints are checked afterwards, by the pipeline's own predict and on the caller's own columns."""


def counterfactuals(quick: bool) -> str:
    """Distance, time, proofs."""
    rows = (4, 2, 3) if quick else (30, 15, 20)
    spread = wide(10).X["x3"].quantile([0.1, 0.9])
    rings = [
        (Ring("census", census(10), Held(("Gender", "Ethnicity"), "Age", "Hours per week", 10.0, 60.0)), rows[0]),
        (Ring("wide, 60 columns", wide(10), Held(("x0", "x1"), "x2", "x3", *(float(end) for end in spread))), rows[1]),
    ]
    lines, each = [], []
    for ring, count in rings:
        scores = _race(ring, count)
        lines += _lines(ring, scores, count)
        each += _each(ring, scores)
    deep = Ring("census, full depth", census(None), rings[0][0].held)
    lines += _within_a_second(deep, rows[2])
    head = ["case", "finder", "rows found", "CPU, median", "CPU, most", "mean distance", "valid", "obeying"]
    return f"{table([*HEAD, 'note'], lines)}\n\n{table(head, each)}\n\n{ABOUT}"
