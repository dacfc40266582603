"""Equity over time, of one bot and of all bots of an owner, thinned for a chart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from backtests.domain.thinning import thinned

Times = NDArray[np.int64]
Values = NDArray[np.float64]

_CURVE: Final = """
select (extract(epoch from time) * 1000)::bigint, equity::float8, drawdown
from bots_botperformance
where bot_id = %s and time >= coalesce(%s::timestamptz, '-infinity')
    and time < coalesce(%s::timestamptz, 'infinity')
order by time
"""

_SPANS: Final = """
select bot_id,
    (select time from bots_botperformance own where own.bot_id = bot.bot_id
        order by time limit 1) as first,
    (select time from bots_botperformance own where own.bot_id = bot.bot_id
        order by time desc limit 1) as last
from unnest(%(bots)s::bigint[]) as bot (bot_id)
"""

# The last value of each bot in each step of time: what it was worth at the step's end. A candle
# that closes with a step belongs to it. Each value is one look into the index: a month of minutes
# is not read for the ends of its days.
_STEPS: Final = f"""
select span.bot_id, (extract(epoch from step.at) * 1000)::bigint, value.equity
from ({_SPANS}) as span
cross join lateral generate_series(
    date_bin(make_interval(secs => %(step)s), span.first - interval '1 millisecond',
        timestamptz '1970-01-01 00:00:00+00'),
    span.last - interval '1 millisecond', make_interval(secs => %(step)s)
) as step (at)
cross join lateral (
    select equity::float8 as equity from bots_botperformance own
    where own.bot_id = span.bot_id and own.time > step.at
        and own.time <= step.at + make_interval(secs => %(step)s)
    order by own.time desc limit 1
) as value
order by step.at
"""  # noqa: S608


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Close times in UTC milliseconds, and equity and drawdown beside them."""

    times: Times
    equity: Values
    drawdown: Values

    def thinned(self, most: int) -> Curve:
        """Return at most `most` points, every extreme among them."""
        # Hundredths of a unit: what is thinned are whole numbers.
        shown = thinned(np.rint(self.equity * 100).astype(np.int64), most)
        return Curve(self.times[shown], self.equity[shown], self.drawdown[shown])

    def as_json(self) -> dict[str, Any]:
        """Return the columns."""
        return {"time": self.times, "equity": self.equity, "drawdown": self.drawdown}


def read_curve(bot_id: int, start: Any = None, end: Any = None) -> Curve:
    """Return the stored equity of a bot at the closes of its candles in [start, end)."""
    with connection.cursor() as cursor:
        cursor.execute(_CURVE, [bot_id, start, end])
        rows = cursor.fetchall()
    table = np.array(rows, dtype=np.float64).reshape(len(rows), 3)
    return Curve(table[:, 0].astype(np.int64), table[:, 1], table[:, 2])


def read_span(bot_ids: Iterable[int]) -> tuple[datetime, datetime] | None:
    """Return the first and the last close that is stored of any of several bots."""
    with connection.cursor() as cursor:
        cursor.execute(_SPANS, {"bots": list(bot_ids)})
        rows = [(first, last) for _, first, last in cursor.fetchall() if first is not None]
    if not rows:
        return None
    return min(first for first, _ in rows), max(last for _, last in rows)


def read_steps(bot_ids: Iterable[int], step_s: int) -> tuple[Times, Values]:
    """Return what each of several bots was worth at the end of each step of time.

    Times are the starts of steps (ms) in which any bot has a value; values are a row for each of
    `bot_ids`, carried on from its last one, and NaN before its first.
    """
    ids = list(bot_ids)
    with connection.cursor() as cursor:
        cursor.execute(_STEPS, {"step": step_s, "bots": ids})
        rows = cursor.fetchall()
    times = np.unique(np.array([at for _, at, _ in rows], dtype=np.int64))
    values = np.full((len(ids), len(times)), np.nan)
    if rows:
        places = {bot: number for number, bot in enumerate(ids)}
        who = np.array([places[bot] for bot, _, _ in rows])
        when = np.searchsorted(times, [at for _, at, _ in rows])
        values[who, when] = [equity for _, _, equity in rows]
    return times, _carried(values)


def _carried(values: Values) -> Values:
    """Fill each NaN with the last value before it in its row."""
    last = np.where(np.isnan(values), 0, np.arange(values.shape[1]))
    np.maximum.accumulate(last, axis=1, out=last)
    filled: Values = np.take_along_axis(values, last, axis=1) if values.size else values
    return filled
