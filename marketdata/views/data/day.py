"""One instrument's UTC day: its figures, its gaps and its locks."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.models import DataGap, Instrument, RangeLock, from_ms, to_ms
from marketdata.storage import integrity
from marketdata.storage.clocks import due_until_ms
from marketdata.views.data.heatmap import share
from tcpdashboard.common.rights import may_change


@require_safe
def day_panel(request: HttpRequest, exchange: str, symbol: str, day: str) -> HttpResponse:
    """Show what is known of one day, as a part of the Data page."""
    instrument, start_ms = _asked(exchange, symbol, day)
    return render(request, "marketdata/data/day.html", day_context(instrument, start_ms, request))


def day_context(instrument: Instrument, start_ms: int, request: HttpRequest) -> dict[str, Any]:
    """Return the figures of the day that begins at `start_ms`, up to now."""
    now_ms = due_until_ms(instrument.exchange)
    end_ms = min(start_ms + DAY_MS, max(start_ms, now_ms // MINUTE_MS * MINUTE_MS))
    found = integrity(instrument, Timeframe.M1, start_ms, end_ms)
    span = {"start__lt": from_ms(start_ms + DAY_MS), "end__gt": from_ms(start_ms)}
    gaps = DataGap.objects.filter(instrument=instrument, **span).select_related("instrument")
    return {
        "instrument": instrument,
        "day": from_ms(start_ms),
        "start_ms": start_ms,
        "end_ms": start_ms + DAY_MS,
        "is_whole": end_ms == start_ms + DAY_MS,
        "found": found,
        "collected": found.expected - found.uncollected,
        "complete_share": share(found.complete, found.expected - found.uncollected),
        "sources": [
            ("Built from trades", found.by_trades),
            ("Exchange candles", found.by_exchange),
            ("Imported", found.by_import),
            ("Flat, without a trade", found.flat),
        ],
        "verified_share": share(found.verified, found.by_trades + found.flat),
        "fingerprint": found.fingerprint.hex(),
        "tail_start": from_ms(found.tail.start_ms) if found.tail else None,
        "gaps": list(gaps.order_by("start")[:100]),
        "locks": list(RangeLock.objects.filter(instrument=instrument, **span)),
        "may_repair": may_change(request.user, DataGap),
    }


def _asked(exchange: str, symbol: str, day: str) -> tuple[Instrument, int]:
    try:
        instrument = Instrument.objects.named(exchange, symbol)
        begins = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
        start_ms = to_ms(begins)
    except (Instrument.DoesNotExist, ValueError) as error:
        raise Http404(str(error)) from None
    if start_ms < 0:
        raise Http404(f"there is no candle of {day}")
    return instrument, start_ms
