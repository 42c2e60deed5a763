"""Results as Arrow and Parquet: every bit comes back, and a damaged file is told from a result."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from whyglass.adapters import formats, frames
from whyglass.core.attribution import Attribution
from whyglass.core.errors import InputError


def attribution(rows=5, seed=0):
    rng = np.random.default_rng(seed)
    X = frames.build(
        {"age": rng.integers(0, 9, 9), "<script>": rng.normal(size=9), "job": np.arange(9) % 2}, "pandas", categories={"job": ["a", "b"]}
    )
    data = frames.read(X).take(np.arange(rows))
    return Attribution(
        values=rng.normal(size=(rows, 3, 2)), base_values=rng.normal(size=(rows, 2)), predictions=rng.normal(size=(rows, 2)),
        dataset=data, output_names=("no", "yes"), space="probability", exact=False, std_errors=rng.random((rows, 3, 2)),
        fidelity={"r2": rng.random(rows)},
    )  # fmt: skip


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_arrow_round_trip_is_bit_exact(tmp_path, rows):
    why = attribution(rows)
    formats.save_arrow(why, tmp_path / "x.arrow")
    back = formats.load_arrow(tmp_path / "x.arrow")
    assert back == why
    assert back.values.tobytes() == why.values.tobytes()
    assert back.schema == why.schema or back.schema.content_hash() == why.schema.content_hash()
    back.values[...] = 0.0


def test_comparison_would_notice_one_changed_bit(tmp_path):
    why = attribution()
    formats.save_arrow(why, tmp_path / "x.arrow")
    back = formats.load_arrow(tmp_path / "x.arrow")
    back.values[0, 0, 0] = np.nextafter(back.values[0, 0, 0], 9)
    assert back != why


def test_parquet_is_the_flat_frame(tmp_path):
    why = attribution()
    formats.save_parquet(why, tmp_path / "x.parquet")
    table = parquet.read_table(tmp_path / "x.parquet")
    assert table.num_rows == 10
    assert np.array_equal(table["age"].to_numpy(), why.to_frame("pandas")["age"])
    meta = json.loads(table.schema.metadata[b"whyglass"])["meta"]
    assert meta["space"] == "probability"


def test_other_programs_can_read_the_arrow_file(tmp_path):
    why = attribution()
    formats.save_arrow(why, tmp_path / "x.arrow")
    table = pa.ipc.open_file(str(tmp_path / "x.arrow")).read_all()
    shape = json.loads(table.schema.metadata[b"whyglass"])["shapes"]["values"]
    assert np.array_equal(np.reshape(table["values"][0].values, shape), why.values)


def test_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / "x.arrow"
    formats.save_arrow(attribution(), target)
    before = target.read_bytes()

    def fail(*_):
        raise OSError(28, "disk full")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(InputError, match="disk full"):
        formats.save_arrow(attribution(seed=1), target)
    assert target.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["x.arrow"]


@pytest.mark.parametrize("save", [formats.save_arrow, formats.save_parquet])
def test_missing_folder(tmp_path, save):
    with pytest.raises(InputError, match="no folder"):
        save(attribution(), tmp_path / "nowhere" / "x.arrow")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_file_is_an_input_error_or_a_whole_result(tmp_path, data):
    target = tmp_path / "x.arrow"
    formats.save_arrow(attribution(), target)
    raw = bytearray(target.read_bytes())
    if data.draw(st.booleans()):
        raw = raw[: data.draw(st.integers(0, len(raw) - 1))]
    else:
        for _ in range(data.draw(st.integers(1, 8))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    target.write_bytes(raw)
    try:
        back = formats.load_arrow(target)
    except InputError:
        return
    assert back == attribution()


def rewrite(path, change, *, honest=True):
    table = pa.ipc.open_file(pa.OSFile(str(path))).read_all()
    document = json.loads(table.schema.metadata[b"whyglass"])
    changed = change(table, document)
    table = changed if isinstance(changed, pa.Table) else table
    text = json.dumps(document).encode()
    arrays = {n: np.concatenate([np.asarray(v.values) for v in table[n]]) for n in table.column_names}
    digest = formats._digest(text, arrays) if honest else "0" * 32
    table = table.replace_schema_metadata({b"whyglass": text, b"whyglass-digest": digest})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


HOSTILE = {
    "negative shape": lambda _, d: d["shapes"].update(values=[-5, -3, 2]),
    "huge shape": lambda _, d: d["shapes"].update(values=[1 << 62, 4, 4]),
    "shape of text": lambda _, d: d["shapes"].update(values="abc"),
    "other kind": lambda _, d: d["meta"].update(kind="os.system"),
    "newer version": lambda _, d: d.update(whyglass=2),
    "no meta": lambda _, d: d.pop("meta"),
    "array left out": lambda t, _: t.drop_columns(["values"]),
    "array too many": lambda t, _: t.append_column("more", t["values"]),
    "text for numbers": lambda t, _: t.set_column(0, t.column_names[0], pa.array([["a"]], pa.large_list(pa.string()))),
    "two rows": lambda t, _: pa.concat_tables([t, t]),
    "status too short": lambda _, d: d["meta"].update(status=["ok"]),
    "meta is a list": lambda _, d: d.update(meta=[]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file(tmp_path, name):
    target = tmp_path / "x.arrow"
    formats.save_arrow(attribution(), target)
    rewrite(target, HOSTILE[name])
    with pytest.raises(InputError):
        formats.load_arrow(target)


def test_rewriting_alone_is_not_what_is_refused(tmp_path):
    target = tmp_path / "x.arrow"
    formats.save_arrow(attribution(), target)
    rewrite(target, lambda *_: None)
    assert formats.load_arrow(target) == attribution()
    rewrite(target, lambda *_: None, honest=False)
    with pytest.raises(InputError, match="checksum"):
        formats.load_arrow(target)


def test_files_that_are_no_result(tmp_path):
    with pytest.raises(InputError, match="no file"):
        formats.load_arrow(tmp_path / "none.arrow")
    (tmp_path / "text.arrow").write_text("hello")
    with pytest.raises(InputError, match="damaged or not a saved"):
        formats.load_arrow(tmp_path / "text.arrow")
    table = pa.table({"a": [1]})
    with pa.OSFile(str(tmp_path / "plain.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(InputError, match="no whyglass result"):
        formats.load_arrow(tmp_path / "plain.arrow")
