"""What accounts were worth at the closes of their bots' candles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

from django.db import connection

from bots.domain.running import Outcome
from bots.domain.stepping import Step
from marketdata.models import from_ms

_INSERT: Final = """
insert into bots_botperformance (bot_id, run_id, time, equity, cash, position, price, drawdown)
select * from unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::numeric[], %s::numeric[],
    %s::numeric[], %s::numeric[], %s::float8[])
"""

Row = tuple[Any, ...]


def write_performance(outcomes: Sequence[Outcome]) -> None:
    """Store a row for every candle of a bot that closed."""
    rows = [row for one in outcomes for step in one.steps for row in _rows(one, step)]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_INSERT, [list(column) for column in zip(*rows, strict=True)])


def _rows(outcome: Outcome, step: Step) -> Iterator[Row]:
    units, run = outcome.run.units, outcome.run
    edges = step.closes_ms % run.timeframe.ms == 0
    closes = zip(step.closes_ms[edges].tolist(), step.closes[edges].tolist(), strict=True)
    for (close_ms, tick), mark in zip(closes, step.marks[edges].tolist(), strict=True):
        equity, cash, lots, peak, _ = mark
        yield (
            outcome.bot.id,
            run.id,
            from_ms(close_ms),
            units.amount(equity),
            units.amount(cash),
            units.quantity(lots),
            units.price(tick),
            fall(equity, peak),
        )


def fall(equity: int, peak: int) -> float:
    """Return how far an equity is below the highest, as a share of it."""
    return float(1 - Decimal(equity) / peak) if peak > 0 else 0.0
