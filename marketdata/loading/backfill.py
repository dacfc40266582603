"""The job that loads any stretch of an instrument's history, chunk by chunk.

Every chunk is stored together with the checkpoint that says so, in one transaction under the
job's token: killed anywhere, the next worker goes on after the last chunk and nothing differs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import numpy as np
from django.db import transaction

from marketdata.collector.paging import candles_back
from marketdata.domain.gaps import Stretch
from marketdata.domain.quality import missing_minutes
from marketdata.domain.records import Candles, empty_candles
from marketdata.domain.timeframe import MINUTE_MS
from marketdata.exchanges import open_history
from marketdata.loading.past_trades import load_trades
from marketdata.loading.plans import BackfillPlan
from marketdata.loading.tally import Tally
from marketdata.loading.work import BackfillWork
from marketdata.models import Instrument
from marketdata.storage.backfilling import store_past_candles
from marketdata.storage.filling import lacking_minutes
from tcpdashboard.common.dbthread import DatabaseThread
from tcpdashboard.common.jobs.run import JobRun

CHUNKS_AHEAD: Final = 3
STOP_POLL_S: Final = 0.2
YOUNG_MS: Final = 2 * MINUTE_MS
"""The newest minutes may still change on the exchange, and are the collector's."""

T = TypeVar("T")


def run_backfill(run: JobRun) -> dict[str, Any]:
    """Load what the job's parameters ask for; return what was stored and what is missing.

    Waits for as long as the exchange is unavailable. Raises JobStopped and ExchangeRefused.
    """
    plan = BackfillPlan.of(run.parameters)
    database = DatabaseThread(f"backfill-{run.id}")
    try:
        instrument = database.call(Instrument.objects.named, plan.exchange, plan.symbol)
        return asyncio.run(_until_stopped(_load(run, plan, instrument, database), run))
    finally:
        # What the thread is just storing is stored before the job is given back.
        database.call(bool)
        database.close()


async def _until_stopped(work: Coroutine[Any, Any, T], run: JobRun) -> T:
    """Return the work's result, or end it in the middle of whatever it waits for."""
    task = asyncio.create_task(work)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=STOP_POLL_S)
            if not task.done():
                run.check()
        return task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _load(
    run: JobRun, plan: BackfillPlan, instrument: Instrument, database: DatabaseThread
) -> dict[str, Any]:
    async with open_history(plan.exchange) as history:
        now_ms = await history.server_time_ms()
        young_ms = now_ms // MINUTE_MS * MINUTE_MS - YOUNG_MS
        tally = Tally.of(run.checkpoint)
        work = BackfillWork(run, instrument, history, database, now_ms, young_ms)
        tally = await _load_candles(work, plan, tally)
        if plan.trades:
            tally = await load_trades(work, plan, tally)
    return tally.result()


async def _load_candles(work: BackfillWork, plan: BackfillPlan, tally: Tally) -> Tally:
    """Store the chunks in their order, fetching a few ahead."""
    chunks = plan.candle_chunks()
    waiting = deque(chunks[tally.candle_chunks :])
    ahead = deque[asyncio.Task[tuple[Stretch, list[Stretch], Candles]]]()
    try:
        while waiting or ahead:
            while waiting and len(ahead) < CHUNKS_AHEAD:
                ahead.append(asyncio.create_task(_fetch(work, waiting.popleft())))
            chunk, lacking, candles = await ahead.popleft()
            tally = await work.database.run(_store, work, tally, chunk, lacking, candles)
            work.run.check()
    finally:
        for task in ahead:
            task.cancel()
        await asyncio.gather(*ahead, return_exceptions=True)
    return tally


async def _fetch(work: BackfillWork, chunk: Stretch) -> tuple[Stretch, list[Stretch], Candles]:
    """Return the chunk, the minutes it lacks in the store, and the exchange's candles of them."""
    start_ms, end_ms = chunk[0], min(chunk[1], work.young_ms)
    lacking = await work.database.run(lacking_minutes, work.instrument, start_ms, end_ms)
    if not lacking:
        return chunk, [], empty_candles()
    first_ms, end_ms = lacking[0][0], lacking[-1][1]
    pages = [empty_candles()]
    async for page in candles_back(work.history, work.instrument.symbol, end_ms):
        pages.append(page)
        if page["open_time_ms"][0] <= first_ms:
            break
    candles = np.concatenate(pages[::-1])
    return chunk, lacking, candles[candles["open_time_ms"] >= first_ms]


def _store(
    work: BackfillWork,
    tally: Tally,
    chunk: Stretch,
    lacking: list[Stretch],
    candles: Candles,
) -> Tally:
    missing = [hole for part in lacking for hole in missing_minutes(candles, *part)]
    with transaction.atomic():
        written = store_past_candles(work.instrument, candles, work.run.fence)
        tally = tally.with_candles(written, missing)
        minutes = (chunk[1] - chunk[0]) // MINUTE_MS
        work.note(tally, work.run.done + minutes, chunk)
    return tally
