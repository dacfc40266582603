"""The table of round trips: a page of it, and how it may be narrowed and sorted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from backtests.charts.numbers import money, percent, span, tone
from backtests.charts.trips import OUTCOMES, SIDES, TripFilter, reasons_of, trip_rows
from backtests.models import Backtest
from backtests.storage.results import StoredRun
from backtests.views.paging import page_of
from marketdata.models import from_ms
from marketdata.views.quotes import price_decimals

PAGE: Final = 50
HEADS: Final = (
    ("number", "#", True),
    ("", "Side", False),
    ("entry", "Entry, UTC", False),
    ("entry_price", "at", True),
    ("exit", "Exit, UTC", False),
    ("exit_price", "at", True),
    ("quantity", "Quantity", True),
    ("profit", "Profit", True),
    ("share", "Return", True),
    ("fees", "Fees", True),
    ("held", "Held", True),
    ("", "Ended by", False),
)
"""The columns: by which word they sort, their titles, and whether they hold numbers."""


def trades_context(backtest: Backtest, run: StoredRun, query: Mapping[str, str]) -> dict[str, Any]:
    """Return one page of the round trips that are asked for."""
    chosen = TripFilter.of(query)
    places = chosen.places(run.trips)
    page = page_of(query.get("page", ""), len(places), PAGE)
    shown = places[page.rows]
    decimals = price_decimals(backtest.instrument)
    narrowed = {"side": chosen.side, "outcome": chosen.outcome, "reason": chosen.reason}
    kept = urlencode({name: value for name, value in narrowed.items() if value})
    return {
        "backtest": backtest,
        "trips": [_row(row, decimals) for row in trip_rows(run.trips, shown, run.units)],
        "trip_filter": chosen,
        "trip_sides": SIDES,
        "trip_outcomes": OUTCOMES,
        "trip_reasons": reasons_of(run.trips),
        "trip_heads": [_head(*head, chosen.sort) for head in HEADS],
        "trip_query": urlencode({"sort": chosen.sort}) + (f"&{kept}" if kept else ""),
        "trip_kept": kept,
        "found_trips": len(places),
        "all_trips": len(run.trips),
        "page": page,
    }


def _row(row: dict[str, Any], decimals: int) -> dict[str, Any]:
    held = None if row["exit_ms"] is None else row["exit_ms"] - row["entry_ms"]
    return row | {
        "entry": from_ms(row["entry_ms"]),
        "exit": None if row["exit_ms"] is None else from_ms(row["exit_ms"]),
        "decimals": decimals,
        "profit_text": money(row["profit"], signed=True),
        "share_text": percent(row["share"], signed=True),
        "fees_text": money(row["fees"]),
        "held_text": span(held),
        "tone": tone(row["profit"]),
    }


def _head(word: str, title: str, is_number: bool, sort: str) -> dict[str, Any]:
    is_up, is_down = word != "" and sort == word, word != "" and sort == f"-{word}"
    return {
        "word": word,
        "title": title,
        "is_number": is_number,
        "direction": "ascending" if is_up else "descending" if is_down else "",
        # Figures are looked through from the largest down.
        "next": word if is_down or (not is_up and word in ("number", "entry")) else f"-{word}",
    }
