"""Fetch the exchange's list of instruments."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketdata.collector.errors import CollectorError
from marketdata.exchanges import EXCHANGES
from marketdata.loading.listing import sync_instruments


class Command(BaseCommand):
    help = "Fetch the exchange's list of instruments and bring the table up to date."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--exchange", choices=EXCHANGES, default=settings.EXCHANGE)

    def handle(self, *args: Any, exchange: str, **options: Any) -> None:
        try:
            listing = sync_instruments(exchange)
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        except CollectorError as error:
            raise CommandError(
                f"{exchange} at {settings.OKX_REST_URL} did not give its instruments: {error}"
            ) from error
        self.stdout.write(
            f"{exchange}: {listing.added} added, {listing.changed} changed, {listing.gone} gone"
        )
