"""The figures of the last 24 hours, as tickers show them."""

from __future__ import annotations

from typing import Final

from marketdata.simulator.bars import volumes
from marketdata.simulator.books import best_levels
from marketdata.simulator.market import MINUTE_MS
from marketdata.simulator.view import View

_DAY: Final = 1440


def ticker(view: View, symbol: str) -> dict[str, str] | None:
    """Return the row of tickers and /market/ticker, or None before the first trade."""
    last, best = view.last_match(symbol), best_levels(view, symbol)
    if best is None:
        return None
    bid, ask = best
    instrument = view.instrument(symbol)
    minute = view.now_ms // MINUTE_MS
    day = view.minutes(symbol, minute - _DAY + 1, minute + 1)
    turnover = (int(day.high_turnover.sum()) << 30) + int(day.low_turnover.sum())
    size, ccy, _ = volumes(instrument, int(day.lots.sum()), turnover)
    return {
        "instType": instrument.kind,
        "instId": symbol,
        "last": instrument.price(int(last.ticks[-1])),
        "lastSz": instrument.size(int(last.lots[-1])),
        "askPx": instrument.price(ask.ticks),
        "askSz": instrument.size(ask.lots),
        "bidPx": instrument.price(bid.ticks),
        "bidSz": instrument.size(bid.lots),
        "open24h": instrument.price(int(day.opens[0])),
        "high24h": instrument.price(int(day.highs.max())),
        "low24h": instrument.price(int(day.lows.min())),
        "sodUtc0": instrument.price(_day_open(view, symbol, minute - minute % _DAY)),
        "sodUtc8": instrument.price(_day_open(view, symbol, minute - (minute + 480) % _DAY)),
        "volCcy24h": ccy,
        "vol24h": size,
        "ts": str(view.now_ms),
    }


def _day_open(view: View, symbol: str, minute: int) -> int:
    first = max(minute, view.market.first_minute(symbol))
    return int(view.minutes(symbol, first, first + 1).opens[0])
