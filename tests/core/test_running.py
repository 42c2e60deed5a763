"""Budgets, the executor, and the state of a view."""

import threading
import time

import numpy as np
import pytest

from whyglass.core.ask import Budget
from whyglass.core.errors import InputError
from whyglass.core.executor import Cancelled, Executor
from whyglass.core.view import View


def test_budgets():
    assert Budget.read(None).evaluations == 2048
    assert Budget.read(64).evaluations == 64
    soon = Budget.read("50ms")
    assert soon.left()
    assert Budget.read("30s").deadline > time.monotonic() + 25
    time.sleep(0.06)
    assert not soon.left()


@pytest.mark.parametrize("bad", [0, -3, "fast", "10 minutes", "-1s", True, 1.5, "ms"])
def test_bad_budgets_say_what_was_wanted(bad):
    with pytest.raises(InputError, match="'200ms' or '30s'"):
        Budget.read(bad)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_blocks_come_back_in_order(threads):
    executor = Executor(threads)
    blocks = executor.blocks(103, 10)
    parts = executor.map(lambda b: np.arange(b.start, b.stop), blocks)
    assert np.array_equal(np.concatenate(parts), np.arange(103))


def test_progress_and_cancel():
    seen = []
    stop = threading.Event()
    executor = Executor(1, progress=lambda done, total: seen.append((done, total)), cancel=stop)
    executor.map(lambda _: None, executor.blocks(30, 10))
    assert seen == [(10, 30), (20, 30), (30, 30)]
    stop.set()
    with pytest.raises(Cancelled):
        executor.map(lambda _: None, executor.blocks(30, 10))


def view():
    return View("workbench", {"n_rows": 10}, {}, _state={"case": 0, "selection": None})


def test_listeners_hear_what_changed_and_nothing_else():
    shown, heard = view(), []
    shown.on("case", lambda v: heard.append(("case", v)))
    off = shown.on("selection", lambda v: heard.append(("selection", v)))
    shown.update({"case": 3})
    shown.update({"case": 3})
    shown.selection = [1, 2]
    off()
    shown.selection = [4]
    assert heard == [("case", 3), ("selection", [1, 2])]
    assert shown.selection == [4]


def test_a_page_is_not_told_of_its_own_change():
    shown, told = view(), []
    shown.watch(told.append)

    def own(state):
        told.append(("own", state))

    shown.watch(own)
    shown.update({"case": 5}, source=own)
    assert told == [{"case": 5, "selection": None}]


def test_bad_selection_and_event():
    shown = view()
    with pytest.raises(InputError, match="row ids run from 0 to 9"):
        shown.selection = [3, 10]
    with pytest.raises(InputError, match="Did you mean 'selection'"):
        shown.on("select", print)
    with pytest.raises(InputError, match="not given the rows"):
        shown.selected_frame()
