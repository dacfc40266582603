"""How whole the stored candles of a stretch are: from what is kept of whole days, and two edges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from django.db import connection

from marketdata.domain.integrity import GapNote, Integrity, LockNote
from marketdata.domain.records import Source
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.models import DataGap, Instrument, from_ms, to_ms
from marketdata.storage.beginnings import Span, select_span
from marketdata.storage.bits import DAY_MINUTES, select_bits
from marketdata.storage.candles import select_candles
from marketdata.storage.clocks import due_until_ms
from marketdata.storage.counting import COUNTS, select_counts
from marketdata.storage.fingerprints import Held, select_fingerprint
from marketdata.storage.locks import locked_ranges

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

GAPS_SHOWN: Final = 500

_REVISED: Final = """
select count(distinct open_time) from marketdata_candlerevision
where instrument_id = %s and timeframe = %s and open_time >= %s and open_time < %s
"""


def integrity(
    instrument: Instrument,
    timeframe: Timeframe,
    start_ms: int,
    end_ms: int,
    *,
    held: Held | None = None,
    is_hashed: bool = True,
) -> Integrity:
    """Return how whole the candles are that open in [start_ms, end_ms).

    Before the instrument's first candle, stored or known to be missing, nothing was collected. Days
    that did not change since they were last asked for cost no look at their candles. Of the gaps
    left the GAPS_SHOWN oldest are named. `held` are the candles, where they are in memory.
    """
    opens = -(-start_ms // timeframe.ms), -(-end_ms // timeframe.ms)
    with connection.cursor() as cursor:
        counts = _count(cursor, instrument.pk, timeframe, start_ms, end_ms)
        counts |= _checked(cursor, instrument.pk, timeframe, opens)
        fingerprint = b""
        if is_hashed:
            fingerprint = select_fingerprint(cursor, instrument, timeframe, start_ms, end_ms, held)
        span = select_span(cursor, instrument.pk)
    expected, stored = max(0, opens[1] - opens[0]), counts.pop("rows")
    begin = opens[1] if span is None else min(opens[1], span.begin_ms // timeframe.ms)
    return Integrity(
        timeframe=timeframe,
        start_ms=start_ms,
        end_ms=end_ms,
        expected=expected,
        # A higher timeframe may have been imported without its minutes.
        uncollected=max(0, min(begin - opens[0], expected - stored)),
        stored=stored,
        **counts,
        fingerprint=fingerprint,
        gaps=_gaps(instrument, start_ms, end_ms),
        locks=tuple(LockNote(*span) for span in locked_ranges(instrument.pk, start_ms, end_ms)),
        tail=_tail(instrument, span, end_ms),
    )


def _count(
    cursor: CursorWrapper, instrument_id: int, timeframe: Timeframe, start_ms: int, end_ms: int
) -> dict[str, int]:
    first, stop = -(-start_ms // DAY_MS), end_ms // DAY_MS
    if first > stop:
        return _count_part(cursor, instrument_id, timeframe, start_ms, end_ms)
    days = select_counts(cursor, [instrument_id], timeframe, first, stop - 1)
    parts = [
        {name: int(days[name].sum()) for name in COUNTS},
        _count_part(cursor, instrument_id, timeframe, start_ms, first * DAY_MS),
        _count_part(cursor, instrument_id, timeframe, stop * DAY_MS, end_ms),
    ]
    return {name: sum(part[name] for part in parts) for name in COUNTS}


def _count_part(
    cursor: CursorWrapper, instrument_id: int, timeframe: Timeframe, start_ms: int, end_ms: int
) -> dict[str, int]:
    if start_ms >= end_ms:
        return dict.fromkeys(COUNTS, 0)
    candles = select_candles(cursor, instrument_id, timeframe, start_ms, end_ms)
    source = candles["source"][candles["minutes"] == timeframe.minutes]
    span = from_ms(start_ms), from_ms(end_ms)
    cursor.execute(_REVISED, [instrument_id, timeframe.minutes, *span])
    return {
        "rows": len(candles),
        "complete": len(source),
        "by_trades": int((source == Source.TRADES).sum()),
        "by_exchange": int((source == Source.EXCHANGE).sum()),
        "by_import": int((source == Source.IMPORTED).sum()),
        "flat": int((source == Source.FLAT).sum()),
        "revised": int(cursor.fetchone()[0]),
    }


def _checked(
    cursor: CursorWrapper, instrument_id: int, timeframe: Timeframe, opens: tuple[int, int]
) -> dict[str, int]:
    """Return how many candles have only verified minutes, and how many any that differs.

    `opens` are the numbers of the first candle and of the one after the last.
    """
    if opens[0] >= opens[1]:
        return {"verified": 0, "differing": 0}
    first, stop = (number * timeframe.minutes for number in opens)
    bits = select_bits(cursor, instrument_id, first * MINUTE_MS, stop * MINUTE_MS)
    skipped = bits.first_day * DAY_MINUTES
    wanted = slice(first - skipped, stop - skipped)
    verified = bits.verified.reshape(-1)[wanted].reshape(-1, timeframe.minutes).all(axis=1)
    differs = bits.differs.reshape(-1)[wanted].reshape(-1, timeframe.minutes).any(axis=1)
    return {
        "verified": int(np.count_nonzero(verified)),
        "differing": int(np.count_nonzero(differs)),
    }


def _gaps(instrument: Instrument, start_ms: int, end_ms: int) -> tuple[GapNote, ...]:
    gaps = DataGap.objects.filter(
        instrument=instrument, start__lt=from_ms(end_ms), end__gt=from_ms(start_ms)
    ).live()
    return tuple(
        GapNote(
            kind=gap.kind,
            state=gap.state,
            cause=gap.cause,
            reason=gap.reason,
            start_ms=to_ms(gap.start),
            end_ms=to_ms(gap.end),
        )
        for gap in gaps.order_by("start")[:GAPS_SHOWN]
    )


def _tail(instrument: Instrument, span: Span | None, end_ms: int) -> GapNote | None:
    """Return the minutes before `end_ms` that should be stored by now and lie behind all that is.

    They are no DataGap: a collector that comes back builds them from the trades it missed.
    """
    if span is None or end_ms <= span.end_ms or not instrument.is_enabled:
        return None
    missing_ms = min(end_ms, Timeframe.M1.open_time(due_until_ms(instrument.exchange)))
    if missing_ms <= span.end_ms:
        return None
    return GapNote(
        kind=DataGap.Kind.CANDLES,
        state=DataGap.State.OPEN,
        cause=DataGap.Cause.OUTAGE,
        reason="nothing was collected since",
        start_ms=span.end_ms,
        end_ms=missing_ms,
    )
