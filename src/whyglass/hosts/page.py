"""What every host needs of a view: its built front-end files, the meta of this host, and text that is inert in HTML."""

from __future__ import annotations

import base64
import html
import re
from pathlib import Path
from typing import Any

from whyglass.core.errors import InputError
from whyglass.core.view import View

STATIC = Path(__file__).resolve().parent.parent / "views" / "static"

_MODULE_END = "export default __whyglass_view.default;"

PAGE_STYLE = (
    "html,body{margin:0;height:100%}html{color-scheme:light dark}#wg-root{min-height:100%;display:flow-root}noscript{font:16px sans-serif}"
)


def asset(view: View, name: str) -> str:
    """Text of a built front-end file.

    Args:
        view: Its ``options["assets"]`` may name a folder that is looked into first (views of other packages).
        name: File name such as "workbench.js".

    Raises:
        InputError: If the front end was not built.
    """
    own = view.options.get("assets")
    for folder in ([Path(own)] if own else []) + [STATIC]:
        path = folder / name
        if path.is_file():
            return path.read_text(encoding="utf-8")
    msg = f"The front-end file {name!r} of the view {view.name!r} is not there. In a checkout, run: make front"
    raise InputError(msg)


def joined(view: View, bridge: str) -> str:
    """The view's bundle and a bridge ("static" or "streamlit") as one script; ``frontend/build.mjs`` says how they join."""
    return asset(view, view.script).rstrip().removesuffix(_MODULE_END) + asset(view, f"{bridge}.js")


def meta_for(view: View, host: str, *, live: bool = True, meta: dict[str, Any] | None = None) -> dict[str, Any]:
    """The view's meta with what the page must know about where it is."""
    return {**(view.meta if meta is None else meta), "view": view.name, "host": host, "live": live, "exports": live, "theme": view.theme}


def document_for(view: View, *, head: str, body: str) -> str:
    """The skeleton of a page: title, language, full height, and the element that a bridge draws into."""
    title = html.escape(str(view.meta.get("title") or "whyglass"))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"{head}\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="referrer" content="no-referrer">\n'
        f'<link rel="icon" href="data:,">\n<title>{title}</title>\n<style>{PAGE_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n'
    )


def inert(script: str) -> str:
    """Script text that can neither end the element it stands in nor open a comment there.

    The less-than sign of a closing script tag or of a comment is written as its escape: the same character in every
    string, template and regular expression, the only places where a bundle can hold these words.
    """
    text = re.sub("<(?=/script|!--)", r"\\x3c", script, flags=re.IGNORECASE)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def picture(view: View) -> str:
    """The view's SVG fallback as an image element, or nothing when it has none."""
    if view.fallback is None:
        return ""
    data = base64.b64encode(view.fallback().encode()).decode()
    return (
        f'<img alt="{html.escape(str(view.meta.get("title") or view.name))}" style="max-width:100%" src="data:image/svg+xml;base64,{data}">'
    )
