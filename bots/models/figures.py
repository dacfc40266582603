"""What bots are worth and how far they are, read in a fixed number of statements."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import numpy as np
from django.db.models import Max, OuterRef, Q, QuerySet, Subquery

from backtests.domain.records import STATE
from backtests.domain.units import Units
from bots.models.bots import Bot
from bots.models.ledger import LedgerEntry
from bots.models.parity import ParityReport
from bots.models.trades import Fill
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.models import Collector, from_ms, to_ms

_TOLD: Final = (
    "equity",
    "cash",
    "position",
    "entry",
    "price",
    "unrealised",
    "today",
    "total",
    "fees",
)


@dataclass(frozen=True, slots=True)
class BotFigures:
    """An account at the close of the last minute that its bot has done; money in quote currency.

    `today` and `total` are profits, `drawdown` the share below the highest equity, `entry` the
    average price of the position, None without one; `stop` is where it ends at the latest, `goal`
    where it takes its profit.
    """

    capital: Decimal
    equity: Decimal
    cash: Decimal
    position: Decimal
    entry: Decimal | None
    price: Decimal | None
    today: Decimal
    total: Decimal
    drawdown: float
    fees: Decimal
    stop: Decimal | None
    goal: Decimal | None

    @property
    def total_share(self) -> float:
        """The profit as a share of what was put in."""
        return float(self.total / self.capital) if self.capital else 0.0

    @property
    def unrealised(self) -> Decimal:
        """What the open position has gained, before fees of its end; 0 without one."""
        return self.equity - self.realised_equity

    @property
    def realised_equity(self) -> Decimal:
        """The equity if the position were given back at the price it was taken for."""
        if self.entry is None or self.price is None or not self.price:
            return self.equity
        worth = self.equity - self.cash
        return self.cash + worth * self.entry / self.price


@dataclass(frozen=True, slots=True)
class BotRow:
    """A bot as lists, its page and its topics show it.

    `figures` is None before it first ran, `lag_ms` where nothing is expected of it now; `parity`
    is the newest report's two verdicts: of the code, and of the data.
    """

    bot: Bot
    figures: BotFigures | None
    last_candle: datetime | None
    lag_ms: int | None
    parity: tuple[str, str] | None

    def as_json(self) -> dict[str, Any]:
        """Return the row as pages and topics carry it: floats, times in UTC milliseconds."""
        bot, figures = self.bot, self.figures
        told: dict[str, Any] = {
            "id": bot.pk,
            "name": bot.name,
            "state": bot.state,
            "desired": bot.desired,
            "trouble": bot.trouble,
            "version": bot.version,
            "is_deleted": bot.deleted_at is not None,
            "last_candle_ms": None if self.last_candle is None else to_ms(self.last_candle),
            "lag_ms": self.lag_ms,
            "parity": self.parity,
            "error": bot.last_error,
        }
        if figures is not None:
            told |= {name: _float(getattr(figures, name)) for name in _TOLD}
            told |= {"total_share": figures.total_share, "drawdown": figures.drawdown}
        return told


def bot_rows(bots: QuerySet[Bot]) -> list[BotRow]:
    """Return the rows of `bots`, in their order."""
    capital = LedgerEntry.objects.filter(bot=OuterRef("pk"), posting=1, account="cash")
    newest = ParityReport.objects.filter(run__bot=OuterRef("pk")).order_by("-pk")
    found = bots.select_related("instrument", "owner", "config", "run").annotate(
        capital=Subquery(capital.values("amount")[:1]),
        known=Subquery(newest.values("known")[:1]),
        repaired=Subquery(newest.values("repaired")[:1]),
    )
    rows = list(found)
    clocks = exchange_clocks(bot.instrument.exchange for bot in rows)
    return [_row(bot, clocks) for bot in rows]


def exchange_clocks(exchanges: Iterable[str]) -> dict[str, int]:
    """Return the newest event time of each exchange in ms; this machine's where there is none."""
    names = set(exchanges)
    told = Collector.objects.filter(exchange__in=names).values_list("exchange")
    newest = {name: at for name, at in told.annotate(at=Max("exchange_time")) if at is not None}
    now_ms = time.time_ns() // 1_000_000
    return {name: to_ms(newest[name]) if name in newest else now_ms for name in names}


def figures_of(bot: Any) -> BotFigures | None:
    """Return what the kernel's record of a bot says; None before it first ran.

    The bot comes with its run and, as `capital`, with what was put in.
    """
    if bot.kernel is None or bot.run is None:
        return None
    record, units = np.frombuffer(bytes(bot.kernel), STATE)[0], Units.from_json(bot.run.units)
    equity, cash = units.amount(int(record["equity"])), units.amount(int(record["cash"]))
    capital = bot.capital or Decimal(str(bot.trading.get("cash", 0)))
    lots, peak = int(record["lots"]), int(record["peak"])
    return BotFigures(
        capital=capital,
        equity=equity,
        cash=cash,
        position=units.quantity(lots),
        entry=units.price(int(record["entry_tick"])) if lots else None,
        price=units.price(int(record["last_tick"])) if record["last_tick"] else None,
        today=equity - units.amount(int(record["day_equity"])),
        total=equity - capital,
        drawdown=max(0.0, 1 - int(record["equity"]) / peak) if peak > 0 else 0.0,
        fees=units.amount(int(record["fees"])),
        stop=_nearest_stop(record, units),
        goal=units.price(int(record["goal"])) if record["goal"] else None,
    )


def _nearest_stop(record: Any, units: Units) -> Decimal | None:
    """Return the stop that the price would reach first, stop-loss or trailing one."""
    levels = [int(record[name]) for name in ("stop", "trail") if record[name]]
    if not levels:
        return None
    return units.price(max(levels) if record["lots"] > 0 else min(levels))


def newest_fills(bot: Bot, most: int) -> list[Fill]:
    """Return the last `most` fills of a bot, oldest first."""
    newest = Fill.objects.filter(bot=bot).order_by("-time", "-pk")[:most]
    return list(reversed(newest))


def fills_around(bot: Bot, start: datetime, end: datetime, most: int) -> list[Fill]:
    """Return the last `most` fills before `end` of round trips that were not over at `start`.

    Oldest first.
    """
    found = Fill.objects.filter(bot=bot, time__lt=end).order_by("-time", "-pk")
    flat = found.filter(time__lt=start, position=0).first()
    if flat is not None:
        found = found.filter(Q(time__gt=flat.time) | Q(time=flat.time, pk__gt=flat.pk))
    return list(reversed(found[:most]))


def _row(bot: Any, clocks: dict[str, int]) -> BotRow:
    return BotRow(
        bot=bot,
        figures=figures_of(bot),
        last_candle=_last_candle(bot),
        lag_ms=_lag_ms(bot, clocks),
        parity=(bot.known, bot.repaired) if bot.known else None,
    )


def _last_candle(bot: Bot) -> datetime | None:
    if bot.cursor is None or bot.run is None:
        return None
    close_ms = Timeframe(bot.timeframe).open_time(to_ms(bot.cursor))
    return from_ms(close_ms) if close_ms >= to_ms(bot.run.start) else None


def _lag_ms(bot: Bot, clocks: dict[str, int]) -> int | None:
    """Return for how long the next minute of a live bot has been closed without being done."""
    if bot.cursor is None or bot.drive != Bot.Drive.LIVE or bot.state not in Bot.ALIVE:
        return None
    return max(0, clocks[bot.instrument.exchange] - to_ms(bot.cursor) - MINUTE_MS)


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
