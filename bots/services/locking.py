"""Taking a bot's row, or an owner's bots, before something is asked of them."""

from __future__ import annotations

from typing import Final

from django.db import connection

from bots.loading import InvalidBot
from bots.models import Bot

PERSON: Final = "person"
SYSTEM: Final = "system"

# A step holds the rows of its chunk until its commit, longer than other locks are waited for.
_WAIT: Final = "set local lock_timeout = '15s'"


def locked(bot: Bot) -> Bot:
    """Return the bot as it is now, its row locked to the end of the transaction.

    Raises InvalidBot when it was deleted meanwhile.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WAIT)
    rows = Bot.objects.select_for_update(of=("self",), no_key=True)
    found = rows.select_related("owner", "instrument", "config").filter(pk=bot.pk).first()
    if found is None or found.deleted_at is not None:
        raise InvalidBot({"bot": f"{bot} was deleted"})
    return found


def lock_owner(owner_id: int) -> None:
    """Let nobody else start bots of this owner until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"bots of {owner_id}"]
        )
