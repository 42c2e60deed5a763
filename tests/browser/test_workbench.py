"""The workbench on a real model: the same clicks and keys in every host, and the journeys that only it has."""

from __future__ import annotations

import sys

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
wait_until = sys.modules["hosts"].wait_until
EVERYWHERE = ("file", "web", "lab", "notebook", "marimo", "streamlit")
ROOT = '[data-view="workbench"]'


def settle(page, case="", edits=""):
    """Wait until what is shown is what is wanted, and is this."""
    page.locator(ROOT).wait_for()
    page.wait_for_function(
        """([root, prefix]) => {
            const find = (node) => node.querySelector(root) ?? [...node.querySelectorAll('*')].reduce(
                (found, el) => found ?? (el.shadowRoot && find(el.shadowRoot)), null);
            const now = find(document)?.__wg;
            return now?.ready && now.finished > 0 && now.wanted === now.shown && now.wanted.startsWith(prefix);
        }""",
        arg=[ROOT, f"{case}|{edits}" if case != "" else ""],
        polling=100,
    )


def row(page, case):
    return page.locator(f'.list [data-case="{case}"]')


def brush(page):
    """The left half of the map: never nobody and never everybody, since the map is as wide as its points."""
    box = page.locator("[data-map]").bounding_box()
    page.mouse.move(box["x"] + 1, box["y"] + 1)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 3, steps=3)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 2, steps=3)
    page.mouse.up()


@pytest.mark.parametrize("host", EVERYWHERE, indirect=True)
def test_open_ask_edit_brush_undo(page, host):
    host.open(page, "workbench")
    settle(page)
    row(page, 3).click()
    settle(page, 3)
    assert row(page, 3).get_attribute("aria-selected") == "true"

    control = page.locator('[data-control="0"]')
    before = control.get_attribute("aria-valuetext")
    control.focus()
    page.keyboard.press("ArrowRight")
    settle(page, 3, '{"0"')
    assert control.get_attribute("aria-valuetext") != before

    found = page.locator(".listhead [role=status]")
    everyone = found.inner_text()
    brush(page)
    expect(found).not_to_have_text(everyone)
    if host.live:
        chosen = wait_until(lambda: host.state().get("selection"))
        assert host.state()["case"] == 3
        assert list(host.state()["edits"]) == ["0"]
        assert wait_until(lambda: [e["frame"] for e in host.heard() if "frame" in e])[-1] == ["DataFrame", len(chosen)]

    page.locator('[data-tool="undo"]').click()
    page.locator('[data-tool="undo"]').click()
    settle(page, 3, "{}")
    expect(found).to_have_text(everyone)
    if host.live:
        wait_until(lambda: host.state()["edits"] == {} and not host.state()["selection"])
    if host.live and host.pushes:
        host.order({"case": 5})
        settle(page, 5)
    if host.ours:
        assert page.complaints == []
