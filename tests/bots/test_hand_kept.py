"""A bot over recorded markets fills what a script of forty lines fills, to the last unit."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from bots.models import Bot, Fill
from marketdata.collector.ports import Batch, InstrumentBatch
from marketdata.domain.aggregation import aggregate_minutes, flat_minutes
from marketdata.domain.events import Emission
from marketdata.domain.records import (
    CANDLE_DTYPE,
    TRADE_DTYPE,
    UNKNOWN,
    Opening,
    Side,
    Source,
    empty_candles,
)
from marketdata.domain.timeframe import MINUTE_MS
from marketdata.models import Collector, from_ms, to_ms
from marketdata.storage import DatabaseSink, write_candles
from tests.bots import hand_kept
from tests.bots.stepping import make_trader, started, step
from tests.marketdata.api.conftest import make_instrument

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.django_db(transaction=True)]

CASH = 10_000
UNITS = CASH * 10**9
"""A tick of 0.1 and a lot of 1e-8 make a cash unit of 1e-9, of which a lot at a tick is one."""

LEAST = 1_000


@pytest.fixture(autouse=True)
def _exchange(settings):
    settings.EXCHANGE = "okx-sim"


@pytest.fixture
def market():
    return make_instrument("BTC-USDT", is_enabled=True)


def booked(bot: Bot) -> list[tuple[int, int, int, int]]:
    """Return a bot's fills as the script tells them."""
    rows = Fill.objects.filter(bot=bot).order_by("number")
    return [
        (
            to_ms(fill.time),
            int(fill.quantity / Decimal("1e-8")),
            int(fill.price / Decimal("0.1")),
            int(fill.fee / Decimal("1e-9")),
        )
        for fill in rows
    ]


def test_the_fills_over_a_recorded_tape_equal_those_kept_by_hand(market, shared_data):
    trades, candles = kraken(shared_data)
    first_ms = int(trades["time_ms"][0]) // MINUTE_MS * MINUTE_MS
    candles = [row for row in candles if row[0] >= first_ms]
    tape = Tape(market, trades)
    bot = started(make_trader(market, {"fast": 4, "slow": 11}), at_ms=first_ms)

    for open_ms, *_ in candles:
        tape.open(open_ms)
        step(market)
        tape.close(open_ms)
        step(market)

    expected = hand_kept.fills(candles, 1, 4, 11, UNITS, 1, LEAST)
    assert len(candles) > 400
    assert len(expected) > 20
    assert booked(bot) == expected


@pytest.mark.parametrize(("timeframe", "minutes", "fewest"), [("1m", 1, 400), ("15m", 15, 30)])
def test_the_fills_over_a_real_month_equal_those_kept_by_hand(
    market, shared_data, timeframe, minutes, fewest
):
    candles = month(shared_data)
    write_candles(market, candles, reason="test")
    first_ms = int(candles["open_time_ms"][0])
    bot = make_trader(
        market,
        {"fast": 12, "slow": 26},
        timeframe=timeframe,
        drive_from=from_ms(first_ms),
        drive_speed=1e7,
    )

    last_ms = int(candles["open_time_ms"][-1])
    bot = started(bot, at_ms=last_ms + MINUTE_MS)
    while to_ms(bot.cursor) <= last_ms:
        step(market)
        bot.refresh_from_db()

    rows = zip(
        candles["open_time_ms"].tolist(),
        np.round(candles["open"] * 10).astype(int).tolist(),
        np.round(candles["close"] * 10).astype(int).tolist(),
        (candles["volume"] > 0).tolist(),
        strict=True,
    )
    expected = hand_kept.fills(rows, minutes, 12, 26, UNITS, 1, LEAST)
    assert len(candles) > 30 * 1440 - 60
    assert len(expected) > fewest
    assert booked(bot) == expected


def kraken(shared_data: Any) -> tuple[Any, list[tuple[int, int, int, bool]]]:
    """Return the recorded trades, and Kraken's own candles from the first trade's minute on."""
    folder = shared_data / "tape-kraken"
    told = json.loads(gzip.decompress((folder / "http_trades.json.gz").read_bytes()))
    rows = told["result"]["XBTUSDT"]
    trades = np.zeros(len(rows), TRADE_DTYPE)
    trades["trade_id"] = [row[6] for row in rows]
    trades["time_ms"] = [int(row[2] * 1000) for row in rows]
    trades["price"] = [float(row[0]) for row in rows]
    trades["size"] = [float(row[1]) for row in rows]
    trades["side"] = [Side.BUY if row[3] == "b" else Side.SELL for row in rows]
    trades["count"] = 1
    told = json.loads(gzip.decompress((folder / "http_ohlc.json.gz").read_bytes()))
    last_ms = int(trades["time_ms"][-1]) // MINUTE_MS * MINUTE_MS
    candles = [
        (row[0] * 1000, round(float(row[1]) * 10), round(float(row[4]) * 10), row[7] > 0)
        for row in told["result"]["XBTUSDT"]
        if row[0] * 1000 < last_ms
    ]
    return trades, candles


def month(shared_data: Any) -> Any:
    """Return OKX's own minutes of a month without a gap, from an edge of 15 minutes on."""
    file = shared_data / "okx-candles" / "BTC_USDT-1m.json.gz"
    rows = json.loads(gzip.decompress(file.read_bytes()))[:43_197]
    candles = np.zeros(len(rows), CANDLE_DTYPE)
    for place, name in enumerate(("open_time_ms", "open", "high", "low", "close", "volume")):
        candles[name] = [float(row[place]) for row in rows]
    for name in ("trade_count", "first_trade_id", "last_trade_id"):
        candles[name] = UNKNOWN
    candles["minutes"], candles["source"] = 1, Source.EXCHANGE
    edge = int(np.argmax(candles["open_time_ms"] % (15 * MINUTE_MS) == 0))
    return candles[edge:]


class Tape:
    """Recorded trades, stored minute by minute as a collector stores them."""

    def __init__(self, market: Any, trades: Any) -> None:
        self.market, self.trades = market, trades
        self.sink = DatabaseSink(None, market.exchange, None)
        self.last_close = float(trades["price"][0])

    def open(self, open_ms: int) -> None:
        """Store the minute's first trade, if it has one."""
        first = self._trades(open_ms)[:1]
        openings = tuple(
            Opening(open_ms, float(row["price"]), int(row["trade_id"]), int(row["time_ms"]))
            for row in first
        )
        self._commit(open_ms, first, openings, empty_candles())

    def close(self, open_ms: int) -> None:
        """Store the rest of the minute and its candle."""
        trades = self._trades(open_ms)
        candle = aggregate_minutes(trades, self.market.spec)
        if not len(candle):
            candle = flat_minutes(open_ms, open_ms, self.last_close)
        self.last_close = float(candle["close"][0])
        self._commit(open_ms + MINUTE_MS, trades[1:], (), candle)

    def _trades(self, open_ms: int) -> Any:
        times = self.trades["time_ms"]
        return self.trades[(times >= open_ms) & (times < open_ms + MINUTE_MS)]

    def _commit(self, now_ms: int, trades: Any, openings: Any, minutes: Any) -> None:
        emission = Emission(trades=trades, openings=openings, minutes=minutes)
        self.sink.commit(Batch((InstrumentBatch(self.market.symbol, emission, now_ms),)))
        Collector.objects.filter(exchange=self.market.exchange).update(
            exchange_time=from_ms(now_ms)
        )
