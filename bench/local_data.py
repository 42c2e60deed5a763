"""Models and rows of the local races: the same for every part, made once in a process."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import whyglass as wg

TRAIN = 30_000
WIDE = 60


@dataclass(frozen=True)
class Task:
    """A fitted pipeline, whose trees are over one-hot and scaled columns, with its rows; ``names`` are the model's classes."""

    pipeline: Any
    X: pd.DataFrame
    y: np.ndarray
    fresh: pd.DataFrame
    fresh_y: np.ndarray
    categories: list[str]
    numbers: list[str]
    protected: list[str]

    @functools.cached_property
    def model(self) -> Any:
        return wg.wrap(self.pipeline, self.X, self.y, protected=self.protected)

    @property
    def leaves(self) -> int:
        return sum(tree.tree_.n_leaves for tree in self.pipeline[-1].estimators_)


@functools.cache
def census(depth: int | None, trees: int = 50) -> Task:
    """Census people, text and floats as the peers want them; a missing category is "?"."""
    people = wg.datasets.census("pandas")
    X, y = people.X.copy(), np.asarray(people.y)
    categories = [name for name in X if X[name].dtype.name == "category"]
    numbers = [name for name in X if name not in categories]
    for name in categories:
        X[name] = X[name].astype(object).where(X[name].notna(), "?").astype(str).astype(object)
    X[numbers] = X[numbers].astype(float)
    order = np.random.default_rng(0).permutation(len(X))
    X, y = X.iloc[order].reset_index(drop=True), y[order]
    forest = RandomForestClassifier(trees, max_depth=depth, random_state=0, n_jobs=1)
    encode = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), categories), (StandardScaler(), numbers))
    pipeline = make_pipeline(encode, forest).fit(X[:TRAIN], y[:TRAIN])
    fresh = X[TRAIN:].reset_index(drop=True)
    return Task(pipeline, X[:TRAIN], y[:TRAIN], fresh, y[TRAIN:], categories, numbers, list(people.protected))


@functools.cache
def wide(depth: int | None, trees: int = 50) -> Task:
    """Sixty numeric columns, fifteen of which matter."""
    X, y = make_classification(12_000, WIDE, n_informative=15, n_redundant=5, random_state=0)
    frame = pd.DataFrame(X.round(3), columns=[f"x{j}" for j in range(WIDE)])
    forest = RandomForestClassifier(trees, max_depth=depth, random_state=0, n_jobs=1)
    pipeline = make_pipeline(StandardScaler(), forest).fit(frame[:10_000], y[:10_000])
    fresh = frame[10_000:].reset_index(drop=True)
    return Task(pipeline, frame[:10_000], y[:10_000], fresh, y[10_000:], [], list(frame), [])
