"""Rows that stand for "unknown": equal shares of the training rows, and nearer to all of them than as many drawn ones."""

import numpy as np
import pandas as pd
import pytest

import whyglass as wg
from whyglass.core import background
from whyglass.core.errors import InputError


def wrapped(rows=600, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(rows, 3)) * [1.0, 50.0, 0.01], columns=["a", "b", "c"])
    frame["d"] = pd.Categorical(np.where(frame["a"] + rng.normal(size=rows) > 0, "p", "q"))
    frame.loc[::17, "c"] = np.nan
    return wg.wrap(lambda X: X["a"].to_numpy(), frame, task="regression")


def miss(model, rows):
    """How far the mean answers over some rows are from those over all."""
    whole, part = model.data.matrix, rows.matrix

    def answers(m):
        return np.array([np.tanh(m[:, 0]).mean(), np.tanh(m[:, 1] / 50).mean(), (m[:, 0] ** 2).mean() / 2, m[:, 3].mean()])

    return np.abs(answers(part) - answers(whole)).mean()


def test_medoids_stand_for_all_rows_better_than_draws():
    found, drawn = [], []
    for seed in range(5):
        model = wrapped(seed=seed)
        rows = background.medoids(model, 48)
        assert len(rows) == 48
        assert rows.matrix.shape == (48, 4)
        found.append(miss(model, rows))
        drawn.append(miss(model, background.default_background(model, seed, 48)))
    assert np.mean(found) < 0.75 * np.mean(drawn)


@pytest.mark.parametrize("count", [1, 2, 7, 50, 64, 599])
def test_parts_are_equally_large(count):
    space = np.random.default_rng(1).normal(size=(600, 4))
    parts = background.equal_parts(space, count)
    sizes = [len(part) for part in parts]
    assert len(parts) == count
    assert sorted(np.concatenate(parts)) == list(range(600))
    assert max(sizes) - min(sizes) <= 2


def test_the_same_rows_give_the_same_medoids():
    model = wrapped()
    assert np.array_equal(background.medoids(model, 20).matrix, background.medoids(wrapped(), 20).matrix, equal_nan=True)
    assert len(background.medoids(model, 10_000)) == 600


def test_a_choice_in_words():
    model = wrapped()
    rows = background.chosen_background(model, "medoids:50")
    assert len(rows) == 50
    assert rows.note == "50 medoids of 600 training rows, each for an equal share of them"
    why = wg.explain(model, model.data.source[:2], background="medoids:50")
    assert why.background_note == rows.note
    assert why.provenance.params["unknown"] == rows.note
    given = wg.explain(model, model.data.source[:2], background=model.data.source.iloc[:50])
    assert given.background_note == "the 50 background rows given"
    for wrong in ("medoids", "medoids:", "medoids:0", "medoids:-3", "kmeans:5", "medoids:2.5"):
        with pytest.raises(InputError, match="medoids:50"):
            background.chosen_background(model, wrong)


def test_no_rows_to_choose_from():
    bare = wg.core.model.Model("Bare", "a function", "regression", ("y",), wrapped().schema, {})
    with pytest.raises(InputError, match="wrapped without rows"):
        background.medoids(bare, 3)
