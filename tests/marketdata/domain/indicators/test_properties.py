"""What holds for any candles: bounds, scale, constants, and plain loops."""

from __future__ import annotations

import math
from fractions import Fraction
from operator import mul

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata.domain.indicators import INDICATORS, compute
from marketdata.domain.timeframe import MINUTE_MS
from tests.marketdata.domain.indicators.market import START_MS, candles_of

WITHOUT_UNIT = {"rsi", "stochastic", "adx", "roc"}

indicators = st.sampled_from(list(INDICATORS.values()))
prices = st.floats(1e-6, 1e9)
rows = st.lists(
    st.tuples(prices, st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0, 1e9)), max_size=80
)


def market(drawn):
    """Return candles of (close, reach above, reach below, volume); reach 0 and volume 0: flat."""
    closes, above, below, volumes = np.array(drawn, dtype=float).reshape(-1, 4).T
    return candles_of(closes, closes * (1 + above), closes * (1 - below), volumes)


def small(indicator):
    """Return parameters short enough for a short series."""
    return {
        each.name: {"slow": 7, "hours": 1, "ddof": 0, "deviations": 2.0}.get(each.name, 4)
        for each in indicator.parameters
    }


def over(indicator, candles, params):
    return compute(indicator, candles, params, step_ms=MINUTE_MS)


@given(indicators, rows)
@settings(max_examples=300)
def test_values_are_finite_behind_the_warm_up_and_missing_before(indicator, drawn):
    params = small(indicator)
    warmup = indicator.warmup(params)
    for values in over(indicator, market(drawn), params).values():
        assert len(values) == len(drawn)
        assert np.isnan(values[:warmup]).all()
        assert np.isfinite(values[warmup:]).all()


@given(rows)
@settings(max_examples=200)
def test_values_stay_within_their_bounds(drawn):
    candles = market(drawn)
    found = {key: over(one, candles, small(one)) for key, one in INDICATORS.items()}
    for key, name in (("rsi", "rsi"), ("stochastic", "k"), ("stochastic", "d"), ("adx", "adx")):
        values = found[key][name]
        values = values[np.isfinite(values)]
        assert ((values >= -1e-9) & (values <= 100 + 1e-9)).all()
    for key, name in (("deviation", "deviation"), ("atr", "atr")):
        assert (np.nan_to_num(found[key][name]) >= 0).all()
    bands = found["bollinger"]
    assert not (bands["lower"] > bands["middle"]).any()
    assert not (bands["middle"] > bands["upper"]).any()
    channel = found["donchian"]
    assert not (channel["lower"] > channel["middle"]).any()
    assert not (channel["middle"] > channel["upper"]).any()
    assert not (candles["high"] > channel["upper"]).any()


@given(indicators, rows, st.integers(-100, 100))
@settings(max_examples=300)
def test_a_unit_twice_as_large_changes_no_digit(indicator, drawn, power):
    # Powers of two round nothing, so huge and tiny prices must give the very same digits.
    params, unit = small(indicator), 2.0**power
    candles = market(drawn)
    scaled = candles.copy()
    for name in ("open", "high", "low", "close", "volume"):
        scaled[name] *= unit
    factor = 1.0 if indicator.key in WITHOUT_UNIT else unit

    for name, values in over(indicator, scaled, params).items():
        np.testing.assert_array_equal(values, over(indicator, candles, params)[name] * factor)


@given(indicators, prices, st.integers(0, 60))
@settings(max_examples=200)
def test_a_price_that_never_moves_gives_itself_or_nothing(indicator, price, count):
    itself = {"sma", "ema", "wma", "bollinger", "donchian"}
    at_rest = {"rsi": 50.0, "stochastic": 50.0, "obv": 1.0}
    params = small(indicator)
    for values in over(indicator, candles_of([price] * count), params).values():
        known = values[indicator.warmup(params) :]
        if indicator.key == "vwap":
            assert known == pytest.approx(price, rel=1e-15)
            continue
        expected = price if indicator.key in itself else at_rest.get(indicator.key, 0.0)
        assert set(known.tolist()) <= {expected}


SERIES = st.lists(st.integers(1, 10**7).map(lambda cents: cents / 100), min_size=1, max_size=80)


@given(SERIES, st.integers(2, 30), st.integers(0, 1))
def test_windows_equal_plain_loops(closes, period, ddof):
    candles = candles_of(closes)
    found = {
        key: next(iter(over(INDICATORS[key], candles, params).values())).tolist()
        for key, params in (
            ("sma", {"period": period}),
            ("wma", {"period": period}),
            ("deviation", {"period": period, "ddof": ddof}),
        )
    }
    for end in range(period, len(closes) + 1):
        window = closes[end - period : end]
        mean = math.fsum(window) / period
        squares = math.fsum((value - mean) ** 2 for value in window)
        weighted = math.fsum((n + 1) * value for n, value in enumerate(window))
        assert found["sma"][end - 1] == pytest.approx(mean, rel=1e-12)
        assert found["wma"][end - 1] == pytest.approx(
            weighted * 2 / (period * (period + 1)), rel=1e-12
        )
        assert found["deviation"][end - 1] == pytest.approx(
            math.sqrt(squares / (period - ddof)), rel=1e-9, abs=1e-9
        )


@given(rows, st.sampled_from([1, 2, 3, 24, 168]))
@settings(max_examples=50)
def test_vwap_equals_a_plain_loop(drawn, hours):
    candles = market(drawn)
    candles["open_time_ms"] += np.arange(len(candles)) * 9 * MINUTE_MS
    found = over(INDICATORS["vwap"], candles, {"hours": hours})["vwap"]
    sessions = (candles["open_time_ms"] - START_MS) // (hours * 3_600_000)  # from a Monday
    for index, row in enumerate(candles):
        part = candles[: index + 1][sessions[: index + 1] == sessions[index]]
        typical = (part["high"] + part["low"] + part["close"]) / 3
        # Exactly: products with the smallest volumes there are would lose all their digits.
        volumes = [Fraction(volume) for volume in part["volume"].tolist()]
        weighted = sum(map(mul, volumes, map(Fraction, typical.tolist())), Fraction(0))
        rest = (row["high"] + row["low"] + row["close"]) / 3
        expected = float(weighted / sum(volumes)) if any(volumes) else rest
        # A price that hardly counts may be the anchor: it costs digits of its own size.
        assert found[index] == pytest.approx(expected, rel=1e-9, abs=1e-14 * typical.max())
