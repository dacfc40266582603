"""The one thread that writes: batches in order, tried until they are stored."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import structlog

from marketdata.collector.backoff import Backoff
from marketdata.collector.complaints import Complaints
from marketdata.collector.errors import SinkUnavailable
from marketdata.collector.lag import LagMeter
from marketdata.collector.merging import merge
from marketdata.collector.ports import Batch, InstrumentBatch, Sink
from marketdata.collector.settings import CollectorSettings

P = ParamSpec("P")
T = TypeVar("T")

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Writer:
    """Takes emissions without waiting and commits them while the sockets are read on.

    `stored` is called in the loop after each commit. When the store is behind by more than
    `backlog_trades`, `is_full` says so, and whoever reads must wait for `drained`.
    """

    def __init__(
        self,
        sink: Sink,
        settings: CollectorSettings,
        complaints: Complaints,
        stored: Callable[[Batch], None],
    ) -> None:
        self.batches = 0
        self.trades = 0
        self.lag = LagMeter()
        self._sink, self._settings, self._stored = sink, settings, stored
        self._complaints = complaints
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="collector-writer")
        self._waiting: deque[InstrumentBatch] = deque()
        self._waiting_trades = 0
        self._work = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._puts = self._stores = 0
        self._progress = asyncio.Event()

    @property
    def waiting_trades(self) -> int:
        """Trades that are not stored yet."""
        return self._waiting_trades

    def is_full(self) -> bool:
        """Whether nothing more should be read for now."""
        return not self._room.is_set()

    async def drained(self) -> None:
        """Return when there is room again."""
        await self._room.wait()

    async def flushed(self) -> None:
        """Return when everything that was put so far is stored, whatever is put meanwhile."""
        wanted = self._puts
        while self._stores < wanted:
            self._progress.clear()
            await self._progress.wait()

    def put(self, item: InstrumentBatch) -> None:
        """Queue what one stream emitted."""
        self._waiting.append(item)
        self._waiting_trades += len(item.emission.trades)
        self._puts += 1
        self._work.set()
        if self._waiting_trades > self._settings.backlog_trades:
            self._room.clear()

    async def run(self) -> None:
        """Commit what is put, until cancelled. Raises LostLease."""
        while True:
            await self._work.wait()
            batch, trades, taken = self._take()
            await self.call(self._sink.commit, batch)
            self.batches += 1
            self.trades += trades
            self._waiting_trades -= trades
            for item in batch.instruments:
                self.lag.add(item.emission.trades)
            if self._waiting_trades <= self._settings.backlog_trades // 2:
                self._room.set()
            self._stored(batch)
            self._stores += taken
            self._progress.set()
            if not self._waiting:
                self._work.clear()

    async def call(self, action: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one of the sink's methods in the writer thread until the store answers."""
        backoff = Backoff(self._settings.backoff_base_s, self._settings.backoff_cap_s)
        loop = asyncio.get_running_loop()
        while True:
            try:
                return await loop.run_in_executor(self._thread, lambda: action(*args, **kwargs))
            except SinkUnavailable as error:
                delay = backoff.next_delay_s()
                self._complaints.last_error = f"store: {error}"
                log.warning("store unavailable", error=str(error), retry_s=round(delay, 2))
            await asyncio.sleep(delay)

    async def close(self) -> None:
        """Give the sink's connection back and end the thread; waits for a running commit."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._sink.close)
        self._thread.shutdown(wait=False)

    def _take(self) -> tuple[Batch, int, int]:
        """Take what waits, up to a batch's worth of trades; one emission is never cut.

        Returns the batch, its trades, and how many emissions went into it.
        """
        taken = [self._waiting.popleft()]
        trades = len(taken[0].emission.trades)
        while self._waiting and trades < self._settings.batch_trades:
            taken.append(self._waiting.popleft())
            trades += len(taken[-1].emission.trades)
        return Batch(merge(taken)), trades, len(taken)
