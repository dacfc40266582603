"""Figures of a result as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

NOTHING: Final = "\N{EN DASH}"
_MINUS: Final = "\N{MINUS SIGN}"
_NARROW: Final = "\N{NARROW NO-BREAK SPACE}"
_SPANS: Final = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"))
_LARGE: Final = 1e6


def percent(share: float | None, *, signed: bool = False) -> str:
    """Return a share as a percentage: 0.0123 as 1.23%."""
    if share is None:
        return NOTHING
    if abs(share) >= _LARGE:
        return f"{share * 100:{'+' if signed else ''}.2e}%".replace("-", _MINUS)
    value = round(share * 100, 2) + 0.0
    return f"{value:{'+' if signed else ''},.2f}%".replace("-", _MINUS)


def money(amount: float | None, *, signed: bool = False) -> str:
    """Return an amount of quote currency: two decimals, more where it is small."""
    if amount is None:
        return NOTHING
    decimals = 2 if abs(amount) >= 1 or amount == 0 else 4
    return f"{amount:{'+' if signed else ''},.{decimals}f}".replace("-", _MINUS)


def ratio(value: float | None) -> str:
    """Return a ratio with two decimals."""
    if value is None:
        return NOTHING
    return f"{value:{'.2e' if abs(value) >= _LARGE else ',.2f'}}".replace("-", _MINUS)


def span(milliseconds: float | None) -> str:
    """Return a length of time in its largest unit: 4.2 h."""
    if milliseconds is None:
        return NOTHING
    for length, unit in _SPANS:
        if milliseconds >= length:
            return f"{milliseconds / length:,.3g}{_NARROW}{unit}"
    return f"{milliseconds / 1000:.0f}{_NARROW}s"


def utc(milliseconds: int) -> str:
    """Return a time as 2026-11-22 12:34."""
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M}"


def tone(value: float | None) -> str:
    """Return the class that colours a gain or a loss."""
    if value is None or round(value, 10) == 0:
        return ""
    return "up" if value > 0 else "down"
