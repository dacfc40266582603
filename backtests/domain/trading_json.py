"""Settings of a run to JSON and back: whatever comes from outside is checked field by field."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from backtests.domain.records import Sizing
from backtests.domain.settings import Costs, Limits, Size, Stops, Trading

_COSTS: Final = ("taker_bps", "maker_bps", "slippage_bps")
_STOPS: Final = ("stop_loss", "take_profit", "trailing_stop")
_LIMITS: Final = ("max_drawdown", "max_daily_loss", "max_exposure")
_MINUTES: Final = ("time_stop_minutes", "cooldown_minutes")
FIELDS: Final = (
    "cash",
    *_COSTS,
    "sizing",
    "size",
    *_STOPS,
    *_LIMITS,
    *_MINUTES,
    "allow_short",
)
_LONGEST: Final = 40


class InvalidTrading(ValueError):
    """Settings are impossible; `errors` says why, by field."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__("; ".join(f"{field}: {reason}" for field, reason in errors.items()))


def trading_as_json(trading: Trading) -> dict[str, Any]:
    """Return the settings for JSON: decimals as text, nothing left out."""
    parts = {**_of(trading.costs, _COSTS), **_of(trading.stops, _STOPS)}
    return {
        "cash": _text(trading.cash),
        **parts,
        **_of(trading.limits, _LIMITS),
        "sizing": trading.size.kind.name.lower(),
        "size": _text(trading.size.amount),
        "time_stop_minutes": trading.stops.time_stop_minutes,
        "cooldown_minutes": trading.limits.cooldown_minutes,
        "allow_short": trading.allow_short,
    }


def trading_from_json(given: Mapping[str, Any], *, is_swap: bool) -> Trading:
    """Return the settings that are given, the defaults for the others.

    Decimals may be numbers or text. Raises InvalidTrading with a reason for every field that is
    unknown or is no number, not only the first; whether the numbers are possible `Trading.rules`
    says.
    """
    read = _Reader(given)
    costs = Costs.of_swap() if is_swap else Costs()
    trading = Trading(
        cash=read.decimal("cash", Trading().cash),
        costs=Costs(**{name: read.decimal(name, getattr(costs, name)) for name in _COSTS}),
        size=Size(read.sizing(), read.decimal("size", Size().amount)),
        stops=Stops(
            **{name: read.optional(name) for name in _STOPS},
            time_stop_minutes=read.minutes("time_stop_minutes"),
        ),
        limits=Limits(
            **{name: read.optional(name) for name in _LIMITS},
            cooldown_minutes=read.minutes("cooldown_minutes"),
        ),
        allow_short=read.flag("allow_short"),
    )
    if read.errors:
        raise InvalidTrading(read.errors)
    return trading


class _Reader:
    """Takes fields out of what was given and remembers what was wrong with each."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given
        known = ", ".join(FIELDS)
        self.errors = {
            str(name): f"there is no such setting; expected some of {known}"
            for name in given
            if name not in FIELDS
        }

    def decimal(self, name: str, default: Decimal) -> Decimal:
        if name not in self._given:
            return default
        return self._number(name, self._given[name]) or Decimal(0)

    def optional(self, name: str) -> Decimal | None:
        value = self._given.get(name)
        return None if value is None else self._number(name, value)

    def minutes(self, name: str) -> int | None:
        value = self._given.get(name)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        self.errors[name] = f"expected a whole number of minutes; was {_shown(value)}"
        return None

    def flag(self, name: str) -> bool:
        value = self._given.get(name, False)
        if not isinstance(value, bool):
            self.errors[name] = f"expected true or false; was {_shown(value)}"
        return value is True

    def sizing(self) -> Sizing:
        value = self._given.get("sizing", Sizing.FRACTION.name.lower())
        names = {one.name.lower(): one for one in Sizing}
        if isinstance(value, str) and value in names:
            return names[value]
        self.errors["sizing"] = f"expected one of {', '.join(names)}; was {_shown(value)}"
        return Sizing.FRACTION

    def _number(self, name: str, value: object) -> Decimal | None:
        number = _decimal(value)
        if number is None:
            self.errors[name] = f"expected a finite number; was {_shown(value)}"
        return number


def _decimal(value: object) -> Decimal | None:
    """Return a number of reasonable size and length; None for anything else."""
    text = str(value)
    if isinstance(value, bool) or not isinstance(value, int | float | str) or len(text) > _LONGEST:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    is_reasonable = number.is_finite() and abs(number.adjusted()) < _LONGEST
    return number if is_reasonable else None


def _of(part: object, names: tuple[str, ...]) -> dict[str, str | None]:
    return {name: _text(getattr(part, name)) for name in names}


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _shown(value: object) -> str:
    return repr(value)[:_LONGEST]
