"""Rows that the model has learnt from are never called held out, and nobody is shown twice."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import whyglass as wg
from whyglass.core.schema import Column, Dataset, Schema
from whyglass.views.parts import HELD_OUT, TRAIN, together


def table(rows, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(rows, 3)), columns=list("abc"), index=[f"r{seed}-{i}" for i in range(rows)])
    X.iloc[0, 0] = np.nan
    return X, (X["b"] > 0).astype(int).to_numpy()


@pytest.fixture
def model():
    X, y = table(80)
    return wg.wrap(LogisticRegression().fit(X.fillna(0), y), X.fillna(0), y)


def split_of(view):
    return view.meta["metrics"]["measured_on"], view.meta["n_rows"]


def test_explained_training_rows_are_train_and_stand_once(model):
    X = table(80)[0].fillna(0)
    view = wg.show(wg.explain(model, X[10:30]))
    assert split_of(view) == ("training", 80)
    view.selection = [0, 20, 79]
    pd.testing.assert_frame_equal(view.selected_frame(), X.iloc[[10, 0, 79]])


def test_fresh_rows_are_held_out(model):
    fresh, outcome = table(40, seed=5)
    view = wg.show(wg.explain(model, fresh.fillna(0)), y=outcome)
    assert split_of(view) == ("held-out", 120)


def dataset(values, y=None):
    return Dataset(Schema((Column("a"),)), np.array(values, dtype=float)[:, None], y=None if y is None else np.array(y))


def test_twins_by_hand():
    own = dataset([1, 2, 2, np.nan, 5], y=[10, 20, 21, 30, 50])
    (explained, rest), marks = together(dataset([2, 2, np.nan]), own)
    assert explained.y.tolist() == [20, 21, 30]
    assert rest.matrix[:, 0].tolist() == [1, 5]
    assert marks.tolist() == [TRAIN] * 5
    _, marks = together(dataset([2, 2, 2, 7]), own)
    assert marks.tolist() == [TRAIN, TRAIN, HELD_OUT, HELD_OUT, TRAIN, TRAIN, TRAIN]
    parts, marks = together(dataset([2, 8, 9]), own)
    assert len(parts) == 2
    assert marks.tolist() == [HELD_OUT] * 3 + [TRAIN] * 5
    parts, marks = together(own, own)
    assert len(parts) == 1
    assert marks.tolist() == [TRAIN] * 5


def test_one_side_may_be_missing():
    own = dataset([1, 2])
    assert together(None, own)[1].tolist() == [TRAIN] * 2
    assert together(own, None)[1].tolist() == [HELD_OUT] * 2
    with pytest.raises(wg.InputError, match="no rows to show"):
        together(None, None)
