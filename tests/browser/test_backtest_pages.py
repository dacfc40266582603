"""The pages of backtests in a browser: ask, watch, read, narrow, compare, look at fills."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import numpy as np
import pytest
from django.contrib.auth import get_user_model
from django.db import connection, connections

from backtests.models import Backtest, Search
from backtests.requests import BacktestRequest
from backtests.services import request_backtest
from backtests.storage import results
from marketdata.models import from_ms, to_ms
from strategies.models import StrategyConfig
from tcpdashboard.common.jobs.runner import run_job
from tcpdashboard.common.models import Job
from tests.browser.charts import PHONE, settle
from tests.browser.conftest import EXCHANGE, NAME

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]

MINUS = "\N{MINUS SIGN}"
# Code may have to be compiled first, on a busy machine.
WORK_MS = 120_000


@pytest.fixture(autouse=True)
def _database(site, static_files, settings, django_db_blocker, monkeypatch):
    """Let tests use the database beside the browser's loop, and the server's folder of results."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    settings.VAR_DIR = static_files
    settings.STORAGES = {
        **settings.STORAGES,
        "artefacts": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": static_files / "artefacts"},
        },
    }
    with django_db_blocker.unblock():
        yield
        Backtest.objects.all().delete()
        Search.objects.all().delete()
        StrategyConfig.objects.all().delete()
        Job.objects.all().delete()
        connection.close()


def ran(site, **changes):
    """Run a backtest of the last two weeks as the logged-in person."""
    end = from_ms(site.end_ms - site.end_ms % 3_600_000)
    asked = {
        "strategy": "ema_crossover",
        "exchange": EXCHANGE,
        "symbol": "BTC-USDT",
        "timeframe": "15m",
        "start_ms": to_ms(end - timedelta(days=14)),
        "end_ms": to_ms(end),
        "parameters": {"fast": 5, "slow": 20},
    }
    owner = get_user_model().objects.get(username=NAME)
    backtest = request_backtest(BacktestRequest(**{**asked, **changes}), owner)
    assert run_job(backtest.job_id) == "done"
    return Backtest.objects.select_related("instrument").get(pk=backtest.pk)


def in_background(job_id):
    """Do a job in a thread, as a worker would beside the browser."""

    def work():
        try:
            run_job(job_id)
        finally:
            connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def open_result(page, backtest):
    page.goto(f"/backtests/{backtest.pk}/")
    page.wait_for_selector("#curve[data-drawn]")
    page.wait_for_selector("#chart[data-drawn]")


def test_a_backtest_is_asked_for_watched_and_read(open_page, site):
    page = open_page()
    page.goto("/backtests/")
    page.click("text=Run the first one")
    page.select_option("#id_strategy", "macd")
    page.wait_for_selector("[name='params.signal']")
    page.select_option("#id_strategy", "ema_crossover")
    page.wait_for_selector("[name='params.signal']", state="detached")
    page.fill("[name='params.fast']", "30")
    page.fill("[name='params.slow']", "20")
    page.select_option("#id_instrument", f"{EXCHANGE}:BTC-USDT")
    page.select_option("#id_timeframe", "15m")
    page.click("#coverage button:text-is('All')")
    page.wait_for_selector("#coverage .state:has-text('of the range is stored complete')")
    page.click("#new-backtest button:has-text('Run')")
    page.wait_for_selector("[id='id_params.fast_error']:has-text('Expected a value below slow')")
    assert page.input_value("[name='params.fast']") == "30"
    page.fill("[name='params.fast']", "5")
    page.fill("[name='trading.stop_loss']", "1")
    page.click("#new-backtest button:has-text('Run')")
    page.wait_for_selector("#progress-word:text-is('Waiting')")
    page.wait_for_selector("#connection[data-state=live]")
    backtest = Backtest.objects.get()
    worker = in_background(backtest.job_id)
    page.wait_for_selector("[data-metric=total_return]", timeout=WORK_MS)
    worker.join()
    backtest.refresh_from_db()
    assert page.url.endswith(f"/backtests/{backtest.pk}/")
    assert (backtest.parameters["fast"], backtest.trading["stop_loss"]) == (5, "0.01")
    shown = page.locator("[data-metric=total_return]").inner_text()
    assert float(shown.replace(MINUS, "-").rstrip("%")) == pytest.approx(
        backtest.metrics["total_return"] * 100, abs=0.006
    )
    trips = page.locator("[data-metric=round_trips]").inner_text()
    assert int(trips.replace(",", "")) == backtest.metrics["round_trips"] > 20


def test_what_is_chosen_before_the_script_is_there_counts(open_page, site):
    page, held = open_page(), []
    page.route("**/backtests/new*.js", lambda route: held.append(route))
    with page.expect_request("**/backtests/new*.js"):
        page.goto("/backtests/new/", wait_until="commit")
    page.select_option("#id_strategy", "macd")
    assert page.locator("[name='params.signal']").count() == 0
    [script] = held
    script.continue_()
    page.wait_for_selector("[name='params.signal']")


def test_a_formula_stands_behind_each_figure(open_page, site):
    page = open_page()
    open_result(page, ran(site))
    page.focus(".metric:has([data-metric=sharpe])")
    page.wait_for_selector("#formula-sharpe:visible")
    formula = page.locator("#formula-sharpe")
    assert "sqrt(365)" in formula.inner_text()
    described = page.locator(".metric:has([data-metric=sharpe])").get_attribute("aria-describedby")
    assert described == "formula-sharpe"
    page.focus(".metric:has([data-metric=calmar])")
    page.wait_for_selector("#formula-calmar:visible")
    assert not formula.is_visible()


def test_the_curve_is_fetched_finer_where_one_zooms_in(open_page, site):
    backtest = ran(site)
    page = open_page()
    open_result(page, backtest)
    count = "document.getElementById('curve').data[1].x.length"
    last = "document.getElementById('curve').data[1].y.at(-1)"
    equity = backtest.curve["equity"][-1]
    assert page.evaluate(last) == pytest.approx(equity)
    box = page.locator("#curve").bounding_box()
    with page.expect_response(re.compile(r"/equity\?")) as answer:
        page.mouse.move(box["x"] + 300, box["y"] + 100)
        page.mouse.down()
        page.mouse.move(box["x"] + 340, box["y"] + 100, steps=5)
        page.mouse.up()
    fetched = answer.value.json()
    assert fetched["time"][1] - fetched["time"][0] == 60_000
    page.wait_for_function(f"() => {count} === {len(fetched['time'])}")
    page.click("#equity-whole")
    page.wait_for_function(f"() => {count} === {len(backtest.curve['equity'])}")


def test_round_trips_are_narrowed_sorted_and_shown_on_the_chart(open_page, site):
    backtest = ran(site)
    trips = results.read_run(backtest).trips
    page = open_page()
    open_result(page, backtest)
    lost = int((trips["profit"] < 0).sum())
    page.select_option("#trade-filters [name=outcome]", "lost")
    page.wait_for_selector(f"#found-trades:text-is('{lost} of {len(trips)}')")
    page.click("#trades .sort:has-text('Profit')")
    page.wait_for_selector("#trades th[aria-sort=descending]:has-text('Profit')")
    page.click("#trades .sort:has-text('Profit')")
    page.wait_for_selector("#trades th[aria-sort=ascending]:has-text('Profit')")
    worst = int(np.argmin(trips["profit"]))
    first = page.locator("#trades tr[data-trade]").first
    assert first.get_attribute("data-trade") == str(worst + 1)
    first.click()
    entry = int(trips["entry_ms"][worst])
    page.wait_for_function(
        """(entry) => {
            const { range } = document.querySelector("#chart .plot").layout.xaxis;
            return range[0] < entry && entry < range[1];
        }""",
        arg=entry,
    )
    with page.expect_download() as download:
        page.click("#trades a:has-text('CSV')")
    lines = download.value.path().read_text().splitlines()
    assert len(lines) == lost + 1
    settle(page)


def test_every_fill_and_what_the_strategy_saw_are_drawn(open_page, site):
    backtest = ran(site)
    run = results.read_run(backtest)
    page = open_page()
    open_result(page, backtest)
    page.click("#price [data-whole]")
    page.wait_for_selector("#price-level:text-is('1h candles')")
    page.wait_for_function(
        "() => document.getElementById('chart').getAttribute('aria-busy') !== 'true'"
    )
    drawn = """() => {
        const traces = document.querySelector("#chart .plot").data;
        const marks = traces.filter(({ marker, name }) => marker && name.startsWith("Backtest"));
        return {
            marks: marks.reduce((sum, { x }) => sum + x.length, 0),
            names: traces.map(({ name }) => name),
            most: Math.max(...traces.map(({ x }) => x.length)),
        };
    }"""
    page.wait_for_function(f"() => ({drawn})().marks === {len(run.fills)}")
    told = page.evaluate(drawn)
    assert {"fast", "slow", "Gains", "Losses"} <= set(told["names"])
    assert page.evaluate("document.querySelector('#chart .plot').data[0].x.length") <= 800
    page.click("#price [data-trip='1']")
    page.wait_for_selector("#trades tr[aria-current][data-trade='1']")
    # What the chart asks for is there until the test ends.
    settle(page)


def test_fills_are_a_layer_of_the_main_chart(open_page, site):
    backtest = ran(site)
    fills = results.read_run(backtest).fills
    page = open_page()
    open_result(page, backtest)
    page.click("text=On the chart")
    page.wait_for_selector("tcp-chart[data-drawn]")
    assert (
        f"layers=backtest%3A{backtest.pk}" in page.url
        or f"layers=backtest:{backtest.pk}" in page.url
    )
    page.click("#ranges [data-hours='720']")
    marks = """document.querySelector("tcp-chart .plot").data
        .filter(({ name, marker }) => marker && name === "Backtest %d")
        .reduce((sum, { x }) => sum + x.length, 0)"""
    page.wait_for_function(f"() => {marks % backtest.pk} === {len(fills)}")
    page.click("#open-layers")
    page.wait_for_selector(f"#layer-menu :text('Backtest {backtest.pk}: EMA crossover')")


def test_two_backtests_are_ticked_and_compared(open_page, site):
    first, second = ran(site), ran(site, parameters={"fast": 8, "slow": 30})
    page = open_page()
    page.goto("/backtests/")
    assert page.locator("#compare").is_disabled()
    for one in (first, second):
        page.check(f"input[name=id][value='{one.pk}']")
    page.click("#compare")
    page.wait_for_selector("#curves[data-drawn]")
    ends = page.evaluate("document.getElementById('curves').data.map(({ y }) => y.at(-1))")
    assert ends == pytest.approx([1 + one.metrics["total_return"] for one in (first, second)])
    left, right = (set(results.read_run(one).trips["entry_ms"].tolist()) for one in (first, second))
    for name, number in (("left", len(left - right)), ("right", len(right - left))):
        assert page.locator(f"[data-count={name}]").inner_text() == str(number)


def test_tags_are_given_in_the_list_and_narrow_it(open_page, site):
    first, second = ran(site), ran(site)
    page = open_page()
    page.goto("/backtests/")
    page.click(f"tr[data-backtest='{first.pk}'] [data-notes]")
    page.fill("#notes-tags", "keep, night")
    page.fill("#notes-text", "the good one")
    page.click("#notes-form button:has-text('Save')")
    page.click(f"tr[data-backtest='{first.pk}'] .tag-word:text-is('night')")
    page.wait_for_selector(f"tr[data-backtest='{second.pk}']", state="detached")
    assert page.locator(f"tr[data-backtest='{first.pk}']").count() == 1
    first.refresh_from_db()
    assert (first.tags, first.notes) == (["keep", "night"], "the good one")


def test_the_list_follows_what_runs(open_page, site):
    done = ran(site)
    page = open_page()
    owner = get_user_model().objects.get(username=NAME)
    asked = request_backtest(
        BacktestRequest(
            strategy="macd",
            exchange=EXCHANGE,
            symbol="BTC-USDT",
            timeframe="1h",
            start_ms=to_ms(done.start),
            end_ms=to_ms(done.end),
        ),
        owner,
    )
    page.goto("/backtests/")
    page.wait_for_selector(f"tr[data-backtest='{asked.pk}'][data-state=waiting]")
    page.wait_for_selector("#connection[data-state=live]")
    in_background(asked.job_id).join()
    page.wait_for_selector(f"tr[data-backtest='{asked.pk}'][data-state=done]")
    asked.refresh_from_db()
    states = page.locator("tr[data-backtest]").evaluate_all(
        "rows => rows.map(({ dataset }) => [Number(dataset.backtest), dataset.state])"
    )
    assert states == [[asked.pk, "done"], [done.pk, "done"]]
    assert asked.result_hash != done.result_hash


def test_a_configuration_is_made_checked_and_backtested(open_page, site):
    page = open_page()
    page.goto("/strategies/")
    page.click("[data-strategy=ema_crossover] a:has-text('Configuration')")
    page.fill("#id_name", "quick")
    page.fill("[name='params.fast']", "0")
    page.click("button:text-is('Save')")
    page.wait_for_selector("[id='id_params.fast_error']")
    page.fill("[name='params.fast']", "5")
    page.fill("[name='params.slow']", "20")
    page.select_option("#id_timeframe", "15m")
    page.click("button:text-is('Save')")
    page.wait_for_selector(".config-list strong:text-is('quick')")
    page.wait_for_selector("#connection[data-state=live]")
    config = StrategyConfig.objects.get()
    page.click(f"[data-config='{config.pk}'] [data-check]")
    page.wait_for_selector(f"[data-config='{config.pk}'] .proof-word[data-tone=busy]")
    in_background(Job.objects.get(kind="strategy_check").pk).join()
    page.wait_for_selector(f"[data-config='{config.pk}'] .proof-word:text-is('Passed its proofs')")
    page.wait_for_selector(".proofs :text('No look-ahead')")
    page.click(f"[data-config='{config.pk}'] a:has-text('Backtest')")
    page.wait_for_selector("[name='params.fast']")
    assert page.input_value("[name='params.fast']") == "5"
    assert page.input_value("#id_config") == str(config.pk)
    assert page.input_value("#id_timeframe") == "15m"


def test_a_search_is_asked_for_followed_and_read(open_page, site):
    page = open_page()
    page.goto("/backtests/searches/new/")
    page.fill("[name='space.fast.min']", "3")
    page.fill("[name='space.fast.max']", "11")
    page.fill("[name='space.slow.min']", "12")
    page.fill("[name='space.slow.max']", "20")
    page.fill("[name='space.slow.step']", "4")
    page.select_option("#id_objective", "total_return")
    page.select_option("#id_timeframe", "1h")
    page.click("button:has-text('Search')")
    page.wait_for_selector("#search-done:text-is('0 of 27 trials')")
    page.wait_for_selector("#connection[data-state=live]")
    search = Search.objects.get()
    worker = in_background(search.jobs.order_by("pk").first().pk)
    page.wait_for_selector("#search-state:text-is('Done')", timeout=WORK_MS)
    worker.join()
    best = search.trials.exclude(objective=None).order_by("-objective", "number").first()
    first = page.locator("#trials tr[data-trial]").first
    assert first.get_attribute("data-trial") == str(best.number)
    assert page.locator("#heat td[class*=heat-]").count() == 27
    page.wait_for_selector("#parallel[data-shown='27']")
    address = page.url
    page.click("#trials a[rel=next]")
    page.wait_for_selector("#trials .pages:has-text('Page 2 of 2')")
    assert page.locator("#trials tr[data-trial]").count() == 2
    page.click("#trials a[rel=prev]")
    page.wait_for_selector("#trials .pages:has-text('Page 1 of 2')")
    assert page.url == address, "a page of the table is not a page of its own"
    page.select_option("#heat [name=metric]", "max_drawdown")
    page.wait_for_selector(
        "#heat [name=metric] option[value=max_drawdown][selected]", state="attached"
    )
    first.locator("a:text-is('Backtest')").click()
    page.wait_for_selector("[name='params.fast']")
    assert page.input_value("[name='params.fast']") == str(best.parameters["fast"])


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_nothing_is_wider_than_a_phone(open_page, site, scheme):
    first, second = ran(site), ran(site, parameters={"fast": 8, "slow": 30})
    page = open_page(color_scheme=scheme, **PHONE)
    paths = (
        "/backtests/",
        "/backtests/new/",
        "/backtests/searches/new/",
        f"/backtests/{first.pk}/",
        f"/backtests/compare/?id={first.pk}&id={second.pk}",
        "/strategies/",
        "/strategies/configs/new/?strategy=macd",
    )
    for path in paths:
        page.goto(path)
        page.wait_for_selector("#connection[data-state=live]")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
