"""Taking a day of raw messages away: as a whole table, whatever its size, beside a DELETE of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from tests.benchmarks.figures import Figure
from tests.benchmarks.market import execute

T = TypeVar("T")

SIZES = (1_000, 100_000, 1_000_000)
FIRST = date(2024, 1, 1)
MOST_TIMES = 3.0
"""A table a thousand times as large may be taken out in so many times as long."""

FLOOR_MS = 25.0

_FILES = "what the file system takes to free them; nobody waits for it"

_FILL = """
insert into marketdata_rawmessage (exchange_time, received_at, channel, exchange, payload)
select %s + n * interval '50 us', now(), 'tickers', 'bench',
    jsonb_build_object('instId', 'BTC-USDT', 'last', (60000 + n %% 977)::text,
        'bidPx', (59999 + n %% 977)::text, 'askPx', (60001 + n %% 977)::text,
        'open24h', '59000', 'high24h', '61000', 'low24h', '58000', 'vol24h', '12345.678')
from generate_series(1, %s) n
"""


def run(sizes: tuple[int, ...] = SIZES) -> list[Figure]:
    """Return the milliseconds that each day takes to go, and those of a DELETE of the largest."""
    from marketdata.domain.raw import RawChannel
    from marketdata.storage.partitions import drop, partitions, prepare_days, retire

    prepare_days(FIRST, len(sizes) + 1)
    days = [FIRST + timedelta(days=number) for number in range(len(sizes) + 1)]
    for day, rows in zip(days, (*sizes, sizes[-1]), strict=True):
        execute(_FILL, [datetime(day.year, day.month, day.day, tzinfo=UTC), rows])
    execute("checkpoint")
    found = {one.day: one for one in partitions() if one.channel is RawChannel.TICKERS}
    for one in found.values():
        # As a day that is due was long ago; an autovacuum under way would hold its table.
        execute(f"vacuum analyze {one.table}")
    retired_ms, dropped_ms = {}, {}
    for day, rows in zip(days, sizes, strict=False):
        table, retired_ms[rows] = _timed(retire, found[day])
        _, dropped_ms[rows] = _timed(drop, table)
    limit = max(FLOOR_MS, retired_ms[sizes[0]] * MOST_TIMES)
    figures = []
    for day, rows in zip(days, sizes, strict=False):
        what = f"retention: a day of {rows:,} messages, {found[day].bytes / 1e6:,.1f} MB"
        target = f"at most {limit:.0f}, whatever its size"
        is_met = retired_ms[rows] <= limit
        figures += [
            Figure(f"{what}: taken out", retired_ms[rows], "ms", target, is_met),
            Figure(f"{what}: its files given back", dropped_ms[rows], "ms", note=_FILES),
        ]
    started = time.perf_counter()
    execute(f"delete from {found[days[-1]].table}")
    deleted_ms = (time.perf_counter() - started) * 1000
    note = "and the space is still to be cleaned up"
    return [*figures, Figure(f"DELETE of {sizes[-1]:,} messages", deleted_ms, "ms", note=note)]


def _timed(act: Callable[..., T], *given: object) -> tuple[T, float]:
    """Return what a call returns, and its milliseconds."""
    started = time.perf_counter()
    returned = act(*given)
    return returned, (time.perf_counter() - started) * 1000
