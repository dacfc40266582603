"""Integers inside: prices in ticks, quantities in lots, cash in the finest quote unit.

One conversion each way. A cash unit is the smaller of 1e-8 of the quote currency and the value of
one lot at a price of one tick, so that every value the exchange could produce is a whole number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.records import InstrumentSpec

MAX_CASH: Final = 2**62
"""Cash units an account may hold; above it sums could wrap."""

_FINEST: Final = Decimal("1e-8")

Ticks = NDArray[np.int64]


class TooLarge(ValueError):
    """An amount does not fit into the account's integers."""


@dataclass(frozen=True, slots=True)
class Units:
    """The integers of one instrument.

    `cash_per_tick_lot` is what one lot is worth, in cash units, for each tick of its price.
    """

    tick: Decimal
    lot: Decimal
    cash: Decimal
    cash_per_tick_lot: int

    @classmethod
    def of(cls, spec: InstrumentSpec) -> Units:
        """Return the units of an instrument."""
        value = spec.tick_size * spec.lot_size * spec.contract_value
        if value <= _FINEST:
            return cls(spec.tick_size, spec.lot_size, value, 1)
        # The finest power of ten at or below 1e-8 of which the value is a multiple.
        exponent = min(-8, int(value.normalize().as_tuple().exponent))
        cash = Decimal(1).scaleb(exponent)
        return cls(spec.tick_size, spec.lot_size, cash, int(value / cash))

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Units:
        """Return the units that `as_json` wrote."""
        return cls(
            tick=Decimal(stored["tick"]),
            lot=Decimal(stored["lot"]),
            cash=Decimal(stored["cash"]),
            cash_per_tick_lot=int(stored["cash_per_tick_lot"]),
        )

    def as_json(self) -> dict[str, Any]:
        """Return the units for JSON: decimals as text."""
        return {
            "tick": f"{self.tick:f}",
            "lot": f"{self.lot:f}",
            "cash": f"{self.cash:f}",
            "cash_per_tick_lot": self.cash_per_tick_lot,
        }

    def cash_to_units(self, amount: Decimal) -> int:
        """Return an amount of quote currency, rounded down. Raises TooLarge."""
        units = int(amount / self.cash)
        if abs(units) > MAX_CASH // 16:
            limit = Decimal(MAX_CASH // 16) * self.cash
            raise TooLarge(
                f"{amount} does not fit: at most {limit.normalize():f} can be traded with"
            )
        return units

    def ticks(self, prices: NDArray[np.float64]) -> tuple[Ticks, int]:
        """Return stored prices as whole ticks, and the highest of them (0 for none)."""
        # Imported at the first use: importing Numba takes longer than starting a web process.
        from backtests.domain.kernels.passes import to_ticks

        # A product with a whole number is exact where a quotient by a fraction is not.
        per_unit = 1 / self.tick
        is_multiplied = per_unit == per_unit.to_integral_value()
        factor = float(per_unit if is_multiplied else self.tick)
        ticks = np.empty(len(prices), np.int64)
        return ticks, int(to_ticks(prices, factor, is_multiplied, ticks))

    def price(self, ticks: int) -> Decimal:
        return self.tick * ticks

    def quantity(self, lots: int) -> Decimal:
        return self.lot * lots

    def amount(self, units: int) -> Decimal:
        """Return cash units as quote currency."""
        return self.cash * units


def check_fits(units: Units, highest_tick: int, cash: int) -> None:
    """Raise TooLarge when a run that starts with `cash` could leave the integers.

    A thousandfold gain must fit, and so must one lot at a hundred times the highest price.
    """
    if cash > MAX_CASH // 1024 or highest_tick * units.cash_per_tick_lot > MAX_CASH // 128:
        most = Decimal(math.floor(MAX_CASH / 1024)) * units.cash
        raise TooLarge(f"the initial balance must be at most {most:.0f} for this instrument")
