"""Looks after all collectors of an exchange: who has which instruments, who runs, who must rest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from marketdata.domain.sharding import place, shard_name, shard_number
from marketdata.models import Collector, Instrument
from marketdata.supervision.budget import Budget
from marketdata.supervision.lease import due
from marketdata.supervision.restarts import recent_restarts
from tcpdashboard.common.alerts import end_alert, raise_alert
from tcpdashboard.common.models import Alert

COLLECTOR_FAILED: Final = "collector_failed"

log = structlog.get_logger(__name__)


class CollectorManager:
    """Any number of collectors of `exchange`, named okx, okx-2, okx-3 and so on.

    Collectors with other names (of the foreground command, or made by hand) keep what they have.
    Every method may run in several processes at once.
    """

    def __init__(self, exchange: str) -> None:
        self.exchange = exchange

    def sweep(self) -> list[int]:
        """Put everything in order; return the collectors that somebody must start now."""
        self.assign()
        return due(self.exchange, self._resting(Budget.from_settings()))

    def assign(self) -> dict[str, str]:
        """Give each enabled instrument a collector with room; return those that moved, by symbol.

        Instruments stay where they are while their collector is not over the limit.
        """
        numbers = self._numbers()
        enabled = Instrument.objects.enabled().filter(exchange=self.exchange)
        present: dict[str, int | None] = dict(enabled.values_list("symbol", "collector_id"))
        placed = place(
            [symbol for symbol, row in present.items() if row is None or row in numbers],
            {symbol: numbers[row] for symbol, row in present.items() if row in numbers},
            settings.COLLECTOR_INSTRUMENTS,
        )
        moved = {
            symbol: shard_name(self.exchange, shard)
            for symbol, shard in placed.items()
            if numbers.get(present[symbol]) != shard
        }
        if moved:
            self._move(moved)
        return moved

    def _numbers(self) -> dict[int | None, int]:
        """Return which shard each of the exchange's collectors is."""
        rows = Collector.objects.filter(exchange=self.exchange).values_list("pk", "name")
        return {
            pk: number
            for pk, name in rows
            if (number := shard_number(self.exchange, name)) is not None
        }

    def _move(self, moved: dict[str, str]) -> None:
        with transaction.atomic():
            for name in sorted(set(moved.values())):
                collector = ensure_collector(self.exchange, name)
                symbols = sorted(symbol for symbol in moved if moved[symbol] == name)
                Instrument.objects.filter(exchange=self.exchange, symbol__in=symbols).update(
                    collector=collector
                )
                log.info("instruments_assigned", collector=name, symbols=symbols)

    def _resting(self, budget: Budget) -> list[int]:
        """Return the collectors that must not be started yet, and say which of them failed."""
        unheld = Collector.objects.filter(
            Q(lease_expires_at=None) | Q(lease_expires_at__lt=Now()),
            exchange=self.exchange,
            desired=Collector.Desired.RUNNING,
        )
        restarts = recent_restarts()
        resting = [
            row
            for row in unheld.annotate(now=Now())
            if _down_s(row, row.now) < budget.rest_s(restarts.get(row.pk, 0))
        ]
        failed = [row for row in resting if budget.is_spent(restarts.get(row.pk, 0))]
        self._say_failed(failed, budget)
        return [row.pk for row in resting]

    def _say_failed(self, failed: Sequence[Collector], budget: Budget) -> None:
        """Show what failed too often, once, and end that when it collects or is wanted no more."""
        known = _open_alerts()
        for row in failed:
            if row.name in known:
                continue
            Collector.objects.filter(pk=row.pk).update(state=Collector.State.FAILED)
            raise_alert(
                COLLECTOR_FAILED,
                row.name,
                f"Collector {row.name} failed {budget.restarts} times within an hour and rests for "
                f"{budget.cooldown_s:.0f} s. Its last error and its restarts are on its page; "
                "start it there once the cause is gone.",
                severity=Alert.Severity.CRITICAL,
                details={"last_error": row.last_error},
            )
        if known:
            fine = Q(state=Collector.State.LIVE) | Q(desired=Collector.Desired.STOPPED)
            for row in Collector.objects.filter(fine, exchange=self.exchange, name__in=known):
                end_alert(COLLECTOR_FAILED, row.name)


def ensure_collector(exchange: str, name: str) -> Collector:
    """Return a collector of `exchange`, made when there is none of that name."""
    return Collector.objects.get_or_create(name=name, defaults={"exchange": exchange})[0]


def _down_s(row: Collector, now: datetime) -> float:
    """Return for how long nobody has had a collector, by the database's clock."""
    end = row.lease_expires_at if row.lease_owner else row.ended_at
    return float("inf") if end is None else (now - end).total_seconds()


def _open_alerts() -> set[str]:
    return set(Alert.objects.open().filter(kind=COLLECTOR_FAILED).values_list("subject", flat=True))
