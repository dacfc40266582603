"""People and bots as they are named on a command line."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError

from bots.models import Bot
from bots.services import InvalidBot
from strategies.domain.spelling import did_you_mean


def find_user(name: str) -> Any:
    """Return the user of a name. Raises CommandError with the closest one."""
    users = get_user_model().objects
    found = users.filter(username=name).first()
    if found is None:
        known = users.order_by("username").values_list("username", flat=True)[:50]
        raise CommandError(f"there is no user {name!r}; {did_you_mean(name, known)}")
    return found


def find_bot(text: str) -> Bot:
    """Return the bot of an id, or of a name that only one has. Raises CommandError."""
    rows = Bot.objects.filter(deleted_at=None).select_related("owner", "instrument", "config")
    if text.isdecimal() and (found := rows.filter(pk=int(text)).first()):
        return found
    named = list(rows.filter(name=text)[:2])
    if not named:
        known = rows.values_list("name", flat=True)[:200]
        raise CommandError(f"there is no bot {text!r}; {did_you_mean(text, known)}")
    if len(named) > 1:
        raise CommandError(f"several people have a bot called {text!r}: name it by its id")
    return named[0]


def refused(error: InvalidBot, head: str = "") -> CommandError:
    """Return a refusal with a line for each field."""
    lines = [f"{field}: {reason}" for field, reason in error.errors.items()]
    return CommandError("\n".join([head, *lines] if head else lines))
