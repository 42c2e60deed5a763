"""marimo: notebooks that rerun what depends on what changed, and apps made of them."""

from __future__ import annotations

import weakref
from typing import Any

from whyglass.core.errors import MissingExtraError
from whyglass.core.view import View
from whyglass.hosts.jupyter import widget_for

FRAMEWORK = EXTRA = "marimo"

_elements: weakref.WeakKeyDictionary[View, Any] = weakref.WeakKeyDictionary()


def show(view: View, **_options: Any) -> tuple[str, str]:
    """What marimo displays when a view is the last expression of a cell.

    Returns:
        MIME type and text.
    """
    return element(view)._mime_()  # type: ignore[no-any-return]


def element(view: View) -> Any:
    """The view as an element of marimo's: cells that read its ``value`` run again when the page changes the state.

    Raises:
        MissingExtraError: If marimo is not installed.
    """
    try:
        import marimo  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError(FRAMEWORK, EXTRA) from error
    widget = widget_for(view, "marimo")
    if view not in _elements or _elements[view].widget is not widget:
        _elements[view] = marimo.ui.anywidget(widget)
    return _elements[view]
