"""Setting the limits over all bots of an owner, and lifting a verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import structlog
from django.contrib.auth.models import User
from django.db import transaction

from bots.loading import InvalidBot
from bots.models import Bot, OwnerLimits, OwnerVerdict
from bots.risk import lift
from bots.services.asking import ask_for
from strategies.domain.spelling import did_you_mean

_SHARES: Final = {"max_daily_loss": 1.0, "max_drawdown": 1.0, "max_exposure": 100.0}
_FIELDS: Final = (*_SHARES, "max_open_bots", "action")
_MOST_BOTS: Final = 100_000

log = structlog.get_logger(__name__)


def set_limits(owner: User, given: Mapping[str, Any], actor: User) -> OwnerLimits:
    """Change the limits that are given, None for no limit; return them all.

    What stands already stands until it is lifted. Raises InvalidBot, by field.
    """
    errors = {
        str(name): f"there is no such limit; {did_you_mean(str(name), _FIELDS)}"
        for name in given
        if name not in _FIELDS
    }
    errors |= {name: reason for name in given if (reason := _why_wrong(name, given[name]))}
    if errors:
        raise InvalidBot(errors)
    limits, _ = OwnerLimits.objects.update_or_create(owner=owner, defaults=dict(given))
    log.info("owner_limits_set", owner=owner.pk, by=actor.pk, **given)
    return limits


def too_many(limits: OwnerLimits) -> str:
    """Return what is to be known where more bots are alive than may be; else nothing."""
    most = limits.max_open_bots
    alive = Bot.objects.alive().filter(owner=limits.owner_id).count()
    if most is None or alive <= most:
        return ""
    return f"{alive} of your bots are at work, {most} may be: they go on, and no other starts"


@transaction.atomic
def lift_verdict(verdict: OwnerVerdict, actor: User) -> None:
    """End a verdict before its time; bots that it paused may enter again."""
    ask_for(lift(verdict, actor))


def _why_wrong(name: str, value: object) -> str:
    if name == "action":
        actions = OwnerLimits.Action.values
        return "" if value in actions else f"expected one of {', '.join(actions)}"
    if value is None or name not in _FIELDS:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return "expected a number, or nothing for no limit"
    if name == "max_open_bots":
        is_right = isinstance(value, int) and 0 <= value <= _MOST_BOTS
        return "" if is_right else f"expected a whole number from 0 to {_MOST_BOTS}"
    most = _SHARES[name]
    return "" if 0 < value <= most else f"expected a share above 0, {most:g} at most"
