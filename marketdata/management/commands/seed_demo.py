"""Enable a handful of instruments on a new installation."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketdata import services
from marketdata.collector.errors import CollectorError
from marketdata.exchanges import EXCHANGES


class Command(BaseCommand):
    help = (
        "Fetch the instruments, enable a handful of them and ask for their history. "
        "Changes nothing where a collector exists already."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--exchange", choices=EXCHANGES, default=settings.EXCHANGE)

    def handle(self, *args: Any, exchange: str, **options: Any) -> None:
        try:
            enabled = services.seed_demo(exchange)
        except (ImproperlyConfigured, services.Refused) as error:
            raise CommandError(str(error)) from error
        except CollectorError as error:
            raise CommandError(
                f"{exchange} at {settings.OKX_REST_URL} did not give its instruments: {error}"
            ) from error
        symbols = ", ".join(instrument.symbol for instrument in enabled)
        self.stdout.write(
            f"{exchange}: enabled {symbols}" if enabled else f"{exchange}: was seeded before"
        )
