"""A page served on loopback: a per-run token in the address, a strict policy, one WebSocket."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import socket
import threading
import time
import webbrowser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from whyglass.core.container import pack, pack_message, unpack_message
from whyglass.core.errors import InputError
from whyglass.core.session import MAX_BUFFER_BYTES, Session
from whyglass.core.view import View
from whyglass.hosts import html, page

FRAME_BYTES = 4 << 20
"""Proxies cut off large WebSocket frames, so packets travel in slices of this size."""
PREFIX_BYTES = 8
"""Each frame begins with uint32 (little endian) how many of its packet are still to come, and four zero bytes."""
MAX_PACKET_BYTES = MAX_BUFFER_BYTES + (16 << 20)
START_SECONDS = 30.0
STOP_SECONDS = 5

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass(eq=False)
class Handle:
    """A running server.

    Attributes:
        url: The address with its token; whoever has it can look and ask.
    """

    url: str
    _server: uvicorn.Server
    _thread: threading.Thread

    def stop(self) -> None:
        """Stop serving; open pages say that they are disconnected. Safe to call twice."""
        self._server.should_exit = True
        self._thread.join(STOP_SECONDS * 2)

    def wait(self) -> None:
        """Block until the server is stopped or Ctrl-C is pressed, which stops it."""
        try:
            while self._thread.is_alive():
                self._thread.join(0.2)
        except KeyboardInterrupt:
            self.stop()

    def __repr__(self) -> str:
        return f"<whyglass at {self.url}>" if self._thread.is_alive() else "<whyglass, stopped>"


def serve(view: View, port: int = 0, host: str = "127.0.0.1", *, open_browser: bool = False, allowed_hosts: Sequence[str] = ()) -> Handle:
    """Serve a view as a web page, from a thread of this process.

    Args:
        view: What to show. Pages that look at one view follow each other.
        port: 0 takes a free one.
        host: The address to bind. Anything but loopback makes the page reachable by whoever has the token.
        open_browser: Open the page in the default browser.
        allowed_hosts: Further ``Host`` headers to accept, such as "lab.example:443" behind a proxy.

    Raises:
        InputError: If the port is taken or may not be used, or the front end is not built.
    """
    files = _Files(view)
    listener = _bind(host, port)
    bound = listener.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    names = {f"{name}:{bound}" for name in (*LOOPBACK, shown)} | set(allowed_hosts)
    if host in ("0.0.0.0", "::"):  # noqa: S104  (the caller's own wish; the page is then asked for under any name)
        names, shown = set(), "127.0.0.1"
    site = _Site(view, files, secrets.token_urlsafe(24), frozenset(names))
    config = uvicorn.Config(
        site.app(), log_config=None, log_level="warning", access_log=False, loop="asyncio", lifespan="off", server_header=False,
        ws_max_size=FRAME_BYTES + PREFIX_BYTES, ws_per_message_deflate=False, timeout_graceful_shutdown=STOP_SECONDS,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="whyglass-web", daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            msg = f"The server on port {bound} did not start."
            raise InputError(msg)
        time.sleep(0.005)
    handle = Handle(f"http://{shown}:{bound}/{site.token}/", server, thread)
    if open_browser:
        webbrowser.open(handle.url)
    return handle


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if not 0 <= port <= 65535:
        msg = f"Port {port} is not one; ports run from 0 (any free one) to 65535."
        raise InputError(msg)
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        msg = f"Port {port} on {host} cannot be used ({error.strerror or error}). Pass another port, or port=0 for any free one."
        raise InputError(msg) from error


class _Files:
    """The few files of a page, read when serving begins."""

    def __init__(self, view: View) -> None:
        module = view.script
        body = f'<div id="wg-root" data-module="./{module}"></div>\n<script type="module" src="./socket.js"></script>'
        self.files = {
            "": (page.document_for(view, head="", body=body), "text/html"),
            "socket.js": (page.asset(view, "socket.js"), "text/javascript"),
            module: (page.asset(view, module), "text/javascript"),
        }
        self.first = pack(view.first)


@dataclass
class _Site:
    view: View
    files: _Files
    token: str
    hosts: frozenset[str]
    headers: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        style = base64.b64encode(hashlib.sha256(page.PAGE_STYLE.encode()).digest()).decode()
        self.headers = {
            "Content-Security-Policy": (
                "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data: blob:; "
                f"style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            ),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "no-store",
        }

    def app(self) -> Starlette:
        return Starlette(routes=[WebSocketRoute("/{token}/socket", self.talk), Route("/{path:path}", self.give)])

    async def give(self, request: Request) -> Response:
        token, _, name = request.path_params["path"].partition("/")
        if not self._known(request):
            return PlainTextResponse("This server does not answer under that name.", 403, self.headers)
        if not secrets.compare_digest(token.encode(), self.token.encode()):
            return PlainTextResponse("Open the address that was printed when this page was served; it holds a token.", 403, self.headers)
        if name not in self.files.files:
            return PlainTextResponse("There is nothing here.", 404, self.headers)
        text, kind = self.files.files[name]
        return Response(text, media_type=kind, headers=self.headers)

    async def talk(self, page_socket: WebSocket) -> None:
        """One page: greet it, then carry messages both ways until it leaves."""
        token = page_socket.path_params["token"]
        if not (
            self._known(page_socket) and self._same_origin(page_socket) and secrets.compare_digest(token.encode(), self.token.encode())
        ):
            await page_socket.close(1008)
            return
        await page_socket.accept()
        loop = asyncio.get_running_loop()
        outgoing: asyncio.Queue[bytes] = asyncio.Queue()
        session = html.session(self.view, lambda message, buffers: _put(loop, outgoing, pack_message(message, buffers)))
        session.greet(page.meta_for(self.view, "web"), self.files.first)
        sender = asyncio.create_task(_send_all(page_socket, outgoing))
        try:
            await _receive_all(page_socket, session)
        finally:
            session.close()
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    def _known(self, connection: HTTPConnection) -> bool:
        """A page of another site whose name was pointed at this address (DNS rebinding) shows its own name here."""
        return not self.hosts or connection.headers.get("host", "").lower() in self.hosts

    def _same_origin(self, connection: HTTPConnection) -> bool:
        origin = connection.headers.get("origin", "").lower()
        return origin.partition("://")[2] == connection.headers.get("host", "").lower() and origin.startswith(("http://", "https://"))


def _put(loop: asyncio.AbstractEventLoop, outgoing: asyncio.Queue[bytes], packet: bytes) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(outgoing.put_nowait, packet)


async def _send_all(page_socket: WebSocket, outgoing: asyncio.Queue[bytes]) -> None:
    try:
        while True:
            for frame in _frames(await outgoing.get()):
                await page_socket.send_bytes(frame)
    except (WebSocketDisconnect, RuntimeError, OSError):
        return  # the page left while it was being told something; the receiving side sees that too and ends the session


def _frames(packet: bytes) -> Iterator[bytes]:
    starts = range(0, len(packet), FRAME_BYTES)
    for left, start in zip(reversed(range(len(starts))), starts, strict=True):
        yield left.to_bytes(4, "little") + bytes(4) + packet[start : start + FRAME_BYTES]


async def _receive_all(page_socket: WebSocket, session: Session) -> None:
    """Hear the page until it leaves, or until it sends something that is no packet of ours."""
    parts: list[bytes] = []
    while True:
        event = await page_socket.receive()
        if event["type"] == "websocket.disconnect":
            return
        frame = event.get("bytes") or b""
        parts.append(frame[PREFIX_BYTES:])
        if len(frame) <= PREFIX_BYTES or sum(map(len, parts)) > MAX_PACKET_BYTES:
            await page_socket.close(1009)
            return
        if int.from_bytes(frame[:4], "little"):
            continue
        try:
            message, buffers = unpack_message(b"".join(parts))
        except InputError:
            await page_socket.close(1003)
            return
        parts = []
        await asyncio.to_thread(session.receive, message, buffers)
