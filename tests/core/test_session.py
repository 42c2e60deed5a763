"""A page's session: lanes, cancelling, errors as text, state both ways."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from whyglass.core import session as session_module
from whyglass.core.container import pack, pack_message, plain, to_json, unpack, unpack_message
from whyglass.core.errors import InputError
from whyglass.core.session import Session
from whyglass.core.view import Action, Answer, View

SOON = 60.0


class Page:
    """The other end: keeps what it was told and can wait for it."""

    def __init__(self, view):
        self.heard = []
        self.changed = threading.Condition()
        self.session = Session(view, self._hear)

    def _hear(self, message, buffers):
        with self.changed:
            self.heard.append((message, buffers))
            self.changed.notify_all()

    def call(self, number, action, **args):
        self.session.receive({"kind": "call", "id": number, "action": action, "args": args})

    def wait(self, *numbers):
        """The last words on each of these calls."""

        def ends():
            return {m.get("id"): m for m, _ in self.heard if m["kind"] in ("result", "error")}

        with self.changed:
            assert self.changed.wait_for(lambda: set(numbers) <= set(ends()), SOON), (numbers, self.heard)
            return [ends()[n] for n in numbers]


@pytest.fixture
def page_of():
    pages = []

    def make(**actions):
        page = Page(View("tiny", {"n_rows": 5}, {}, {n: a if isinstance(a, Action) else Action(a) for n, a in actions.items()}))
        pages.append(page)
        return page

    yield make
    for page in pages:
        page.session.close()


def test_an_action_answers_with_json_and_bytes(page_of):
    page = page_of(double=lambda args, _turn: Answer({"p": np.float64(2) * args["x"], "nan": float("nan")}, (b"abc",)))
    page.call(1, "double", x=4)
    (answer,) = page.wait(1)
    assert answer["kind"] == "result"
    assert page.heard[0][1] == [b"abc"]
    assert plain(answer["value"]) == {"p": 8.0, "nan": None}


def test_a_slow_model_dragged_twenty_times_is_called_at_most_three_times(page_of):
    asked = []
    go = threading.Event()

    def slow(args, _turn):
        asked.append(args["x"])
        go.wait(SOON)
        return Answer(args["x"])

    page = page_of(predict=Action(slow, lane="what-if"))
    for i in range(20):
        page.call(i, "predict", x=i)
    go.set()
    ends = page.wait(*range(20))
    assert len(asked) <= 3
    assert asked[-1] == 19
    assert ends[19] == {"kind": "result", "id": 19, "value": 19}
    assert all(e["value"]["kind"] == "superseded" for e in ends[:19])


def test_without_a_lane_every_call_is_answered(page_of):
    """The twin of the test above: what drops calls there is the lane."""
    page = page_of(predict=lambda args, _turn: Answer(args["x"]))
    for i in range(20):
        page.call(i, "predict", x=i)
    assert [e["value"] for e in page.wait(*range(20))] == list(range(20))


def test_a_newer_question_tells_the_running_one_to_stop(page_of):
    def refine(args, turn):
        steps = 0
        while args["x"] == 0 and not turn.cancelled:
            turn.progress(Answer(steps))
            steps += 1
            time.sleep(0.005)
        return Answer("done")

    page = page_of(explain=Action(refine, lane="explain"))
    page.call(0, "explain", x=0)
    page.call(1, "explain", x=1)
    first, second = page.wait(0, 1)
    assert first["value"]["kind"] == "superseded"
    assert second["value"] == "done"


def test_cancel_stops_the_running_and_drops_the_waiting_one(page_of):
    started = threading.Event()

    def until_cancelled(_args, turn):
        started.set()
        while not turn.cancelled:
            time.sleep(0.005)
        turn.progress(Answer("never heard"))
        return Answer("late")

    page = page_of(explain=Action(until_cancelled, lane="a"))
    page.call(0, "explain")
    page.call(1, "explain")
    assert started.wait(SOON)
    page.session.receive({"kind": "cancel", "id": 1})
    page.session.receive({"kind": "cancel", "id": 0})
    page.session.receive({"kind": "cancel", "id": 77})
    first, second = page.wait(0, 1)
    assert {first["value"]["kind"], second["value"]["kind"]} <= {"cancelled", "superseded"}
    assert not [m for m, _ in page.heard if m["kind"] == "progress"]


def test_progress_comes_before_the_result(page_of):
    def refine(_args, turn):
        for i in range(3):
            turn.progress(Answer(i, (bytes([i]),)))
        return Answer("end")

    page = page_of(explain=refine)
    page.call(5, "explain")
    page.wait(5)
    assert [(m["kind"], m["value"]) for m, _ in page.heard] == [("progress", 0), ("progress", 1), ("progress", 2), ("result", "end")]


def test_a_failing_model_is_told_in_words_without_a_traceback(page_of, caplog):
    def broken(_args, _turn):
        return 1 / 0

    page = page_of(predict=broken)
    page.call(1, "predict")
    (end,) = page.wait(1)
    assert end["value"] == {"kind": "failed", "message": "ZeroDivisionError: division by zero"}
    assert "Traceback" in caplog.text


def test_an_answer_without_json_form_is_an_error_not_silence(page_of):
    page = page_of(predict=lambda _args, _turn: object())
    page.session.send = lambda message, _buffers: page._hear({**message, "text": to_json(message)}, [])
    page.call(1, "predict")
    (end,) = page.wait(1)
    assert "no JSON form" in end["value"]["message"]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"kind": "call", "id": 1, "action": "predcit", "args": {}}, "Did you mean 'predict'"),
        ({"kind": "call", "id": 1, "action": ["predict"], "args": {}}, "no action"),
        ({"kind": "call", "id": [1], "action": "predict", "args": {}}, "number or text"),
        ({"kind": "call", "id": 1, "action": "predict", "args": [1]}, "an object as its args"),
        ({"kind": "dance", "id": 1}, "no message kind"),
        ({"kind": "change", "state": [1]}, "JSON object"),
    ],
)
def test_a_wrong_message_is_answered_and_the_session_lives_on(page_of, message, words):
    page = page_of(predict=lambda _args, _turn: Answer("alive"))
    page.session.receive(message)
    assert words in page.heard[0][0]["value"]["message"]
    page.call(2, "predict")
    assert page.wait(2)[0]["value"] == "alive"


def test_sizes_are_limited(page_of, monkeypatch):
    monkeypatch.setattr(session_module, "MAX_BUFFER_BYTES", 10)
    monkeypatch.setattr(session_module, "MAX_STATE_CHARS", 30)
    page = page_of()
    page.session.receive({"kind": "change", "state": {}}, [b"x" * 11])
    page.session.receive({"kind": "change", "state": {"query": "x" * 40}})
    assert [m["value"]["kind"] for m, _ in page.heard] == ["refused", "refused"]
    assert page.session.view.state == {}


def test_state_goes_both_ways_and_does_not_echo(page_of):
    page = page_of()
    view = page.session.view
    seen = []
    view.on("selection", seen.append)
    page.session.receive({"kind": "change", "state": {"selection": [1, 2], "tab": "all"}})
    assert view.selection == [1, 2]
    assert seen == [[1, 2]]
    assert page.heard == []
    view.selection = [4]
    assert page.heard == [({"kind": "change", "state": {"selection": [4], "tab": "all", "brush": None}}, [])]


def test_python_cannot_move_a_view_by_accident(page_of):
    view = page_of().session.view
    view.state = {"locks": {"0": "held"}, "case": np.int64(3)}
    view.state["locks"]["0"] = "free"
    assert view.state["locks"] == {"0": "held"}
    assert view.state["case"] == 3
    for wrong in (5, -1, "3", None, 2.5):
        with pytest.raises(InputError, match=r"case holds .* row ids run from 0 to 4"):
            view.state = {"case": wrong}
    assert view.state["case"] == 3


def test_two_pages_of_one_view_follow_each_other(page_of):
    one = page_of()
    other = Page(one.session.view)
    one.session.receive({"kind": "change", "state": {"case": 3}})
    assert other.heard == [({"kind": "change", "state": {"case": 3}}, [])]
    assert one.heard == []
    other.session.close()
    one.session.receive({"kind": "change", "state": {"case": 4}})
    assert len(other.heard) == 1


def test_a_listener_that_raises_does_not_end_the_session(page_of):
    page = page_of()
    page.session.view.on("case", lambda _case: 1 / 0)
    page.session.receive({"kind": "change", "state": {"case": 3}})
    assert "ZeroDivisionError" in page.heard[0][0]["value"]["message"]
    assert page.session.view.state["case"] == 3


def test_a_session_is_busy_until_the_answer_is_out(page_of):
    """A host that polls asks again only while it is."""
    busy = []
    page = page_of(predict=lambda _args, _turn: Answer("x"))
    page.session.send = lambda message, buffers: (busy.append(page.session.busy), page._hear(message, buffers))
    page.call(1, "predict")
    page.wait(1)
    assert busy == [True]
    while page.session.busy:
        time.sleep(0.005)


def test_after_close_nothing_is_sent(page_of):
    stopped = threading.Event()

    def until_cancelled(_args, turn):
        while not turn.cancelled:
            time.sleep(0.005)
        stopped.set()

    page = page_of(explain=until_cancelled)
    page.call(1, "explain")
    page.session.close()
    page.session.close()
    page.call(2, "explain")
    assert stopped.wait(SOON) or not page.session.busy
    assert page.heard == []


def test_container_round_trip_is_aligned_and_named():
    tables = {"cases": b"12345", "<script>": b"", "naïve": bytes(range(17))}
    block = pack(tables)
    assert unpack(block) == tables
    assert list(unpack(block)) == list(tables)
    head = int.from_bytes(block[:4], "little")
    assert (4 + head) % 8 == 0
    assert len(block) % 8 == 0
    assert block.index(bytes(range(17))) % 8 == 0


def test_message_round_trip():
    assert unpack_message(pack_message({"kind": "result", "value": float("inf")}, [b"a", b"bc"])) == (
        {"kind": "result", "value": None},
        [b"a", b"bc"],
    )


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"\x01",
        b"\xff\xff\xff\xff",
        pack({"a": b"12345678" * 3})[:-8],
        b"\x04\x00\x00\x00[1] ",
        b'\x0c\x00\x00\x00{"a":[-8,8]}',
        b'\x0c\x00\x00\x00{"a":[true]}',
        b"\x04\x00\x00\x00\xff\xfe\xfd\xfc",
    ],
)
def test_a_hostile_block_is_refused(block):
    with pytest.raises(InputError):
        unpack(block)
    with pytest.raises(InputError):
        unpack_message(block)


def test_messages_that_are_no_messages_are_refused():
    for block in (pack({}), pack({"message": b"[1]"}), pack({"message": b"{}", "5": b""}), pack({"message": b"[" * 100_000})):
        with pytest.raises(InputError):
            unpack_message(block)


def test_json_forms():
    assert plain({1: (np.int8(3), np.array([1.0, np.nan]), {2}, range(2), True, None)}) == {"1": [3, [1.0, None], [2], [0, 1], True, None]}
    with pytest.raises(InputError, match="no JSON form"):
        plain(object())


def test_a_view_is_printed_in_one_line():
    view = View("tiny", {"title": "Income", "n_rows": 12_345}, {"t": bytes(10_000)})
    assert repr(view) == "<whyglass tiny: Income, 12,345 rows; .serve() or .save('why.html') shows it>"
