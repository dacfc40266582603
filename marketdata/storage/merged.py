"""Trades that came merged: told as gaps of their single matches, which a repair fetches."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import DateTimeField, ExpressionWrapper, Value
from django.db.models.functions import Now

from marketdata.domain.gaps import Stretch, touches
from marketdata.domain.records import Trades
from marketdata.models import DataGap, GapState, Instrument, from_ms
from marketdata.storage.findings import Findings
from marketdata.storage.locks import lock_instrument

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

_GRACES: Final = 5
"""So many graces of repairs after the first one merged trades are split: many at a time."""

_MERGED: Final = """
select trade_id - count + 1, trade_id + 1 from marketdata_trade
where instrument_id = %s and executed_at between %s and %s and count > 1
    and trade_id between %s and %s
order by trade_id
"""


def note_merged(instrument: Instrument, rows: Trades) -> Findings:
    """Open a gap for the merged rows among `rows` of which none speaks yet, or lengthen one."""
    merged = rows[rows["count"] > 1]
    if not len(merged):
        return Findings()
    with transaction.atomic(), connection.cursor() as cursor:
        lock_instrument(cursor, instrument.pk)
        gaps = list(instrument.gaps.merged())
        known = [(first_id, last_id + 1) for first_id, last_id in (gap.ids for gap in gaps)]
        ids = zip(merged["trade_id"].tolist(), merged["count"].tolist(), strict=True)
        merged = merged[[not touches((last - count + 1, last + 1), known) for last, count in ids]]
        if not len(merged):
            return Findings()
        waiting = [gap for gap in gaps if gap.state == GapState.OPEN and not gap.attempts]
        return _note(instrument, merged, waiting)


def merged_of(cursor: CursorWrapper, gap: DataGap) -> list[Stretch]:
    """Return the ids [first, last + 1) of each merged row of a gap, ascending."""
    cursor.execute(_MERGED, [gap.instrument_id, gap.start, gap.end, *gap.ids])
    return [(first_id, end_id) for first_id, end_id in cursor.fetchall()]


def _note(instrument: Instrument, merged: Trades, waiting: list[DataGap]) -> Findings:
    first_id = int((merged["trade_id"] - merged["count"]).min()) + 1
    start = from_ms(int(merged["time_ms"].min()))
    last_id, end = int(merged["trade_id"].max()), from_ms(int(merged["time_ms"].max()))
    for gap in waiting:
        if gap.ids[1] < first_id and gap.start <= start and gap.end <= end:
            DataGap.objects.filter(pk=gap.pk).update(last_trade_id=last_id, end=end)
            return Findings()
    wait = timedelta(seconds=settings.REPAIR_GRACE_SECONDS * _GRACES)
    opened = DataGap.objects.create(
        instrument=instrument,
        kind=DataGap.Kind.MERGED,
        first_trade_id=first_id,
        last_trade_id=last_id,
        start=start,
        end=end,
        cause=DataGap.Cause.REFUSED,
        next_attempt_at=ExpressionWrapper(Now() + Value(wait), output_field=DateTimeField()),
    )
    return Findings((opened,))
