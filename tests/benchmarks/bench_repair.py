"""Repairs: how fast they are, with OKX's limits and without, and what live ingest feels of them.

The exchange is the simulated one, in a process of its own. Live ingest is that of the ingest
benchmark at 5,000 trades a second, with its lag from a trade to its commit, once alone and once
beside repairs that never end, of trades and of candles in turn.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.bench_ingest import collected
from tests.benchmarks.figures import Figure
from tests.simulated_exchange import SpawnedExchange, spawned_exchange

SYMBOL = "ETH-USDT"
TRADES, CANDLES = 20_000, 14_400
LIMITED_S = 10.0
BESIDE_S = 5.0
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
    """Return throughputs with and without limits, alone and beside live ingest, and its lag."""
    figures: list[Figure] = []
    beside = {}
    with tempfile.TemporaryDirectory() as folder, spawned_exchange(Path(folder)) as exchange:
        live_alone = collected(LIVE_RATE, seconds, is_flat_out=False)
        market = None
        for has_limits in (False, True):
            with _reached(exchange, has_limits=has_limits):
                market = market or _market()
                alone = _Repairs(market)
                alone.make(LIMITED_S if has_limits else 60.0, threading.Event())
                with _repairing(market) as repairs:
                    beside[has_limits] = collected(LIVE_RATE, seconds, is_flat_out=False)
                figures += _throughput(alone, "alone", has_limits)
                figures += _throughput(repairs, "beside live ingest", has_limits)
    return [
        *figures,
        _lag("alone", live_alone, None),
        _lag("beside repairs, OKX's limits", beside[True], live_alone),
        _lag("beside repairs, no limits", beside[False], live_alone),
    ]


def _throughput(repairs: _Repairs, where: str, has_limits: bool) -> list[Figure]:
    limits = "OKX's limits" if has_limits else "no limits"
    return [
        Figure(
            f"repair of {kind} {where}, {limits}",
            repairs.rows[kind] / repairs.seconds[kind],
            f"{kind}/s",
            f"at most {most:,} by them" if has_limits else "",
        )
        for kind, most in (("trades", 600), ("candles", 1_800))
    ]


def _lag(name: str, found: dict[str, float], alone: dict[str, float] | None) -> Figure:
    target, met = "", None
    if alone is not None:
        target = f"at most {MOST_LAG_MS:.0f} ms later than alone"
        met = all(found[name] <= alone[name] + MOST_LAG_MS for name in ("p50_ms", "p99_ms"))
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


@dataclass(slots=True)
class _Repairs:
    """How many rows of each kind came back to a market that lacked them, and in how long."""

    market: Market
    rows: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)

    def make(self, most_s: float, stop: threading.Event) -> None:
        """Repair missing trades and then missing candles, each for `most_s` or until `stop`."""
        from marketdata.models import Candle, Trade, from_ms

        market = self.market
        ids = {"first_trade_id": market.first_id, "last_trade_id": market.last_id}
        self._repair("trades", Trade, most_s, stop, **ids)
        end_ms = market.start_ms // MINUTE_MS * MINUTE_MS
        span = {"start": from_ms(end_ms - CANDLES * MINUTE_MS), "end": from_ms(end_ms)}
        if not stop.is_set():
            self._repair("candles", Candle, most_s, stop, timeframe=1, **span)

    def _repair(
        self, kind: str, model: Any, most_s: float, stop: threading.Event, **values: Any
    ) -> None:
        _empty(self.market)
        gap = _gap(self.market, kind=kind, **values)
        self.seconds[kind] += _repair_until_done(gap, most_s, stop)
        of_minutes = {"timeframe": 1} if kind == "candles" else {}
        self.rows[kind] += model.objects.filter(
            instrument=self.market.instrument, **of_minutes
        ).count()


def _gap(market: Market, **values: Any) -> Any:
    from marketdata.models import DataGap, from_ms

    span = {"start": from_ms(market.start_ms), "end": from_ms(market.end_ms)}
    return DataGap.objects.create(
        instrument=market.instrument, cause="outage", **{**span, **values}
    )


def _repair_until_done(gap: Any, most_s: float, stop: threading.Event) -> float:
    """Repair for at most `most_s` seconds or until `stop`; return how long that was."""
    from marketdata.repair.running import repair_gaps

    over = threading.Event()
    timer = threading.Timer(most_s, over.set)
    started = time.perf_counter()
    timer.start()
    try:
        repair_gaps("okx-sim", _Either(over, stop))
    finally:
        timer.cancel()
    gap.refresh_from_db()
    took_s = time.perf_counter() - started
    if gap.state != "repaired" and not (over.is_set() or stop.is_set()):
        raise RuntimeError(f"the gap is {gap.state}: {gap.reason}")
    return took_s


class _Either(threading.Event):
    """Set as soon as one of several is."""

    def __init__(self, *events: threading.Event) -> None:
        super().__init__()
        self._events = events

    def is_set(self) -> bool:
        return any(event.is_set() for event in self._events)


@contextmanager
def _repairing(market: Market) -> Iterator[_Repairs]:
    """Repair the same stretch again and again, in a thread, until the end."""
    stop, repairs = threading.Event(), _Repairs(market)

    def repair() -> None:
        from django.db import connections

        while not stop.is_set():
            repairs.make(BESIDE_S, stop)
        connections.close_all()

    thread = threading.Thread(target=repair)
    thread.start()
    try:
        yield repairs
    finally:
        stop.set()
        thread.join()


def _empty(market: Market) -> None:
    from marketdata.models import Candle, CandleDay, CandleRevision, DataGap, Opening, Trade

    DataGap.objects.filter(instrument=market.instrument).delete()
    for model in (Trade, Candle, CandleDay, CandleRevision, Opening):
        model.objects.filter(instrument=market.instrument)._raw_delete("default")
