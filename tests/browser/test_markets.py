"""The Markets page: the words of feeds, and collection switched with a finger."""

from __future__ import annotations

import pytest

from tests.browser.charts import CHART, PHONE, open_chart
from tests.browser.conftest import EXCHANGE

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180)]

ROW = "tr[data-symbol='BTC-USDT']"


def open_markets(page):
    page.goto("/markets/")
    page.wait_for_selector("#connection[data-state=live]")


def wait_for_word(page, word):
    page.wait_for_selector(f"{ROW} .feed .word:text-is('{word}')")


@pytest.mark.parametrize(
    ("state", "age_s", "word", "colour"),
    [
        ("live", 0, "Live", "live"),
        ("degraded", 0, "Degraded", "stale"),
        ("starting", 0, "Starting", "stale"),
        ("failed", 60, "Failed", "off"),
        ("live", 60, "Stale", "stale"),
    ],
)
def test_a_feed_is_what_its_collector_says_though_prices_come(
    open_page, site, state, age_s, word, colour
):
    page = open_page()
    open_markets(page)
    site.publish_collector(state, age_s)
    site.publish_ticker("BTC-USDT", 61_000.0)
    page.wait_for_selector(f"{ROW} .last:text-is('61,000.0')")
    wait_for_word(page, word)
    feed = page.locator(f"{ROW} .feed")
    assert feed.get_attribute("data-state") == colour
    assert feed.get_attribute("title").endswith(".")
    classes = page.locator(ROW).get_attribute("class") or ""
    assert ("is-stale" in classes) == (colour != "live")


def test_without_a_connection_no_feed_is_called_live(open_page, site):
    page = open_page()
    page.expected += ["ERR_INTERNET_DISCONNECTED"]
    open_markets(page)
    site.publish_collector("live")
    wait_for_word(page, "Live")
    words = page.locator("#markets .feed .word")
    before = words.all_inner_texts()
    # Those that have a collector; others may have been given it by the tests before.
    assert before.count("Live") == page.locator(f"#markets tr[data-collector='{EXCHANGE}']").count()
    assert before.count("Live") >= 2
    page.context.set_offline(True)
    wait_for_word(page, "No connection")
    assert "Live" not in words.all_inner_texts()
    assert page.locator("#markets .feed[data-state=live]").count() == 0
    page.context.set_offline(False)
    site.publish_collector("live")
    wait_for_word(page, "Live")
    assert words.all_inner_texts() == before


def test_a_chart_says_that_its_feed_is_degraded_though_candles_come(open_page, site):
    page = open_page()
    site.publish_collector("live")
    open_chart(page)
    page.wait_for_selector("#feed", state="hidden")
    site.publish_collector("degraded")
    page.wait_for_selector("#feed:has-text('Degraded')")
    site.publish_candle("BTC-USDT", "5m", site.end_ms, [60_000.0] * 4)
    page.wait_for_selector("#quote-last:text-is('60,000.0')")
    assert page.locator("#feed").is_visible()
    site.publish_collector("live")
    page.wait_for_selector("#feed", state="hidden")


@pytest.mark.parametrize("size", [PHONE, {}], ids=["phone", "wide"])
def test_collection_is_stopped_after_a_question_and_begun_again(open_page, size):
    page = open_page(**size)
    open_markets(page)
    stop = page.get_by_role("button", name="Stop collecting ETH-USDT")
    assert stop.bounding_box()["height"] >= (44 if size else 32)
    stop.click()
    dialog = page.locator("#stop-collecting")
    assert dialog.locator("h2").inner_text() == "Stop collecting ETH-USDT?"
    dialog.get_by_role("button", name="Keep collecting").click()
    page.wait_for_selector("#stop-collecting", state="hidden")
    assert stop.is_visible()
    stop.click()
    dialog.get_by_role("button", name="Stop", exact=True).click()
    page.wait_for_selector("text=ETH-USDT is no longer collected. Its history stays.")
    page.goto("/markets/?show=all")
    page.get_by_role("button", name="Collect ETH-USDT").click()
    page.wait_for_selector("text=ETH-USDT is collected from now on")
    page.get_by_role("button", name="Stop collecting ETH-USDT").wait_for()


SMALL = """() => [...document.querySelectorAll("a, button, input, summary")]
    .filter((each) => each.checkVisibility({ visibilityProperty: true }))
    .filter((each) => !each.closest("p, .messages, .instrument, .skip-link"))
    .map((each) => [each.outerHTML.slice(0, 80), each.getBoundingClientRect()])
    .filter(([, box]) => box.bottom > 0 && (box.height < 44 || box.width < 36))
    .map(([text, box]) => `${text} ${box.width}x${box.height}`)"""


@pytest.mark.parametrize("path", ["/markets/", "/markets/?show=all", f"{CHART}5m/", "/login/"])
def test_on_a_phone_whatever_is_touched_is_large_enough(open_page, path):
    page = open_page(**PHONE, logged_in=path != "/login/")
    page.goto(path)
    page.wait_for_load_state("networkidle")
    assert page.evaluate(SMALL) == []
    assert page.locator("a, button").count() > 0


def test_on_a_phone_all_timeframes_are_in_sight(open_page):
    page = open_page(**PHONE)
    open_chart(page)
    wanted, given = page.locator(".segmented").evaluate(
        "({ scrollWidth, clientWidth }) => [scrollWidth, clientWidth]"
    )
    assert wanted <= given
    assert page.locator(".segmented a").count() == 6


@pytest.mark.parametrize("opener", ["#symbol-button", "#open-date", "#open-indicators"])
def test_on_a_phone_menus_of_a_chart_are_large_enough(open_page, opener):
    page = open_page(**PHONE)
    open_chart(page)
    page.click(opener)
    page.wait_for_timeout(300)
    assert page.evaluate(SMALL) == []
