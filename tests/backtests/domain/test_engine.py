"""What the engine makes of a strategy's targets, on markets of a few minutes."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtests.domain.engine import WrongTargets
from backtests.domain.market import MarketMinutes
from backtests.domain.statements import equity_columns, fill_rows
from backtests.domain.thinning import thinned
from backtests.domain.units import TooLarge
from marketdata.domain.timeframe import Timeframe
from tests.backtests.domain.market import MINUTE, Wants, columns, engine, run

# 1,000 of cash in units of 1e-8; a lot of 0.1 at one tick of 0.5 is worth 0.05.
THOUSAND = 1000 * 10**8


def fills(result):
    return [
        (int(fill["time_ms"]) // MINUTE, int(fill["lots"]), float(fill["tick"]) / 2)
        for fill in result.fills
    ]


def test_a_decision_fills_at_the_next_open():
    result = run(columns(100, 110, 120), Wants(1, None, 0))
    # 9.0 are paid for: 90 lots at 110 are 990
    assert fills(result) == [(1, 90, 110)]
    assert result.equity.tolist() == [THOUSAND, THOUSAND, 1090 * 10**8]


def test_a_strategy_sees_candles_of_its_own_timeframe_and_acts_when_they_close():
    prices = [100] * 5 + [110] * 5 + [120] * 3
    strategy = Wants(1, 0)
    result = run(columns(*prices), strategy, Timeframe.M5)
    assert strategy.seen.open_times.tolist() == [0, 5 * MINUTE]
    assert strategy.seen.close.tolist() == [100, 110]
    assert fills(result) == [(5, 90, 110), (10, -90, 120)]


def test_candles_with_missing_minutes_are_not_seen():
    strategy = Wants(1)
    result = run(columns(*[100] * 10, missing=(3,)), strategy, Timeframe.M5)
    assert strategy.seen.open_times.tolist() == [5 * MINUTE]
    assert len(result.equity) == 9


def test_minutes_before_the_start_warm_up_and_trade_nothing():
    strategy = Wants(1, None, 1, None)
    result = run(columns(100, 110, 120, 125), strategy, start_ms=2 * MINUTE)
    assert len(strategy.seen) == 4
    assert fills(result) == [(3, 80, 125)]
    assert result.close_times.tolist() == [3 * MINUTE, 4 * MINUTE]


def test_a_candle_that_closes_when_trading_starts_decides_nothing_any_more():
    prices = [100] * 10
    result = run(columns(*prices), Wants(1, None), Timeframe.M5, start_ms=5 * MINUTE)
    assert fills(result) == []


def test_minutes_without_a_start_are_none():
    result = run(columns(100, 100), Wants(1, 1), start_ms=MINUTE)
    assert len(result.equity) == 1


@pytest.mark.parametrize(
    ("targets", "reason"),
    [
        ((1,), r"expected one target for each of 2 candles; the shape was \(1,\)"),
        ((0, 1.5), "expected targets from -1 to 1; one was 1.5"),
        ((-1.01, 0), "one was -1.01"),
        ((float("inf"), 0), "one was inf"),
    ],
)
def test_wrong_targets_are_refused(targets, reason):
    with pytest.raises(WrongTargets, match=reason):
        run(columns(100, 100), Wants(*targets))


def test_a_balance_that_does_not_fit_is_refused_before_it_wraps():
    with pytest.raises(TooLarge, match="at most"):
        run(columns(100), Wants(1), cash=Decimal(10) ** 12)
    with pytest.raises(TooLarge, match="initial balance"):
        run(columns(10**14), Wants(1))


def test_the_smallest_order_is_the_exchanges():
    assert fills(run(columns(100, 100), Wants(1, None), minimum="10")) == [(1, 100, 100)]
    assert fills(run(columns(100, 100), Wants(1, None), minimum="10.1")) == []


def test_indicators_are_the_strategys_own():
    result = run(columns(100, 101), Wants(1, 1))
    assert result.indicators["close"].tolist() == [100, 101]
    assert result.indicator_times.tolist() == [MINUTE, 2 * MINUTE]


def test_the_digest_follows_from_what_was_traded_alone():
    one = run(columns(100, 110, 120), Wants(1, None, 0))
    same = run(columns(100, 110, 120), Wants(1, 1, 0))
    other = run(columns(100, 111, 120), Wants(1, None, 0))
    assert one.digest == same.digest
    assert one.digest != other.digest


def test_orders_that_came_to_nothing_are_counted():
    result = run(columns(100, 100, 100, 100), Wants(1, 0, -1, None), minimum="1000")
    assert result.refused() == {"below_minimum": 1, "no_short": 1}


def test_money_figures_are_in_quote_currency():
    result = run(columns(100, 100, 110, 110), Wants(1, 0, None, None))
    metrics = result.metrics()
    assert metrics["best_trip"] == metrics["expectancy"] == pytest.approx(100)
    assert metrics["total_return"] == pytest.approx(0.1)
    assert metrics["turnover"] == pytest.approx(2.1)


def test_fills_are_told_as_they_were_traded():
    result = run(columns(100, 110.5, 120), Wants(0.5, None, 0))
    (row,) = fill_rows(result.events, result.units, 0, 10)
    assert row == {
        "time_ms": MINUTE,
        "side": "buy",
        "quantity": "4.5",
        "price": "110.5",
        "fee": "0.00000000",
        "slippage": "0.00000000",
        "reason": "target",
        "cash": "502.75000000",
        "position": "4.5",
    }
    told = equity_columns(result.close_times, result.equity, result.units)
    assert told["equity"].tolist() == pytest.approx([1000, 1000, 1042.75])


def test_a_part_of_the_minutes_is_what_loading_it_would_give():
    made = engine()
    whole = MarketMinutes.of(columns(100, 101, 102), made.units)
    part = whole.since(MINUTE)
    again = MarketMinutes.of(columns(101, 102, start_minute=1), made.units)
    assert part.opens.tolist() == again.opens.tolist()
    assert part.candles.open_time_ms.tolist() == again.candles.open_time_ms.tolist()
    assert whole.since(0) is whole


@settings(max_examples=100)
@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=300), st.integers(4, 50))
def test_a_thinned_curve_keeps_its_ends_and_extremes(values, most):
    array = np.array(values, np.int64)
    shown = thinned(array, most)
    assert len(shown) <= max(most, 4)
    assert (np.diff(shown) > 0).all()
    assert (shown[0], shown[-1]) == (0, len(values) - 1)
    assert (array[shown].max(), array[shown].min()) == (array.max(), array.min())
