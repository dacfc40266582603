"""A real server on the test database, and a real browser that forgives no error."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import redis
from django.conf import settings
from django.db import connection
from django.utils import timezone

from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.models import Collector
from marketdata.publishing import COLLECTORS_TOPIC, candles_topic, tickers_topic
from marketdata.storage import write_candles
from tcpdashboard.common.realtime import TopicPublisher
from tests.databases import address, copy_template, drop_database, use_database
from tests.marketdata.web.conftest import make_instrument, wandering_minutes
from tests.people import make_staff

EXCHANGE = "okx-sim"
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
DAYS = 31
NAME, PASSWORD = "ann", "a long password"
# Minutes that are missing, counted from the end of history.
HOLE = (300, 240)
# A test may hold an answer back for ever.
ANSWERED_S = 2
COMPLAINT = re.compile(r"\[(warning|error|critical)|^(WARNING|ERROR|CRITICAL)|Traceback|Warning:")

# A server that has more to do than it can does not accept a socket in time: the page tries again,
# and must be connected in the end.
GIVEN_UP = "WebSocket is closed before the connection is established"


@dataclass(frozen=True, slots=True)
class Site:
    """A running server and the end of the history it shows."""

    url: str
    end_ms: int
    publisher: TopicPublisher

    def publish_candle(self, symbol, timeframe, open_ms, prices, *, closed=False):
        """Publish a candle as a collector does; `prices` are open, high, low and close."""
        candle = [open_ms, *prices, 1.5, int(closed)]
        payload = {"candle": candle, "exchange_ms": open_ms + 1000}
        self.publisher.publish(
            candles_topic(EXCHANGE, symbol, Timeframe(timeframe)), payload, closed
        )

    def publish_ticker(self, symbol, last, *, later_ms=1000):
        """Publish the last state of one instrument, so long after the end of history."""
        ticker = {
            "last": last,
            "change_24h": 0.0123,
            "volume_24h_quote": 7_654_321.0,
            "bid": last,
            "ask": last,
            "time_ms": self.end_ms + later_ms,
        }
        self.publisher.publish(tickers_topic(EXCHANGE), {"tickers": {symbol: ticker}})

    def publish_collector(self, state, heartbeat_age_s=0):
        """Publish the state of the collector, as the sweep does every two seconds."""
        heartbeat_ms = int((time.time() - heartbeat_age_s) * 1000)
        row = {"name": EXCHANGE, "exchange": EXCHANGE, "state": state, "heartbeat_ms": heartbeat_ms}
        self.publisher.publish(COLLECTORS_TOPIC, {"collectors": [row]})


@pytest.fixture(scope="session")
def static_files(tmp_path_factory):
    """A var folder with the static files as production serves them: hashed and compressed."""
    folder = tmp_path_factory.mktemp("var")
    run_manage(folder, "collectstatic", "--noinput", "--verbosity=0")
    return folder


@pytest.fixture(scope="module")
def database(django_test_environment, django_db_blocker):
    """A database that the server and no other test uses, because what is in it is committed."""
    outer, own = connection.settings_dict["NAME"], f"test_browser_{os.getpid()}"
    with django_db_blocker.unblock():
        copy_template(own)
        use_database(own)
        yield
        use_database(outer)
        drop_database(own)


@pytest.fixture(scope="module")
def history(database, django_db_blocker):
    """A month of minutes of two instruments, and somebody who may look at them."""
    with django_db_blocker.unblock():
        make_staff(NAME, password=PASSWORD)
        collector = Collector.objects.create(
            name=EXCHANGE, exchange=EXCHANGE, state="live", heartbeat_at=timezone.now()
        )
        minutes = wandering_minutes(DAYS * 1440)
        kept = np.delete(minutes, range(len(minutes) - HOLE[0], len(minutes) - HOLE[1]))
        for symbol in ("BTC-USDT", "ETH-USDT"):
            instrument = make_instrument(symbol, is_enabled=True, collector=collector)
            write_candles(instrument, kept, reason="test")
        make_instrument("ADA-USDT", is_enabled=True)
        connection.close()
    return int(minutes["open_time_ms"][-1]) + MINUTE_MS


@pytest.fixture(scope="module")
def site(history, static_files):
    """The site, served by a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    written = static_files / "server.log"
    log = written.open("wb")
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "uvicorn", "tcpdashboard.asgi:application"),
            *(f"--port={port}", "--lifespan=off", "--log-level=warning"),
        ],
        env=environment(static_files),
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    publisher = TopicPublisher(settings.REDIS_URL)
    try:
        wait_for(f"http://127.0.0.1:{port}/login/", server)
        yield Site(f"http://127.0.0.1:{port}", history, publisher)
    finally:
        publisher.close()
        server.terminate()
        server.wait(20)
        log.close()
    lines = written.read_text().splitlines()
    # A request that the browser gave up, as a chart does when its reader moves on, is no complaint.
    # Neither is an order that is refused: the browser's console tells of it, and is looked at; nor
    # that somebody pressed the kill switch, or asked for a backtest of a form that is not filled.
    known = "request_cancelled|bots_killed| code=409 | code=400 request='POST /bots/new/backtest'"
    lines = [line for line in lines if not re.search(known, line)]
    assert [line for line in lines if COMPLAINT.search(line)] == []


@contextmanager
def launched_browser():
    """Run a browser; without one the test is skipped with the reason."""
    playwright_api = pytest.importorskip("playwright.sync_api")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"the browser tests need Chromium at {CHROMIUM}; see the README")
    with playwright_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def browser(site):
    """A browser; after `site`, because Django's database refuses to work beside its event loop."""
    with launched_browser() as chromium:
        yield chromium


@pytest.fixture
def silence(site):
    """Forget what earlier tests published: a page begins with what is stored."""
    with redis.Redis.from_url(settings.REDIS_URL) as connection:
        for key in connection.scan_iter("rt:*"):
            connection.delete(key)


@pytest.fixture(scope="module")
def session(browser, site):
    """The cookies of somebody who has logged in."""
    with browser.new_context(base_url=site.url) as context:
        log_in(context.new_page())
        return context.storage_state()


@pytest.fixture
def open_page(browser, site, session, silence):
    """Return a function that opens an empty page of a given size, of somebody logged in.

    Whatever a page complains about in its console, scripts that fail and breaches of the content
    policy among it, fails the test, unless the test adds it to `page.expected`.
    """
    contexts, problems, expected, given_up, asked = [], [], [], [], set()

    def opened(width=1440, height=900, logged_in=True, **options):
        context = browser.new_context(
            base_url=site.url,
            viewport={"width": width, "height": height},
            storage_state=session if logged_in else None,
            **options,
        )
        context.set_default_timeout(30_000)
        contexts.append(context)
        context.on("request", lambda request: asked.add(request))
        for answered in ("requestfinished", "requestfailed"):
            context.on(answered, lambda request: asked.discard(request))
        page = context.new_page()
        page.expected = expected
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: note(message, page, problems, given_up))
        page.on("request", lambda request: foreign(request, site.url, problems))
        return page

    yield opened
    for page in dict.fromkeys(given_up):
        page.wait_for_selector("#connection[data-state=live]")
    let_the_server_finish(contexts, asked)
    for context in contexts:
        context.close()
    assert [text for text in problems if not any(re.search(each, text) for each in expected)] == []


def let_the_server_finish(contexts, asked):
    """Wait until no request is under way: it would meet what is cleared away after the test."""
    pages = [page for context in contexts for page in context.pages]
    deadline = time.monotonic() + ANSWERED_S
    while pages and asked and time.monotonic() < deadline:
        pages[0].wait_for_timeout(20)


def note(message, page, problems, given_up):
    if GIVEN_UP in message.text:
        given_up.append(page)
    elif message.type in ("error", "warning"):
        problems.append(message.text)


def foreign(request, url, problems):
    """No asset comes from another host."""
    if not request.url.startswith((url, "data:", "blob:", url.replace("http", "ws"))):
        problems.append(f"asked for {request.url}")


def log_in(page):
    page.goto("/login/")
    page.fill("#id_username", NAME)
    page.fill("#id_password", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url("**/markets/")


def environment(var_folder):
    return {
        **os.environ,
        "DATABASE_URL": address(os.environ["DATABASE_URL"], connection.settings_dict["NAME"]),
        "TCPD_VAR": str(var_folder),
        "TCPD_EXCHANGE": EXCHANGE,
    }


def run_manage(var_folder, *arguments):
    manage = settings.BASE_DIR / "manage.py"
    subprocess.run(
        [sys.executable, manage, *arguments], env=environment(var_folder), check=True, timeout=120
    )


def wait_for(url, server):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")
