"""What every indicator of the registry promises."""

from __future__ import annotations

import numpy as np
import pytest

from marketdata.domain.errors import InvalidIndicator
from marketdata.domain.indicators import (
    INDICATORS,
    PRICE_PANE,
    Indicator,
    find_indicator,
    parse_indicator,
)

CLOSES = 60_000 + np.cumsum(np.random.default_rng(3).normal(0, 20, 3_000))

every_indicator = pytest.mark.parametrize("indicator", INDICATORS.values(), ids=list(INDICATORS))


def test_the_registry_holds_these():
    assert {key: (one.outputs, one.pane) for key, one in INDICATORS.items()} == {
        "sma": (("sma",), PRICE_PANE),
        "ema": (("ema",), PRICE_PANE),
        "bollinger": (("middle", "upper", "lower"), PRICE_PANE),
        "rsi": (("rsi",), "rsi"),
        "macd": (("macd", "signal", "histogram"), "macd"),
    }
    assert all(key == one.key for key, one in INDICATORS.items())


@every_indicator
def test_outputs_are_as_long_as_the_closes_and_leave_them_alone(indicator: Indicator):
    for length in (0, 1, 5, 200):
        closes = CLOSES[:length].copy()
        outputs = indicator.compute(closes, {})

        assert tuple(outputs) == indicator.outputs
        assert {len(values) for values in outputs.values()} == {length}
        assert closes.tolist() == CLOSES[:length].tolist()


@every_indicator
def test_values_are_missing_only_at_the_start(indicator: Indicator):
    for values in indicator.compute(CLOSES, {}).values():
        known = ~np.isnan(values)
        first = int(np.argmax(known))
        assert known[first:].all()
        assert first <= indicator.warmup({})


@every_indicator
def test_a_value_never_depends_on_later_closes(indicator: Indicator):
    whole = indicator.compute(CLOSES, {})
    for length in (20, 40, 777, 2_999):
        for name, values in indicator.compute(CLOSES[:length], {}).items():
            np.testing.assert_array_equal(values, whole[name][:length])


@every_indicator
def test_the_declared_warm_up_is_enough(indicator: Indicator):
    warmup, shown = indicator.warmup({}), 100
    whole = indicator.compute(CLOSES, {})
    window = indicator.compute(CLOSES[-shown - warmup :], {})

    for name in indicator.outputs:
        scale = np.abs(whole[name][-shown:]).max()
        difference = np.abs(window[name][-shown:] - whole[name][-shown:]).max()
        assert difference <= 1e-8 * scale


@every_indicator
def test_a_parameter_out_of_bounds_or_unknown_is_refused(indicator: Indicator):
    first = indicator.parameters[0]

    for value in (first.min - 1, first.max + 1, first.min + 0.5, float("nan")):
        with pytest.raises(InvalidIndicator, match=first.name):
            indicator.compute(CLOSES, {first.name: value})
    with pytest.raises(InvalidIndicator, match=f"{indicator.key} has no parameter 'x'"):
        indicator.warmup({"x": 1})


@every_indicator
def test_the_bounds_themselves_are_allowed(indicator: Indicator):
    for parameter in indicator.parameters:
        assert parameter.min <= parameter.default <= parameter.max
        for value in (parameter.min, parameter.max):
            assert indicator.resolve({parameter.name: value})[parameter.name] == value


def test_a_text_names_an_indicator_and_its_parameters():
    assert parse_indicator("rsi:21") == (INDICATORS["rsi"], {"period": 21})
    assert parse_indicator(" sma ") == (INDICATORS["sma"], {"period": 20})
    assert parse_indicator("macd:5:35") == (
        INDICATORS["macd"],
        {"fast": 5, "slow": 35, "signal": 9},
    )
    assert parse_indicator("bollinger:20:2.5")[1] == {"period": 20, "deviations": 2.5}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("vwap:1", "expected one of sma, ema, bollinger, rsi, macd; was 'vwap'"),
        ("sma:twenty", "expected numbers after sma:; was 'sma:twenty'"),
        ("sma:20:30", "sma takes 1 values; 2 were given"),
        ("sma:0", "expected period from 1 to 500; was 0"),
        ("sma:2.5", "expected a whole number for period; was 2.5"),
        ("", "expected one of"),
    ],
)
def test_a_text_that_names_nothing_is_refused_with_the_choices(text, message):
    with pytest.raises(InvalidIndicator, match=message):
        parse_indicator(text)


def test_an_unknown_key_lists_the_choices():
    with pytest.raises(InvalidIndicator, match="expected one of sma, ema"):
        find_indicator("kdj")
