"""Seal every stored secret again with the newest key, or make a key."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import models, transaction

from tcpdashboard.common.crypto import KeyTrouble, new_key, reseal
from tcpdashboard.common.fields import EncryptedTextField


class Command(BaseCommand):
    help = (
        "Seal every stored secret with the first of TCPD_ENCRYPTION_KEYS. Put a new key before "
        "the old one, restart, run this, then take the old one out."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--new", action="store_true", help="Only print a fresh key.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["new"]:
            self.stdout.write(new_key())
            return
        try:
            # All or none: half-way through, both keys are needed anyway.
            with transaction.atomic():
                number = sum(_reseal(model) for model in apps.get_models())
        except KeyTrouble as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{number} secrets are sealed with the newest key")


def _reseal(model: type[models.Model]) -> int:
    names = [
        field.name for field in model._meta.local_fields if isinstance(field, EncryptedTextField)
    ]
    if not names:
        return 0
    number = 0
    for row in model._default_manager.select_for_update().only(*names):
        for name in names:
            if getattr(row, name) is not None:
                setattr(row, name, reseal(getattr(row, name)))
                number += 1
        row.save(update_fields=names)
    return number
