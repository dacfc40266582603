"""Numbers as people read them: grouped, signed with a true minus, short when large."""

from __future__ import annotations

from typing import Final

from django import template

register = template.Library()

NOTHING: Final = "\N{EN DASH}"
_MINUS: Final = "\N{MINUS SIGN}"
_SCALES: Final = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))


@register.filter
def price(value: float | None, decimals: int = 2) -> str:
    """Return `value` with exactly `decimals` decimals; a dash for None."""
    return NOTHING if value is None else f"{value:,.{decimals}f}".replace("-", _MINUS)


@register.filter
def percent(value: float | None) -> str:
    """Return a fraction as a signed percentage: 0.0123 as +1.23%; a dash for None."""
    if value is None:
        return NOTHING
    rounded = round(value * 100, 2) + 0.0
    return f"{rounded:+.2f}%".replace("-", _MINUS)


@register.filter
def compact(value: float | None) -> str:
    """Return a large number in three or four digits: 1234567 as 1.23 M; a dash for None."""
    if value is None:
        return NOTHING
    for scale, letter in _SCALES:
        if abs(value) >= scale:
            return f"{_three_digits(value / scale)}\N{NARROW NO-BREAK SPACE}{letter}"
    return _three_digits(value)


@register.filter
def direction(value: float | None) -> str:
    """Return the class that colours a change: up, down, or nothing for none."""
    if value is None or round(value, 4) == 0:
        return ""
    return "up" if value > 0 else "down"


def _three_digits(value: float) -> str:
    size = abs(value)
    decimals = 0 if size >= 100 or size == int(size) else 1 if size >= 10 else 2
    return f"{value:,.{decimals}f}".replace("-", _MINUS)
