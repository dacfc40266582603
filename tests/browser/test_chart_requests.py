"""What a chart asks for when answers are slow, fail, or overtake each other."""

from __future__ import annotations

import pytest

from tests.browser.charts import PLOT, open_chart, settle

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180)]

SMA = "[aria-label='Add Simple moving average']"
COLUMNS = f"{PLOT}.data.map((trace) => trace.meta.column)"


def add_sma(page):
    page.keyboard.press("i")
    page.click(SMA)
    page.keyboard.press("Escape")
    page.focus("tcp-chart")


def test_an_indicator_comes_though_the_person_moves_on_before_its_answer(open_page):
    page = open_page()
    open_chart(page, indicators="rsi:14")
    held = []
    page.route("**/figure?*", lambda route: held.append(route))
    add_sma(page)
    page.wait_for_function("() => document.querySelector('tcp-chart').ariaBusy === 'true'")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    # Far enough to need another window: the request for the figure is given up for it.
    for _ in range(16):
        page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(400)
    assert len(held) >= 2
    assert not any("/window?" in url for url in asked)
    page.unroute("**/figure?*")
    page.wait_for_selector(".legend:has-text('SMA 20')")
    settle(page)
    assert "sma:20.sma" in page.evaluate(COLUMNS)
    start, _ = page.evaluate(f"{PLOT}.layout.xaxis.range")
    assert page.evaluate(f"{PLOT}.data[0].x[0]") <= start


def test_a_candle_that_closes_does_not_take_the_indicator_away(open_page, site):
    page = open_page()
    open_chart(page, "5m/", indicators="rsi:14")
    held = []
    page.route("**/figure?*", lambda route: held.append(route))
    add_sma(page)
    price = page.evaluate(f"{PLOT}.data[0].close.at(-1)")
    site.publish_candle("BTC-USDT", "5m", site.end_ms, [price] * 4, closed=True)
    deadline(page, lambda: len(held) >= 2)
    assert "sma:20.sma" not in page.evaluate(COLUMNS)
    page.unroute("**/figure?*")
    page.wait_for_selector(".legend:has-text('SMA 20')")
    settle(page)
    assert "sma:20.sma" in page.evaluate(COLUMNS)


def test_trying_again_after_a_failure_brings_the_indicator(open_page):
    page = open_page()
    page.expected += ["Failed to load resource", "503"]
    open_chart(page, indicators="rsi:14")
    page.route("**/figure?*", lambda route: route.fulfill(status=503, body="busy"))
    add_sma(page)
    page.wait_for_selector("text=The server answered with an error (503).")
    page.unroute("**/figure?*")
    page.click("text=Try again")
    page.wait_for_selector(".chart-problem", state="hidden")
    page.wait_for_selector(".legend:has-text('SMA 20')")
    settle(page)
    assert "sma:20.sma" in page.evaluate(COLUMNS)


def test_once_a_figure_came_windows_are_enough_again(open_page):
    page = open_page()
    open_chart(page, indicators="rsi:14")
    add_sma(page)
    page.wait_for_selector(".legend:has-text('SMA 20')")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for _ in range(16):
        page.keyboard.press("ArrowLeft")
    settle(page)
    assert any("/window?" in url for url in asked)
    assert not any("/figure?" in url for url in asked)


def deadline(page, is_done, limit_ms=10_000):
    """Let the page go on until `is_done`."""
    for _ in range(limit_ms // 100):
        if is_done():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it did not happen")
