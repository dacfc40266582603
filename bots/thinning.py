"""Keeping a bot's equity for years: every candle at first, later two of an hour, then of a day."""

from __future__ import annotations

from typing import Final

from django.db import connection

EVERY_CANDLE_DAYS: Final = 14
HOURS_DAYS: Final = 180
"""Ages, by the newest row of the bot, up to which every candle and every hour is kept."""

# Of an hour or a day there stay its last row and the one farthest below the peak: the ends of
# days, from which returns are made, and the deepest drawdown stay what they were.
_THIN: Final = """
with newest as (
    select bot_id, max(time) as time from bots_botperformance group by bot_id
), old as (
    select performance.bot_id, performance.time, performance.drawdown,
        date_bin(
            case when performance.time < newest.time - make_interval(days => %(hours)s)
                then interval '1 day' else interval '1 hour' end,
            performance.time - interval '1 microsecond', timestamptz '2000-01-01 00:00:00+00'
        ) as bin
    from bots_botperformance as performance join newest using (bot_id)
    where performance.time < newest.time - make_interval(days => %(candles)s)
), ranked as (
    select bot_id, time,
        row_number() over (partition by bot_id, bin order by time desc) as from_last,
        row_number() over (partition by bot_id, bin order by drawdown desc, time) as from_deepest
    from old
)
delete from bots_botperformance as performance using ranked
where ranked.from_last > 1 and ranked.from_deepest > 1
    and performance.bot_id = ranked.bot_id and performance.time = ranked.time
"""


def thin_performance() -> int:
    """Delete what is not kept of old equity; return how many rows went. Doing it again is free."""
    with connection.cursor() as cursor:
        cursor.execute(_THIN, {"hours": HOURS_DAYS, "candles": EVERY_CANDLE_DAYS})
        return int(cursor.rowcount)
