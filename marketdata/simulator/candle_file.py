"""Recorded 1m candles served as history: a market that has no trade, only bars."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

import numpy as np

from marketdata.simulator import decimals
from marketdata.simulator.bars import Bars, split_turnover
from marketdata.simulator.instruments import Instrument, tape_instrument
from marketdata.simulator.market import MINUTE_MS
from marketdata.simulator.matches import NO_MATCHES, Matches
from marketdata.simulator.tape import open_text

_PRICES: Final = slice(1, 5)
_VOLUME: Final = 5


class CandleMarket:
    """One instrument with the candles of a file: nothing before, between or after them.

    The file is a JSON array, plain or gzipped, of [open time in UTC ms, open, high, low, close,
    volume in base currency], ascending. The quote volume, which it does not say, is served as
    volume x (high + low + close) / 3.
    """

    def __init__(self, file: Path, symbol: str) -> None:
        with open_text(file) as stream:
            rows = json.load(stream, parse_float=Decimal, parse_int=Decimal)
        if not rows:
            raise ValueError(f"{file}: expected at least one candle")
        prices = [[_text(value) for value in row[_PRICES]] for row in rows]
        volumes = [_text(row[_VOLUME]) for row in rows]
        self._instrument = tape_instrument(
            symbol,
            max(decimals.digits_of(price) for row in prices for price in row),
            max(map(decimals.digits_of, volumes)),
        )
        self._name = file.name
        minutes = np.array([int(row[0]) // MINUTE_MS for row in rows], np.int64)
        if np.any(np.diff(minutes) <= 0):
            raise ValueError(f"{file}: expected candles in strict order of open time")
        self._bars = _bars(self._instrument, minutes, prices, volumes)

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return {self._instrument.symbol: self._instrument}

    @property
    def identity(self) -> str:
        minutes = self._bars.minutes
        return f"candles {self._name}, minutes {minutes[0]} to {minutes[-1]}"

    @property
    def end_ms(self) -> int | None:
        return None

    @property
    def after_ms(self) -> int:
        """The first minute after the last candle is over: all of them are confirmed."""
        return (int(self._bars.minutes[-1]) + 2) * MINUTE_MS

    def first_minute(self, symbol: str) -> int:
        return int(self._bars.minutes[0])

    def matches(self, symbol: str, after_ms: int, until_ms: int) -> Matches:
        return NO_MATCHES

    def matches_before(self, symbol: str, before_id: int, limit: int) -> Matches:
        return NO_MATCHES

    def last_id(self, symbol: str, now_ms: int) -> int:
        return 0

    def bars(self, symbol: str, first_minute: int, end_minute: int) -> Bars:
        return self._bars.between(first_minute, end_minute)


def _bars(
    instrument: Instrument,
    minutes: np.ndarray[tuple[int], np.dtype[np.int64]],
    prices: list[list[str]],
    volumes: list[str],
) -> Bars:
    ticks = np.array(
        [[decimals.units(price, instrument.price_digits) for price in row] for row in prices],
        np.int64,
    )
    lots = np.array(
        [decimals.units(volume, instrument.size_digits) for volume in volumes], np.int64
    )
    opens, highs, lows, closes = (np.ascontiguousarray(ticks[:, column]) for column in range(4))
    typical = (highs + lows + closes) // 3
    return Bars(minutes, opens, highs, lows, closes, lots, *split_turnover(typical, lots))


def _text(value: Decimal) -> str:
    return format(value, "f")
