"""One backtest over a year of minutes: kernel beside a bare loop of its rules, whole run, loading.

The bare loop is what one writes for an EMA crossover alone: long or flat, all of the equity, whole
lots and ticks, fees and slippage, equity and fills kept; no stops, no limits, no state to take up
again. Both walk the same decisions and end with the same equity. The whole run is what a worker
does between loaded columns and stored figures: indicators, targets, kernel, equity, fills, every
metric and the hash. Loading is compared with a COPY of the same columns whose rows nobody decodes.
From click to stored result is a POST over REST to a row that a worker has filled. vectorbt and
backtesting.py stand beside it where they were installed; see `backtest_peers`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
from django.conf import settings
from django.db import connection
from numba import njit

from tests.benchmarks.backtest_clicks import clicks
from tests.benchmarks.backtest_peers import peers
from tests.benchmarks.figures import Figure, percentile

MINUTES = 366 * 1440
START_MS = 1_704_067_200_000  # 2024-01-01
CASH = Decimal(1_000_000)
ROUNDS = 21


def run() -> list[Figure]:
    """Return kernel, whole run and loading over a year of minutes."""
    from backtests.loading import load_minutes

    instrument = stored_year()
    span = START_MS, START_MS + MINUTES * 60_000
    copied = percentile([timed(lambda: bare_copy(instrument)) for _ in range(5)], 50)
    first = percentile([load_first(instrument, span) for _ in range(5)], 50)
    later = percentile(
        [timed(lambda: touch(load_minutes(instrument, *span))) for _ in range(9)], 50
    )
    minutes = load_minutes(instrument, *span)
    return [
        *computed(minutes, instrument),
        *peers(minutes, instrument),
        *clicks(instrument, span),
        Figure(
            "loading the year, first time",
            first,
            "ms",
            "at most 1.5 x a bare COPY",
            first <= 1.5 * copied,
            f"bare COPY {copied:.0f} ms",
        ),
        Figure(
            "loading the year, later", later, "ms", "below 20 ms", later < 20, "every page read"
        ),
    ]


def computed(minutes: Any, instrument: Any) -> list[Figure]:
    """Return the figures of the kernel and of the whole run."""
    from backtests.domain.engine import BacktestingEngine, decisions_of, walked
    from backtests.domain.market import Market
    from backtests.domain.records import Minutes, new_state
    from backtests.domain.settings import Trading
    from marketdata.domain.timeframe import Timeframe
    from strategies.domain.registry import create_strategy

    market = Market(instrument.spec, instrument.min_size)
    engine = BacktestingEngine(market, Timeframe.M1, Trading(cash=CASH))
    rules, units = engine.rules, engine.units
    cash = units.cash_to_units(CASH)

    def whole() -> Any:
        strategy = create_strategy("ema_crossover", {"fast": 12, "slow": 26}, Timeframe.M1)
        result = engine.run(minutes, strategy, 0)
        return result, result.metrics(), result.digest

    strategy = create_strategy("ema_crossover", {"fast": 12, "slow": 26}, Timeframe.M1)
    targets = strategy.process_data(engine.candles(minutes))
    decisions = decisions_of(targets, len(minutes))
    columns = Minutes(
        minutes.candles.open_time_ms,
        minutes.traded,
        minutes.opens,
        minutes.highs,
        minutes.lows,
        minutes.closes,
        decisions,
    )

    def kernel() -> Any:
        equity = np.empty(len(minutes), np.int64)
        return equity, walked(new_state(cash), rules, columns, equity)

    def bare() -> Any:
        equity, fills = np.empty(len(minutes), np.int64), np.empty((len(minutes), 4), np.int64)
        costs = rules.taker, rules.slippage, rules.cash_per_tick_lot
        return equity, bare_loop(
            *columns[:3], columns.closes, decisions, cash, *costs, equity, fills
        )

    assert (kernel()[0] == bare()[0]).all()
    times: list[list[float]] = [[], [], []]
    for _ in range(ROUNDS):
        for kept, call in zip(times, (whole, kernel, bare), strict=True):
            kept.append(timed(call))
    run_ms, kernel_ms, bare_ms = (percentile(kept[2:], 50) for kept in times)
    fills = len(whole()[0].fills)
    return [
        Figure(
            "whole run, EMA 12/26", run_ms, "ms", "at most 25 ms", run_ms <= 25, f"{fills} fills"
        ),
        Figure(
            "its kernel",
            kernel_ms,
            "ms",
            "at most 3 x a bare loop",
            kernel_ms <= 3 * bare_ms,
            f"bare loop {bare_ms:.1f} ms",
        ),
    ]


@njit(nogil=True)
def bare_loop(times, traded, opens, closes, decisions, cash, fee, slip, unit, equity, fills):
    lots, wanted, waits, ordered, count = 0, 0, False, 0, 0
    for index in range(len(times)):
        if waits and traded[index]:
            waits = False
            quoted = opens[index]
            worse = (quoted * slip + 999_999) // 1_000_000
            if times[index] - ordered > 60_000:
                pass
            elif wanted > 0 and lots == 0:
                price = quoted + worse
                lots = int(cash / (price * unit * (1 + fee / 1e6)))
                while lots * price * unit + fee_of(lots * price * unit, fee) > cash:
                    lots -= 1
                paid = fee_of(lots * price * unit, fee)
                cash -= lots * price * unit + paid
                fills[count] = (times[index], lots, price, paid)
                count += 1
            elif wanted == 0 and lots > 0:
                price = quoted - worse
                paid = fee_of(lots * price * unit, fee)
                cash += lots * price * unit - paid
                fills[count] = (times[index], -lots, price, paid)
                count += 1
                lots = 0
        equity[index] = cash + lots * closes[index] * unit
        decided = decisions[index]
        if decided >= 0 and decided != wanted:
            wanted, waits, ordered = decided, True, times[index] + 60_000
    return count


@njit(nogil=True)
def fee_of(value, share):
    whole = value // 1_000_000
    return whole * share + ((value - whole * 1_000_000) * share + 999_999) // 1_000_000


def stored_year() -> Any:
    """Store a random walk of a year in the database and return its instrument."""
    from marketdata.domain.records import CANDLE_DTYPE, UNKNOWN, Source
    from marketdata.models import Instrument
    from marketdata.storage import write_candles

    instrument = Instrument.objects.create(
        exchange="bench",
        symbol="BTC-USDT",
        kind="spot",
        base="BTC",
        quote="USDT",
        tick_size=Decimal("0.01"),
        lot_size=Decimal("0.00001"),
        min_size=Decimal("0.00001"),
    )
    instrument.refresh_from_db()
    steps = np.random.default_rng(7).normal(0, 30, MINUTES)
    candles = np.zeros(MINUTES, CANDLE_DTYPE)
    candles["open_time_ms"] = START_MS + 60_000 * np.arange(MINUTES)
    candles["close"] = np.round(60_000 * np.exp(np.cumsum(steps / 60_000)), 2)
    candles["open"] = np.append(60_000, candles["close"][:-1])
    candles["high"] = np.maximum(candles["open"], candles["close"])
    candles["low"] = np.minimum(candles["open"], candles["close"])
    candles["volume"], candles["minutes"], candles["source"] = 1, 1, Source.EXCHANGE
    for name in ("trade_count", "first_trade_id", "last_trade_id"):
        candles[name] = UNKNOWN
    candles["closed_at_ms"] = candles["open_time_ms"] + 60_000
    write_candles(instrument, candles, reason="benchmark")
    with connection.cursor() as cursor:
        cursor.execute("analyze marketdata_candle")
    return instrument


class Nowhere:
    """A file that takes everything."""

    def write(self, piece: bytes) -> None:
        """Forget it."""


def bare_copy(instrument: Any) -> None:
    columns = "open_time, open, high, low, close, volume, minutes, source"
    with connection.cursor() as cursor:
        cursor.copy_expert(
            f"copy (select {columns} from marketdata_candle where instrument_id = {instrument.pk}"
            " and timeframe = 1 order by open_time) to stdout (format binary)",
            Nowhere(),
        )


def load_first(instrument: Any, span: tuple[int, int]) -> float:
    """Return how long loading takes in ms when nothing is cached."""
    import shutil

    from backtests.loading import load_minutes

    shutil.rmtree(settings.VAR_DIR / "columns", ignore_errors=True)
    return timed(lambda: load_minutes(instrument, *span))


def touch(minutes: Any) -> None:
    """Read every page of what is mapped."""
    for name in ("open_time_ms", "open", "high", "low", "close", "volume"):
        minutes.candles[name].max()
    for column in (minutes.opens, minutes.highs, minutes.lows, minutes.closes):
        column.max()


def timed(call: Callable[[], Any]) -> float:
    """Return how long a call takes, in ms."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000
