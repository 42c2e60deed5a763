"""One self-contained file: the view's bundle, its frozen tables, and a policy that lets nothing in or out."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from whyglass.core.container import pack, pack_message
from whyglass.core.session import Send, Session
from whyglass.core.view import Action, Answer, Turn, View
from whyglass.core.wire import write_whole
from whyglass.hosts import page


def render(view: View, **options: Any) -> str:
    """The whole document as text.

    Args:
        view: What to freeze.
        **options: Passed on to the view's ``freeze``.
    """
    meta, tables = view.freeze(**options) if view.freeze else (view.meta, view.first)
    message = {"kind": "open", "meta": page.meta_for(view, "html", live=False, meta=meta), "state": view.state}
    payload = base64.b64encode(gzip.compress(pack_message(message, [pack(tables)]), 9, mtime=0)).decode()
    script = page.inert(page.joined(view, "static"))
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    body = (
        f'<div id="wg-root"></div>\n<noscript>{page.picture(view)}<p>This report needs JavaScript to answer questions.</p></noscript>\n'
        f'<script type="application/octet-stream" id="wg-payload">{payload}</script>\n<script>{script}</script>'
    )
    return page.document_for(view, head=f'<meta http-equiv="Content-Security-Policy" content="{policy}">', body=body)


def save(view: View, path: Any, **options: Any) -> Path:
    """Write one file that works from disk with no network.

    The file appears whole or not at all: it is written beside its place and renamed into it.

    Args:
        view: What to freeze.
        path: Where to write.
        **options: Passed on to the view's ``freeze``.

    Returns:
        The path.

    Raises:
        InputError: If the folder does not exist or cannot be written.
    """
    target = Path(path)
    text = render(view, **options)
    write_whole(target, text.encode())
    return target


def session(view: View, send: Send) -> Session:
    """A live host's session: the view's own actions, and "export", which answers with this file's bytes."""

    def export(args: Mapping[str, Any], turn: Turn) -> Answer:  # noqa: ARG001  (every action takes a turn)
        options = {"embed_model": bool(args["embed_model"])} if "embed_model" in args else {}
        return Answer({"name": f"{view.name}.html"}, (render(view, **options).encode(),))

    return Session(view, send, {"export": Action(export, lane="export")})


def _hash(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
