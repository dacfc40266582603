"""Make the first user, once."""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from tcpdashboard.embedded.folders import write_private
from tcpdashboard.env import ADMIN_PASSWORD, given

NAME = "admin"


class Command(BaseCommand):
    help = (
        f"Make the user {NAME} when there is no user yet: with the password in {ADMIN_PASSWORD}, "
        "or a random one that is kept in the file admin-password of the var folder."
    )

    @transaction.atomic
    def handle(self, *_arguments: Any, **_options: Any) -> None:
        users = get_user_model().objects
        if users.exists():
            return
        chosen = given(ADMIN_PASSWORD)
        _refuse_weak(chosen)
        kept = settings.VAR_DIR / "admin-password"
        password = chosen or secrets.token_urlsafe(15)
        users.create_superuser(NAME, email="", password=password)
        if chosen:
            kept.unlink(missing_ok=True)
            self.stdout.write(f"made the user {NAME} with the password of {ADMIN_PASSWORD}")
        else:
            write_private(kept, password + "\n")
            self.stdout.write(f"made the user {NAME}; the password is kept in {kept}")


def _refuse_weak(password: str) -> None:
    if not password:
        return
    try:
        validate_password(password)
    except ValidationError as error:
        raise CommandError(f"{ADMIN_PASSWORD}: {' '.join(error.messages)}") from error
