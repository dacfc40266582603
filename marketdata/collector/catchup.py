"""Fills holes: trades over REST, or the exchange's own candles where too many are missing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from marketdata.collector.backoff import Backoff
from marketdata.collector.complaints import Complaints
from marketdata.collector.errors import CollectorError
from marketdata.collector.lane import Lane
from marketdata.collector.paging import candles_back, trades_back
from marketdata.collector.pipeline import Pipeline
from marketdata.collector.ports import History, Sink
from marketdata.collector.settings import CollectorSettings
from marketdata.domain.events import Hole
from marketdata.domain.records import empty_trades
from marketdata.domain.timeframe import MINUTE_MS, Timeframe

UNCOUNTED_MS: Final = 15 * MINUTE_MS
"""A hole of unknown size is filled by trades up to this length."""

CANDLE_LAG_MS: Final = 10_000
"""Exchange time after which a minute is surely closed, on the exchange and here."""

VERIFY_ATTEMPTS: Final = 6
VERIFY_CAP_S: Final = 4.0

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(slots=True)
class Repair:
    """One hole that is being worked on, or that waits for its turn.

    `progress_s` is when it last found trades, had its turn, or began to wait for it.
    """

    lane: Lane
    hole: Hole
    opened_exchange_ms: int
    opened_s: float
    progress_s: float
    has_turn: bool = False
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class CatchUp:
    """Repairs the holes of all lanes, a few at a time, in tasks it owns."""

    def __init__(
        self,
        history: History,
        sink: Sink,
        pipeline: Pipeline,
        settings: CollectorSettings,
        complaints: Complaints,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._complaints = complaints
        self._history, self._sink, self._pipeline = history, sink, pipeline
        self._settings, self._monotonic = settings, monotonic
        self._turns = asyncio.Semaphore(settings.repairs_at_once)
        self._repairs: list[Repair] = []
        self._verifying: dict[asyncio.Task[None], Lane] = {}

    @property
    def running(self) -> int:
        """Holes that are being worked on."""
        return len(self._repairs)

    def open(self, lane: Lane, hole: Hole) -> None:
        """Start to repair a hole."""
        log.info("hole opened", symbol=lane.symbol, **_named(hole))
        now_s = self._monotonic()
        repair = Repair(lane, hole, self._pipeline.clock.now_ms, now_s, now_s)
        self._repairs.append(repair)
        repair.task = asyncio.create_task(self._run(repair), name=f"repair {lane.symbol}")

    def verify(self, lane: Lane) -> None:
        """Fetch an instrument's newest trades: some that the exchange counts did not arrive."""
        task = asyncio.create_task(self._verify(lane), name=f"verify {lane.symbol}")
        self._verifying[task] = lane
        task.add_done_callback(self._verifying.pop)

    async def fetch_newest(self, lane: Lane) -> bool:
        """Hand in the exchange's newest trades; what is missing before them becomes a hole.

        Returns False when the exchange did not answer.
        """
        try:
            trades = await self._history.trades_before(lane.symbol, None)
        except CollectorError as error:
            self._complaints.last_error = f"newest trades of {lane.symbol}: {error}"
            log.warning("newest trades unavailable", symbol=lane.symbol, error=str(error))
            return False
        self._pipeline.page(lane, trades)
        return True

    def look(self) -> None:
        """Give up the holes whose time is over. Call now and then."""
        now_s, now_ms = self._monotonic(), self._pipeline.clock.now_ms
        for repair in list(self._repairs):
            quiet_s = now_s - repair.progress_s
            open_ms = now_ms - repair.opened_exchange_ms
            is_late = open_ms >= self._settings.give_up_exchange_ms
            is_quiet = repair.has_turn and quiet_s >= self._settings.give_up_quiet_s
            if is_late and (is_quiet or now_s - repair.opened_s >= self._settings.give_up_s):
                self._give_up(repair)
            # One that waits is tried in any case: the ones before it end.
            is_stuck = repair.has_turn and quiet_s >= self._settings.repair_patience_s
            if is_stuck and repair.task is not None:
                repair.task.cancel()

    async def close(self, lane: Lane | None = None) -> None:
        """End all repairs, or those of one lane; what they found so far is in the pipeline."""
        repairs = [one for one in self._repairs if lane is None or one.lane is lane]
        tasks = [repair.task for repair in repairs if repair.task is not None]
        tasks += [task for task, at in self._verifying.items() if lane is None or at is lane]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # One that had not begun yet could not take itself off the list.
        ended = set(map(id, repairs))
        self._repairs = [repair for repair in self._repairs if id(repair) not in ended]

    async def _verify(self, lane: Lane) -> None:
        """Ask for the newest trades until the minute is settled, or the caches had their chance.

        While the exchange does not answer, from the beginning or after some answers, the minute
        stays doubted, and becomes an incomplete one when its time is over: what it lacks is found
        by the ids, or its candle fetched later.
        """
        log.info("volume differs from the exchange's", symbol=lane.symbol)
        backoff = Backoff(self._settings.backoff_base_s, VERIFY_CAP_S)
        answers = 0
        while answers < VERIFY_ATTEMPTS:
            is_answered = await self.fetch_newest(lane)
            answers += is_answered
            if self._pipeline.settle(lane):
                return
            if not is_answered and self._is_overdue(lane):
                log.warning("minute closed incomplete", symbol=lane.symbol)
                self._pipeline.close_doubted(lane)
                return
            await asyncio.sleep(backoff.next_delay_s())
        # The trades that came are all that the exchange has: when the minute is stored it is
        # held against the exchange's candle, and a difference is shown.
        log.warning("minute closes unlike the exchange's", symbol=lane.symbol)
        lane.doubted = None

    def _is_overdue(self, lane: Lane) -> bool:
        """Whether the doubted minute ended so long ago that it must be handed on."""
        assert lane.doubted is not None
        ended_ms = lane.doubted[0] + MINUTE_MS
        return self._pipeline.clock.now_ms >= ended_ms + self._settings.give_up_exchange_ms

    async def _run(self, repair: Repair) -> None:
        try:
            async with self._turns:
                repair.has_turn, repair.progress_s = True, self._monotonic()
                if _is_large(repair.hole, self._settings.max_hole_trades):
                    await self._by_candles(repair)
                else:
                    await self._by_trades(repair)
        except Exception as error:
            self._complaints.last_error = f"repair of {repair.lane.symbol}: {error}"
            log.exception("repair failed", symbol=repair.lane.symbol, **_named(repair.hole))
        finally:
            self._repairs.remove(repair)
        self._give_up(repair)

    async def _by_trades(self, repair: Repair) -> None:
        hole = repair.hole
        # Where the ids are known they say where to end: times are out of order by milliseconds.
        start_ms = hole.after_ms if hole.first_id is None else 0
        complete = await self._page_back(repair, hole.first_id, start_ms)
        if complete and not repair.lane.spec.has_id_rule:
            self._pipeline.emit(repair.lane, repair.lane.stream.pass_over(hole))
        if not complete or hole in repair.lane.stream.holes:
            self._give_up(repair)
            await self._candles(repair, Timeframe.M1.open_time(hole.before_ms) + MINUTE_MS)

    async def _by_candles(self, repair: Repair) -> None:
        """Take the current minute's trades and, for the minutes before it, whole candles."""
        hole = repair.hole
        minute_ms = Timeframe.M1.open_time(hole.before_ms)
        complete = await self._page_back(repair, hole.first_id, minute_ms)
        self._give_up(repair)
        await self._candles(repair, minute_ms if complete else minute_ms + MINUTE_MS)

    async def _page_back(self, repair: Repair, first_id: int | None, start_ms: int) -> bool:
        """Feed trades from the hole's end back to `first_id` or to before `start_ms`.

        Returns False when more than `max_hole_trades` would be needed. The hole may still be open
        otherwise: the exchange may not have all of its trades, or not any more.
        """
        fetched = 0
        lane, hole = repair.lane, repair.hole
        async for page in trades_back(self._history, lane.symbol, hole.last_id):
            repair.progress_s = self._monotonic()
            self._pipeline.repaired(lane, page, hole)
            oldest = page[0]
            if first_id is not None and oldest["trade_id"] - oldest["count"] < first_id:
                return True
            if oldest["time_ms"] < start_ms:
                return True
            fetched += len(page)
            if fetched >= self._settings.max_hole_trades:
                return False
            await self._pipeline.writer.drained()
        self._pipeline.repaired(lane, empty_trades(), hole, reached_start=True)
        return True

    async def _candles(self, repair: Repair, before_ms: int) -> None:
        """Store the exchange's candles from the hole's first minute up to `before_ms`."""
        symbol, hole = repair.lane.symbol, repair.hole
        first_ms = Timeframe.M1.open_time(hole.after_ms)
        await self._until(before_ms + CANDLE_LAG_MS)
        await self._pipeline.writer.flushed()
        async for page in candles_back(self._history, symbol, before_ms):
            repair.progress_s = self._monotonic()
            missed = page[page["open_time_ms"] >= first_ms]
            if len(missed):
                await self._pipeline.writer.call(
                    self._sink.store_candles, symbol, missed, hole.cause.value
                )
            if page["open_time_ms"][0] <= first_ms:
                break
        await self._pipeline.reload_forming(symbol)

    async def _until(self, exchange_ms: int) -> None:
        while self._pipeline.clock.now_ms < exchange_ms:  # noqa: ASYNC110 - not worth an event
            await asyncio.sleep(self._settings.tick_ms / 1000)

    def _give_up(self, repair: Repair) -> None:
        """Let the stream go on, unless the hole was filled or given up before."""
        stream = repair.lane.stream
        if repair.hole in stream.holes:
            log.warning("hole given up", symbol=repair.lane.symbol, **_named(repair.hole))
            forgotten = stream.forgotten
            self._pipeline.give_up(repair.lane, repair.hole)
            if stream.forgotten > forgotten:
                log.error(
                    "too many holes given up: the oldest can only be filled in the store",
                    symbol=repair.lane.symbol,
                    forgotten=stream.forgotten,
                )


def _is_large(hole: Hole, max_trades: int) -> bool:
    """Whether the exchange's candles are the better way to fill `hole`."""
    if hole.first_id is None:
        return hole.before_ms - hole.after_ms > UNCOUNTED_MS
    return hole.last_id - hole.first_id >= max_trades


def _named(hole: Hole) -> dict[str, Any]:
    return {"first_id": hole.first_id, "last_id": hole.last_id, "cause": hole.cause.value}
