"""One self-contained file: the view's bundle, its frozen tables, and a policy that lets nothing in or out."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from whyglass.core.container import pack, pack_message
from whyglass.core.session import Send, Session
from whyglass.core.view import Action, Answer, Turn, View
from whyglass.core.wire import write_whole
from whyglass.hosts import page

# Base 85 with its three characters that mean something in HTML replaced: a quarter longer than the bytes, base 64 a third.
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%.()*+-;,=:?@^_`{|}~"
MEMORY = (6, 8)  # shorter blocks fit tables of many columns better, longer ones code
_SAFE = bytes.maketrans(b"&<>", b".,:")

# Unpacks the one script of the page, a third of its size on disk, and lends the unpacking to it. The policy allows these
# two scripts by their hashes and nothing else.
LOADER = """(() => {
const digits = new Uint8Array(128);
[..."%s"].forEach((c, at) => { digits[c.charCodeAt(0)] = at; });
const unpack = (id) => {
  const given = document.getElementById(id).textContent.trim(), text = given.padEnd(Math.ceil(given.length / 5) * 5, "~");
  const bytes = new Uint8Array(text.length / 5 * 4), view = new DataView(bytes.buffer);
  for (let at = 0; at < text.length; at += 5) {
    let group = 0;
    for (let i = at; i < at + 5; i++) group = group * 85 + digits[text.charCodeAt(i)];
    view.setUint32(at / 5 * 4, group);
  }
  const packed = bytes.subarray(0, Math.floor(given.length * 4 / 5));
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip")));
};
globalThis.__whyglass_payload = () => unpack("wg-payload").arrayBuffer();
unpack("wg-code").text().then((code) => {
  const script = document.createElement("script");
  script.textContent = code;
  document.body.append(script);
}).catch((error) => document.body.append("This report is damaged or was cut off. Ask for it again. ", String(error)));
})();""".replace("%s", ALPHABET)


def render(view: View, **options: Any) -> str:
    """The whole document as text.

    Args:
        view: What to freeze.
        **options: Passed on to the view's ``freeze``.
    """
    meta, tables = view.freeze(**options) if view.freeze else (view.meta, view.first)
    message = {"kind": "open", "meta": page.meta_for(view, "html", live=False, meta=meta), "state": view.state}
    payload = _packed(pack_message(message, [pack(tables)]))
    script = page.inert(page.joined(view, "static"))
    code = _packed(script.encode())
    policy = (
        f"default-src 'none'; script-src '{_hash(LOADER)}' '{_hash(script)}'; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    body = (
        f'<div id="wg-root"></div>\n<noscript>{page.picture(view)}<p>This report needs JavaScript to answer questions.</p></noscript>\n'
        f'<script type="application/octet-stream" id="wg-payload">{payload}</script>\n'
        f'<script type="application/octet-stream" id="wg-code">{code}</script>\n<script>{LOADER}</script>'
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


def _packed(content: bytes) -> str:
    return base64.b85encode(min((_deflated(content, memory) for memory in MEMORY), key=len)).translate(_SAFE).decode()


def _deflated(content: bytes, memory: int) -> bytes:
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16, memLevel=memory)
    return packer.compress(content) + packer.flush()


def _hash(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
