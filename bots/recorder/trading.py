"""Orders, fills and the ledger: what the steps of a chunk of bots traded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection

from bots.domain.booking import BookedFill, BookedOrder
from bots.domain.portfolio import Entry, deposit_entries, postings_of
from bots.domain.running import Outcome, RunSettings
from bots.recorder.books import OpenBooks, open_books
from marketdata.models import from_ms

_END_ORDERS: Final = """
update bots_order as stored set state = given.state, outcome = given.outcome, ended = given.ended
from unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[])
    as given (id, state, outcome, ended)
where stored.id = given.id
"""
_ADD_ORDERS: Final = """
insert into bots_order (bot_id, run_id, number, made, reason, target, state, outcome, ended)
select * from unnest(%s::bigint[], %s::bigint[], %s::integer[], %s::timestamptz[], %s::text[],
    %s::integer[], %s::text[], %s::text[], %s::timestamptz[])
returning id, run_id, number
"""
_ADD_FILLS: Final = """
insert into bots_fill (bot_id, run_id, order_id, number, time, decided, reason, quantity, price,
    fee, slippage, cash, position, realised, cost)
select * from unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::integer[], %s::timestamptz[],
    %s::timestamptz[], %s::text[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[],
    %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[])
returning id, run_id, number
"""
_ADD_ENTRIES: Final = """
insert into bots_ledgerentry (bot_id, run_id, fill_id, posting, account, currency, amount, time)
select * from unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::integer[], %s::text[],
    %s::text[], %s::numeric[], %s::timestamptz[])
"""

Row = tuple[Any, ...]


@dataclass(slots=True, eq=False)
class _Order:
    """An order that is new, with the number that it got."""

    run: RunSettings
    number: int
    order: BookedOrder
    row_id: int = 0


@dataclass(slots=True, eq=False)
class _Fill:
    run: RunSettings
    number: int
    posting: int
    order_id: int
    made_ms: int
    fill: BookedFill


def write_trading(outcomes: Sequence[Outcome]) -> None:
    """Store what was ordered and filled, and post it."""
    if not outcomes:
        return
    opened = open_books(outcomes)
    for one in opened:
        for step in one.outcome.steps:
            one.books.take(step)
        if one.outcome.end and not one.outcome.is_followed:
            one.books.close(one.outcome.account.place.minute_ms)
    _end_orders(opened)
    _add_orders(opened)
    fills = [fill for one in opened for fill in _fills(one)]
    if fills:
        ids = _run(_ADD_FILLS, [_fill_row(one) for one in fills])
        _add_entries(fills, ids)


def write_deposit(run: RunSettings, amount: int) -> None:
    """Post the initial balance with which a bot's first run begins, in cash units."""
    rows = [_entry_row(run, None, 1, entry, run.start_ms) for entry in deposit_entries(amount)]
    _execute(_ADD_ENTRIES, rows)


def _end_orders(opened: Sequence[OpenBooks]) -> None:
    rows = [
        (order.row_id, order.state, order.outcome, _time(order.ended_ms))
        for one in opened
        for order in one.books.changed()
        if order.row_id is not None
    ]
    if rows:
        _execute(_END_ORDERS, rows)


def _add_orders(opened: Sequence[OpenBooks]) -> None:
    """Store the new orders and tell each its id."""
    added = [
        _Order(one.outcome.run, number, order)
        for one in opened
        for number, order in enumerate(_new(one), one.orders + 1)
    ]
    if added:
        ids = _run(_ADD_ORDERS, [_order_row(one) for one in added])
        for one in added:
            one.order.row_id = ids[one.run.id, one.number]


def _new(opened: OpenBooks) -> list[BookedOrder]:
    return [order for order in opened.books.changed() if order.row_id is None]


def _fills(opened: OpenBooks) -> Iterator[_Fill]:
    """Yield the fills of a run in their order, with their numbers."""
    run = opened.outcome.run
    for number, (order, fill) in enumerate(opened.books.fills, 1):
        assert order.row_id is not None
        yield _Fill(
            run,
            opened.fills + number,
            opened.postings + number,
            order.row_id,
            order.made_ms,
            fill,
        )


def _add_entries(fills: Sequence[_Fill], ids: dict[tuple[int, int], int]) -> None:
    rows = [
        _entry_row(one.run, ids[one.run.id, one.number], one.posting, entry, one.fill.time_ms)
        for one in fills
        for entry in postings_of(one.fill.traded, one.run.units.cash_per_tick_lot)
    ]
    _execute(_ADD_ENTRIES, rows)


def _order_row(added: _Order) -> Row:
    run, order = added.run, added.order
    return (
        run.bot_id,
        run.id,
        added.number,
        from_ms(order.made_ms),
        order.reason,
        order.target,
        order.state,
        order.outcome,
        _time(order.ended_ms),
    )


def _fill_row(one: _Fill) -> Row:
    fill, units = one.fill, one.run.units
    return (
        one.run.bot_id,
        one.run.id,
        one.order_id,
        one.number,
        from_ms(fill.time_ms),
        from_ms(one.made_ms),
        fill.reason,
        units.quantity(fill.traded.lots),
        units.price(fill.traded.tick),
        units.amount(fill.traded.fee),
        units.amount(fill.slippage),
        units.amount(fill.cash),
        units.quantity(fill.position),
        units.amount(fill.realised),
        units.amount(fill.cost),
    )


def _entry_row(
    run: RunSettings, fill_id: int | None, posting: int, entry: Entry, time_ms: int
) -> Row:
    units = run.units
    amount = units.quantity(entry.amount) if entry.is_lots else units.amount(entry.amount)
    currency = run.symbol if entry.is_lots else run.quote
    return (run.bot_id, run.id, fill_id, posting, entry.account, currency, amount, from_ms(time_ms))


def _time(time_ms: int | None) -> Any:
    return None if time_ms is None else from_ms(time_ms)


def _run(statement: str, rows: Sequence[Row]) -> dict[tuple[int, int], int]:
    """Insert rows and return their ids by run and number."""
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(column) for column in zip(*rows, strict=True)])
        return {(run_id, number): row_id for row_id, run_id, number in cursor.fetchall()}


def _execute(statement: str, rows: Sequence[Row]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(column) for column in zip(*rows, strict=True)])
