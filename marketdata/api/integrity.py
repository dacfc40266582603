"""How whole a stretch of candles is."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketdata.api.queries import read_query
from marketdata.domain.integrity import Integrity
from marketdata.domain.timeframe import Timeframe, parse_timeframe
from marketdata.models import Instrument
from marketdata.serializers.integrity import IntegrityQuery, IntegritySerializer
from marketdata.storage import integrity, read_bounds
from marketdata.storage.clocks import due_until_ms, exchange_now_ms


class IntegrityView(APIView):
    """What is known of one instrument's candles in a stretch of time."""

    @extend_schema(parameters=[IntegrityQuery], responses=IntegritySerializer)
    def get(self, request: Request) -> Response:
        """Tell how whole the candles are that open from start to before end.

        Counts and shares of complete, verified, flat and revised candles, where the rest came
        from, what is missing with the state of its gaps, what is locked, and the fingerprint:
        equal fingerprints mean equal times, prices and volumes. Without start or end the stretch
        begins with the first stored candle or ends with the last one; of an instrument that is
        collected, with the last one that should be stored by now, though its collector is dead. It
        never goes beyond the last candle that has closed on the exchange: what is to come is not
        missing.
        """
        query = read_query(request, IntegrityQuery)
        instrument, timeframe = query["instrument"], parse_timeframe(query["timeframe"])
        start_ms, end_ms = _stretch(instrument, timeframe, query)
        return Response(_answer(instrument, integrity(instrument, timeframe, start_ms, end_ms)))


def _stretch(
    instrument: Instrument, timeframe: Timeframe, query: dict[str, Any]
) -> tuple[int, int]:
    bounds, due_ms = read_bounds(instrument, timeframe), due_until_ms(instrument.exchange)
    first_ms = bounds.oldest_ms or 0
    last_ms = 0 if bounds.newest_ms is None else timeframe.close_time(bounds.newest_ms)
    wanted_ms = last_ms
    if instrument.is_enabled and last_ms:
        wanted_ms = max(last_ms, timeframe.open_time(due_ms))
    # One of them may be given that lies beyond what is stored: the stretch is empty then.
    start_ms = query.get("start", min(first_ms, query.get("end", first_ms)))
    end_ms = query.get("end", wanted_ms)
    now_ms = max(exchange_now_ms(instrument.exchange), due_ms)
    closed_ms = max(last_ms, timeframe.open_time(now_ms))
    return start_ms, max(start_ms, min(end_ms, closed_ms))


def _answer(instrument: Instrument, found: Integrity) -> dict[str, Any]:
    return {
        "exchange": instrument.exchange,
        "symbol": instrument.symbol,
        "timeframe": found.timeframe.value,
        "start": found.start_ms,
        "end": found.end_ms,
        "expected": found.expected,
        "complete": found.complete,
        "incomplete": found.incomplete,
        "missing": found.missing,
        "uncollected": found.uncollected,
        "by_trades": found.by_trades,
        "by_exchange": found.by_exchange,
        "by_import": found.by_import,
        "flat": found.flat,
        "revised": found.revised,
        "verified": found.verified,
        "differing": found.differing,
        "complete_share": found.complete_share,
        "verified_share": found.verified_share,
        "flat_share": found.flat_share,
        "revised_share": found.revised_share,
        "fingerprint": found.fingerprint.hex(),
        "gaps": [_span(asdict(gap)) for gap in (*found.gaps, *filter(None, [found.tail]))],
        "locks": [_span(asdict(lock)) for lock in found.locks],
    }


def _span(values: dict[str, Any]) -> dict[str, Any]:
    return {name.removesuffix("_ms"): value for name, value in values.items()}
