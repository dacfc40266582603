"""Fetches the exchange's candles, and trades once more, for minutes that were built here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from django.db import connection, transaction

from marketdata.collector.paging import trades_back
from marketdata.collector.ports import History
from marketdata.domain.records import Candles, Trades, empty_trades
from marketdata.domain.timeframe import MINUTE_MS
from marketdata.models import CandleConflict, Instrument, Trade, from_ms, to_ms
from marketdata.storage.checks import check_minutes
from marketdata.storage.locks import lock_instrument
from marketdata.storage.refetching import store_again
from marketdata.verification.due import DueDay, note_asked, note_tried, unverified_minutes
from tcpdashboard.common.dbthread import DatabaseThread

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRADE_PAGES: Final = 200
"""Of a minute with more trades than these pages hold the trades are not fetched again."""

NEAR_MS: Final = 60 * MINUTE_MS


@dataclass(slots=True)
class Budget:
    """How many pages may still be asked for."""

    pages: int


async def verify_day(
    due: DueDay, before_ms: int, history: History, database: DatabaseThread, budget: Budget
) -> None:
    """Compare the day's minutes before `before_ms` that were not compared yet, the newest first.

    Raises what History raises; what was compared until then stays.
    """
    waiting = await database.run(unverified_minutes, due, before_ms)
    if not len(waiting):
        return
    missed = 0
    while len(waiting) and budget.pages > 0:
        budget.pages -= 1
        page = await history.candles_before(due.instrument.symbol, int(waiting[-1]) + MINUTE_MS)
        waiting, left_out = await database.run(_compare, due.instrument, waiting, page)
        missed += left_out
    await database.run(note_asked, due, is_answered=missed == 0)


def _compare(
    instrument: Instrument, waiting: NDArray[np.int64], page: Candles
) -> tuple[NDArray[np.int64], int]:
    """Check the page; return the minutes before it, and how many of its stretch it left out."""
    if not len(page):
        return waiting[:0], len(waiting)
    with transaction.atomic(), connection.cursor() as cursor:
        lock_instrument(cursor, instrument.pk)
        check_minutes(cursor, instrument.pk, page)
    is_before = waiting < page["open_time_ms"][0]
    told = np.isin(waiting, page["open_time_ms"])
    return waiting[is_before], int(np.count_nonzero(~(is_before | told)))


async def fetch_again(conflict: CandleConflict, history: History, database: DatabaseThread) -> None:
    """Fetch the minute's candle and trades once more, and store what they tell.

    Raises what History raises.
    """
    open_ms, symbol = to_ms(conflict.open_time), conflict.instrument.symbol
    page = await history.candles_before(symbol, open_ms + MINUTE_MS)
    theirs = page[page["open_time_ms"] == open_ms]
    is_same = False
    if len(theirs):
        last_id = await database.run(_last_id, conflict.instrument, open_ms)
        trades = await _trades(history, symbol, open_ms, last_id)
        is_same = await database.run(store_again, conflict.instrument, trades, theirs)
    if not is_same:
        await database.run(note_tried, conflict)


async def _trades(history: History, symbol: str, open_ms: int, last_id: int | None) -> Trades:
    """Return the exchange's trades of a minute; none when it has not got all of them.

    `last_id` is a trade at the minute's end or after it.
    """
    if last_id is None:
        return empty_trades()
    pages: list[Trades] = []
    async for page in trades_back(history, symbol, last_id, is_patient=False):
        pages.append(page)
        if page["time_ms"][0] < open_ms:
            trades = np.concatenate(pages[::-1])
            inside = (trades["time_ms"] >= open_ms) & (trades["time_ms"] < open_ms + MINUTE_MS)
            return trades[inside]
        if len(pages) == TRADE_PAGES:
            break
    return empty_trades()


def _last_id(instrument: Instrument, open_ms: int) -> int | None:
    """Return the id of the first trade stored after the minute, else of the last one in it.

    One that is far away is of no use: every trade in between would be fetched too.
    """
    end_ms = open_ms + MINUTE_MS
    around = Trade.objects.filter(
        instrument=instrument,
        executed_at__gte=from_ms(open_ms),
        executed_at__lt=from_ms(end_ms + NEAR_MS),
    )
    ids = around.order_by("executed_at", "trade_id").values_list("trade_id", flat=True)
    after = ids.filter(executed_at__gte=from_ms(end_ms)).first()
    return ids.filter(executed_at__lt=from_ms(end_ms)).last() if after is None else after
