"""Who sees a bot, and who may act on it: one rule for REST, pages and admin."""

from __future__ import annotations

from typing import Any

from bots.models.bots import Bot, BotQuerySet
from tcpdashboard.common.rights import may_change


def shown_to(user: Any) -> BotQuerySet:
    """Return a person's bots that were not deleted; staff see all."""
    return Bot.objects.visible_to(user).filter(deleted_at=None)


def may_order(user: Any, bot: Bot) -> bool:
    """Return whether a person may act on a bot: its owner, or staff who may change bots."""
    return bool(bot.owner_id == user.pk or may_change(user, Bot))
