"""Quiet hours: from when to when, by the clock of a place, nobody is to be woken."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


def quiet_until(now: datetime, begin: time, end: time, zone: ZoneInfo) -> datetime | None:
    """Return when the quiet hours that `now` lies in are over, in UTC; None outside of them.

    They may go over midnight; `begin` belongs to them and `end` does not. Equal ones are all day,
    and over a day later.
    """
    here = now.astimezone(zone)
    clock = here.time()
    is_over_midnight = end <= begin
    is_quiet = clock >= begin or clock < end if is_over_midnight else begin <= clock < end
    if not is_quiet:
        return None
    is_tomorrow = is_over_midnight and clock >= begin
    day = here.date() + timedelta(days=is_tomorrow)
    until = datetime.combine(day, end, zone).astimezone(UTC)
    # In the hour that a clock is put back, the end on the clock comes twice.
    return until if until > now else until + timedelta(hours=1)
