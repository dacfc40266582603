"""The life of a collector: connect, subscribe, read, parse, emit, and again after every loss."""

from __future__ import annotations

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import structlog

from marketdata.collector.backoff import Backoff
from marketdata.collector.catchup import CatchUp
from marketdata.collector.complaints import Complaints
from marketdata.collector.ending import cancelled
from marketdata.collector.errors import CollectorError
from marketdata.collector.feed import Channels, Feed
from marketdata.collector.feeds import Feeds
from marketdata.collector.lane import Lane
from marketdata.collector.pipeline import Pipeline
from marketdata.collector.ports import History, NoRecorder, Publisher, Recorder, Sink
from marketdata.collector.settings import CollectorSettings
from marketdata.collector.socket import Channel, Socket
from marketdata.collector.vigil import Vigil
from marketdata.domain.records import InstrumentSpec

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class BaseCollector(ABC):
    """Collects some instruments of one exchange until told to stop.

    One object runs once, in the asyncio loop of whatever thread calls `run`. A subclass names
    its channels, opens the sockets that bring them and passes what they say to `pipeline`.
    """

    paths: Mapping[str, tuple[str, ...]]
    """The channels of every instrument, by the kind of socket that brings them."""

    common: Mapping[str, Collection[Channel]] = {}
    """Channels that belong to no instrument, likewise; the first socket of its kind has them."""

    trade_channel: ClassVar[str]
    """The one that brings the trades: an instrument is live while it is subscribed."""

    trade_stand_in: ClassVar[str] = ""
    """One that brings them too, of those instruments for which the first is refused."""

    watched: ClassVar[Mapping[str, str]] = {}
    """The channels whose silence means something: trades, candles, tickers to their names."""

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
        self.recorder = recorder or NoRecorder()
        self._history = history
        self._catchup = CatchUp(history, sink, self.pipeline, self.settings, self.complaints)
        self._vigil = Vigil(self.settings, self.watched, self.trade_stand_in)
        self._feeds = Feeds(
            self.open_socket,
            self._channels_live,
            lambda channels: self.pipeline.disconnected(self._traded(channels)),
            self.settings,
            self.complaints,
        )
        self._collecting = asyncio.Event()

    @property
    def feeds(self) -> Mapping[str, Feed]:
        """Its connections by name: one or several of each kind."""
        return self._feeds.by_name

    @abstractmethod
    def open_socket(self, path: str, channels: Channels) -> Socket:
        """Return a new socket of a kind for `channels`, not yet connected."""

    async def opening(self) -> None:  # noqa: B027 - most have nothing to ask for
        """Ask once, beside the start of collection, for what no socket repeats. Never raises."""

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
            await cancelled(reading)
            await self._drain(writing)
        finally:
            await cancelled(reading, stopping)
            await self._catchup.close()
            await cancelled(writing)
            await self._close()

    async def follow(self, instruments: Sequence[InstrumentSpec]) -> None:
        """Collect exactly `instruments` from now on, without touching those that stay.

        Returns when the new ones are subscribed for and all that came of the others is stored.
        One call at a time.
        """
        await self._collecting.wait()
        left = set(self.instruments) - set(instruments)
        new = [spec for spec in instruments if spec not in self.instruments]
        self.instruments = tuple(instruments)
        await self._leave({spec.symbol for spec in left})
        await self._take_up(new)

    def health(self) -> dict[str, Any]:
        """Return counters and ages as plain JSON values; may be called from another thread."""
        writer, lanes = self.pipeline.writer, list(self.pipeline.lanes.values())
        feeds = dict(self.feeds)
        return {
            "trades": sum(lane.activity.trades for lane in lanes),
            "stored_trades": writer.trades,
            "waiting_trades": writer.waiting_trades,
            "batches": writer.batches,
            "lag": writer.lag.figures(),
            "messages": sum(feed.received for feed in feeds.values()),
            "bad": self.complaints.total,
            "bad_by_reason": self.complaints.counts(),
            "is_live": self._feeds.are_live(),
            "connected": {name: feed.is_live for name, feed in feeds.items()},
            "channels": {name: len(feed.channels) for name, feed in feeds.items()},
            "reconnects": sum(max(0, feed.connections - 1) for feed in feeds.values()),
            "holes": sum(len(lane.stream.holes) for lane in lanes),
            "repairs": self._catchup.running,
            "exchange_ms": self.pipeline.clock.now_ms,
            "refused": {" ".join(channel): code for channel, code in self._feeds.refused().items()},
            "common": self._feeds.common_health(),
            "raw": dict(self.recorder.health()),
            "last_error": self.complaints.last_error,
        }

    def channel_health(self) -> dict[str, Any]:
        """Return how each instrument's channels are, as plain JSON values, by symbol.

        `event_ms` is the exchange time of its newest trade or candle push.
        """
        now_s, now_ms, refused = time.monotonic(), self.pipeline.clock.now_ms, self._feeds.refused()
        return {
            lane.symbol: {
                "event_ms": lane.event_ms,
                "channels": {
                    channel: self._vigil.shown(lane, channel, feed, refused, now_ms, now_s)
                    for channel, feed in self._feeds.by_channel(lane.symbol).items()
                },
            }
            for lane in list(self.pipeline.lanes.values())
        }

    async def _collect(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._feeds.start(tasks, self.paths, self.common)
            tasks.create_task(self.opening(), name="opening")
            await self._take_up(self.instruments)
            self._collecting.set()
            tasks.create_task(self._tick(tasks), name="tick")
            tasks.create_task(self._watch(), name="watch")

    async def _take_up(self, specs: Sequence[InstrumentSpec]) -> None:
        """Collect `specs` too, from where the store stands."""
        if not specs:
            return
        await self.pipeline.resume(specs, await self._server_time_ms())
        self._feeds.subscribe({spec.symbol for spec in specs})

    async def _leave(self, symbols: set[str]) -> None:
        """End the subscriptions of `symbols` and store what came of them."""
        await self._feeds.leave(symbols)
        for symbol in symbols & self.pipeline.lanes.keys():
            await self._catchup.close(self.pipeline.lanes[symbol])
            await self.pipeline.leave(symbol)
            self._vigil.forget(symbol)

    async def _channels_live(self, channels: Channels) -> None:
        """Tell the streams from when on they are live: the exchange's time after subscribing.

        The clock of the events would be that of before the outage. A quiet instrument may not
        trade for hours: its last trade is fetched, or nobody could tell whether one was missed.
        """
        if not self._traded(channels):
            return
        self.pipeline.connected(self._traded(channels), await self._server_time_ms())
        first_s = self.settings.first_trade_s
        backoff = Backoff(first_s, max(first_s, self.settings.backoff_cap_s))
        while unproven := self._unproven(self._traded(channels)):
            await asyncio.sleep(backoff.next_delay_s())
            for lane in unproven:
                if not lane.stream.is_proven:
                    await self._catchup.fetch_newest(lane)

    def _unproven(self, symbols: Iterable[str]) -> list[Lane]:
        """Return the lanes of which nobody knows yet whether a trade was missed."""
        lanes = self.pipeline.lanes
        present = (lanes[symbol] for symbol in symbols if symbol in lanes)
        return [lane for lane in present if not lane.stream.is_proven]

    async def _server_time_ms(self) -> int:
        backoff = Backoff(self.settings.backoff_base_s, self.settings.backoff_cap_s)
        while True:
            try:
                return await self._history.server_time_ms()
            except CollectorError as error:
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
            self._look(time.monotonic())

    def _look(self, now_s: float) -> None:
        """Subscribe anew the channels that died; replace the socket of one that stays dead."""
        renewed: dict[Feed, list[Channel]] = {}
        replaced: dict[Feed, Channel] = {}
        for lane in self.pipeline.lanes.values():
            feeds = self._feeds.by_channel(lane.symbol)
            for channel, verdicts in self._vigil.look(lane, feeds, now_s):
                if verdicts % 2:
                    renewed.setdefault(feeds[channel[0]], []).append(channel)
                else:
                    replaced[feeds[channel[0]]] = channel
        for feed, channel in replaced.items():
            feed.replace(f"channel {' '.join(channel)} is silent")
        for feed, channels in renewed.items():
            if feed not in replaced:
                named = ", ".join(" ".join(channel) for channel in channels[:3])
                feed.renew(channels, f"{len(channels)} silent channels: {named}")

    def _traded(self, channels: Channels) -> set[str]:
        """Return the instruments whose trades `channels` bring, by either channel."""
        names = (self.trade_channel, self.trade_stand_in)
        given = channels - self._feeds.refused().keys()
        return {symbol for name, symbol in given if name in names}

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
        await cancelled(flushed)

    async def _close(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.settings.drain_s):
                await self.pipeline.writer.close()
                await asyncio.to_thread(self.recorder.close)
        await self.closing()
