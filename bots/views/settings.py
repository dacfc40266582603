"""A bot's settings of trading in the words of its form, with their units."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from backtests.domain.records import Sizing
from backtests.forms.trading import TRADING_FIELDS, settings_of

_SPACE: Final = "\N{NO-BREAK SPACE}"


def trading_words(trading: Mapping[str, Any], quote: str) -> list[tuple[str, str]]:
    """Return label and value of each setting that is set; `quote` is the currency of amounts."""
    is_amount = trading["sizing"] == Sizing.QUOTE.name.lower()
    units = {_label("cash"): quote, _label("size"): quote if is_amount else "%"}
    found = []
    for label, value in settings_of(trading):
        # What has a unit tells it behind a comma.
        title, _, unit = label.partition(", ")
        found.append((title, _measured(value, unit or units.get(label, ""))))
    return found


def _label(name: str) -> str:
    return str(TRADING_FIELDS[name].label)


def _measured(value: str, unit: str) -> str:
    if not unit:
        return value
    number = f"{Decimal(value):,f}"
    return f"{number}%" if unit == "%" else f"{number}{_SPACE}{unit}"
