"""Loads an instrument's 1m history, newest first, and closes the seam to the live candles.

Only days in which minutes are missing are asked for, and the store decides which candle is
better, so a run may be broken off at any point, be repeated, and run beside the collector.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import structlog
from django.conf import settings
from django.db.models import Min
from django.db.models.functions import Now
from numpy.typing import NDArray

from marketdata.collector.ports import History
from marketdata.domain.records import Candles, Source, empty_candles
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe
from marketdata.exchanges import open_history
from marketdata.loading.turns import take_turn
from marketdata.models import Instrument, Opening, to_ms
from marketdata.storage import read_candles, write_candles
from tcpdashboard.common.dbthread import DatabaseThread
from tcpdashboard.common.shutdown import SHUTDOWN

DAYS_AT_ONCE: Final = 4
EMPTY_DAYS: Final = 2
"""So many days without a candle, one after another, are the beginning of the history."""

YOUNG_MS: Final = 2 * MINUTE_MS
"""The newest minutes are left to the collector; if it was not there yet, to the next run."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a run stored, and whether it went all the way."""

    minutes: int
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Day:
    """The part of a UTC day in which minutes are missing: start included, end not."""

    start_ms: int
    end_ms: int


def load_history(instrument_id: int, stop: threading.Event = SHUTDOWN) -> Loaded | None:
    """Load the instrument's missing minutes of the last HISTORY_DAYS days.

    None when another worker loads it, or when enough others are being loaded: the sweep asks
    again. Raises ExchangeUnavailable and ExchangeRefused; what was stored until then stays.
    """
    # The lock lives as long as this thread's connection, also through a crash.
    database = DatabaseThread(f"history-{instrument_id}", is_mended=False)
    try:
        if not database.call(take_turn, instrument_id):
            return None
        instrument = database.call(Instrument.objects.get, pk=instrument_id)
        return asyncio.run(_load(instrument, database, stop))
    finally:
        database.close()


async def _load(instrument: Instrument, database: DatabaseThread, stop: threading.Event) -> Loaded:
    async with open_history(instrument.exchange) as history:
        young_ms = await history.server_time_ms() // MINUTE_MS * MINUTE_MS - YOUNG_MS
        end_ms = await database.run(_history_end, instrument, young_ms)
        days = await database.run(missing_days, instrument, end_ms)
        minutes, is_whole = await _load_days(instrument, history, database, days, stop)
    if is_whole:
        await database.run(_note_loaded, instrument)
    if days or minutes:
        log.info("history_loaded", instrument=str(instrument), minutes=minutes, whole=is_whole)
    return Loaded(minutes, is_whole)


async def _load_days(
    instrument: Instrument,
    history: History,
    database: DatabaseThread,
    days: list[Day],
    stop: threading.Event,
) -> tuple[int, bool]:
    """Store the days in their order, fetching a few ahead; return minutes and wholeness."""
    minutes = empty_days = 0
    waiting, ahead = deque(days), deque[asyncio.Task[Candles]]()
    try:
        while waiting or ahead:
            while waiting and len(ahead) < DAYS_AT_ONCE:
                ahead.append(
                    asyncio.create_task(_fetch(history, instrument, waiting.popleft(), stop))
                )
            candles = await ahead.popleft()
            if stop.is_set():
                return minutes, False
            minutes += await database.run(_store, instrument, candles)
            empty_days = 0 if len(candles) else empty_days + 1
            if empty_days == EMPTY_DAYS:
                break
    finally:
        for task in ahead:
            task.cancel()
    return minutes, True


async def _fetch(
    history: History, instrument: Instrument, day: Day, stop: threading.Event
) -> Candles:
    pages, before_ms = [empty_candles()], day.end_ms
    while before_ms > day.start_ms and not stop.is_set():
        page = await history.candles_before(instrument.symbol, before_ms)
        if not len(page):
            break
        pages.append(page)
        before_ms = int(page["open_time_ms"][0])
    candles = np.concatenate(pages[::-1])
    return candles[candles["open_time_ms"] >= day.start_ms]


def _history_end(instrument: Instrument, young_ms: int) -> int:
    """Return where history ends: at the first minute that was collected, or at `young_ms`.

    From its first trade on the minutes are the collector's own. A candle of the exchange stored
    among them would look closed to a collector that starts again and is about to build it. What
    it missed is a gap, and repaired as one.
    """
    first = Opening.objects.filter(instrument=instrument).aggregate(first=Min("open_time"))["first"]
    return young_ms if first is None else min(young_ms, to_ms(first))


def missing_days(instrument: Instrument, end_ms: int) -> list[Day]:
    """Return the days, newest first, in which a minute before `end_ms` is missing or incomplete."""
    start_ms = end_ms - settings.HISTORY_DAYS * DAY_MS
    if instrument.listed_at is not None:
        start_ms = max(start_ms, _whole_minute(to_ms(instrument.listed_at)))
    times = _whole_times(instrument, start_ms, end_ms)
    return [day for day in _days(start_ms, end_ms) if _is_lacking(times, day)]


def _days(start_ms: int, end_ms: int) -> Iterator[Day]:
    while end_ms > start_ms:
        opening_ms = max(start_ms, (end_ms - 1) // DAY_MS * DAY_MS)
        yield Day(opening_ms, end_ms)
        end_ms = opening_ms


def _whole_times(instrument: Instrument, start_ms: int, end_ms: int) -> NDArray[np.int64]:
    stored = read_candles(instrument, Timeframe.M1, start_ms, end_ms)
    times: NDArray[np.int64] = stored["open_time_ms"][stored["minutes"] > 0]
    return times


def _is_lacking(times: NDArray[np.int64], day: Day) -> bool:
    first, last = np.searchsorted(times, [day.start_ms, day.end_ms])
    return bool(last - first < (day.end_ms - day.start_ms) // MINUTE_MS)


def _whole_minute(time_ms: int) -> int:
    return -(-time_ms // MINUTE_MS) * MINUTE_MS


def _store(instrument: Instrument, candles: Candles) -> int:
    written = write_candles(instrument, candles, reason="history", source=Source.EXCHANGE)
    return written.inserted + written.changed


def _note_loaded(instrument: Instrument) -> None:
    Instrument.objects.filter(pk=instrument.pk, history_loaded_at=None).update(
        history_loaded_at=Now()
    )
