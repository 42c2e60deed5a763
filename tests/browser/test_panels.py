"""The panels beside a case: flips that are tried and re-solved as locks change, a rule shown on the map, an effect drawn."""

from __future__ import annotations

import sys

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
wait_until = sys.modules["hosts"].wait_until
FOUND = "[data-flips=here]"
PATIENCE = 180_000  # the search is compiled when it is first used


@pytest.mark.parametrize("host", ["web"], indirect=True)
def test_flips_rule_and_effect_where_python_is(page, host):
    host.open(page, "workbench")
    page.locator(FOUND).wait_for(timeout=PATIENCE)
    flips = page.locator(".flip")
    assert 1 <= flips.count() <= 3
    aimed = float(flips.first.locator("[data-flip-p]").get_attribute("data-flip-p"))
    page.keyboard.press("f")
    expect(page.locator("[data-edits]")).to_be_visible()
    said = float(page.locator("[data-prediction]").get_attribute("data-prediction"))
    assert said == pytest.approx(aimed, abs=1e-3), "the page's own model says of the change what Python said"
    page.locator(FOUND).wait_for(timeout=PATIENCE)
    back = float(flips.first.locator("[data-flip-p]").get_attribute("data-flip-p"))
    assert (back >= 0.5) != (said >= 0.5)

    while page.locator("[data-lock][aria-pressed=false]").count():
        page.locator("[data-lock][aria-pressed=false]").first.click()
    expect(page.locator("[data-flips-note]")).to_be_visible(timeout=PATIENCE)
    expect(flips).to_have_count(0)
    wait_until(lambda: set((host.state().get("locks") or {}).values()) == {"held"})
    page.locator("[data-lock]").first.click()
    page.locator("[data-way]").first.click()
    wait_until(lambda: "rises" in (host.state().get("locks") or {}).values())

    page.locator("[data-keys]").focus()
    page.keyboard.press("l")
    expect(page.locator('[data-lock="0"]')).to_be_focused()
    was = page.locator('[data-lock="0"]').get_attribute("aria-pressed")
    page.keyboard.press("Space")
    expect(page.locator('[data-lock="0"]')).not_to_have_attribute("aria-pressed", was)
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-lock]:focus, [data-way]:focus")).to_have_count(1)
    expect(page.locator('[data-lock="0"]')).not_to_be_focused()
    host.order({"locks": {"Age": "falls", "Education": "held"}})
    expect(page.locator('[data-lock="0"]')).to_have_attribute("data-state", "falls")
    expect(page.locator('[data-lock="1"]')).to_have_attribute("data-state", "held")
    page.locator(FOUND).wait_for(timeout=PATIENCE)
    page.keyboard.press("c")
    expect(page.get_by_label("Python code")).to_contain_text('decrease_only=["Age"]')
    expect(page.get_by_label("Python code")).to_contain_text('"Education": "held"')
    page.keyboard.press("Escape")

    page.locator("[data-rule=here]").wait_for(timeout=PATIENCE)
    if page.locator("[data-rule-map]").count():
        page.locator("[data-rule-map]").click()
        wait_until(lambda: host.state().get("selection"))
    page.keyboard.press("2")
    page.locator(".effect:not([data-effect=''])").wait_for(timeout=PATIENCE)
    expect(page.locator("[data-effect-said]")).to_contain_text("On average over")
    assert page.complaints == []


@pytest.mark.parametrize("host", ["file"], indirect=True)
def test_a_report_offers_none_of_them(page, host):
    host.open(page, "workbench")
    page.locator(".tally").first.wait_for()
    page.keyboard.press("f")
    expect(page.locator(".flips, .rule, [data-edits]")).to_have_count(0)
    page.keyboard.press("2")
    page.locator("[data-dependence]").wait_for()
    expect(page.locator(".effect")).to_have_count(0)
    assert page.complaints == []
