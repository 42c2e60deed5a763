"""Attribution: shapes, slicing, equality, frames, and files that survive a round trip or say why not."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whyglass.core.attribution import Attribution
from whyglass.core.errors import InputError
from whyglass.core.provenance import Provenance
from whyglass.core.schema import Column, Dataset, Schema, write_number
from whyglass.core.wire import load_json, save_json


def made(rows=4, outputs=2, seed=0, names=("age", "job"), errors=False):
    rng = np.random.default_rng(seed)
    schema = Schema((Column(names[0]), Column(names[1], kind="categorical", categories=("a", "<script>alert(1)</script>"))))
    matrix = np.column_stack([rng.normal(size=rows), rng.integers(-1, 2, rows)])
    if rows:
        matrix[0, 0] = np.nan
    values = rng.normal(size=(rows, 2, outputs))
    base = np.full((rows, outputs), 0.25)
    return Attribution(
        values=values,
        base_values=base,
        predictions=base + values.sum(axis=1),
        dataset=Dataset(schema, matrix),
        output_names=tuple(f"class {k}" for k in range(outputs)),
        space="probability",
        exact=not errors,
        provenance=Provenance("shap.tree", params={"budget": None}),
        std_errors=np.abs(values) / 10 if errors else None,
        fidelity={"r2": np.ones(rows)},
    )


def test_shape_is_checked():
    good = made()
    with pytest.raises(InputError, match=r"values has shape \(4, 1, 2\), wanted \(4, 2, 2\)"):
        Attribution(
            values=good.values[:, :1],
            base_values=good.base_values,
            predictions=good.predictions,
            dataset=good.dataset,
            output_names=good.output_names,
            space="margin",
            exact=True,
        )


@given(rows=st.integers(1, 6), pick=st.integers(-6, 5))
def test_one_row_is_an_attribution(rows, pick):
    why = made(rows)
    if not -rows <= pick < rows:
        with pytest.raises(IndexError, match=f"there are {rows} rows"):
            why[pick]
        return
    one = why[pick]
    assert isinstance(one, Attribution)
    assert len(one) == 1
    assert np.array_equal(one.values[0], why.values[pick])
    assert one.fidelity["r2"].shape == (1,)


def test_slices_and_masks():
    why = made(5)
    assert len(why[1:4]) == 3
    mask = np.array([True, False, True, False, False])
    assert np.array_equal(why[mask].predictions, why.predictions[mask])
    assert why[[3, 0]] == why[np.array([3, 0])]


def test_equality_sees_every_part_but_the_clock():
    assert made() == made()
    assert made() != made(seed=1)
    assert made() == made().with_provenance(seconds=5.0)
    changed = made()
    changed.values[0, 0, 0] += 1e-12
    assert changed != made(), "a changed value must not compare equal"


def test_unknown_output_offers_the_nearest():
    with pytest.raises(InputError, match="Did you mean 'class 1'"):
        made().output("clas 1")
    assert made().output("class 1").shape == (4, 2)


def test_top_orders_by_size():
    for strongest in made().top(2):
        sizes = [abs(v) for _, v in strongest]
        assert sizes == sorted(sizes, reverse=True)


def test_repr_is_short_and_says_how_far_to_trust():
    assert "exact" in repr(made())
    assert "estimated" in repr(made(errors=True))
    assert len(repr(made(50))) < 600
    assert repr(made(0))


@settings(max_examples=20)
@given(rows=st.integers(0, 5), outputs=st.integers(1, 3), seed=st.integers(0, 99), errors=st.booleans())
def test_json_keeps_every_bit(tmp_path_factory, rows, outputs, seed, errors):
    path = tmp_path_factory.mktemp("wire") / "why.json"
    why = made(rows, outputs, seed, ("naïve é", "<script>"), errors)
    save_json(why, path)
    back = load_json(path)
    assert back == why
    assert back.provenance == why.provenance


def broken(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("meta"),
        lambda d: d["meta"].update(kind="Rules of thumb"),
        lambda d: d["arrays"].pop("values"),
        lambda d: d["arrays"]["values"].update(shape=[9, 9, 9]),
        lambda d: d["arrays"]["values"].update(shape=[-1, 2, 2]),
        lambda d: d["arrays"]["values"].update(dtype="O"),
        lambda d: d["arrays"]["values"].update(data="not base64!"),
        lambda d: d["meta"].update(status=["ok"]),
        lambda d: d["meta"].update(schema=[{"nonsense": 1}]),
        lambda d: d.update(whyglass=99),
    ],
)
def test_a_hostile_file_is_refused(tmp_path, change):
    path = tmp_path / "why.json"
    save_json(made(), path)
    broken(path, change)
    with pytest.raises(InputError):
        load_json(path)


def test_a_file_that_is_no_json_is_refused(tmp_path):
    path = tmp_path / "why.json"
    path.write_bytes(b"\x80\x04\x95pickle")
    with pytest.raises(InputError, match="not a saved whyglass result"):
        load_json(path)


def test_unknown_extension_writes_nothing(tmp_path):
    with pytest.raises(InputError, match="extension"):
        made().save(tmp_path / "why.pkl")
    assert list(tmp_path.iterdir()) == []


def test_a_failing_write_leaves_no_partial_file(tmp_path, monkeypatch):
    from whyglass.core import wire

    def full(*_args, **_kwargs):
        raise OSError(28, "disk full")

    monkeypatch.setattr(wire.Path, "replace", full)
    with pytest.raises(InputError, match="disk full"):
        save_json(made(), tmp_path / "why.json")
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (7688, "7,688"),
        (-0.0312, "\N{MINUS SIGN}0.0312"),
        (50, "50"),
        (3.14159, "3.14"),
        (2e-7, "2.0\N{MULTIPLICATION SIGN}10\N{SUPERSCRIPT MINUS}\N{SUPERSCRIPT SEVEN}"),
        (99999, "99,999"),
    ],
)
def test_numbers_are_written_for_people(value, text):
    assert write_number(value) == text


def test_columns_write_their_values():
    money = Column("gain", unit="${}")
    assert money.write(7688.0) == "$7,688"
    assert money.write(math.nan) == "missing"
    job = Column("job", kind="categorical", categories=(1, 2), category_labels=("clerk", "nurse"))
    assert [job.write(v) for v in (0.0, 1.0, -1.0, 7.0)] == ["clerk", "nurse", "never seen before", "never seen before"]


def test_times_are_written_as_dates():
    moment = Column("when", kind="time")
    seconds = float(np.datetime64("2024-02-29T00:00", "s").astype(np.int64))
    assert moment.write(seconds) == "2024-02-29"
    assert moment.write(seconds + 3660) == "2024-02-29 01:01"
    assert moment.write(math.nan) == "missing"
    assert moment.write(1e30)


def test_unknown_column_offers_the_nearest():
    with pytest.raises(InputError, match="Did you mean 'age'"):
        made().schema.index("aeg")


def test_raw_categories_travel_where_they_are_not_what_is_written():
    assert "values" not in Column("job", kind="categorical", categories=("a", "b")).to_json()
    assert Column("grade", kind="categorical", categories=(1, 2)).to_json()["values"] == [1, 2]
    assert Column("job", kind="categorical", categories=("a",), category_labels=("clerk",)).to_json()["values"] == ["a"]
