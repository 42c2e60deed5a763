"""Results over groups of columns and of the log loss: shown as they are, without the model."""

import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

import whyglass as wg
from whyglass.views import own_terms
from whyglass.views.waterfall import svg


class Turn:
    cancelled = False

    def progress(self, answer):
        pass


def read(table):
    return pa.ipc.open_stream(io.BytesIO(table)).read_all()


def table(view, name):
    return read(view.actions["table"].run({"name": name}, Turn()).buffers[0])


@pytest.fixture(scope="module")
def explained():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "street": pd.Categorical(rng.choice(["Oak", "<b>Elm</b>"], 80)),
            "age": rng.integers(18, 80, 80),
            "zip": np.where(rng.random(80) < 0.2, np.nan, rng.integers(10, 13, 80)),
            "pay": rng.normal(size=80),
        },
        index=[f"p{i}" for i in range(80)],
    )
    y = np.where(X["age"] + 20 * X["pay"] > 50, "yes", "no")
    fitted = HistGradientBoostingClassifier(max_iter=10, categorical_features="from_dtype", random_state=0).fit(X, y)
    model = wg.wrap(fitted, X, y, protected=["zip"], labels={"title": "Loans", "noun": "people"})
    return model, wg.explain(model, X, y=y), X


def grouped(why):
    groups = (("address", (0, 2)), ("age", (1,)), ("pay", (3,)))
    values = np.stack([why.values[:, list(members)].sum(axis=1) for _, members in groups], axis=1)
    return replace(why, values=values, groups=groups)


def log_loss(why):
    loss = np.abs(why.values.sum(axis=1)) + 0.2
    return replace(
        why,
        values=np.abs(why.values),
        base_values=np.full((len(why), 1), 0.2),
        predictions=loss,
        output_names=("log loss",),
        space="log_loss",
    )


def test_players_are_the_rows_and_members_are_joined(explained):
    model, why, X = explained
    view = wg.show(grouped(why), model=model)
    assert [c["name"] for c in view.meta["columns"]] == ["address", "age", "pay"]
    address = view.meta["columns"][0]
    assert address["role"] == "protected", "one of its members is"
    written = [address["categories"][code] for code in read(view.first["cases"])["f0"].to_pylist()]
    expected = [f"{street}, {'missing' if np.isnan(z) else f'{z:.0f}'}" for street, z in zip(X["street"], X["zip"], strict=True)]
    assert written == expected
    assert view.meta["title"] == "Loans"
    assert "address = street + zip" in view.meta["subtitle"]
    assert view.meta["space"] == "margin"
    assert set(view.actions) == {"table"}
    sample = table(view, "sample")
    got = np.column_stack([sample[f"s{j}"].to_numpy() * sample["step"].to_numpy() for j in range(3)])
    assert np.allclose(got, grouped(why).values[:, :, 0], atol=sample["step"][0].as_py())
    json.dumps(view.meta, allow_nan=False)
    pd.testing.assert_frame_equal(_picked(view, [3, 5]), X.iloc[[3, 5]])


def _picked(view, ids):
    view.selection = ids
    return view.selected_frame()


def test_a_grouped_report_is_frozen_and_carries_its_pairs(explained):
    model, why, _ = explained
    both = np.random.default_rng(0).normal(size=(len(why), 3, 3, 1))
    view = wg.show(replace(grouped(why), interactions=both + both.transpose(0, 2, 1, 3)), model=model)
    meta, tables = view.freeze()
    assert meta["page_model"]["kind"] == "none"
    assert "groups of columns" in meta["page_model"]["reason"]
    assert meta["interactions"] == {"source": "given", "space": "margin"}
    assert len([n for n in read(tables["interactions"]).column_names if n.startswith("i") and n != "id"]) == 3
    assert "<svg" in view.fallback()


def test_the_log_loss_is_named_and_takes_no_recorded_class_for_a_number(explained):
    model, why, _ = explained
    view = wg.show(log_loss(why), model=model)
    assert view.meta["space"] == "log_loss"
    assert view.meta["scale"] == "value"
    assert view.meta["outputs"] == ["log loss"]
    assert "log loss" in view.meta["subtitle"]
    cases = read(view.first["cases"])
    assert np.allclose(cases["p"].to_numpy(), log_loss(why).predictions[:, 0], atol=1e-6)
    assert np.isnan(cases["y"].to_numpy()).all()
    assert "more wrong" in svg(log_loss(why))
    view.freeze()


def test_groups_of_the_log_loss(explained):
    _, why, _ = explained
    view = wg.show(replace(grouped(log_loss(why)), model=None))
    assert [c["name"] for c in view.meta["columns"]] == ["address", "age", "pay"]
    assert view.meta["space"] == "log_loss"


def test_the_waterfall_names_the_players(explained):
    _, why, X = explained
    text = svg(grouped(why), 7)
    assert "address" in text
    assert "&lt;b&gt;" in text or X["street"].iloc[7] == "Oak"
    assert "<b>Elm" not in text


def test_other_rows_are_refused(explained):
    model, why, X = explained
    with pytest.raises(wg.InputError, match="its own rows"):
        wg.show(grouped(why), model=model, data=X)


def test_many_rows_are_cut_and_said(explained):
    _, why, _ = explained
    many = grouped(why)[np.arange(4100) % 80]
    view = wg.show(replace(many, model=None))
    assert view.meta["n_rows"] == own_terms.MOST_ROWS
    assert "the first 2,000 of 4,100 rows" in view.meta["subtitle"]


def test_any_other_result_keeps_its_model(explained):
    model, why, _ = explained
    assert not own_terms.alone(why)
    assert "explain" in wg.show(why, model=model).actions
