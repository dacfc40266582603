"""From single rows to stored batches and live figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from marketdata.collector.clock import ExchangeClock
from marketdata.collector.complaints import Complaints
from marketdata.collector.confirming import RunningCandle, confirmed_row
from marketdata.collector.lane import Lane, Row
from marketdata.collector.ports import Batch, InstrumentBatch, Publisher, Sink
from marketdata.collector.settings import CollectorSettings
from marketdata.collector.writer import Writer
from marketdata.domain.errors import BufferFull
from marketdata.domain.events import Emission, Hole
from marketdata.domain.forming import FormingCandles
from marketdata.domain.outbox import NOTHING
from marketdata.domain.records import InstrumentSpec, Ticker, Trades, trade_array
from marketdata.domain.stream import InstrumentStream
from marketdata.domain.timeframe import MINUTE_MS, Timeframe

NOT_COLLECTED: Final = "an instrument that is not collected"
FAR_FUTURE: Final = "time in the far future"


class Pipeline:
    """Takes what the sockets deliver, row by row, and moves it on in batches.

    `trade` runs for every trade and only appends; arrays are made when a minute ends, a batch is
    full, or at the next tick. `opened` is called with every hole that appears, `doubted` when the
    exchange confirmed a minute with other trades than were received.
    """

    def __init__(
        self,
        sink: Sink,
        publisher: Publisher,
        settings: CollectorSettings,
        complaints: Complaints,
        opened: Callable[[Lane, Hole], None],
        doubted: Callable[[Lane], None],
    ) -> None:
        self.clock = ExchangeClock()
        self.lanes: dict[str, Lane] = {}
        self.writer = Writer(sink, settings, complaints, self._stored)
        self._sink, self._publisher, self._settings = sink, publisher, settings
        self._complaints, self._opened, self._doubted = complaints, opened, doubted
        self._rows_waiting = 0
        self._tickers: dict[str, Ticker] = {}
        self._reload: set[str] = set()
        self._left: set[str] = set()

    async def resume(self, instruments: Sequence[InstrumentSpec], now_ms: int) -> None:
        """Make a stream for each instrument from where the store stands.

        Those that are collected already go on beside it.
        """
        for spec in instruments:
            resume = await self.writer.call(self._sink.resume, spec.symbol)
            today = await self.writer.call(self._sink.today, spec.symbol, now_ms)
            stream = InstrumentStream(spec, resume, now_ms)
            lane = Lane(spec, stream, FormingCandles(spec, today), since_ms=now_ms)
            lane.closed_through_ms = resume.first_wanted_ms(now_ms) - MINUTE_MS
            self.lanes[spec.symbol] = lane
            self._left.discard(spec.symbol)

    async def leave(self, symbol: str) -> None:
        """Collect an instrument no more; returns when everything received of it is stored."""
        self._flush(self.lanes[symbol])
        # Messages may come for some seconds after the end of a subscription.
        self._left.add(symbol)
        del self.lanes[symbol]
        await self.writer.flushed()

    def trade(self, symbol: str, row: Row) -> None:
        """Take one row of TRADE_DTYPE."""
        lane = self.lanes.get(symbol)
        if lane is None:
            self._unknown(symbol)
            return
        lane.rows.append(row)
        self._rows_waiting += 1
        if row[1] >= lane.minute_end_ms:
            self._flush(lane)
        elif self._rows_waiting >= self._settings.batch_trades:
            self.flush()

    def candle(self, candle: RunningCandle) -> None:
        """Take a push of a running or confirmed 1m candle."""
        lane = self.lanes.get(candle.symbol)
        if lane is None:
            self._unknown(candle.symbol)
            return
        known_ms = candle.open_time_ms + (MINUTE_MS if candle.confirmed else 0)
        if not self.clock.advance(known_ms):
            self._complaints.add(FAR_FUTURE, candle)
            return
        lane.reached_ms = max(lane.reached_ms, known_ms)
        lane.activity.candles += 1
        volume = (candle.open_time_ms, candle.volume)
        if lane.last_volume is not None and volume != lane.last_volume and candle.volume > 0:
            lane.activity.volume_changes += 1
        lane.last_volume = volume
        if candle.confirmed:
            self._confirm(lane, candle)

    def ticker(self, ticker: Ticker) -> None:
        """Take an instrument's last state; the newest is shown at the next tick."""
        lane = self.lanes.get(ticker.symbol)
        if lane is None:
            self._unknown(ticker.symbol)
            return
        if not self.clock.advance(ticker.time_ms):
            self._complaints.add(FAR_FUTURE, ticker)
            return
        lane.activity.tickers += 1
        self._tickers[ticker.symbol] = ticker

    def flush(self) -> None:
        """Give all waiting rows to their streams."""
        for lane in self.lanes.values():
            self._flush(lane)

    def tick(self) -> None:
        """Flush, close silent minutes and show what is running. Call about every 250 ms."""
        self.flush()
        for lane in self.lanes.values():
            # With a backlog, trades of the silent minute may be waiting in the socket.
            if lane.reached_ms and lane.doubted is None and not self.writer.is_full():
                self.emit(lane, lane.stream.tick(self._proven_ms(lane)))
            self._hand_on_confirmed(lane)
            self._show(lane)
        for ticker in self._tickers.values():
            self._publisher.ticker(ticker)
        self._tickers.clear()

    def connected(self, symbols: Iterable[str], exchange_ms: int) -> None:
        """Note that the trades of `symbols` come in from `exchange_ms` on."""
        self.clock.anchor(exchange_ms)
        for lane in self._named(symbols):
            lane.stream.connected(exchange_ms)

    def disconnected(self, symbols: Iterable[str]) -> None:
        """Note that trades of `symbols` may be missed from now on."""
        for lane in self._named(symbols):
            self._flush(lane)
            lane.stream.disconnected()

    def page(self, lane: Lane, trades: Trades) -> None:
        """Take the exchange's newest trades, fetched because the socket brought none yet."""
        self._flush(lane)
        self._receive(lane, lane.stream.page, self._believable(lane, trades))

    def repaired(
        self, lane: Lane, trades: Trades, hole: Hole, *, reached_start: bool = False
    ) -> None:
        """Take trades found for a hole."""
        self.emit(lane, lane.stream.repaired(trades, hole, reached_start=reached_start))

    def give_up(self, lane: Lane, hole: Hole) -> None:
        """Go on without the trades of a hole."""
        self.emit(lane, lane.stream.give_up(hole, self.clock.now_ms))

    def close_doubted(self, lane: Lane) -> None:
        """Close the doubted minute as an incomplete one: it is repaired later."""
        if lane.doubted is not None:
            open_time_ms, _ = lane.doubted
            self.emit(lane, lane.stream.close_doubted(open_time_ms, self.clock.now_ms))
            lane.closed_through_ms = max(lane.closed_through_ms, open_time_ms)
            lane.doubted = None

    def settle(self, lane: Lane) -> bool:
        """Close the minute the exchange confirmed, if nothing is missing of it.

        False means that the exchange counts other trades than were received, and that nobody is
        after those yet: the minute must not close by time.
        """
        self._flush(lane)
        if lane.doubted is not None:
            open_time_ms, volume = lane.doubted
            self.emit(lane, lane.stream.confirm(open_time_ms, volume, self.clock.now_ms))
            is_closed = open_time_ms <= lane.closed_through_ms
            if not is_closed and lane.stream.is_proven and not lane.stream.holes:
                return False
            lane.doubted = None
        return True

    def emit(self, lane: Lane, emission: Emission) -> None:
        """Pass on what a stream made of an input."""
        if len(emission.minutes):
            lane.forming.close(emission.minutes)
            lane.closed_through_ms = int(emission.minutes["open_time_ms"][-1])
            lane.minutes_closed += len(emission.minutes)
            lane.minutes_waiting += len(emission.minutes)
        if not emission.is_empty:
            confirmed = lane.take_confirmed()
            self.writer.put(InstrumentBatch(lane.symbol, emission, self.clock.now_ms, confirmed))
        for hole in emission.opened:
            self._opened(lane, hole)

    async def reload_forming(self, symbol: str) -> None:
        """Read today's minutes again after stored ones were changed."""
        while (lane := self.lanes.get(symbol)) is not None:
            await self.writer.flushed()
            closed = lane.minutes_closed
            today = await self.writer.call(self._sink.today, symbol, self.clock.now_ms)
            if lane.minutes_closed == closed:
                lane.forming = FormingCandles(lane.spec, today)
                return

    def changed_symbols(self) -> set[str]:
        """Return and forget the instruments of which the store may know better closed minutes."""
        changed, self._reload = self._reload, set()
        return changed

    def _named(self, symbols: Iterable[str]) -> list[Lane]:
        return [self.lanes[symbol] for symbol in symbols if symbol in self.lanes]

    def _unknown(self, symbol: str) -> None:
        if symbol not in self._left:
            self._complaints.add(NOT_COLLECTED, symbol)

    def _hand_on_confirmed(self, lane: Lane) -> None:
        """Pass on what the exchange confirmed, to be held against what is stored."""
        if lane.confirmed and len(confirmed := lane.take_confirmed()):
            self.writer.put(InstrumentBatch(lane.symbol, NOTHING, self.clock.now_ms, confirmed))

    def _confirm(self, lane: Lane, candle: RunningCandle) -> None:
        lane.confirm(confirmed_row(candle))
        was_doubted = lane.doubted is not None
        lane.doubted = (candle.open_time_ms, candle.volume)
        if not self.settle(lane) and not was_doubted:
            self._doubted(lane)

    def _flush(self, lane: Lane) -> None:
        rows = lane.rows
        if not rows:
            return
        lane.rows = []
        self._rows_waiting -= len(rows)
        trades = self._believable(lane, trade_array(rows))
        if not len(trades):
            return
        newest_ms = int(trades["time_ms"].max())
        self.clock.advance(newest_ms)
        lane.reached_ms = max(lane.reached_ms, newest_ms)
        lane.minute_end_ms = Timeframe.M1.open_time(lane.reached_ms) + MINUTE_MS
        lane.activity.trades += len(trades)
        self._receive(lane, lane.stream.live, trades)

    def _receive(self, lane: Lane, take: Callable[[Trades], Emission], trades: Trades) -> None:
        """Hand trades to the stream; room for those behind a hole is made by giving it up."""
        while True:
            try:
                self.emit(lane, take(trades))
                return
            except BufferFull as full:
                self._complaints.add("buffer full", full, symbol=lane.symbol)
                if not lane.stream.holes:
                    raise
                self.give_up(lane, lane.stream.holes[0])

    def _believable(self, lane: Lane, trades: Trades) -> Trades:
        """Return `trades` without those that claim to come from a far future."""
        future = trades["time_ms"] > self.clock.limit_ms
        if future.any():
            count = int(future.sum())
            self._complaints.add(FAR_FUTURE, trades[future][0], count, symbol=lane.symbol)
        return trades[~future]

    def _proven_ms(self, lane: Lane) -> int:
        """Return the exchange time up to which silence of this instrument is meant.

        The candle channel pushes every minute, traded or not: until it or a trade has reached
        the next minute, a stalled socket looks like a quiet market.
        """
        return min(self.clock.now_ms, Timeframe.M1.open_time(lane.reached_ms) + MINUTE_MS)

    def _show(self, lane: Lane) -> None:
        """Publish the running candles, unless nothing changed or their minute is not stored."""
        running = lane.stream.forming
        changed = lane.activity.trades + lane.minutes_closed
        if running is None or lane.minutes_waiting or changed == lane.shown_trades:
            return
        lane.shown_trades = changed
        candles = lane.forming.current(running)
        self._publisher.forming(lane.symbol, candles, self.clock.now_ms)

    def _stored(self, batch: Batch) -> None:
        for item in batch.instruments:
            emission = item.emission
            if len(emission.minutes):
                for lane in self._named((item.symbol,)):
                    if not lane.note_stored(len(emission.minutes)):
                        self._reload.add(item.symbol)
                self._publisher.closed(item.symbol, emission.minutes, item.exchange_ms)
            if emission.rebuild:
                self._reload.add(item.symbol)
