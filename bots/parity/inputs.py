"""A run's inputs and records, read from its rows as of one moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np
from django.db import connection, transaction

from backtests.domain.market import MarketMinutes
from backtests.domain.records import Command, Kind, Reason, States
from backtests.domain.units import Units
from bots.domain.booking import NOTHING_LEFT, REPLACED, RUN_ENDED
from bots.domain.halves import CLOSE, OPENING, Place
from bots.domain.parity.comparing import Booked, Dropped, Recorded, Worth
from bots.domain.parity.inputs import Given, Inputs
from bots.domain.parity.replay import Decision
from bots.domain.parity.slippage import Quote
from bots.models import BotEvent, BotPerformance, BotRun, Fill, Order
from bots.parity.seen import SeenMinutes, seen_minutes
from bots.storage.revisions import as_seen
from bots.storage.rows import kernel_of
from bots.storage.runs import engine_of_run
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.models import Opening, from_ms, to_ms
from marketdata.storage import read_candles
from strategies.catalogue import AnyStrategy

_SILENT: Final = (REPLACED, RUN_ENDED, NOTHING_LEFT)
"""Outcomes of orders that no event of the kernel tells."""


@dataclass(frozen=True, slots=True, eq=False)
class RunRows:
    """All that the rows say of a run, up to where it stood when they were read."""

    run: BotRun
    units: Units
    until: Place
    minutes: SeenMinutes
    openings: dict[int, int]
    missed: frozenset[int]
    undecided: frozenset[int]
    commands: tuple[Given, ...]
    recorded: Recorded
    quotes: tuple[Quote, ...]


def read_run(run_id: int) -> RunRows:
    """Return what the rows say of a run, as of one moment; not inside of a transaction.

    What is not stored any more is named by `minutes.gone`.
    """
    with _one_moment():
        run = BotRun.objects.select_related("bot", "instrument").get(pk=run_id)
        units = Units.from_json(run.units)
        until, last = _end(run)
        signals = list(run.signals.order_by("time"))
        return RunRows(
            run=run,
            units=units,
            until=until,
            minutes=seen_minutes(run, until.minute_ms),
            openings=_openings(run, units, until),
            missed=frozenset(to_ms(signal.time) for signal in signals if signal.is_missed),
            undecided=_undecided(run),
            commands=tuple(_commands(run)),
            recorded=Recorded(
                decisions=[
                    Decision(to_ms(signal.time), signal.before, signal.target)
                    for signal in signals
                    if signal.before != signal.target
                ],
                fills=[_booked(fill, units) for fill in run.fills.order_by("number")],
                dropped=list(_dropped(run)),
                worths=_worths(run, units),
                last=last,
            ),
            quotes=tuple(
                Quote(signal.bid, signal.ask, float(signal.price), signal.target > signal.before)
                for signal in signals
                if signal.bid is not None and signal.ask is not None
            ),
        )


def inputs_of(rows: RunRows, strategy: AnyStrategy) -> Inputs:
    """Return the inputs of the replay. Raises InvalidSetting and InvalidTrading."""
    run = rows.run
    engine = engine_of_run(run)
    return Inputs(
        engine=engine,
        strategy=strategy,
        candles=MarketMinutes.of(rows.minutes.by_strategy, engine.units),
        minutes=MarketMinutes.of(rows.minutes.by_run, engine.units),
        openings=rows.openings,
        opened=rows.minutes.opened & rows.openings.keys(),
        missed=rows.missed,
        undecided=rows.undecided,
        commands=rows.commands,
        first=kernel_of(run.first_kernel),
        start_ms=to_ms(run.start),
        until=rows.until,
    )


@contextmanager
def _one_moment() -> Iterator[None]:
    """Let all queries see the same rows, while the run goes on."""
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read, read only")
        yield


def _end(run: BotRun) -> tuple[Place, States | None]:
    """Return where a run stands or ended, and its record of the kernel there."""
    if run.end is not None:
        last = None if run.last_kernel is None else kernel_of(run.last_kernel)
        return Place(to_ms(run.end), run.end_phase), last
    bot = run.bot
    if bot.run_id != run.pk or bot.cursor is None or bot.kernel is None:
        return Place(to_ms(run.start), OPENING), kernel_of(run.first_kernel)
    return Place(to_ms(bot.cursor), bot.phase), kernel_of(bot.kernel)


def _undecided(run: BotRun) -> frozenset[int]:
    """Return the closes of the candles at which the strategy was not asked."""
    events = BotEvent.objects.filter(run=run, kind=BotEvent.UNDECIDED)
    step_ms = Timeframe(run.timeframe).ms
    return frozenset(
        close_ms
        for told in events.values_list("details", flat=True)
        for close_ms in range(told["first_ms"], told["last_ms"] + 1, step_ms)
    )


def _openings(run: BotRun, units: Units, until: Place) -> dict[int, int]:
    """Return the first trades in ticks, those left out that came after the run had filled."""
    filled = dict(run.fills.order_by("-filled_at").values_list("time", "filled_at"))
    rows = Opening.objects.filter(
        instrument_id=run.instrument_id,
        open_time__gte=run.start,
        open_time__lte=from_ms(until.minute_ms),
    ).values_list("open_time", "price", "committed_at")
    known = [
        (to_ms(open_time), price)
        for open_time, price, committed_at in rows
        if open_time not in filled or committed_at <= filled[open_time]
    ]
    if until.phase == CLOSE and all(open_ms != until.minute_ms for open_ms, _ in known):
        known += _open_of(run, until.minute_ms)
    ticks, _ = units.ticks(np.array([price for _, price in known], np.float64))
    return dict(zip((open_ms for open_ms, _ in known), ticks.tolist(), strict=True))


def _open_of(run: BotRun, minute_ms: int) -> list[tuple[int, float]]:
    """Return the open of a candle of which a run did the opening half alone."""
    stored = read_candles(run.instrument, Timeframe.M1, minute_ms, minute_ms + MINUTE_MS)
    candles, _ = as_seen(run.instrument_id, stored, ())
    return [(minute_ms, float(one["open"])) for one in candles if one["volume"] > 0]


def _commands(run: BotRun) -> Iterator[Given]:
    for command in run.commands.order_by("pk"):
        if command.minute is not None and command.phase is not None:
            place = Place(to_ms(command.minute), command.phase)
            yield Given(place, Command[command.kind.upper()].value, command.tick or 0)


def _booked(fill: Fill, units: Units) -> Booked:
    return Booked(
        time_ms=to_ms(fill.time),
        reason=Reason[fill.reason.upper()].value,
        lots=_whole(fill.quantity, units.lot),
        tick=_whole(fill.price, units.tick),
        fee=_whole(fill.fee, units.cash),
        slippage=_whole(fill.slippage, units.cash),
        cash=_whole(fill.cash, units.cash),
        position=_whole(fill.position, units.lot),
    )


def _dropped(run: BotRun) -> Iterator[Dropped]:
    """Yield the orders that the kernel dropped; one that was replaced it never told of."""
    kinds = {Order.State.CANCELLED: Kind.CANCELLED}
    orders = run.orders.exclude(state=Order.State.WAITING).exclude(outcome__in=_SILENT)
    for order in orders.exclude(outcome="").order_by("number"):
        # The outcome of an order that was filled is that of its other half, skipped.
        kind = kinds.get(Order.State(order.state), Kind.SKIPPED)
        ended_ms = to_ms(order.ended) if order.ended is not None else 0
        yield Dropped(ended_ms, kind.value, Reason[order.outcome.upper()].value)


def _worths(run: BotRun, units: Units) -> list[Worth]:
    rows = BotPerformance.objects.filter(bot_id=run.bot_id, run=run).order_by("time")
    return [
        Worth(to_ms(time), _whole(equity, units.cash))
        for time, equity in rows.values_list("time", "equity")
    ]


def _whole(value: Decimal, unit: Decimal) -> Any:
    """Return how many units a value is; one that is no whole number of them stays what it is."""
    units = value / unit
    return int(units) if units == units.to_integral_value() else units


def minutes_replayed(rows: RunRows) -> int:
    """Return how many minutes the run traded."""
    return (rows.until.minute_ms - to_ms(rows.run.start)) // MINUTE_MS
