"""Asking for parity reports."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser

from bots.loading import InvalidBot
from bots.models import Bot
from bots.parity.kind import PARITY
from tcpdashboard.common.jobs.orders import create_job
from tcpdashboard.common.models import Job


def request_parity(bot: Bot, actor: AbstractBaseUser | None, *, every_run: bool = False) -> Job:
    """Have a bot's newest run replayed, or every run of it; return the job that does it.

    Its result names the reports. Raises InvalidBot when the bot has no run yet.
    """
    runs = list(bot.runs.order_by("number").values_list("pk", flat=True))
    if not runs:
        raise InvalidBot({"bot": f"{bot.name} has not traded yet: start it first"})
    chosen = runs if every_run else runs[-1:]
    title = f"parity of bot {bot.name}"
    return create_job(PARITY.name, title, {"runs": chosen}, owner=actor, total=len(chosen))
