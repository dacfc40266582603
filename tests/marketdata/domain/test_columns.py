"""Columns of candles tell what an array of the same candles tells."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from marketdata.domain.columns import COLUMN_TYPES, CandleColumns
from marketdata.domain.records import InstrumentSpec, Source, empty_candles
from marketdata.domain.resampling import resample
from marketdata.domain.series import Series
from marketdata.domain.timeframe import MINUTE_MS, Timeframe
from tests.marketdata.api.conftest import minutes

SPEC = InstrumentSpec("BTC-USDT", Decimal("0.1"), Decimal("0.00000001"))


def market(count=6000):
    rng = np.random.default_rng(5)
    candles = minutes(count)
    candles["close"] = np.round(60_000 + rng.normal(0, 30, count).cumsum(), 1)
    candles["open"] = np.append(60_000, candles["close"][:-1])
    candles["high"] = np.maximum(candles["open"], candles["close"]) + 5
    candles["low"] = np.minimum(candles["open"], candles["close"]) - 5
    candles["volume"] = np.round(rng.gamma(1, 2, count), 8)
    candles["source"] = rng.choice([int(one) for one in Source], count, p=(0.6, 0.1, 0.1, 0.2))
    return candles[rng.random(count) > 0.0003]


@pytest.mark.parametrize("timeframe", [Timeframe.M5, Timeframe.H1, Timeframe.D1])
def test_longer_candles_have_the_bits_of_the_stored_ones(timeframe):
    candles = market()
    stored = resample(candles, timeframe, SPEC)
    made = CandleColumns.of(candles).resampled(timeframe, SPEC)
    whole = stored[stored["minutes"] == timeframe.minutes]
    for name, kind in COLUMN_TYPES.items():
        assert made[name].dtype == kind
        assert made[name].tobytes() == np.ascontiguousarray(whole[name]).tobytes(), name


def test_nothing_makes_nothing():
    assert len(CandleColumns.of(empty_candles()).resampled(Timeframe.H1, SPEC)) == 0


def test_a_series_of_columns_tells_what_one_of_an_array_tells():
    candles = market()
    columns = CandleColumns.of(candles)
    one, other = (Series(Timeframe.M1, SPEC, rows) for rows in (candles, columns))
    for name in ("open_times", "close_times", "open", "high", "low", "close", "volume"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes()
    assert (one.is_flat == other.is_flat).all()
    assert (one.is_complete == other.is_complete).all()
    assert (
        one.indicator("ema", period=9)["ema"].tobytes()
        == other.indicator("ema", period=9)["ema"].tobytes()
    )
    longer = other.higher("15m")
    assert one.align(one.higher("15m"), one.higher("15m").close).tobytes() == (
        other.align(longer, longer.close).tobytes()
    )
    assert len(other.first(7)) == 7


def test_a_candle_is_looked_up_by_its_number():
    candles = market(10)
    row = CandleColumns.of(candles)[-1]
    assert row["open_time_ms"] == candles["open_time_ms"][-1]
    assert (row["close"], row["open_time_ms"] % MINUTE_MS) == (candles["close"][-1], 0)


def test_columns_of_a_series_are_not_copied():
    columns = CandleColumns.of(market(100))
    assert Series(Timeframe.M1, SPEC, columns).close is columns.close
