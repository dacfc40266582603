"""The public REST endpoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from marketdata.simulator import pages
from marketdata.simulator.bars import BAR_MINUTES
from marketdata.simulator.book_feeds import level_rows
from marketdata.simulator.books import DEPTH, book, sequence
from marketdata.simulator.errors import (
    Refusal,
    empty_parameter,
    unknown_instrument,
    wrong_parameter,
)
from marketdata.simulator.quiet_feeds import maintenance
from marketdata.simulator.statistics import ticker
from marketdata.simulator.view import View

Query = dict[str, str]
Answer = list[Any]

_KINDS: Final = frozenset({"SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path: its function, requests allowed in so many seconds, and whether it may take long.

    Slow ones are answered from a thread, from caches of their own.
    """

    answer: Callable[[View, Query], Answer]
    count: int
    seconds: float = 2.0
    is_slow: bool = False


def _time(view: View, query: Query) -> Answer:
    return [{"ts": str(view.now_ms)}]


def _instruments(view: View, query: Query) -> Answer:
    kind = _kind(query)
    if kind == "OPTION" and not (query.get("instFamily") or query.get("uly")):
        raise empty_parameter("instFamily")
    wanted = query.get("instId")
    rows = [row for row in view.market.instruments.values() if row.kind == kind]
    return [row.row() for row in rows if wanted in (None, row.symbol)]


def _ticker(view: View, query: Query) -> Answer:
    row = ticker(view, _symbol(view, query))
    return [] if row is None else [row]


def _tickers(view: View, query: Query) -> Answer:
    kind = _kind(query)
    symbols = [row.symbol for row in view.market.instruments.values() if row.kind == kind]
    return [row for symbol in symbols if (row := ticker(view, symbol)) is not None]


def _candles(view: View, query: Query) -> Answer:
    window = (_number(query, "after"), _number(query, "before"), _limit(query, 300))
    return pages.candles(view, _symbol(view, query), _bar(query), *window)


def _history_candles(view: View, query: Query) -> Answer:
    window = (_number(query, "after"), _number(query, "before"), _limit(query, 300))
    return pages.history_candles(view, _symbol(view, query), _bar(query), *window)


def _trades(view: View, query: Query) -> Answer:
    return pages.trades(view, _symbol(view, query), _limit(query, 500))


def _history_trades(view: View, query: Query) -> Answer:
    symbol, limit = _symbol(view, query), _limit(query, 100)
    after, before = _number(query, "after"), _number(query, "before")
    if query.get("type", "1") == "1":
        return pages.trades_by_id(view, symbol, after, before, limit)
    if query["type"] != "2":
        raise wrong_parameter("type")
    if before is not None:
        raise Refusal("50039", "Parameter before is not supported for timestamp pagination")
    return pages.trades_by_time(view, symbol, after, limit)


def _books(view: View, query: Query) -> Answer:
    depth = _limit(query, DEPTH, default=1, name="sz")
    symbol = _symbol(view, query)
    found = book(view, symbol)
    if found is None:
        return []
    instrument = view.instrument(symbol)
    return [
        {
            "asks": level_rows(instrument, found.asks.levels(depth)),
            "bids": level_rows(instrument, found.bids.levels(depth)),
            "ts": str(found.time_ms),
            "seqId": sequence(found.time_ms),
        }
    ]


def _status(view: View, query: Query) -> Answer:
    return [maintenance(view)] if query.get("state") == "completed" else []


ENDPOINTS: Final = {
    "/api/v5/public/time": Endpoint(_time, 10),
    "/api/v5/public/instruments": Endpoint(_instruments, 20),
    "/api/v5/market/ticker": Endpoint(_ticker, 20),
    "/api/v5/market/tickers": Endpoint(_tickers, 20),
    "/api/v5/market/candles": Endpoint(_candles, 40, is_slow=True),
    "/api/v5/market/history-candles": Endpoint(_history_candles, 20, is_slow=True),
    "/api/v5/market/trades": Endpoint(_trades, 100),
    "/api/v5/market/history-trades": Endpoint(_history_trades, 20, is_slow=True),
    "/api/v5/market/books": Endpoint(_books, 40),
    "/api/v5/system/status": Endpoint(_status, 1, seconds=5.0),
}


def _kind(query: Query) -> str:
    kind = query.get("instType")
    if not kind:
        raise empty_parameter("instType")
    if kind not in _KINDS:
        raise wrong_parameter("instType")
    return kind


def _symbol(view: View, query: Query) -> str:
    symbol = query.get("instId")
    if not symbol:
        raise empty_parameter("instId")
    if symbol not in view.market.instruments:
        raise unknown_instrument()
    return symbol


def _bar(query: Query) -> str:
    bar = query.get("bar", "1m")
    if bar not in BAR_MINUTES:
        raise wrong_parameter("bar")
    return bar


def _number(query: Query, name: str) -> int | None:
    text = query.get(name)
    if not text:
        return None
    if not text.isdigit():
        raise wrong_parameter(name)
    return int(text)


def _limit(query: Query, most: int, default: int = 100, name: str = "limit") -> int:
    """Return how many rows are asked for; more than the most is the most."""
    number = _number(query, name)
    if number == 0:
        raise wrong_parameter(name)
    return min(default if number is None else number, most)
