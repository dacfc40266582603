"""From when to when candles of an instrument are to be expected: nobody asked for others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from marketdata.domain.timeframe import MINUTE_MS
from marketdata.models import LIVE_STATES

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

_STATES: Final = ", ".join(f"'{state.value}'" for state in LIVE_STATES)

SPANS: Final = f"""
select wanted.id as instrument_id,
    (extract(epoch from least(stored.oldest, gaps.first)) * 1000)::bigint as begin_ms,
    (extract(epoch from greatest(stored.newest, gaps.last)) * 1000)::bigint as newest_ms
from unnest(%s::bigint[]) as wanted (id)
cross join lateral (
    select min(open_time) as oldest, max(open_time) as newest from marketdata_candle as candle
    where candle.instrument_id = wanted.id and candle.timeframe = 1
) as stored
cross join lateral (
    select min(gap.start) as first, max(gap."end") - interval '1 minute' as last
    from marketdata_datagap as gap
    where gap.instrument_id = wanted.id and gap.kind = 'candles' and gap.timeframe = 1
        and gap.state in ({_STATES})
) as gaps
"""  # noqa: S608
"""For each instrument the first and the last minute that is stored or known to be missing."""


class Span(NamedTuple):
    """Minutes that open in [begin_ms, end_ms) are stored, or known to be missing."""

    begin_ms: int
    end_ms: int


def select_span(cursor: CursorWrapper, instrument_id: int) -> Span | None:
    """Return the span of one instrument; None while nothing is stored nor known to be missing."""
    cursor.execute(SPANS, [[instrument_id]])
    _, begin_ms, newest_ms = cursor.fetchone()
    return None if begin_ms is None else Span(begin_ms, newest_ms + MINUTE_MS)
