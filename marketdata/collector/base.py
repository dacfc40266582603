"""The life of a collector: connect, subscribe, read, parse, emit, and again after every loss."""

from __future__ import annotations

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import structlog

from marketdata.collector.backoff import Backoff
from marketdata.collector.catchup import CatchUp
from marketdata.collector.complaints import Complaints
from marketdata.collector.errors import ExchangeUnavailable
from marketdata.collector.feed import Feed, Socket
from marketdata.collector.pipeline import Pipeline
from marketdata.collector.ports import History, NoRecorder, Publisher, Recorder, Sink
from marketdata.collector.settings import CollectorSettings
from marketdata.domain.records import InstrumentSpec

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class BaseCollector(ABC):
    """Collects some instruments of one exchange until told to stop.

    One object runs once, in the asyncio loop of whatever thread calls `run`. A subclass names
    its feeds, opens their sockets and passes what they say to `pipeline`.
    """

    feed_names: ClassVar[tuple[str, ...]]
    """The sockets that are held open."""

    trade_feed: ClassVar[str]
    """The one that brings the trades: instruments are live while it is."""

    def __init__(
        self,
        *,
        exchange: str,
        instruments: Sequence[InstrumentSpec],
        sink: Sink,
        publisher: Publisher,
        history: History,
        settings: CollectorSettings | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.exchange = exchange
        self.instruments = tuple(instruments)
        self.settings = settings or CollectorSettings()
        self.complaints = Complaints(self.settings.warn_every_s)
        self.pipeline = Pipeline(
            sink,
            publisher,
            self.settings,
            self.complaints,
            lambda lane, hole: self._catchup.open(lane, hole),
            lambda lane: self._catchup.verify(lane),
        )
        self._history = history
        self.recorder = recorder or NoRecorder()
        self._catchup = CatchUp(history, sink, self.pipeline, self.settings, self.complaints)
        self.feeds = {name: self._feed(name) for name in self.feed_names}

    @abstractmethod
    def open_socket(self, feed: str) -> Socket:
        """Return a new socket of `feed`, not yet connected."""

    @abstractmethod
    def dead_channels(self, now_s: float) -> dict[str, str]:
        """Return the feeds with a channel that fell silent against the evidence, with its name.

        Called every second while collecting.
        """

    def brings_trades(self, symbol: str) -> bool:
        """Return whether the instrument's trades come in while the trade feed is live."""
        return True

    async def closing(self) -> None:  # noqa: B027 - most have nothing to close
        """Give back what the subclass opened for itself."""

    async def run(self, stop: asyncio.Event) -> None:
        """Collect until `stop` is set, then drain within `settings.drain_s` seconds.

        Raises LostLease when the sink reports another holder; everything else is retried.
        """
        writing = asyncio.create_task(self.pipeline.writer.run(), name="writer")
        reading = asyncio.create_task(self._collect(), name="collect")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            ended, _ = await asyncio.wait(
                {writing, reading, stopping}, return_when=asyncio.FIRST_COMPLETED
            )
            for task in ended - {stopping}:
                task.result()
            await _cancelled(reading)
            await self._drain(writing)
        finally:
            await _cancelled(reading, stopping)
            await self._catchup.close()
            await _cancelled(writing)
            await self._close()

    def health(self) -> dict[str, Any]:
        """Return counters and ages as plain JSON values; may be called from another thread."""
        writer, lanes = self.pipeline.writer, list(self.pipeline.lanes.values())
        return {
            "trades": sum(lane.activity.trades for lane in lanes),
            "stored_trades": writer.trades,
            "waiting_trades": writer.waiting_trades,
            "batches": writer.batches,
            "bad": self.complaints.total,
            "bad_by_reason": self.complaints.counts(),
            "connected": {name: feed.is_live for name, feed in self.feeds.items()},
            "reconnects": sum(max(0, feed.connections - 1) for feed in self.feeds.values()),
            "holes": sum(len(lane.stream.holes) for lane in lanes),
            "repairs": self._catchup.running,
            "exchange_ms": self.pipeline.clock.now_ms,
            "last_error": self.complaints.last_error,
        }

    def _feed(self, name: str) -> Feed:
        is_trades = name == self.trade_feed
        return Feed(
            name,
            lambda: self.open_socket(name),
            self._trades_live if is_trades else _nothing,
            self.pipeline.disconnected if is_trades else lambda: None,
            self.settings,
            self.complaints,
        )

    async def _collect(self) -> None:
        await self.pipeline.resume(self.instruments, await self._server_time_ms())
        async with asyncio.TaskGroup() as tasks:
            for feed in self.feeds.values():
                tasks.create_task(feed.run(), name=f"feed {feed.name}")
            tasks.create_task(self._tick(tasks), name="tick")
            tasks.create_task(self._watch(), name="watch")

    async def _trades_live(self) -> None:
        """Tell the streams from when on they are live: the exchange's time after subscribing.

        The clock of the events would be that of before the outage. A quiet instrument may not
        trade for hours: its last trade is fetched, or nobody could tell whether one was missed.
        """
        self.pipeline.connected(await self._server_time_ms())
        first_s = self.settings.first_trade_s
        backoff = Backoff(first_s, max(first_s, self.settings.backoff_cap_s))
        while unproven := [
            lane
            for lane in self.pipeline.lanes.values()
            if not lane.stream.is_proven and self.brings_trades(lane.symbol)
        ]:
            await asyncio.sleep(backoff.next_delay_s())
            for lane in unproven:
                if not lane.stream.is_proven:
                    await self._catchup.fetch_newest(lane)

    async def _server_time_ms(self) -> int:
        backoff = Backoff(self.settings.backoff_base_s, self.settings.backoff_cap_s)
        while True:
            try:
                return await self._history.server_time_ms()
            except ExchangeUnavailable as error:
                log.warning("exchange unavailable", exchange=self.exchange, error=str(error))
            await asyncio.sleep(backoff.next_delay_s())

    async def _tick(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            await asyncio.sleep(self.settings.tick_ms / 1000)
            self.pipeline.tick()
            self._catchup.look()
            for symbol in self.pipeline.changed_symbols():
                tasks.create_task(self.pipeline.reload_forming(symbol), name=f"reload {symbol}")

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self.settings.watch_s)
            for feed, channel in self.dead_channels(time.monotonic()).items():
                if self.feeds[feed].is_live:
                    self.feeds[feed].replace(f"channel {channel} is silent")

    async def _drain(self, writing: asyncio.Task[None]) -> None:
        """Store what was received, as far as the store answers in time."""
        await self._catchup.close()
        self.pipeline.flush()
        flushed = asyncio.create_task(self.pipeline.writer.flushed(), name="flush")
        await asyncio.wait(
            {flushed, writing},
            timeout=self.settings.drain_s,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if writing.done():
            writing.result()
        if not flushed.done():
            log.warning(
                "not everything could be stored", trades=self.pipeline.writer.waiting_trades
            )
        await _cancelled(flushed)

    async def _close(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.settings.drain_s):
                await self.pipeline.writer.close()
                await asyncio.to_thread(self.recorder.close)
        await self.closing()


async def _cancelled(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait for their end; their errors were seen before or matter no more."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _nothing() -> None:
    """The feed needs no preparation."""
