"""Higher candles from 1m candles, cut in UTC."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marketdata.domain.decimals import (
    Floats,
    Indices,
    Units,
    decimals_of,
    group_sums,
    to_floats,
    to_units,
)
from marketdata.domain.minutes import group_starts
from marketdata.domain.records import (
    CANDLE_DTYPE,
    UNKNOWN,
    Candles,
    InstrumentSpec,
    Source,
    empty_candles,
)
from marketdata.domain.timeframe import HIGHER_TIMEFRAMES, Timeframe

_EXACT: Final = 2**53
# The step of fractions in sums of floats: every float64 from 1 up is a multiple of it, and the
# fractions of a day's minutes still fit an int64 together.
_STEPS: Final = 2.0**52
_NO_ID: Final = np.iinfo(np.int64).max


def resample(minutes: Candles, timeframe: Timeframe, spec: InstrumentSpec) -> Candles:
    """Return the candles of `timeframe` that the 1m candles `minutes` make, ascending.

    `minutes` are ascending, each once; missing ones are allowed, and a window with any minute
    makes a candle whose `minutes` counts the whole ones: it is complete at timeframe.minutes.
    Volumes are added exactly and rounded once (the quote volume to 1e-12 where its digits do not
    fit a float64). Source: FLAT when all are flat, otherwise the worst of the others, in the
    order TRADES, EXCHANGE, IMPORTED. The trade count is UNKNOWN if it is for any minute, and so
    are the ids then. `closed_at_ms` is the latest of the minutes', `revision` is 0.
    """
    if not len(minutes):
        return empty_candles()
    return _Resampler(minutes, spec).candles(timeframe)


def resample_all(minutes: Candles, spec: InstrumentSpec) -> dict[Timeframe, Candles]:
    """Return `resample` for every timeframe above 1m, in about half the time of single calls."""
    if not len(minutes):
        return {timeframe: empty_candles() for timeframe in HIGHER_TIMEFRAMES}
    resampler = _Resampler(minutes, spec)
    return {timeframe: resampler.candles(timeframe) for timeframe in HIGHER_TIMEFRAMES}


class _Resampler:
    """The minutes' columns, made ready once for any number of timeframes."""

    def __init__(self, minutes: Candles, spec: InstrumentSpec) -> None:
        self._column: dict[str, NDArray[Any]] = {
            name: np.ascontiguousarray(minutes[name]) for name in CANDLE_DTYPE.names or ()
        }
        base_decimals = decimals_of(spec.lot_size) + decimals_of(spec.contract_value)
        self._volume = to_units(self._column["volume"], base_decimals)
        self._quote = _QuoteSums(
            self._column["quote_volume"], base_decimals + decimals_of(spec.tick_size)
        )

    def candles(self, timeframe: Timeframe) -> Candles:
        column = self._column
        window = column["open_time_ms"] // timeframe.ms
        starts = group_starts(window)
        ends = np.append(starts[1:], len(window)) - 1
        candles = np.zeros(len(starts), dtype=CANDLE_DTYPE)
        candles["open_time_ms"] = window[starts] * timeframe.ms
        candles["open"] = column["open"][starts]
        candles["high"] = np.maximum.reduceat(column["high"], starts)
        candles["low"] = np.minimum.reduceat(column["low"], starts)
        candles["close"] = column["close"][ends]
        volume = group_sums(self._volume.values, starts)
        candles["volume"] = to_floats(Units(volume, self._volume.decimals))
        candles["quote_volume"] = self._quote.sums(starts)
        candles["minutes"] = np.add.reduceat(column["minutes"], starts)
        candles["closed_at_ms"] = np.maximum.reduceat(column["closed_at_ms"], starts)
        candles["source"] = self._source(starts)
        self._count_trades(candles, starts)
        return candles

    def _source(self, starts: Indices) -> NDArray[Any]:
        source = self._column["source"]
        worst = np.maximum.reduceat(np.where(source == Source.FLAT, -1, source), starts)
        return np.where(worst < 0, int(Source.FLAT), worst)

    def _count_trades(self, candles: Candles, starts: Indices) -> None:
        count, first = self._column["trade_count"], self._column["first_trade_id"]
        known = np.minimum.reduceat(count, starts) >= 0
        candles["trade_count"] = np.where(known, np.add.reduceat(count, starts), UNKNOWN)
        lowest = np.minimum.reduceat(np.where(first < 0, _NO_ID, first), starts)
        highest = np.maximum.reduceat(self._column["last_trade_id"], starts)
        has_ids = known & (lowest != _NO_ID)
        candles["first_trade_id"] = np.where(has_ids, lowest, UNKNOWN)
        candles["last_trade_id"] = np.where(has_ids, highest, UNKNOWN)


class _QuoteSums:
    """Sums of quote volumes: of the decimals where the minutes are such, otherwise of the floats.

    A quote volume may have more digits than a float64 holds; its minute is then only the nearest
    float. Whole and fractional parts are added as integers, so that the result depends on the
    window's minutes alone and not on what else was handed in.
    """

    def __init__(self, values: Floats, decimals: int) -> None:
        self._decimals = decimals
        power = 10.0**self._decimals
        scaled = np.rint(values * power)
        self._is_exact = (scaled / power == values) & (scaled < _EXACT)
        self._units = np.where(self._is_exact, scaled, 0.0).astype(np.int64)
        self._has_rest = not bool(self._is_exact.all())
        if self._has_rest:
            whole = np.floor(values)
            fraction = (values - whole) * _STEPS
            self._whole = whole.astype(np.int64)
            self._fraction = np.rint(fraction).astype(np.int64)

    def sums(self, starts: Indices) -> Floats:
        exact = to_floats(Units(group_sums(self._units, starts), self._decimals))
        if not self._has_rest:
            return exact
        whole = np.add.reduceat(self._whole, starts).astype(np.float64)
        fraction = np.add.reduceat(self._fraction, starts) / _STEPS
        is_exact = np.logical_and.reduceat(self._is_exact, starts)
        return np.where(is_exact, exact, whole + fraction)
