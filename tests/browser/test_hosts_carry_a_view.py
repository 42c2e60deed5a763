"""One small view, the same clicks and keys, in every host."""

from __future__ import annotations

import sys
import time

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
wait_until = sys.modules["hosts"].wait_until

EVERYWHERE = ("file", "web", "lab", "notebook", "marimo", "streamlit")
LIVE = EVERYWHERE[1:]


def line(page, name, text):
    page.locator(f'[data-line="{name}"]', has_text=text).wait_for()


@pytest.mark.parametrize("host", EVERYWHERE, indirect=True)
def test_a_view_is_carried(page, host):
    host.open(page, "tiny")
    page.locator(
        f'[data-view="tiny"][data-host="{"html" if host.name == "file" else "jupyter" if host.name in ("lab", "notebook") else host.name}"]'
    ).wait_for()
    line(page, "first", "10264 bytes")
    page.get_by_text("Tiny & <b>small</b>").first.wait_for()
    page.locator('[data-case="2"]').click()
    line(page, "state", "case 2")
    slider = page.get_by_label("x", exact=True)
    slider.focus()
    page.keyboard.press("ArrowRight")
    line(page, "state", "case 2, selection none, x 1")
    page.locator("#brush").click()
    line(page, "state", "selection 1 3")
    if host.live:
        line(page, "explain", 'result {"case":2,"nan":null} 10+3')
        line(page, "predict", "result 2")
        wait_until(lambda: host.state().get("selection") == [1, 3])
        assert host.state() == {"case": 2, "x": 1, "selection": [1, 3]}
        host.order({"selection": [4], "case": 0})
        if not host.pushes:
            page.locator('[data-case="0"]').click()
        line(page, "state", "case 0, selection 4, x 1")
    if host.name == "streamlit":  # asks again only while an answer is on its way
        expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
        wait_until(lambda: silent(page, host))
    if host.ours:
        assert page.complaints == []


def silent(page, host):
    """Whether nothing is asked of Python for a while."""
    before = len(host.heard())
    page.wait_for_timeout(1500)
    return len(host.heard()) == before


@pytest.mark.parametrize("host", LIVE, indirect=True)
def test_a_slow_model_is_asked_three_times_at_most(page, host):
    host.open(page, "slow")
    slider = page.get_by_label("x", exact=True)
    slider.focus()
    start = time.monotonic()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    took = time.monotonic() - start
    line(page, "predict", "result 40")
    calls = [entry["call"] for entry in host.heard() if "call" in entry]
    assert len(calls) <= 3 + took // 2, "one more for every two seconds that a slow machine takes over the keys"
    assert calls[-1] == 20


def test_a_request_to_another_machine_is_noticed(page):
    """The twin of every test here: their page fixture fails on what this one clears away."""
    page.goto("data:text/html,<p>here")
    page.evaluate("() => fetch('https://example.com/').catch(() => 0)")
    assert page.foreign == ["https://example.com/"]
    page.foreign.clear()


INTRUDE = """async (address) => {
    const script = document.createElement("script");
    script.textContent = "window.ran = 1";
    document.body.append(script);
    const image = new Image();
    image.src = `${address}image.png`;
    const fetched = await fetch(`${address}data.json`).then(() => "fetched", () => "refused");
    return [window.ran ?? "refused", fetched];
}"""


@pytest.mark.parametrize("host", ["file", "web"], indirect=True)
def test_the_policy_stops_what_got_into_the_page(page, host):
    host.open(page, "tiny")
    line(page, "first", "10264 bytes")
    assert page.evaluate(INTRUDE, "http://localhost:9/") == ["refused", "refused"]
    assert sum("Content Security Policy" in text for text in page.complaints) >= 3
