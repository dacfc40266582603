"""What time it is on an exchange: a simulated one may be ahead of the wall's clock, or behind."""

from __future__ import annotations

import time
from typing import Final

from django.db.models import Max
from django.db.models.functions import Now

from marketdata.domain.timeframe import MINUTE_MS
from marketdata.models import Collector, to_ms

_SETTLING_MS: Final = 2 * MINUTE_MS
"""The newest minutes are on their way: their trades are being stored."""


def exchange_now_ms(exchange: str) -> int:
    """Return the newest time known of `exchange`; of one never collected, this machine's."""
    newest = Collector.objects.filter(exchange=exchange).aggregate(at=Max("exchange_time"))["at"]
    return time.time_ns() // 1_000_000 if newest is None else to_ms(newest)


def due_until_ms(exchange: str) -> int:
    """Return until when the minutes of what is collected on `exchange` should be stored by now.

    An exchange goes on while nobody here listens: its time counts as the newest one known and as
    long as every collector that is to run has heard nothing since.
    """
    return exchange_now_ms(exchange) + _silence_ms(exchange) - _SETTLING_MS


def _silence_ms(exchange: str) -> int:
    rows = Collector.objects.filter(exchange=exchange, desired=Collector.Desired.RUNNING)
    told = rows.exclude(heartbeat_at=None).values_list("heartbeat_at", "counters__silence_s", Now())
    silent_s = [(now - at).total_seconds() + (before or 0.0) for at, before, now in told]
    return int(max(0.0, min(silent_s, default=0.0)) * 1000)
