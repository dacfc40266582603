"""A stored stretch through the pipeline again: the data's own time is the only clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from marketdata.collector.complaints import Complaints
from marketdata.collector.lane import Lane
from marketdata.collector.okx.keeping import keep
from marketdata.collector.okx.messages import CandlesPush, OtherPush, TickersPush, TradesPush
from marketdata.collector.okx.parsing import parse
from marketdata.collector.pipeline import Pipeline
from marketdata.collector.ports import Recorder, Sink
from marketdata.collector.recording import Tap
from marketdata.collector.settings import CollectorSettings
from marketdata.domain.events import Hole
from marketdata.domain.raw import RawChannel
from marketdata.domain.records import Candles, InstrumentSpec, Ticker
from marketdata.domain.stream import CLOSE_AFTER_MS
from marketdata.domain.timeframe import MINUTE_MS, Timeframe

REPLAYED: Final = (RawChannel.TICKERS, RawChannel.BOOKS, RawChannel.STATUS)
"""What is kept again as it came, beside trades and closed candles, which go through everything."""

MOST_WAITING: Final = 4_000
"""Rows that are handed to the writer at once: below what would make it say that it is full."""


@dataclass(frozen=True, slots=True)
class Step:
    """What came within one second of exchange time, frames in their order."""

    time_ms: int
    frames: tuple[bytes, ...]
    rows: int


class Replay:
    """Feeds steps to a sink just as a collector feeds it frames, and always with the same result.

    Nothing is fetched: a hole is given up at once, and a minute that the exchange counts otherwise
    closes by time. The writer is awaited before anything else is fed, so that no thread's pace
    shows in what is stored. `speed` is exchange seconds per second; None as fast as it goes.
    """

    def __init__(self, sink: Sink, recorder: Recorder, speed: float | None = None) -> None:
        self.bad = 0
        settings, self._speed = CollectorSettings(), speed
        self._pipeline = Pipeline(
            sink,
            _Silence(),
            settings,
            Complaints(settings.warn_every_s),
            self._give_up,
            self._settle,
        )
        # All of what was kept is kept again: seldom enough it came.
        self._tap = Tap(
            recorder,
            dict.fromkeys(REPLAYED, 0.0),
            self._pipeline.clock,
            Complaints(settings.warn_every_s),
            lambda: self._pipeline.clock.now_ms,
        )

    async def run(
        self,
        instruments: Sequence[InstrumentSpec],
        steps: Iterator[Sequence[Step]],
        start_ms: int,
        end_ms: int,
    ) -> None:
        """Feed the steps of [start_ms, end_ms) and close every minute of it.

        `steps` come in chunks, each read in the writer's thread while nothing is written.
        """
        writing = asyncio.create_task(self._pipeline.writer.run(), name="writer")
        feeding = asyncio.create_task(self._feed(instruments, steps, start_ms, end_ms))
        try:
            await asyncio.wait({writing, feeding}, return_when=asyncio.FIRST_COMPLETED)
            if writing.done():
                writing.result()
            await feeding
        finally:
            for task in (feeding, writing):
                task.cancel()
            await asyncio.gather(feeding, writing, return_exceptions=True)
            await self._pipeline.writer.close()

    async def _feed(
        self,
        instruments: Sequence[InstrumentSpec],
        steps: Iterator[Sequence[Step]],
        start_ms: int,
        end_ms: int,
    ) -> None:
        pipeline, begun_s = self._pipeline, time.monotonic()
        await pipeline.resume(instruments, start_ms)
        pipeline.connected([spec.symbol for spec in instruments], start_ms)
        while (chunk := await pipeline.writer.call(next, steps, None)) is not None:
            await self._feed_chunk(chunk, start_ms, begun_s)
            await self._stored()
        self._end(end_ms)
        await self._stored()

    async def _feed_chunk(self, chunk: Sequence[Step], start_ms: int, begun_s: float) -> None:
        waiting, minute_ms = 0, 0
        for step in chunk:
            if step.rows + waiting > MOST_WAITING or step.time_ms >= minute_ms + MINUTE_MS:
                await self._stored()
                waiting, minute_ms = 0, Timeframe.M1.open_time(step.time_ms)
            await self._pace(begun_s, step.time_ms - start_ms)
            # However long nothing was stored: the step's own time is believed.
            self._pipeline.clock.anchor(step.time_ms)
            for frame in step.frames:
                self._take(frame)
            self._pipeline.tick()
            waiting += step.rows

    def _take(self, frame: bytes) -> None:
        match parse(frame):
            case TradesPush(_, symbol, rows):
                for row in rows:
                    self._pipeline.trade(symbol, row)
            case CandlesPush(_, _, candles):
                for candle in candles:
                    self._pipeline.candle(candle)
            case TickersPush() | OtherPush() as push:
                self.bad += not keep(self._tap, push, frame)
            case _:
                self.bad += 1

    def _end(self, end_ms: int) -> None:
        """Let so much time pass after the last second that its minute is over."""
        pipeline = self._pipeline
        pipeline.clock.anchor(end_ms + CLOSE_AFTER_MS)
        pipeline.clock.advance(end_ms + CLOSE_AFTER_MS)
        for lane in pipeline.lanes.values():
            lane.reached_ms = max(lane.reached_ms, end_ms)
        pipeline.tick()

    async def _stored(self) -> None:
        await self._pipeline.writer.flushed()
        # Nobody watches the running candles of a replay: nothing is read again for them.
        self._pipeline.changed_symbols()

    async def _pace(self, begun_s: float, elapsed_ms: int) -> None:
        if self._speed is not None:
            due_s = begun_s + elapsed_ms / 1000 / self._speed
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))

    def _give_up(self, lane: Lane, hole: Hole) -> None:
        self._pipeline.give_up(lane, hole)

    def _settle(self, lane: Lane) -> None:
        lane.doubted = None


class _Silence:
    """Shows nothing to anybody; implements Publisher."""

    def forming(self, symbol: str, candles: Mapping[Timeframe, object], exchange_ms: int) -> None:
        """Nobody watches."""

    def closed(self, symbol: str, minutes: Candles, exchange_ms: int) -> None:
        """Nobody waits."""

    def ticker(self, ticker: Ticker) -> None:
        """Nobody watches."""
