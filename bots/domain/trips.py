"""From fills to round trips: flat, in the market, flat again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol


class FillLike(Protocol):
    """What a fill must say of itself; `quantity` and `position` are negative when short."""

    time: datetime
    quantity: Decimal
    price: Decimal
    fee: Decimal
    position: Decimal
    realised: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """From flat to flat; prices are averages. Of an open one `exit` and `profit` are None.

    `first_price` is that of the first fill.
    """

    entry: datetime
    exit: datetime | None
    side: str
    quantity: Decimal
    first_price: Decimal
    entry_price: Decimal
    exit_price: Decimal | None
    fees: Decimal
    profit: Decimal | None
    fills: int
    reason: str


def round_trips(fills: Iterable[FillLike]) -> list[RoundTrip]:
    """Return the round trips of `fills`, oldest first; profits are after fees.

    Fills before the first that begins from flat are left out: theirs began earlier.
    """
    trips: list[RoundTrip] = []
    own: list[FillLike] = []
    for fill in fills:
        if own or fill.position == fill.quantity:
            own.append(fill)
        if own and not fill.position:
            trips.append(_trip(own))
            own = []
    return [*trips, _trip(own)] if own else trips


def _trip(fills: Sequence[FillLike]) -> RoundTrip:
    first, last = fills[0], fills[-1]
    is_long = first.quantity > 0
    into = [fill for fill in fills if (fill.quantity > 0) == is_long]
    out = [fill for fill in fills if (fill.quantity > 0) != is_long]
    is_closed = not last.position
    fees = sum((fill.fee for fill in fills), Decimal())
    gained = sum((fill.realised for fill in fills), Decimal())
    return RoundTrip(
        entry=first.time,
        exit=last.time if is_closed else None,
        side="long" if is_long else "short",
        quantity=sum((abs(fill.quantity) for fill in into), Decimal()),
        first_price=first.price,
        entry_price=_average(into),
        exit_price=_average(out) if out else None,
        fees=fees,
        profit=gained - fees if is_closed else None,
        fills=len(fills),
        reason=last.reason,
    )


def _average(fills: Sequence[FillLike]) -> Decimal:
    size = sum((abs(fill.quantity) for fill in fills), Decimal())
    return sum((abs(fill.quantity) * fill.price for fill in fills), Decimal()) / size
