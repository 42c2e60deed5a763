"""Rules, counterfactuals and curves on their own, in every host: the same keys, and locks that are solved again where Python is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
wait_until = sys.modules["hosts"].wait_until
EVERYWHERE = ("file", "web", "lab", "notebook", "marimo", "streamlit")
PATIENCE = 180_000  # the search is compiled when it is first used


def focus(page, host):
    """From here on keys are the view's."""
    if not host.ours:
        page.locator("[data-keys]").focus()


def chosen(page):
    return page.locator(".case[aria-selected=true]").get_attribute("data-case")


def lock(page, name):
    return page.locator(f'[data-lock][data-feature="{name}"]')


def changed(page):
    """Names of the facts that any change moves."""
    return set(page.locator("tr.on[data-feature]").evaluate_all("rows => rows.map(row => row.dataset.feature)"))


@pytest.mark.parametrize("host", EVERYWHERE, indirect=True)
def test_changes_are_solved_again_as_locks_change(page, host):
    host.open(page, "flips")
    page.locator('[data-view="counterfactuals"] [data-sentence]').wait_for()
    expect(page.locator("[data-sentence]")).to_contain_text("would say")
    focus(page, host)
    before = chosen(page)
    page.keyboard.press("j")
    expect(page.locator(f'.case[data-case="{before}"]')).to_have_attribute("aria-selected", "false")
    page.keyboard.press("k")
    expect(page.locator(f'.case[data-case="{before}"]')).to_have_attribute("aria-selected", "true")
    expect(lock(page, "Gender")).to_have_attribute("aria-pressed", "true")
    assert "Gender" not in changed(page)
    moved = sorted(changed(page))
    if not host.live:
        expect(page.locator("[data-needs-python]")).to_contain_text("saved report")
        expect(lock(page, moved[0])).to_be_disabled()
        assert page.complaints == []
        return
    lock(page, moved[0]).click()
    page.locator("[data-flips=here]").wait_for(timeout=PATIENCE)
    expect(page.locator(".stale")).to_have_count(0)
    assert moved[0] not in changed(page)
    at = wait_until(lambda: next((j for j, v in (host.state().get("locks") or {}).items() if v == "held"), None))
    assert lock(page, moved[0]).get_attribute("data-lock") == at
    page.locator('[data-tool="undo"]').click()
    expect(lock(page, moved[0])).to_have_attribute("aria-pressed", "false")
    wait_until(lambda: host.state().get("locks") == {})
    assert sorted(changed(page)) == moved
    if host.pushes:
        host.order({"locks": {"Age": "held", "Hours per week": "rises"}})
        expect(lock(page, "Age")).to_have_attribute("aria-pressed", "true")
        expect(lock(page, "Hours per week")).to_have_attribute("data-state", "rises")
        page.locator("[data-flips=here]").wait_for(timeout=PATIENCE)
        assert "Age" not in changed(page)
        host.order({"locks": {}})
        expect(lock(page, "Age")).to_have_attribute("aria-pressed", "false")
    aimed = float(page.locator("[data-flip-p]").first.get_attribute("data-flip-p"))
    focus(page, host)
    page.keyboard.press("f")
    expect(page.locator("[data-edits]")).to_be_visible()
    expect(page.locator("[data-prediction]")).to_be_visible()
    assert float(page.locator("[data-prediction]").get_attribute("data-prediction")) == pytest.approx(aimed, abs=1e-6)
    wait_until(lambda: host.state().get("edits"))
    focus(page, host)
    page.keyboard.press("r")
    expect(page.locator("[data-edits]")).to_have_count(0)
    if host.ours:
        assert page.complaints == []


@pytest.mark.parametrize("host", ["file", "web", "lab", "streamlit"], indirect=True)
def test_a_rule_reads_as_a_sentence_and_is_asked_more_surely(page, host):
    host.open(page, "rules")
    page.locator('[data-view="rules"] [data-sentence]').wait_for()
    expect(page.locator("[data-sentence]")).to_contain_text("the model says")
    expect(page.locator(".conditions dt").first).to_have_text("if")
    expect(page.get_by_role("img", name="Precision")).to_be_visible()
    if not host.live:
        expect(page.locator('[data-precision="0.99"]')).to_be_disabled()
        expect(page.locator("[data-needs-python]")).to_be_visible()
        assert page.complaints == []
        return
    page.locator('[data-precision="0.99"]').click()
    page.locator("[data-rule=here]").wait_for(timeout=PATIENCE)
    wait_until(lambda: host.state().get("precision") == 0.99)
    expect(page.locator("[data-sentence]")).to_be_visible()
    if host.pushes:
        host.order({"precision": 0.95})
        expect(page.locator('[data-precision="0.95"]')).to_have_attribute("aria-pressed", "true")
    if host.ours:
        assert page.complaints == []


@pytest.mark.parametrize("host", ["file", "web", "notebook", "marimo"], indirect=True)
def test_curves_mark_the_chosen_row(page, host):
    host.open(page, "curves")
    page.locator('[data-view="curves"] [data-sentence]').wait_for()
    expect(page.locator("[data-sentence]")).to_contain_text("moves most with")
    charts = page.locator("figure[data-chart]")
    expect(charts).to_have_count(4)
    assert page.locator(".pairmap rect.more, .pairmap rect.less").count() > 20
    expect(page.locator(".pairmap .here")).to_have_count(1)
    own = page.locator(".charts path.own[d^=M]")
    if host.live:
        own.first.wait_for(state="attached", timeout=PATIENCE)
    else:
        expect(own).to_have_count(0)
    dot = page.locator('[data-feature="Age"]:not([data-pair-with]) .owndot').first
    at = dot.get_attribute("cx")
    focus(page, host)
    page.locator(".list").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(dot).not_to_have_attribute("cx", at)
    focus(page, host)
    page.locator('[data-chart="0"] [data-enlarge]').click()
    expect(page.locator("figure.large")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator("figure.large")).to_have_count(0)
    if host.live:
        wait_until(lambda: host.state().get("chart") == -1)
        wait_until(lambda: str(host.state().get("case")) == chosen(page))
    if host.ours:
        assert page.complaints == []


PRESSED = """async (press) => {
  press.click();
  await new Promise((done) => setTimeout(done, 0));
  const root = press.getRootNode();
  const all = (what) => root.querySelectorAll(what).length;
  const old = root.querySelector("[data-old]")?.textContent ?? "";
  return [old, all(".stale .changes"), all("[data-flips-proven], [data-proven], [data-sentence]")];
}"""


@pytest.mark.parametrize("host", ["web"], indirect=True)
def test_a_changed_lock_makes_the_old_answer_old_at_once(page, host):
    host.open(page, "flips")
    page.locator("[data-sentence]").wait_for()
    moved = sorted(changed(page))
    said, old, claims = lock(page, moved[0]).evaluate(PRESSED)
    assert said.startswith("Looking for the smallest changes")
    assert (old, claims) == (1, 0)
    page.locator("[data-flips=here]").wait_for(timeout=PATIENCE)
    expect(page.locator("[data-sentence]")).to_be_visible()
    expect(page.locator("[data-old], .stale")).to_have_count(0)
    assert page.complaints == []


@pytest.mark.parametrize("host", ["file"], indirect=True)
def test_individual_curves_are_drawn_with_no_network_at_all(page, host):
    page.context.set_offline(True)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    host.open(page, "lines")
    page.locator("[data-sentence]").wait_for()
    assert page.locator("path.other").count() >= 4
    expect(page.locator(".charts path.own[d^=M]").first).to_be_attached()
    page.keyboard.press("c")
    expect(page.get_by_label("Python code")).to_contain_text('method="ice"')
    page.keyboard.press("Escape")
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert page.complaints == []


@pytest.mark.parametrize("host", ["web"], indirect=True)
def test_a_page_with_a_model_saves_itself_and_every_control_has_a_name(page, host):
    host.open(page, "flips")
    page.locator("[data-sentence]").wait_for()
    with page.expect_download() as saved:
        page.keyboard.press("s")
    assert Path(saved.value.path()).read_bytes().startswith(b"<!doctype html>")
    names = page.get_by_role("button").evaluate_all("all => all.map(b => b.getAttribute('aria-label') || b.textContent.trim())")
    assert names
    assert all(names)
    wide = page.evaluate("() => document.documentElement.scrollWidth")
    page.set_viewport_size({"width": 720, "height": 900})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 720 < wide
    assert page.complaints == []
