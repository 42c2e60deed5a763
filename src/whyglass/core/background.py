"""The rows that stand for "unknown" when the caller names none: one rule for explainers and views alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from whyglass.core.errors import InputError
from whyglass.core.model import Model
from whyglass.core.schema import Dataset

DEFAULT_ROWS = 200
_MEDOIDS = "medoids:"
_NEAR = 1e-12
_OWN_AXIS = 64  # categories of a column that medoids tell apart: an axis for each of a million would not fit
Matrix = NDArray[np.float64]
Rows = NDArray[np.intp]


def default_background(model: Model, seed: int = 0, rows: int = DEFAULT_ROWS) -> Dataset:
    """Draw ``rows`` of wrap's X without replacement; all of them when there are fewer.

    Raises:
        InputError: If the model was wrapped without data.
    """
    data, known = _known(model)
    drawn = np.random.default_rng(seed).permutation(known)[:rows]
    return data.take(np.sort(drawn))


def chosen_background(model: Model, given: str) -> Dataset:
    """The rows that ``background="medoids:50"`` names; their ``note`` says so.

    Raises:
        InputError: If the text names no such choice, or the model was wrapped without data.
    """
    count = given.removeprefix(_MEDOIDS)
    if not given.startswith(_MEDOIDS) or not count.isdecimal() or int(count) < 1:
        kinds = "wanted a numpy array, pandas or polars frame, or pyarrow Table"
        msg = f"background={given!r} is neither rows nor a choice of them such as 'medoids:50'; {kinds}."
        raise InputError(msg)
    rows = medoids(model, int(count))
    return replace(rows, note=f"{len(rows):,} medoids of {len(model.data or ()):,} {model.rows_are}, each for an equal share of them")


def medoids(model: Model, count: int) -> Dataset:
    """The middle rows of ``count`` equally large parts of wrap's X.

    The rows are halved along their widest direction, again and again, until there are ``count`` parts whose sizes differ by
    rounding only; of each part the row that is nearest to all its others (in squared distance) is kept. Since every one
    stands for as many rows, a plain average over them is an average over all rows: no weights are needed anywhere. Numbers
    count by their standard deviation, different categories as a distance of 1 (the rarer ones, where a column
    has more than 64, as one), a missing value as an average one and a distance of 1. No draw is made: same rows, same medoids.

    Raises:
        InputError: If the model was wrapped without data.

    Cost: rows x (columns with one for each category)^2 x log2(count).
    """
    data, known = _known(model)
    if count >= len(known):
        return data.take(known)
    space = _encoded(data.take(known))
    middles = [part[((space[part] - space[part].mean(axis=0)) ** 2).sum(axis=1).argmin()] for part in equal_parts(space, count)]
    return data.take(np.sort(known[np.array(middles, dtype=np.intp)]))


def equal_parts(space: Matrix, count: int) -> list[Rows]:
    """Positions of the rows of each of ``count`` parts of near-equal size, cut across their widest direction."""
    done: list[Rows] = []
    waiting = [(np.arange(len(space), dtype=np.intp), count)]
    while waiting:
        part, pieces = waiting.pop()
        if pieces == 1:
            done.append(part)
            continue
        centred = space[part] - space[part].mean(axis=0)
        widest = np.linalg.eigh(centred.T @ centred)[1][:, -1]
        widest *= np.sign(widest[np.abs(widest).argmax()])  # an eigenvector's sign is anyone's choice
        order = part[np.argsort(np.round(centred @ widest, 9), kind="stable")]
        left = pieces // 2
        cut = round(len(part) * left / pieces)
        waiting += [(order[cut:], pieces - left), (order[:cut], left)]
    return done


def _known(model: Model) -> tuple[Dataset, Rows]:
    """Wrap's X and the rows of it that can be used."""
    if model.data is None or len(model.data) == 0:
        msg = f"{model.name} was wrapped without rows, so nothing can stand for 'unknown'. Pass background=, or wrap(model, X_train)."
        raise InputError(msg)
    known = np.flatnonzero([not p for p in model.data.problems]) if model.data.problems else np.arange(len(model.data))
    return model.data, known


def _encoded(data: Dataset) -> Matrix:
    """Rows as points whose distance is how different they are."""
    parts = []
    for at, column in enumerate(data.schema.columns):
        values, gone = data.matrix[:, at], np.isnan(data.matrix[:, at])
        if column.kind == "categorical":
            seen, often = np.unique(values[~gone], return_counts=True)
            common = np.sort(seen[np.argsort(-often, kind="stable")[:_OWN_AXIS]])
            parts.append((values[:, None] == common) / np.sqrt(2))
            if len(common) < len(seen):
                parts.append((~gone & ~np.isin(values, common))[:, None] / np.sqrt(2))
        else:
            mean = values[~gone].mean() if not gone.all() else 0.0
            filled = np.where(gone, 0.0, values - mean)
            parts.append((filled / max(float(np.sqrt((filled**2).mean())), _NEAR))[:, None])
        if gone.any():
            parts.append(gone[:, None] / np.sqrt(2))
    return np.concatenate(parts, axis=1) if parts else np.zeros((len(data), 1))
