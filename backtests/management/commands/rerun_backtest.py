"""Do a stored backtest again and prove that the same comes out."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backtests.loading import CandlesMoved
from backtests.models import Backtest
from backtests.requests import InvalidBacktest
from backtests.services import rerun_backtest


class Command(BaseCommand):
    help = (
        "Do a stored backtest again: ends with an error, and the cause, unless the hash and every "
        "figure are the same."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        backtest = finished(options["id"])
        try:
            again = rerun_backtest(backtest)
        except (InvalidBacktest, CandlesMoved) as error:
            raise CommandError(str(error)) from error
        moved = "\n".join(f"{name} {what}" for name, what in again.differences.items())
        if not again.is_reproduced:
            raise CommandError(
                f"backtest {backtest.pk} comes out differently: {again.cause}\n{moved}"
            )
        self.stdout.write(f"backtest {backtest.pk} is reproduced: {again.result_hash}")
        if moved:
            self.stdout.write(f"although {again.cause} since:\n{moved}")


def finished(number: int) -> Backtest:
    """Return a finished backtest. Raises CommandError."""
    backtest = Backtest.objects.select_related("instrument", "job").filter(pk=number).first()
    if backtest is None:
        raise CommandError(f"there is no backtest {number}")
    if not backtest.result_hash:
        raise CommandError(f"backtest {number} is {backtest.state}: it has no result to prove")
    return backtest
