"""Jupyter and marimo: what a notebook stores, and the widget between the page and the session."""

from __future__ import annotations

import builtins
import time

import pytest

from whyglass.core.container import unpack
from whyglass.core.errors import MissingExtraError
from whyglass.hosts import jupyter, marimo, streamlit

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def widget(tiny):
    widget = jupyter.widget_for(tiny, "jupyter")
    widget.told = []
    widget.send = lambda content, buffers=None: widget.told.append((content, buffers))
    yield widget
    widget.close()


def wait_for(widget, kind):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for content, buffers in widget.told:
            if content["kind"] == kind:
                return content, buffers
        time.sleep(0.005)
    raise AssertionError(widget.told)


def test_a_notebook_stores_the_widget_a_picture_and_a_line(tiny):
    data, _ = jupyter.show(tiny)
    assert set(data) == {WIDGET, "text/plain", "image/svg+xml"}
    assert data["image/svg+xml"].startswith("<svg")
    assert "tiny" in data["text/plain"]
    tiny.fallback = None
    assert set(jupyter.show(tiny)[0]) == {WIDGET, "text/plain"}
    assert tiny._repr_mimebundle_(include=None, exclude=None)[0][WIDGET] == data[WIDGET]


def test_the_widget_holds_what_the_page_needs(widget):
    assert unpack(widget.first)["cases"] == b"0123456789"
    assert widget.meta["host"] == "jupyter"
    assert widget.meta["live"] is True
    assert widget.state == {}
    assert "tiny.js" in widget._esm


def test_state_goes_both_ways(widget, tiny, heard):
    tiny.on("selection", heard)
    widget.set_state({"state": {"selection": [2]}})
    assert heard == [[2]]
    assert tiny.selection == [2]
    tiny.selection = [4, 3]
    assert widget.state["selection"] == [4, 3]
    tiny.state = {"zoom": float("nan")}
    assert widget.state["zoom"] is None
    assert widget.told == []


def test_questions_are_answered(widget):
    widget._handle_custom_msg({"kind": "call", "id": 1, "action": "predict", "args": {"x": 2}}, [memoryview(b"x")])
    widget._handle_custom_msg("not a message", [])
    content, buffers = wait_for(widget, "result")
    assert content == {"kind": "result", "id": 1, "value": {"p": 4}}
    assert buffers == [b"binary\x00\xff"]
    assert widget.told[0][0]["kind"] == "progress"


def test_a_live_page_can_be_exported(widget):
    widget._handle_custom_msg({"kind": "call", "id": 1, "action": "export", "args": {}}, [])
    content, buffers = wait_for(widget, "result")
    assert content["value"] == {"name": "tiny.html"}
    assert buffers[0].startswith(b"<!doctype html>")
    assert widget.meta["exports"] is True


def test_one_view_has_one_widget_until_it_is_closed(tiny):
    widget = jupyter.widget_for(tiny, "jupyter")
    assert jupyter.widget_for(tiny, "jupyter") is widget
    widget.close()
    tiny.state = {"case": 1}
    assert widget.state == {}
    again = jupyter.widget_for(tiny, "jupyter")
    assert again is not widget
    assert again.state == {"case": 1}


def test_marimo_shows_one_element_of_a_view(tiny):
    kind, text = marimo.show(tiny)
    assert kind == "text/html"
    assert "marimo-anywidget" in text
    assert marimo.element(tiny) is marimo.element(tiny)
    assert tiny._mime_() == (kind, text)
    tiny.state = {"case": 2}
    assert marimo.element(tiny).value["state"] == {"case": 2}
    assert marimo.element(tiny).value["meta"]["host"] == "marimo"


@pytest.mark.parametrize(
    ("ask", "library", "line"),
    [
        (jupyter.widget_for, "anywidget", "jupyter"),
        (lambda view, _host: marimo.show(view), "marimo", "marimo"),
        (lambda view, _host: streamlit.show(view), "streamlit", "streamlit"),
    ],
)
def test_a_missing_framework_is_named_with_its_pip_line(tiny, monkeypatch, ask, library, line):
    real = builtins.__import__

    def without(name, *args, **options):
        if name.split(".")[0] == library:
            raise ModuleNotFoundError(name=library)
        return real(name, *args, **options)

    jupyter._widget_class.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=rf"pip install 'whyglass\[{line}\]'"):
        ask(tiny, "jupyter")
