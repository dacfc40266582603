"""Maintenance that the exchange announced, from its status messages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from marketdata.domain.raw import RawChannel
from marketdata.models import RawMessage, from_ms

# Announced some weeks ahead, completed at last some days after.
_AHEAD: Final = timedelta(days=30)
_AFTER: Final = timedelta(days=7)

_DEMO: Final = "2"

# WebSocket, trading and its batches, and what is not said: others (bots, spreads, blocks, copies)
# leave the market's data alone.
_SERVICES: Final = frozenset({"0", "5", "8", "9", "99", ""})


def in_maintenance(exchange: str, start_ms: int, end_ms: int) -> bool:
    """Return whether an announced maintenance overlaps [start_ms, end_ms)."""
    messages = RawMessage.objects.filter(
        channel=RawChannel.STATUS,
        exchange=exchange,
        exchange_time__gte=from_ms(start_ms) - _AHEAD,
        exchange_time__lt=from_ms(end_ms) + _AFTER,
    ).order_by("exchange_time", "id")
    announced: dict[tuple[str, str], tuple[str, int, int]] = {}
    for payload in messages.values_list("payload", flat=True):
        if not _concerns_data(payload):
            continue
        begin, end = str(payload.get("begin") or ""), str(payload.get("end") or "")
        if begin.isdigit() and end.isdigit():
            key = str(payload.get("title")), begin
            announced[key] = str(payload.get("state")), int(begin), int(end)
    return any(
        state != "canceled" and begin < end_ms and start_ms < end
        for state, begin, end in announced.values()
    )


def _concerns_data(payload: dict[str, Any]) -> bool:
    """Whether a message is about services of the production environment that bring data."""
    service, environment = str(payload.get("serviceType") or ""), str(payload.get("env") or "")
    return environment != _DEMO and service in _SERVICES
