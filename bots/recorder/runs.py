"""Opening and ending runs: each begins with the account that the last one left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from django.db import connection
from django.db.models.functions import Now

from backtests.domain.records import States
from bots.domain.halves import Place
from bots.domain.running import RunSettings
from bots.models import Bot, BotRun, Order
from bots.recorder.trading import write_deposit
from marketdata.models import from_ms

_END: Final = """
update bots_botrun as run
set "end" = given.minute, end_phase = given.phase, last_kernel = given.kernel,
    candles_seen = coalesce(
        (select seen from bots_groupstate where key = given.decided_by), '[]'
    ),
    ended_at = now(), end_reason = given.reason
from unnest(%s::bigint[], %s::timestamptz[], %s::smallint[], %s::bytea[], %s::text[], %s::text[])
    as given (id, minute, phase, kernel, reason, decided_by)
where run.id = given.id and run."end" is null
"""


class Ending(NamedTuple):
    """Where a run ends, the record of the kernel there, and why: one of BotRun.End."""

    run: RunSettings
    place: Place
    kernel: States
    reason: str


def open_run(values: dict[str, Any], bot_id: int, kernel: States) -> BotRun:
    """Return a new run of a bot with its row's `values`, the next number given to it.

    To be called in a transaction that holds the bot's row.
    """
    last = BotRun.objects.filter(bot=bot_id).order_by("-number").values_list("number").first()
    return BotRun.objects.create(
        bot_id=bot_id,
        number=last[0] + 1 if last else 1,
        first_kernel=kernel.tobytes(),
        **values,
    )


def end_runs(endings: Sequence[Ending]) -> None:
    """End runs, each with the account it leaves and what its strategy saw.

    To be called in the transaction that moved their bots there.
    """
    rows = [
        (
            one.run.id,
            from_ms(one.place.minute_ms),
            one.place.phase,
            one.kernel.tobytes(),
            str(one.reason),
            one.run.group.digest,
        )
        for one in endings
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_END, [list(column) for column in zip(*rows, strict=True)])


def begin_account(bot: Bot, run: RunSettings, kernel: States, deposit: int) -> None:
    """Put a bot at the start of its new run, with the order that waits if there is one.

    Post the deposit of its first one.
    """
    if deposit:
        write_deposit(run, deposit)
    if kernel["order_reason"][0]:
        waiting = Order.objects.filter(bot=bot, state=Order.State.WAITING)
        waiting.update(run=run.id, number=1)
    Bot.objects.filter(pk=bot.pk).update(
        run_id=run.id,
        cursor=from_ms(run.start_ms),
        phase=Bot.Phase.OPENING,
        kernel=kernel.tobytes(),
        heartbeat_at=Now(),
    )
