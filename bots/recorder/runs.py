"""Opening and ending runs: each begins with the account that the last one left."""

from __future__ import annotations

from typing import Any

from django.db.models.functions import Now

from backtests.domain.records import States
from bots.domain.halves import Place
from bots.domain.running import RunSettings
from bots.models import Bot, BotRun, GroupState
from bots.recorder.trading import write_deposit
from marketdata.models import from_ms


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


def end_run(run: RunSettings, place: Place, kernel: States, reason: BotRun.End) -> None:
    """End a run at a place, with the account it leaves and what its strategy saw.

    To be called in the transaction that moved the bot there.
    """
    seen = GroupState.objects.filter(key=run.group.digest).values_list("seen", flat=True).first()
    BotRun.objects.filter(pk=run.id, end=None).update(
        end=from_ms(place.minute_ms),
        end_phase=place.phase,
        last_kernel=kernel.tobytes(),
        candles_seen=seen or [],
        ended_at=Now(),
        end_reason=reason,
    )


def begin_account(bot: Bot, run: RunSettings, kernel: States, deposit: int) -> None:
    """Put a bot at the start of its new run; post the deposit of its first one."""
    if deposit:
        write_deposit(run, deposit)
    Bot.objects.filter(pk=bot.pk).update(
        run_id=run.id,
        cursor=from_ms(run.start_ms),
        phase=Bot.Phase.OPENING,
        kernel=kernel.tobytes(),
        heartbeat_at=Now(),
    )
