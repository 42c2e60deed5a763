"""The workbench on a real model: the same clicks and keys in every host, and the journeys that only it has."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
wait_until = sys.modules["hosts"].wait_until
EVERYWHERE = ("file", "web", "lab", "notebook", "marimo", "streamlit")
ROOT = '[data-view="workbench"]'

# querySelector stops at shadow roots
FIND = """function find(selector, node = document) {
    return node.querySelector(selector)
        ?? [...node.querySelectorAll('*')].reduce((found, el) => found ?? (el.shadowRoot && find(selector, el.shadowRoot)), null);
}"""


def settle(page, case="", edits=""):
    """Wait until what is shown is what is wanted, and is this."""
    page.locator(ROOT).wait_for()
    page.wait_for_function(
        f"""([root, prefix]) => {{
            const now = ({FIND})(root)?.__wg;
            return now?.ready && now.finished > 0 && now.wanted === now.shown && now.wanted.startsWith(prefix);
        }}""",
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


@pytest.mark.parametrize("host", ["web"], indirect=True)
def test_the_last_of_all_census_rows_is_opened_and_explained(page, host):
    host.open(page, "everything")
    settle(page)
    page.wait_for_function("() => document.querySelector('#wg-root').__wg.loaded === 32561", polling=100)
    page.locator(".list").hover()
    page.locator(".list").evaluate("list => list.scrollTo(0, list.scrollHeight)")
    row(page, 32560).click()
    settle(page, 32560)
    wait_until(lambda: host.state()["case"] == 32560)
    marks = page.locator(f"{ROOT} [data-feature]").evaluate_all("marks => marks.map((mark) => mark.dataset.feature)")
    assert len(set(marks)) == 11  # some facts have a mark in a panel too
    assert page.locator(".list [data-case]").count() < 100
    assert page.complaints == []


@pytest.mark.parametrize("host", ["web", "lab", "streamlit"], indirect=True)
def test_a_model_that_takes_two_seconds_is_dragged_twenty_times(page, host):
    host.open(page, "opaque")
    settle(page)
    before = sum("call" in entry for entry in host.heard())
    page.locator('[data-control="0"]').focus()
    start = time.monotonic()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    took = time.monotonic() - start
    edit = wait_until(lambda: host.state().get("edits", {}).get("0"))
    settle(page, host.state()["case"], '{"0"')
    edit = host.state()["edits"]["0"]
    calls = [entry["call"] for entry in host.heard() if "call" in entry][before:]
    assert len(calls) <= 3 + took // 2, calls  # one more for every two seconds that a slow machine takes over the keys
    assert edit in calls[-1].values()


@pytest.mark.parametrize("host", ["file"], indirect=True)
def test_a_report_answers_with_no_network_at_all(page, host):
    page.context.set_offline(True)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    host.open(page, "workbench")
    settle(page)
    row(page, 7).click()
    settle(page, 7)
    page.locator('[data-control="2"]').focus()
    page.keyboard.press("ArrowRight")
    settle(page, 7, '{"2"')
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert [url for url in asked if url.startswith("file:")] == [page.url]
    assert page.complaints == []


CONTROLS = {
    "button",
    "slider",
    "textbox",
    "searchbox",
    "combobox",
    "listbox",
    "option",
    "tab",
    "link",
    "checkbox",
    "spinbutton",
    "application",
}


def nameless(page):
    """Controls of the view that a screen reader would read without a name."""
    session = page.context.new_cdp_session(page)
    found = session.send("Runtime.evaluate", {"expression": f"({FIND})({ROOT!r})"})["result"]
    root = session.send("DOM.describeNode", {"objectId": found["objectId"]})["node"]["backendNodeId"]
    nodes = {node["nodeId"]: node for node in session.send("Accessibility.getFullAXTree")["nodes"]}
    session.detach()

    def inside(node):
        while node and node.get("backendDOMNodeId") != root:
            node = nodes.get(node.get("parentId"))
        return node is not None

    controls = [n for n in nodes.values() if not n["ignored"] and n["role"]["value"] in CONTROLS and inside(n)]
    assert len(controls) > 20
    return [node["role"]["value"] for node in controls if not node.get("name", {}).get("value", "").strip()]


@pytest.mark.parametrize("host", ["web", "notebook"], indirect=True)
def test_find_explain_edit_and_save_by_keys_alone(page, host):
    press = page.keyboard.press
    host.open(page, "workbench")
    settle(page)
    if not host.ours:
        page.locator("[data-keys]").focus()  # how one gets from a cell into its output is the notebook's own affair
    while not page.locator(f"{ROOT} :focus").count():
        press("Tab")
    press("/")
    page.keyboard.type("#7")
    press("Enter")
    press("ArrowDown")
    settle(page, 7)
    press("e")
    control = page.locator(f"{ROOT} [data-control]:focus")
    control.wait_for()
    before = control.get_attribute("aria-valuetext")
    press("ArrowLeft" if control.input_value() == control.get_attribute("max") else "ArrowRight")
    settle(page, 7, '{"')
    expect(control).not_to_have_attribute("aria-valuetext", before)
    assert nameless(page) == []
    press("Control+z")
    settle(page, 7, "{}")
    for key, tab in (("2", "all"), ("1", "case")):
        press(key)
        expect(page.locator(f"[data-tab={tab}]")).to_have_attribute("aria-selected", "true")
        assert nameless(page) == []
    press("c")
    expect(page.get_by_label("Python code")).to_contain_text("import")
    press("Escape")
    with page.expect_download() as saved:
        press("s")
    assert Path(saved.value.path()).read_bytes().startswith(b"<!doctype html>")
    if host.ours:
        assert page.complaints == []
