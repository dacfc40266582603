"""Run the simulated exchange until it is stopped."""

from __future__ import annotations

import asyncio
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketdata.simulator.cli import add_arguments, config_of, run


class Command(BaseCommand):
    help = "Serve a simulated OKX (REST and WebSocket) on this machine."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser, settings.VAR_DIR / "exchange")
        # Where nobody keeps within the exchange's limits it must not insist on them.
        parser.set_defaults(no_limits=not settings.OKX_LIMITS)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            asyncio.run(run(config_of(options)))
        except (ValueError, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
