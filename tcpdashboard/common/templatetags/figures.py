"""Shares, sizes, spans and times as people read them."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from django import template

from tcpdashboard.common.templatetags.numbers import NOTHING

register = template.Library()

_NARROW: Final = "\N{NARROW NO-BREAK SPACE}"
_BYTES: Final = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_SPANS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


@register.filter
def share(value: float | None) -> str:
    """Return a share as a percentage: 100% means all of it, anything less is rounded down."""
    if value is None:
        return NOTHING
    percent = math.floor(value * 10_000) / 100
    return f"{percent:.0f}%" if percent == int(percent) else f"{percent:.2f}%"


@register.filter
def whole(value: int | None) -> str:
    """Return a whole number with grouped thousands; a dash for None."""
    return NOTHING if value is None else f"{value:,}"


@register.filter
def size(value: float | None) -> str:
    """Return a number of bytes in three digits: 1234567 as 1.23 MB; a dash for None."""
    if value is None:
        return NOTHING
    for scale, unit in _BYTES:
        if value >= scale:
            return f"{value / scale:.3g}{_NARROW}{unit}"
    return f"{value:.0f}{_NARROW}B"


@register.filter
def words(name: str) -> str:
    """Return a name of the program for people: candle_pushes as candle pushes."""
    return name.replace("_", " ")


@register.filter
def plain(value: float | None) -> str:
    """Return a number with all its digits, as it is stored; a dash for None."""
    return NOTHING if value is None else f"{Decimal(repr(value)).normalize():,f}"


@register.filter
def utc(value: datetime | date | None) -> str:
    """Return 2026-11-22 12:34 in UTC, a day as its date; a dash for None."""
    if value is None:
        return NOTHING
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"
    return value.isoformat()


@register.filter
def until(start: datetime, end: datetime) -> str:
    """Return how long it is from `start` to `end`, in its largest whole unit: 4 s, 3 min, 2 d."""
    seconds = (end - start).total_seconds()
    for length, unit in _SPANS:
        if seconds >= length:
            return f"{seconds / length:.3g}{_NARROW}{unit}"
    return f"0{_NARROW}s"
