"""Addresses, channels, codes and limits of OKX v5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where an exchange that speaks OKX v5 listens.

    `ca_file` names the certificate authority to trust instead of the system's (PEM).
    """

    rest: str = "https://www.okx.com"
    public: str = "wss://ws.okx.com:8443/ws/v5/public"
    business: str = "wss://ws.okx.com:8443/ws/v5/business"
    ca_file: str | None = None
    private: str = "wss://ws.okx.com:8443/ws/v5/private"


PRODUCTION: Final = Endpoints()

TICKERS: Final = "tickers"
TRADES: Final = "trades"
TRADES_ALL: Final = "trades-all"
CANDLE_1M: Final = "candle1m"
BOOKS5: Final = "books5"
STATUS: Final = "status"
INSTRUMENTS: Final = "instruments"
ACCOUNT: Final = "account"

SUBJECT_KEYS: Final = {STATUS: "", INSTRUMENTS: "instType", ACCOUNT: ""}
"""What names the subject in a channel's argument, where it is not the instrument."""

INSTRUMENT_KINDS: Final = ("SPOT", "SWAP")

# Limits of one connection.
MAX_REQUEST_BYTES: Final = 60_000  # OKX: 64 KB
REQUESTS_PER_HOUR: Final = 480  # subscribe, unsubscribe and login together
CONNECTIONS_PER_S: Final = 3  # per IP

# WebSocket event codes.
SERVICE_UPGRADE: Final = "64008"
NO_SUCH_CHANNEL: Final = "60018"

# REST: row limits of a page and requests per 2 s and IP.
TRADES_PAGE: Final = 100
CANDLES_PAGE: Final = 300
RATE_WINDOW_S: Final = 2.0
CONNECT: Final = "connect"
RATES: Final = {
    # Opening a socket, which is counted by address like requests.
    CONNECT: round(CONNECTIONS_PER_S * RATE_WINDOW_S),
    "/api/v5/public/time": 10,
    "/api/v5/public/instruments": 20,
    "/api/v5/market/candles": 40,
    "/api/v5/market/history-candles": 20,
    "/api/v5/market/trades": 100,
    "/api/v5/market/history-trades": 20,
    "/api/v5/system/status": 0.4,  # one in 5 s
}

# What 500xx codes say of a request that will never work as it is: body, JSON, parameters.
_WRONG_REQUEST: Final = frozenset(
    {"50000", "50002", "50006", "50014", "50015", "50016", "50024", "50039"}
)


def may_work_later(code: str) -> bool:
    """Whether a REST code says that the same request may be answered a moment later.

    Busy, too many requests, offline, cache or gateway in trouble: the service's own codes are 500
    and 500xx, named or not. Those from 501xx on are about the request.
    """
    return code.startswith("500") and len(code) in (3, 5) and code not in _WRONG_REQUEST
