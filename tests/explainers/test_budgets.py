"""A wall-time budget is a hard cap for exact methods too: rows that time does not reach say so."""

import time

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor

import whyglass as wg
from whyglass.explainers.shapley.answers import OUT_OF_TIME


def test_tree_values_stop_when_the_time_is_up():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(3000, 8)), columns=[f"c{j}" for j in range(8)])
    model = wg.wrap(RandomForestRegressor(60, random_state=0, n_jobs=1).fit(X[:800], X["c0"][:800] * X["c1"][:800]), X[:800])
    whole = wg.explain(model, X)
    many = pd.concat([X] * 40, ignore_index=True)
    start = time.monotonic()
    some = wg.explain(model, many, budget="150ms")
    assert time.monotonic() - start < 20
    reached = np.array([s == "ok" for s in some.status])
    assert 0 < reached.sum() < len(many)
    assert set(some.status) == {"ok", OUT_OF_TIME}
    assert np.isnan(some.values[~reached]).all()
    count = min(int(reached.sum()), len(X))
    assert np.array_equal(some.values[:count], whole.values[:count])
