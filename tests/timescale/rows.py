"""Rows to store: the smallest there are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from marketdata.models import Instrument

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def instrument(symbol="BTC-USDT"):
    sizes = dict.fromkeys(("tick_size", "lot_size", "min_size"), "0.1")
    base = symbol.partition("-")[0]
    names = {"exchange": "okx", "symbol": symbol, "kind": "spot", "base": base, "quote": "USDT"}
    return Instrument.objects.create(**names, **sizes)


def candle(instrument, open_time, timeframe=1):
    prices = {"open": 1.0, "high": 3.0, "low": 0.5, "close": 2.0}
    ids = dict.fromkeys(("trade_count", "first_trade_id", "last_trade_id"), -1)
    return {
        "instrument": instrument,
        "timeframe": timeframe,
        "open_time": open_time,
        "volume": 1.0,
        "quote_volume": 2.0,
        "closed_at": open_time + timedelta(minutes=timeframe),
        "minutes": timeframe,
        "source": 1,
        **prices,
        **ids,
    }


def trade(instrument, executed_at, id):
    figures = {"price": 1.0, "size": 1.0, "side": 1, "count": 1}
    return {"instrument": instrument, "executed_at": executed_at, "trade_id": id, **figures}


def message(instrument, channel, exchange_time, id):
    return {
        "channel": channel,
        "exchange_time": exchange_time,
        "received_at": exchange_time,
        "id": id,
        "instrument": instrument,
        "exchange": "okx",
        "payload": {"last": "1"},
    }
