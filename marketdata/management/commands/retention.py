"""Take away what was kept long enough, or show what that would be."""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketdata.retention.enforcing import Outcome, enforce
from marketdata.retention.planning import Expired, plan

NO_LIMIT_S: Final = float("inf")


class Command(BaseCommand):
    help = "Take away raw messages and trades that were kept long enough; candles always stay."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="Only say what would go: rows and bytes."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["dry_run"]:
                self._show(plan())
            else:
                self._tell(enforce(NO_LIMIT_S))
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None

    def _show(self, expired: list[Expired]) -> None:
        for one in expired:
            days = f"{one.first_day}" + (
                f" to {one.last_day}" if one.last_day > one.first_day else ""
            )
            fate = "archived, then dropped" if one.is_archived else "dropped"
            if one.kept_because:
                fate = f"stays: {one.kept_because}"
            self.stdout.write(
                f"{one.what:<12} {days:<24} {one.rows:>14,} rows {one.bytes:>16,} bytes  "
                f"{one.subject}  {fate}"
            )
        going = [one for one in expired if not one.kept_because]
        rows, size = sum(one.rows for one in going), sum(one.bytes for one in going)
        self.stdout.write(f"would go: {rows:,} rows, {size:,} bytes")

    def _tell(self, outcome: Outcome) -> None:
        for name in outcome.archives:
            self.stdout.write(f"archived {name}")
        self.stdout.write(
            f"{outcome.partitions} partitions and {outcome.trade_days} instrument days of trades "
            "are gone"
        )
        if not outcome.is_whole:
            raise CommandError(
                "not everything could be done: another run is at work, or the log says why"
            )
