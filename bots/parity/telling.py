"""Divergences in words that people know: prices and amounts in place of whole numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backtests.domain.records import Kind, Reason
from backtests.domain.units import Units
from bots.domain.parity.verdicts import Verdict

_PRICES: Final = frozenset({"tick", "entry_tick", "stop", "trail", "best", "goal", "last_tick"})
_SIZES: Final = frozenset({"lots", "position"})
_AMOUNTS: Final = frozenset(
    {"fee", "fees", "slippage", "cash", "entry_cash", "equity", "peak", "day_equity"}
)


def told(verdict: Verdict, units: Units) -> dict[str, Any] | None:
    """Return a verdict's divergence for JSON; None when there is none. Decimals are text."""
    divergence = verdict.divergence
    if divergence is None or verdict.cause is None:
        return None
    return {
        "time_ms": divergence.time_ms,
        "what": divergence.what,
        "cause": verdict.cause.value,
        "recorded": _side(divergence.recorded, units),
        "replayed": _side(divergence.replayed, units),
    }


def _side(values: Mapping[str, Any] | None, units: Units) -> dict[str, Any] | None:
    if values is None:
        return None
    return {name: _told(name, value, units) for name, value in values.items()}


def _told(name: str, value: Any, units: Units) -> Any:
    if name in ("reason", "kind"):
        return (Reason if name == "reason" else Kind)(value).name.lower()
    unit = _unit(name, units)
    return value if unit is None else f"{unit * value:f}"


def _unit(name: str, units: Units) -> Any:
    if name in _PRICES:
        return units.tick
    if name in _SIZES:
        return units.lot
    return units.cash if name in _AMOUNTS else None
