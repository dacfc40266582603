"""All live bots of one owner together, in one quote currency."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import numpy as np
from django.db.models import Count, Sum
from django.db.models.functions import TruncWeek

from bots.domain.holdings import (
    DAY_MS,
    correlations,
    daily_returns,
    summed,
    underwater,
    weeks,
)
from bots.models.bots import Bot
from bots.models.curves import read_span, read_steps
from bots.models.figures import BotRow, bot_rows
from bots.models.limits import OwnerLimits
from bots.models.trades import Fill
from marketdata.models import from_ms, to_ms

MOST_CHARTED: Final = 500
"""Accounts that are followed over time: those that hold most. Sums of now are those of all."""
MOST_ALIKE: Final = 16
"""Accounts whose likeness is shown: those that hold most."""

_MOST_WEEKS: Final = 26
_STEPS_S: Final = (60, 300, 900, 3_600, 4 * 3_600, 86_400)
_MOST_POINTS: Final = 1_500
_MOST_VALUES: Final = 100_000
"""Points of a curve, and what is read of all accounts for it."""


def portfolio_of(owner: Any, asked: str | None) -> dict[str, Any]:
    """Return the portfolio of an owner in the currency that is asked for, or the usual one."""
    quotes = quotes_of(owner)
    quote = asked if asked in quotes else (quotes[0] if quotes else "")
    return {"quotes": quotes, **read_portfolio(owner, quote), "quote": quote or None}


def limits_of(owner: Any) -> OwnerLimits:
    """Return an owner's limits, or none of any kind."""
    return OwnerLimits.objects.filter(owner=owner).first() or OwnerLimits(owner=owner)


def quotes_of(owner: Any) -> list[str]:
    """Return the quote currencies of an owner's accounts, the one with most bots first."""
    found = _accounts(owner).values_list("instrument__quote").annotate(number=Count("pk"))
    return [quote for quote, _ in found.order_by("-number", "instrument__quote")]


def read_portfolio(owner: Any, quote: str) -> dict[str, Any]:
    """Return everything about an owner's accounts in one currency; times are in ms.

    Deleted bots count in what was earned, not in what is held.
    """
    rows = bot_rows(_accounts(owner).filter(instrument__quote=quote).order_by("pk"))
    rows = [row for row in rows if row.figures is not None]
    charted = sorted(_largest(rows, MOST_CHARTED), key=lambda row: row.bot.pk)
    ids = [row.bot.pk for row in charted]
    capital = np.array([float(_figures(row).capital) for row in charted])
    days, worth = read_steps(ids, DAY_MS // 1000)
    return {
        "quote": quote,
        "totals": _totals(rows),
        "charted": len(charted),
        "curve": _curve(ids, capital),
        "exposure": _exposure(rows),
        "correlation": _alike(charted, worth, capital),
        "ranking": _ranking(rows),
        "weeks": _weeks(charted, days, worth, capital),
    }


def _accounts(owner: Any) -> Any:
    live = Bot.objects.filter(owner=owner, drive=Bot.Drive.LIVE)
    return live.exclude(kernel=None).exclude(run=None).order_by()


def _figures(row: BotRow) -> Any:
    return row.figures


def _largest(rows: Sequence[BotRow], most: int) -> list[BotRow]:
    return sorted(rows, key=lambda row: -_figures(row).equity)[:most]


def _totals(rows: Sequence[BotRow]) -> dict[str, Any]:
    names = ("capital", "equity", "today", "total", "fees")
    found = [_figures(row) for row in rows]
    sums = {name: float(sum((getattr(one, name) for one in found), Decimal())) for name in names}
    share = sums["total"] / sums["capital"] if sums["capital"] else None
    alive = sum(row.bot.state in Bot.ALIVE for row in rows)
    return {**sums, "total_share": share, "bots": len(rows), "alive": alive}


def _curve(ids: Sequence[int], capital: Any) -> dict[str, Any]:
    span = read_span(ids)
    if span is None:
        return {"time": [], "equity": [], "drawdown": []}
    length_s = (span[1] - span[0]).total_seconds()
    most = min(_MOST_POINTS, _MOST_VALUES // len(ids))
    fitting = (step for step in _STEPS_S if length_s / step <= most)
    step_s = next(fitting, _STEPS_S[-1])
    times, values = read_steps(ids, step_s)
    equity = summed(values, capital)
    return {
        "time": (times + step_s * 1000).tolist(),
        "equity": equity.tolist(),
        "drawdown": underwater(equity).tolist(),
    }


def _exposure(rows: Sequence[BotRow]) -> list[dict[str, Any]]:
    """Return what is held of each instrument, signed, and as a share of the equity of its bots."""
    kept = [row for row in rows if row.bot.deleted_at is None]
    equity = sum(float(_figures(row).equity) for row in kept)
    held: dict[str, list[float]] = {}
    for row in kept:
        worth = float(_figures(row).equity - _figures(row).cash)
        if worth:
            held.setdefault(row.bot.instrument.symbol, []).append(worth)
    found = [
        {
            "symbol": symbol,
            "worth": sum(worths),
            "share": sum(worths) / equity if equity else None,
            "bots": len(worths),
        }
        for symbol, worths in held.items()
    ]
    return sorted(found, key=lambda one: -abs(float(one["worth"])))


def _alike(rows: Sequence[BotRow], worth: Any, capital: Any) -> dict[str, Any]:
    by_size = sorted(range(len(rows)), key=lambda place: -_figures(rows[place]).equity)
    shown = sorted(by_size[:MOST_ALIKE])
    returns = daily_returns(worth[shown], capital[shown]) if worth.size else worth[shown]
    names = [rows[place].bot.name for place in shown]
    return {"names": names, "matrix": correlations(returns) if worth.size else []}


def _ranking(rows: Sequence[BotRow]) -> list[dict[str, Any]]:
    """Return the accounts by what they gained in all, the best first."""
    found = sorted(rows, key=lambda row: -_figures(row).total_share)
    return [
        {
            "id": row.bot.pk,
            "name": row.bot.name,
            "symbol": row.bot.instrument.symbol,
            "is_deleted": row.bot.deleted_at is not None,
            "total": float(_figures(row).total),
            "total_share": _figures(row).total_share,
            "drawdown": _figures(row).drawdown,
        }
        for row in found
    ]


def _weeks(rows: Sequence[BotRow], days: Any, worth: Any, capital: Any) -> list[dict[str, Any]]:
    found = weeks(days, worth, capital)[:_MOST_WEEKS] if len(rows) else []
    done = _fills_by_week([row.bot.pk for row in rows], found[-1].start_ms) if found else {}
    return [
        {
            "start_ms": week.start_ms,
            "equity": week.equity,
            "profit": week.profit,
            "share": week.share,
            "best": _named(rows, week.best),
            "worst": _named(rows, week.worst),
            "fills": done.get(week.start_ms, (0, 0.0))[0],
            "fees": done.get(week.start_ms, (0, 0.0))[1],
        }
        for week in found
    ]


def _fills_by_week(ids: Sequence[int], first_ms: int) -> dict[int, tuple[int, float]]:
    since = Fill.objects.filter(bot__in=ids, time__gte=from_ms(first_ms)).order_by()
    by_week = since.annotate(week=TruncWeek("time")).values_list("week")
    found: Any = by_week.annotate(number=Count("pk"), fees=Sum("fee"))
    return {_ms(week): (number, float(fees)) for week, number, fees in found}


def _ms(time: datetime) -> int:
    return to_ms(time)


def _named(rows: Sequence[BotRow], found: tuple[int, float] | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"name": rows[found[0]].bot.name, "profit": found[1]}
