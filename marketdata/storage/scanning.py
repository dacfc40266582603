"""The store looked through for missing candles: only the days that changed since the last look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db import connection, transaction

from marketdata.domain.gaps import Stretch, joined, touches, without, wrong_windows
from marketdata.domain.quality import missing_minutes
from marketdata.domain.timeframe import DAY_MS, HIGHER_TIMEFRAMES, MINUTE_MS, Timeframe
from marketdata.models import DataGap, Instrument, to_ms
from marketdata.storage.candles import select_bounds, select_candles
from marketdata.storage.findings import Findings, note_candle_holes
from marketdata.storage.locks import lock_instrument

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

# Read at a time: below 50,000 minutes.
_BLOCK_MS: Final = 34 * DAY_MS

_DAYS: Final = """
with looked_at as (
    select day from marketdata_candleday
    where instrument_id = %(instrument)s and version <> scanned_version
    union
    select min(day) from marketdata_candleday
    where instrument_id = %(instrument)s and timeframe = 1
    union
    select max(day) from marketdata_candleday
    where instrument_id = %(instrument)s and timeframe = 1
), sums as (
    select day, sum(version)::bigint as versions, sum(scanned_version)::bigint as scanned
    from marketdata_candleday
    where instrument_id = %(instrument)s and timeframe = any(%(timeframes)s)
        and day in (select day from looked_at)
    group by day
)
select sums.day - date '1970-01-01', versions, scanned,
    before.day - date '1970-01-01', after.day - date '1970-01-01'
from sums
left join lateral (
    select max(day) as day from marketdata_candleday
    where instrument_id = %(instrument)s and timeframe = 1 and day < sums.day
) as before on true
left join lateral (
    select min(day) as day from marketdata_candleday
    where instrument_id = %(instrument)s and timeframe = 1 and day > sums.day
) as after on true
order by sums.day
"""

_SCANNED: Final = """
update marketdata_candleday stored set scanned_version = version
from unnest(%s::int[], %s::bigint[]) as seen (number, versions),
    lateral (
        select sum(version) as versions from marketdata_candleday
        where instrument_id = %s and day = date '1970-01-01' + seen.number
    ) as now
where stored.instrument_id = %s and stored.day = date '1970-01-01' + seen.number
    and now.versions = seen.versions
"""


@dataclass(frozen=True, slots=True)
class Day:
    """A stored UTC day: the sums of its candles' versions, now and when it was scanned.

    `before` and `after` are the nearest days of which minutes are stored.
    """

    versions: int
    scanned: int
    before: int | None
    after: int | None


def changed_days(instrument: Instrument) -> list[Stretch]:
    """Return the stretches of days of which candles changed since they were looked through."""
    with connection.cursor() as cursor:
        days = days_to_scan(cursor, instrument)
    return joined(_day(number) for number, day in days.items() if day.versions != day.scanned)


def scan_candles(instrument: Instrument, asked: Stretch | None = None) -> Findings:
    """Bring the instrument's gaps of candles in line with what is stored.

    Looks at the minutes between the first and the last stored one, and at `asked`, a stretch
    that a person wants to be complete. Days that did not change are not read again. A write that
    comes in between is seen by the next scan.
    """
    with connection.cursor() as cursor:
        days = days_to_scan(cursor, instrument)
        bounds = select_bounds(cursor, instrument.pk, Timeframe.M1)
        stored = []
        if bounds.oldest_ms is not None and bounds.newest_ms is not None:
            stored = [(bounds.oldest_ms, bounds.newest_ms + MINUTE_MS)]
            if asked and instrument.is_enabled:
                # What comes after the newest candle is the collector's to build.
                asked = asked[0], min(asked[1], stored[0][1])
        wanted = joined(stored + _gaps(instrument, timeframe=1) + ([asked] if asked else []))
        if not wanted:
            return Findings()
        looked_at = _to_look_at(instrument, days, wanted, asked)
        end_ms = stored[0][1] if stored else 0
        holes: dict[Timeframe, list[Stretch]] = {timeframe: [] for timeframe in Timeframe}
        for block in _blocks(looked_at):
            for timeframe, found in _holes_of(cursor, instrument, block, wanted, end_ms).items():
                holes[timeframe] += found
    return _note(instrument, days, looked_at, holes)


def _to_look_at(
    instrument: Instrument, days: dict[int, Day], wanted: list[Stretch], asked: Stretch | None
) -> list[Stretch]:
    """Return the days to read: changed ones, absent ones, and all days of gaps among those.

    Absent days lie beside a day that was not there before them, or beyond the first and the last.
    """
    among = joined(_whole_days(*one) for one in wanted)
    chosen = [_beside(number, day) for number, day in days.items()]
    if days:
        chosen += without(among, [(min(days) * DAY_MS, (max(days) + 1) * DAY_MS)])
    else:
        chosen += among
    if asked:
        chosen.append(_whole_days(*asked))
    looked_at = without(among, without(among, chosen))
    bounds = [_whole_days(*gap) for gap in _gaps(instrument)]
    return joined(looked_at + [one for one in bounds if touches(one, looked_at)])


def _beside(number: int, day: Day) -> Stretch:
    """Return a day with the absent days on both sides of it."""
    first = number if day.before is None else day.before + 1
    end = number + 1 if day.after is None else day.after
    return first * DAY_MS, end * DAY_MS


def _gaps(instrument: Instrument, **which: int) -> list[Stretch]:
    """Return the stretches in which candles are known to be missing."""
    gaps = instrument.gaps.live().filter(kind=DataGap.Kind.CANDLES, **which)
    return [(to_ms(gap.start), to_ms(gap.end)) for gap in gaps]


def _holes_of(
    cursor: CursorWrapper,
    instrument: Instrument,
    block: Stretch,
    wanted: list[Stretch],
    end_ms: int,
) -> dict[Timeframe, list[Stretch]]:
    minutes = select_candles(cursor, instrument.pk, Timeframe.M1, *block)
    inside = without([block], without([block], wanted))
    holes = {
        Timeframe.M1: [hole for part in inside for hole in missing_minutes(minutes, *part)],
    }
    for timeframe in HIGHER_TIMEFRAMES:
        higher = select_candles(cursor, instrument.pk, timeframe, *block)
        holes[timeframe] = wrong_windows(minutes, higher, timeframe, instrument.spec, end_ms)
    return holes


def _note(
    instrument: Instrument,
    days: dict[int, Day],
    looked_at: list[Stretch],
    holes: dict[Timeframe, list[Stretch]],
) -> Findings:
    with transaction.atomic(), connection.cursor() as cursor:
        lock_instrument(cursor, instrument.pk)
        now = days_to_scan(cursor, instrument)
        moved = [_day(number) for number, day in now.items() if _moved(day, days.get(number))]
        sure = without(looked_at, moved)
        findings = Findings()
        for timeframe, found in holes.items():
            found = [hole for hole in found if not touches(hole, moved)]
            findings += note_candle_holes(instrument, timeframe, found, sure)
        seen = [number for number in days if touches(_day(number), sure)]
        versions = [days[number].versions for number in seen]
        cursor.execute(_SCANNED, [seen, versions, instrument.pk, instrument.pk])
    return findings


def _moved(day: Day, before: Day | None) -> bool:
    return before is None or day.versions != before.versions


def days_to_scan(cursor: CursorWrapper, instrument: Instrument) -> dict[int, Day]:
    """Return the days that changed since they were looked through, and the first and the last."""
    timeframes = [timeframe.minutes for timeframe in Timeframe]
    cursor.execute(_DAYS, {"instrument": instrument.pk, "timeframes": timeframes})
    return {number: Day(*figures) for number, *figures in cursor.fetchall()}


def _blocks(stretches: list[Stretch]) -> Iterator[Stretch]:
    for start_ms, end_ms in stretches:
        for first_ms in range(start_ms, end_ms, _BLOCK_MS):
            yield first_ms, min(end_ms, first_ms + _BLOCK_MS)


def _whole_days(start_ms: int, end_ms: int) -> Stretch:
    return start_ms // DAY_MS * DAY_MS, -(-end_ms // DAY_MS) * DAY_MS


def _day(number: int) -> Stretch:
    return number * DAY_MS, (number + 1) * DAY_MS
