"""Migrations compute between statements: on a busy machine for longer than others may rest."""

from __future__ import annotations

from typing import Any

from django.db import connections


def let_rest(using: str, **_rest: Any) -> None:
    """Let the session that migrates rest inside a transaction for as long as it needs."""
    with connections[using].cursor() as cursor:
        cursor.execute("set idle_in_transaction_session_timeout = 0")


def let_rest_no_longer(using: str, **_rest: Any) -> None:
    """Hold the session to the limit of all others again."""
    with connections[using].cursor() as cursor:
        cursor.execute("reset idle_in_transaction_session_timeout")
