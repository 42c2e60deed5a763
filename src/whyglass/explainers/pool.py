"""The pool: perturbed rows drawn once per model, seed and sampler, predicted once, and indexed by their bins."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from whyglass.core.ask import Ask
from whyglass.core.errors import InputError
from whyglass.core.model import Model
from whyglass.core.once import Once
from whyglass.core.rescue import rescue
from whyglass.core.schema import Dataset
from whyglass.explainers.bins import Bins, Codes, quartile_bins
from whyglass.explainers.shapley.games import Game, bad_answer, words

Array = NDArray[np.float64]
Bits = NDArray[np.bool_]
Words = NDArray[np.uint64]

CELLS = 400_000  # numbers in one call of the model: from there on a row costs no less
SAMPLERS = ("columns", "rows")
T = TypeVar("T")
_KEPT = 4  # pools a model holds on to
_FIRST = 256  # rows timed before a time budget is shared out
_SHARE = 0.1  # of the time left that one call may take, since it cannot be interrupted
_FOR_POOL = 0.6  # of the time left that the pool may take


@dataclass(frozen=True, eq=False)
class Pool:
    """Perturbed rows and what the model says of them.

    Attributes:
        rows: float64 (draws, columns), encoded.
        codes: int32 (draws, columns), the bin of every value.
        said: float64 (draws, outputs); NaN where the model gave no finite answer.
        usable: bool (draws,), whether it did.
        bins: The bins.
        problem: Why no row could be used; empty otherwise.
        whole: Whether time sufficed for every row that was to be drawn.
        calls: How often the user's model was called for it, and with how many rows.
    """

    rows: Array
    codes: Codes
    said: Array
    usable: Bits
    bins: Bins
    problem: str = ""
    whole: bool = True
    calls: tuple[int, int] = (0, 0)
    _sets: Once = field(default_factory=Once, repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    def sets(self, column: int) -> Words:
        """Which draws lie in each bin of a column: uint64 (bins, words), bit d % 64 of word d // 64 for draw d; made once."""
        made: Words = self._sets.get(str(column), lambda: bit_sets(self.codes[:, column], int(self.bins.counts[column])))
        return made


def bit_sets(codes: Codes, bins: int) -> Words:
    """Bit sets of the rows with each code: uint64 (bins, words)."""
    held = np.zeros((bins, -(-len(codes) // 64) * 64), np.bool_)
    known = np.flatnonzero(codes >= 0)
    held[codes[known], known] = True
    return np.packbits(held, axis=1, bitorder="little").view("<u8").astype(np.uint64, copy=False)


def training_rows(model: Model) -> Dataset:
    """Wrap's rows, without those that cannot be used.

    Raises:
        InputError: If the model was wrapped without rows.
    """
    data = model.data
    if data is None or not len(data):
        msg = f"{model.name} was wrapped without rows, so there is nothing to draw perturbations from. Pass wrap(model, X_train)."
        raise InputError(msg)
    if not data.problems:
        return data
    known = np.flatnonzero([not problem for problem in data.problems])
    if not len(known):
        msg = f"None of the {len(data):,} rows given to wrap can be used: {data.problems[0]}. Pass other rows to wrap(model, X_train)."
        raise InputError(msg)
    return data.take(known)


def kept(model: Model, name: str, make: Callable[[], T]) -> T:
    """A value made once a model, and let go of with it."""
    made: T = _store(model).made.get(name, make)
    return made


def bins_of(model: Model) -> Bins:
    """The bins of wrap's rows, made once a model."""
    return kept(model, "bins", lambda: quartile_bins(training_rows(model)))


def draw(model: Model, count: int, seed: int, sampler: str = "columns") -> Array:
    """Perturbed rows, float64 (count, columns): each column from a training row of its own, or whole training rows.

    Args:
        model: The wrapped model.
        count: How many.
        seed: They follow from it.
        sampler: "columns": every value drawn on its own. "rows": whole rows, without replacement as long as there are any left.
    """
    matrix = training_rows(model).matrix
    rng = np.random.default_rng([seed, SAMPLERS.index(sampler)])
    if sampler == "rows":
        rounds = [rng.permutation(len(matrix)) for _ in range(-(-count // len(matrix)))]
        return matrix[np.concatenate(rounds)[:count]]
    return np.take_along_axis(matrix, rng.integers(0, len(matrix), size=(count, matrix.shape[1])), axis=0)


def pool_of(ask: Ask, game: Game, count: int, sampler: str = "columns") -> tuple[Pool, bool]:
    """The pool of a model: drawn and predicted once for each seed, size, sampler and space, then kept beside the model.

    Args:
        ask: What was asked: model, seed, budget.
        game: What is asked of the model.
        count: Rows to draw. Under a time budget fewer are predicted where time is short, and the pool is not kept.
        sampler: As for ``draw``.

    Returns:
        The pool, and whether it was there already, so that this call has asked the model nothing for it.

    Cost: ``count`` model rows, once, in calls of up to 400,000 numbers.
    """
    store, key = _store(ask.model), (sampler, ask.seed, count, game.space)
    with store.lock:
        if key in store.pools:
            store.pools.move_to_end(key)
            return store.pools[key], True
        pool = _predicted(ask, game, draw(ask.model, count, ask.seed, sampler))
        if pool.whole and not pool.problem:
            store.pools[key] = pool
            while len(store.pools) > _KEPT:
                store.pools.popitem(last=False)
        return pool, False


def _predicted(ask: Ask, game: Game, rows: Array) -> Pool:
    """Ask about the rows, all of them or as many as time allows."""
    before = ask.model.counter.snapshot()
    said, problem, done = said_of(ask, game, rows, share=_FOR_POOL)
    after = ask.model.counter.snapshot()
    rows, bins = rows[:done], bins_of(ask.model)
    usable = np.asarray(np.isfinite(said[:done]).all(axis=1))
    return Pool(
        rows=rows,
        codes=bins.codes(rows),
        said=said[:done],
        usable=usable,
        bins=bins,
        problem="" if usable.any() else problem or "the time budget ran out before the model could be asked about perturbations",
        whole=done == len(said),
        calls=(after[0] - before[0], after[1] - before[1]),
    )


def said_of(ask: Ask, game: Game, rows: Array, share: float = 1.0) -> tuple[Array, str, int]:
    """What the model says of rows, in large calls, in smaller ones where a call fails or time is short.

    Args:
        ask: What was asked.
        game: What is asked of the model.
        rows: float64 (rows, columns), encoded.
        share: Of the time left that all calls together may take.

    Returns:
        float64 (rows, outputs), NaN where there is no answer; what the model did with the first row that it failed on, empty
        when it failed on none; and how many rows time sufficed for.
    """
    said, problem, done = np.full((len(rows), game.width), np.nan), "", 0
    most = max(1, CELLS // max(1, rows.shape[1]))
    deadline = ask.budget.deadline
    start = time.monotonic()
    until = None if deadline is None else start + share * (deadline - start)
    size = most if until is None else min(_FIRST, most)
    while done < len(rows) and (until is None or time.monotonic() < until):
        ask.executor.check()
        part = slice(done, min(done + size, len(rows)))
        try:
            said[part], failed = rescue(game.predict, rows[part], game.width, give_up=not done)
        except Exception as error:  # noqa: BLE001  (a user's model may raise anything; it becomes the status of every row)
            return said, words(error), len(rows)
        problem = problem or next((words(cause) for cause in failed.values()), "")
        for row in np.flatnonzero(~np.isfinite(said[part]).all(axis=1))[:1].tolist():
            problem = problem or bad_answer(said[part][row])
        done = part.stop
        if until is not None:
            one = max((time.monotonic() - start) / done, 1e-9)
            size = max(1, min(most, int(_SHARE * max(until - time.monotonic(), 0.0) / one)))
    return said, problem, done


@dataclass(eq=False)
class _Store:
    """What is kept beside a model, for as long as the model lives."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    made: Once = field(default_factory=Once)
    pools: OrderedDict[Any, Pool] = field(default_factory=OrderedDict)


_stores: WeakKeyDictionary[Model, _Store] = WeakKeyDictionary()
_stores_lock = threading.Lock()


def _store(model: Model) -> _Store:
    with _stores_lock:
        return _stores.setdefault(model, _Store())
