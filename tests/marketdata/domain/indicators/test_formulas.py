"""Indicators against hand-computed values, TA-Lib's values and plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata.domain.errors import InvalidIndicator
from marketdata.domain.indicators.momentum import macd, rsi
from marketdata.domain.indicators.trend import ema, sma
from marketdata.domain.indicators.volatility import bollinger

NAN = math.nan

# 120 prices without a pattern, rounded to cents; TA-Lib 0.8.2 was run over the same ones.
CLOSES = np.array(
    [
        round(100 + 10 * ((n * 7919) % 101) / 101 + (n % 17) * 0.5 - (n % 5) * 0.7, 2)
        for n in range(120)
    ]
)


def equal(values, expected, rel=1e-12):
    return values.tolist() == pytest.approx(expected, rel=rel, nan_ok=True)


# By hand


def test_sma_is_the_mean_of_the_last_values():
    assert equal(sma(np.array([1.0, 2.0, 6.0, 4.0]), 3), [NAN, NAN, 3.0, 4.0])


def test_ema_begins_with_the_simple_average():
    # Weight 2 / (3 + 1): 2, then 2 + (8 - 2) / 2, then 5 + (3 - 5) / 2.
    assert equal(ema(np.array([1.0, 2.0, 3.0, 8.0, 3.0]), 3), [NAN, NAN, 2.0, 5.0, 4.0])


def test_rsi_smooths_rises_and_falls_as_wilder_does():
    # Changes +2 -1 | +3 0 -4: averages (1, 0.5), (2, 0.25), (1, 0.125), (0.5, 2.0625).
    closes = np.array([10.0, 12.0, 11.0, 14.0, 14.0, 10.0])

    expected = [NAN, NAN, 100 / 1.5, 200 / 2.25, 100 / 1.125, 50 / 2.5625]

    assert equal(rsi(closes, 2), expected)


def test_rsi_is_100_when_prices_only_rise_0_when_they_only_fall_50_when_they_rest():
    assert rsi(np.arange(1.0, 20.0), 14)[-1] == 100
    assert rsi(np.arange(20.0, 1.0, -1), 14)[-1] == 0
    assert rsi(np.ones(20), 14)[-1] == 50


def test_macd_begins_both_averages_together():
    # fast 1, slow 2, signal 2: the line is close - ema2; ema2 is 3, 11/3, 59/9.
    line, signal, histogram = macd(np.array([2.0, 4.0, 4.0, 8.0]), 1, 2, 2)

    assert equal(line, [NAN, NAN, 1 / 3, 13 / 9])
    assert equal(signal, [NAN, NAN, 2 / 3, 2 / 3 + 2 / 3 * (13 / 9 - 2 / 3)])
    assert equal(histogram, [NAN, NAN, -1 / 3, 13 / 9 - 32 / 27], rel=1e-9)


def test_macd_needs_a_fast_period_below_the_slow_one():
    with pytest.raises(InvalidIndicator, match="fast below slow; were 26 and 12"):
        macd(CLOSES, 26, 12, 9)


def test_bollinger_bands_lie_population_deviations_from_the_average():
    middle, upper, lower = bollinger(np.array([1.0, 3.0, 5.0, 5.0]), 2, 2.0)

    assert equal(middle, [NAN, 2.0, 4.0, 5.0])
    assert equal(upper, [NAN, 4.0, 6.0, 5.0])
    assert equal(lower, [NAN, 0.0, 2.0, 5.0])


# As TA-Lib: (index, value) of the first value, of one in the middle and of the last


def at_places(values, *expected):
    first = int(np.argmax(~np.isnan(values)))
    found = [(place, values[place]) for place in (first, 60, 119)]
    return found == [(place, pytest.approx(value, rel=1e-10)) for place, value in expected]


def test_values_and_warm_up_are_those_of_ta_lib():
    assert at_places(sma(CLOSES, 20), (19, 106.6395), (60, 107.6), (119, 107.28))
    assert at_places(
        ema(CLOSES, 20), (19, 106.6395), (60, 107.31610124267739), (119, 107.8728991439466)
    )
    assert at_places(
        rsi(CLOSES, 14), (14, 59.43864453191854), (60, 50.88238863454434), (119, 45.17074118227432)
    )
    line, signal, histogram = macd(CLOSES, 12, 26, 9)
    assert at_places(
        line, (33, 1.4684567704886717), (60, 0.0029722413551382942), (119, 0.26928121741829614)
    )
    assert at_places(
        signal, (33, 0.9938242111617781), (60, -0.13753746958121887), (119, 0.3159169704209205)
    )
    assert at_places(
        histogram, (33, 0.47463255932689363), (60, 0.14050971093635717), (119, -0.04663575300262435)
    )
    _, upper, lower = bollinger(CLOSES, 20, 2)
    assert at_places(
        upper, (19, 113.77287360580532), (60, 114.19189198940637), (119, 115.85107927859738)
    )
    assert at_places(
        lower, (19, 99.50612639419468), (60, 101.00810801059362), (119, 98.70892072140279)
    )


# Plain loops


def naive_sma(closes, period):
    return [
        sum(closes[n - period + 1 : n + 1]) / period if n >= period - 1 else NAN
        for n in range(len(closes))
    ]


def naive_ema(closes, period, first):
    values = [NAN] * len(closes)
    for n in range(first, len(closes)):
        if n == first:
            values[n] = sum(closes[n - period + 1 : n + 1]) / period
        else:
            values[n] = values[n - 1] + 2 / (period + 1) * (closes[n] - values[n - 1])
    return values


def naive_rsi(closes, period):
    values = [NAN] * len(closes)
    gain = loss = 0.0
    for n in range(1, len(closes)):
        change = closes[n] - closes[n - 1]
        rise, fall = max(change, 0), max(-change, 0)
        if n <= period:
            gain, loss = gain + rise / period, loss + fall / period
        else:
            gain = (gain * (period - 1) + rise) / period
            loss = (loss * (period - 1) + fall) / period
        if n >= period:
            values[n] = 100 * gain / (gain + loss) if gain + loss else 50
    return values


def naive_bollinger(closes, period, deviations):
    rows = []
    for n in range(len(closes)):
        window = closes[max(0, n - period + 1) : n + 1]
        if len(window) < period:
            rows.append((NAN, NAN, NAN))
            continue
        mean = sum(window) / period
        width = deviations * math.sqrt(sum((close - mean) ** 2 for close in window) / period)
        rows.append((mean, mean + width, mean - width))
    return [list(column) for column in zip(*rows, strict=True)]


SERIES = st.lists(st.integers(1, 10**7).map(lambda cents: cents / 100), min_size=1, max_size=80)


@given(SERIES, st.integers(1, 30))
def test_averages_equal_plain_loops(closes, period):
    values = np.array(closes)

    assert equal(sma(values, period), naive_sma(closes, period), rel=1e-9)
    assert equal(ema(values, period), naive_ema(closes, period, period - 1), rel=1e-9)


@given(SERIES, st.integers(2, 30))
def test_rsi_and_bands_equal_plain_loops(closes, period):
    values = np.array(closes)

    assert rsi(values, period).tolist() == pytest.approx(
        naive_rsi(closes, period), rel=1e-9, abs=1e-6, nan_ok=True
    )
    for band, expected in zip(
        bollinger(values, period, 2.0), naive_bollinger(closes, period, 2.0), strict=True
    ):
        assert band.tolist() == pytest.approx(expected, rel=1e-9, abs=1e-6, nan_ok=True)


@given(SERIES, st.integers(1, 10), st.integers(1, 10), st.integers(1, 10))
def test_macd_equals_plain_loops(closes, fast, more, signal):
    slow = fast + more
    line = np.subtract(naive_ema(closes, fast, slow - 1), naive_ema(closes, slow, slow - 1))
    average = naive_ema(line.tolist(), signal, slow + signal - 2)

    found = macd(np.array(closes), fast, slow, signal)

    hidden = slow + signal - 2
    assert np.isnan(found[0][:hidden]).all()
    for array, expected in zip(found, (line, average, line - np.array(average)), strict=True):
        assert array[hidden:].tolist() == pytest.approx(
            np.asarray(expected)[hidden:].tolist(), rel=1e-9, abs=1e-6, nan_ok=True
        )
