"""The lists on the page of a bot: each a table of one kind of row, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bots.domain.trips import RoundTrip, round_trips
from bots.models import Bot, ParityReport
from bots.models.figures import newest_fills
from bots.views.cells import (
    Cell,
    command_cells,
    entry_cells,
    event_cells,
    fill_cells,
    order_cells,
    report_cells,
    run_cells,
    signal_cells,
    trip_cells,
)

ROWS: Final = 25
_TRIP_FILLS: Final = 2_000
_SIDES: Final = ("recorded", "known", "repaired")


@dataclass(frozen=True, slots=True)
class Table:
    """One list: its rows, its columns and how a row fills them."""

    title: str
    columns: tuple[str, ...]
    rows: Callable[[Bot], Any]
    cells: Callable[[Any], tuple[Cell, ...]]
    nothing: str
    export: str = ""


def records_context(bot: Bot, query: Mapping[str, str]) -> dict[str, Any]:
    """Return the list that the address names, from its `first` row on."""
    name = query.get("records", "")
    name = name if name in TABLES else next(iter(TABLES))
    first = _whole(query.get("first", ""))
    table = TABLES[name]
    found = list(table.rows(bot)[first : first + ROWS + 1])
    lines = [table.cells(one) for one in found[:ROWS]]
    kinds = [cell.kind for cell in lines[0]] if lines else ()
    return {
        "records": name,
        "table": table,
        "heads": list(zip(table.columns, kinds, strict=False)),
        "lines": lines,
        "proof": _proof(found[0]) if name == "parity" and found and not first else None,
        "first": first,
        "last": first + len(lines),
        "later": max(first - ROWS, 0) if first else None,
        "earlier": first + ROWS if len(found) > ROWS else None,
    }


def _proof(report: ParityReport) -> dict[str, Any]:
    """Return what the newest report says beside its verdicts: both sides' equity, slippage."""
    details = report.details
    ended = details.get("ended_with", {})
    seen = details.get("slippage") or {}
    bins = [(_bin(low, high), count) for low, high, count in seen.get("bins", ())]
    return {
        "ended_with": [(name, ended[name]) for name in _SIDES if name in ended],
        "slippage": seen,
        "bins": bins,
        "most": max((count for _, count in bins), default=1),
    }


def _bin(low: float | None, high: float | None) -> str:
    if low is None:
        return f"below {high:g}"
    return f"above {low:g}" if high is None else f"{low:g} to {high:g}"


def _newest_trips(bot: Bot) -> list[RoundTrip]:
    return round_trips(newest_fills(bot, _TRIP_FILLS))[::-1]


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0


TABLES: Final[Mapping[str, Table]] = {
    "fills": Table(
        "Fills",
        ("Time", "Side", "Quantity", "Price", "Fee", "Slippage", "Realised", "Position", "Why"),
        lambda bot: bot.fills.order_by("-time", "-pk"),
        fill_cells,
        "It has traded nothing yet.",
        "fills",
    ),
    "trips": Table(
        "Round trips",
        ("Entry", "Exit", "Side", "Quantity", "In at", "Out at", "Profit", "Return", "Ended by"),
        _newest_trips,
        trip_cells,
        "No position was opened yet.",
    ),
    "orders": Table(
        "Orders",
        ("Made", "Target", "Why", "State", "Outcome", "Ended"),
        lambda bot: bot.orders.order_by("-pk"),
        order_cells,
        "Nothing was ordered yet.",
    ),
    "signals": Table(
        "Signals",
        ("Candle closed", "Wants", "Close", "Bid / ask", "Because", "Missed"),
        lambda bot: bot.signals.order_by("-time"),
        signal_cells,
        "Its strategy has not changed its mind yet.",
    ),
    "ledger": Table(
        "Ledger",
        ("Time", "Posting", "Account", "Currency", "Amount"),
        lambda bot: bot.ledger.order_by("-pk"),
        entry_cells,
        "Its account opens with its first run.",
        "ledger",
    ),
    "events": Table(
        "Events",
        ("Time", "What", "State", "By", "Why", "Numbers"),
        lambda bot: bot.events.select_related("actor").order_by("-pk"),
        event_cells,
        "Nothing happened to it yet.",
    ),
    "commands": Table(
        "Commands",
        ("Given", "Order", "By what", "Who", "Why", "Took effect"),
        lambda bot: bot.commands.select_related("asked_by").order_by("-pk"),
        command_cells,
        "Nobody has ordered anything of it.",
    ),
    "runs": Table(
        "Runs",
        ("Run", "Configuration", "Version", "From", "To", "Ended", "Code", "Engine"),
        lambda bot: bot.runs.select_related("config").order_by("-pk"),
        run_cells,
        "It was not started yet.",
    ),
    "parity": Table(
        "Parity",
        ("Made", "Run", "Why", "Minutes", "Fills", "Verdict", "First divergence"),
        lambda bot: ParityReport.objects.filter(run__bot=bot).select_related("run").order_by("-pk"),
        report_cells,
        "No run was replayed yet. That happens every night, when a run ends, and when you ask.",
    ),
}
