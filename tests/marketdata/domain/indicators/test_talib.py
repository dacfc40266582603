"""Indicators against TA-Lib: the same to 1e-9 where the conventions are, and where they are not."""

from __future__ import annotations

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata.domain.indicators import INDICATORS, compute
from marketdata.domain.timeframe import MINUTE_MS
from tests.marketdata.domain.indicators.market import candles_of, wandering

CANDLES = wandering(3_000)
CLOSE = np.ascontiguousarray(CANDLES["close"])


def ours(key, candles=CANDLES, **params):
    return list(compute(INDICATORS[key], candles, params, step_ms=MINUTE_MS).values())


CASES = {
    "sma": ({"period": 2}, {"period": 20}, {"period": 500}),
    "ema": ({"period": 2}, {"period": 20}, {"period": 500}),
    "wma": ({"period": 2}, {"period": 20}, {"period": 500}),
    "bollinger": ({"period": 2, "deviations": 2.0}, {"period": 200, "deviations": 2.5}),
    "donchian": ({"period": 2}, {"period": 20}, {"period": 500}),
    "rsi": ({"period": 2}, {"period": 14}, {"period": 200}),
    "macd": ({"fast": 12, "slow": 26, "signal": 9}, {"fast": 3, "slow": 5, "signal": 1}),
    "stochastic": (
        {"period": 14, "smoothing": 3, "signal": 3},
        {"period": 50, "smoothing": 1, "signal": 7},
    ),
    "adx": ({"period": 2}, {"period": 14}, {"period": 100}),
    "atr": ({"period": 2}, {"period": 14}, {"period": 200}),
    "deviation": ({"period": 2}, {"period": 20}, {"period": 500}),
    "roc": ({"period": 1}, {"period": 10}, {"period": 500}),
    "obv": ({},),
}


def theirs(key, candles=CANDLES, **params):
    """Return TA-Lib's outputs in the order of ours."""
    high, low, close, volume = (
        np.ascontiguousarray(candles[name]) for name in ("high", "low", "close", "volume")
    )
    values = tuple(params.values())
    match key:
        case "bollinger":
            upper, middle, lower = talib.BBANDS(close, values[0], values[1], values[1])
            return [middle, upper, lower]
        case "donchian":
            upper, lower = talib.MAX(high, *values), talib.MIN(low, *values)
            return [upper, (upper + lower) / 2, lower]
        case "macd":
            return talib.MACD(close, *values)
        case "stochastic":
            return talib.STOCH(high, low, close, values[0], values[1], 0, values[2], 0)
        case "adx":
            functions = (talib.ADX, talib.PLUS_DI, talib.MINUS_DI)
            found = [function(high, low, close, *values) for function in functions]
            # Ours begin together.
            return [np.where(np.isnan(found[0]), np.nan, each) for each in found]
        case "atr":
            return [talib.ATR(high, low, close, *values)]
        case "obv":
            return [talib.OBV(close, volume)]
        case "deviation":
            return [talib.STDDEV(close, *values)]
        case _:
            return [getattr(talib, key.upper())(close, *values)]


def test_every_indicator_that_talib_has_is_compared():
    assert set(CASES) == set(INDICATORS) - {"vwap"}


@pytest.mark.parametrize(
    ("key", "params"),
    [(key, params) for key, cases in CASES.items() for params in cases],
    ids=str,
)
def test_values_and_warm_up_are_those_of_talib(key, params):
    found, expected = ours(key, **params), theirs(key, **params)

    assert len(found) == len(expected)
    for own, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(np.isnan(own), np.isnan(other))
        assert np.count_nonzero(~np.isnan(own)) > 2_000
        np.testing.assert_allclose(own, other, rtol=1e-9, atol=1e-9)


@given(
    st.sampled_from([key for key in CASES if key not in ("bollinger", "deviation")]),
    st.lists(st.integers(1, 10**7), min_size=2, max_size=60),
    st.lists(st.integers(2, 9), min_size=3, max_size=3),
    st.integers(-9, 9).map(lambda exponent: 10.0**exponent),
)
@settings(max_examples=300)
def test_short_series_of_any_size_agree_too(key, closes, periods, unit):
    names = CASES[key][0]
    if key == "macd":
        periods = [periods[0], periods[0] + periods[1], periods[2]]
    params = dict(zip(names, periods, strict=False))
    closes = np.array(closes) * unit
    candles = candles_of(closes, closes * 1.25, closes * 0.5, np.arange(len(closes)) % 5)

    for own, other in zip(
        ours(key, candles, **params), theirs(key, candles, **params), strict=True
    ):
        np.testing.assert_array_equal(np.isnan(own), np.isnan(other))
        if key == "rsi":  # the difference that the next test names
            own = np.where((own == 50) & (other == 0), 0, own)
        scale = 100 if key in ("rsi", "stochastic", "adx", "roc") else np.abs(closes).max()
        np.testing.assert_allclose(own, other, rtol=1e-9, atol=1e-12 * scale)


# Where the conventions differ


def test_without_any_movement_rsi_is_50_where_talib_says_0():
    closes = np.full(30, 7.0)
    assert ours("rsi", candles_of(closes))[0][-1] == 50
    assert talib.RSI(closes, 14)[-1] == 0


def test_without_any_range_stochastic_is_50_where_talib_says_0():
    closes = np.full(30, 7.0)
    assert ours("stochastic", candles_of(closes))[0][-1] == 50
    assert talib.STOCH(closes, closes, closes)[0][-1] == 0


def test_behind_a_jump_talib_keeps_rounding_errors_of_its_size_in_deviations():
    closes = np.array([754.2, 747_979.8, 0.1, 9.4])
    candles = candles_of(closes)
    assert ours("deviation", candles, period=2)[0][-1] == pytest.approx(4.65, rel=1e-14)
    assert ours("bollinger", candles, period=2)[1][-1] == pytest.approx(14.05, rel=1e-14)
    assert talib.STDDEV(closes, 2)[-1] == pytest.approx(4.65, rel=1e-5)
    assert talib.STDDEV(closes, 2)[-1] != pytest.approx(4.65, rel=1e-9)


def test_macd_with_fast_and_slow_exchanged_is_refused_where_talib_exchanges_them_back():
    with pytest.raises(ValueError, match="expected fast below slow"):
        ours("macd", fast=26, slow=12)
    np.testing.assert_array_equal(talib.MACD(CLOSE, 26, 12, 9), talib.MACD(CLOSE, 12, 26, 9))
