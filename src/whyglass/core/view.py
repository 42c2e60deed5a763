"""A view: a name, one JSON state, columns as bytes, and actions. A host carries it; it never knows which."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import index
from typing import Any, Protocol, SupportsIndex

from whyglass.core import registry
from whyglass.core.errors import InputError, nearest


@dataclass(frozen=True)
class Answer:
    """What an action gives back: JSON and, beside it, bytes."""

    value: Any = None
    buffers: tuple[bytes, ...] = ()


class Turn(Protocol):
    """The running of one action: stream partial answers, and see whether it is still wanted."""

    def progress(self, answer: Answer) -> None:
        """Send a partial answer."""

    @property
    def cancelled(self) -> bool:
        """Whether the page no longer wants the answer."""


@dataclass(frozen=True)
class Action:
    """Something the page may ask of Python.

    Attributes:
        run: Called with the arguments (JSON) and the Turn; gives the last Answer.
        lane: Of the calls in one lane only the running one and the newest waiting one are kept. Empty: never dropped.
    """

    run: Callable[[Mapping[str, Any], Turn], Answer]
    lane: str = ""


Listener = Callable[[Any], None]
EVENTS = ("case", "selection", "edit", "state")


@dataclass(eq=False)
class View:
    """What ``show`` gives back.

    Attributes:
        name: Row of the views table; also the front-end module's name, unless ``module`` says otherwise.
        meta: JSON that never changes while the view lives.
        first: The tables needed for the first paint by name: Arrow IPC streams, or what else the module reads.
        actions: What the page may ask, by name.
        frame_rows: Rows of the caller's own frame by position, for ``selected_frame``.
        freeze: Gives (meta, tables) for a page that has no Python behind it; called with keyword options.
        fallback: SVG text for places where no script runs.
        module: Name of the front-end module, where views share one.
        read: How changes that Python makes to the state are read, so that people may write names where pages write positions.
    """

    name: str
    meta: dict[str, Any]
    first: dict[str, bytes]
    actions: dict[str, Action] = field(default_factory=dict)
    frame_rows: Callable[[list[int]], Any] | None = None
    freeze: Callable[..., tuple[dict[str, Any], dict[str, bytes]]] | None = None
    fallback: Callable[[], str] | None = None
    theme: str = "auto"
    module: str = ""
    read: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    _state: dict[str, Any] = field(default_factory=dict)
    _listeners: dict[str, list[Listener]] = field(default_factory=dict)
    _watchers: list[Callable[[dict[str, Any]], None]] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __repr__(self) -> str:
        rows = int(self.meta.get("n_rows", 0))
        return f"<whyglass {self.name}: {self.meta.get('title') or 'untitled'}, {rows:,} rows; .serve() or .save('why.html') shows it>"

    @property
    def script(self) -> str:
        """File name of the built front-end module."""
        return f"{self.module or self.name}.js"

    @property
    def state(self) -> dict[str, Any]:
        """The whole state as one JSON document, a copy of it; assign to move the view."""
        with self._lock:
            return copy.deepcopy(self._state)

    @state.setter
    def state(self, new: Mapping[str, Any]) -> None:
        changes = dict(new) if self.read is None else self.read(dict(new))
        if "case" in changes and self.meta.get("n_rows"):
            changes["case"] = self._row_ids("case", [changes["case"]])[0]
        self.update(changes)

    @property
    def selection(self) -> list[int]:
        """Row ids (0-based positions in the data shown) that are brushed or selected; assign to move the view."""
        return list(self.state.get("selection") or [])

    @selection.setter
    def selection(self, ids: Any) -> None:
        self.update({"selection": self._row_ids("selection", ids), "brush": None})

    def _row_ids(self, name: str, given: Any) -> list[int]:
        rows, ids = int(self.meta.get("n_rows", 0)), list(given)
        bad = [i for i in ids if not isinstance(i, SupportsIndex) or not 0 <= index(i) < rows]
        if bad:
            msg = f"{name} holds {bad[:3]}; row ids run from 0 to {rows - 1}."
            raise InputError(msg)
        return [index(i) for i in ids]

    def selected_frame(self) -> Any:
        """The selected rows in the caller's own frame type, index kept."""
        if self.frame_rows is None:
            msg = f"The view {self.name!r} was not given the rows it shows."
            raise InputError(msg)
        return self.frame_rows(self.selection)

    def on(self, event: str, function: Listener) -> Callable[[], None]:
        """Call ``function`` when something happens in the page.

        Args:
            event: "case" (row id), "selection" (row ids), "edit" (column name -> value) or "state" (the document).
            function: Called with the new value.

        Returns:
            A function that stops the listening.
        """
        if event not in EVENTS:
            msg = f"There is no event {event!r}. {nearest(event, EVENTS)}"
            raise InputError(msg)
        with self._lock:
            self._listeners.setdefault(event, []).append(function)
        return lambda: self._listeners[event].remove(function)

    def watch(self, function: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
        """For hosts: call ``function`` with the state document whenever Python or another page changed it."""
        with self._lock:
            self._watchers.append(function)
        return lambda: self._watchers.remove(function)

    def update(self, changes: Mapping[str, Any], source: Any = None) -> None:
        """Merge changes into the state, tell the listeners what changed, and every page but ``source``."""
        with self._lock:
            before = self._state
            after = {**before, **changes}
            if after == before:
                return
            self._state = after
            watchers = [w for w in self._watchers if w is not source]
            calls = [
                (listener, after if event == "state" else after.get(key))
                for event, key in (("case", "case"), ("selection", "selection"), ("edit", "edits"), ("state", ""))
                if event == "state" or before.get(key) != after.get(key)
                for listener in self._listeners.get(event, ())
            ]
        for watcher in watchers:
            watcher(after)
        for listener, value in calls:
            listener(value)

    def save(self, path: Any) -> Any:
        """Write one self-contained .html file that works from disk with no network."""
        return registry.load("hosts", "html")(self, path)

    def serve(self, port: int = 0, **options: Any) -> Any:
        """Serve the view on loopback; gives a handle with ``url`` and ``stop()``."""
        return registry.load("hosts", "web")(self, port=port, **options)

    def to_streamlit(self, **options: Any) -> Any:
        """Draw the view in a Streamlit app."""
        return registry.load("hosts", "streamlit")(self, **options)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return registry.load("hosts", "jupyter")(self, **options)

    def _mime_(self) -> tuple[str, str]:
        """What marimo displays."""
        return registry.load("hosts", "marimo")(self)  # type: ignore[no-any-return]
