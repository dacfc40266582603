"""Fills and equity as people read them: decimals, as they were traded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from backtests.domain.records import Events, Integers, Reason
from backtests.domain.roundtrips import fills_of
from backtests.domain.units import Units

FILL_COLUMNS: Final = (
    "time_ms",
    "side",
    "quantity",
    "price",
    "fee",
    "slippage",
    "reason",
    "cash",
    "position",
)
_BLOCK: Final = 2_000


def fill_rows(events: Events, units: Units, first: int, count: int) -> list[dict[str, Any]]:
    """Return `count` fills from number `first` on; decimals as text."""
    return [_row(fill, units) for fill in fills_of(events)[first : first + count]]


def fills_as_csv(events: Events, units: Units) -> Iterator[str]:
    """Yield all fills as CSV, a block of lines at a time, the header first."""
    yield ",".join(FILL_COLUMNS) + "\n"
    for first in range(0, len(events), _BLOCK):
        rows = fill_rows(events, units, first, _BLOCK)
        yield "".join(",".join(map(str, row.values())) + "\n" for row in rows)


def equity_columns(close_times: Integers, equity: Integers, units: Units) -> dict[str, Any]:
    """Return close times and equity in quote currency, as columns."""
    return {"time_ms": close_times, "equity": equity * float(units.cash)}


def _row(fill: Any, units: Units) -> dict[str, Any]:
    lots = int(fill["lots"])
    values = (
        int(fill["time_ms"]),
        "buy" if lots > 0 else "sell",
        f"{units.quantity(abs(lots)):f}",
        f"{units.price(int(fill['tick'])):f}",
        f"{units.amount(int(fill['fee'])):f}",
        f"{units.amount(int(fill['slippage'])):f}",
        Reason(fill["reason"]).name.lower(),
        f"{units.amount(int(fill['cash'])):f}",
        f"{units.quantity(int(fill['position'])):f}",
    )
    return dict(zip(FILL_COLUMNS, values, strict=True))
