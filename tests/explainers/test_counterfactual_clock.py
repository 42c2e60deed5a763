"""A time budget is a hard cap on any machine: judged by a clock that only work moves on, so that load changes nothing."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier

import whyglass as wg
from whyglass.core import ask
from whyglass.core.executor import Executor
from whyglass.explainers.counterfactual import evolution, forests, question
from whyglass.kernels import box_descent, box_search

BOX, DESCENT, CALL, ROW = 0.002, 0.004, 0.010, 0.00002  # seconds that work takes here
ATOM = 0.012  # the longest piece of work, and a little: what may begin just before the end


def crowd(rows, seed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.integers(0, 12, (rows, 6)).astype(float), columns=list("abcdef"))
    return frame, np.where(frame.sum(axis=1) + 3 * rng.normal(size=rows) > 36, "yes", "no")


FRAME, Y = crowd(400, 0)
FOREST = RandomForestClassifier(15, max_depth=8, random_state=0).fit(FRAME, Y)
TREES = wg.wrap(FOREST, FRAME, Y)
CALLED = wg.wrap(FOREST.predict_proba, FRAME, Y, task="classification", outputs=["no", "yes"])


@pytest.fixture
def clock(monkeypatch):
    """The clock, moved on by boxes, descents and what the model is asked."""
    moved = SimpleNamespace(now=0.0)
    for module in (ask, forests, evolution):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: moved.now))

    def spending(owner, name, cost):
        kept = getattr(owner, name)

        def spend(*given):
            moved.now += cost(given)
            return kept(*given)

        monkeypatch.setattr(owner, name, spend)

    spending(box_search, "search", lambda given: BOX * given[3])
    spending(box_descent, "descend", lambda _: DESCENT)
    spending(question.Question, "said_by_model", lambda given: CALL + ROW * len(given[1]))
    return moved


def spent(clock, model, budget, **options):
    start = clock.now
    found = wg.explain(model, crowd(40, 1)[0], method="counterfactual", budget=budget, executor=Executor(1), **options)
    return clock.now - start, found


@pytest.mark.parametrize("options", [{"plausible": False}, {}, {"k": 3}], ids=str)
@pytest.mark.parametrize("model", [TREES, CALLED], ids=["trees", "any"])
@pytest.mark.parametrize("budget", [0.05, 0.2, 1.0])
def test_it_ends_in_time(clock, model, budget, options):
    used, found = spent(clock, model, f"{budget}s", **options)
    assert used <= budget + ATOM
    for cases, note, status in zip(found.cases, found.notes, found.status, strict=True):
        assert cases or note or "time" in status
        assert all(c.valid for c in cases)
    assert any(status != "ok" for status in found.status) or used > 0.3 * budget, "a budget that is short is used"


def test_rows_share_the_time(clock):
    used, found = spent(clock, TREES, "3s", plausible=False)
    assert used <= 3 + ATOM
    assert set(found.status) == {"ok"}
    assert all(cases or note for cases, note in zip(found.cases, found.notes, strict=True))
    assert any(c.proven for cases in found.cases for c in cases)


def test_a_search_that_never_looks_at_the_clock_is_caught(clock, monkeypatch):
    monkeypatch.setattr(forests._Clock, "_until", lambda *_: lambda: True)
    monkeypatch.setitem(globals(), "BOX", 0.02)
    used, _ = spent(clock, TREES, "0.2s", plausible=False)
    assert used > 0.2 + 4 * BOX
