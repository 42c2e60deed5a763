"""Pairs that act together: what travels of them, where they come from, and that nothing is offered where nothing is known."""

import io
import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

import whyglass as wg
from whyglass.core.attribution import Attribution
from whyglass.core.schema import Column, Dataset, Schema
from whyglass.views import interactions, workbench


class Turn:
    cancelled = False

    def progress(self, answer):
        pass


def read(table):
    return pa.ipc.open_stream(io.BytesIO(table)).read_all()


def ask(view, action, **args):
    return view.actions[action].run(args, Turn())


def symmetric(rng, rows, columns, outputs=1):
    whole = rng.normal(size=(rows, columns, columns, outputs))
    return whole + whole.transpose(0, 2, 1, 3)


def made(rows=50, columns=4, space="margin", seed=0):
    """A result with interactions whose rows add up to its values."""
    rng = np.random.default_rng(seed)
    both = symmetric(rng, rows, columns)
    values = both.sum(axis=2)
    base = np.full((rows, 1), 0.5)
    names = tuple(Column(f"c{j}") for j in range(columns))
    return Attribution(
        values=values,
        base_values=base,
        predictions=base + values.sum(axis=1),
        dataset=Dataset(Schema(names), rng.normal(size=(rows, columns))),
        output_names=("yes",),
        space=space,
        exact=True,
        interactions=both,
    )


def pairs(table):
    step = table["step"][0].as_py()
    return {name: table[name].to_numpy() * step for name in table.column_names if name.startswith("i") and name != "id"}


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    y = (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype(int)
    return wg.wrap(HistGradientBoostingClassifier(max_iter=15, random_state=0).fit(X, y), X, y), X


def with_interactions(model, X, **options):
    """What the engine would give, with interactions drawn at random: these tests are about what becomes of them."""
    why = wg.explain(model, X, **options)
    both = symmetric(np.random.default_rng(1), len(X), X.shape[1], why.values.shape[2])
    return replace(why, interactions=both)


def test_a_pair_travels_whole_and_in_order_of_weight():
    why = made()
    table = read(ask(wg.show(why), "table", name="interactions").buffers[0])
    found = pairs(table)
    weight = np.argsort(-np.abs(why.values[:, :, 0]).mean(axis=0))
    assert list(found)[:3] == [f"i{weight[0]}_{j}" for j in weight[1:]]
    for name, got in found.items():
        a, b = map(int, name[1:].split("_"))
        half_step = table["step"][0].as_py() / 2
        assert np.abs(got - (why.interactions[:, a, b, 0] + why.interactions[:, b, a, 0])).max() <= half_step * (1 + 1e-9)
    assert table["exact"].to_pylist() == [1] * 50


def test_half_of_a_pair_would_be_noticed():
    why = made()
    found = pairs(read(ask(wg.show(why), "table", name="interactions").buffers[0]))
    assert np.abs(found["i0_1" if "i0_1" in found else "i1_0"] - why.interactions[:, 0, 1, 0]).max() > 0.5


def test_only_the_weightiest_columns_and_some_rows_travel():
    why = made(rows=3000, columns=20)
    view = wg.show(why)
    table = ask(view, "table", name="interactions").buffers[0]
    assert len(pairs(read(table))) == 12 * 11 / 2
    assert read(table).num_rows == 2000
    assert len(table) < 170_000
    assert sum(map(len, view.first.values())) < 200_000, "the first paint carries no pair"
    assert not any("interactions" in name for name in view.first)


def test_rows_that_could_not_be_explained_stay_out():
    why = made(rows=4)
    status = ("ok", "no", "ok", "ok")
    broken = replace(why, status=status, interactions=np.where(np.arange(4)[:, None, None, None] == 1, np.nan, why.interactions))
    table = read(ask(wg.show(broken), "table", name="interactions").buffers[0])
    assert table["id"].to_pylist() == [0, 2, 3]
    assert all(np.isfinite(v).all() for v in pairs(table).values())


def test_a_saved_report_carries_what_was_given_and_nothing_else(model):
    wrapped, X = model
    given = wg.show(with_interactions(wrapped, X[:40]))
    assert given.meta["interactions"] == {"source": "given", "space": "margin"}
    for embed in (True, False):
        meta, tables = given.freeze(embed_model=embed)
        assert meta["interactions"] == {"source": "given", "space": "margin"}
        assert set(read(tables["interactions"])["id"].to_pylist()) <= set(read(tables["cases"])["id"].to_pylist())
        json.dumps(meta, allow_nan=False)
    plain = wg.show(wg.explain(wrapped, X[:40]))
    assert plain.meta["interactions"] == {"source": "asked", "space": "probability"}
    meta, tables = plain.freeze()
    assert meta["interactions"] == {"source": "page", "space": "probability"}
    assert "interactions" not in tables
    meta, tables = plain.freeze(embed_model=False)
    assert meta["interactions"] is None
    assert "interactions" not in tables


def test_nothing_is_offered_where_nothing_is_known(tmp_path):
    X = np.random.default_rng(0).normal(size=(50, 3))
    opaque = wg.wrap(lambda rows: rows[:, 0], X, task="regression")
    assert wg.show(opaque).meta["interactions"] is None
    with pytest.raises(wg.UnsupportedError):
        ask(wg.show(opaque), "table", name="interactions")
    why = made()
    assert wg.show(replace(why, interactions=None)).meta["interactions"] is None
    back = wg.load(why.save(tmp_path / "why.arrow"))
    assert wg.show(back).meta["interactions"] == {"source": "given", "space": "margin"}


def asker(wrapped, spaces):
    """The facade's way to explain, with interactions where they were asked for."""

    def answer(rows, *, params=None, **options):
        spaces.append(options.get("space"))
        why = wg.explain(wrapped, rows.matrix, **{k: v for k, v in options.items() if k != "background"})
        if not (params or {}).get("interactions"):
            return why
        both = symmetric(np.random.default_rng(2), len(rows), 3, why.values.shape[2])
        return replace(why, interactions=both)

    return answer


def test_python_is_asked_for_the_table_once_and_for_a_case_each_time(model):
    wrapped, X = model
    spaces = []
    view = workbench.build(None, model=wrapped, ask=asker(wrapped, spaces))
    assert "interactions" not in view.first
    table = read(ask(view, "table", name="interactions").buffers[0])
    assert table.num_rows == 200
    assert spaces[-1] == "probability"
    before = len(spaces)
    ask(view, "table", name="interactions")
    assert len(spaces) == before
    said = ask(view, "interactions", row=X[0].tolist()).value
    assert said["space"] == "probability"
    sizes = [abs(v) for _, _, v in said["pairs"]]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == 3


def test_more_columns_than_can_be_enumerated_are_asked_in_margin_units():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 16))
    wrapped = wg.wrap(HistGradientBoostingClassifier(max_iter=5, random_state=0).fit(X, X[:, 0] > 0), X)
    assert wg.show(wrapped).meta["interactions"] == {"source": "asked", "space": "margin"}
    assert wg.show(wrapped).freeze()[0]["interactions"] is None
    given = wg.show(with_interactions(wrapped, X[:90]))
    tables = given.freeze()[1]
    assert read(tables["interactions"])["id"].to_pylist() == list(range(90))


def test_an_engine_that_gives_none_is_named(model):
    wrapped, X = model

    def none(rows, *, params=None, **options):
        return wg.explain(wrapped, rows.matrix)

    view = workbench.build(None, model=wrapped, ask=none)
    with pytest.raises(wg.UnsupportedError, match="gave no interactions"):
        ask(view, "interactions", row=X[0].tolist())


def test_strongest_takes_whole_rows_only():
    why = made(rows=6, columns=3)
    some = interactions.strongest(np.arange(6), why, why.interactions[..., 0]).take(np.array([1, 4]))
    assert some.ids.tolist() == [1, 4]
    assert (some.values[:, [0, 1, 2], [0, 1, 2]] == 0).all()
    assert np.allclose(some.values, some.values.transpose(0, 2, 1))
