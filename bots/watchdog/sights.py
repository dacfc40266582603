"""What is seen of the minutes that bots wait for: by instrument and minute, not bot by bot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from bots.domain.liveness import Sight
from bots.models import Bot
from marketdata.models import Instrument
from marketdata.supervision.staleness import stale_feeds

_KEPT_S: Final = 86_400
_FAR: Final = datetime(9999, 1, 1, tzinfo=UTC)
_MINUTE: Final = timedelta(minutes=1)

# Is the minute stored, and is any later one?
_MINUTES: Final = """
select
    exists (
        select from marketdata_candle c where c.instrument_id = place.instrument_id
            and c.timeframe = 1 and c.open_time = place.minute
    ),
    exists (
        select from marketdata_candle c where c.instrument_id = place.instrument_id
            and c.timeframe = 1 and c.open_time > place.minute and c.open_time <= place.clock
    )
from unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) with ordinality
    as place (instrument_id, minute, clock, number)
order by place.number
"""


class Place(NamedTuple):
    """Where bots stand: an instrument, the minute they do next, and whether they live.

    `clock` is how far a bot on stored candles may look; the far future for a live one.
    """

    instrument_id: int
    minute: datetime
    phase: int
    is_live: bool
    clock: datetime


def see(bots: Iterable[Bot], clocks: Mapping[int, datetime]) -> dict[int, Sight]:
    """Return what is seen of each bot that has a cursor; `clocks` of those on stored candles."""
    places = {bot.pk: place_of(bot, clocks) for bot in bots if bot.cursor is not None}
    stored = _stored(set(places.values()))
    standing = _standing(stored)
    stale = _stale({place.instrument_id for place in places.values() if place.is_live})
    return {
        bot_id: Sight(
            is_stored=stored[place][0],
            has_later=stored[place][1],
            standing_s=standing[place],
            is_feed_stale=place.instrument_id in stale,
            is_live=place.is_live,
        )
        for bot_id, place in places.items()
    }


def place_of(bot: Bot, clocks: Mapping[int, datetime]) -> Place:
    """Return where a bot stands."""
    is_live, clock = bot.drive == Bot.Drive.LIVE, clocks.get(bot.pk, _FAR)
    return Place(bot.instrument_id, bot.cursor or _FAR, bot.phase, is_live, clock)


def _stored(places: set[Place]) -> dict[Place, tuple[bool, bool]]:
    """Return of each place whether its minute is stored (and due), and any later one."""
    wanted = list(places)
    columns: list[list[Any]] = [
        [place.instrument_id for place in wanted],
        [place.minute for place in wanted],
        [place.clock for place in wanted],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_MINUTES, columns)
        rows = cursor.fetchall()
    return {
        place: (is_stored and place.minute + _MINUTE <= place.clock, has_later)
        for place, (is_stored, has_later) in zip(wanted, rows, strict=True)
    }


def _standing(stored: Mapping[Place, tuple[bool, bool]]) -> dict[Place, float]:
    """Return for how many seconds each place has been seen as it is."""
    now = timezone.now().timestamp()
    keys = {
        place: "bots:seen:{}:{:%Y%m%d%H%M}:{}:{:d}".format(*place[:3], is_stored)
        for place, (is_stored, _) in stored.items()
    }
    known = cache.get_many(keys.values())
    fresh = {key: now for key in keys.values() if key not in known}
    if fresh:
        cache.set_many(fresh, _KEPT_S)
    return {place: now - known.get(key, now) for place, key in keys.items()}


def _stale(instrument_ids: set[int]) -> set[int]:
    """Return the instruments of which nothing comes: said by their collectors, or switched off."""
    rows = list(Instrument.objects.filter(pk__in=instrument_ids))
    exchanges = {row.exchange for row in rows}
    subjects = {subject for exchange in exchanges for subject in stale_feeds(exchange)}
    return {row.pk for row in rows if not row.is_enabled or str(row) in subjects}
