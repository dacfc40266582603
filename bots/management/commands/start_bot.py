"""manage.py start_bot: let a bot run."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bots.management.naming import find_bot, refused
from bots.services import InvalidBot, start_bot
from strategies.domain.errors import StrategyError
from strategies.proving import has_standing_proof, prove_config


class Command(BaseCommand):
    help = "Start a bot; its configuration must have passed its proofs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("bot", help="Its id, or its name where only one has it.")
        parser.add_argument(
            "--prove", action="store_true", help="Prove its configuration first, if it is not."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        bot = find_bot(options["bot"])
        try:
            if options["prove"] and not has_standing_proof(bot.config):
                prove_config(bot.config)
            start_bot(bot, None, "manage.py start_bot")
        except StrategyError as error:
            raise CommandError(str(error)) from error
        except InvalidBot as error:
            raise refused(error) from error
        self.stdout.write(f"{bot} is starting: the next step opens its run")
