"""Streamlit: a script that is rerun at each event, and cannot push.

The view is a component inside a fragment, so that its questions rerun the fragment alone. Messages travel in numbered
batches that are kept until the other side has them, because a rerun may be dropped half way. The bundle and the first
tables travel once; afterwards only ids and answers do.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from whyglass.core.container import pack, plain
from whyglass.core.errors import MissingExtraError
from whyglass.core.session import Session
from whyglass.core.view import View
from whyglass.hosts import html, page

FRAMEWORK = EXTRA = "streamlit"
PATIENCE_SECONDS = 0.15
"""How long a run of the fragment waits for an answer before it lets the page ask again."""

# Streamlit sends a component's script again at every run; this one is short and takes the bundle out of the data.
_LOADER = """
const modules = (globalThis.__whyglass_modules ??= new Map());
const drawn = new WeakMap();
export default function ({ data, parentElement, setTriggerValue }) {
  if (!data) return;
  if (data.module && !modules.has(data.bundle)) {
    modules.set(data.bundle, import(URL.createObjectURL(new Blob([data.module], { type: "text/javascript" }))));
  }
  const module = modules.get(data.bundle);
  if (!module || (drawn.get(parentElement) !== data.session && !data.first)) return setTriggerValue("again", data.session);
  drawn.set(parentElement, data.session);
  module.then((loaded) => loaded.default({ data, parentElement, setTriggerValue }));
}
"""


def show(view: View, *, height: int | str = "content", key: str | None = None, rerun: Sequence[str] = ("selection", "case")) -> View:
    """Draw a view in a Streamlit app.

    After this line ``view.state`` and ``view.selection`` are what the user of this browser tab last did, also when the
    script made the view anew.

    Args:
        view: What to show. A view kept in ``st.cache_resource`` is shared by all users of the app, its state too.
        height: In pixels, or "content".
        key: Tells two views of one app apart.
        rerun: Keys of the state whose change reruns the whole script; other changes reach ``view.state`` at the next run.

    Returns:
        The view.

    Raises:
        MissingExtraError: If streamlit is not installed.
    """
    st = _streamlit()
    name = key or f"whyglass-{view.name}"
    slot = f"{name} link"
    if slot not in st.session_state:
        st.session_state[slot] = _Link()
    link: _Link = st.session_state[slot]
    link.show(view)
    link.height = height if isinstance(height, int) else None
    st.fragment(_draw)(st, link, name, height, tuple(rerun))
    return view


def _draw(st: Any, link: _Link, name: str, height: int | str, rerun: tuple[str, ...]) -> None:
    if link.moved.intersection(rerun):
        link.moved.clear()
        st.rerun(scope="app")
    _component()(
        key=name,
        data=link.data(),
        height=height,
        on_batch_change=lambda: link.take(st.session_state[name].get("batch")),
        on_again_change=lambda: link.renew(st.session_state[name].get("again")),
    )


@cache
def _component() -> Any:
    return _streamlit().components.v2.component("whyglass.view", js=_LOADER)


def _streamlit() -> Any:
    try:
        import streamlit  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError(FRAMEWORK, EXTRA) from error
    return streamlit


@dataclass(eq=False)
class _Link:
    """One browser tab's end of one view: what it has, what it is yet to hear, and the session that answers it."""

    session: Session | None = None
    moved: set[str] = field(default_factory=set)
    height: int | None = None
    _mark: str = ""
    _number: str = ""
    _bundle: str = ""
    _has: bool = False
    _heard: int = 0
    _last: int = 0
    _outbox: list[dict[str, Any]] = field(default_factory=list)
    _earlier: list[Session] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def __del__(self) -> None:
        for session in (self.session, *self._earlier):
            if session is not None:
                session.close()

    def show(self, view: View) -> None:
        """Look at this view from now on. One that shows the same as before takes over the state, and the page notices nothing."""
        if self.session is not None and self.session.view is view:
            return
        mark = _mark(view)
        before = self.session
        if before is not None and mark == self._mark:
            view.update(before.view.state)
        else:
            self._mark = mark
            self._bundle = page.joined(view, "streamlit")
            self._begin()
        if before is not None:
            self._earlier.append(before)
        self.session = html.session(view, _sender(self))

    def renew(self, number: Any) -> None:
        """The page was drawn anew and holds nothing."""
        if number == self._number:
            self._begin()

    def take(self, batch: Any) -> None:
        """Take a batch of the page's messages, each batch once."""
        if self.session is None or not isinstance(batch, dict) or batch.get("session", self._number) != self._number:
            return
        self._has = self._has or bool(batch.get("has"))
        with self._news:
            self._outbox = [entry for entry in self._outbox if entry["n"] > batch.get("ack", 0)]
        if batch.get("n", 0) <= self._heard:
            return
        self._heard = batch["n"]
        before = self.session.view.state
        for entry in batch.get("messages", ()):
            message, buffers = entry["message"], [base64.b64decode(b) for b in entry["buffers"]]
            for session in (self.session, *self._earlier) if message.get("kind") == "cancel" else (self.session,):
                session.receive(message, buffers)
        after = self.session.view.state
        self.moved |= {name for name in after if after[name] != before.get(name)}

    def data(self) -> dict[str, Any]:
        """What the page is given at this run; waits a moment when an answer is on its way."""
        if self.session is None:
            return {}
        with self._news:
            self._news.wait_for(lambda: self._outbox or not self._busy(), PATIENCE_SECONDS)
            busy = self._busy()  # before the outbox: who is not busy any more has put everything into it
            outbox = list(self._outbox)
        view = self.session.view
        meta = page.meta_for(view, "streamlit")
        data = {
            "session": self._number,
            "bundle": self._mark,
            "meta": plain(meta if self.height is None else {**meta, "height": self.height}),
            "state": plain(view.state),
            "outbox": outbox,
            "heard": self._heard,
            "open": busy,
        }
        if not self._has:
            data |= {"module": self._bundle, "first": _text(pack(view.first))}
        return data

    def put(self, message: dict[str, Any], buffers: list[bytes]) -> None:
        """Keep a message for the page until it has it."""
        with self._news:
            self._last += 1
            self._outbox.append({"n": self._last, "message": plain(message), "buffers": [_text(b) for b in buffers]})
            self._news.notify_all()

    def _begin(self) -> None:
        with self._news:
            self._number = secrets.token_hex(8)
            self._has = False
            self._heard = self._last = 0
            self._outbox = []

    def _busy(self) -> bool:
        for session in [s for s in self._earlier if not s.busy]:
            session.close()
            self._earlier.remove(session)
        return bool(self._earlier) or (self.session is not None and self.session.busy)


def _sender(link: _Link) -> Any:
    """A session must not keep the link alive: when the browser tab is gone, the link's end closes the session."""
    weak = weakref.ref(link)

    def send(message: dict[str, Any], buffers: list[bytes]) -> None:
        there = weak()
        if there is not None:
            there.put(message, buffers)

    return send


def _mark(view: View) -> str:
    """Two views with one mark show the same thing."""
    meta = {key: value for key, value in view.meta.items() if key != "created"}
    digest = hashlib.sha256(json.dumps(plain(meta), sort_keys=True).encode())
    for name, table in view.first.items():
        digest.update(f"{name}:{len(table)};".encode())
        digest.update(table)
    return digest.hexdigest()[:16]


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
