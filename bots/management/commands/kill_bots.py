"""manage.py kill_bots: the kill switch, also while no worker runs."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from bots.management.naming import find_user
from bots.manager import BotManager
from bots.services import Killed, kill_bots

_WORKERS_S: Final = 2.0
"""How long the workers are left to carry it out; then this process does it."""
_LOOK_S: Final = 0.1


class Command(BaseCommand):
    help = "Flatten every living bot at the last trade, plus slippage, and halt it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        whose = parser.add_mutually_exclusive_group(required=True)
        whose.add_argument("--owner", metavar="NAME", help="Of one person.")
        whose.add_argument("--everyone", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        owner = None if options["everyone"] else find_user(options["owner"])
        started = time.monotonic()
        killed = kill_bots(owner, None, "manage.py kill_bots")
        if not _are_done(killed, started + _WORKERS_S):
            for instrument_id in killed.instruments:
                BotManager().step(instrument_id)
        left = killed.left().count()
        took_s = time.monotonic() - started
        self.stdout.write(
            f"{len(killed.bots) - left} of {len(killed.bots)} halted in {took_s:.1f} s"
        )
        if left:
            raise CommandError(
                f"{left} still wait: for a price while their feed is stale, or for a step that "
                "holds them; they enter nothing any more"
            )


def _are_done(killed: Killed, until: float) -> bool:
    while killed.left().exists():
        if time.monotonic() > until:
            return False
        time.sleep(_LOOK_S)
    return True
