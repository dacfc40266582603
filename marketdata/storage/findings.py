"""The rows of gaps brought in line with what a scan found missing, with the instrument locked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import Q
from django.db.models.functions import Now

from marketdata.domain.gaps import IdHole, Stretch, joined, touches, without
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.models import LIVE_STATES, DataGap, GapState, Instrument, Opening, from_ms, to_ms
from marketdata.storage.maintenance import in_maintenance

FILLED: Final = "found filled by the scan"

UNTRIED: Final = {"first_tried_at": None, "rest_last_id": None, "rest_end": None}
"""What attempts leave in the row of a gap, before the first of them."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a scan changed: gaps that were opened and gaps that are no holes any more."""

    opened: tuple[DataGap, ...] = ()
    closed: int = 0

    def __add__(self, other: Findings) -> Findings:
        return Findings(self.opened + other.opened, self.closed + other.closed)


def note_candle_holes(
    instrument: Instrument,
    timeframe: Timeframe,
    holes: Iterable[Stretch],
    scanned: Sequence[Stretch],
) -> Findings:
    """Open gaps for `holes`, and close those within `scanned` in which none is left.

    A hole inside a live gap is that gap's, one right beside an open gap makes it longer, and one
    among the minutes of a gap of trades is said by that.
    """
    known = {
        (to_ms(gap.start), to_ms(gap.end)): gap
        for gap in instrument.gaps.live().filter(
            kind=DataGap.Kind.CANDLES, timeframe=timeframe.minutes
        )
    }
    holes = joined(holes)
    closed = 0
    for bounds, gap in list(known.items()):
        if not without([bounds], scanned) and not touches(bounds, holes):
            closed += _close(gap)
            del known[bounds]
    if timeframe is Timeframe.M1:
        holes = without(holes, _minutes_of_trades(instrument))
    fresh = without(holes, known)
    opened = [_open(instrument, timeframe, hole) for hole in fresh if not _lengthen(known, hole)]
    return Findings(tuple(opened), closed)


def note_id_holes(instrument: Instrument, holes: Iterable[IdHole]) -> Findings:
    """Open gaps for the ids of `holes` that no gap speaks of yet."""
    known = known_ids(instrument)
    opened = []
    for hole in holes:
        for first_id, end_id in without([(hole.first_id, hole.last_id + 1)], known):
            opened.append(_open_ids(instrument, hole, first_id, end_id - 1))
    return Findings(tuple(opened))


def known_ids(instrument: Instrument) -> list[Stretch]:
    """Return the ids [first, last + 1) of which a gap says that they are missing, ascending.

    Those that were filled with the exchange's candles, because the trades were not to be had any
    more, are among them.
    """
    lacks_trades = Q(state__in=LIVE_STATES) | Q(filled_with=DataGap.Filling.CANDLES)
    gaps = instrument.gaps.filter(lacks_trades, kind=DataGap.Kind.TRADES)
    ids = gaps.values_list("first_trade_id", "last_trade_id")
    return joined((first or 0, (last or 0) + 1) for first, last in ids)


def _close(gap: DataGap) -> int:
    return DataGap.objects.filter(pk=gap.pk).move(GapState.REPAIRED, reason=FILLED)


def _minutes_of_trades(instrument: Instrument) -> list[Stretch]:
    gaps = instrument.gaps.live().filter(kind=DataGap.Kind.TRADES)
    return [
        (
            Timeframe.M1.open_time(to_ms(gap.start)),
            Timeframe.M1.open_time(to_ms(gap.end)) + MINUTE_MS,
        )
        for gap in gaps
    ]


def _lengthen(known: dict[Stretch, DataGap], hole: Stretch) -> bool:
    """Make an open gap that ends or begins where `hole` does as long as both together."""
    for (start_ms, end_ms), gap in known.items():
        if end_ms == hole[0] or start_ms == hole[1]:
            longer = min(start_ms, hole[0]), max(end_ms, hole[1])
            values = {"start": from_ms(longer[0]), "end": from_ms(longer[1])}
            if DataGap.objects.filter(pk=gap.pk, state=GapState.OPEN).update(**values):
                known[longer] = known.pop((start_ms, end_ms))
                return True
    return False


def _open(instrument: Instrument, timeframe: Timeframe, hole: Stretch) -> DataGap:
    return DataGap.objects.create(
        instrument=instrument,
        kind=DataGap.Kind.CANDLES,
        timeframe=timeframe.minutes,
        start=from_ms(hole[0]),
        end=from_ms(hole[1]),
        cause=_cause(instrument, hole),
    )


def _cause(instrument: Instrument, hole: Stretch) -> DataGap.Cause:
    """Return why candles are missing: before the first collected minute nobody was there."""
    first = Opening.objects.filter(instrument=instrument).order_by("open_time").first()
    if first is None or hole[0] < to_ms(first.open_time):
        return DataGap.Cause.NEVER_COLLECTED
    if in_maintenance(instrument.exchange, *hole):
        return DataGap.Cause.MAINTENANCE
    return DataGap.Cause.OUTAGE


def _open_ids(instrument: Instrument, hole: IdHole, first_id: int, last_id: int) -> DataGap:
    values = {"start": from_ms(hole.after_ms), "end": from_ms(hole.before_ms)}
    again = instrument.gaps.filter(
        kind=DataGap.Kind.TRADES, first_trade_id=first_id, last_trade_id=last_id
    )
    # The same ids were missing before, and were found: their row begins a new life.
    anew = {"attempts": 0, "next_attempt_at": Now(), "filled_with": "", **UNTRIED}
    if again.move(GapState.OPEN, **anew, **values):
        return again.get()
    return DataGap.objects.create(
        instrument=instrument,
        kind=DataGap.Kind.TRADES,
        first_trade_id=first_id,
        last_trade_id=last_id,
        cause=_cause_of_ids(instrument, hole),
        **values,
    )


def _cause_of_ids(instrument: Instrument, hole: IdHole) -> str:
    if in_maintenance(instrument.exchange, hole.after_ms, hole.before_ms):
        return DataGap.Cause.MAINTENANCE.value
    return DataGap.Cause.LOSS.value
