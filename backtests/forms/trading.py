"""The fields for costs, sizes, stops and limits: people write per cent, shares are stored."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from decimal import Decimal
from typing import Any, Final

from django import forms

from backtests.domain.records import Sizing

TRADING: Final = "trading."
"""Before the name of a setting, in the names of fields and of errors."""
SHARES: Final = (
    *("stop_loss", "take_profit", "trailing_stop"),
    *("max_drawdown", "max_daily_loss", "max_exposure"),
)
"""Settings that people write in per cent, and that are stored as shares."""
_HUNDRED: Final = Decimal(100)
_SIZINGS: Final = (
    (Sizing.FRACTION.name.lower(), "Per cent of the equity"),
    (Sizing.QUOTE.name.lower(), "Amount of quote currency"),
    (Sizing.RISK.name.lower(), "Per cent at risk until the stop-loss"),
)


def _percent(label: str, help_text: str, most: int = 100) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        help_text=help_text,
        required=False,
        decimal_places=4,
        min_value=Decimal("0.0001"),
        max_value=Decimal(most),
    )


def _bps(label: str, help_text: str) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        help_text=help_text,
        required=False,
        decimal_places=2,
        min_value=Decimal(0),
        max_value=Decimal(1000),
    )


def _minutes(label: str, help_text: str) -> forms.IntegerField:
    return forms.IntegerField(
        label=label, help_text=help_text, required=False, min_value=1, max_value=525_600
    )


TRADING_FIELDS: Final[Mapping[str, forms.Field]] = {
    "cash": forms.DecimalField(
        label="Initial balance", help_text="In quote currency.", min_value=Decimal(0)
    ),
    "taker_bps": _bps("Taker fee, bps", "Market and stop fills. Empty: 10 spot, 5 swap."),
    "maker_bps": _bps("Maker fee, bps", "Take-profit fills. Empty: 8 spot, 2 swap."),
    "slippage_bps": _bps("Slippage, bps", "Against you, for each market and stop fill. Empty: 5."),
    "sizing": forms.ChoiceField(label="Size of a position", choices=_SIZINGS),
    "size": forms.DecimalField(
        label="Size", help_text="Per cent, or the amount.", min_value=Decimal("0.0001")
    ),
    "allow_short": forms.BooleanField(
        label="May sell short", help_text="Swaps only.", required=False
    ),
    "stop_loss": _percent("Stop-loss, %", "Below the entry price (above it, when short)."),
    "take_profit": _percent("Take-profit, %", "Above the entry price.", most=10_000),
    "trailing_stop": _percent("Trailing stop, %", "Below the best price since the entry."),
    "time_stop_minutes": _minutes("Time stop, minutes", "After the entry."),
    "cooldown_minutes": _minutes("Cooldown, minutes", "No entry so long after a loss."),
    "max_drawdown": _percent("Maximum drawdown, %", "Of the highest equity: then it ends."),
    "max_daily_loss": _percent("Maximum daily loss, %", "Then no entry until the next UTC day."),
    "max_exposure": _percent("Maximum exposure, %", "Of the equity, in a position."),
}
GROUPS: Final = {
    "costs": ("cash", "taker_bps", "maker_bps", "slippage_bps"),
    "sizing": ("sizing", "size", "max_exposure", "allow_short"),
    "stops": ("stop_loss", "take_profit", "trailing_stop", "time_stop_minutes"),
    "limits": ("max_drawdown", "max_daily_loss", "cooldown_minutes"),
}
"""The settings as they stand together."""


def trading_fields() -> dict[str, forms.Field]:
    """Return the fields by their prefixed names; copies, as a form writes into its fields."""
    return {f"{TRADING}{name}": deepcopy(field) for name, field in TRADING_FIELDS.items()}


def trading_of(cleaned: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a valid form's `cleaned` data as a request takes them."""
    given: dict[str, Any] = {name: cleaned.get(f"{TRADING}{name}") for name in TRADING_FIELDS}
    for name in in_percent(given["sizing"]):
        if given[name] is not None:
            given[name] = given[name] / _HUNDRED
    return {
        name: str(value) if isinstance(value, Decimal) else value
        for name, value in given.items()
        if value is not None
    }


def size_error(cleaned: Mapping[str, Any]) -> str:
    """Return why the size is too large; nothing when it is not."""
    size: Decimal | None = cleaned.get(f"{TRADING}size")
    is_share = cleaned.get(f"{TRADING}sizing") != Sizing.QUOTE.name.lower()
    is_large = size is not None and size > _HUNDRED
    return "Expected 100 per cent at most." if is_share and is_large else ""


def trading_initial(trading: Mapping[str, Any], *, with_costs: bool) -> dict[str, Any]:
    """Return stored settings as the form shows them: shares in per cent."""
    shown = {
        name: value for name, value in trading.items() if with_costs or not name.endswith("_bps")
    }
    for name in in_percent(trading["sizing"]):
        if shown[name] is not None:
            shown[name] = f"{(Decimal(shown[name]) * _HUNDRED).normalize():f}"
    return {f"{TRADING}{name}": value for name, value in shown.items()}


def in_percent(sizing: str) -> tuple[str, ...]:
    """Return the settings that are written in per cent."""
    return SHARES if sizing == Sizing.QUOTE.name.lower() else (*SHARES, "size")


def settings_of(trading: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the stored settings that are set, by the labels of their fields, as people write."""
    shown = trading_initial(trading, with_costs=True)
    return [
        (str(field.label), "yes" if shown[name] is True else _words(name, shown[name]))
        for name, field in trading_fields().items()
        if shown.get(name) not in (None, False)
    ]


def _words(name: str, value: Any) -> str:
    return dict(_SIZINGS)[value] if name == f"{TRADING}sizing" else str(value)
