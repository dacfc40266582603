"""Limits over all bots of an owner: judging them, doing what they order, lifting them again.

Live bots only: what is driven from stored candles is a rehearsal. An order is a BotCommand of
source owner limit, so that a replay of a bot's run finds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import numpy as np
import structlog
from django.db import transaction
from django.db.models import Exists, Max, OuterRef
from django.db.models.functions import Now

from backtests.domain.records import STATE
from backtests.domain.units import Units
from bots.changes import change_states
from bots.domain.risk import (
    MAX_DAILY_LOSS,
    MAX_DRAWDOWN,
    MAX_EXPOSURE,
    Account,
    Breach,
    Limits,
    Total,
    breaches,
    raised_peaks,
    totals,
)
from bots.models import Bot, BotCommand, BotRun, OwnerLimits, OwnerVerdict
from bots.models.bots import BotQuerySet
from marketdata.domain.timeframe import DAY_MS
from marketdata.models import Collector, to_ms
from tcpdashboard.common.alerts import end_alert, raise_alert
from tcpdashboard.common.models import Alert

OWNER_LIMIT: Final = "owner_limit"
"""The kind of alert that a verdict raises."""

_ORDERS: Final = {
    OwnerLimits.Action.BLOCK: (BotCommand.Kind.PAUSE,),
    # What the strategies want next must not be entered either.
    OwnerLimits.Action.FLATTEN: (BotCommand.Kind.PAUSE, BotCommand.Kind.FLATTEN),
    OwnerLimits.Action.HALT: (BotCommand.Kind.HALT,),
}

log = structlog.get_logger(__name__)


def sweep_limits() -> set[int]:
    """Judge every owner who set limits; return the instruments whose bots got orders.

    An owner whose accounts cannot be judged stops no other.
    """
    asked: set[int] = set()
    for limits in OwnerLimits.objects.select_related("owner"):
        try:
            asked |= judge_owner(limits)
        except Exception:
            log.exception("limits_not_judged", owner=limits.owner_id)
    return asked


@transaction.atomic
def judge_owner(limits: OwnerLimits) -> set[int]:
    """Raise and lift verdicts over the bots of one owner; return the instruments to step."""
    # Of two sweeps at once the second one finds what the first one did.
    limits = OwnerLimits.objects.select_for_update().get(pk=limits.pk)
    accounts = list(accounts_of(limits.owner_id))
    if not accounts:
        return set()
    now = exchange_time(limits.owner_id)
    found = totals(accounts, to_ms(now) // DAY_MS)
    peaks = raised_peaks(found, {name: Decimal(text) for name, text in limits.peaks.items()})
    _keep_peaks(limits, peaks)
    reached = breaches(found, peaks, _allowed(limits))
    asked = _lift_past(limits, now, reached)
    for breach in reached:
        asked |= _pass_verdict(limits, breach, now)
    return asked


@transaction.atomic
def lift(verdict: OwnerVerdict, by: Any = None) -> set[int]:
    """End a verdict; bots that it paused may enter again. Return the instruments to step.

    After a drawdown the highest equity is counted anew from here: else it would be passed again
    at once. `by` is the person who lifted it, None for a new day.
    """
    standing = OwnerVerdict.objects.filter(pk=verdict.pk, lifted_at=None)
    if not standing.update(lifted_at=Now(), lifted_by=by):
        return set()
    if verdict.limit == MAX_DRAWDOWN:
        OwnerLimits.objects.filter(owner=verdict.owner_id).update(peaks=_peaks_now(verdict))
    end_alert(OWNER_LIMIT, _subject(verdict.owner_id, verdict.limit))
    log.info("owner_limit_lifted", owner=verdict.owner_id, limit=verdict.limit)
    if OwnerVerdict.objects.filter(owner=verdict.owner_id, lifted_at=None).exists():
        return set()
    waits_for_it = _live(verdict.owner_id).filter(
        state__in=(Bot.State.RUNNING, Bot.State.PAUSED), desired=Bot.Desired.RUNNING
    )
    source = BotCommand.Source.OWNER_LIMIT
    told = f"{verdict.limit} of all bots was lifted"
    given = BotCommand.objects.give(waits_for_it, BotCommand.Kind.RESUME, source, why=told)
    return {instrument for _, instrument in given}


def take_failed(bots: BotQuerySet) -> list[Bot]:
    """Lock and return those of the bots that an error stopped, but for those that others hold."""
    failed = bots.filter(state=Bot.State.ERROR, deleted_at=None).order_by("pk")
    return list(failed.select_for_update(of=("self",), skip_locked=True, no_key=True))


def within_reach(bots: BotQuerySet, failed: Sequence[Bot]) -> BotQuerySet:
    """Return the bots that an order may reach: those alive, and those that may be so in a moment.

    One in error that is not among the `failed`, whose rows were taken, is held by somebody else:
    by the watchdog, which starts it anew, and of which nobody sees that before it is done.
    """
    states = (*Bot.ALIVE, Bot.State.ERROR)
    return bots.filter(state__in=states, deleted_at=None).exclude(pk__in=[bot.pk for bot in failed])


def stop_failed(
    failed: Sequence[Bot], source: BotCommand.Source, *, actor: Any = None, why: str = ""
) -> list[tuple[int, int]]:
    """Order those of the bots whose runs are open, taken in error, to end flat.

    Return them with their instruments.
    """
    rows = begun_of(failed)
    these = Bot.objects.filter(pk__in=[row.pk for row in rows])
    told: dict[str, Any] = {"asked_by": actor, "why": why}
    given = BotCommand.objects.give(these, BotCommand.Kind.FLATTEN, source, **told)
    _stop(rows, source, actor=actor, why=why)
    return given


@transaction.atomic
def stop_ordered() -> set[int]:
    """End those flat that failed while an order to halt was given; return their instruments.

    Whoever gave it saw them alive, and whoever put them in error did not see it.
    """
    asked = set()
    for source in BotCommand.Source.values:
        halts = BotCommand.objects.waiting().filter(
            bot=OuterRef("pk"), kind=BotCommand.Kind.HALT, source=source
        )
        rows = begun_of(take_failed(Bot.objects.filter(Exists(halts))))
        _stop(rows, source, why="it failed when it was ordered to halt")
        asked |= {row.instrument_id for row in rows}
    return asked


def begun_of(bots: Sequence[Bot]) -> list[Bot]:
    """Return those of the bots whose runs are open."""
    if not bots:
        return []
    open_runs = BotRun.objects.filter(bot__in=[bot.pk for bot in bots], end=None)
    ids = set(open_runs.values_list("bot", flat=True))
    return [bot for bot in bots if bot.pk in ids]


def _stop(rows: list[Bot], source: str, *, actor: Any = None, why: str = "") -> None:
    told: dict[str, Any] = {"source": source, "actor": actor, "why": why}
    change_states(rows, Bot.State.STOPPING, desired=Bot.Desired.STOPPED, **told)


def accounts_of(owner_id: int) -> Iterable[Account]:
    """Yield the accounts of an owner's live bots as they were marked last, deleted ones too."""
    rows = Bot.objects.filter(owner=owner_id, drive=Bot.Drive.LIVE).exclude(kernel=None)
    columns = ("kernel", "run__units", "trading", "instrument__quote", "deleted_at")
    rows = rows.exclude(run=None).order_by("pk")
    for kernel, stored, trading, quote, deleted_at in rows.values_list(*columns):
        state, units = np.frombuffer(bytes(kernel), STATE)[0], Units.from_json(stored)
        worth = abs(int(state["lots"])) * int(state["last_tick"]) * units.cash_per_tick_lot
        yield Account(
            quote=quote,
            capital=units.amount(units.cash_to_units(Decimal(trading["cash"]))),
            equity=units.amount(int(state["equity"])),
            day=int(state["day"]),
            day_equity=units.amount(int(state["day_equity"])),
            exposure=units.amount(worth),
            is_deleted=deleted_at is not None,
        )


def exchange_time(owner_id: int) -> datetime:
    """Return how far the exchanges' clocks, and with them the owner's live bots, have come."""
    newest = _live(owner_id).aggregate(at=Max("cursor"))["at"]
    exchanges = _live(owner_id).values("instrument__exchange")
    clocks = Collector.objects.filter(exchange__in=exchanges).aggregate(at=Max("exchange_time"))
    known: list[datetime] = [time for time in (newest, clocks["at"]) if time is not None]
    return max(known)


def _live(owner_id: int) -> BotQuerySet:
    return Bot.objects.filter(owner=owner_id, drive=Bot.Drive.LIVE)


def _allowed(limits: OwnerLimits) -> Limits:
    def share(value: float | None) -> Decimal | None:
        return None if value is None else Decimal(str(value))

    return Limits(
        share(limits.max_daily_loss), share(limits.max_drawdown), share(limits.max_exposure)
    )


def _pass_verdict(limits: OwnerLimits, breach: Breach, now: datetime) -> set[int]:
    """Write a verdict down and order what it asks for, unless it stands already."""
    numbers = {name: f"{value:f}" for name, value in breach.numbers.items()}
    numbers |= {"quote": breach.quote, "share": f"{breach.share:.6f}", "limit": f"{breach.allowed}"}
    values = {"action": limits.action, "time": now, "numbers": numbers}
    _, is_new = OwnerVerdict.objects.get_or_create(
        owner_id=limits.owner_id, limit=breach.limit, lifted_at=None, defaults=values
    )
    if not is_new:
        return set()
    told = (
        f"{breach.limit} over all bots: {breach.share:.2%} in {breach.quote}, "
        f"{breach.allowed:.2%} allowed"
    )
    raise_alert(
        OWNER_LIMIT,
        _subject(limits.owner_id, breach.limit),
        f"Bots of {limits.owner}: {told}. {OwnerLimits.Action(limits.action).label.capitalize()}.",
        severity=Alert.Severity.CRITICAL,
        details=numbers,
        owner_id=limits.owner_id,
    )
    return _order(limits, told)


def _order(limits: OwnerLimits, told: str) -> set[int]:
    failed = take_failed(_live(limits.owner_id))
    bots = within_reach(_live(limits.owner_id), failed)
    source = BotCommand.Source.OWNER_LIMIT
    asked: set[int] = set()
    for kind in _ORDERS[OwnerLimits.Action(limits.action)]:
        given = BotCommand.objects.give(bots, kind, source, why=told)
        asked |= {instrument for _, instrument in given}
    if limits.action != OwnerLimits.Action.BLOCK:
        given = stop_failed(failed, source, why=told)
        asked |= {instrument for _, instrument in given}
    return asked


def _lift_past(limits: OwnerLimits, now: datetime, reached: list[Breach]) -> set[int]:
    """Lift what ends by itself: a daily loss with its day, an exposure when it is below again."""
    asked: set[int] = set()
    above = {breach.limit for breach in reached}
    for verdict in OwnerVerdict.objects.filter(owner=limits.owner_id, lifted_at=None):
        is_past_day = verdict.limit == MAX_DAILY_LOSS and now.date() > verdict.time.date()
        is_below = verdict.limit == MAX_EXPOSURE and MAX_EXPOSURE not in above
        if is_past_day or is_below:
            asked |= lift(verdict)
    return asked


def _keep_peaks(limits: OwnerLimits, peaks: dict[str, Decimal]) -> None:
    told = {quote: f"{peak:f}" for quote, peak in peaks.items()}
    if told != limits.peaks:
        OwnerLimits.objects.filter(pk=limits.pk).update(peaks=told)


def _peaks_now(verdict: OwnerVerdict) -> dict[str, str]:
    found: dict[str, Total] = totals(accounts_of(verdict.owner_id), today=0)
    return {quote: f"{total.profit:f}" for quote, total in found.items()}


def _subject(owner_id: int, limit: str) -> str:
    return f"owner {owner_id}: {limit}"
