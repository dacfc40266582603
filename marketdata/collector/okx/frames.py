"""Frames as OKX sends them, made of what was stored: what a replay feeds to the parser."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from marketdata.collector.okx.constants import CANDLE_1M, TRADES
from marketdata.domain.records import Trades


def trades_frame(symbol: str, trades: Trades) -> bytes:
    """Return the push of some trades of one instrument, in their order."""
    rows = [
        {
            "instId": symbol,
            "tradeId": str(trade_id),
            "px": repr(price),
            "sz": repr(size),
            "side": "buy" if side > 0 else "sell",
            "ts": str(time_ms),
            "count": str(count),
        }
        for trade_id, time_ms, price, size, side, count in trades.tolist()
    ]
    return _frame(TRADES, symbol, rows)


def candle_frame(symbol: str, payload: bytes) -> bytes:
    """Return the push of a 1m candle whose row was kept as it came."""
    return _frame(CANDLE_1M, symbol, [msgspec.Raw(payload)])


def kept_frame(channel: str, symbol: str, payload: bytes) -> bytes:
    """Return the push of a row of `channel` that was kept as it came; `symbol` may be empty."""
    return _frame(channel, symbol, [msgspec.Raw(payload)])


def _frame(channel: str, symbol: str, rows: Sequence[object]) -> bytes:
    return msgspec.json.encode({"arg": {"channel": channel, "instId": symbol}, "data": rows})
