"""Stretches of missing trades as rows that outlive the collector that saw them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db.models import Q

from marketdata.domain.events import Emission, Hole, HoleCause
from marketdata.models import LIVE_STATES, DataGap, Instrument, from_ms, to_ms
from marketdata.storage.maintenance import in_maintenance
from marketdata.storage.proving import Span
from marketdata.storage.tapes import missing_of

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

_CAUSES: Final = {
    HoleCause.START: DataGap.Cause.RESTART,
    HoleCause.OUTAGE: DataGap.Cause.OUTAGE,
    HoleCause.LOSS: DataGap.Cause.LOSS,
}
_CAUSE_OF: Final = {cause: hole_cause for hole_cause, cause in _CAUSES.items()}
# A collector repairs its own holes: nobody else tries before its grace is over.
_OPEN: Final = """
insert into marketdata_datagap (
    instrument_id, kind, first_trade_id, last_trade_id, start, "end", cause, next_attempt_at
) values (%s, 'trades', %s, %s, %s, %s, %s, now() + make_interval(secs => %s))
on conflict do nothing
"""

# A gap may begin before the hole: what a killed collector had found of it is stored, and the hole
# begins behind that.
_REPAIRED: Final = """
update marketdata_datagap set state = 'repaired', closed_at = now(), filled_with = 'trades',
    lease_owner = '', lease_expires_at = null
where instrument_id = %s and kind = 'trades' and last_trade_id between %s and %s
    and state <> 'repaired'
returning start, "end", given_up_at is not null
"""

_GIVEN_UP: Final = """
update marketdata_datagap set reason = %s, given_up_at = now(),
    next_attempt_at = least(next_attempt_at, now() + make_interval(secs => %s))
where instrument_id = %s and kind = 'trades' and first_trade_id = %s and last_trade_id = %s
    and state = 'open'
"""
_WHY: Final = "not repaired in time: its minutes were handed on as incomplete"

# The collector goes on looking for a while: half of its grace.
_STILL_TRIED: Final = 0.5


def write_gaps(cursor: CursorWrapper, instrument: Instrument, emission: Emission) -> list[Span]:
    """Store what became of the holes of an emission; return where minutes must be judged again.

    A hole given up stays an open gap with a reason: its minutes went on as incomplete, and it
    still waits for its repair. The hole of a first start has no beginning and is no gap while it
    is being filled: nothing was being collected before it. Given up it is one, from id 0 on, or
    the next start would take its minutes for whole.
    """
    for hole in (*emission.opened, *emission.repaired, *emission.given_up):
        if hole.first_id is not None or hole in emission.given_up:
            times = from_ms(hole.after_ms), from_ms(hole.before_ms)
            row = (*_ids(hole), *times, _cause(instrument, hole), settings.REPAIR_GRACE_SECONDS)
            cursor.execute(_OPEN, [instrument.pk, *row])
    for hole in emission.given_up:
        wait_s = settings.REPAIR_GRACE_SECONDS * _STILL_TRIED
        cursor.execute(_GIVEN_UP, [_WHY, wait_s, instrument.pk, *_ids(hole)])
    spans = [Span(hole.after_ms, hole.before_ms) for hole in emission.given_up]
    for hole in emission.repaired:
        if hole.first_id is not None:
            cursor.execute(_REPAIRED, [instrument.pk, *_ids(hole)])
            gaps = cursor.fetchall()
            spans += [Span(to_ms(start), to_ms(end)) for start, end, given_up in gaps if given_up]
    return spans


def read_given_up(
    cursor: CursorWrapper, instrument_id: int, open_ms: int, last_id: int
) -> tuple[Hole, ...]:
    """Return the gaps that lack trades up to `last_id`, and may lack some from `open_ms` on.

    `last_id` is the newest stored trade: a repair may have brought it, newest first, with the rest
    of its gap still missing. What is missing behind it is not told: that hole opens again. A gap
    that candles closed lacks its trades as much as a live one.
    """
    lacks_trades = Q(state__in=LIVE_STATES) | Q(filled_with=DataGap.Filling.CANDLES)
    gaps = DataGap.objects.filter(
        lacks_trades,
        instrument_id=instrument_id,
        kind=DataGap.Kind.TRADES,
        first_trade_id__lte=last_id,
        end__gte=from_ms(open_ms),
    ).order_by("first_trade_id")
    return tuple(
        Hole(
            first_id=gap.ids[0],
            last_id=min(gap.ids[1], last_id),
            after_ms=to_ms(gap.start),
            before_ms=to_ms(gap.end),
            cause=_CAUSE_OF.get(DataGap.Cause(gap.cause), HoleCause.OUTAGE),
        )
        for gap in gaps
        if any(first_id <= last_id for first_id, _ in missing_of(cursor, gap))
    )


def _ids(hole: Hole) -> tuple[int, int]:
    return hole.first_id or 0, hole.last_id


def _cause(instrument: Instrument, hole: Hole) -> str:
    span = hole.after_ms, hole.before_ms
    if hole.cause is HoleCause.OUTAGE and in_maintenance(instrument.exchange, *span):
        return DataGap.Cause.MAINTENANCE.value
    return _CAUSES[hole.cause].value
