"""Looking through a store for gaps, and the fingerprint of a year, beside a plain read of it.

A year of minutes of twenty instruments is stored with all its timeframes; three minutes of one
instrument are then taken away, and found.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.benchmarks.figures import Figure
from tests.benchmarks.market import (
    MINUTES_OF_A_YEAR,
    YEAR_START_MS,
    execute,
    make_instrument,
    walk,
)

INSTRUMENTS = 20
EXCHANGE = "bench-scan"
END_MS = YEAR_START_MS + MINUTES_OF_A_YEAR * 60_000


def run(instruments: int = INSTRUMENTS, minutes: int = MINUTES_OF_A_YEAR) -> list[Figure]:
    """Return the figures of a first scan, of one of an unchanged store, and of fingerprints."""
    from marketdata.domain.timeframe import Timeframe
    from marketdata.models import DataGap
    from marketdata.repair.scan import scan_exchange
    from marketdata.storage import range_fingerprint, read_candles, write_candles

    year = walk(minutes)
    markets = [make_instrument(EXCHANGE, number) for number in range(instruments)]
    for market in markets:
        write_candles(market, year, reason="bench")
    _take_away(markets[0], minutes)
    execute("vacuum analyze marketdata_candle")

    read_s, _ = _timed(
        lambda: [read_candles(market, Timeframe.M1, YEAR_START_MS, END_MS) for market in markets]
    )
    first_s, _ = _timed(lambda: scan_exchange(EXCHANGE))
    again_s, _ = _timed(lambda: scan_exchange(EXCHANGE))
    found = DataGap.objects.filter(instrument=markets[0], kind="candles", timeframe=1).count()
    new_s, cold = _timed(lambda: range_fingerprint(markets[1], Timeframe.M1, YEAR_START_MS, END_MS))
    known_s, warm = _timed(
        lambda: range_fingerprint(markets[1], Timeframe.M1, YEAR_START_MS, END_MS)
    )
    rows = instruments * minutes
    return [
        Figure(
            "read of the same minutes",
            rows / read_s,
            "minutes/s",
            "ceiling",
            note=f"{read_s:.1f} s",
        ),
        Figure(
            f"scan of {minutes:,} minutes of {instruments} instruments, all timeframes",
            first_s,
            "s",
            note=f"{rows / first_s:,.0f} minutes/s, {read_s / first_s:.0%} of the ceiling;"
            f" {found} hole of 3 minutes found",
            met=found == 1,
            target="exactly the hole",
        ),
        Figure("scan of the same, nothing changed", again_s, "s"),
        Figure("fingerprint of the year, first time", new_s * 1000, "ms"),
        Figure(
            "fingerprint of the year, known days",
            known_s * 1000,
            "ms",
            "equal to the first",
            cold == warm,
        ),
    ]


def _take_away(market: Any, minutes: int) -> None:
    middle = YEAR_START_MS + minutes // 2 * 60_000
    execute(
        "delete from marketdata_candle where instrument_id = %s and timeframe = 1"
        " and open_time >= to_timestamp(%s / 1000.0) and open_time < to_timestamp(%s / 1000.0)",
        [market.pk, middle, middle + 180_000],
    )
    # As any write of ours does.
    execute(
        "update marketdata_candleday set version = version + 1 where instrument_id = %s",
        [market.pk],
    )


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result
