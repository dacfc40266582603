"""account: the balance of the one simulated account, which never trades."""

from __future__ import annotations

from typing import Final

import msgspec

from marketdata.simulator.view import View

_INTERVAL_MS: Final = 5_000
_CASH: Final = "100000"


class AccountFeed:
    """The balance at once and every five seconds of exchange time."""

    def __init__(self, subject: str) -> None:
        self.subject = subject

    def initial(self, view: View) -> list[bytes]:
        return [msgspec.json.encode(_push(view.now_ms))]

    def step(self, after_ms: int, view: View, on_grid: bool) -> list[bytes]:
        if after_ms // _INTERVAL_MS == view.now_ms // _INTERVAL_MS:
            return []
        return self.initial(view)


def _push(now_ms: int) -> dict[str, object]:
    detail = {
        "ccy": "USDT",
        "cashBal": _CASH,
        "availBal": _CASH,
        "availEq": _CASH,
        "eq": _CASH,
        "eqUsd": _CASH,
        "frozenBal": "0",
        "ordFrozen": "0",
        "uTime": str(now_ms),
    }
    row = {
        "uTime": str(now_ms),
        "totalEq": _CASH,
        "adjEq": "",
        "isoEq": "0",
        "imr": "",
        "mmr": "",
        "mgnRatio": "",
        "notionalUsd": "",
        "ordFroz": "",
        "details": [detail],
    }
    return {"arg": {"channel": "account", "uid": "1"}, "data": [row]}
