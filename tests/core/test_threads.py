"""Threads change how long an answer takes and nothing else: the same bits, errors that surface, and the rest of Python goes on."""

from __future__ import annotations

import importlib
import pkgutil
import threading
import time

import numba
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression

import whyglass as wg
from whyglass import kernels
from whyglass.core import registry
from whyglass.core.errors import InputError
from whyglass.core.executor import Cancelled, Executor

METHODS = [row for row in registry.rows("methods") if row.gives == "Attribution" and "seeded" in row.laws]


@pytest.mark.parametrize("threads", [-1, 1.5, True, "2", None, np.nan])
def test_what_is_no_number_of_threads_is_said(threads):
    with pytest.raises(InputError, match="or 0 for one per core"):
        Executor(threads)


@pytest.mark.parametrize("threads", [0, 1, np.int64(3)])
def test_numbers_of_threads(threads):
    assert Executor(threads).workers == threads or (threads == 0 and Executor(threads).workers >= 1)


def test_what_is_no_progress_and_no_cancel_is_said():
    with pytest.raises(InputError, match="rows done, rows in all"):
        Executor(progress="loud")
    with pytest.raises(InputError, match=r"threading\.Event"):
        Executor(cancel=True)
    with pytest.raises(InputError, match=r"wg\.Executor\(threads=2\)"):
        Executor.read(2)


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_progress_is_told_by_one_thread_at_a_time(threads):
    heard, inside = [], threading.Lock()

    def progress(*said):
        assert inside.acquire(blocking=False)
        heard.append(said)
        inside.release()

    executor = Executor(threads, progress)
    executor.map(lambda _: time.sleep(0), executor.blocks(997, 10))
    assert [done for done, _ in heard] == sorted({done for done, _ in heard})
    assert heard[-1] == (997, 997)
    assert len(heard) == 100


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_an_error_of_one_block_is_the_error_of_the_call(threads):
    ran = []

    def block(part):
        ran.append(part.start)
        if part.start == 30:
            raise ZeroDivisionError
        time.sleep(0.001)

    executor = Executor(threads)
    with pytest.raises(ZeroDivisionError):
        executor.map(block, executor.blocks(10_000, 10))
    assert len(ran) < 100, "the blocks behind the error were run all the same"


def test_cancel_from_another_thread():
    stop, reached = threading.Event(), threading.Event()

    def block(part):
        if part.start >= 50:  # whichever thread is free waits too, so that blocks are left when the call is stopped
            reached.set()
            stop.wait(60)

    canceller = threading.Thread(target=lambda: reached.wait(60) and stop.set())
    canceller.start()
    executor = Executor(2, cancel=stop)
    with pytest.raises(Cancelled):
        executor.map(block, executor.blocks(10_000, 10))
    canceller.join()


def models():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(300, 4)), columns=["age", "hours", "gain", "loss"])
    X.loc[rng.random(300) < 0.1, "loss"] = np.nan
    y = (X["age"] + X["hours"] * X["gain"] > 0).astype(int)
    yield wg.wrap(HistGradientBoostingClassifier(max_iter=12).fit(X, y), X, y)
    yield wg.wrap(RandomForestRegressor(6, random_state=0).fit(X, y), X, y)
    yield wg.wrap(LogisticRegression().fit(X.fillna(0.0), y), X.fillna(0.0), y)
    yield wg.wrap(lambda rows: np.tanh(rows.fillna(0).to_numpy()).prod(axis=1), X, y, task="regression")


MODELS = list(models())
CASES = [pytest.param(row, model, id=f"{row.name}-{model.name}") for row in METHODS for model in MODELS if row.needs <= model.can]


def answer(row, model, executor):
    many = 700 if not row.needs <= {"predict"} else 40
    X = pd.DataFrame(np.random.default_rng(1).normal(size=(many, 4)), columns=model.schema.names)
    background = None if row.background == "never" else X[:20]
    y = np.random.default_rng(2).choice(model.outputs, many) if model.task == "classification" else X["age"]
    return wg.explain(model, X, y=y, method=row.name, background=background, executor=executor)


@pytest.mark.parametrize(("row", "model"), CASES)
def test_the_same_bits_on_one_thread_and_many(row, model):
    one = answer(row, model, Executor(1))
    for threads in (2, 5):
        assert answer(row, model, Executor(threads)) == one
    assert len(one) == 1 or not np.array_equal(one.values, one.values[::-1]), "rows out of place must be seen"


def compiled_kernels():
    """Every kernel of the room that is compiled on its own."""
    for module in pkgutil.iter_modules(kernels.__path__, "whyglass.kernels."):
        loaded = importlib.import_module(module.name)
        for name, thing in vars(loaded).items():
            if isinstance(thing, numba.core.registry.CPUDispatcher) and thing.py_func.__module__ == module.name:
                yield f"{module.name}.{name}", thing.targetoptions


def holders(kernels_found):
    """Those that keep other Python threads waiting, or make threads of their own."""
    return [name for name, options in kernels_found if not options.get("nogil") or options.get("parallel")]


def test_no_kernel_holds_the_gil():
    found = dict(compiled_kernels())
    assert len(found) >= 5
    assert holders(found.items()) == []


def test_a_kernel_that_holds_it_is_caught():
    assert holders([("a", {"nogil": True}), ("b", {}), ("c", {"nogil": True, "parallel": True})]) == ["b", "c"]


def ticks_during(call):
    """How often another thread came to run while the call did."""
    count, over = 0, threading.Event()
    ready = threading.Event()

    def tick():
        nonlocal count
        while not over.is_set():
            count += 1
            ready.set()
            time.sleep(0.0005)

    ticker = threading.Thread(target=tick)
    ticker.start()
    ready.wait()
    before = count
    call()
    during = count - before
    over.set()
    ticker.join()
    return during


def _spin(rounds: int) -> float:
    total = 0.0
    for i in range(rounds):
        total += (i % 7) * 1e-3
    return total


def test_other_threads_run_while_a_kernel_does():
    from whyglass.kernels.forest import add_leaves, pack

    trees = pack(MODELS[0].trees())
    X = np.random.default_rng(0).normal(size=(400_000, 4))
    out = np.zeros((len(X), len(trees.base)))
    add_leaves(trees, X[:2], out[:2])
    # one call without the interpreter in between; a busy machine may need more than one try
    assert any(ticks_during(lambda: add_leaves(trees, X, out)) >= 5 for _ in range(20))


def test_a_kernel_that_keeps_them_waiting_is_seen():
    spin = numba.njit(_spin)
    spin(1)
    rounds = 1 << 20
    while True:
        start = time.process_time()
        spin(rounds)
        if time.process_time() - start > 0.1:
            break
        rounds *= 2
    assert min(ticks_during(lambda: spin(rounds)) for _ in range(5)) < 5
