"""Which rows stand under each other in a view, and which of them the model has learnt from."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from whyglass.core import registry
from whyglass.core.errors import InputError
from whyglass.core.schema import Dataset

TRAIN, HELD_OUT = 0, 1
MOSTLY = 0.5  # below this share of twins, equal rows are taken for chance


def together(explained: Dataset | None, own: Dataset | None) -> tuple[tuple[Dataset, ...], NDArray[np.uint8]]:
    """The explained rows, then wrap's own rows that are not among them; and per row "train" or "held out".

    Where most explained rows have a twin of equal values among wrap's own, they were taken from there: these are marked as
    train, carry the twin's recorded outcome, and the twin is left out.

    Raises:
        InputError: If there are no rows at all.
    """
    if explained is None or own is None or not len(explained) or not len(own):
        only = explained if explained is not None and len(explained) else own if own is not None else explained
        if only is None:
            msg = "There are no rows to show: wrap the model with its data, or pass data=."
            raise InputError(msg)
        return (only,), np.full(len(only), TRAIN if only is own and len(only) else HELD_OUT, dtype=np.uint8)
    twins = _twins(explained, own)
    known = twins >= 0
    if known.mean() < MOSTLY:
        return (explained, own), np.repeat(np.array([HELD_OUT, TRAIN], dtype=np.uint8), [len(explained), len(own)])
    if explained.y is None and own.y is not None and known.all():
        explained = replace(explained, y=own.y[twins])
    rest = np.setdiff1d(np.arange(len(own)), twins[known])
    marks = np.where(known, TRAIN, HELD_OUT).astype(np.uint8)
    if not len(rest):
        return (explained,), marks
    return (explained, _without(own, rest)), np.concatenate([marks, np.full(len(rest), TRAIN, dtype=np.uint8)])


def _twins(explained: Dataset, own: Dataset) -> NDArray[np.intp]:
    """For each explained row the position of an equal row of ``own`` that no earlier row took, or -1."""
    if explained.schema.names != own.schema.names:
        return np.full(len(explained), -1, dtype=np.intp)
    waiting: dict[bytes, list[int]] = defaultdict(list)
    for position in range(len(own) - 1, -1, -1):
        waiting[own.matrix[position].tobytes()].append(position)
    found = [waiting[row.tobytes()].pop() if waiting.get(row.tobytes()) else -1 for row in explained.matrix]
    return np.array(found, dtype=np.intp)


def _without(own: Dataset, rest: NDArray[np.intp]) -> Dataset:
    kept = own.take(rest)
    if own.source is None:
        return kept
    return replace(kept, source=registry.load("frames", "picker")(own.source, rest))
