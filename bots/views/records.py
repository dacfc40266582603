"""The lists on the page of a bot: each a table of one kind of row, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from backtests.charts.numbers import money, percent, tone, utc
from bots.domain.trips import RoundTrip, round_trips
from bots.models import Bot, ParityReport
from bots.models.figures import newest_fills
from bots.views.words import parity_words
from marketdata.models import to_ms
from tcpdashboard.common.templatetags.figures import words

ROWS: Final = 25
_TRIP_FILLS: Final = 2_000
_PPM: Final = 1_000_000
_SIDES: Final = ("recorded", "known", "repaired")


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in one place of a table."""

    text: str
    kind: str = ""
    tone: str = ""
    help: str = ""


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


def _fill(fill: Any) -> tuple[Cell, ...]:
    side = "Buy" if fill.quantity > 0 else "Sell"
    realised = float(fill.realised)
    return (
        _time(fill.time),
        Cell(side, "", "up" if fill.quantity > 0 else "down"),
        Cell(_plain(abs(fill.quantity)), "num"),
        Cell(_plain(fill.price), "num"),
        Cell(_plain(fill.fee), "num"),
        Cell(_plain(fill.slippage), "num"),
        Cell(money(realised, signed=True) if realised else "", "num", tone(realised)),
        Cell(_plain(fill.position), "num"),
        Cell(words(fill.reason)),
    )


def _trip(trip: RoundTrip) -> tuple[Cell, ...]:
    profit = None if trip.profit is None else float(trip.profit)
    paid = float(trip.quantity * trip.entry_price)
    share = percent(profit / paid, signed=True) if profit is not None and paid else ""
    return (
        _time(trip.entry),
        _time(trip.exit) if trip.exit else Cell("open"),
        Cell(trip.side.capitalize()),
        Cell(_plain(trip.quantity), "num"),
        Cell(_plain(trip.entry_price), "num"),
        Cell(_plain(trip.exit_price) if trip.exit_price else "", "num"),
        Cell("" if profit is None else money(profit, signed=True), "num", tone(profit)),
        Cell(share, "num", tone(profit)),
        Cell(words(trip.reason)),
    )


def _order(order: Any) -> tuple[Cell, ...]:
    return (
        _time(order.made),
        Cell(_target(order.target), "num"),
        Cell(words(order.reason)),
        Cell(order.get_state_display().capitalize()),
        Cell(words(order.outcome)),
        _time(order.ended) if order.ended else Cell(""),
    )


def _signal(signal: Any) -> tuple[Cell, ...]:
    why = ", ".join(f"{name} {_short(value)}" for name, value in signal.why.items())
    spread = "" if signal.bid is None else f"{signal.bid:g} / {signal.ask:g}"
    missed = Cell("Missed", tone="down", help="It came too late for an entry.")
    return (
        _time(signal.time),
        Cell(f"{_target(signal.before)} → {_target(signal.target)}"),
        Cell(_plain(signal.price), "num"),
        Cell(spread, "num"),
        Cell(why, "wide"),
        missed if signal.is_missed else Cell(""),
    )


def _entry(entry: Any) -> tuple[Cell, ...]:
    return (
        _time(entry.time),
        Cell(str(entry.posting), "num"),
        Cell(entry.get_account_display().capitalize()),
        Cell(entry.currency),
        Cell(_plain(entry.amount), "num"),
    )


def _event(event: Any) -> tuple[Cell, ...]:
    moved = f"{event.before} → {event.after}" if event.after else ""
    numbers = ", ".join(f"{words(name)} {value}" for name, value in event.details.items())
    who = event.actor.username if event.actor else event.source
    return (
        _time(event.at),
        Cell(words(event.kind).capitalize()),
        Cell(moved),
        Cell(who),
        Cell(event.why, "wide"),
        Cell(numbers[:400], "wide"),
    )


def _command(command: Any) -> tuple[Cell, ...]:
    applied = _time(command.minute) if command.minute else Cell("waiting")
    who = command.asked_by.username if command.asked_by else "system"
    return (
        _time(command.asked_at),
        Cell(command.get_kind_display().capitalize()),
        Cell(command.get_source_display()),
        Cell(who),
        Cell(command.why, "wide"),
        applied,
    )


def _run(run: Any) -> tuple[Cell, ...]:
    return (
        Cell(str(run.number), "num"),
        Cell(str(run.config)),
        Cell(str(run.version), "num"),
        _time(run.start),
        _time(run.end) if run.end else Cell("open"),
        Cell(run.get_end_reason_display()),
        Cell(run.source_hash[:12], "code"),
        Cell(str(run.engine_version), "num"),
    )


def _report(report: ParityReport) -> tuple[Cell, ...]:
    badge = parity_words((report.known, report.repaired)) or {}
    return (
        _time(report.made_at),
        Cell(str(report.run.number), "num"),
        Cell(report.get_reason_display()),
        Cell(f"{report.minutes:,}", "num"),
        Cell(f"{report.fills:,}", "num"),
        Cell(badge.get("word", ""), "verdict", badge.get("tone", ""), badge.get("meaning", "")),
        Cell(_parted(report.known_divergence) or _parted(report.repaired_divergence), "wide"),
    )


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


def _parted(divergence: Any) -> str:
    """Return where two sides parted in one line: when, what, why, and both sides' numbers."""
    if not divergence:
        return ""
    when = utc(int(divergence["time_ms"])) if "time_ms" in divergence else ""
    head = ", ".join(str(divergence[name]) for name in ("what", "cause") if name in divergence)
    sides = (
        f"{side} {_numbers(divergence[side])}"
        for side in ("recorded", "replayed")
        if side in divergence
    )
    return f"{when} {head}: {'; '.join(sides)}"[:600].strip()


def _numbers(side: Any) -> str:
    if side is None:
        return "nothing"
    return ", ".join(f"{words(str(name))} {value}" for name, value in side.items())


def _newest_trips(bot: Bot) -> list[RoundTrip]:
    return round_trips(newest_fills(bot, _TRIP_FILLS))[::-1]


def _time(value: Any) -> Cell:
    return Cell(utc(to_ms(value)), "time")


def _plain(value: Any) -> str:
    return f"{value.normalize():,f}".replace("-", "\N{MINUS SIGN}")


def _target(millionths: int) -> str:
    return f"{millionths / _PPM:g}".replace("-", "\N{MINUS SIGN}")


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0


TABLES: Final[Mapping[str, Table]] = {
    "fills": Table(
        "Fills",
        ("Time", "Side", "Quantity", "Price", "Fee", "Slippage", "Realised", "Position", "Why"),
        lambda bot: bot.fills.order_by("-time", "-pk"),
        _fill,
        "It has traded nothing yet.",
        "fills",
    ),
    "trips": Table(
        "Round trips",
        ("Entry", "Exit", "Side", "Quantity", "In at", "Out at", "Profit", "Return", "Ended by"),
        _newest_trips,
        _trip,
        "No position was opened yet.",
    ),
    "orders": Table(
        "Orders",
        ("Made", "Target", "Why", "State", "Outcome", "Ended"),
        lambda bot: bot.orders.order_by("-pk"),
        _order,
        "Nothing was ordered yet.",
    ),
    "signals": Table(
        "Signals",
        ("Candle closed", "Wants", "Close", "Bid / ask", "Because", ""),
        lambda bot: bot.signals.order_by("-time"),
        _signal,
        "Its strategy has not changed its mind yet.",
    ),
    "ledger": Table(
        "Ledger",
        ("Time", "Posting", "Account", "Currency", "Amount"),
        lambda bot: bot.ledger.order_by("-pk"),
        _entry,
        "Its account opens with its first run.",
        "ledger",
    ),
    "events": Table(
        "Events",
        ("Time", "What", "State", "By", "Why", "Numbers"),
        lambda bot: bot.events.select_related("actor").order_by("-pk"),
        _event,
        "Nothing happened to it yet.",
    ),
    "commands": Table(
        "Commands",
        ("Given", "Order", "By what", "Who", "Why", "Took effect"),
        lambda bot: bot.commands.select_related("asked_by").order_by("-pk"),
        _command,
        "Nobody has ordered anything of it.",
    ),
    "runs": Table(
        "Runs",
        ("Run", "Configuration", "Version", "From", "To", "Ended", "Code", "Engine"),
        lambda bot: bot.runs.select_related("config").order_by("-pk"),
        _run,
        "It was not started yet.",
    ),
    "parity": Table(
        "Parity",
        ("Made", "Run", "Why", "Minutes", "Fills", "Verdict", "First divergence"),
        lambda bot: ParityReport.objects.filter(run__bot=bot).select_related("run").order_by("-pk"),
        _report,
        "No run was replayed yet. That happens every night, when a run ends, and when you ask.",
    ),
}
