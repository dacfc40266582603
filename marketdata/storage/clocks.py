"""What time it is on an exchange: a simulated one may be ahead of the wall's clock, or behind."""

from __future__ import annotations

import time

from django.db.models import Max

from marketdata.models import Collector, to_ms


def exchange_now_ms(exchange: str) -> int:
    """Return the newest time known of `exchange`; of one never collected, this machine's."""
    newest = Collector.objects.filter(exchange=exchange).aggregate(at=Max("exchange_time"))["at"]
    return time.time_ns() // 1_000_000 if newest is None else to_ms(newest)
