"""Takes the pictures of the documentation from a running house.

./dev up --exchange okx-sim
.venv/bin/python scripts/screenshots.py [--address http://127.0.0.1:8000] [--var var]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


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
        for name, viewport, scheme in (("", WIDE, "dark"), ("-phone", PHONE, "light")):
            page = browser.new_page(
                viewport=viewport, color_scheme=scheme, base_url=arguments.address
            )
            log_in(page, password)
            take(page, name)
        browser.close()


def log_in(page: Page, password: str) -> None:
    page.goto("/")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_url("**/markets/")


def take(page: Page, suffix: str) -> None:
    page.wait_for_selector("#connection[data-state=live]")
    page.wait_for_timeout(1500)
    page.screenshot(path=IMAGES / f"markets{suffix}.png")
    page.goto("/chart/okx-sim/BTC-USDT/5m/")
    page.wait_for_selector("tcp-chart[data-drawn]")
    page.wait_for_timeout(3000)
    page.screenshot(path=IMAGES / f"chart{suffix}.png")
    for name in ("data", "system", "alerts"):
        page.goto(f"/{name}/")
        page.wait_for_selector("#connection[data-state=live]")
        page.wait_for_timeout(3000)
        page.screenshot(path=IMAGES / f"{name}{suffix}.png")


if __name__ == "__main__":
    main()
