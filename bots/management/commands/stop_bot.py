"""manage.py stop_bot: end a bot's run."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from bots.management.naming import find_bot, refused
from bots.services import InvalidBot, stop_bot


class Command(BaseCommand):
    help = "Stop a bot: its position is closed at the last trade, unless it is to be kept."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("bot", help="Its id, or its name where only one has it.")
        parser.add_argument("--keep-position", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        bot = find_bot(options["bot"])
        try:
            row = stop_bot(
                bot, None, flatten=not options["keep_position"], why="manage.py stop_bot"
            )
        except InvalidBot as error:
            raise refused(error) from error
        self.stdout.write(f"{row} is {row.state}")
