"""Universal Binary JSON as XGBoost writes it: the same model as its text, and nothing but an explanation from damaged bytes."""

import contextlib
import json
import struct

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st

from whyglass.adapters.models import ubjson, xgboost_reader
from whyglass.core.errors import ModelError


def booster(**params):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    X[rng.random(X.shape) < 0.1] = np.nan
    y = (X[:, 0] > 0).astype(int) + (np.nan_to_num(X[:, 1]) > 0)
    options = {"max_depth": 3, "objective": "multi:softprob", "num_class": 3, "nthread": 1, **params}
    return xgboost.train(options, xgboost.DMatrix(X, y, feature_names=["a", "(b)", "ü", "d"]), 5)


def as_text(value):
    """Arrays as lists, float32 as the text has them."""
    if isinstance(value, dict):
        return {key: as_text(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return [as_text(item) for item in value.tolist()]
    if isinstance(value, list):
        return [as_text(item) for item in value]
    return float(np.float32(value)) if isinstance(value, float) else value


@pytest.mark.parametrize("params", [{}, {"booster": "dart", "rate_drop": 0.3}, {"objective": "reg:squarederror", "num_class": 0}])
def test_it_says_what_the_text_says(params):
    made = booster(**params)
    binary = as_text(ubjson.loads(bytes(made.save_raw("ubj"))))
    text = as_text(json.loads(bytes(made.save_raw("json"))))
    assert binary == text


def test_both_give_the_same_forest():
    made = booster()
    one, two = (xgboost_reader.read_forest_json(bytes(made.save_raw(form))) for form in ("ubj", "json"))
    assert one.content_hash() == two.content_hash()


@pytest.mark.parametrize("cut", [1, 2, 10, 100, 1000, -1])
def test_a_model_cut_short_is_explained(cut):
    raw = bytes(booster().save_raw("ubj"))
    with pytest.raises(ModelError):
        xgboost_reader.load(raw[:cut] if cut > 2 else raw[: cut + 2])


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"Zx", "follow its end"),
        (b"Q", "the mark"),
        (b"[" * 200, "nested too deep"),
        (b"[$d#L" + struct.pack(">q", 2**40), "length"),
        (b"S" + b"L" + struct.pack(">q", -3), "length"),
        (b"[$Sxx", "an array of"),
        (b"", "cut short"),
    ],
)
def test_what_is_no_model_is_explained(raw, words):
    with pytest.raises(ModelError, match=words):
        ubjson.loads(raw)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_explained(raw):
    with contextlib.suppress(ModelError):
        ubjson.loads(raw)


def test_every_kind_of_value():
    raw = (
        b"{i\x01aTi\x01bFi\x01cZi\x01d[U\x07D"
        + struct.pack(">d", 0.5)
        + b"]i\x01eSi\x02hii\x01f[$l#i\x02"
        + struct.pack(">2i", 3, -4)
        + b"}"
    )
    assert ubjson.loads(raw) == {"a": True, "b": False, "c": None, "d": [7, 0.5], "e": "hi", "f": [3, -4]}
    assert ubjson.loads(raw, frozenset("f"))["f"].tolist() == [3, -4]
