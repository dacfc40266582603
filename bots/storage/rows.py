"""The bots of an instrument: which are due, and the rows of those that a step takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from django.db import connection

from backtests.domain.records import STATE, States
from bots.domain.halves import Place
from bots.domain.running import TakenBot
from bots.models import Bot, BotCommand

# Whether orders wait is what `BotCommand.objects.waiting()` says.
_ALIVE: Final = """
select bot.id, bot.owner_id, bot.state, bot.version,
    (extract(epoch from bot.cursor) * 1000)::bigint, bot.phase, bot.run_id,
    case when bot.drive = 'stored' then bot.drive_speed end,
    exists (
        select from bots_botcommand as command
        where command.bot_id = bot.id and applied_at is null and dropped_at is null
    )
from bots_bot as bot
where bot.instrument_id = %s and bot.state in ('starting', 'running', 'paused', 'stopping')
order by bot.id
"""
# Not the lock of a deletion: rows that refer to a bot may be written meanwhile.
_TAKE: Final = """
select id, owner_id, state, version, (extract(epoch from cursor) * 1000)::bigint, phase,
    run_id, kernel
from bots_bot where id = any(%s) and state in ('running', 'paused', 'stopping')
order by id for no key update skip locked
"""

_NOWHERE: Final = Place(0, 0)


@dataclass(frozen=True, slots=True)
class AliveBot:
    """A bot as it stood when the step looked; `run_id` is 0 before its first run.

    `speed` is that of its clock over stored candles; None for one that trades live.
    """

    id: int
    owner_id: int
    state: str
    version: int
    place: Place
    run_id: int
    speed: float | None
    has_orders: bool


def alive_bots(instrument_id: int) -> list[AliveBot]:
    """Return the bots of an instrument whose cursor moves, without locking them."""
    with connection.cursor() as cursor:
        cursor.execute(_ALIVE, [instrument_id])
        rows = cursor.fetchall()
    return [
        AliveBot(
            bot_id,
            owner_id,
            state,
            version,
            _NOWHERE if minute_ms is None else Place(minute_ms, phase),
            run_id or 0,
            speed,
            has_orders,
        )
        for bot_id, owner_id, state, version, minute_ms, phase, run_id, speed, has_orders in rows
    ]


def take_bots(ids: Sequence[int]) -> list[TakenBot]:
    """Lock those of the bots that have a run and nobody else has locked; return them."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [list(ids)])
        rows = cursor.fetchall()
    return [
        TakenBot(
            bot_id, owner_id, state, version, Place(minute_ms, phase), run_id, kernel_of(kernel)
        )
        for bot_id, owner_id, state, version, minute_ms, phase, run_id, kernel in rows
    ]


def orders_given(ids: Sequence[int]) -> dict[int, list[BotCommand]]:
    """Return the orders to these bots that were not carried out yet, in their order."""
    given: dict[int, list[BotCommand]] = {}
    for order in BotCommand.objects.waiting().filter(bot__in=ids).order_by("pk"):
        given.setdefault(order.bot_id, []).append(order)
    return given


def kernel_of(stored: Any) -> States:
    """Return a stored record of the kernel."""
    return np.frombuffer(bytes(stored), STATE).copy()


def due_instruments() -> list[int]:
    """Return the instruments that have bots whose cursor moves."""
    rows = Bot.objects.alive().order_by("instrument").values_list("instrument", flat=True)
    return list(rows.distinct())
