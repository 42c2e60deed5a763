"""Facts that act together, groups of facts and the log loss: the same scenes on a served page and in a saved report."""

from __future__ import annotations

import sys

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
wait_until = sys.modules["hosts"].wait_until
ROOT = '[data-view="workbench"]'
PLACES = pytest.mark.parametrize("host", ["web", "file"], indirect=True)


def settle(page):
    page.locator(ROOT).wait_for()
    page.wait_for_function(
        """root => {
            const now = document.querySelector('#wg-root').__wg ?? document.querySelector('#wg-root').shadowRoot?.querySelector(root)?.__wg;
            return now?.ready && now.finished > 0 && now.wanted === now.shown;
        }""",
        arg=ROOT,
        polling=100,
    )


@PLACES
def test_a_pair_is_found_by_keys_and_shown_in_full(page, host):
    host.open(page, "together")
    settle(page)
    page.keyboard.press("2")
    cells = page.locator("[data-pair]")
    cells.first.wait_for()
    assert cells.count() == 11 * 10 / 2
    table = page.get_by_role("table", name="What pairs of facts add together")
    expect(table.get_by_role("rowheader")).to_have_count(11)
    assert page.locator("[data-pair][tabindex='0']").count() == 1, "one stop for Tab, arrows inside"

    page.locator("[data-pair][tabindex='0']").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    focused = page.locator("[data-pair]:focus")
    assert focused.get_attribute("data-pair") == "3 1"
    expect(page.locator(".tip.on")).to_contain_text("points on average")
    first, second = focused.get_attribute("data-features").split("|")
    page.keyboard.press("Enter")
    shown = page.locator("[data-dependence]")
    expect(shown).to_have_attribute("data-dependence", first)
    expect(shown.locator("[data-partner]")).to_have_attribute("data-partner", second)
    expect(shown).to_contain_text("by exact interactions")
    if host.live:
        names = [c["name"] for c in host.handle.view.meta["columns"]] if hasattr(host.handle, "view") else None
        state = wait_until(lambda: host.state() if host.state().get("partner", -1) >= 0 else None)
        assert names is None or (names[state["fact"]], names[state["partner"]]) == (first, second)
    shown.get_by_text("Shade by the strongest").click()
    expect(shown).to_contain_text("Of all facts it changes this effect most: by exact interactions")
    assert page.complaints == []


@PLACES
def test_the_pairs_of_a_case_stand_beneath_its_bars(page, host):
    host.open(page, "together")
    settle(page)
    lines = page.locator("[data-together] li")
    lines.first.wait_for()
    assert 1 <= lines.count() <= 3
    expect(lines.first).to_contain_text("points beyond what each does alone")
    before = page.locator("[data-together]").inner_text()
    page.keyboard.press("j")
    settle(page)
    expect(page.locator("[data-together].stale")).to_have_count(0)
    expect(page.locator("[data-together]")).not_to_have_text(before)
    a, b = lines.first.locator("button").get_attribute("data-together-pair").split()
    lines.first.locator("button").click()
    expect(page.locator("[data-tab=all]")).to_have_attribute("aria-selected", "true")
    if host.live:
        wait_until(lambda: (host.state().get("fact"), host.state().get("partner")) == (int(a), int(b)))
    assert page.complaints == []


@PLACES
def test_pairs_that_were_not_given_are_worked_out_when_looked_at(page, host):
    host.open(page, "workbench")
    settle(page)
    page.keyboard.press("2")
    page.locator("[data-pair]").first.wait_for()
    expect(page.locator("[data-pairs]")).to_contain_text("in points")
    assert page.complaints == []


@PLACES
@pytest.mark.parametrize(("scene", "bars", "said"), [("groups", 10, "The margin of this"), ("wrong", 11, "The log loss of this")])
def test_a_result_in_its_own_terms_is_drawn(page, host, scene, bars, said):
    host.open(page, scene)
    settle(page)
    expect(page.locator("[data-sentence]")).to_contain_text(said)
    expect(page.locator(".wf .b")).to_have_count(bars)
    page.keyboard.press("2")
    expect(page.locator("[data-dependence]")).to_be_visible()
    assert page.complaints == []
