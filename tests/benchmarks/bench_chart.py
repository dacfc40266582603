"""Chart windows out of a million stored minutes, against a bare COPY of the same rows.

A window is a whole request: session, permission, ETag, warm-up, indicators, JSON. Each opens its
own database connection, as it does under ASGI; the same requests over a kept one are noted.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np

from tests.benchmarks.figures import Figure, percentile

MINUTES = 1_000_000
START_MS = 1_704_067_200_000
REQUESTS = 300
INDICATORS = "ema:20,bollinger:20:2,rsi:14,macd:12:26:9"
# Candles asked for, in the timeframe of the chart; the last one is beyond what fits.
WIDTHS = (120, 400, 780, 5_000)


def run() -> list[Figure]:
    """Store a million minutes, ask for windows all over them, and remove them again."""
    from django.contrib.auth import get_user_model
    from django.test import Client

    from marketdata.models import Candle, CandleDay, Instrument
    from marketdata.storage import write_candles

    instrument = make_instrument()
    user, _ = get_user_model().objects.get_or_create(username="bench-chart")
    try:
        write_candles(instrument, make_minutes(), reason="bench")
        execute("vacuum analyze marketdata_candle")
        client = Client(headers={"host": "localhost"})
        client.force_login(user)
        return measured(client, instrument)
    finally:
        for model in (Candle, CandleDay):
            model.objects.filter(instrument=instrument).delete()
        Instrument.objects.filter(pk=instrument.pk).delete()
        user.delete()


def measured(client: Any, instrument: Any) -> list[Figure]:
    """Return the figures of the three ways, taken in turn over the same windows."""
    asked = requests(random.Random(7))
    for timeframe, query in asked[:20]:
        ask(client, instrument, timeframe, query)
    fresh: list[float] = []
    kept: list[float] = []
    bare: list[float] = []
    sizes: list[float] = []
    cpu_s = 0.0
    for timeframe, query in asked:
        close_connection()
        began = time.process_time()
        fresh.append(timed(ask, client, instrument, timeframe, query))
        cpu_s += time.process_time() - began
        kept.append(timed(ask, client, instrument, timeframe, query))
        bare.append(timed(bare_copy, instrument, query))
        sizes.append(ask(client, instrument, timeframe, query))
    return [
        target(fresh, 50, 20, f"kept connection {percentile(kept, 50):.1f} ms"),
        target(fresh, 99, 60, f"kept connection {percentile(kept, 99):.1f} ms"),
        Figure("CPU of the server's process for a window", cpu_s / REQUESTS * 1000, "ms"),
        Figure("bare COPY of 800 rows, p50", percentile(bare, 50), "ms", note="the ceiling"),
        Figure("size of a window, p50", percentile(sizes, 50) / 1000, "KB", note="before gzip"),
    ]


def requests(chance: random.Random) -> list[tuple[str, dict[str, Any]]]:
    """Return REQUESTS windows all over the history, of every timeframe and width in turn."""
    from marketdata.domain.timeframe import MINUTE_MS, Timeframe

    made = []
    for number in range(REQUESTS):
        timeframe = list(Timeframe)[number % len(Timeframe)]
        span_ms = min(WIDTHS[number // 6 % len(WIDTHS)] * timeframe.ms, MINUTES * MINUTE_MS)
        start_ms = START_MS + chance.randrange(MINUTES * MINUTE_MS - span_ms + 1)
        query = {"start": start_ms, "end": start_ms + span_ms, "indicators": INDICATORS}
        made.append((timeframe.value, query))
    return made


def ask(client: Any, instrument: Any, timeframe: str, query: dict[str, Any]) -> int:
    """Ask for one window and return its size in bytes."""
    address = f"/chart/{instrument.exchange}/{instrument.symbol}/{timeframe}/window"
    answer = client.get(address, query)
    assert answer.status_code == 200, answer.content
    return len(answer.content)


def bare_copy(instrument: Any, query: dict[str, Any]) -> None:
    from marketdata.domain.timeframe import MINUTE_MS, Timeframe
    from marketdata.storage import read_candles

    start_ms = query["start"]
    read_candles(instrument, Timeframe.M1, start_ms, start_ms + 800 * MINUTE_MS)


def timed(action: Callable[..., object], *arguments: object) -> float:
    """Return the milliseconds that calling `action` takes."""
    began = time.perf_counter()
    action(*arguments)
    return (time.perf_counter() - began) * 1000


def target(times_ms: list[float], percent: int, limit_ms: float, note: str) -> Figure:
    value = percentile(times_ms, percent)
    name = f"window request, p{percent}"
    return Figure(name, value, "ms", f"below {limit_ms:g} ms", value < limit_ms, note)


def make_instrument() -> Any:
    from marketdata.models import Instrument

    instrument = Instrument.objects.create(
        exchange="bench",
        symbol="CHART-USDT",
        kind="spot",
        base="CHART",
        quote="USDT",
        tick_size=Decimal("0.1"),
        lot_size=Decimal("0.00000001"),
        min_size=Decimal("0.00001"),
    )
    instrument.refresh_from_db()
    return instrument


def make_minutes() -> np.ndarray[Any, Any]:
    """Return a random walk of MINUTES whole 1m candles."""
    from marketdata.domain.records import CANDLE_DTYPE, UNKNOWN, Source
    from marketdata.domain.timeframe import MINUTE_MS

    chance = np.random.default_rng(7)
    candles = np.zeros(MINUTES, dtype=CANDLE_DTYPE)
    candles["open_time_ms"] = START_MS + MINUTE_MS * np.arange(MINUTES)
    candles["close"] = np.round(60_000 + np.cumsum(chance.normal(0, 6, MINUTES)), 1)
    candles["open"] = np.append(60_000.0, candles["close"][:-1])
    candles["high"] = np.maximum(candles["open"], candles["close"]) + 1
    candles["low"] = np.minimum(candles["open"], candles["close"]) - 1
    candles["volume"] = np.round(chance.gamma(2, 0.3, MINUTES), 8)
    candles["quote_volume"] = np.round(candles["volume"] * candles["close"], 6)
    for name in ("trade_count", "first_trade_id", "last_trade_id"):
        candles[name] = UNKNOWN
    candles["minutes"] = 1
    candles["source"] = Source.EXCHANGE
    candles["closed_at_ms"] = candles["open_time_ms"] + MINUTE_MS
    return candles


def close_connection() -> None:
    from django.db import connection

    connection.close()


def execute(statement: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement)
