"""How far the books of runs are: their numbers, the order that waits, what the position cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db import connection

from bots.domain.booking import BookedOrder, Books
from bots.domain.portfolio import VirtualPortfolio
from bots.domain.running import Outcome

_READ: Final = """
select given.run,
    (select max(number) from bots_order where run_id = given.run),
    (select max(number) from bots_fill where run_id = given.run),
    (select max(posting) from bots_ledgerentry where bot_id = given.bot),
    (
        select cost from bots_fill where bot_id = given.bot
        order by time desc, id desc limit 1
    ),
    waits.id, (extract(epoch from waits.made) * 1000)::bigint, waits.reason, waits.target
from unnest(%s::bigint[], %s::bigint[]) as given (run, bot)
left join bots_order as waits on waits.run_id = given.run and waits.state = 'waiting'
"""


@dataclass(slots=True, eq=False)
class OpenBooks:
    """The books of one run with the last numbers that were given in them."""

    outcome: Outcome
    books: Books
    orders: int
    fills: int
    postings: int


def open_books(outcomes: Sequence[Outcome]) -> list[OpenBooks]:
    """Return the books of runs as they stood before the steps."""
    runs = [one.run.id for one in outcomes]
    with connection.cursor() as cursor:
        cursor.execute(_READ, [runs, [one.bot.id for one in outcomes]])
        found = {row[0]: row[1:] for row in cursor.fetchall()}
    opened = []
    for outcome in outcomes:
        orders, fills, postings, cost, order_id, made_ms, reason, target = found[outcome.run.id]
        waiting = None
        if order_id is not None:
            waiting = BookedOrder(made_ms, reason, target, row_id=order_id, is_changed=False)
        before = outcome.bot.kernel[0]
        portfolio = VirtualPortfolio(
            cash_per_tick_lot=outcome.run.units.cash_per_tick_lot,
            capital=0,
            cash=int(before["cash"]),
            lots=int(before["lots"]),
            cost=int((cost or 0) / outcome.run.units.cash),
        )
        books = Books(portfolio, waiting)
        opened.append(OpenBooks(outcome, books, orders or 0, fills or 0, postings or 0))
    return opened
