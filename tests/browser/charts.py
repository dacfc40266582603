"""The chart as tests of the browser look at it."""

from __future__ import annotations

CHART = "/chart/okx-sim/BTC-USDT/"
PLOT = "document.querySelector('tcp-chart .plot')"
RANGE = f"{PLOT}.layout.xaxis.range"
FIRST = f"{PLOT}.data[0].x[0]"
PHONE = {
    "width": 390,
    "height": 844,
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}


def open_chart(page, path="5m/", **query):
    """Open a chart, wait until it is drawn and connected, and give it the keys."""
    text = "&".join(f"{name}={value}" for name, value in query.items())
    page.goto(f"{CHART}{path}?{text}" if text else f"{CHART}{path}")
    page.wait_for_selector("tcp-chart[data-drawn]")
    page.wait_for_selector("#connection[data-state=live]")
    settle(page)
    page.focus("tcp-chart")


def settle(page):
    """Wait until nothing is asked for any more and the last answer is drawn."""
    page.wait_for_function(
        """async () => {
            const chart = document.querySelector("tcp-chart");
            const drawn = chart.dataset.drawn;
            await new Promise((done) => setTimeout(done, 600));
            return chart.getAttribute("aria-busy") !== "true" && chart.dataset.drawn === drawn;
        }"""
    )


def span(page):
    """Return how many milliseconds are in view."""
    start, end = page.evaluate(RANGE)
    return end - start


def touch(page, frames):
    """Put fingers down at the first frame's points, move them through the others, lift them."""
    session = page.context.new_cdp_session(page)
    for number, points in enumerate(frames):
        kind = "touchMove" if number else "touchStart"
        fingers = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
