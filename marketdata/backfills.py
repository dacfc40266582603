"""Asking for a stretch of an instrument's history to be loaded."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import Max, Model

from marketdata.collector.errors import ExchangeUnavailable
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS
from marketdata.exchanges import exchange_named
from marketdata.loading.plans import BackfillPlan, Order
from marketdata.models import Collector, Instrument, from_ms, to_ms
from tcpdashboard.common.jobs.kinds import JobKind
from tcpdashboard.common.jobs.orders import create_job
from tcpdashboard.common.models import Job

BACKFILL: Final = JobKind(
    name="backfill",
    handler="marketdata.loading.backfill.run_backfill",
    unit="minutes",
    # The exchange's limit is shared by all of them: more would only fill the workers.
    at_once=3,
    retry_on=(ExchangeUnavailable,),
)


class InvalidBackfill(Exception):
    """What was asked for cannot be loaded; `errors` says why, by field."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__("; ".join(f"{field}: {reason}" for field, reason in errors.items()))


@dataclass(frozen=True, slots=True)
class BackfillRequest:
    """What a person asks for. Times are UTC milliseconds; `end_ms` is not included.

    Without an end everything until now.
    """

    exchange: str
    symbol: str
    start_ms: int
    end_ms: int | None = None
    trades: bool = False
    order: Order = Order.NEWEST


def request_backfill(request: BackfillRequest, owner: Model | None = None) -> Job:
    """Create the job that loads what is missing of a stretch of history; return it.

    `owner` is a user; None is the system. Raises InvalidBackfill like `check_backfill`.
    """
    with transaction.atomic():
        plan = check_backfill(request)
        # Locked, so that of two requests at once the second sees the first.
        Instrument.objects.select_for_update().get(exchange=plan.exchange, symbol=plan.symbol)
        _refuse_overlap(plan)
        return create_job(
            BACKFILL.name, _title(plan), plan.parameters, owner=owner, total=plan.minutes
        )


def check_backfill(request: BackfillRequest) -> BackfillPlan:
    """Return what would be loaded, in whole minutes.

    Raises InvalidBackfill, naming the field: for an exchange that is not reached from here, an
    unknown instrument, an empty or future range, one before the listing, trades that the exchange
    keeps no more, and a range that a job is loading already.
    """
    try:
        exchange_named(request.exchange).check()
    except ImproperlyConfigured as error:
        raise InvalidBackfill({"exchange": str(error)}) from error
    try:
        instrument = Instrument.objects.named(request.exchange, request.symbol)
    except Instrument.DoesNotExist as error:
        raise InvalidBackfill({"symbol": str(error)}) from error
    # A simulated exchange may be ahead of the clock on the wall, or behind it.
    wall_ms = time.time_ns() // 1_000_000
    newest_ms = _newest_event_ms(request.exchange) or wall_ms
    end_ms = newest_ms if request.end_ms is None else request.end_ms
    plan = BackfillPlan(
        exchange=instrument.exchange,
        symbol=instrument.symbol,
        start_ms=request.start_ms // MINUTE_MS * MINUTE_MS,
        end_ms=end_ms // MINUTE_MS * MINUTE_MS,
        trades=request.trades,
        order=request.order,
    )
    if errors := _range_errors(plan, instrument, newest_ms, max(wall_ms, newest_ms)):
        raise InvalidBackfill(errors)
    _refuse_overlap(plan)
    return plan


def _range_errors(
    plan: BackfillPlan, instrument: Instrument, newest_ms: int, now_ms: int
) -> dict[str, str]:
    if plan.end_ms <= plan.start_ms:
        return {"end": "expected a time at least one minute after start"}
    if plan.end_ms > now_ms:
        return {"end": f"is in the future: it is {_shown(now_ms)} on the exchange"}
    if instrument.listed_at is not None and plan.start_ms < to_ms(instrument.listed_at) - DAY_MS:
        listed = _shown(to_ms(instrument.listed_at))
        return {"start": f"{plan.symbol} was listed on {listed}: there is nothing before"}
    kept_since_ms = newest_ms - settings.TRADES_KEPT_DAYS * DAY_MS
    if plan.trades and plan.start_ms < kept_since_ms:
        oldest = _shown(kept_since_ms)
        return {
            "start": f"the exchange keeps trades since {oldest} only: start later, or load "
            "candles without trades"
        }
    return {}


def _refuse_overlap(plan: BackfillPlan) -> None:
    overlapping = Job.objects.active().filter(
        kind=BACKFILL.name,
        parameters__exchange=plan.exchange,
        parameters__symbol=plan.symbol,
        parameters__start_ms__lt=plan.end_ms,
        parameters__end_ms__gt=plan.start_ms,
    )
    if (busy := overlapping.first()) is not None:
        raise InvalidBackfill(
            {"start": f"job {busy.pk} ({busy.state}) is loading {busy.title}: cancel it first"}
        )


def _newest_event_ms(exchange: str) -> int | None:
    newest = Collector.objects.filter(exchange=exchange).aggregate(at=Max("exchange_time"))["at"]
    return None if newest is None else to_ms(newest)


def _title(plan: BackfillPlan) -> str:
    what = "candles and trades" if plan.trades else "candles"
    span = f"{_shown(plan.start_ms)} to {_shown(plan.end_ms)}"
    return f"{what} of {plan.exchange}:{plan.symbol}, {span}"


def _shown(time_ms: int) -> str:
    return f"{from_ms(time_ms):%Y-%m-%d %H:%M}"
