"""What a newcomer meets: `./dev up`, the printed address, a live chart with a month behind it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import launched_browser
from tests.processes import everything_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[2]
READY_S, MONTH_S, STOP_S, LIVE_S = 120, 180, 10, 10
MONTH_MS = 30 * 86_400_000
PLOT = "document.querySelector('tcp-chart .plot')"

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(420)]


@dataclass
class House:
    """Everything that `./dev up` runs, and what it has printed so far."""

    process: subprocess.Popen[str]
    var: Path
    port: int
    said: list[str] = field(default_factory=list)

    @property
    def log(self) -> str:
        return "".join(self.said)

    def wait_for(self, pattern: str, within_s: float) -> re.Match[str]:
        """Wait until the log says `pattern`."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline and self.process.poll() is None:
            if found := re.search(pattern, self.log):
                return found
            time.sleep(0.1)
        raise AssertionError(f"not said within {within_s} s: {pattern}\n{self.log[-4000:]}")

    def members(self) -> list[int]:
        """Return every process that belongs to this var folder, the engines among them."""
        return everything_of(self.var)


@pytest.fixture
def house() -> Iterator[House]:
    with tempfile.TemporaryDirectory(prefix="tcpd-house-") as folder:
        var = Path(folder)
        var.chmod(0o711)
        with running_house(var) as house:
            yield house


@contextlib.contextmanager
def running_house(var: Path) -> Iterator[House]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # As on a machine that gives no addresses: the house starts its own engines.
    given = ("DATABASE_URL", "REDIS_URL", "TCPD_VAR", "TCPD_SECRET_KEY", "TCPD_TEST_DATABASE_URL")
    environment = {name: value for name, value in os.environ.items() if name not in given}
    # A month of five instruments would take a minute and a half at the exchange's limits.
    environment["TCPD_OKX_LIMITS"] = "0"
    process = subprocess.Popen(
        [sys.executable, ROOT / "dev", "up", "--port", str(port), "--exchange", "okx-sim"],
        env={**environment, "TCPD_VAR": str(var)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    house = House(process, var, port)
    reader = threading.Thread(target=lambda: house.said.extend(process.stdout or ()))
    reader.start()
    try:
        yield house
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        for member in house.members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
        process.wait()
        reader.join()
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture
def page() -> Iterator[Page]:
    with launched_browser() as browser:
        yield browser.new_page(viewport={"width": 1440, "height": 900})


def test_a_newcomer_sees_a_month_of_candles_that_goes_on_live(page: Page, house: House) -> None:
    house.wait_for(rf"http://[\w.]+:{house.port}", READY_S)
    log_in(house, page)
    assert "simulated" in page.locator("body").inner_text().lower()

    page.goto(f"http://127.0.0.1:{house.port}/chart/okx-sim/BTC-USDT/1h/")
    wait_for_a_month(page)
    legends = " ".join(page.locator(".legend").all_inner_texts())
    assert re.search(r"RSI 14\s+\d", legends)
    assert re.search(r"MACD 12 26 9\s+\S*\d", legends)

    page.goto(f"http://127.0.0.1:{house.port}/chart/okx-sim/BTC-USDT/5m/")
    page.wait_for_selector("tcp-chart[data-drawn]")
    see_the_last_candle_change(page)
    see_a_new_candle_when_sped_up(house, page)
    stop_in_peace(house)


def log_in(house: House, page: Page) -> None:
    password = (house.var / "admin-password").read_text().strip()
    assert (house.var / "admin-password").stat().st_mode & 0o777 == 0o600
    assert password in house.log
    page.goto(f"http://127.0.0.1:{house.port}/")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_url("**/markets/")


def wait_for_a_month(page: Page) -> None:
    """Ask for a month until all of it is there: it is loaded while one looks."""
    deadline = time.monotonic() + MONTH_S
    while time.monotonic() < deadline:
        page.wait_for_selector("tcp-chart[data-drawn]")
        page.click("[data-hours='720']")
        page.wait_for_timeout(1500)
        times = page.evaluate(f"Array.from({PLOT}.data[0].x, Number)")
        if times[-1] - times[0] >= MONTH_MS * 0.97:
            return
        page.reload()
    raise AssertionError(f"{(times[-1] - times[0]) / 86_400_000:.1f} days after {MONTH_S} s")


def see_the_last_candle_change(page: Page) -> None:
    page.wait_for_selector("#connection[data-state=live]")
    before = page.locator(".legend").first.inner_text()
    page.wait_for_function(
        "text => document.querySelector('.legend').innerText !== text",
        arg=before,
        timeout=LIVE_S * 1000,
    )


def see_a_new_candle_when_sped_up(house: House, page: Page) -> None:
    newest = f"Number({PLOT}.data[0].x.at(-1))"
    before = page.evaluate(newest)
    addresses = json.loads((house.var / "run" / "engines.json").read_text())["addresses"]
    request = urllib.request.Request(
        f"{addresses['TCPD_OKX_REST_URL']}/control/speed", json.dumps({"speed": 60}).encode()
    )
    urllib.request.urlopen(request, timeout=10).close()
    # A function: the pages' policy forbids to evaluate text.
    page.wait_for_function(f"before => {newest} > before", arg=before, timeout=60_000)


def stop_in_peace(house: House) -> None:
    """Press Ctrl-C; nothing is left running, and nothing was wrong."""
    members = house.members()
    assert len(members) >= 8
    started = time.monotonic()
    house.process.send_signal(signal.SIGINT)
    assert house.process.wait(STOP_S + 5) == 0
    assert time.monotonic() - started < STOP_S
    assert house.members() == []
    assert "Traceback" not in house.log
