"""Moving the cursors of bots, together with everything that happened on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from django.db import connection

from bots.domain.running import Outcome
from bots.recorder.deciding import write_decisions
from bots.recorder.telling import write_events
from bots.recorder.trading import write_trading
from bots.recorder.worth import write_performance
from marketdata.models import from_ms

# The condition is what makes a step happen once, whoever holds which lock.
_MOVE: Final = """
update bots_bot as bot
set cursor = given.cursor, phase = given.phase, kernel = given.kernel, heartbeat_at = now()
from unnest(%s::bigint[], %s::timestamptz[], %s::smallint[], %s::timestamptz[], %s::smallint[],
    %s::bytea[]) as given (id, before, before_phase, cursor, phase, kernel)
where bot.id = given.id and bot.cursor = given.before and bot.phase = given.before_phase
"""
_SEEN: Final = """
insert into bots_seenminute (run_id, open_time, revision)
select * from unnest(%s::bigint[], %s::timestamptz[], %s::integer[])
"""
_OBEYED: Final = """
update bots_botcommand as command
set run_id = given.run, minute = given.minute, phase = given.phase, tick = given.tick,
    applied_at = now()
from unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::smallint[], %s::bigint[])
    as given (id, run, minute, phase, tick)
where command.id = given.id and applied_at is null
"""


class StaleCursor(Exception):
    """A bot is no longer where the step began: somebody else has done it."""


def record(outcomes: Sequence[Outcome]) -> None:
    """Write what steps did, each bot's cursor last seen where its step began.

    To be called in a transaction. Raises StaleCursor.
    """
    _move(outcomes)
    write_performance(outcomes)
    write_decisions(outcomes)
    write_trading([outcome for outcome in outcomes if outcome.has_traded])
    write_events(outcomes)
    _write_seen(outcomes)
    _write_obeyed(outcomes)


def _move(outcomes: Sequence[Outcome]) -> None:
    rows = [
        (
            one.bot.id,
            from_ms(one.bot.place.minute_ms),
            one.bot.place.phase,
            from_ms(one.account.place.minute_ms),
            one.account.place.phase,
            one.account.state.tobytes(),
        )
        for one in outcomes
    ]
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, [list(column) for column in zip(*rows, strict=True)])
        if cursor.rowcount != len(rows):
            raise StaleCursor(f"{len(rows) - cursor.rowcount} of {len(rows)} bots were moved")


def _write_seen(outcomes: Sequence[Outcome]) -> None:
    rows = [
        (one.run.id, from_ms(open_ms), revision)
        for one in outcomes
        for step in one.steps
        for open_ms, revision in step.seen
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_SEEN, [list(column) for column in zip(*rows, strict=True)])


def _write_obeyed(outcomes: Sequence[Outcome]) -> None:
    rows = [
        (
            obeyed.command_id,
            one.run.id,
            from_ms(obeyed.place.minute_ms),
            obeyed.place.phase,
            obeyed.tick,
        )
        for one in outcomes
        for obeyed in one.obeyed
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_OBEYED, [list(column) for column in zip(*rows, strict=True)])
