"""Takes the pictures of the documentation from a running house.

./dev up --exchange okx-sim      (and a few minutes, for history and proofs)
.venv/bin/python scripts/screenshots.py [--address http://127.0.0.1:8000] [--var var]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from playwright.sync_api import Page, ViewportSize, sync_playwright

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
SCREENS: Final[tuple[tuple[str, ViewportSize, Literal["dark", "light"]], ...]] = (
    ("", {"width": 1440, "height": 900}, "dark"),
    ("-phone", {"width": 390, "height": 844}, "light"),
)
TRADED: Final = {"exchange": "okx-sim", "symbol": "BTC-USDT"}
DAY_MS: Final = 86_400_000
WAIT_S: Final = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="http://127.0.0.1:8000")
    parser.add_argument("--var", type=Path, default=Path("var"), help="where the password is kept")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    arguments = parser.parse_args()
    IMAGES.mkdir(parents=True, exist_ok=True)
    password = (arguments.var / "admin-password").read_text().strip()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=ARGUMENTS)
        made: dict[str, str] = {}
        for name, viewport, scheme in SCREENS:
            page = browser.new_page(
                viewport=viewport, color_scheme=scheme, base_url=arguments.address
            )
            log_in(page, password)
            made = made or {"backtest": run_backtest(page), "bot": run_bot(page)}
            take(page, name, made)
        browser.close()


def log_in(page: Page, password: str) -> None:
    page.goto("/")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_url("**/markets/")


def run_backtest(page: Page) -> str:
    """Backtest the last four weeks; return the address of the result."""
    end = newest_ms(page)
    asked = {
        **TRADED,
        "strategy": "ema_crossover",
        "parameters": {"fast": 50, "slow": 200},
        "timeframe": "15m",
        "start": end - 28 * DAY_MS,
        "end": end,
    }
    made = post(page, "backtests/", asked)
    wait_until(lambda: get(page, f"backtests/{made['id']}/")["result_hash"])
    return f"/backtests/{made['id']}/"


def run_bot(page: Page) -> str:
    """Let a bot trade the last week's stored candles; return the address of its page."""
    end = newest_ms(page)
    asked = {
        **TRADED,
        "name": f"EMA 50/200 on BTC, {time.strftime('%H:%M')}",
        "config": "EMA 50/200 on 15m",
        "trading": {"cash": "10000", "size": "0.5", "stop_loss": "0.03"},
        "from": iso(end - 7 * DAY_MS),
        "speed": 5_000,
    }
    made = post(page, "bots/", asked)
    config = f"strategy-configs/{made['config']}/"
    if not get(page, config)["is_proven"]:
        post(page, f"{config}check/", {})
        wait_until(lambda: get(page, config)["is_proven"])
    post(page, f"bots/{made['id']}/start/", {})
    wait_until(lambda: (get(page, f"bots/{made['id']}/")["last_candle"] or "") > iso(end - DAY_MS))
    return f"/bots/{made['id']}/"


def iso(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def newest_ms(page: Page) -> int:
    """Return the end of what is stored."""
    stored = "&".join(f"{name}={value}" for name, value in TRADED.items())
    return int(get(page, f"integrity/?{stored}")["end"])


def get(page: Page, path: str) -> Any:
    answer = page.request.get(f"/api/v1/{path}")
    assert answer.ok, answer.text()
    return answer.json()


def post(page: Page, path: str, body: dict[str, Any]) -> Any:
    token = next(each["value"] for each in page.context.cookies() if each["name"] == "csrftoken")
    answer = page.request.post(
        f"/api/v1/{path}", data=body, headers={"X-CSRFToken": token, "Referer": page.url}
    )
    assert answer.ok, answer.text()
    return answer.json()


def wait_until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline, f"nothing came of it within {WAIT_S} s"
        time.sleep(1)


def take(page: Page, suffix: str, made: dict[str, str]) -> None:
    page.wait_for_selector("#connection[data-state=live]")
    page.wait_for_timeout(1500)
    page.screenshot(path=IMAGES / f"markets{suffix}.png")
    page.goto("/chart/okx-sim/BTC-USDT/5m/")
    page.wait_for_selector("tcp-chart[data-drawn]")
    page.wait_for_timeout(3000)
    page.screenshot(path=IMAGES / f"chart{suffix}.png")
    for name in ("data", "system", "alerts"):
        shoot(page, f"/{name}/", f"{name}{suffix}")
    for name, address in made.items():
        shoot(page, address, f"{name}{suffix}")


def shoot(page: Page, address: str, name: str) -> None:
    page.goto(address)
    page.wait_for_selector("#connection[data-state=live]")
    page.wait_for_timeout(3000)
    page.screenshot(path=IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()
