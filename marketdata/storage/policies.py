"""How long each kind of data stays: the admin's rows over the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from marketdata.domain.raw import RawChannel
from marketdata.domain.timeframe import DAY_MS
from marketdata.models import SHORTEST_TRADE_DAYS, TRADES, RetentionPolicy

KINDS: Final = (*(channel.value for channel in RawChannel), TRADES)


@dataclass(frozen=True, slots=True)
class Policy:
    """How long one kind of data stays, in whole UTC days, and what happens then.

    `keep_days` None is for ever.
    """

    what: str
    keep_days: int | None
    is_archived: bool

    def first_kept_ms(self, now_ms: int) -> int:
        """Return the start of the first day that stays; 0 when all do."""
        if self.keep_days is None:
            return 0
        return max(0, now_ms - now_ms % DAY_MS - self.keep_days * DAY_MS)


def policies() -> dict[str, Policy]:
    """Return the policy of every kind. Raises ImproperlyConfigured for settings that say less."""
    days, archived = _default_days(), set(settings.RETENTION_ARCHIVED)
    if unknown := archived - set(KINDS):
        raise ImproperlyConfigured(
            f"expected some of {', '.join(KINDS)} in TCPD_RETENTION_ARCHIVED, was "
            f"{', '.join(sorted(unknown))}"
        )
    rows = {row.what: row for row in RetentionPolicy.objects.all()}
    found = {}
    for what in KINDS:
        row = rows.get(what)
        keep = days[what] if row is None or row.keep_days is None else row.keep_days
        is_archived = what in archived if row is None or row.archive is None else row.archive
        if what == TRADES and keep:
            keep = max(keep, SHORTEST_TRADE_DAYS)
        found[what] = Policy(what, keep or None, is_archived)
    return found


def read_numbers(text: str, setting: str) -> dict[str, int]:
    """Return what `name=number,name=number` says. Raises ImproperlyConfigured with the setting."""
    try:
        pairs = (part.split("=") for part in text.split(",") if part.strip())
        return {name.strip(): int(number) for name, number in pairs}
    except ValueError:
        raise ImproperlyConfigured(
            f"expected name=number,name=number in {setting}, was {text!r}"
        ) from None


def _default_days() -> dict[str, int]:
    days = read_numbers(settings.RETENTION_DAYS, "TCPD_RETENTION_DAYS")
    if set(days) != set(KINDS) or min(days.values()) < 0:
        raise ImproperlyConfigured(
            f"expected days, at least 0, for each of {', '.join(KINDS)} in "
            f"TCPD_RETENTION_DAYS, was {settings.RETENTION_DAYS!r}"
        )
    return days
