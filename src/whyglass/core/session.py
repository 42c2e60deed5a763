"""One page looking at one view: runs its actions on threads, drops what it no longer wants, keeps the state in step."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from whyglass.core.container import to_json
from whyglass.core.errors import InputError, nearest
from whyglass.core.view import Action, Answer, View

Send = Callable[[dict[str, Any], list[bytes]], None]

THREADS = 3
MAX_OPEN_CALLS = 256
MAX_BUFFER_BYTES = 64 << 20
MAX_STATE_CHARS = 8 << 20
MAX_ERROR_CHARS = 2_000

_log = logging.getLogger("whyglass")


@dataclass(eq=False)
class _Call:
    """One asked action: what runs, and whether its answer is still wanted (the Turn that the action sees)."""

    session: Session
    number: Any
    action: Action
    args: Mapping[str, Any]
    why_not: str = ""

    @property
    def cancelled(self) -> bool:
        return bool(self.why_not)

    def progress(self, answer: Answer) -> None:
        if not self.cancelled:
            self.session.tell({"kind": "progress", "id": self.number, "value": answer.value}, answer.buffers)


@dataclass
class _Lane:
    running: _Call | None = None
    waiting: _Call | None = None


@dataclass(eq=False)
class Session:
    """One page looking at one view.

    Of the calls in one lane, one runs and the newest one waits; an older waiting call is answered with an error of the
    kind "superseded", and the running one sees ``turn.cancelled`` from then on.

    Attributes:
        view: What the page shows.
        send: Called with (message, buffers) for everything the page is to hear, from any thread but never by two at once.
        more: Actions that the host adds to those of the view.
    """

    view: View
    send: Send
    more: Mapping[str, Action] = field(default_factory=dict)
    _lanes: dict[str, _Lane] = field(default_factory=dict)
    _open: dict[Any, _Call] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _sending: threading.RLock = field(default_factory=threading.RLock)
    _closed: bool = False

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix=f"whyglass-{self.view.name}")
        self._watcher = self._push_state
        self._stop_watching = self.view.watch(self._watcher)

    @property
    def busy(self) -> bool:
        """Whether a call is still to be answered."""
        with self._lock:
            return bool(self._open)

    def greet(self, meta: Mapping[str, Any], first: bytes) -> None:
        """Open the page: its meta, the state as it is now and the first tables; every change after that follows."""
        with self._sending:
            self.tell({"kind": "open", "meta": dict(meta), "state": self.view.state}, [first])

    def receive(self, message: Mapping[str, Any], buffers: list[bytes] | None = None) -> None:
        """Take one message of the page. Whatever is wrong with it is told to the page, never raised."""
        number = message.get("id")
        if not isinstance(number, int | str):
            number = None
        try:
            self._take(message, number, buffers or [])
        except InputError as error:
            self._fail(number, "refused", str(error))
        except Exception as error:  # noqa: BLE001  (a listener of the user raised: page and log hear of it, the connection lives on)
            _log.warning("A message of the page could not be handled.", exc_info=True)
            self._fail(number, "failed", _words(error))

    def close(self) -> None:
        """The page is gone: nothing is sent any more and running actions see that they are cancelled."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for call in self._open.values():
                call.why_not = "closed"
            for lane in self._lanes.values():
                lane.waiting = None
        self._stop_watching()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def tell(self, message: dict[str, Any], buffers: tuple[bytes, ...] | list[bytes] = ()) -> None:
        """Send one message to the page, unless it is gone."""
        with self._sending:
            if not self._closed:
                self.send(message, list(buffers))

    def _take(self, message: Mapping[str, Any], number: Any, buffers: list[bytes]) -> None:
        kind = message.get("kind")
        if sum(map(len, buffers)) > MAX_BUFFER_BYTES:
            msg = f"A message may carry at most {MAX_BUFFER_BYTES >> 20} MB."
            raise InputError(msg)
        if kind == "call":
            self._ask(number, message.get("action"), message.get("args") or {})
        elif kind == "cancel":
            self._cancel(number, "cancelled")
        elif kind == "change":
            self._change(message.get("state"))
        else:
            msg = f"There is no message kind {kind!r}. {nearest(str(kind), ('call', 'cancel', 'change'))}"
            raise InputError(msg)

    def _change(self, state: Any) -> None:
        if not isinstance(state, dict):
            msg = f"A state is a JSON object, not {type(state).__name__}."
            raise InputError(msg)
        if len(to_json(state)) > MAX_STATE_CHARS:
            msg = f"A state may hold at most {MAX_STATE_CHARS >> 20} MB of text."
            raise InputError(msg)
        self.view.update(state, source=self._watcher)

    def _push_state(self, _state: dict[str, Any]) -> None:
        with self._sending:  # the document is read inside, so that two changes cannot overtake each other
            self.tell({"kind": "change", "state": self.view.state})

    def _ask(self, number: Any, name: Any, args: Any) -> None:
        if number is None or not isinstance(args, dict):
            msg = "A call needs a number or text as its id, and an object as its args."
            raise InputError(msg)
        actions = {**self.more, **self.view.actions}
        action = actions.get(name) if isinstance(name, str) else None
        if action is None:
            msg = f"The view {self.view.name!r} has no action {name!r}. {nearest(str(name), actions)}"
            raise InputError(msg)
        call = _Call(self, number, action, args)
        dropped = None
        with self._lock:
            if self._closed:
                return
            if number in self._open or len(self._open) >= MAX_OPEN_CALLS:
                msg = f"The call {number!r} is already open, or more than {MAX_OPEN_CALLS} calls are."
                raise InputError(msg)
            self._open[number] = call
            if not action.lane:
                self._pool.submit(self._run, call)
                return
            lane = self._lanes.setdefault(action.lane, _Lane())
            if lane.running is None:
                lane.running = call
                self._pool.submit(self._run, call)
            else:
                lane.running.why_not = lane.running.why_not or "superseded"
                dropped, lane.waiting = lane.waiting, call
        if dropped is not None:
            self._drop(dropped, "superseded")

    def _cancel(self, number: Any, why: str) -> None:
        waiting = False
        with self._lock:
            call = self._open.get(number)
            if call is None:
                return
            call.why_not = call.why_not or why
            lane = self._lanes.get(call.action.lane) if call.action.lane else None
            if lane is not None and lane.waiting is call:
                lane.waiting = None
                waiting = True
        if waiting:
            self._drop(call, why)

    def _drop(self, call: _Call, why: str) -> None:
        self._fail(call.number, why, "A newer question replaced this one." if why == "superseded" else "The page took this question back.")
        self._done(call)

    def _run(self, call: _Call) -> None:
        answer = None
        failure: Exception | None = None
        try:
            if not call.cancelled:
                answer = call.action.run(call.args, call)
        except Exception as error:  # noqa: BLE001  (whatever a user's model raises is told to the page, below)
            failure = error
        self._next(call)
        if call.cancelled:
            self._drop(call, call.why_not)
            return
        if failure is not None:
            _log.warning("An action of the view %r failed.", self.view.name, exc_info=failure)
            self._fail(call.number, "failed", _words(failure))
        else:
            self._deliver(call.number, answer if isinstance(answer, Answer) else Answer(answer))
        self._done(call)

    def _done(self, call: _Call) -> None:
        with self._lock:
            self._open.pop(call.number, None)

    def _deliver(self, number: Any, answer: Answer) -> None:
        try:
            self.tell({"kind": "result", "id": number, "value": answer.value}, answer.buffers)
        except InputError as error:
            self._fail(number, "failed", str(error))

    def _next(self, call: _Call) -> None:
        """Let the lane's waiting call run."""
        with self._lock:
            lane = self._lanes.get(call.action.lane) if call.action.lane else None
            if lane is None or lane.running is not call:
                return
            lane.running, lane.waiting = lane.waiting, None
            if lane.running is not None and not self._closed:
                self._pool.submit(self._run, lane.running)

    def _fail(self, number: Any, kind: str, message: str) -> None:
        self.tell({"kind": "error", "id": number, "value": {"kind": kind, "message": message[:MAX_ERROR_CHARS]}})


def _words(error: Exception) -> str:
    text = str(error) or "no message"
    return text if isinstance(error, InputError) else f"{type(error).__name__}: {text}"
