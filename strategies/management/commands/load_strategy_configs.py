"""manage.py load_strategy_configs: save the configurations of a folder, all or none."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Model

from strategies.catalogue import describe_strategy, keys
from strategies.domain.errors import StrategyError
from strategies.loading import SHIPPED, InvalidConfig, schema_of
from strategies.services import load_configs, load_shipped


class Command(BaseCommand):
    help = "Save the configurations of a folder's JSON files, all or none."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", nargs="?", type=Path, default=SHIPPED)
        parser.add_argument("--owner", help="Whose they are; without it everybody's.")
        parser.add_argument(
            "--once",
            action="store_true",
            help="Those that come along, to be proven; nothing where any is there or ever was.",
        )
        parser.add_argument(
            "--schema", action="store_true", help="Only print the JSON schema of such files."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["schema"]:
            self.stdout.write(_schema(), ending="")
            return
        try:
            if options["once"]:
                saved = load_shipped()
            else:
                saved = load_configs(options["folder"], _owner(options["owner"]))
        except InvalidConfig as error:
            lines = [f"{file}: {reason}" for file, reason in error.errors.items()]
            raise CommandError("nothing was saved\n" + "\n".join(lines)) from error
        for config in saved:
            self.stdout.write(f"{config}: {config.strategy} on {config.timeframe}")


def _schema() -> str:
    try:
        schema = schema_of(describe_strategy(key) for key in keys())
    except StrategyError as error:
        raise CommandError(str(error)) from error
    return json.dumps(schema, indent=2) + "\n"


def _owner(name: str | None) -> Model | None:
    if name is None:
        return None
    users = get_user_model()
    try:
        return users.objects.get_by_natural_key(name)
    except users.DoesNotExist:
        raise CommandError(f"there is no user {name!r}") from None
