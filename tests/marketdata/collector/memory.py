"""A store and a screen in memory, with the promises of the real ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from marketdata.collector.errors import LostLease, SinkUnavailable
from marketdata.collector.ports import Batch, InstrumentBatch
from marketdata.domain.aggregation import aggregate_minutes
from marketdata.domain.events import Hole, Resume
from marketdata.domain.records import (
    CANDLE_DTYPE,
    TRADE_DTYPE,
    UNKNOWN,
    Candles,
    InstrumentSpec,
    Opening,
    Source,
    Ticker,
    Trades,
    empty_candles,
    empty_trades,
)
from marketdata.domain.timeframe import DAY_MS, MINUTE_MS, Timeframe


@dataclass(slots=True)
class Book:
    """What is stored of one instrument."""

    spec: InstrumentSpec
    trades: dict[int, np.void] = field(default_factory=dict)
    candles: dict[int, np.void] = field(default_factory=dict)
    openings: dict[int, Opening] = field(default_factory=dict)
    opened: list[Hole] = field(default_factory=list)
    closed_holes: list[Hole] = field(default_factory=list)
    given_up: list[Hole] = field(default_factory=list)

    def trade_array(self) -> Trades:
        if not self.trades:
            return empty_trades()
        return np.array([self.trades[key] for key in sorted(self.trades)], dtype=TRADE_DTYPE)

    def candle_array(self) -> Candles:
        if not self.candles:
            return empty_candles()
        return np.array([self.candles[key] for key in sorted(self.candles)], dtype=CANDLE_DTYPE)


class MemorySink:
    """Implements Sink. `failures` commits in a row fail before the next one works."""

    def __init__(self, specs: list[InstrumentSpec]) -> None:
        self.books = {spec.symbol: Book(spec) for spec in specs}
        self.batches: list[Batch] = []
        self.threads: set[int] = set()
        self.failures = 0
        self.attempts = 0
        self.is_lost = False
        self.is_closed = False
        self.delay_s = 0.0

    def resume(self, symbol: str) -> Resume:
        self._enter()
        book = self.books[symbol]
        trades, candles = book.trade_array(), book.candle_array()
        closed = int(candles["open_time_ms"][-1]) if len(candles) else None
        after = 0 if closed is None else closed + MINUTE_MS
        return Resume(
            last_trade_id=int(trades["trade_id"][-1]) if len(trades) else None,
            last_trade_ms=int(trades["time_ms"][-1]) if len(trades) else None,
            last_close=float(candles["close"][-1]) if len(candles) else None,
            last_closed_open_ms=closed,
            open_trades=trades[trades["time_ms"] >= after],
        )

    def today(self, symbol: str, now_ms: int) -> Candles:
        self._enter()
        candles = self.books[symbol].candle_array()
        return candles[candles["open_time_ms"] >= now_ms - now_ms % DAY_MS]

    def commit(self, batch: Batch) -> None:
        self._enter()
        time.sleep(self.delay_s)
        for item in batch.instruments:
            self._store(self.books[item.symbol], item)
        self.batches.append(batch)

    def store_candles(self, symbol: str, candles: Candles, reason: str) -> None:
        self._enter()
        for candle in candles:
            self.books[symbol].candles[int(candle["open_time_ms"])] = candle

    def close(self) -> None:
        self.is_closed = True

    def _enter(self) -> None:
        self.threads.add(threading.get_ident())
        self.attempts += 1
        if self.is_lost:
            raise LostLease("another worker holds the lease")
        if self.failures:
            self.failures -= 1
            raise SinkUnavailable("the store is down")

    def _store(self, book: Book, item: InstrumentBatch) -> None:
        emission = item.emission
        for trade in emission.trades:
            book.trades.setdefault(int(trade["trade_id"]), trade)
        for opening in emission.openings:
            book.openings.setdefault(opening.open_time_ms, opening)
        for candle in emission.minutes:
            book.candles[int(candle["open_time_ms"])] = candle
        for open_time_ms in emission.rebuild:
            self._rebuild(book, open_time_ms)
        book.opened += emission.opened
        book.closed_holes += emission.repaired
        book.given_up += emission.given_up

    def _rebuild(self, book: Book, open_time_ms: int) -> None:
        trades = book.trade_array()
        times = trades["time_ms"]
        inside = trades[(times >= open_time_ms) & (times < open_time_ms + MINUTE_MS)]
        if len(inside):
            book.candles[open_time_ms] = aggregate_minutes(inside, book.spec)[0]
            return
        before = [time for time in book.candles if time < open_time_ms]
        close = book.candles[max(before)]["close"]
        row = (open_time_ms, close, close, close, close, 0.0, 0.0, 0, UNKNOWN, UNKNOWN, 1)
        record = np.array([(*row, int(Source.FLAT), 0, 1)], dtype=CANDLE_DTYPE)
        book.candles[open_time_ms] = record[0]


class Screen:
    """Implements Publisher by remembering the last of everything."""

    def __init__(self) -> None:
        self.shown: dict[str, list[tuple[int, np.void]]] = {}
        self.closes: dict[str, list[int]] = {}
        self.tickers: dict[str, Ticker] = {}

    def forming(self, symbol: str, candles: Mapping[Timeframe, np.void], exchange_ms: int) -> None:
        self.shown.setdefault(symbol, []).append((exchange_ms, candles[Timeframe.M1]))

    def closed(self, symbol: str, minutes: Candles, exchange_ms: int) -> None:
        self.closes.setdefault(symbol, []).extend(minutes["open_time_ms"].tolist())

    def ticker(self, ticker: Ticker) -> None:
        self.tickers[ticker.symbol] = ticker
