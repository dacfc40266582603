"""The Bots page: a live table, narrowed by the address, with orders to one, several or all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from bots.models import Bot
from bots.models.access import may_order, shown_to
from bots.models.bots import BotQuerySet
from bots.models.figures import BotRow, bot_rows
from bots.publishing import bots_topic
from bots.views.words import row_words
from tcpdashboard.common.rights import may_change

MOST_ROWS: Final = 500
_ALIVE: Final = "alive"
STATES: Final = {
    "": "All",
    _ALIVE: "At work",
    **{state.value: state.label for state in Bot.State},
}


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Which bots are wanted; empty is all. What is unknown counts as empty."""

    state: str = ""
    strategy: str = ""
    symbol: str = ""
    owner: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Narrowed:
        """Read it from an address."""
        state = query.get("state", "")
        texts = {name: query.get(name, "")[:128] for name in ("strategy", "symbol", "owner")}
        return cls(state=state if state in STATES else "", **texts)

    def apply(self, bots: BotQuerySet) -> BotQuerySet:
        """Return those of `bots` that are wanted."""
        plain = {
            "config__strategy": self.strategy,
            "instrument__symbol": self.symbol,
            "owner__username": self.owner,
        }
        found = bots.filter(**{name: value for name, value in plain.items() if value})
        if self.state == _ALIVE:
            return found.alive()
        return found.filter(state=self.state) if self.state else found


@require_safe
def bots_page(request: HttpRequest) -> HttpResponse:
    """Show one's bots; staff see everybody's."""
    shown = shown_to(request.user)
    context = {
        "section": "bots",
        "states": STATES,
        "strategies": _distinct(shown, "config__strategy"),
        "symbols": _distinct(shown, "instrument__symbol"),
        "owners": _distinct(shown, "owner__username") if request.user.is_staff else [],
        "may_kill_all": may_change(request.user, Bot),
        "has_any": shown.exists(),
        **_table(request),
    }
    return render(request, "bots/list.html", context)


@require_safe
def bots_part(request: HttpRequest) -> HttpResponse:
    """Answer the table again, as the address narrows it."""
    return render(request, "bots/table.html", _table(request))


def _table(request: HttpRequest) -> dict[str, Any]:
    chosen = Narrowed.of(request.GET)
    found = chosen.apply(shown_to(request.user)).order_by("name", "pk")
    rows = bot_rows(found[: MOST_ROWS + 1])
    return {
        "rows": [_shown(row, request.user) for row in rows[:MOST_ROWS]],
        "has_more": len(rows) > MOST_ROWS,
        "chosen": chosen,
        "counts": _summary(shown_to(request.user)),
        "topics": sorted({bots_topic(row.bot.owner_id) for row in rows} or {_own(request.user)}),
        "shows_owner": request.user.is_staff,
    }


def _shown(row: BotRow, user: Any) -> dict[str, Any]:
    return {"row": row, "may_order": may_order(user, row.bot), **row_words(row)}


def _summary(bots: BotQuerySet) -> str:
    """Return in words how many of all bots, narrowed or not, are at work and in trouble."""
    is_troubled = ~Q(trouble="") | Q(state=Bot.State.ERROR)
    found = bots.aggregate(
        alive=Count("pk", filter=Q(state__in=Bot.ALIVE)), troubled=Count("pk", filter=is_troubled)
    )
    told = f"{found['alive']} at work"
    return f"{told}, {found['troubled']} in trouble" if found["troubled"] else told


def _own(user: Any) -> str:
    return bots_topic(user.pk)


def _distinct(bots: BotQuerySet, column: str) -> list[str]:
    return list(bots.order_by(column).values_list(column, flat=True).distinct())
