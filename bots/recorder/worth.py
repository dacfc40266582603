"""What accounts were worth at the closes of their bots' candles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.db import connection

from bots.domain.running import Outcome

# A bot that lags has a row for each of thousands of minutes: the whole numbers of the kernel are
# sent as they are, and become money here.
_INSERT: Final = """
insert into bots_botperformance (bot_id, run_id, time, equity, cash, position, price, drawdown)
select bot, run, to_timestamp(close_s), equity * unit.cash, given.cash * unit.cash,
    lots * unit.lot, given.tick * unit.tick, drawdown
from (select %s::numeric as cash, %s::numeric as lot, %s::numeric as tick) as unit,
    unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
        %s::bigint[], %s::float8[])
    as given (bot, run, close_s, equity, cash, lots, tick, drawdown)
"""


def write_performance(outcomes: Sequence[Outcome]) -> None:
    """Store a row for every candle of a bot that closed.

    Raises ValueError unless all bots count in the same units.
    """
    columns = _columns(outcomes)
    if columns[0]:
        (units,) = {one.run.units for one in outcomes}
        with connection.cursor() as cursor:
            cursor.execute(_INSERT, [units.cash, units.lot, units.tick, *map(_literal, columns)])


def _columns(outcomes: Sequence[Outcome]) -> tuple[list[Any], ...]:
    columns: tuple[list[Any], ...] = tuple([] for _ in range(8))
    for one in outcomes:
        for step in one.steps:
            edges = step.closes_ms % one.run.timeframe.ms == 0
            marks = step.marks[edges]
            equity, peak = marks["equity"].tolist(), marks["peak"].tolist()
            values = (
                [one.bot.id] * len(marks),
                [one.run.id] * len(marks),
                (step.closes_ms[edges] // 1000).tolist(),
                equity,
                marks["cash"].tolist(),
                marks["lots"].tolist(),
                step.closes[edges].tolist(),
                map(fall, equity, peak),
            )
            for column, more in zip(columns, values, strict=True):
                column.extend(more)
    return columns


def _literal(numbers: Sequence[float]) -> str:
    """Return an array as PostgreSQL reads it faster than as an expression."""
    return f"{{{','.join(map(repr, numbers))}}}"


def fall(equity: int, peak: int) -> float:
    """Return how far an equity is below the highest, as a share of it."""
    return (peak - equity) / peak if peak > 0 else 0.0
