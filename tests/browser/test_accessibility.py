"""The pages for people who use keys, hear the page, or want nothing to move."""

from __future__ import annotations

import pytest

from tests.browser.charts import CHART, PHONE, RANGE, open_chart, settle, span

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180)]

PAGES = ["/markets/", f"{CHART}5m/", "/chart/okx-sim/ADA-USDT/5m/", "/login/"]

NAMELESS = """() => [...document.querySelectorAll("a, button, input, select, [role=application]")]
    .filter((each) => each.checkVisibility() && each.type !== "hidden")
    .filter((each) => {
        const labels = [...(each.labels ?? [])].map((label) => label.textContent).join("");
        const own = each.tagName === "INPUT" ? "" : each.textContent;
        return !(each.ariaLabel ?? "").trim() && !labels.trim() && !own.trim();
    })
    .map((each) => each.outerHTML.slice(0, 120))"""

# What the HTML standard allows in a heading, a button or a paragraph.
MISPLACED = """() => [...document.querySelectorAll("h1, h2, h3, p, button, a, span")]
    .filter((each) => each.querySelector("div, ul, ol, section, h1, h2, h3, table, form, p"))
    .map((each) => each.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("path", PAGES)
def test_every_control_has_a_name_and_headings_hold_words_alone(open_page, path):
    page = open_page(logged_in=path != "/login/")
    page.goto(path)
    page.wait_for_load_state("networkidle")
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(MISPLACED) == []
    assert page.locator("h1").count() == 1
    assert page.locator("main").count() == 1
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len(ids) == len(set(ids))


def test_a_chart_leaves_the_focus_where_it_is_and_takes_keys_once_it_has_it(open_page):
    page = open_page()
    page.goto(f"{CHART}5m/")
    page.wait_for_selector("tcp-chart[data-drawn]")
    settle(page)
    assert page.evaluate("document.activeElement === document.body")
    before = page.evaluate(RANGE)
    page.keyboard.press("ArrowLeft")
    settle(page)
    assert page.evaluate(RANGE) == before
    ring = "getComputedStyle(document.querySelector('tcp-chart'), '::after').borderTopStyle"
    assert page.evaluate(ring) == "none"
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "chart":
            break
    assert page.evaluate("document.activeElement.id") == "chart"
    assert page.evaluate(ring) == "solid"
    page.keyboard.press("ArrowLeft")
    settle(page)
    assert page.evaluate(RANGE)[0] < before[0]


def test_keys_alone_move_zoom_and_choose_a_range(open_page):
    page = open_page()
    open_chart(page)
    whole = span(page)
    page.keyboard.press("-")
    settle(page)
    assert span(page) == pytest.approx(whole / 0.7, rel=0.01)
    page.keyboard.press("+")
    settle(page)
    assert span(page) == pytest.approx(whole, rel=0.01)
    page.keyboard.press("Tab")
    for name in ("1H", "4H", "1D", "1W"):
        assert page.evaluate("document.activeElement.textContent") == name
        page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    settle(page)
    assert span(page) == pytest.approx(7 * 86_400_000, rel=0.1)


def test_buttons_move_and_zoom_like_the_mouse(open_page):
    page = open_page()
    open_chart(page)
    start, end = page.evaluate(RANGE)
    page.get_by_role("button", name="Earlier").click()
    settle(page)
    assert page.evaluate(RANGE)[0] == pytest.approx(start - (end - start) / 2, abs=2)
    page.get_by_role("button", name="Later").click()
    settle(page)
    assert page.evaluate(RANGE)[0] == pytest.approx(start, abs=2)
    page.get_by_role("button", name="Zoom in").click()
    settle(page)
    assert span(page) == pytest.approx((end - start) * 0.667, rel=0.01)
    page.get_by_role("button", name="Zoom out").click()
    settle(page)
    assert span(page) == pytest.approx(end - start, rel=0.01)


def test_who_wants_nothing_to_move_sees_nothing_move(open_page):
    page = open_page(reduced_motion="reduce")
    open_chart(page)
    page.evaluate("document.querySelector('tcp-chart .busy').hidden = false")
    style = "getComputedStyle(document.querySelector('tcp-chart .busy'))"
    assert page.evaluate(f"{style}.animationIterationCount") == "1"
    assert float(page.evaluate(f"{style}.animationDuration").removesuffix("s")) < 0.001


def test_dialogs_give_the_focus_back(open_page):
    page = open_page()
    open_chart(page)
    page.focus("#open-indicators")
    page.keyboard.press("Enter")
    page.wait_for_selector("#indicators[open]")
    assert page.evaluate("document.activeElement.closest('dialog')?.id") == "indicators"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "open-indicators"


@pytest.mark.parametrize("size", [{"width": 320, "height": 640}, PHONE], ids=["320", "phone"])
@pytest.mark.parametrize("path", ["/markets/", f"{CHART}5m/"])
def test_a_narrow_screen_needs_no_sideways_scrolling(open_page, path, size):
    page = open_page(**size)
    page.goto(path)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


@pytest.mark.parametrize("path", ["/admin/", "/admin/login/", "/api/v1/docs/"])
def test_pages_of_other_makers_carry_the_announcement_in_sight(open_page, path):
    page = open_page(logged_in=path != "/admin/login/")
    page.goto(path)
    note = page.locator(".simulated")
    note.wait_for()
    box = note.bounding_box()
    assert box["y"] < 120
    assert box["width"] > 300
