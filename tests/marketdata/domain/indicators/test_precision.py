"""A million values: nothing drifts, and an offset costs no digits."""

from __future__ import annotations

import math

import numpy as np
import pytest

from marketdata.domain.indicators import INDICATORS, compute
from marketdata.domain.timeframe import MINUTE_MS
from tests.marketdata.domain.indicators.market import candles_of

COUNT = 1_000_000
OFFSET = 1e9
ULP = math.ulp(OFFSET)
PLACES = np.linspace(600, COUNT - 1, 200).astype(int)


@pytest.fixture(scope="module")
def low():
    """A million candles around zero; in units of 2 ** -20, so that sums with OFFSET are exact."""
    chance = np.random.default_rng(5)
    closes = np.round(np.cumsum(chance.normal(0, 0.05, COUNT)) * 2**20) / 2**20
    reach = np.round(chance.exponential(0.1, (2, COUNT)) * 2**20) / 2**20
    return candles_of(closes, closes + reach[0], closes - reach[1], chance.gamma(2, 3, COUNT))


@pytest.fixture(scope="module")
def high(low):
    """The same candles, OFFSET higher."""
    candles = low.copy()
    for name in ("open", "high", "low", "close"):
        candles[name] += OFFSET
    return candles


def over(key, candles, **params):
    return compute(INDICATORS[key], candles, params, step_ms=MINUTE_MS)


@pytest.mark.parametrize("key", ["rsi", "atr", "adx", "stochastic", "donchian"])
def test_what_is_made_of_differences_does_not_see_an_offset_at_all(low, high, key):
    lifted = OFFSET if key == "donchian" else 0
    for name, values in over(key, low).items():
        np.testing.assert_allclose(
            over(key, high)[name], values + lifted, rtol=0, atol=lifted * 1e-16
        )


@pytest.mark.parametrize(("key", "period"), [("sma", 500), ("wma", 500), ("bollinger", 500)])
def test_means_over_a_window_are_right_to_the_last_digits_to_the_end(low, high, key, period):
    (name, *_) = INDICATORS[key].outputs
    found = over(key, high, period=period)[name]
    weights = range(1, period + 1) if key == "wma" else [1] * period
    for place in PLACES:
        window = low["close"][place - period + 1 : place + 1].tolist()
        exact = math.fsum(w * x for w, x in zip(weights, window, strict=True)) / sum(weights)
        assert abs(found[place] - OFFSET - exact) <= ULP


@pytest.mark.parametrize("period", [2, 20, 500])
def test_deviations_are_right_to_1e_9_to_the_end(low, high, period):
    found = over("deviation", high, period=period)["deviation"]
    bands = over("bollinger", high, period=period)
    for place in PLACES:
        window = low["close"][place - period + 1 : place + 1].tolist()
        mean = math.fsum(window) / period
        exact = math.sqrt(math.fsum((value - mean) ** 2 for value in window) / period)
        assert found[place] == pytest.approx(exact, rel=1e-9)
        assert bands["upper"][place] - bands["lower"][place] == pytest.approx(
            4 * exact, abs=4 * ULP
        )


@pytest.mark.parametrize(("key", "weight"), [("ema", 2 / 21), ("macd", 2 / 27)])
def test_recursive_averages_forget_their_rounding(low, high, key, weight):
    # Each candle rounds by half a unit in the last place, of which 1 - weight is left by the next.
    lifted = OFFSET if key == "ema" else 0
    for name, values in over(key, low).items():
        error = np.abs(over(key, high)[name][100:] - lifted - values[100:])
        assert error.max() <= 4 * ULP / weight
        assert error[-100_000:].max() <= 2 * error[:100_000].max()


def test_obv_is_the_exact_sum_after_a_million_volumes(low):
    candles = low.copy()
    candles["volume"] = np.where(np.arange(COUNT) % 1000 == 0, 1e12, 0.1)
    signs = np.sign(np.diff(candles["close"], prepend=candles["close"][0] - 1))
    found = over("obv", candles)["obv"]
    changes = (signs * candles["volume"]).tolist()

    for place in PLACES[::20]:
        assert found[place] == pytest.approx(math.fsum(changes[: place + 1]), rel=1e-15)


def test_vwap_is_right_at_the_end_of_every_session(low, high):
    found = over("vwap", high, hours=168)["vwap"]
    week = 7 * 1440
    for start in range(0, COUNT - week, 9 * week):
        part = low[start : start + week]
        typical = (part["high"] + part["low"] + part["close"]) / 3
        exact = math.fsum(typical * part["volume"]) / math.fsum(part["volume"])
        assert abs(found[start + week - 1] - OFFSET - exact) <= 2 * ULP


def test_a_constant_price_is_its_own_average_after_any_history(low):
    candles = low[:10_000].copy()
    candles["close"][5_000:] = candles["high"][5_000:] = candles["low"][5_000:] = 0.1
    for key in ("sma", "wma", "donchian"):
        for values in over(key, candles).values():
            assert set(values[5_600:].tolist()) == {0.1}
    assert set(over("deviation", candles)["deviation"][5_600:].tolist()) == {0.0}
    assert np.abs(over("macd", candles)["histogram"][9_000:]).max() < 1e-30
