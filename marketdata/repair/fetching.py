"""Fetches what a gap lacks, page by page, and stores each page before the next is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from django.conf import settings
from django.db import connection

from marketdata.collector.paging import candles_back, trades_back
from marketdata.collector.ports import History
from marketdata.domain.gaps import Stretch
from marketdata.domain.records import Trades, empty_trades
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.models import DataGap, Instrument, to_ms
from marketdata.storage.filling import fill_candles, fill_trades, lacking_minutes
from marketdata.storage.merged import merged_of
from marketdata.storage.tapes import missing_of, note_rest
from tcpdashboard.common.dbthread import DatabaseThread

CLOSED_AFTER_MS: Final = 10_000
"""Exchange time after which a minute is surely closed, on the exchange and here."""


@dataclass(frozen=True, slots=True)
class Work:
    """One gap and everything its repair needs; `is_over` says that the worker's time is over."""

    gap: DataGap
    instrument: Instrument
    history: History
    database: DatabaseThread
    now_ms: int
    is_over: Callable[[], bool]

    @property
    def span(self) -> Stretch:
        """The whole minutes in which something is missing, as far as they are closed."""
        start_ms = Timeframe.M1.open_time(to_ms(self.gap.start))
        end_ms = to_ms(self.gap.end)
        if self.gap.kind == DataGap.Kind.TRADES:
            end_ms = Timeframe.M1.open_time(end_ms) + MINUTE_MS
        return start_ms, min(end_ms, Timeframe.M1.open_time(self.now_ms - CLOSED_AFTER_MS))

    @property
    def is_closed(self) -> bool:
        """Whether every minute of the gap is over."""
        return to_ms(self.gap.end) <= self.now_ms - CLOSED_AFTER_MS - MINUTE_MS


class OutOfTime(Exception):
    """The worker's time is over: what was fetched is stored, the rest is another's."""


async def fetch_trades(work: Work) -> int:
    """Fetch the missing ids of the gap, the newest first; return how many were found.

    Raises OutOfTime, and what History raises.
    """
    found = 0
    for first_id, end_id in reversed(await work.database.run(_missing, work.gap)):
        pages = trades_back(work.history, work.instrument.symbol, end_id - 1, is_patient=False)
        async for page in pages:
            inside = page[_first_ids(page) < end_id]
            inside = inside[inside["trade_id"] >= first_id]
            if len(inside):
                await work.database.run(fill_trades, work.instrument, inside)
                found += len(inside)
            if _first_ids(page)[0] <= first_id:
                break
            await _pause(work)
    return found


async def are_ids_skipped(work: Work) -> bool:
    """Whether one answer has the trades on both sides of the gap and none of it between them.

    An empty answer, or one that ends before the gap, may come from a cache that lags behind.
    """
    first_id, last_id = work.gap.ids
    page = await work.history.trades_before(work.instrument.symbol, last_id + 2)
    ids = page["trade_id"]
    inside = np.any((ids >= first_id) & (_first_ids(page) <= last_id))
    return bool(len(page) and not inside and ids[-1] == last_id + 1 and ids[0] < first_id)


async def split_trades(work: Work) -> None:
    """Fetch the single matches of the gap's merged rows, the newest first.

    A row is replaced once all of its matches are there. Raises like `fetch_trades`.
    """
    waiting = await work.database.run(_merged, work.gap)
    while waiting:
        fetched = empty_trades()
        last_id = waiting[-1][1] - 1
        pages = trades_back(work.history, work.instrument.symbol, last_id, is_patient=False)
        async for page in pages:
            fetched = np.concatenate([page, fetched])
            whole = [one for one in waiting if one[0] >= _first_ids(fetched)[0]]
            if whole:
                break
            await _pause(work)
        else:
            return
        inside = fetched[fetched["trade_id"] >= whole[0][0]]
        await work.database.run(fill_trades, work.instrument, inside)
        waiting = waiting[: -len(whole)]
        await _pause(work)


async def fetch_first_id(work: Work) -> int | None:
    """Return the id at which a gap of unknown beginning begins, storing its trades on the way.

    None when the exchange has no trade of it. Raises like `fetch_trades`.
    """
    start_ms, first_id = to_ms(work.gap.start), None
    pages = trades_back(work.history, work.instrument.symbol, work.gap.ids[1], is_patient=False)
    async for page in pages:
        inside = page[page["time_ms"] >= start_ms]
        if len(inside):
            await work.database.run(fill_trades, work.instrument, inside)
            first_id = int(_first_ids(inside)[0])
        if page["time_ms"][0] < start_ms:
            # Its last trade before the gap proves the first minute whole.
            before = page[page["time_ms"] < start_ms][-1:]
            await work.database.run(fill_trades, work.instrument, before)
            break
        await _pause(work)
    return first_id


async def fetch_candles(work: Work) -> int:
    """Fetch the exchange's candles of the gap's minutes that are missing or incomplete.

    Returns how many candles it has of them. Raises like `fetch_trades`.
    """
    found = 0
    lacking = await work.database.run(lacking_minutes, work.instrument, *work.span)
    for start_ms, end_ms in reversed(lacking):
        pages = candles_back(work.history, work.instrument.symbol, end_ms, is_patient=False)
        async for page in pages:
            inside = page[page["open_time_ms"] >= start_ms]
            if len(inside):
                await work.database.run(fill_candles, work.instrument, inside)
                found += len(inside)
            if page["open_time_ms"][0] <= start_ms:
                break
            await _pause(work)
    return found


async def _pause(work: Work) -> None:
    """Let live collection go first."""
    if work.is_over():
        raise OutOfTime
    await asyncio.sleep(settings.REPAIR_PAUSE_SECONDS)


def _missing(gap: DataGap) -> list[Stretch]:
    with connection.cursor() as cursor:
        missing = missing_of(cursor, gap)
        note_rest(cursor, gap, missing)
    return missing


def _merged(gap: DataGap) -> list[Stretch]:
    with connection.cursor() as cursor:
        return merged_of(cursor, gap)


def _first_ids(page: Trades) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    ids: np.ndarray[tuple[int], np.dtype[np.int64]] = page["trade_id"] - page["count"] + 1
    return ids
