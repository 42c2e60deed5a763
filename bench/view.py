"""The live view beside explainerdashboard: the first usable view, and a click to a new explanation, in one real Chromium."""

from __future__ import annotations

import contextlib
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import seconds, table
from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
]
PATIENCE = 600
# the view may stand in a shadow root, which querySelector does not look into
INSIDE = """const inside = (node, what) => node.querySelector(what)
    ?? [...node.querySelectorAll('*')].reduce((found, el) => found ?? (el.shadowRoot && inside(el.shadowRoot, what)), null);
const shows = (id) => {
    const now = inside(document, '[data-view]')?.__wg;
    return Boolean(now?.ready && now.finished > 0 && now.wanted === now.shown && now.wanted.startsWith(id));
};"""
SETTLED = f"""(id) => {{ {INSIDE} return shows(id); }}"""
CLICK = f"""(id) => new Promise((done) => {{ {INSIDE}
    const row = inside(document, `.list [data-case="${{id}}"]`), start = performance.now();
    row.click();
    const look = () => (shows(`${{id}}|`) ? done(performance.now() - start) : requestAnimationFrame(look));
    requestAnimationFrame(look);
}})"""
VISIBLE = f"""() => {{ {INSIDE}
    return [...inside(document, '.list').querySelectorAll('[data-case]')].map((row) => Number(row.dataset.case)); }}"""
DRAWN = """() => Boolean(document.querySelector('.js-plotly-plot')?.data?.length)"""
CHOOSE = """(index) => new Promise((done) => {
    const plot = () => JSON.stringify(document.querySelector('.js-plotly-plot').data.map((trace) => trace.y));
    const start = performance.now(), before = plot();
    const control = document.querySelector('[id^="contributions-graph-index-"]:not([id*="label"])');
    window.dash_clientside.set_props(control.id, { value: index });
    const look = () => (plot() !== before ? done(performance.now() - start) : requestAnimationFrame(look));
    requestAnimationFrame(look);
})"""


@contextlib.contextmanager
def server(which: str, rows: int) -> Iterator[tuple[str, float]]:
    """A server's address, and when its model was fitted."""
    command = [sys.executable, str(Path(__file__).with_name("view_server.py")), which, str(rows)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    said: dict[str, Any] = {}
    try:
        while "url" not in said:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                msg = f"The server of {which} did not start."
                raise RuntimeError(msg)
            said.update(json.loads(line))
        yield said["url"], said["begin"]
    finally:
        process.kill()
        process.wait()


def opened(browser: Browser, url: str, ready: str, argument: Any = None) -> Page:
    """The page, once it shows an explanation; asked for again while the server is not up yet."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            page.goto(url)
            break
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    page.wait_for_function(ready, arg=argument, timeout=PATIENCE * 1000, polling=20)
    return page


def first_view(browser: Browser, which: str, rows: int) -> float:
    with server(which, rows) as (url, begin):
        opened(browser, url, SETTLED if which == "whyglass" else DRAWN, "").close()
        return time.time() - begin


def clicks(browser: Browser, rows: int, turns: int, with_peer: bool) -> dict[str, list[float]]:
    """Milliseconds from a click to the new explanation, in turn."""
    taken: dict[str, list[float]] = {"whyglass": [], "peer": []}
    with contextlib.ExitStack() as stack:
        ours = opened(browser, stack.enter_context(server("whyglass", rows))[0], SETTLED, "")
        theirs = opened(browser, stack.enter_context(server("peer", rows))[0], DRAWN) if with_peer else None
        for turn in range(turns + 1):
            ids = ours.evaluate(VISIBLE)
            took = ours.evaluate(CLICK, ids[1 + turn % (len(ids) - 2)])
            other = theirs.evaluate(CHOOSE, str(7 + 3 * turn)) if theirs else 0.0
            if turn:
                taken["whyglass"].append(took)
                taken["peer"].append(other)
    return taken


def measure(quick: bool) -> str:
    turns, starts = (3, 1) if quick else (15, 3)
    many = 10_000 if quick else 100_000
    chromium = next(found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name)))
    first: dict[str, list[float]] = {"whyglass": [], "peer": [], "peer-default": []}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for _ in range(starts):
            for which, taken in first.items():
                taken.append(first_view(browser, which, 1_000))
        few = clicks(browser, 1_000, turns, with_peer=True)
        large = clicks(browser, many, turns, with_peer=False)
        browser.close()
    return _page(first, few, large, many)


def _page(first: dict[str, list[float]], few: dict[str, list[float]], large: dict[str, list[float]], many: int) -> str:
    def ratio(theirs: list[float], ours: list[float]) -> str:
        return f"**{statistics.median(p / o for p, o in zip(theirs, ours, strict=True)):.1f}x**"

    lines = []
    for which, what in (("peer", "one contributions plot"), ("peer-default", "its default dashboard")):
        ours, theirs = (statistics.median(first[name]) for name in ("whyglass", which))
        lines.append([f"first usable view, 1,000 rows ({what})", seconds(ours), seconds(theirs), ratio(first[which], first["whyglass"])])
    ours, theirs = (statistics.median(few[name]) / 1000 for name in ("whyglass", "peer"))
    lines.append(["click to new explanation, 1,000 rows", seconds(ours), seconds(theirs), ratio(few["peer"], few["whyglass"])])
    slowest = max(large["whyglass"]) / 1000
    lines.append([f"the same at {many:,} rows (slowest {seconds(slowest)})", seconds(statistics.median(large["whyglass"]) / 1000), "", ""])
    note = (
        "A LightGBM classifier of 100 trees on the census data, 11 columns, 200 background rows and probability space on both sides. "
        "Wall time, as several processes take part; servers and clicks in turn, medians. The first view is counted from the fitted "
        "model to an explanation drawn in Chromium, libraries' own imports included; whyglass then shows the whole workbench. A click "
        "ends when the exact values of the new case are drawn (whyglass computes them in the page; explainerdashboard has computed "
        "those of all rows before)."
    )
    return f"{note}\n\n{table(['', 'whyglass', 'explainerdashboard', 'ratio'], lines)}"
