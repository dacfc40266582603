"""The rules of the built-in strategies, each on a market small enough to work out by hand."""

import numpy as np
import pytest

from marketdata.domain.columns import CandleColumns
from marketdata.domain.series import Series
from strategies.domain.markets import made_up
from strategies.domain.registry import STRATEGIES, create_strategy
from tests.strategies.domain.builders import series, signs

RISING, FALLING, RESTING = [10, 11, 12, 13, 14, 15], [15, 14, 13, 12, 11, 10], [10] * 6
# Seven rising candles: the short gap is walked over, behind the long one indicators begin anew.
GAPPED = [10, 11, 12, 13, 14, 15, 16]
SHORT_GAP, LONG_GAP = [0, 1, 2, 3, 8, 9, 10], [0, 1, 2, 3, 20, 21, 22]

EMA = {"fast": 2, "slow": 3}
MACD = {"fast": 1, "slow": 2, "signal": 2}
RSI = {"period": 2}
BANDS = {"period": 3, "deviations": 1}
CHANNEL = {"entry": 3, "exit": 2}


def decided(key, params, candles):
    return signs(create_strategy(key, params, candles.timeframe).process_data(candles))


@pytest.mark.parametrize(
    ("key", "params", "rising", "falling", "resting", "short_gap", "long_gap"),
    [
        ("ema_crossover", EMA, "..LLLL", "..----", "......", "..LLLLL", "..LL..L"),
        ("rsi", RSI, "..----", "..LLLL", "......", "..-----", "..--..-"),
        ("bollinger_breakout", BANDS, "..LLLL", "..----", "......", "..LLLLL", "..LL..L"),
        ("donchian_breakout", CHANNEL, "...LLL", "...---", "......", "...LLLL", "...L..."),
        ("buy_and_hold", {}, "LLLLLL", "LLLLLL", "LLLLLL", "LLLLLLL", "LLLLLLL"),
    ],
)
def test_each_strategy_knows_a_trend_a_rest_and_a_gap(
    key, params, rising, falling, resting, short_gap, long_gap
):
    assert decided(key, params, series(RISING)) == rising
    assert decided(key, params, series(FALLING)) == falling
    assert decided(key, params, series(RESTING)) == resting
    assert decided(key, params, series(GAPPED, places=SHORT_GAP)) == short_gap
    assert decided(key, params, series(GAPPED, places=LONG_GAP)) == long_gap


@pytest.mark.parametrize(
    ("key", "params", "falling"),
    [
        ("ema_crossover", EMA, "..SSSS"),
        ("bollinger_breakout", BANDS, "..SSSS"),
        ("donchian_breakout", CHANNEL, "...SSS"),
    ],
)
def test_with_both_sides_a_falling_market_is_sold(key, params, falling):
    assert decided(key, params | {"sides": "both"}, series(FALLING)) == falling


def test_with_both_sides_an_overbought_market_is_sold():
    assert decided("rsi", RSI | {"sides": "both"}, series(RISING)) == "..SSSS"


def test_crossed_averages_turn_the_target_over():
    # EMA 2: 11, 14.33, 12.11; EMA 3: 11, 13.5, 12.25.
    assert decided("ema_crossover", EMA, series([10, 11, 12, 16, 11])) == "..LL-"


def test_macd_is_followed_while_it_moves_away_from_its_signal():
    # MACD: 0.33, 1.44; signal: 0.67, 1.19: the example of docs/indicators.md.
    assert decided("macd", MACD, series([2, 4, 4, 8])) == "..-L"


def test_macd_decides_nothing_in_an_even_trend_or_a_rest():
    for closes in (RISING, FALLING, RESTING):
        assert decided("macd", MACD, series(closes)) == "......"


def test_macd_sells_where_both_sides_are_allowed_and_begins_anew_behind_a_gap():
    closes = [2, 4, 4, 8, 2, 4, 4, 8]
    both = MACD | {"sides": "both"}
    assert decided("macd", both, series(closes, places=[0, 1, 2, 3, 20, 21, 22, 23])) == "..SL..SL"


def test_rsi_between_its_levels_decides_nothing():
    # RSI: 66.7, 88.9, 88.9 at rest, 19.5: the example of docs/indicators.md.
    assert decided("rsi", RSI, series([10, 12, 11, 14, 14, 10])) == "...-.L"


def test_rsi_obeys_its_levels():
    params = RSI | {"oversold": 15, "overbought": 60}
    assert decided("rsi", params, series([10, 12, 11, 14, 14, 10])) == "..--.."


def test_a_breakout_of_the_bands_ends_at_the_middle():
    # Middle 12, 13.33, 13.33, 12.67; upper 13.63, 14.28.
    assert decided("bollinger_breakout", BANDS, series([10, 12, 14, 14, 12, 12])) == "..L.--"


def test_with_both_sides_the_middle_ends_nothing():
    params = BANDS | {"sides": "both"}
    assert decided("bollinger_breakout", params, series([10, 12, 14, 12, 9])) == "..L.S"


def test_wider_bands_need_a_stronger_breakout():
    closes = [10, 10, 10, 13, 13]
    assert decided("bollinger_breakout", BANDS, series(closes)) == "...L."
    assert decided("bollinger_breakout", BANDS | {"deviations": 1.5}, series(closes)) == "....."


def test_a_breakout_of_the_channel_ends_at_the_lower_side_of_the_shorter_one():
    closes = [10, 10, 10, 12, 11, 10.5, 9]
    # The lowest lows of the two candles before the last ones: 10, 10, 10.5.
    assert decided("donchian_breakout", CHANNEL, series(closes)) == "...L..-"


def test_touching_the_channel_is_no_breakout():
    highs = [12, 12, 12, 12, 12.5]
    candles = series([10, 10, 10, 12, 12.5], highs=highs)
    assert decided("donchian_breakout", CHANNEL, candles) == "....L"


def hours(closes_of_hours, last):
    """Return 15m candles: hours of four equal closes, then the closes `last`."""
    closes = [close for close in closes_of_hours for _ in range(4)]
    return series([*closes, *last], timeframe="15m")


TREND = {"higher": "1h", "trend": 2, **EMA}


def test_a_crossover_counts_in_the_direction_of_the_longer_trend():
    # The hourly average is known from the second hour on, its slope from the third.
    assert decided("trend_filter", TREND, hours([10, 11, 12], [13, 14]))[-3:] == "LLL"


def test_a_crossover_against_the_longer_trend_is_left_out():
    assert decided("trend_filter", TREND, hours([12, 11, 10], [13, 14]))[-3:] == "---"


def test_the_longer_trend_turns_only_when_its_candle_has_closed():
    # The fourth hour rises; until it has closed, the trend is that of the hours before it.
    candles = hours([12, 11, 10], [13, 14, 15, 16])
    assert decided("trend_filter", TREND, candles)[-5:] == "----L"


def test_with_both_sides_a_longer_trend_downwards_is_sold():
    params = TREND | {"sides": "both"}
    assert decided("trend_filter", params, hours([12, 11, 10], [9, 13]))[-3:] == "SS-"


def test_a_resting_longer_trend_decides_nothing_upwards():
    assert decided("trend_filter", TREND, hours([10, 10, 10], [10, 10])) == "." * 14


def test_an_hour_with_a_missing_candle_is_no_candle_of_the_longer_trend():
    candles = hours([10, 11, 12], [13, 14])
    places = [place for place in range(15) if place != 9]
    gapped = series(candles.close, timeframe="15m", places=places)
    assert decided("trend_filter", TREND, gapped)[-3:] == "..."


@pytest.mark.parametrize("key", STRATEGIES)
def test_columns_and_arrays_of_candles_give_the_same(key):
    rows = made_up(2_500, create_strategy(key).timeframe)
    columns = Series(rows.timeframe, rows.spec, CandleColumns.of(rows.rows))
    targets = create_strategy(key).process_data(rows)
    assert np.array_equal(targets, create_strategy(key).process_data(columns), equal_nan=True)
    assert (~np.isnan(targets)).any()


@pytest.mark.parametrize("key", STRATEGIES)
def test_indicators_for_charts_are_as_long_as_the_candles_and_kept(key):
    strategy, candles = create_strategy(key), made_up(500, create_strategy(key).timeframe)
    strategy.process_data(candles)
    shown = strategy.get_indicators(candles)
    again = strategy.get_indicators(candles)
    assert {len(values) for values in shown.values()} <= {500}
    assert all(again[name] is values for name, values in shown.items())
    assert all(
        len(values) == 100 for values in strategy.get_indicators(candles.first(100)).values()
    )


@pytest.mark.parametrize("key", STRATEGIES)
def test_every_indicator_has_its_pane(key):
    strategy = create_strategy(key)
    shown = strategy.get_indicators(made_up(50, strategy.timeframe))
    assert list(strategy.get_panes()) == list(shown)


def test_averages_lie_over_the_price_and_oscillators_below():
    assert create_strategy("macd").get_panes() == {
        "macd": "macd",
        "signal": "macd",
        "histogram": "macd",
        "close": "price",
    }
    assert create_strategy("rsi").get_panes() == {"rsi": "rsi", "change": "roc"}
    assert set(create_strategy("trend_filter").get_panes().values()) == {"price"}


@pytest.mark.parametrize("key", STRATEGIES)
def test_every_strategy_says_what_it_does_and_where_it_is_from(key):
    strategy = STRATEGIES[key]
    assert strategy.__doc__
    assert strategy.title
    assert strategy.source
    assert all(parameter.help for parameter in strategy.parameters)


@pytest.mark.parametrize("key", STRATEGIES)
def test_of_no_candles_nothing_is_decided(key):
    nothing = made_up(10, create_strategy(key).timeframe).first(0)
    assert len(create_strategy(key).process_data(nothing)) == 0
