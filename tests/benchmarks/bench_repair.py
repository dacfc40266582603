"""Repairs: how fast they are, with OKX's limits and without, and what live ingest feels of them.

The exchange is the simulated one, in a process of its own. Live ingest is that of the ingest
benchmark at 5,000 trades a second, with its lag from a trade to its commit, once alone and once
beside repairs that never end.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.bench_ingest import collected
from tests.benchmarks.figures import Figure
from tests.simulated_exchange import SpawnedExchange, spawned_exchange

SYMBOL = "ETH-USDT"
TRADES, CANDLES = 20_000, 14_400
LIMITED_S = 10.0
LIVE_RATE, LIVE_S = 5_000, 15.0
MOST_LAG_MS = 50.0
"""By so much the median and the slowest commits may be later beside repairs."""

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Market:
    """The instrument, and where a stretch of its trades lies: ids and times in ms."""

    instrument: Any
    first_id: int
    last_id: int
    start_ms: int
    end_ms: int


def run(seconds: float = LIVE_S) -> list[Figure]:
    """Return throughputs with and without limits, and the lag of live ingest in both cases."""
    with tempfile.TemporaryDirectory() as folder, spawned_exchange(Path(folder)) as exchange:
        with _reached(exchange, has_limits=False):
            market = _market()
            trades, candles = _repaired(market, TRADES), _repaired_candles(market, CANDLES)
        with _reached(exchange, has_limits=True):
            limited = _repaired(market, TRADES, LIMITED_S)
            limited_candles = _repaired_candles(market, CANDLES, LIMITED_S)
        alone = collected(LIVE_RATE, seconds, is_flat_out=False)
        beside = {}
        for has_limits in (True, False):
            with _reached(exchange, has_limits=has_limits), _repairing(market):
                beside[has_limits] = collected(LIVE_RATE, seconds, is_flat_out=False)
    return [
        Figure("repair of trades, no limits", trades, "trades/s"),
        Figure("repair of candles, no limits", candles, "candles/s"),
        Figure("repair of trades, OKX's limits", limited, "trades/s", "at most 600 by them"),
        Figure(
            "repair of candles, OKX's limits", limited_candles, "candles/s", "at most 1,800 by them"
        ),
        _lag("alone", alone, None),
        _lag("beside repairs, OKX's limits", beside[True], alone),
        _lag("beside repairs, no limits", beside[False], alone),
    ]


def _lag(name: str, found: dict[str, float], alone: dict[str, float] | None) -> Figure:
    target, met = "", None
    if alone is not None:
        target = f"at most {MOST_LAG_MS:.0f} ms later than alone"
        met = found["p99_ms"] <= alone["p99_ms"] + MOST_LAG_MS
    return Figure(
        f"commit lag p99 at {LIVE_RATE:,} trades/s, {name}",
        found["p99_ms"],
        "ms",
        target,
        met,
        f"p50 {found['p50_ms']} ms, {found['trades'] / found['seconds']:,.0f} trades/s",
    )


@contextmanager
def _reached(exchange: SpawnedExchange, *, has_limits: bool) -> Iterator[None]:
    from django.test import override_settings

    pause_s = {} if has_limits else {"REPAIR_PAUSE_SECONDS": 0}
    with override_settings(
        EXCHANGE="okx-sim", OKX_REST_URL=exchange.rest, OKX_LIMITS=has_limits, **pause_s
    ):
        yield


def _market() -> Market:
    """Return the newest stretch of trades that is closed, and long enough."""
    from marketdata.exchanges import open_history
    from marketdata.loading.listing import sync_instruments
    from marketdata.models import Instrument

    sync_instruments("okx-sim")

    async def bounds() -> tuple[int, int, int, int]:
        async with open_history("okx-sim") as history:
            newest = await history.trades_before(SYMBOL, None)
            last_id, end_ms = int(newest["trade_id"][0]), int(newest["time_ms"][0])
            oldest = await history.trades_before(SYMBOL, last_id - TRADES)
            return int(oldest["trade_id"][-1]) + 1, last_id, int(oldest["time_ms"][-1]), end_ms

    return Market(Instrument.objects.named("okx-sim", SYMBOL), *asyncio.run(bounds()))


def _repaired(market: Market, number: int, most_s: float = 60.0) -> float:
    """Return trades a second that come back when `number` are missing."""
    from marketdata.models import Trade

    _empty(market)
    gap = _gap(market, kind="trades", first_trade_id=market.first_id, last_trade_id=market.last_id)
    took_s = _repair_until_done(gap, most_s)
    return Trade.objects.filter(instrument=market.instrument).count() / took_s


def _repaired_candles(market: Market, number: int, most_s: float = 60.0) -> float:
    """Return minutes a second that come back when `number` are missing."""
    from marketdata.models import Candle, from_ms

    _empty(market)
    end_ms = market.start_ms // MINUTE_MS * MINUTE_MS
    span = {"start": from_ms(end_ms - number * MINUTE_MS), "end": from_ms(end_ms)}
    took_s = _repair_until_done(_gap(market, kind="candles", timeframe=1, **span), most_s)
    return Candle.objects.filter(instrument=market.instrument, timeframe=1).count() / took_s


def _gap(market: Market, **values: Any) -> Any:
    from marketdata.models import DataGap, from_ms

    span = {"start": from_ms(market.start_ms), "end": from_ms(market.end_ms)}
    return DataGap.objects.create(
        instrument=market.instrument, cause="outage", **{**span, **values}
    )


def _repair_until_done(gap: Any, most_s: float) -> float:
    """Repair for at most `most_s` seconds; return how long that was."""
    from marketdata.repair.running import repair_gaps

    stop = threading.Event()
    timer = threading.Timer(most_s, stop.set)
    started = time.perf_counter()
    timer.start()
    try:
        repair_gaps("okx-sim", stop)
    finally:
        timer.cancel()
    gap.refresh_from_db()
    took_s = time.perf_counter() - started
    if gap.state != "repaired" and took_s < most_s:
        raise RuntimeError(f"the gap is {gap.state}: {gap.reason}")
    return took_s


@contextmanager
def _repairing(market: Market) -> Iterator[None]:
    """Repair the same stretch again and again, in a thread, until the end."""
    stop = threading.Event()

    def repair() -> None:
        from django.db import connections

        from marketdata.repair.running import repair_gaps

        while not stop.is_set():
            _empty(market)
            ids = {"first_trade_id": market.first_id, "last_trade_id": market.last_id}
            _gap(market, kind="trades", **ids)
            repair_gaps("okx-sim", stop)
        connections.close_all()

    thread = threading.Thread(target=repair)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _empty(market: Market) -> None:
    from marketdata.models import Candle, CandleDay, CandleRevision, DataGap, Opening, Trade

    DataGap.objects.filter(instrument=market.instrument).delete()
    for model in (Trade, Candle, CandleDay, CandleRevision, Opening):
        model.objects.filter(instrument=market.instrument)._raw_delete("default")
