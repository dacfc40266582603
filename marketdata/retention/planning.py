"""What retention would take away, and how much that is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from django.db.models import Max

from marketdata.domain.timeframe import DAY_MS
from marketdata.exchanges import collected_exchanges
from marketdata.models import TRADES, Collector, Instrument, from_ms, to_ms
from marketdata.storage.partitions import Partition, count, partitions
from marketdata.storage.policies import Policy, policies
from marketdata.storage.trade_days import TradeDay, count_trades, oldest_day, reason_to_stay

TRADE_BYTES: Final = 150
"""What a trade takes in the table and in its key, about."""


@dataclass(frozen=True, slots=True)
class Expired:
    """Something that would go: a channel's day, or an instrument's trades through a day.

    `kept_because` says why it stays all the same.
    """

    what: str
    subject: str
    first_day: date
    last_day: date
    rows: int
    bytes: int
    is_archived: bool
    kept_because: str | None = None


def data_now_ms() -> int:
    """Return the time that ages of data are counted from, in UTC milliseconds.

    That is the newest time of the exchanges collected here; while none is collected nothing
    gets older. Without a collector, or ahead of it, the time of this machine.
    """
    wall_ms = time.time_ns() // 1_000_000
    collectors = Collector.objects.filter(exchange__in=collected_exchanges())
    newest = collectors.aggregate(newest=Max("exchange_time"))["newest"]
    return wall_ms if newest is None else min(wall_ms, to_ms(newest))


def expired_partitions(now_ms: int) -> Iterator[tuple[Partition, Policy]]:
    """Yield the partitions whose time is over; those already retired among them."""
    kept = policies()
    for partition in partitions():
        policy = kept[partition.channel.value]
        if partition.is_retired or partition.start_ms < policy.first_kept_ms(now_ms):
            yield partition, policy


def plan(now_ms: int | None = None) -> list[Expired]:
    """Return everything that the next enforcement takes away, counted, and what holds it."""
    now_ms = data_now_ms() if now_ms is None else now_ms
    found = [
        Expired(
            policy.what,
            partition.table,
            partition.day,
            partition.day,
            count(partition),
            partition.bytes,
            policy.is_archived,
        )
        for partition, policy in expired_partitions(now_ms)
    ]
    return [*found, *_expired_trades(now_ms, policies()[TRADES])]


def _expired_trades(now_ms: int, policy: Policy) -> Iterator[Expired]:
    end_ms = policy.first_kept_ms(now_ms)
    for instrument in Instrument.objects.all():
        first = oldest_day(instrument)
        if first is None or first.start_ms >= end_ms:
            continue
        free, held = _first_held(first, end_ms, now_ms)
        if free > first.start_ms:
            yield _trades(instrument, first.start_ms, free, policy)
        if held is not None:
            yield _trades(instrument, free, end_ms, policy, held)


def _first_held(first: TradeDay, end_ms: int, now_ms: int) -> tuple[int, str | None]:
    """Return where the days that may go end, and what holds the next; its days go in order."""
    for start_ms in range(first.start_ms, end_ms, DAY_MS):
        if reason := reason_to_stay(TradeDay(first.instrument, start_ms), now_ms):
            return start_ms, reason
    return end_ms, None


def _trades(
    instrument: Instrument, start_ms: int, end_ms: int, policy: Policy, held: str | None = None
) -> Expired:
    rows = count_trades(instrument, start_ms, end_ms)
    days = from_ms(start_ms).date(), from_ms(end_ms - 1).date()
    size = rows * TRADE_BYTES
    return Expired(TRADES, str(instrument), *days, rows, size, policy.is_archived, held)
