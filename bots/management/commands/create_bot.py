"""manage.py create_bot: make the bots of a JSON file, all of them or none."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from bots.domain.drafts import schema
from bots.loading import read_file
from bots.management.naming import find_user, refused
from bots.models import Bot
from bots.services import BotDraft, InvalidBot, checked, create_bot, start_bot


class Command(BaseCommand):
    help = "Make the bots that a JSON file describes: one, or a list of them; all or none."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--config", type=Path, metavar="FILE", help="Such as bots/configs/*.")
        parser.add_argument("--owner", default="admin", help="Whose they are (default: admin).")
        parser.add_argument("--name", help="Another name than the file's, for a single bot.")
        parser.add_argument(
            "--from",
            dest="begin",
            metavar="TIME",
            help="Stored candles instead of live ones, from this minute on.",
        )
        parser.add_argument(
            "--speed", type=float, help="With --from: stored minutes in one of this machine's."
        )
        parser.add_argument("--start", action="store_true", help="Start them, too.")
        parser.add_argument(
            "--schema", action="store_true", help="Only print the JSON schema of such files."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["schema"]:
            self.stdout.write(json.dumps(schema(), indent=2))
            return
        if options["config"] is None:
            raise CommandError("expected --config FILE, or --schema")
        try:
            made = _made(options)
        except OSError as error:
            raise CommandError(str(error)) from error
        except InvalidBot as error:
            raise refused(error, "nothing was made") from error
        for bot in made:
            self.stdout.write(f"{bot.pk}  {bot}: {bot.config} on {bot.instrument}, {bot.state}")


@transaction.atomic
def _made(options: Mapping[str, Any]) -> list[Bot]:
    owner = find_user(options["owner"])
    found = read_file(options["config"])
    if options["name"] and len(found) > 1:
        raise CommandError("--name is for a file of one bot")
    given = [{**one, **_overrides(options)} for one in found]
    drafts: list[BotDraft] = []
    errors: dict[str, str] = {}
    for number, one in enumerate(given, 1):
        try:
            drafts.append(checked(owner, one))
        except InvalidBot as error:
            where = f"bot {number}, " if len(given) > 1 else ""
            errors |= {f"{where}{field}": reason for field, reason in error.errors.items()}
    if errors:
        raise InvalidBot(errors)
    made = [create_bot(owner, draft) for draft in drafts]
    return [start_bot(bot, owner) for bot in made] if options["start"] else made


def _overrides(options: Mapping[str, Any]) -> dict[str, Any]:
    chosen = {"name": options["name"], "from": options["begin"], "speed": options["speed"]}
    return {name: value for name, value in chosen.items() if value is not None}
