"""The virtual account: what was put in, what is held, what it cost and what it earned.

Whole numbers, as in the kernel: cash in cash units, positions in lots, prices in ticks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

CAPITAL: Final = "capital"
CASH: Final = "cash"
POSITION: Final = "position"
MARKET: Final = "market"
FEES: Final = "fees"


class Entry(NamedTuple):
    """One side of a posting: cash units, or lots of the instrument where `is_lots`."""

    account: str
    amount: int
    is_lots: bool = False


class Traded(NamedTuple):
    """What a fill moved: lots (negative when sold), its price in ticks, its fee in cash units."""

    lots: int
    tick: int
    fee: int


@dataclass(frozen=True, slots=True)
class VirtualPortfolio:
    """An account after some fills; each gives a new one.

    `cost` is what the position was bought for, negative when it was sold short. Profits are before
    fees: cash + worth of the position = capital + realised + unrealised - fees, to the unit.
    """

    cash_per_tick_lot: int
    capital: int
    cash: int
    lots: int = 0
    cost: int = 0
    realised: int = 0
    fees: int = 0

    @classmethod
    def opened(cls, capital: int, cash_per_tick_lot: int) -> VirtualPortfolio:
        """Return an account with nothing but its initial balance."""
        return cls(cash_per_tick_lot, capital, capital)

    def filled(self, traded: Traded) -> VirtualPortfolio:
        """Return the account after a fill."""
        value = traded.lots * traded.tick * self.cash_per_tick_lot
        closed = self._closed(traded.lots)
        # Rounded towards zero; what is left of the cost stays with the rest of the position.
        part = _share(self.cost, abs(closed), abs(self.lots))
        gained = -closed * traded.tick * self.cash_per_tick_lot - part
        opened = (traded.lots - closed) * traded.tick * self.cash_per_tick_lot
        return replace(
            self,
            cash=self.cash - value - traded.fee,
            lots=self.lots + traded.lots,
            cost=self.cost - part + opened,
            realised=self.realised + gained,
            fees=self.fees + traded.fee,
        )

    def _closed(self, lots: int) -> int:
        """Return the part of `lots` that closes what is held."""
        if self.lots > 0:
            return max(min(lots, 0), -self.lots)
        return min(max(lots, 0), -self.lots)

    @property
    def average_tick(self) -> float | None:
        """The average price of the position in ticks; None without one."""
        return self.cost / (self.lots * self.cash_per_tick_lot) if self.lots else None

    def unrealised(self, tick: int) -> int:
        """Return the profit of the position at a price of `tick`, in cash units."""
        return self.lots * tick * self.cash_per_tick_lot - self.cost

    def equity(self, tick: int) -> int:
        """Return what the account is worth at a price of `tick`, in cash units."""
        return self.cash + self.lots * tick * self.cash_per_tick_lot


def deposit_entries(amount: int) -> tuple[Entry, ...]:
    """Return the posting of an initial balance."""
    return Entry(CASH, amount), Entry(CAPITAL, -amount)


def postings_of(traded: Traded, cash_per_tick_lot: int) -> tuple[Entry, ...]:
    """Return the posting of a fill: it sums to zero in cash units, and in lots."""
    value = traded.lots * traded.tick * cash_per_tick_lot
    entries = (
        Entry(CASH, -value - traded.fee),
        Entry(MARKET, value),
        Entry(FEES, traded.fee),
        Entry(POSITION, traded.lots, is_lots=True),
        Entry(MARKET, -traded.lots, is_lots=True),
    )
    return tuple(entry for entry in entries if entry.amount)


def _share(value: int, part: int, whole: int) -> int:
    """Return value x part / whole, rounded towards zero; 0 of nothing."""
    if not whole:
        return 0
    share = abs(value) * part // whole
    return share if value >= 0 else -share
