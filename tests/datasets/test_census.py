"""The shipped census data is what its licence file says it is."""

from __future__ import annotations

import collections
import sys
from importlib import resources

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from whyglass import datasets
from whyglass.adapters import frames
from whyglass.core.errors import InputError

NAMES = [
    "Age", "Education", "Occupation", "Employer", "Hours per week", "Capital gain", "Capital loss", "Marital status",
    "Household role", "Gender", "Ethnicity",
]  # fmt: skip
BACHELOR = "Bachelor\N{RIGHT SINGLE QUOTATION MARK}s"
KINDS = {"numpy": np.ndarray, "pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.Table}


@pytest.fixture(scope="module")
def bunch():
    return datasets.census("pandas")


def test_counts_of_the_source_are_kept(bunch):
    assert bunch.X.shape == (32561, 11)
    assert list(bunch.X.columns) == NAMES
    assert collections.Counter(bunch.y.tolist()) == {"$50K or less": 24720, "more than $50K": 7841}
    assert collections.Counter(bunch.split.tolist()) == {"train": 24420, "held out": 8141}
    assert bunch.X.isna().sum().sum() == 1836 + 1843
    assert bunch.X["Occupation"].isna().sum() == 1843
    assert bunch.X["Gender"].value_counts().to_dict() == {"Male": 21790, "Female": 10771}
    assert bunch.X["Age"].agg(["min", "max"]).tolist() == [17, 90]
    assert bunch.X["Capital gain"].max() == 99999


def test_first_and_last_person(bunch):
    first = [39, BACHELOR, "Clerical", "State government", 40, 2174, 0, "Never married", "Not in family", "Male", "White"]
    assert bunch.X.iloc[0].to_list() == first
    last = [52, "High school", "Executive", "Own company", 40, 15024, 0, "Married", "Wife", "Female", "White"]
    assert bunch.X.iloc[-1].to_list() == last
    assert bunch.y[0] == "$50K or less"
    assert bunch.y[-1] == "more than $50K"


def test_education_alone_has_an_order(bunch):
    ordered = [c for c in bunch.X if isinstance(bunch.X[c].dtype, pd.CategoricalDtype) and bunch.X[c].cat.ordered]
    assert ordered == ["Education"]
    assert list(bunch.X["Education"].cat.categories)[:2] == ["Preschool", "Grades 1\N{EN DASH}4"]
    assert bunch.X["Education"].cat.categories[-1] == "Doctorate"
    assert not any("?" in str(v) or str(v) != str(v).strip() for c in bunch.X for v in bunch.X[c].unique())


def alike(earns, split):
    rates = [earns[split == s].mean() for s in ("train", "held out")]
    error = np.sqrt(0.24 * 0.76 * (1 / 24420 + 1 / 8141))
    return abs(rates[0] - rates[1]) < 4 * error


def test_splits_have_the_same_rate_within_chance(bunch):
    assert alike(bunch.y == "more than $50K", bunch.split)


def test_a_split_by_age_would_be_noticed(bunch):
    oldest = np.argsort(-bunch.X["Age"].to_numpy(), kind="stable")
    assert not alike(bunch.y[oldest] == "more than $50K", np.sort(bunch.split)[::-1])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_frame_holds_the_same_people(bunch, kind):
    X = datasets.census(as_frame=kind).X
    assert isinstance(X, KINDS[kind])
    asked = frames.read(bunch.X).schema
    if kind == "numpy":
        assert frames.read(X, feature_names=bunch.names).schema.names == tuple(NAMES)
        assert X[0, 1] == BACHELOR
        assert sum(isinstance(v, float) for v in X[:, 2]) == 1843
    assert np.array_equal(frames.read(X, schema=asked).matrix, frames.read(bunch.X).matrix, equal_nan=True)


def test_default_is_the_best_installed():
    assert isinstance(datasets.census().X, pd.DataFrame)


def test_unknown_kind_is_refused():
    with pytest.raises(InputError, match="Did you mean 'polars'"):
        datasets.census(as_frame="polar")


def test_each_call_gives_data_of_its_own():
    first = datasets.census("pandas")
    first.X.loc[0, "Age"] = 1
    first.y[0] = "changed"
    second = datasets.census("pandas")
    assert second.X.loc[0, "Age"] == 39
    assert second.y[0] == "$50K or less"


def test_words_and_licence_travel_along(bunch):
    assert bunch.protected == ("Gender", "Ethnicity")
    assert set(bunch.units) <= set(NAMES)
    assert bunch.labels["outcome"] == "earn more than $50K"
    assert bunch.labels["positive"] in set(bunch.y.tolist())
    assert "32,561 rows" in repr(bunch)
    licence = resources.files("whyglass.datasets").joinpath("census-LICENCE.md").read_text(encoding="utf-8")
    assert "10.24432/C5XW20" in licence
    assert "CC BY 4.0" in licence
    assert "Permission is hereby granted" in licence
    assert len(resources.files("whyglass.datasets").joinpath("census.xz").read_bytes()) <= 300_000


def test_module_is_the_function():
    assert callable(sys.modules["whyglass.datasets"].census)
