"""What a person may ask about later: limits that were reached, and what was left out or late."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.db import connection

from backtests.domain.records import Kind
from bots.domain.booking import name_of
from bots.domain.running import Outcome
from bots.domain.stepping import Step
from bots.models import BotEvent
from marketdata.models import from_ms

_INSERT: Final = """
insert into bots_botevent (bot_id, run_id, kind, at, time, before, after, source, why, details)
select bot, run, kind, now(), time, '', '', 'step', why, details
from unnest(%s::bigint[], %s::bigint[], %s::text[], %s::timestamptz[], %s::text[], %s::jsonb[])
    as given (bot, run, kind, time, why, details)
"""

Told = tuple[str, int, str, dict[str, Any]]
"""The kind of an event, its exchange time, why, and the exact numbers."""


def write_events(outcomes: Sequence[Outcome]) -> None:
    """Store what happened to bots on the way."""
    rows = [
        (one.bot.id, one.run.id, kind, from_ms(time_ms), why, json.dumps(details))
        for one in outcomes
        for step in one.steps
        for kind, time_ms, why, details in _told(one, step)
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_INSERT, [list(column) for column in zip(*rows, strict=True)])


def _told(outcome: Outcome, step: Step) -> Iterator[Told]:
    left_out = [open_ms for open_ms, revision in step.seen if revision < 0]
    if left_out:
        details = {"minutes": len(left_out), "first_ms": left_out[0], "last_ms": left_out[-1]}
        yield "gap", left_out[0], "minutes were missing, and were left out", details
    if outcome.decided is None:
        yield from _undecided(outcome, step)
    for one in step.decisions:
        if one.is_missed:
            details = {"before": one.before, "target": one.target}
            yield "missed", one.close_ms, "the decision came too late for an entry", details
    yield from _limits(outcome, step)


def _undecided(outcome: Outcome, step: Step) -> Iterator[Told]:
    """Yield which candles closed without its strategy: a replay must not ask it either."""
    closes = step.closes_ms[step.closes_ms % outcome.run.timeframe.ms == 0].tolist()
    if closes:
        details = {"candles": len(closes), "first_ms": closes[0], "last_ms": closes[-1]}
        yield (
            BotEvent.UNDECIDED,
            closes[0],
            "its strategy was not asked about candles that closed",
            details,
        )


def _limits(outcome: Outcome, step: Step) -> Iterator[Told]:
    marks = dict(zip(step.closes_ms.tolist(), step.marks.tolist(), strict=True))
    units = outcome.run.units
    for event in step.events:
        if event["kind"] not in (Kind.HALTED, Kind.BLOCKED):
            continue
        time_ms, reason = int(event["time_ms"]), name_of(int(event["reason"]))
        details: dict[str, Any] = {"limit": reason}
        if time_ms in marks:
            equity, _, _, peak, day_equity = marks[time_ms]
            amounts = {"equity": equity, "peak": peak, "day_equity": day_equity}
            details |= {name: str(units.amount(value)) for name, value in amounts.items()}
        shares = {"max_drawdown": outcome.run.rules.max_drawdown}
        shares["daily_loss"] = outcome.run.rules.max_daily_loss
        if reason in shares:
            details["share"] = shares[reason] / 1_000_000
        done = "halted" if event["kind"] == Kind.HALTED else "no entries until the next day"
        yield "limit", time_ms, f"{reason}: {done}", details
