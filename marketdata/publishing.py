"""Live market data on its way to browsers: candles and tickers of one exchange, and states.

Topics: `candles:<exchange>:<symbol>:<timeframe>`, `tickers:<exchange>`, `collectors`, `gaps`,
`health`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from marketdata.domain.records import Candles, Ticker
from marketdata.domain.timeframe import HIGHER_TIMEFRAMES, MINUTE_MS, Timeframe
from tcpdashboard.common.conflation import ConflatingPublisher
from tcpdashboard.common.realtime import TopicPublisher, notify

COLLECTORS_TOPIC: Final = "collectors"
GAPS_TOPIC: Final = "gaps"
HEALTH_TOPIC: Final = "health"

MAX_CLOSED_AT_ONCE: Final = 30
"""Closed minutes of one call that are told one by one; of more, the last ones are told."""


def candles_topic(exchange: str, symbol: str, timeframe: Timeframe) -> str:
    """Return the topic of one series of candles."""
    return f"candles:{exchange}:{symbol}:{timeframe}"


def tickers_topic(exchange: str) -> str:
    """Return the topic of an exchange's last prices."""
    return f"tickers:{exchange}"


def publish_collectors(collectors: Iterable[Mapping[str, Any]]) -> bool:
    """Tell the state of all collectors; return whether it went out. Never raises."""
    return notify(COLLECTORS_TOPIC, {"collectors": list(collectors)})


def publish_gaps(gaps: Mapping[str, Any]) -> bool:
    """Tell how all gaps stand; return whether it went out. Never raises."""
    return notify(GAPS_TOPIC, {"gaps": dict(gaps)})


def publish_health(health: Mapping[str, Any]) -> bool:
    """Tell the system's health; return whether it went out. Never raises."""
    return notify(HEALTH_TOPIC, {"health": dict(health)})


class LivePublisher:
    """The collector's way to browsers; implements `marketdata.collector.ports.Publisher`.

    `swaps` are the symbols whose ticker volumes are in contracts and base currency; more may be
    added. Calls cost microseconds, never block and never raise; a thread of its own talks to Redis.
    """

    def __init__(self, exchange: str, redis_url: str, swaps: Collection[str] = ()) -> None:
        self._exchange = exchange
        self.swaps = set(swaps)
        self._tickers: dict[str, dict[str, Any]] = {}
        self._windows: dict[str, HigherWindows] = {}
        self._out = ConflatingPublisher(TopicPublisher(redis_url), f"publisher-{exchange}")

    def forming(self, symbol: str, candles: Mapping[Timeframe, np.void], exchange_ms: int) -> None:
        """Show the running candles of every timeframe."""
        running = {timeframe: LiveCandle.of(record) for timeframe, record in candles.items()}
        self._windows_of(symbol).running(running)
        for timeframe, candle in running.items():
            self._offer(symbol, timeframe, candle, exchange_ms, is_closed=False)

    def closed(self, symbol: str, minutes: Candles, exchange_ms: int) -> None:
        """Tell that 1m candles were closed and stored, and which higher ones that closes.

        Of a long catch-up only the last candles are told; readers see the hole and ask REST.
        """
        closed: dict[Timeframe, list[LiveCandle]] = {}
        windows = self._windows_of(symbol)
        for record in minutes:
            minute = LiveCandle.of(record)
            closed.setdefault(Timeframe.M1, []).append(minute)
            for timeframe, candle in windows.close(minute):
                closed.setdefault(timeframe, []).append(candle)
        for timeframe, candles in closed.items():
            skipped = max(len(candles) - MAX_CLOSED_AT_ONCE, 0)
            for candle in candles[skipped:]:
                self._offer(symbol, timeframe, candle, exchange_ms, is_closed=True, skipped=skipped)
                skipped = 0

    def ticker(self, ticker: Ticker) -> None:
        """Show an instrument's last state: the topic carries all instruments' states."""
        quote_volume = ticker.volume_ccy_24h
        if ticker.symbol in self.swaps:
            quote_volume *= ticker.last
        change = ticker.last / ticker.open_24h - 1 if ticker.open_24h else None
        # A new map each time: the one offered before may be on its way.
        self._tickers = {
            **self._tickers,
            ticker.symbol: {
                "last": ticker.last,
                "change_24h": change,
                "volume_24h_quote": quote_volume,
                "bid": ticker.bid,
                "ask": ticker.ask,
                "time_ms": ticker.time_ms,
            },
        }
        self._out.offer(tickers_topic(self._exchange), {"tickers": self._tickers})

    def close(self) -> None:
        """Publish what waits and end the thread, within 3 s."""
        self._out.close()

    def _windows_of(self, symbol: str) -> HigherWindows:
        return self._windows.setdefault(symbol, HigherWindows())

    def _offer(
        self,
        symbol: str,
        timeframe: Timeframe,
        candle: LiveCandle,
        exchange_ms: int,
        *,
        is_closed: bool,
        skipped: int = 0,
    ) -> None:
        payload = {"candle": candle.row(is_closed), "exchange_ms": exchange_ms}
        topic = candles_topic(self._exchange, symbol, timeframe)
        self._out.offer(topic, payload, final=is_closed, skipped=skipped)


@dataclass(frozen=True, slots=True)
class LiveCandle:
    """The part of a candle that charts draw."""

    open_time_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float

    @classmethod
    def of(cls, record: np.void) -> LiveCandle:
        """Copy the figures out of a record of CANDLE_DTYPE."""
        return cls(*record.item()[:6])

    def row(self, is_closed: bool) -> list[float]:
        """Return the wire form: open_ms, open, high, low, close, volume, closed 0/1."""
        return [
            self.open_time_ms,
            self.open,
            self.high,
            self.low,
            self.close,
            self.volume,
            int(is_closed),
        ]

    def joined(self, later: LiveCandle) -> LiveCandle:
        """Return the candle over this one and the `later` one."""
        return LiveCandle(
            self.open_time_ms,
            self.open,
            max(self.high, later.high),
            min(self.low, later.low),
            later.close,
            self.volume + later.volume,
        )

    def without_volume_of(self, part: LiveCandle) -> LiveCandle:
        """Return this candle less the volume of its running `part`."""
        return LiveCandle(
            self.open_time_ms,
            self.open,
            self.high,
            self.low,
            self.close,
            max(self.volume - part.volume, 0.0),
        )


class HigherWindows:
    """One instrument's running higher candles, to tell their closing with their last values.

    For each timeframe it keeps the candle over the closed minutes of the window and the open time
    of the minute that comes next. A window whose minutes were not all seen is not told; the page
    gets it from REST. Volumes are float sums: pictures, the stored candles are exact.
    """

    def __init__(self) -> None:
        self._parts: dict[Timeframe, tuple[LiveCandle, int]] = {}

    def running(self, candles: Mapping[Timeframe, LiveCandle]) -> None:
        """Take the closed part of a window that began before this object did."""
        minute = candles.get(Timeframe.M1)
        if minute is None:
            return
        for timeframe in HIGHER_TIMEFRAMES:
            candle, known = candles.get(timeframe), self._parts.get(timeframe)
            opens_window = timeframe.open_time(minute.open_time_ms) == minute.open_time_ms
            is_known = known is not None and known[1] == minute.open_time_ms
            if candle is not None and not opens_window and not is_known:
                part = candle.without_volume_of(minute)
                self._parts[timeframe] = part, minute.open_time_ms

    def close(self, minute: LiveCandle) -> list[tuple[Timeframe, LiveCandle]]:
        """Add a closed minute and return the higher candles that end with it."""
        ended: list[tuple[Timeframe, LiveCandle]] = []
        next_minute = minute.open_time_ms + MINUTE_MS
        for timeframe in HIGHER_TIMEFRAMES:
            candle = self._extended(timeframe, minute)
            if candle is None:
                self._parts.pop(timeframe, None)
                continue
            self._parts[timeframe] = candle, next_minute
            if timeframe.open_time(next_minute) == next_minute:
                ended.append((timeframe, candle))
        return ended

    def _extended(self, timeframe: Timeframe, minute: LiveCandle) -> LiveCandle | None:
        if timeframe.open_time(minute.open_time_ms) == minute.open_time_ms:
            return minute
        known = self._parts.get(timeframe)
        if known is None or known[1] != minute.open_time_ms:
            return None
        return known[0].joined(minute)
