"""The pages as a person meets them: a real browser, a real server, stored and live candles."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime

import pytest

from marketdata.domain.timeframe import MINUTE_MS
from tests.browser.charts import CHART, FIRST, PHONE, PLOT, RANGE, open_chart, settle, span, touch
from tests.browser.conftest import NAME, PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180)]

# ---------------------------------------------------------------------- logging in, markets


def test_a_person_logs_in_sees_live_markets_and_logs_out(open_page, site):
    page = open_page(logged_in=False)
    page.goto("/markets/")
    page.fill("#id_username", NAME)
    page.fill("#id_password", "wrong")
    page.click("button[type=submit]")
    page.wait_for_selector("text=That name and password do not go together")
    page.fill("#id_password", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url("**/markets/")
    row = page.locator("tr[data-symbol='BTC-USDT']")
    assert re.fullmatch(r"[\d,]+\.\d", row.locator(".last").inner_text())
    assert row.locator("polyline").count() == 1
    page.wait_for_selector("#connection[data-state=live]")
    site.publish_ticker("BTC-USDT", 61_234.5)
    page.wait_for_selector("tr[data-symbol='BTC-USDT'] .last:text-is('61,234.5')")
    assert row.locator(".change").inner_text() == "+1.23%"
    site.publish_collector("live")
    page.wait_for_selector("tr[data-symbol='BTC-USDT'] .word:text-is('Live')")
    page.click("text=ann")
    page.click("text=Log out")
    page.wait_for_url("**/login/")


def test_the_filter_answers_while_one_types(open_page):
    page = open_page()
    page.goto("/markets/")
    page.fill("#market-filter", "eth")
    assert page.locator("tr[data-symbol]:visible").count() == 1
    page.fill("#market-filter", "nothing")
    page.wait_for_selector("text=No symbol in this list has these letters.")


def test_dark_or_light_is_remembered(open_page):
    page = open_page(color_scheme="dark")
    page.goto("/markets/")
    theme = "document.documentElement.dataset.bsTheme"
    assert page.evaluate(theme) == "dark"
    page.click("#theme-toggle")
    assert page.evaluate(theme) == "light"
    open_chart(page)
    assert page.evaluate(theme) == "light"


# ---------------------------------------------------------------------- drawing


def test_a_chart_shows_a_month_of_candles_with_volume_rsi_and_macd(open_page):
    page = open_page()
    open_chart(page)
    assert page.locator(".plot .cartesianlayer .subplot").count() == 4
    assert page.locator(".plot .boxlayer path.box").count() > 100
    legends = page.locator(".legend").all_inner_texts()
    assert re.search(r"O\s*[\d,.]+\s*H\s*[\d,.]+\s*L\s*[\d,.]+\s*C\s*[\d,.]+", legends[0])
    assert "EMA 20" in legends[0]
    assert re.match(r"RSI 14\s+\d", legends[2])
    assert re.match(r"MACD 12 26 9\s+\S*\d", legends[3])
    page.click("[data-hours='720']")
    settle(page)
    assert span(page) == pytest.approx(30 * 86_400_000, rel=0.1)
    assert page.locator("[data-timeframe='4h']").get_attribute("aria-current") == "true"


def test_values_under_the_cursor_are_read_in_every_pane(open_page):
    page = open_page()
    open_chart(page)
    before = page.locator(".legend").all_inner_texts()
    assert len(before) == 4
    box = page.locator("tcp-chart").bounding_box()
    page.mouse.move(box["x"] + 400, box["y"] + 150)
    page.wait_for_selector(".tag.time:visible")
    assert page.locator(".tag.value").is_visible()
    after = page.locator(".legend").all_inner_texts()
    assert all(one != other for one, other in zip(before, after, strict=True))
    page.mouse.move(5, 5)
    page.wait_for_selector(".tag.time", state="hidden")


def test_missing_minutes_are_a_shaded_gap_and_no_line_crosses_it(open_page, site):
    page = open_page()
    open_chart(page, "1m/", start=site.end_ms - 400 * MINUTE_MS, end=site.end_ms - 150 * MINUTE_MS)
    shapes = page.evaluate(f"{PLOT}.layout.shapes.filter((shape) => shape.type === 'rect')")
    assert [(shape["x0"], shape["x1"]) for shape in shapes] == [
        (site.end_ms - 300 * MINUTE_MS, site.end_ms - 240 * MINUTE_MS)
    ]
    assert page.evaluate(f"{PLOT}.data.every((trace) => !trace.connectgaps)")


# ---------------------------------------------------------------------- moving


def test_going_back_loads_history_and_keeps_the_candles_until_it_comes(open_page):
    page = open_page()
    open_chart(page)
    first = page.evaluate(FIRST)
    for _ in range(16):
        page.keyboard.press("ArrowLeft")
    settle(page)
    assert page.evaluate(FIRST) < first
    start, end = page.evaluate(RANGE)
    times = page.evaluate(f"{PLOT}.data[0].x")
    assert times[0] <= start
    assert times[-1] >= end
    assert page.locator(".jump").is_visible()
    assert page.locator("#follow").get_attribute("aria-pressed") == "false"
    page.click(".jump")
    settle(page)
    assert page.locator("#follow").get_attribute("aria-pressed") == "true"
    assert page.locator(".jump").is_hidden()


def test_home_leads_to_the_first_candle_and_end_back_to_now(open_page):
    page = open_page()
    open_chart(page)
    _, now = page.evaluate(RANGE)
    page.keyboard.press("Home")
    settle(page)
    assert page.evaluate(FIRST) == page.evaluate(RANGE)[0]
    page.keyboard.press("End")
    settle(page)
    assert page.evaluate(RANGE)[1] == now


def test_dragging_moves_time_and_the_scale_follows_what_is_visible(open_page):
    page = open_page()
    open_chart(page)
    before, scale = page.evaluate(RANGE), page.evaluate(f"{PLOT}.layout.yaxis.range")
    box = page.locator("tcp-chart").bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + 900, box["y"] + 150, steps=8)
    page.mouse.up()
    settle(page)
    after = page.evaluate(RANGE)
    assert after[1] < before[1]
    assert after[1] - after[0] == pytest.approx(before[1] - before[0], rel=0.01)
    assert page.evaluate(f"{PLOT}.layout.yaxis.range") != scale
    candles = page.evaluate(
        f"""(() => {{
            const [{{ x, high, low }}, [start, end]] = [{PLOT}.data[0], {RANGE}];
            const seen = [...x.keys()].filter((row) => x[row] > start && x[row] < end);
            const values = (column) => seen.map((row) => column[row]);
            return [Math.min(...values(low)), Math.max(...values(high))];
        }})()"""
    )
    low, high = page.evaluate(f"{PLOT}.layout.yaxis.range")
    assert low < candles[0] < candles[1] < high


def test_the_wheel_zooms_out_to_longer_candles_and_says_so(open_page):
    page = open_page()
    open_chart(page, "1m/")
    box = page.locator("tcp-chart").bounding_box()
    page.mouse.move(box["x"] + 700, box["y"] + 150)
    for _ in range(14):
        page.mouse.wheel(0, 300)
        page.wait_for_timeout(100)
    settle(page)
    assert re.fullmatch(r"(5m|15m|1h) \(auto\)", page.locator("#level").inner_text())
    assert page.locator("[data-timeframe='1m']").get_attribute("aria-current") == "true"
    assert len(page.evaluate(f"{PLOT}.data[0].x")) <= 800


def test_another_timeframe_keeps_the_time_that_is_looked_at(open_page, site):
    page = open_page()
    middle = site.end_ms - 5 * 86_400_000
    open_chart(page, "15m/", start=middle - 86_400_000, end=middle + 86_400_000)
    page.keyboard.press("4")
    page.wait_for_url("**/1h/**")
    settle(page)
    assert page.evaluate(RANGE) == [middle - 86_400_000, middle + 86_400_000]
    page.reload()
    page.wait_for_selector("tcp-chart[data-drawn]")
    assert page.evaluate(RANGE) == [middle - 86_400_000, middle + 86_400_000]


def test_going_to_a_date_shows_it_in_the_middle(open_page, site):
    page = open_page()
    open_chart(page)
    page.keyboard.press("g")
    page.fill("#go-to-date", "2026-11-10T12:00")
    page.keyboard.press("Enter")
    settle(page)
    start, end = page.evaluate(RANGE)
    assert (start + end) / 2 == pytest.approx(1_794_312_000_000, abs=MINUTE_MS)


# ---------------------------------------------------------------------- live


def test_the_forming_candle_moves_without_a_redraw(open_page, site):
    page = open_page()
    open_chart(page)
    last = page.evaluate(f"{PLOT}.data[0].close.at(-1)")
    site.publish_candle("BTC-USDT", "5m", site.end_ms, [last, last, last, last])
    page.wait_for_selector(f".tag.last:text-is('{last:,.1f}')")
    settle(page)
    drawn = page.locator("tcp-chart").get_attribute("data-drawn")
    moved = last + 0.3
    site.publish_candle("BTC-USDT", "5m", site.end_ms, [last, moved, last, moved])
    page.wait_for_selector(f".tag.last:text-is('{moved:,.1f}')")
    assert page.locator(".overlay .candle-up").count() == 1
    assert page.locator("tcp-chart").get_attribute("data-drawn") == drawn
    assert page.locator("#quote-last").inner_text() == f"{moved:,.1f}"


def test_following_the_view_goes_one_candle_further_with_each_new_one(open_page, site):
    page = open_page()
    open_chart(page, "15m/")
    before = page.evaluate(RANGE)
    price = page.evaluate(f"{PLOT}.data[0].close.at(-1)")
    site.publish_candle("BTC-USDT", "15m", site.end_ms, [price] * 4)
    page.wait_for_function(f"() => {RANGE}[0] === {before[0] + 15 * MINUTE_MS}")
    assert span(page) == before[1] - before[0]


def test_a_closed_candle_costs_one_window_and_one_redraw(open_page, site):
    page = open_page()
    open_chart(page, "1d/", indicators="sma:5")
    settle(page)
    asked = []
    page.on("request", lambda request: "/window?" in request.url and asked.append(request.url))
    drawn = int(page.locator("tcp-chart").get_attribute("data-drawn"))
    price = page.evaluate(f"{PLOT}.data[0].close.at(-1)")
    site.publish_candle("BTC-USDT", "1d", site.end_ms, [price] * 4, closed=True)
    site.publish_candle("BTC-USDT", "1d", site.end_ms + 86_400_000, [price] * 4)
    page.wait_for_function("() => document.querySelectorAll('.overlay .candle-up').length === 2")
    settle(page)
    settle(page)
    assert len(asked) == 1
    assert int(page.locator("tcp-chart").get_attribute("data-drawn")) == drawn + 1


def test_while_a_person_looks_at_the_past_nothing_moves(open_page, site):
    page = open_page()
    open_chart(page, "1h/")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    settle(page)
    before = page.evaluate(RANGE), page.evaluate(f"{PLOT}.layout.yaxis.range")
    for step in range(3):
        open_ms = site.end_ms + step * 3_600_000
        site.publish_candle("BTC-USDT", "1h", open_ms, [61_000.0] * 4, closed=step < 2)
    page.wait_for_selector("#quote-last:text-is('61,000.0')")
    settle(page)
    assert (page.evaluate(RANGE), page.evaluate(f"{PLOT}.layout.yaxis.range")) == before
    assert page.locator("#follow").get_attribute("aria-pressed") == "false"


def test_with_follow_switched_off_at_the_edge_the_view_stays(open_page, site):
    page = open_page()
    open_chart(page, "4h/")
    page.click("#follow")
    before = page.evaluate(RANGE)
    price = page.evaluate(f"{PLOT}.data[0].close.at(-1)")
    for step in range(2):
        open_ms = site.end_ms + step * 4 * 3_600_000
        site.publish_candle("BTC-USDT", "4h", open_ms, [price] * 4)
    page.wait_for_selector(".overlay .candle-up")
    settle(page)
    assert page.evaluate(RANGE) == before


# ---------------------------------------------------------------------- controls


def test_indicators_are_chosen_kept_in_the_address_and_remembered(open_page):
    page = open_page()
    open_chart(page)
    page.keyboard.press("i")
    page.click("[aria-label='Add Simple moving average']")
    page.wait_for_selector(".legend:has-text('SMA 20')")
    page.fill("#chosen li:last-child input", "50")
    page.keyboard.press("Tab")
    page.wait_for_selector(".legend:has-text('SMA 50')")
    page.click("[aria-label='Remove MACD']")
    page.wait_for_function("() => document.querySelectorAll('.legend').length === 3")
    page.keyboard.press("Escape")
    assert "indicators=ema:20,rsi:14,sma:50" in page.url
    page.goto("/chart/okx-sim/ETH-USDT/1h/")
    page.wait_for_selector(".legend:has-text('SMA 50')")


def test_another_symbol_is_found_by_keys(open_page):
    page = open_page()
    open_chart(page)
    page.keyboard.press("s")
    page.wait_for_selector("#symbol-filter:focus")
    page.keyboard.type("eth")
    page.keyboard.press("Enter")
    page.wait_for_url("**/chart/okx-sim/ETH-USDT/5m/**")
    page.wait_for_selector("tcp-chart[data-drawn]")
    assert page.inner_text("h1") == "Chart of ETH-USDT"
    assert page.inner_text("#symbol-button").strip() == "ETH-USDT"


def test_what_is_shown_can_be_read_as_a_table_and_taken_as_a_file(open_page, site):
    page = open_page()
    open_chart(page, "15m/", indicators="sma:20")
    start, _ = page.evaluate(RANGE)
    price = page.evaluate(f"{PLOT}.data[0].close.at(-1)")
    site.publish_candle("BTC-USDT", "15m", site.end_ms, [price, price + 2, price - 2, price + 1])
    page.wait_for_selector(f".tag.last:text-is('{price + 1:,.1f}')")
    page.wait_for_function(f"() => {RANGE}[0] === {start + 15 * MINUTE_MS}")
    settle(page)
    page.keyboard.press("t")
    shown = table_of(page)
    assert len(shown) > 100
    page.click("[aria-label='Export what is shown']")
    assert "closed is 0 for the one that is still forming" in page.inner_text(".export-menu")
    with page.expect_download() as download:
        page.click("[data-export=csv]")
    with download.value.path().open() as file:
        candles = list(csv.DictReader(file))
    assert download.value.suggested_filename == "okx-sim-BTC-USDT-15m.csv"
    assert [float(row["close"]) for row in candles] == [close for _, close in reversed(shown)]
    assert [row["closed"] for row in candles] == ["1"] * (len(candles) - 1) + ["0"]
    assert shown[0] == (f"{time_of(candles[-1])} forming", price + 1)
    assert all(float(row["sma:20.sma"]) > 0 for row in candles[:-1])


def test_an_open_table_follows_the_candles_and_keeps_its_rows(open_page, site):
    page = open_page()
    open_chart(page, "15m/")
    page.keyboard.press("t")
    before = table_of(page)
    page.evaluate("window.kept = document.querySelector('#table-panel tbody').children[5]")
    price = page.evaluate(f"{PLOT}.data[0].close.at(-1)")
    for close in (price + 1, price + 2):
        site.publish_candle("BTC-USDT", "15m", site.end_ms, [price, price + 3, price - 3, close])
        page.wait_for_selector(f"#table-panel tbody tr:first-child :text-is('{close:,.1f}')")
    after = table_of(page)
    assert after[1 : len(before)] == before[: len(before) - 1]
    assert page.evaluate("window.kept.isConnected && window.kept.sectionRowIndex") == 6
    assert page.locator("#table-panel").get_attribute("tabindex") == "0"


def table_of(page):
    """Return the times and the closes of the table, newest first."""
    rows = page.locator("#table-panel tbody tr")
    times = rows.locator("th").all_inner_texts()
    closes = rows.locator("td:nth-child(5)").all_inner_texts()
    pairs = zip(times, closes, strict=True)
    return [(time, float(close.replace(",", ""))) for time, close in pairs]


def time_of(candle):
    opened = datetime.fromtimestamp(int(candle["open_time_ms"]) / 1000, UTC)
    return opened.strftime("%Y-%m-%d %H:%M")


def test_the_keys_read_candles_aloud(open_page):
    page = open_page()
    open_chart(page)
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    said = page.locator("#chart-reading").inner_text()
    assert re.match(r"2026-\d\d-\d\d \d\d:\d\d, open [\d.]+, high", said)
    page.keyboard.press("?")
    page.wait_for_selector("#help[open]")


def test_an_answer_that_does_not_come_is_told_and_can_be_asked_for_again(open_page):
    page = open_page()
    page.expected += ["Failed to load resource", "503"]
    open_chart(page)
    candles = page.locator(".plot .boxlayer path.box").count()
    page.route("**/window?*", lambda route: route.fulfill(status=503, body="busy"))
    for _ in range(16):
        page.keyboard.press("ArrowLeft")
    page.wait_for_selector("text=The server answered with an error (503).")
    assert page.locator(".plot .boxlayer path.box").count() == candles
    page.unroute("**/window?*")
    page.click("text=Try again")
    page.wait_for_selector(".chart-problem", state="hidden")


# ---------------------------------------------------------------------- phones


@pytest.mark.parametrize("path", ["/markets/", f"{CHART}5m/", "/chart/okx-sim/ADA-USDT/5m/"])
def test_on_a_phone_nothing_is_wider_than_the_screen(open_page, path):
    page = open_page(**PHONE)
    page.goto(path)
    page.wait_for_selector(".bottom-nav >> text=Markets")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator(".bottom-nav a").first.bounding_box()["height"] >= 44


def test_on_a_phone_one_finger_moves_and_two_zoom(open_page):
    page = open_page(**PHONE)
    open_chart(page, "15m/")
    assert page.locator(".plot .cartesianlayer .subplot").count() == 4
    before = page.evaluate(RANGE)
    touch(page, [[(100, 300)], *[[(100 + step * 20, 300)] for step in range(1, 8)]])
    settle(page)
    moved = page.evaluate(RANGE)
    assert moved[1] < before[1]
    pinch = [[(180 - step * 8, 300), (200 + step * 8, 300)] for step in range(10)]
    touch(page, pinch)
    settle(page)
    assert span(page) < (moved[1] - moved[0]) * 0.7


# ---------------------------------------------------------------------- scales


def test_prices_stand_on_a_logarithmic_or_a_percent_scale(open_page, site):
    page = open_page()
    open_chart(page, "4h/")
    axis = f"{PLOT}.layout.yaxis"
    low, high = page.evaluate(f"{axis}.range")
    page.keyboard.press("l")
    page.wait_for_function(f"() => {axis}.type === 'log'")
    shown = [10**value for value in page.evaluate(f"{axis}.range")]
    assert shown == pytest.approx([low, high], rel=0.02)
    last = page.evaluate(f"{PLOT}.data[0].close.at(-1)")
    site.publish_candle("BTC-USDT", "4h", site.end_ms, [last, last, last, last])
    page.wait_for_selector(f".tag.last:text-is('{last:,.1f}')")
    # The last price, which is ours, stands where Plotly's axis says.
    settle(page)
    expected = page.evaluate(
        f"(() => {{ const axis = {PLOT}._fullLayout.yaxis;"
        f" return axis._offset + axis.c2p({last}); }})()"
    )
    drawn = page.locator(".overlay .last-line").get_attribute("y1")
    assert float(drawn) == pytest.approx(expected, abs=1.5)
    page.keyboard.press("p")
    page.wait_for_function(f"() => {axis}.type === 'linear'")
    texts = page.evaluate(f"{axis}.ticktext")
    assert len(texts) >= 4
    assert all(re.fullmatch(r"[+\N{MINUS SIGN}]\d+\.\d\d%", text) for text in texts)
    values = page.evaluate(f"{axis}.tickvals")
    ((base, zero),) = [
        pair for pair in zip(values, texts, strict=True) if pair[1].endswith("0.00%")
    ][:1]
    assert zero == "+0.00%"
    start, _ = page.evaluate(RANGE)
    times, closes = page.evaluate(f"[{PLOT}.data[0].x, {PLOT}.data[0].close]")
    first = next(row for row, time in enumerate(times) if time + 4 * 3_600_000 > start)
    assert base == pytest.approx(closes[first])
    assert page.locator("[data-scale=percent]").get_attribute("aria-pressed") == "true"
    assert page.locator(".tag.last").inner_text().endswith("%")
    page.reload()
    page.wait_for_selector("tcp-chart[data-drawn]")
    assert page.locator("[data-scale=percent]").get_attribute("aria-pressed") == "true"
    page.click("[data-scale=percent]")
    page.wait_for_function(f"() => !{axis}.ticktext")
    assert page.evaluate(f"{axis}.type") == "linear"
