"""A view small enough to see through, with stand-ins for the built front end."""

from __future__ import annotations

import threading

import pytest

from whyglass.core.view import Action, Answer, View
from whyglass.hosts import page

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><title>why</title></svg>'
TABLES = {"cases": b"0123456789", "<script>": bytes(range(256))}


def _predict(args, turn):
    turn.progress(Answer("coarse"))
    return Answer({"p": args["x"] * 2}, (b"binary\x00\xff",))


@pytest.fixture
def tiny(tmp_path):
    folder = tmp_path / "assets"
    folder.mkdir()
    for name in ("tiny.js", "static.js", "streamlit.js", "socket.js"):
        end = page._MODULE_END if name == "tiny.js" else ""
        (folder / name).write_text(f"/* {name} */ const s = '</SCRIPT><!-- \u00fc';\r\n{end}\n", encoding="utf-8")
    big = bytes(9 << 20)
    return View(
        "tiny",
        {"title": "</title><script>alert(1)</script>", "n_rows": 5, "view": "tiny"},
        dict(TABLES),
        {"predict": Action(_predict), "big": Action(lambda _args, _turn: Answer("big", (big,)))},
        fallback=lambda: SVG,
        options={"assets": folder},
    )


@pytest.fixture
def heard():
    """Collects calls and lets a test wait for the nth."""

    class Heard(list):
        def __init__(self):
            super().__init__()
            self.changed = threading.Condition()

        def __call__(self, value):
            with self.changed:
                self.append(value)
                self.changed.notify_all()

        def wait(self, count):
            with self.changed:
                assert self.changed.wait_for(lambda: len(self) >= count, 60), list(self)
            return list(self)

    return Heard()
