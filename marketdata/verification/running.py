"""A worker's turn: minutes that nobody compared yet, and minutes that differ."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from typing import Final

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from marketdata.collector.errors import CollectorError
from marketdata.collector.ports import History
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.exchanges import collected_exchanges, open_history
from marketdata.verification.asking import Budget, fetch_again, verify_day
from marketdata.verification.due import due_conflicts, due_days
from marketdata.verification.telling import tell_conflicts
from tcpdashboard.common.dbthread import DatabaseThread
from tcpdashboard.common.shutdown import SHUTDOWN

TURN_S: Final = 40.0
PAGES: Final = 120
"""Pages of candles in a turn: at the exchange's limit it would last 12 s alone."""

CONFLICTS: Final = 20

_TURN: Final = 7106  # the advisory lock of the one worker whose turn it is

log = structlog.get_logger(__name__)


def verify_minutes(stop: threading.Event = SHUTDOWN) -> bool:
    """Compare what the socket did not confirm with the exchange's history; one worker at a time.

    False when another worker does. Raises ExchangeUnavailable and ExchangeRefused.
    """
    # The lock lives as long as this thread's connection, also through a crash.
    database = DatabaseThread("verify", is_mended=False)
    try:
        if not database.call(_take_turn):
            return False
        try:
            asyncio.run(_verify_all(database, stop))
        finally:
            # Now, and not when the server has noticed that this connection is closed.
            with suppress(OperationalError, InterfaceError):
                database.call(_end_turn)
    finally:
        database.close()
    return True


async def _verify_all(database: DatabaseThread, stop: threading.Event) -> None:
    """Take one exchange after the other; one that is away does not stop the others."""
    failures: list[CollectorError] = []
    for exchange in collected_exchanges():
        try:
            await _verify(exchange, database, stop)
        except CollectorError as error:
            failures.append(error)
        await database.run(tell_conflicts, exchange)
    if failures:
        raise failures[0]


async def _verify(exchange: str, database: DatabaseThread, stop: threading.Event) -> None:
    end_s, budget = time.monotonic() + TURN_S, Budget(PAGES)

    def is_over() -> bool:
        return stop.is_set() or time.monotonic() > end_s

    days = await database.run(due_days, exchange)
    conflicts = await database.run(due_conflicts, exchange, CONFLICTS)
    if days or conflicts:
        async with open_history(exchange) as history:
            before_ms = await _young_ms(history)
            for day in days:
                if is_over() or budget.pages <= 0:
                    break
                await verify_day(day, before_ms, history, database, budget)
            for conflict in conflicts:
                if is_over():
                    break
                await fetch_again(conflict, history, database)


async def _young_ms(history: History) -> int:
    """Return the open time of the first minute that the socket may still confirm."""
    now_ms = await history.server_time_ms()
    minute_ms = Timeframe.M1.open_time(now_ms)
    return minute_ms - int(settings.VERIFY_AFTER_MINUTES) * MINUTE_MS


def _take_turn() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s)", [_TURN])
        return bool(cursor.fetchone()[0])


def _end_turn() -> None:
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_unlock(%s)", [_TURN])
