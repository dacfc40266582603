"""The running candles of every timeframe, for showing them live."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from marketdata.domain.records import (
    CANDLE_DTYPE,
    UNKNOWN,
    Candles,
    InstrumentSpec,
    Source,
    empty_candles,
)
from marketdata.domain.resampling import resample
from marketdata.domain.timeframe import DAY_MS, HIGHER_TIMEFRAMES, MINUTE_MS, Timeframe


class FormingCandles:
    """Running candles of one instrument: the closed minutes of its UTC day and the forming one.

    For display: what is stored is built from stored minutes.
    """

    def __init__(self, spec: InstrumentSpec, minutes_of_today: Candles) -> None:
        self._spec = spec
        self._day_ms = 0
        # One place for each minute of the day; open_time_ms is 0 where there is none.
        self._minutes = np.zeros(Timeframe.D1.minutes, dtype=CANDLE_DTYPE)
        self._last_ms = 0
        self._windows: dict[Timeframe, np.void] = {}
        self.close(minutes_of_today)

    def close(self, minutes: Candles) -> None:
        """Take closed 1m candles, in order; a minute given again replaces the earlier one."""
        if not len(minutes):
            return
        newest_day_ms = int(minutes["open_time_ms"][-1]) // DAY_MS * DAY_MS
        if newest_day_ms > self._day_ms:
            self._day_ms = newest_day_ms
            self._minutes = np.zeros_like(self._minutes)
        today = minutes[minutes["open_time_ms"] >= self._day_ms]
        self._minutes[(today["open_time_ms"] - self._day_ms) // MINUTE_MS] = today
        self._last_ms = max(self._last_ms, int(minutes["open_time_ms"][-1]))
        self._windows = {
            timeframe: window[0]
            for timeframe in HIGHER_TIMEFRAMES
            if len(window := self._window(timeframe))
        }

    @property
    def is_whole(self) -> bool:
        """Whether every minute from the day's start to the newest closed one is there."""
        number = (self._last_ms - self._day_ms) // MINUTE_MS + 1
        return bool((self._minutes["open_time_ms"][:number] > 0).all())

    def current(self, forming: np.void | None) -> dict[Timeframe, np.void]:
        """Return the running candle of each timeframe that has one, `forming` as that of 1m.

        `forming` is the minute that is not closed yet, None in a minute without trades.
        """
        if forming is None:
            return dict(self._windows)
        minute_ms = int(forming["open_time_ms"])
        current = {Timeframe.M1: forming}
        for timeframe in HIGHER_TIMEFRAMES:
            open_ms = timeframe.open_time(minute_ms)
            window = self._windows.get(timeframe)
            if window is None or window["open_time_ms"] < open_ms:
                current[timeframe] = _started(open_ms, forming)
            elif window["open_time_ms"] == open_ms and minute_ms > self._last_ms:
                current[timeframe] = _continued(window, forming)
            else:
                current[timeframe] = window
        return current

    def _window(self, timeframe: Timeframe) -> Candles:
        """Return the running candle of the newest closed minute's window; empty when it is over."""
        open_ms = timeframe.open_time(self._last_ms)
        if self._last_ms + MINUTE_MS == timeframe.close_time(open_ms):
            return empty_candles()
        first = (open_ms - self._day_ms) // MINUTE_MS
        rows = self._minutes[first : first + timeframe.minutes]
        return resample(rows[rows["open_time_ms"] > 0], timeframe, self._spec)


def _started(open_ms: int, forming: np.void) -> np.void:
    candle = forming.copy()
    candle["open_time_ms"] = open_ms
    return candle


def _continued(window: np.void, forming: np.void) -> np.void:
    candle = window.copy()
    candle["high"] = max(window["high"], forming["high"])
    candle["low"] = min(window["low"], forming["low"])
    candle["close"] = forming["close"]
    for name in ("volume", "quote_volume"):
        candle[name] = _sum(float(window[name]), float(forming[name]))
    is_counted = window["trade_count"] != UNKNOWN and forming["trade_count"] != UNKNOWN
    candle["trade_count"] = (
        window["trade_count"] + forming["trade_count"] if is_counted else UNKNOWN
    )
    if is_counted:
        candle["last_trade_id"] = forming["last_trade_id"]
        if window["first_trade_id"] == UNKNOWN:
            candle["first_trade_id"] = forming["first_trade_id"]
    if window["source"] == Source.FLAT:
        candle["source"] = forming["source"]
    candle["minutes"] = window["minutes"] + forming["minutes"]
    return candle


def _sum(left: float, right: float) -> float:
    return float(Decimal(repr(left)) + Decimal(repr(right)))
