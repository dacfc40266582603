"""The Data page in a browser: the map, a day, repairs, decisions, locks and a backfill."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.utils import timezone

from marketdata.backfills import BACKFILL
from marketdata.domain.timeframe import MINUTE_MS, parse_timeframe
from marketdata.models import CandleConflict, Collector, DataGap, Instrument, RangeLock, from_ms
from marketdata.publishing import publish_gaps
from tcpdashboard.common.alerts import raise_alert
from tcpdashboard.common.jobs.progress import publish_job
from tcpdashboard.common.models import Alert, Job
from tests.browser.charts import PHONE
from tests.browser.conftest import HOLE, NAME

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180)]

TILES = [
    "Lag, exchange to commit",
    "Messages",
    "Queues",
    "Beat",
    "Database",
    "Redis",
    "Disk free",
]
CELL = """(kind) => {
    const map = document.querySelector(".heat-canvas");
    const { rows } = JSON.parse(document.getElementById("coverage-figures").textContent);
    const row = rows.findIndex((each) => each.symbol === "BTC-USDT");
    const days = rows[row].states.length;
    const day = rows[row].states.lastIndexOf(kind);
    const box = map.getBoundingClientRect();
    return [((day + 0.5) * box.width) / days, 18 + (row + 0.5) * 22];
}"""


@pytest.fixture(autouse=True)
def _exchange_time(site, django_db_blocker, monkeypatch):
    """Let tests use the database beside the browser's loop; it is the end of history there."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with django_db_blocker.unblock():
        Collector.objects.update(exchange_time=from_ms(site.end_ms + 2 * MINUTE_MS))
        yield
        connection.close()


@pytest.fixture
def rows(_exchange_time):
    """Let a test write rows of its own, committed; what it made is taken away afterwards."""
    yield
    for model in (DataGap, CandleConflict, RangeLock, Job, Alert):
        model.objects.all().delete()


def btc():
    return Instrument.objects.get(symbol="BTC-USDT")


def open_data(page, query=""):
    page.goto(f"/data/{query}")
    page.wait_for_selector("#connection[data-state=live]")


def gap_of(site, **values):
    start = from_ms(site.end_ms) - timedelta(minutes=300)
    values = {"state": "unrepairable", "reason": "nothing is to be had"} | values
    return DataGap.objects.create(
        instrument=btc(),
        kind="candles",
        cause="outage",
        start=start,
        end=start + timedelta(minutes=60),
        **values,
    )


def test_a_missing_day_is_found_on_the_map_and_opened(open_page, site):
    page = open_page()
    open_data(page, "?range=30d")
    x, y = page.evaluate(CELL, "m")
    page.hover(".heat-canvas", position={"x": x, "y": y})
    page.wait_for_selector(".heat-tip:has-text('BTC-USDT'):has-text('Missing, 60 minutes')")
    page.click(".heat-canvas", position={"x": x, "y": y})
    page.wait_for_selector("#day h3:has-text('BTC-USDT on')")
    assert "instrument=BTC-USDT" in page.url
    day = page.locator("#day h3").inner_text()
    page.reload()
    page.wait_for_selector(f"#day h3:text-is('{day}')")
    page.click("#day [data-close-day]")
    assert page.locator("#day").is_hidden()
    assert "day=" not in page.url


def test_the_map_is_read_by_keys_and_as_a_table(open_page, site):
    page = open_page()
    open_data(page, "?range=30d")
    page.focus(".heat-canvas")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector(".heat [aria-live]:has-text(':')", state="attached")
    page.keyboard.press("Enter")
    page.wait_for_selector("#day h3")
    assert page.evaluate("document.activeElement.id") == "day"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.className") == "heat-canvas"
    page.click("summary:has-text('The same as a table')")
    row = page.locator("#coverage-table tr:has(th:text-is('BTC-USDT'))")
    assert row.locator("td").count() == 9


def test_a_gap_is_tried_again_and_lists_follow_what_is_told(open_page, site, rows):
    gap = gap_of(site)
    page = open_page()
    open_data(page)
    page.click(f"[data-repair='{gap.pk}']")
    page.wait_for_selector(f"tr[data-gap-id='{gap.pk}'] [data-gap=open]")
    gap.refresh_from_db()
    assert (gap.state, gap.attempts) == ("open", 0)
    DataGap.objects.filter(pk=gap.pk).update(state="repaired", closed_at=timezone.now())
    publish_gaps({"counts": {"repaired": 1}, "latest": []})
    page.wait_for_selector("#gaps :text('Nothing that was collected is missing.')")
    page.select_option("select[name=state]", "repaired")
    page.wait_for_selector(f"tr[data-gap-id='{gap.pk}']")


def test_a_repair_that_cannot_be_done_says_why(open_page, site, rows):
    gap = gap_of(site)
    page = open_page()
    page.expected += ["409"]
    open_data(page)
    # Nobody is told: the page still shows the gap as it was.
    DataGap.objects.filter(pk=gap.pk).update(state="repaired", closed_at=timezone.now())
    page.click(f"[data-repair='{gap.pk}']")
    page.wait_for_selector("#problem:text-matches('^Candles of .* is repaired: nothing is to do')")
    said = page.inner_text("#problem")
    assert said == f"{str(gap)[0].upper()}{str(gap)[1:]} is repaired: nothing is to do."
    gap.refresh_from_db()
    assert (gap.state, gap.attempts) == ("repaired", 0)


def test_a_range_is_locked_by_the_form_and_unlocked_again(open_page, site, rows):
    page = open_page()
    open_data(page)
    page.click("summary:has-text('Lock a range')")
    page.fill("#lock-symbol", "BTC-USDT")
    page.fill("#lock-start", "2026-11-01T00:00")
    page.fill("#lock-end", "2026-10-01T00:00")
    page.fill("#lock-reason", "checked by hand")
    page.click("#locks .order button")
    page.wait_for_selector("#lock-end-error:text-is('expected a time after start')")
    assert not RangeLock.objects.exists()
    page.fill("#lock-end", "2026-11-02T00:00")
    page.click("#locks .order button")
    page.wait_for_selector("#locks td:has-text('checked by hand')")
    lock = RangeLock.objects.get()
    assert (lock.instrument, lock.reason, lock.made_by.get_username()) == (
        btc(),
        "checked by hand",
        NAME,
    )
    assert lock.start == datetime(2026, 11, 1, tzinfo=UTC)
    assert lock.end == datetime(2026, 11, 2, tzinfo=UTC)
    page.click("#locks button:text-is('Remove')")
    page.wait_for_selector("#locks :text('No range is locked')")
    assert not RangeLock.objects.exists()


def test_a_backfill_is_followed_paused_resumed_and_cancelled(open_page, site, rows):
    page = open_page()
    job = Job.objects.create(
        kind=BACKFILL.name,
        title="candles of okx-sim:BTC-USDT",
        parameters={"exchange": "okx-sim"},
        total=1_000,
        unit="minutes",
    )
    open_data(page)
    element = f"[data-job='{job.pk}']"
    page.wait_for_selector(f"{element} :text('0 of 1,000 minutes')")
    job.done, job.message = 400, "2026-10-03"
    publish_job(job)
    page.wait_for_selector(f"{element} :text('400 of 1,000 minutes')")
    assert page.locator(f"{element} progress").evaluate("(each) => each.value") == 400
    for order, state in (("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled")):
        page.click(f"{element} [data-order={order}]")
        page.wait_for_selector(f"{element}[data-state={state}]")
    assert page.locator(f"{element} [data-order]").count() == 0


@pytest.mark.parametrize("path", ["/data/", "/system/", "/alerts/"])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_nothing_is_wider_than_a_phone(open_page, site, rows, path, scheme):
    gap_of(site)
    raise_alert("feed_stale", "okx-sim:BTC-USDT", "No trade for two minutes.")
    page = open_page(color_scheme=scheme, **PHONE)
    page.goto(path)
    page.wait_for_selector("#connection[data-state=live]")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_the_system_page_shows_every_part(open_page, site):
    page = open_page()
    page.goto("/system/")
    page.wait_for_selector("#tiles dt:text-is('Disk free')")
    assert page.locator("#tiles dt").all_inner_texts() == TILES
    assert "" not in page.locator("#tiles dd.num").all_inner_texts()
    parts = page.locator("main section h2").all_inner_texts()
    assert parts == [
        "Collectors",
        "Workers and queues",
        "Database connections",
        "Statements that took longest in all",
    ]
    page.wait_for_selector("#collectors th:text-is('okx-sim')")
    page.wait_for_selector("#workers [data-rows]:has-text('default')")
    page.wait_for_selector("#database th:has-text('tcpdashboard')")
    page.wait_for_selector("#statements code")


def test_the_bell_rings_on_any_page_and_falls_silent_once_all_is_seen(open_page, site, rows):
    page = open_page()
    page.goto("/markets/")
    page.wait_for_selector("#connection[data-state=live]")
    raise_alert("feed_stale", "okx-sim:BTC-USDT", "No trade for two minutes.")
    page.wait_for_selector("#bell-count:text-is('1')")
    page.click("#bell")
    page.wait_for_selector(".one-alert:has-text('No trade for two minutes.')")
    page.click("[data-acknowledge=all]")
    page.wait_for_selector(".one-alert:has-text('acknowledged by ann')")
    page.wait_for_selector("#bell-count", state="hidden")
    alert = Alert.objects.get()
    assert alert.acknowledged_by.get_username() == NAME
    assert alert.acknowledged_at is not None


def test_the_chart_says_how_whole_its_candles_are_and_leads_to_the_day(open_page, site):
    page = open_page()
    page.goto("/chart/okx-sim/BTC-USDT/1m/")
    page.wait_for_selector("#integrity[data-tone]:has-text('complete')")
    page.click("#integrity")
    page.wait_for_selector("#day h3:has-text('BTC-USDT on')")
    query = parse_qs(urlsplit(page.url).query)
    day = from_ms(site.end_ms - MINUTE_MS).date()
    assert urlsplit(page.url).path == "/data/"
    assert (query["instrument"], query["day"]) == (["BTC-USDT"], [day.isoformat()])


def test_an_outage_of_one_instrument_shows_as_missing_while_it_lasts(open_page, site, rows):
    page = open_page()
    with page.expect_response("**/api/v1/integrity/**") as before:
        page.goto("/chart/okx-sim/BTC-USDT/1m/")
    page.wait_for_selector("#connection[data-state=live]")
    later_ms = 10 * MINUTE_MS + 5_000
    Collector.objects.update(exchange_time=from_ms(site.end_ms + later_ms))
    with page.expect_response("**/api/v1/integrity/**") as during:
        site.publish_ticker("ETH-USDT", 3_000.0, later_ms=later_ms)
    whole, lacking = before.value.json(), during.value.json()
    # The last minute may still come.
    assert (whole["end"], lacking["end"]) == (site.end_ms, site.end_ms + 9 * MINUTE_MS)
    assert lacking["missing"] == whole["missing"] + 9
    page.wait_for_selector(f"#integrity[data-tone=warn][title*='{lacking['missing']} missing']")


@pytest.mark.parametrize("range_", ["24", "720", "all"])
def test_candles_that_are_to_come_or_before_the_first_are_no_fault(open_page, site, range_):
    page = open_page()
    page.goto("/chart/okx-sim/BTC-USDT/1m/")
    page.wait_for_selector("#integrity[data-tone]:has-text('complete')")
    with page.expect_response("**/api/v1/integrity/**") as asked:
        page.click(f"#ranges [data-hours='{range_}']")
    found = asked.value.json()
    # One stretch of minutes is missing in the history that the site shows, and nothing else.
    step_ms = parse_timeframe(found["timeframe"]).ms
    lacking_ms = (found["missing"] + found["incomplete"]) * step_ms
    hole_ms = (HOLE[0] - HOLE[1]) * MINUTE_MS
    assert hole_ms <= lacking_ms <= hole_ms + 2 * step_ms
    assert found["end"] <= site.end_ms
