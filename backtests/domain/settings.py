"""How a run trades: costs, sizes, stops and limits as people set them, and as the kernel does."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Self

from backtests.domain.records import PPM, Rules, Sizing
from backtests.domain.units import Units
from marketdata.domain.timeframe import Timeframe

MINUTE_MS: Final = 60_000
_BPS: Final = Decimal(PPM) / 10_000


class InvalidSetting(ValueError):
    """A setting is impossible; `field` names it as people see it."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.field = name


@dataclass(frozen=True, slots=True)
class Costs:
    """Fees and slippage in basis points (hundredths of a per cent) of the value."""

    taker_bps: Decimal = Decimal(10)
    maker_bps: Decimal = Decimal(8)
    slippage_bps: Decimal = Decimal(5)

    @classmethod
    def of_swap(cls) -> Self:
        """Return the defaults for linear swaps."""
        return cls(taker_bps=Decimal(5), maker_bps=Decimal(2))


@dataclass(frozen=True, slots=True)
class Size:
    """What a target of 1 means.

    `amount` is a share of the equity for FRACTION (1 is all of it) and for RISK, where it is what
    the stop-loss may cost, and quote currency for QUOTE.
    """

    kind: Sizing = Sizing.FRACTION
    amount: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Stops:
    """When a position ends by itself; None for never.

    Shares of the entry price (trailing: of the best price since), and minutes.
    """

    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trailing_stop: Decimal | None = None
    time_stop_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What the account may lose or risk; None for no limit.

    Shares of the highest equity, of the day's first equity and of the equity; minutes.
    """

    max_drawdown: Decimal | None = None
    max_daily_loss: Decimal | None = None
    max_exposure: Decimal | None = None
    cooldown_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Trading:
    """Everything about a run but its strategy, its market and its time."""

    cash: Decimal = Decimal(10_000)
    costs: Costs = field(default_factory=Costs)
    size: Size = field(default_factory=Size)
    stops: Stops = field(default_factory=Stops)
    limits: Limits = field(default_factory=Limits)
    allow_short: bool = False

    def rules(
        self, units: Units, timeframe: Timeframe, *, minimum_lots: int, is_margined: bool
    ) -> Rules:
        """Return the rules of the kernel for an instrument. Raises InvalidSetting."""
        self._check(is_margined=is_margined)
        return Rules(
            cash_per_tick_lot=units.cash_per_tick_lot,
            minimum_lots=max(1, minimum_lots),
            timeframe_ms=timeframe.ms,
            taker=_bps("taker_bps", self.costs.taker_bps),
            maker=_bps("maker_bps", self.costs.maker_bps),
            slippage=_bps("slippage_bps", self.costs.slippage_bps),
            sizing=int(self.size.kind),
            size=self._size(units),
            is_short_allowed=self.allow_short,
            is_margined=is_margined,
            stop_loss=_share("stop_loss", self.stops.stop_loss),
            take_profit=_share("take_profit", self.stops.take_profit, most=100),
            trailing_stop=_share("trailing_stop", self.stops.trailing_stop),
            time_stop_ms=_minutes("time_stop_minutes", self.stops.time_stop_minutes),
            cooldown_ms=_minutes("cooldown_minutes", self.limits.cooldown_minutes),
            max_drawdown=_share("max_drawdown", self.limits.max_drawdown),
            max_daily_loss=_share("max_daily_loss", self.limits.max_daily_loss),
            max_exposure=_share("max_exposure", self.limits.max_exposure) or PPM,
        )

    def _check(self, *, is_margined: bool) -> None:
        if not self.cash.is_finite() or self.cash <= 0:
            raise InvalidSetting("cash", f"expected an initial balance above 0; was {self.cash}")
        if self.allow_short and not is_margined:
            raise InvalidSetting("allow_short", "spot cannot be sold short; choose a linear swap")
        if self.size.kind == Sizing.RISK and not self.stops.stop_loss:
            raise InvalidSetting("stop_loss", "sizing by risk needs a stop-loss to measure it by")

    def _size(self, units: Units) -> int:
        amount = self.size.amount
        if self.size.kind == Sizing.QUOTE:
            if not amount.is_finite() or amount <= 0:
                raise InvalidSetting("size", f"expected an amount above 0; was {amount}")
            return units.cash_to_units(amount)
        return _share("size", amount) or _refuse_zero("size")


def _refuse_zero(name: str) -> int:
    raise InvalidSetting(name, "expected a share above 0")


def _bps(name: str, value: Decimal) -> int:
    if not value.is_finite() or not 0 <= value <= 1000:
        raise InvalidSetting(name, f"expected 0 to 1000 basis points; was {value}")
    return _whole(name, value * _BPS)


def _share(name: str, value: Decimal | None, most: int = 1) -> int:
    if value is None:
        return 0
    if not value.is_finite() or not 0 < value <= most:
        raise InvalidSetting(name, f"expected a share above 0, {most} at most; was {value}")
    return _whole(name, value * PPM)


def _whole(name: str, value: Decimal) -> int:
    if value != value.to_integral_value():
        raise InvalidSetting(name, "expected no finer steps than a millionth")
    return int(value)


def _minutes(name: str, value: int | None) -> int:
    if value is None:
        return 0
    if not 1 <= value <= 525_600:
        raise InvalidSetting(name, f"expected 1 to 525600 minutes; was {value}")
    return value * MINUTE_MS
