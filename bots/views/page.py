"""The page of one bot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from backtests.charts.numbers import money, percent, ratio, tone
from bots import services
from bots.domain.drafts import LONGEST_NOTES
from bots.domain.trips import RoundTrip, round_trips
from bots.models import BotCommand, Order, ParityReport
from bots.models.access import may_order
from bots.models.figures import BotRow, newest_fills
from bots.publishing import bot_topic
from bots.services import InvalidBot
from bots.views.access import bot_or_404, row_or_404
from bots.views.price import price_settings
from bots.views.records import TABLES, records_context
from bots.views.settings import trading_words
from bots.views.words import row_words
from marketdata.views.quotes import price_decimals

MOST_FILLS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Card:
    """One figure of a bot; `cell` is its name in live messages."""

    title: str
    text: str
    tone: str = ""
    note: str = ""
    cell: str = ""
    help: str = ""


@require_safe
def bot_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show how a bot is, what it did and why."""
    row = row_or_404(request, pk)
    bot = row.bot
    context = {
        "section": "bots",
        "bot": bot,
        "row": row,
        "page_exchange": bot.instrument.exchange,
        "may_order": may_order(request.user, bot),
        "may_kill_all": False,
        "topic": bot_topic(bot.owner_id, bot.pk),
        "tables": TABLES,
        "price": price_settings(bot),
        "trading": trading_words(bot.trading, bot.instrument.quote),
        "decimals": price_decimals(bot.instrument),
        **row_words(row),
        **parts_context(row),
        **records_context(bot, request.GET),
    }
    return render(request, "bots/bot.html", context)


@require_safe
def state_part(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer the head, the cards, the position and the waiting orders again."""
    row = row_or_404(request, pk)
    told = {"bot": row.bot, "row": row, "may_order": may_order(request.user, row.bot)}
    return render(request, "bots/state.html", told | row_words(row) | parts_context(row))


@require_safe
def records_part(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer one of the lists: fills, round trips, orders, signals, ledger, events, parity."""
    bot = bot_or_404(request, pk)
    told = {"bot": bot, "may_order": may_order(request.user, bot), "tables": TABLES}
    return render(request, "bots/records.html", told | records_context(bot, request.GET))


@require_POST
def save_notes(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep what a person wrote about a bot."""
    bot = bot_or_404(request, pk)
    if may_order(request.user, bot):
        notes = {"notes": request.POST.get("notes", "")[:LONGEST_NOTES]}
        try:
            services.edit_bot(bot, notes, cast("User", request.user))
        except InvalidBot as error:
            messages.error(request, f"The notes were not saved: {error}.")
    return redirect("bot", pk)


def parts_context(row: BotRow) -> dict[str, Any]:
    """Return what the head of the page shows: cards, waiting orders, the newest report."""
    bot = row.bot
    fills = newest_fills(bot, MOST_FILLS)
    trips = round_trips(fills)
    return {
        "cards": [*_account(row), *_skill(trips, is_all=len(fills) < MOST_FILLS)],
        "waiting": bot.orders.filter(state=Order.State.WAITING).order_by("pk"),
        "commands": BotCommand.objects.waiting().filter(bot=bot).order_by("pk"),
        "report": ParityReport.objects.filter(run__bot=bot).order_by("-pk").first(),
    }


def _account(row: BotRow) -> list[Card]:
    figures = row.figures
    if figures is None:
        return [Card("Initial balance", money(float(row.bot.trading["cash"])))]
    quote = row.bot.instrument.quote
    held = f"{figures.position.normalize():f}" if figures.position else "Flat"
    places = (("at", figures.entry), ("stop", figures.stop), ("goal", figures.goal))
    told = [f"{word} {price.normalize():f}" for word, price in places if price is not None]
    entry = ", ".join(told) if figures.position else ""
    unrealised, today, total = (
        float(value) for value in (figures.unrealised, figures.today, figures.total)
    )
    return [
        Card("Equity", money(float(figures.equity)), note=quote, cell="equity"),
        Card("Today", money(today, signed=True), tone(today), "since 00:00 UTC", "today"),
        Card(
            "In total",
            money(total, signed=True),
            tone(total),
            percent(figures.total_share, signed=True),
            "total",
        ),
        Card("Drawdown", percent(figures.drawdown), note="below its best", cell="drawdown"),
        Card("Position", held, note=entry, cell="position"),
        Card("Unrealised", money(unrealised, signed=True), tone(unrealised), cell="unrealised"),
        Card("Cash", money(float(figures.cash)), cell="cash"),
        Card("Fees paid", money(float(figures.fees)), cell="fees"),
    ]


def _skill(trips: list[RoundTrip], *, is_all: bool) -> list[Card]:
    """Return what its closed round trips say; a dash where that is not known."""
    told = "closed" if is_all else f"closed, of its last {MOST_FILLS:,} fills"
    profits = [float(trip.profit) for trip in trips if trip.profit is not None]
    won, lost = sum(p for p in profits if p > 0), -sum(p for p in profits if p < 0)
    wins = sum(p > 0 for p in profits)
    mean = sum(profits) / len(profits) if profits else None
    return [
        Card("Round trips", str(len(profits)), note=told),
        Card(
            "Win rate",
            percent(wins / len(profits) if profits else None),
            help="Round trips with profit after fees > 0 / closed round trips.",
        ),
        Card(
            "Profit factor",
            ratio(won / lost if lost else None),
            help="Gross profit / gross loss, after fees; unknown without a loss.",
        ),
        Card(
            "Expectancy",
            money(mean, signed=True),
            tone(mean),
            help="Mean profit after fees of closed round trips.",
        ),
    ]
