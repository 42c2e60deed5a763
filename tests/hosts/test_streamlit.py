"""Streamlit's numbered batches: nothing lost, nothing twice, the heavy part once; and a real run of a script."""

from __future__ import annotations

import base64
import gc
import time

import pytest

from whyglass.core.container import unpack
from whyglass.hosts import streamlit

CALL = {"kind": "call", "id": 7, "action": "predict", "args": {"x": 4}}


def batch(n, *messages, has=True, ack=0, **more):
    return {"n": n, "has": has, "ack": ack, "messages": [{"message": m, "buffers": []} for m in messages], **more}


@pytest.fixture
def link(tiny):
    link = streamlit._Link()
    link.show(tiny)
    return link


def settled(link):
    deadline = time.monotonic() + 60
    while (data := link.data())["open"] and time.monotonic() < deadline:
        pass
    return data


def test_the_heavy_part_travels_until_the_page_has_it(link):
    data = link.data()
    assert unpack(base64.b64decode(data["first"]))["cases"] == b"0123456789"
    assert "streamlit.js" in data["module"]
    assert data["meta"]["host"] == "streamlit"
    assert "first" in link.data()
    link.take(batch(1))
    data = link.data()
    assert "first" not in data
    assert "module" not in data
    assert data["heard"] == 1


def test_a_view_is_as_high_as_its_place(link):
    assert "height" not in link.data()["meta"]
    link.height = 700
    assert link.data()["meta"]["height"] == 700


def test_answers_stay_until_they_are_acknowledged(link):
    link.take(batch(1, CALL))
    data = settled(link)
    assert [(e["n"], e["message"]["kind"]) for e in data["outbox"]] == [(1, "progress"), (2, "result")]
    assert base64.b64decode(data["outbox"][1]["buffers"][0]) == b"binary\x00\xff"
    assert len(link.data()["outbox"]) == 2
    link.take(batch(2, ack=1))
    assert [e["n"] for e in link.data()["outbox"]] == [2]
    link.take(batch(3, ack=2))
    assert link.data()["outbox"] == []


def test_a_batch_that_comes_twice_is_taken_once(link, tiny, heard):
    tiny.on("state", heard)
    for _ in range(2):
        link.take(batch(1, {"kind": "change", "state": {"case": 1}}, CALL))
    assert len(heard) == 1
    assert len(settled(link)["outbox"]) == 2
    assert link.moved == {"case"}


@pytest.mark.parametrize("strange", [None, "text", {"n": 5, "session": "another", "messages": []}])
def test_what_is_no_batch_of_this_page_is_ignored(link, strange):
    link.take(strange)
    assert link.data()["heard"] == 0


def test_a_page_drawn_anew_gets_everything_again(link):
    before = link.data()["session"]
    link.take(batch(1))
    link.renew("another")
    assert "first" not in link.data()
    link.renew(before)
    data = link.data()
    assert "first" in data
    assert data["heard"] == 0
    assert data["session"] != before


def test_a_view_made_anew_takes_over_the_state(link, tiny, tmp_path):
    link.take(batch(1, {"kind": "change", "state": {"selection": [2]}}))
    number = link.data()["session"]
    again = type(tiny)(tiny.name, {**tiny.meta, "created": "later"}, tiny.first, tiny.actions, options=tiny.options)
    link.show(again)
    assert again.selection == [2]
    assert link.data()["session"] == number
    assert "first" not in link.data()
    other = type(tiny)(tiny.name, tiny.meta, {"cases": b"other"}, options=tiny.options)
    link.show(other)
    assert other.selection == []
    assert link.data()["session"] != number
    assert "first" in link.data()


def test_an_answer_on_its_way_survives_a_view_made_anew(link, tiny):
    link.take(batch(1, CALL))
    link.show(type(tiny)(tiny.name, tiny.meta, tiny.first, tiny.actions, options=tiny.options))
    assert [e["message"]["kind"] for e in settled(link)["outbox"]] == ["progress", "result"]
    assert link._earlier == []


def test_when_the_tab_is_gone_the_session_ends(tiny):
    link = streamlit._Link()
    link.show(tiny)
    session = link.session
    del link
    gc.collect()
    assert session._closed
    assert tiny._watchers == []


def test_python_moves_the_page_at_the_next_run(link, tiny):
    tiny.selection = [3]
    data = link.data()
    assert data["state"]["selection"] == [3]
    assert data["outbox"][0]["message"] == {"kind": "change", "state": {"selection": [3], "brush": None}}


def test_a_script_runs(tiny):
    testing = pytest.importorskip("streamlit.testing.v1")
    app = testing.AppTest.from_function(_app, kwargs={"view": tiny}, default_timeout=120)
    app.run()
    assert not app.exception
    assert app.markdown[0].value == "selected []"


def _app(view):
    import streamlit as st

    from whyglass.hosts.streamlit import show

    st.write("selected " + str(show(view).selection))
