"""The part of a backfill that walks back through the tape and builds candles from it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

import numpy as np
from django.db import transaction

from marketdata.collector.paging import trades_back
from marketdata.domain.gaps import Stretch
from marketdata.domain.records import Trades, empty_trades
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from marketdata.loading.plans import BackfillPlan
from marketdata.loading.tally import Tally
from marketdata.loading.work import BackfillWork
from marketdata.storage.backfilling import (
    is_from_trades,
    store_past_trades,
    tape_end_ms,
)

TRADES_AT_ONCE: Final = 2_000
MARGIN_MS: Final = 1_000
"""Ids rise with time but for a few milliseconds: so much more is fetched."""

FIRST_ANSWERS: Final = 3
"""By time the newest of so many answers counts: caches may lag, and no id says which does."""


async def load_trades(work: BackfillWork, plan: BackfillPlan, tally: Tally) -> Tally:
    """Store the trades of the plan's chunks that were not built from trades yet."""
    chunks = plan.trade_chunks()
    while tally.trade_chunks < len(chunks) and tally.no_trades_before_ms is None:
        chunk = await work.database.run(_past_of, work, chunks[tally.trade_chunks])
        if await work.database.run(is_from_trades, work.instrument, *chunk):
            tally = replace(tally, before_id=None)
        else:
            tally = await _load_chunk(work, chunk, tally)
        tally = replace(tally, trade_chunks=tally.trade_chunks + 1, settled_ms=None)
        await work.database.run(_note, work, plan, tally, chunks[tally.trade_chunks - 1])
    return tally


def _past_of(work: BackfillWork, chunk: Stretch) -> Stretch:
    """Return the chunk as far as it is past: up to the minute in which a collector's tape ends."""
    tape_ms = tape_end_ms(work.instrument)
    end_ms = min(chunk[1], work.young_ms)
    if tape_ms is not None:
        end_ms = min(end_ms, Timeframe.M1.open_time(tape_ms))
    return chunk[0], max(chunk[0], end_ms)


async def _load_chunk(work: BackfillWork, chunk: Stretch, tally: Tally) -> Tally:
    """Page back through one chunk, storing every so many trades."""
    settled_ms = chunk[1] if tally.settled_ms is None else tally.settled_ms
    held = [empty_trades()]
    async for page in _pages(work, chunk, tally.before_id):
        oldest_ms = int(page["time_ms"][0])
        is_through = oldest_ms < chunk[0] - MARGIN_MS
        held.append(_needed(page, chunk[0]))
        if is_through or sum(map(len, held)) >= TRADES_AT_ONCE:
            whole_ms = Timeframe.M1.open_time(oldest_ms + MARGIN_MS) + MINUTE_MS
            window = max(chunk[0], min(settled_ms, whole_ms)), settled_ms
            trades = np.concatenate(held[::-1])
            tally = await work.database.run(_store, work, tally, trades, window, chunk)
            held, settled_ms = [empty_trades()], window[0]
            work.run.check()
        if is_through:
            return tally
    return await _end_of_tape(work, chunk, tally, np.concatenate(held[::-1]), settled_ms)


def _needed(page: Trades, start_ms: int) -> Trades:
    """Return the trades from `start_ms` on, and one before, which proves the first minute whole."""
    is_inside = page["time_ms"] >= start_ms - MARGIN_MS
    first = int(np.argmax(is_inside)) if is_inside.any() else len(page)
    needed: Trades = page[max(0, first - 1) :]
    return needed


async def _end_of_tape(
    work: BackfillWork, chunk: Stretch, tally: Tally, rest: Trades, settled_ms: int
) -> Tally:
    """Store what came last before the exchange had no more; its first minute is not whole."""
    if len(rest):
        first_ms = int(rest["time_ms"][0])
        window = min(settled_ms, Timeframe.M1.open_time(first_ms) + MINUTE_MS), settled_ms
        tally = await work.database.run(_store, work, tally, rest, window, chunk)
        settled_ms = window[0]
    return replace(tally, no_trades_before_ms=settled_ms)


async def _pages(
    work: BackfillWork, chunk: Stretch, before_id: int | None
) -> AsyncIterator[Trades]:
    """Yield the pages that hold the chunk's trades, newest first, without a hole between."""
    symbol = work.instrument.symbol
    if before_id is None:
        # A minute more: the first trade after the chunk proves that its last minute is whole.
        end_ms = min(chunk[1] + MINUTE_MS, work.now_ms)
        pages = [await work.history.trades_until(symbol, end_ms) for _ in range(FIRST_ANSWERS)]
        newest = max(pages, key=lambda page: int(page["trade_id"][-1]) if len(page) else 0)
        if not len(newest):
            return
        yield newest
        before_id = int(newest["trade_id"][0])
    async for page in trades_back(work.history, symbol, before_id - 1):
        yield page


def _store(
    work: BackfillWork, tally: Tally, trades: Trades, window: Stretch, chunk: Stretch
) -> Tally:
    with transaction.atomic():
        written, taken = store_past_trades(
            work.instrument, trades, window, work.now_ms, work.run.fence
        )
        settled_ms, before_id = window[0], int(trades["trade_id"][0])
        more = work.run.done + (window[1] - window[0]) // MINUTE_MS
        tally = tally.with_trades(taken, written, before_id, settled_ms)
        work.note(tally, more, chunk)
    return tally


def _note(work: BackfillWork, plan: BackfillPlan, tally: Tally, chunk: Stretch) -> None:
    behind = sum(end - start for start, end in plan.trade_chunks()[tally.trade_chunks :])
    work.note(tally, plan.minutes - behind // MINUTE_MS, chunk)
