"""Rows of bots as the cells of tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from backtests.charts.numbers import money, percent, tone, utc
from bots.domain.trips import RoundTrip
from bots.models import ParityReport
from bots.views.words import parity_words
from marketdata.models import to_ms
from tcpdashboard.common.templatetags.figures import words

_PPM: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in one place of a table."""

    text: str
    kind: str = ""
    tone: str = ""
    help: str = ""


def fill_cells(fill: Any) -> tuple[Cell, ...]:
    """Return the cells of a fill."""
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


def trip_cells(trip: RoundTrip) -> tuple[Cell, ...]:
    """Return the cells of a round trip."""
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


def order_cells(order: Any) -> tuple[Cell, ...]:
    """Return the cells of an order."""
    return (
        _time(order.made),
        Cell(_target(order.target), "num"),
        Cell(words(order.reason)),
        Cell(order.get_state_display().capitalize()),
        Cell(words(order.outcome)),
        _time(order.ended) if order.ended else Cell(""),
    )


def signal_cells(signal: Any) -> tuple[Cell, ...]:
    """Return the cells of a decision."""
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


def entry_cells(entry: Any) -> tuple[Cell, ...]:
    """Return the cells of an entry of the ledger."""
    return (
        _time(entry.time),
        Cell(str(entry.posting), "num"),
        Cell(entry.get_account_display().capitalize()),
        Cell(entry.currency),
        Cell(_plain(entry.amount), "num"),
    )


def event_cells(event: Any) -> tuple[Cell, ...]:
    """Return the cells of an event."""
    moved = f"{event.before} → {event.after}" if event.after else ""
    numbers = ", ".join(f"{words(name)} {_detail(value)}" for name, value in event.details.items())
    who = event.actor.username if event.actor else event.source
    return (
        _time(event.at),
        Cell(words(event.kind).capitalize()),
        Cell(moved),
        Cell(who),
        Cell(event.why, "wide"),
        Cell(numbers[:400], "wide"),
    )


def command_cells(command: Any) -> tuple[Cell, ...]:
    """Return the cells of a command."""
    who = command.asked_by.username if command.asked_by else "system"
    return (
        _time(command.asked_at),
        Cell(command.get_kind_display().capitalize()),
        Cell(command.get_source_display()),
        Cell(who),
        Cell(command.why, "wide"),
        _effect(command),
    )


def _effect(command: Any) -> Cell:
    if command.minute:
        return _time(command.minute)
    if command.dropped_at:
        return Cell("Never", help="The run it was meant for was over.")
    return Cell("Waiting")


def run_cells(run: Any) -> tuple[Cell, ...]:
    """Return the cells of a run."""
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


def report_cells(report: ParityReport) -> tuple[Cell, ...]:
    """Return the cells of a replay."""
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


def _time(value: Any) -> Cell:
    return Cell(utc(to_ms(value)), "time")


def _detail(value: Any) -> str:
    """Return a number of an event; of an edit, what it was and what it is."""
    if isinstance(value, list):
        return " → ".join(str(one) for one in value)
    return str(value)


def _plain(value: Any) -> str:
    return f"{value.normalize():,f}".replace("-", "\N{MINUS SIGN}")


def _target(millionths: int) -> str:
    return f"{millionths / _PPM:g}".replace("-", "\N{MINUS SIGN}")


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
