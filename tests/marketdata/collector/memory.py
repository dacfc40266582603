"""A store and a screen in memory, with the promises of the real ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from marketdata.collector.errors import LostLease, SinkUnavailable
from marketdata.collector.ports import Batch, InstrumentBatch
from marketdata.domain.aggregation import aggregate_minutes
from marketdata.domain.events import Hole, Resume
from marketdata.domain.quality import check_candles
from marketdata.domain.records import (
    CANDLE_DTYPE,
    TRADE_DTYPE,
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
from marketdata.storage.merging import better_minutes


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

    def put(self, candles: Candles) -> None:
        """Store candles by the rule of the real store: the better one stays."""
        check_candles(candles)
        for row, time_ms in enumerate(candles["open_time_ms"].tolist()):
            known, incoming = self.candles.get(time_ms), candles[row : row + 1]
            if known is None or better_minutes(np.array([known]), incoming)[0]:
                self.candles[time_ms] = candles[row]

    def follow_flats(self) -> None:
        """Give every flat minute the close before it."""
        candles = self.candle_array()
        for before, candle in pairwise(candles):
            is_next = candle["open_time_ms"] - before["open_time_ms"] == MINUTE_MS
            if is_next and candle["source"] == Source.FLAT:
                for name in ("open", "high", "low", "close"):
                    candle[name] = before["close"]
        self.candles = {int(candle["open_time_ms"]): candle for candle in candles}


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
        self._read()
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
            given_up=tuple(
                hole
                for hole in book.given_up
                if hole not in book.closed_holes
                and hole.before_ms >= after
                and hole.last_id < int(trades["trade_id"][-1])
            ),
        )

    def today(self, symbol: str, now_ms: int) -> Candles:
        self._read()
        candles = self.books[symbol].candle_array()
        return candles[candles["open_time_ms"] >= now_ms - now_ms % DAY_MS]

    def commit(self, batch: Batch) -> None:
        self._write()
        time.sleep(self.delay_s)
        for item in batch.instruments:
            self._store(self.books[item.symbol], item)
        self.batches.append(batch)

    def store_candles(self, symbol: str, candles: Candles, reason: str) -> None:
        self._write()
        self.books[symbol].put(candles)

    def close(self) -> None:
        self.is_closed = True

    def _write(self) -> None:
        self._read()
        if self.is_lost:
            raise LostLease("another worker holds the lease")

    def _read(self) -> None:
        """Reach the store, which asks nobody who only reads for the lease."""
        self.threads.add(threading.get_ident())
        self.attempts += 1
        if self.failures:
            self.failures -= 1
            raise SinkUnavailable("the store is down")

    def _store(self, book: Book, item: InstrumentBatch) -> None:
        emission = item.emission
        ids = emission.trades["trade_id"]
        assert len(np.unique(ids)) == len(ids), "a batch holds each trade once"
        for trade in emission.trades:
            book.trades.setdefault(int(trade["trade_id"]), trade)
        for opening in emission.openings:
            book.openings.setdefault(opening.open_time_ms, opening)
        rebuilt = [self._rebuilt(book, open_time_ms) for open_time_ms in emission.rebuild]
        book.put(emission.minutes)
        for candles in rebuilt:
            book.put(candles)
        if rebuilt:
            book.follow_flats()
        for hole in emission.repaired:
            self._judge(book, hole)
        book.opened += emission.opened
        book.closed_holes += emission.repaired
        book.given_up += emission.given_up

    def _judge(self, book: Book, hole: Hole) -> None:
        """Look again at the minutes of a filled hole: no late trade tells of all of them."""
        first_ms = Timeframe.M1.open_time(hole.after_ms)
        for open_time_ms in range(first_ms, hole.before_ms + 1, MINUTE_MS):
            if open_time_ms in book.candles:
                book.put(self._rebuilt(book, open_time_ms))

    def _rebuilt(self, book: Book, open_time_ms: int) -> Candles:
        """Return a closed minute from the stored trades: whole if it was, or by its ids."""
        trades = book.trade_array()
        times = trades["time_ms"]
        inside = trades[(times >= open_time_ms) & (times < open_time_ms + MINUTE_MS)]
        if not len(inside):
            return empty_candles()
        candles = aggregate_minutes(inside, book.spec)
        known = book.candles.get(open_time_ms)
        first, last = int(candles["first_trade_id"][0]), int(candles["last_trade_id"][0])
        # Before the very first trade there is none that could be missing.
        ids = set(range(max(1, first - 1), last + 2))
        was_whole = known is not None and known["source"] != Source.EXCHANGE and known["minutes"]
        candles["minutes"] = bool(was_whole) or ids <= book.trades.keys()
        return candles


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
