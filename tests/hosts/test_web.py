"""The web host over real sockets: token, Host, Origin, policy, binary packets, ports, stopping."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from whyglass.core.container import pack_message, unpack, unpack_message
from whyglass.core.errors import InputError
from whyglass.hosts import web

WAIT = 60


@pytest.fixture
def served(tiny):
    handle = web.serve(tiny)
    yield handle
    handle.stop()


def talk(handle, *, origin=None, path=None, headers=None):
    parts = urlsplit(handle.url)
    return connect(
        f"ws://{parts.netloc}{path or parts.path}socket",
        origin=f"http://{parts.netloc}" if origin is None else origin or None,
        max_size=None,
        open_timeout=WAIT,
        close_timeout=WAIT,
        additional_headers=headers,
        proxy=None,
    )


def hear(page):
    """The next message, its buffers and in how many frames they came."""
    parts = [page.recv(WAIT)]
    while parts[-1][:4] != bytes(4):
        parts.append(page.recv(WAIT))
    assert max(map(len, parts)) <= web.FRAME_BYTES + web.PREFIX_BYTES
    return *unpack_message(b"".join(part[web.PREFIX_BYTES :] for part in parts)), len(parts)


def say(page, message, size=1 << 20):
    packet = pack_message(message)
    slices = [packet[i : i + size] for i in range(0, len(packet), size)]
    for left, part in zip(reversed(range(len(slices))), slices, strict=True):
        page.send(left.to_bytes(4, "little") + bytes(4) + part)


def test_the_page_and_its_files_come_with_a_strict_policy(served):
    for name, kind in (("", "text/html"), ("tiny.js", "text/javascript"), ("socket.js", "text/javascript")):
        answer = httpx.get(served.url + name, trust_env=False)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; connect-src 'self';")
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
    text = httpx.get(served.url, trust_env=False).text
    assert "<script>alert(1)" not in text
    assert 'data-module="./tiny.js"' in text


@pytest.mark.parametrize("path", ["/", "/wrong/", "/wrong/tiny.js", "/%C3%BC/"])
def test_without_the_token_nothing_is_given(served, path):
    answer = httpx.get(served.url.rsplit("/", 2)[0] + path, trust_env=False)
    assert answer.status_code == 403
    assert "token" in answer.text


@pytest.mark.parametrize("name", ["view.py", "../web.py", "..%2fweb.py", "socket.js/x"])
def test_only_the_files_of_the_page_are_given(served, name):
    assert httpx.get(served.url + name, trust_env=False).status_code in (403, 404)


def test_a_foreign_host_name_is_refused(served):
    assert httpx.get(served.url, headers={"Host": "evil.example"}, trust_env=False).status_code == 403
    port = urlsplit(served.url).port
    assert httpx.get(served.url, headers={"Host": f"localhost:{port}"}, trust_env=False).status_code == 200


def test_the_socket_refuses_foreign_origins_missing_origins_and_wrong_tokens(served):
    for options in ({"origin": "https://evil.example"}, {"origin": ""}, {"origin": "null"}, {"path": "/wrong/"}):
        with pytest.raises(InvalidStatus):
            talk(served, **options)


def test_a_page_is_greeted_and_asks(served):
    with talk(served) as page:
        message, buffers, _ = hear(page)
        assert message["kind"] == "open"
        assert message["state"] == {}
        assert message["meta"]["host"] == "web"
        assert message["meta"]["live"] is True
        assert unpack(buffers[0])["cases"] == b"0123456789"
        say(page, {"kind": "call", "id": 3, "action": "predict", "args": {"x": 4}})
        assert hear(page)[0] == {"kind": "progress", "id": 3, "value": "coarse"}
        message, buffers, _ = hear(page)
        assert message == {"kind": "result", "id": 3, "value": {"p": 8}}
        assert buffers == [b"binary\x00\xff"]


def test_large_answers_travel_in_slices(served):
    with talk(served) as page:
        hear(page)
        say(page, {"kind": "call", "id": 1, "action": "big", "args": {}}, size=10)
        message, buffers, frames = hear(page)
        assert message["value"] == "big"
        assert len(buffers[0]) == 9 << 20
        assert frames == 3


def test_state_goes_both_ways_and_to_every_page(served, tiny, heard):
    tiny.on("selection", heard)
    with talk(served) as one, talk(served) as other:
        hear(one)
        hear(other)
        say(one, {"kind": "change", "state": {"selection": [1, 2]}})
        assert heard.wait(1) == [[1, 2]]
        assert hear(other)[0] == {"kind": "change", "state": {"selection": [1, 2]}}
        tiny.selection = [4]
        for page in (one, other):
            assert hear(page)[0]["state"]["selection"] == [4]
    with talk(served) as later:
        assert hear(later)[0]["state"]["selection"] == [4]


@pytest.mark.parametrize("frame", ["text", b"", b"123", bytes(8), bytes(8) + b"no packet", bytes(8) + pack_message({})[:-8]])
def test_broken_frames_end_that_page_only(served, frame):
    with talk(served) as page:
        hear(page)
        page.send(frame)
        with pytest.raises(ConnectionClosed):
            hear(page)
    with talk(served) as page:
        assert hear(page)[0]["kind"] == "open"


def swamp(page, frame):
    page.send(frame)
    hear(page)


@pytest.mark.parametrize(("frame", "limit"), [((5).to_bytes(8, "little") + bytes(2000), 1000), (bytes(web.FRAME_BYTES + 9), 1 << 30)])
def test_what_is_too_large_ends_that_page(served, monkeypatch, frame, limit):
    monkeypatch.setattr(web, "MAX_PACKET_BYTES", limit)
    with talk(served) as page:
        hear(page)
        with pytest.raises(ConnectionClosed):
            swamp(page, frame)


def test_a_port_in_use_is_named(served, tiny):
    port = urlsplit(served.url).port
    with pytest.raises(InputError, match=f"Port {port} .* cannot be used .*port=0"):
        web.serve(tiny, port=port)
    with pytest.raises(InputError, match="ports run from 0"):
        web.serve(tiny, port=99999)


def test_stopping_frees_the_port_and_closes_pages(tiny):
    handle = web.serve(tiny)
    port = urlsplit(handle.url).port
    with talk(handle) as page:
        hear(page)
        handle.stop()
        handle.stop()
        handle.wait()
        with pytest.raises(ConnectionClosed):
            hear(page)
    assert "stopped" in repr(handle)
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_a_browser_is_opened_when_asked(tiny, monkeypatch):
    opened = []
    monkeypatch.setattr(web.webbrowser, "open", opened.append)
    handle = web.serve(tiny, open_browser=True)
    handle.stop()
    assert opened == [handle.url]


def test_a_front_end_that_was_not_built_is_said_so(tiny, tmp_path):
    tiny.options["assets"] = tmp_path / "nothing"
    with pytest.raises(InputError, match="make front"):
        web.serve(tiny)
