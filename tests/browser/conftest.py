"""One Chromium a module, one context a test, and no request that leaves this machine."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

HERE = Path(__file__).resolve().parent
LOOPBACK = {"127.0.0.1", "localhost", "[::1]", "::1", None, ""}
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip


def _beside(name, folder=HERE):
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


hosts = _beside("hosts")
scene = _beside("scene", HERE / "scenes")


@pytest.fixture(scope="module")
def chromium():
    """Module scope: Playwright keeps an event loop running in this thread, and tests elsewhere may start their own."""
    path = os.environ.get("WHYGLASS_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
    if not Path(path).is_file():
        reason = f"There is no Chromium at {path}. Install it (apt-get install chromium) or set WHYGLASS_CHROMIUM."
        if os.environ.get("CI") or os.environ.get("WHYGLASS_NO_SKIPS"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=hosts.PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    """A page of a fresh context; the test fails when anything was asked of another machine."""
    context = chromium.new_context(viewport={"width": 1400, "height": 1000}, accept_downloads=True)
    foreign: list[str] = []

    def only_loopback(route):
        parts = urlsplit(route.request.url)
        if parts.scheme in ("data", "blob", "file", "about", "chrome-extension") or parts.hostname in LOOPBACK:
            route.continue_()
        else:
            foreign.append(route.request.url)
            route.abort()

    context.route("**/*", only_loopback)
    page = context.new_page()
    page.set_default_timeout(hosts.PATIENCE)
    page.on("websocket", lambda ws: foreign.append(ws.url) if urlsplit(ws.url).hostname not in LOOPBACK else None)
    page.foreign = foreign
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("console", lambda line: page.complaints.append(line.text) if line.type == "error" else None)
    yield page
    context.close()
    assert not foreign, f"asked of other machines: {foreign}"


class Host:
    """A place where a view can be looked at."""

    name = ""
    live = True
    ours = False
    """Whether the whole page is ours, so that any complaint in its console is our fault."""
    pushes = True
    """Whether Python can move the page at any time."""

    def __init__(self, folder):
        self.folder = folder
        self.count = 0

    def room(self):
        """A folder for the trace of one opened scene."""
        self.count += 1
        self.trace = self.folder / f"{self.name}-{self.count}"
        self.trace.mkdir(parents=True)
        return self.trace

    def heard(self):
        """What reached Python so far."""
        path = self.trace / "trace.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def state(self):
        return next((entry["state"] for entry in reversed(self.heard()) if "state" in entry), {})

    def order(self, state):
        """Have Python move the view."""
        number = len(list((self.trace / "orders").glob("*.json")))
        part = self.trace / f"order{number}.part"
        part.write_text(json.dumps(state))
        part.replace(self.trace / "orders" / f"{number:03}.json")

    def open(self, page, name):
        raise NotImplementedError

    def close(self):
        pass


class File(Host):
    name, live, ours = "file", False, True

    def open(self, page, name):
        folder = self.room()
        page.goto(scene.make(name, folder).save(folder / "why.html").as_uri())


class Web(Host):
    name, ours = "web", True
    handle = None

    def open(self, page, name):
        self.close()
        self.handle = scene.make(name, self.room()).serve()
        page.goto(self.handle.url)

    def close(self):
        if self.handle:
            self.handle.stop()


class Lab(Host):
    name, path = "lab", "/lab/workspaces/{}/tree/"

    def __init__(self, folder, server):
        super().__init__(folder)
        self.server = server

    def open(self, page, name):
        trace = self.room()
        code = f"from scene import make\nview = make({name!r}, {str(trace)!r})\nview"
        notebook = f"{self.name}-{self.count}.ipynb"
        (self.server.folder / notebook).write_text(hosts.notebook_text(code))
        page.goto(f"http://127.0.0.1:{self.server.port}{self.path.format(notebook[:-6])}{notebook}")
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        page.wait_for_function(
            "() => window.jupyterapp?.shell.currentWidget?.context?.sessionContext?.session?.kernel?.status === 'idle'", polling=200
        )
        page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells'); }")


class Notebook(Lab):
    name, path = "notebook", "/notebooks/"


class Served(Host):
    """An app whose address says what to show."""

    start = None
    text = ""

    def __init__(self, folder):
        super().__init__(folder)
        app = folder / f"{self.name}_app.py"
        app.write_text(self.text)
        self.server = type(self).start(folder, app)

    def open(self, page, name):
        query = urlencode({"scene": name, "folder": str(self.room())})
        page.goto(f"http://127.0.0.1:{self.server.port}/?{query}")

    def close(self):
        self.server.stop()


class Marimo(Served):
    name, text = "marimo", hosts.MARIMO_APP
    start = staticmethod(hosts.marimo)


class Streamlit(Served):
    name, text, pushes = "streamlit", hosts.STREAMLIT_APP, False
    start = staticmethod(hosts.streamlit)


@pytest.fixture(scope="session")
def jupyter_server(tmp_path_factory):
    server = hosts.jupyter(tmp_path_factory.mktemp("jupyter"))
    yield server
    server.stop()


KINDS = {kind.name: kind for kind in (File, Web, Lab, Notebook, Marimo, Streamlit)}
_running = {}


@pytest.fixture(scope="session")
def _hosts():
    yield _running
    for host in _running.values():
        host.close()
    _running.clear()


@pytest.fixture
def host(request, _hosts, tmp_path_factory):
    """The host of this parametrisation; its server is started once."""
    kind = KINDS[request.param]
    if kind.name not in _hosts:
        folder = tmp_path_factory.mktemp(kind.name)
        _hosts[kind.name] = kind(folder, request.getfixturevalue("jupyter_server")) if issubclass(kind, Lab) else kind(folder)
    return _hosts[kind.name]
