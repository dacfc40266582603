"""What every indicator of the registry promises."""

from __future__ import annotations

import numpy as np
import pytest

from marketdata.domain.errors import InvalidCandles, InvalidIndicator
from marketdata.domain.indicators import (
    INDICATORS,
    PRICE_PANE,
    Indicator,
    compute,
    find_indicator,
    parse_indicator,
)
from marketdata.domain.records import CANDLE_DTYPE
from marketdata.domain.timeframe import MINUTE_MS
from tests.marketdata.domain.indicators.market import wandering

CANDLES = wandering(4_000)

every_indicator = pytest.mark.parametrize("indicator", INDICATORS.values(), ids=list(INDICATORS))


def over(indicator, candles, params=None):
    return compute(indicator, candles, params or {}, step_ms=MINUTE_MS)


def test_the_registry_holds_these():
    assert {key: (one.outputs, one.pane) for key, one in INDICATORS.items()} == {
        "sma": (("sma",), PRICE_PANE),
        "ema": (("ema",), PRICE_PANE),
        "wma": (("wma",), PRICE_PANE),
        "bollinger": (("middle", "upper", "lower"), PRICE_PANE),
        "donchian": (("upper", "middle", "lower"), PRICE_PANE),
        "vwap": (("vwap",), PRICE_PANE),
        "rsi": (("rsi",), "rsi"),
        "macd": (("macd", "signal", "histogram"), "macd"),
        "stochastic": (("k", "d"), "stochastic"),
        "adx": (("adx", "plus_di", "minus_di"), "adx"),
        "atr": (("atr",), "atr"),
        "deviation": (("deviation",), "deviation"),
        "roc": (("roc",), "roc"),
        "obv": (("obv",), "obv"),
    }
    assert all(key == one.key for key, one in INDICATORS.items())


@every_indicator
def test_inputs_are_columns_of_candles_and_every_parameter_explains_itself(indicator: Indicator):
    assert set(indicator.inputs) <= set(CANDLE_DTYPE.names or ())
    for parameter in indicator.parameters:
        assert parameter.title
        assert parameter.help.endswith(".")


@every_indicator
def test_outputs_are_as_long_as_the_candles_and_leave_them_alone(indicator: Indicator):
    for length in (0, 1, 5, 200):
        candles = CANDLES[:length].copy()
        outputs = over(indicator, candles)

        assert tuple(outputs) == indicator.outputs
        assert {len(values) for values in outputs.values()} == {length}
        assert candles.tobytes() == CANDLES[:length].tobytes()


@every_indicator
@pytest.mark.parametrize("extent", ["default", "smallest", "largest"])
def test_every_output_is_missing_through_the_warm_up_and_never_after(indicator: Indicator, extent):
    params = {
        "default": {},
        "smallest": smallest(indicator),
        "largest": {each.name: each.max for each in indicator.parameters},
    }[extent]
    warmup = indicator.warmup(params)
    for values in over(indicator, CANDLES, params).values():
        assert np.isnan(values[:warmup]).all()
        assert np.isfinite(values[warmup:]).all()


@every_indicator
def test_a_value_never_depends_on_later_candles(indicator: Indicator):
    whole = over(indicator, CANDLES)
    for length in (1, 20, 40, 777, 3_999):
        for name, values in over(indicator, CANDLES[:length]).items():
            np.testing.assert_array_equal(values, whole[name][:length])


@every_indicator
def test_the_declared_settling_is_enough(indicator: Indicator):
    settling, shown = indicator.settling({}, MINUTE_MS), 100
    whole = over(indicator, CANDLES)
    window = over(indicator, CANDLES[-shown - settling :])

    for name in indicator.outputs:
        every, last = whole[name][-shown:], window[name][-shown:]
        if indicator.key == "obv":  # its level counts from the first candle, its changes do not
            every, last = np.diff(every), np.diff(last)
        assert np.abs(last - every).max() <= 1e-8 * np.abs(every).max()


@every_indicator
def test_columns_of_any_layout_give_the_same_as_an_array_of_candles(indicator: Indicator):
    names = CANDLE_DTYPE.names or ()
    read_only = {name: np.ascontiguousarray(CANDLES[name]) for name in names}
    for column in read_only.values():
        column.flags.writeable = False
    strided = {name: np.repeat(CANDLES[name], 2)[::2] for name in names}

    for name, values in over(indicator, CANDLES).items():
        np.testing.assert_array_equal(over(indicator, read_only)[name], values)
        np.testing.assert_array_equal(over(indicator, strided)[name], values)


@every_indicator
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_prices_that_are_no_numbers_are_refused(indicator: Indicator, wrong):
    candles = CANDLES[:50].copy()
    for name in ("high", "low", "close", "volume"):
        candles[name][30] = wrong

    with pytest.raises(InvalidCandles, match="expected finite numbers"):
        over(indicator, candles)


@every_indicator
def test_a_parameter_out_of_bounds_or_unknown_is_refused(indicator: Indicator):
    for parameter in indicator.parameters:
        wrong = [parameter.min - 1, parameter.max + 1, float("nan")]
        if parameter.is_whole:
            wrong.append(parameter.min + 0.5)
        for value in wrong:
            with pytest.raises(InvalidIndicator, match=parameter.name):
                over(indicator, CANDLES, {parameter.name: value})
    with pytest.raises(InvalidIndicator, match=f"{indicator.key} has no parameter 'x'"):
        indicator.warmup({"x": 1})


@every_indicator
def test_the_bounds_themselves_are_allowed(indicator: Indicator):
    largest = {each.name: each.max for each in indicator.parameters}
    assert indicator.resolve(smallest(indicator)) == smallest(indicator)
    assert indicator.resolve(largest) == largest
    for parameter in indicator.parameters:
        assert parameter.min <= parameter.default <= parameter.max


def smallest(indicator):
    return {each.name: each.min for each in indicator.parameters}


def test_a_text_names_an_indicator_and_its_parameters():
    assert parse_indicator("rsi:21") == (INDICATORS["rsi"], {"period": 21})
    assert parse_indicator(" sma ") == (INDICATORS["sma"], {"period": 20})
    assert parse_indicator("obv") == (INDICATORS["obv"], {})
    assert parse_indicator("macd:5:35") == (
        INDICATORS["macd"],
        {"fast": 5, "slow": 35, "signal": 9},
    )
    assert parse_indicator("bollinger:20:2.5")[1] == {"period": 20, "deviations": 2.5}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zigzag:1", "expected one of sma, ema, wma, bollinger, .*; was 'zigzag'"),
        ("sma:twenty", "expected numbers after sma:; was 'sma:twenty'"),
        ("sma:20:30", "sma takes 1 values; 2 were given"),
        ("obv:1", "obv takes 0 values; 1 were given"),
        ("sma:0", "expected period from 1 to 500; was 0"),
        ("sma:2.5", "expected a whole number for period; was 2.5"),
        ("macd:26:12", "expected fast below slow; were 26 and 12"),
        ("", "expected one of"),
    ],
)
def test_a_text_that_names_nothing_is_refused_with_the_choices(text, message):
    with pytest.raises(InvalidIndicator, match=message):
        parse_indicator(text)


def test_an_unknown_key_lists_the_choices():
    with pytest.raises(InvalidIndicator, match="expected one of sma, ema"):
        find_indicator("kdj")
