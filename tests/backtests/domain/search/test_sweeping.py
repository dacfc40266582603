"""A sweep skips what is quiet, and ends with the bits of the walk that does not."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtests.domain.drawdown import deepest
from backtests.domain.kernels.execution import walk
from backtests.domain.kernels.sweeping import BLOCK, blocks_of, sweep
from backtests.domain.market import MarketMinutes
from backtests.domain.metrics import midnights
from backtests.domain.records import (
    CHANGE,
    MINUTE,
    PPM,
    UNCHANGED,
    VALUE,
    Minutes,
    new_events,
    new_state,
)
from backtests.domain.search.sweeping import Sweeper, turns
from marketdata.domain.columns import CandleColumns
from marketdata.domain.series import Series
from marketdata.domain.timeframe import Timeframe
from strategies.domain.registry import STRATEGIES, create_strategy
from tests.backtests.domain.market import MINUTE as MINUTE_MS
from tests.backtests.domain.market import SPEC, engine
from tests.backtests.domain.test_execution_properties import markets, rule_sets

CASH = 500_000
NO_STOPS = {
    "stop_loss": 0,
    "take_profit": 0,
    "trailing_stop": 0,
    "time_stop_ms": 0,
    "max_drawdown": 0,
    "max_daily_loss": 0,
}


def both_ways(columns, targets, rules):
    """Return events, last equity, equity by day and deepest fall of a walk, and of a sweep."""
    size = len(targets)
    equity, events, state = np.zeros(size, np.int64), new_events(16 * size + 64), new_state(CASH)
    walked = Minutes(**columns, targets=targets)
    _, count = walk(state, rules, walked, 0, equity, events, 0)
    marks, closing = midnights(columns["times"] + MINUTE_MS), columns["times"] + MINUTE_MS
    depth = deepest(closing, equity, CASH).depth
    plain = (events[:count].tobytes(), int(equity[-1]), equity[marks].tolist(), depth)
    closes = columns["closes"].astype(np.int64)
    highs, lows = np.empty(size // BLOCK, np.int64), np.empty(size // BLOCK, np.int64)
    blocks_of(closes, highs, lows)
    beside = np.empty(size, MINUTE)
    beside["time_ms"], beside["traded"] = columns["times"], columns["traded"]
    for name in ("open", "high", "low", "close"):
        beside[name] = columns[f"{name}s"]
    places = turns(targets)
    wanted = np.empty(len(places), CHANGE)
    wanted["index"], wanted["target"] = places, targets[places]
    days, swept, state = np.zeros(len(marks), np.int64), new_events(16 * size + 64), new_state(CASH)
    given = [column.view(VALUE) for column in (closes, highs, lows, marks.astype(np.int64), days)]
    found, fall = sweep(state, rules, beside, wanted, tuple(given), swept)
    return plain, (swept[:found].tobytes(), int(state["equity"][0]), days.tolist(), fall)


@settings(max_examples=150)
@given(
    market=markets(longest=400),
    rules=rule_sets(),
    is_guarded=st.booleans(),
    spread=st.integers(1, 90),
    is_calm=st.booleans(),
)
def test_a_sweep_has_the_bits_of_a_walk(market, rules, is_guarded, spread, is_calm):
    columns, targets = market
    columns = {**columns, "times": columns["times"] * spread}
    if is_calm:
        # Long stretches without a decision: blocks are passed over as a whole.
        targets = np.where(np.arange(len(targets)) % 97 == 5, targets, UNCHANGED)
    if not is_guarded:
        rules = rules._replace(**NO_STOPS, is_margined=False, is_short_allowed=False)
    plain, swept = both_ways(columns, targets, rules)
    assert swept == plain


def test_more_events_than_there_is_room_for_begin_anew_with_more():
    size = 40_000
    prices = np.where(np.arange(size) % 2, 100.0, 101.0)
    candles = CandleColumns(
        np.arange(size) * MINUTE_MS,
        *(prices.copy() for _ in range(4)),
        np.ones(size),
        np.ones(size, np.int16),
        np.zeros(size, np.int16),
    )
    made = engine(cash=Decimal(100_000))
    minutes = MarketMinutes.of(candles, made.units)
    decisions = np.resize(np.array([PPM, 0]), size)
    result = made.execute(minutes, decisions, made.candles(minutes), {})
    assert len(result.events) > 1 << 14
    assert Sweeper(made, minutes).figures(decisions) == result.metrics()


PAIRS = [(fast, slow) for fast in (1, 3, 7, 20) for slow in (8, 21, 50, 120, 400) if fast < slow]
SETS = {
    "ema_crossover": [{"fast": fast, "slow": slow} for fast, slow in PAIRS],
    "macd": [
        {"fast": fast, "slow": slow, "signal": signal}
        for fast, slow in PAIRS[::2]
        for signal in (1, 9, 60)
    ],
    "rsi": [
        {"period": period, "oversold": low, "overbought": high}
        for period in (2, 14, 90)
        for low, high in ((20.0, 80.0), (30.0, 70.0), (45.5, 55.0), (1.0, 99.0), (50.0, 50.5))
    ],
}


@pytest.mark.parametrize("key", SETS)
@pytest.mark.parametrize("timeframe", [Timeframe.M1, Timeframe.M5])
@pytest.mark.parametrize("sides", ["long", "both"])
def test_lanes_decide_what_each_strategy_decides_from_its_own_start(key, timeframe, sides):
    """More sets than lanes or fewer, gaps short and long, starts before and behind the long one."""
    random = np.random.default_rng(5)
    size = 3_000
    times = np.arange(size) * timeframe.ms
    times[1_000:] += 4 * timeframe.ms
    times[2_000:] += 40 * timeframe.ms
    closes = np.round(1000 + np.cumsum(random.normal(0, 1, size)), 1)
    closes[1_500:1_700] = closes[1_500]
    columns = [closes.copy() for _ in range(4)]
    flags = np.ones(size, np.int16), np.zeros(size, np.int16)
    rows = CandleColumns(times, *columns, np.ones(size), *flags)
    candles = Series(timeframe, SPEC, rows)
    made = [create_strategy(key, {**one, "sides": sides}, timeframe) for one in SETS[key]]
    starts = random.integers(0, 2_300, len(made)).tolist()
    starts[:2] = [0, 2_000]
    codes = STRATEGIES[key].process_lanes(made, candles, starts)
    for strategy, start, row in zip(made, starts, codes, strict=True):
        from_start = Series(timeframe, SPEC, rows[start:])
        named = np.array([np.nan, *strategy.lane_targets])
        assert not row[:start].any()
        np.testing.assert_array_equal(named[row[start:]], strategy.process_data(from_start))
    assert set(np.unique(codes)) == {0, 1, 2}
