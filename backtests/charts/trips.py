"""Round trips as rows of a table: narrowed, sorted, and as a file."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backtests.domain.records import Reason
from backtests.domain.roundtrips import RoundTrips
from backtests.domain.units import Units

OUTCOMES: Final = {"won": "Won", "lost": "Lost", "draw": "Neither", "open": "Open"}
SIDES: Final = {"long": 1, "short": -1}
SORTS: Final = {
    "number": "number",
    "entry": "entry_ms",
    "exit": "exit_ms",
    "held": "held",
    "quantity": "lots",
    "entry_price": "entry_tick",
    "exit_price": "exit_tick",
    "profit": "profit",
    "share": "share",
    "fees": "fees",
}
"""What a table may be sorted by, by the word in the address; with a minus in front downwards."""

COLUMNS: Final = (
    *("number", "side", "entry_ms", "exit_ms", "quantity", "entry_price", "exit_price"),
    *("profit", "return", "fees", "slippage", "reason", "fills", "is_closed"),
)


@dataclass(frozen=True, slots=True)
class TripFilter:
    """Which round trips are wanted and in which order; empty is all, unknown words count as it."""

    side: str = ""
    outcome: str = ""
    reason: str = ""
    sort: str = "number"

    @classmethod
    def of(cls, query: Mapping[str, str]) -> TripFilter:
        """Read it from an address."""
        sort = query.get("sort", "")
        return cls(
            side=_known(query.get("side"), SIDES),
            outcome=_known(query.get("outcome"), OUTCOMES),
            reason=_known(query.get("reason"), [reason.name.lower() for reason in Reason]),
            sort=sort if sort.removeprefix("-") in SORTS else "number",
        )

    def places(self, trips: RoundTrips) -> NDArray[np.intp]:
        """Return the places of the wanted trips, in order."""
        wanted = np.ones(len(trips), bool)
        if self.side:
            wanted &= trips["side"] == SIDES[self.side]
        if self.outcome:
            wanted &= _came_out(trips, self.outcome)
        if self.reason:
            wanted &= trips["is_closed"] & (trips["reason"] == Reason[self.reason.upper()])
        places = np.flatnonzero(wanted)
        key = SORTS[self.sort.removeprefix("-")]
        values = _sortable(trips, key)[places]
        order = np.argsort(-values if self.sort.startswith("-") else values, kind="stable")
        return places[order]


def trip_rows(trips: RoundTrips, places: NDArray[np.intp], units: Units) -> list[dict[str, Any]]:
    """Return the trips at `places` as rows; money and prices are floats, unknown ones None.

    An open one has no reason why it ended.
    """
    return [_row(trips[place], int(place) + 1, units) for place in places]


def trips_csv(trips: RoundTrips, places: NDArray[np.intp], units: Units) -> Iterator[str]:
    """Yield the trips at `places` as CSV with a header."""
    yield _line(COLUMNS)
    for place in places:
        yield _line(_exported(_row(trips[place], int(place) + 1, units)).values())


def trips_json(trips: RoundTrips, places: NDArray[np.intp], units: Units) -> list[dict[str, Any]]:
    """Return the trips at `places` for a file of JSON."""
    return [_exported(row) for row in trip_rows(trips, places, units)]


def returns_of(trips: RoundTrips) -> NDArray[np.float64]:
    """Return profit / worth at the entry of every closed round trip."""
    closed = trips[trips["is_closed"]]
    shares: NDArray[np.float64] = closed["profit"] / np.maximum(closed["paid"], 1)
    return shares


def reasons_of(trips: RoundTrips) -> list[str]:
    """Return why round trips ended, each reason once."""
    closed = trips[trips["is_closed"]]
    return [Reason(number).name.lower() for number in np.unique(closed["reason"])]


def _row(trip: Any, number: int, units: Units) -> dict[str, Any]:
    cash, tick = float(units.cash), float(units.tick)
    is_closed = bool(trip["is_closed"])
    exit_tick = float(trip["exit_tick"])
    profit = int(trip["profit"]) * cash if is_closed else None
    return {
        "number": number,
        "side": "long" if trip["side"] > 0 else "short",
        "entry_ms": int(trip["entry_ms"]),
        "exit_ms": int(trip["exit_ms"]) if is_closed else None,
        "quantity": f"{units.quantity(int(trip['lots'])).normalize():f}",
        "entry_price": float(trip["entry_tick"]) * tick,
        "exit_price": None if math.isnan(exit_tick) else exit_tick * tick,
        "profit": profit,
        "share": int(trip["profit"]) / int(trip["paid"]) if is_closed and trip["paid"] else None,
        "fees": int(trip["fees"]) * cash,
        "slippage": int(trip["slippage"]) * cash,
        "reason": Reason(trip["reason"]).name.lower() if is_closed else "",
        "fills": int(trip["fills"]),
        "is_closed": is_closed,
    }


def _exported(row: dict[str, Any]) -> dict[str, Any]:
    renamed = row | {"return": row["share"]}
    return {name: renamed[name] for name in COLUMNS}


def _came_out(trips: RoundTrips, outcome: str) -> NDArray[np.bool_]:
    closed, profit = trips["is_closed"], trips["profit"]
    found: dict[str, NDArray[np.bool_]] = {
        "won": closed & (profit > 0),
        "lost": closed & (profit < 0),
        "draw": closed & (profit == 0),
        "open": ~closed,
    }
    return found[outcome]


def _sortable(trips: RoundTrips, key: str) -> NDArray[np.float64]:
    values: Any = trips[key] if key in (trips.dtype.names or ()) else np.arange(len(trips))
    if key == "held":
        values = trips["exit_ms"] - trips["entry_ms"]
    elif key == "share":
        values = trips["profit"] / np.maximum(trips["paid"], 1)
    return np.nan_to_num(np.asarray(values, dtype=np.float64))


def _known(value: str | None, known: Any) -> str:
    return value if value is not None and value in known else ""


def _line(values: Any) -> str:
    out = io.StringIO()
    csv.writer(out).writerow("" if value is None else value for value in values)
    return out.getvalue()
