"""Gaps as pages and the API show them."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Count, F
from django.db.models.functions import Coalesce, Greatest

from marketdata.models import DataGap, GapState, to_ms

LATEST: Final = 50


def gap_overview() -> dict[str, Any]:
    """Return how many gaps are in each state, and the latest that opened or closed.

    Times are UTC milliseconds.
    """
    counts = dict(DataGap.objects.order_by().values_list("state").annotate(number=Count("pk")))
    changed = Greatest("opened_at", Coalesce("closed_at", F("opened_at")))
    latest = DataGap.objects.select_related("instrument").order_by(changed.desc(), "-pk")
    return {
        "counts": {state.value: counts.get(state.value, 0) for state in GapState},
        "latest": [gap_row(gap) for gap in latest[:LATEST]],
    }


def gap_row(gap: DataGap) -> dict[str, Any]:
    """Return one gap as JSON values."""
    return {
        "id": gap.pk,
        "exchange": gap.instrument.exchange,
        "symbol": gap.instrument.symbol,
        "kind": gap.kind,
        "timeframe": gap.timeframe,
        "first_trade_id": gap.first_trade_id,
        "last_trade_id": gap.last_trade_id,
        "start_ms": to_ms(gap.start),
        "end_ms": to_ms(gap.end),
        "cause": gap.cause,
        "state": gap.state,
        "reason": gap.reason,
        "filled_with": gap.filled_with,
        "attempts": gap.attempts,
        "next_attempt_ms": to_ms(gap.next_attempt_at),
        "opened_ms": to_ms(gap.opened_at),
        "closed_ms": None if gap.closed_at is None else to_ms(gap.closed_at),
    }
