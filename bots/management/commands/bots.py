"""manage.py bots: list bots with their state."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from bots.management.naming import find_user
from bots.models import Bot


class Command(BaseCommand):
    help = "List the bots: state, what they trade, how far they are, what keeps them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--owner", help="Of one person only.")
        parser.add_argument("--state", choices=Bot.State.values)
        parser.add_argument("--json", action="store_true", help="For programs.")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = Bot.objects.filter(deleted_at=None).select_related("owner", "instrument", "config")
        if options["owner"]:
            rows = rows.filter(owner=find_user(options["owner"]))
        if options["state"]:
            rows = rows.filter(state=options["state"])
        told = [_told(bot) for bot in rows.order_by("pk")]
        if options["json"]:
            self.stdout.write(json.dumps(told))
            return
        for one in told:
            where = one["cursor"] or "not begun"
            trouble = f"  {one['trouble']}" if one["trouble"] else ""
            self.stdout.write(
                f"{one['id']:>5}  {one['state']:<9} {one['owner']:<12} {one['name']:<28} "
                f"{one['instrument']} {one['timeframe']}  {one['config']}  {where}{trouble}"
            )
        if not told:
            self.stdout.write("there is no bot like this")


def _told(bot: Bot) -> dict[str, Any]:
    return {
        "id": bot.pk,
        "state": bot.state,
        "owner": bot.owner.username,
        "name": bot.name,
        "instrument": str(bot.instrument),
        "timeframe": bot.timeframe,
        "config": str(bot.config),
        "version": bot.version,
        "cursor": bot.cursor and f"{bot.cursor:%Y-%m-%d %H:%M}",
        "trouble": bot.trouble,
        "last_error": bot.last_error,
    }
