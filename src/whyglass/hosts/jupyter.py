"""Jupyter and everything that speaks its widget protocol: JupyterLab, Notebook 7, VS Code, Colab."""

from __future__ import annotations

import weakref
from functools import cache
from typing import Any

from whyglass.core.container import pack, plain
from whyglass.core.errors import MissingExtraError
from whyglass.core.view import View
from whyglass.hosts import html, page

FRAMEWORK, EXTRA = "anywidget", "jupyter"

_widgets: weakref.WeakKeyDictionary[View, Any] = weakref.WeakKeyDictionary()


def show(view: View, **_options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a notebook stores of a view: the live widget, and a picture for where no widget can run.

    Returns:
        MIME bundle and its metadata.
    """
    data, metadata = _bundle(widget_for(view, "jupyter"))
    data["text/plain"] = repr(view)
    if view.fallback is not None:
        # No text/html beside it: code hosts prefer that, and then take the drawing out of it.
        data["image/svg+xml"] = view.fallback()
    return data, metadata


def widget_for(view: View, host: str) -> Any:
    """The one anywidget of a view: every place that shows it shares its state.

    Raises:
        MissingExtraError: If anywidget is not installed.
    """
    if view not in _widgets or _widgets[view].comm is None:  # never shown, or closed since
        _widgets[view] = _widget_class()(view, host)
    return _widgets[view]


def _bundle(widget: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    given = widget._repr_mimebundle_()
    data, metadata = given if isinstance(given, tuple) else (given, {})
    return dict(data or {}), dict(metadata or {})


@cache
def _widget_class() -> type:
    """The widget's class, made when first needed: importing a host must not import ipywidgets."""
    try:
        import anywidget  # noqa: PLC0415
        import traitlets  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError(FRAMEWORK, EXTRA) from error

    class WhyglassWidget(anywidget.AnyWidget):  # type: ignore[misc]
        """The page's model: ``meta`` and ``first`` once, ``state`` both ways, everything else as custom messages."""

        meta = traitlets.Dict().tag(sync=True)
        state = traitlets.Dict().tag(sync=True)
        first = traitlets.Bytes().tag(sync=True)

        def __init__(self, view: View, host: str) -> None:
            self._esm = page.asset(view, view.script)
            meta = plain(page.meta_for(view, host))
            super().__init__(meta=meta, state=plain(view.state), first=pack(view.first))
            self.session = html.session(view, self._tell)
            self.observe(self._moved, "state")
            self.on_msg(self._heard)

        def _tell(self, message: dict[str, Any], buffers: list[bytes]) -> None:
            if message["kind"] == "change":
                self.state = plain(message["state"])
            else:
                self.send(plain(message), buffers)

        def _moved(self, change: Any) -> None:
            self.session.receive({"kind": "change", "state": change["new"]})

        def _heard(self, _widget: Any, content: Any, buffers: Any) -> None:
            if isinstance(content, dict):
                self.session.receive(content, [bytes(b) for b in buffers or ()])

        def close(self) -> None:
            if hasattr(self, "session"):
                self.session.close()
            super().close()

    return WhyglassWidget
