"""Channels that hardly ever push: instruments and status."""

from __future__ import annotations

import msgspec

from marketdata.simulator.view import View


class InstrumentsFeed:
    """instruments: only changes are pushed, and this exchange's instruments never change."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def initial(self, view: View) -> list[bytes]:
        return []

    def step(self, after_ms: int, view: View, on_grid: bool) -> list[bytes]:
        return []


class StatusFeed:
    """status: the latest maintenance at once; there are no others."""

    def __init__(self, subject: str) -> None:
        self.subject = subject

    def initial(self, view: View) -> list[bytes]:
        return [msgspec.json.encode({"arg": {"channel": "status"}, "data": [maintenance(view)]})]

    def step(self, after_ms: int, view: View, on_grid: bool) -> list[bytes]:
        return []


def maintenance(view: View) -> dict[str, str]:
    """Return the last maintenance: completed, a week before the exchange's clock began its day."""
    begin = view.now_ms - view.now_ms % 86_400_000 - 7 * 86_400_000
    return {
        "title": "Simulated exchange maintenance",
        "state": "completed",
        "begin": str(begin),
        "end": str(begin + 600_000),
        "preOpenBegin": "",
        "href": "",
        "serviceType": "0",
        "system": "unified",
        "scheDesc": "",
        "maintType": "1",
        "env": "1",
        "ts": str(begin),
    }
